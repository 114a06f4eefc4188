"""Tables for people, in lines of text: words, sizes and times as a person reads them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

_STEPS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def aligned(rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table, given its heading and its rows; no line if there is only the heading.

    The columns with the numbers in `right`, from 0 on, are aligned at their right ends.
    """
    lines = [[printable(cell) for cell in row] for row in rows]
    if len(lines) < 2:
        return []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    put = [str.rjust if at in right else str.ljust for at in range(len(widths))]
    return [
        "  ".join(place(cell, width) for place, cell, width in zip(put, line, widths, strict=True)).rstrip()
        for line in lines
    ]


def printable(text: str) -> str:
    """Return a text with its control characters spelled out, since a terminal would obey them."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def spelled_time(when: float) -> str:
    """Return a time, in seconds since 1970, as a date with the time of day in UTC."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M:%S}"


def spelled_seconds(seconds: float) -> str:
    """Return a time span in its two largest units: `3d 4h`, `2m 10s`, `7s`."""
    left, words = max(0, int(seconds)), list[str]()
    for size, unit in _STEPS:
        count, left = divmod(left, size)
        if count or words or size == 1:
            words.append(f"{count}{unit}")
    return " ".join(words[:2])


def spelled_bytes(size: int) -> str:
    """Return a number of bytes with at most three digits and a unit: `7 B`, `1.5 KiB`, `12 MiB`."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_SIZES[unit]}" if unit == 0 or value >= 10 else f"{value:.1f} {_SIZES[unit]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 session`, `2 sessions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
