"""Masks of frames, put on and taken off without the code under test."""

from itertools import cycle


def masked(data: bytes, key: bytes) -> bytes:
    """Return the data, each byte of which is combined with the next of the key, from its start again at its end."""
    return bytes(byte ^ mask for byte, mask in zip(data, cycle(key), strict=False))
