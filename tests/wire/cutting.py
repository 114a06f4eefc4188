"""How tests cut bytes into pieces."""

from itertools import pairwise


def cut(data: bytes, marks: list[int]) -> list[bytes]:
    """Return the data in pieces, cut at the marks (modulo its length); some of them are empty."""
    places = sorted(mark % (len(data) + 1) for mark in marks)
    return [data[start:stop] for start, stop in pairwise([0, *places, len(data)])]
