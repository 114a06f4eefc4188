"""Read durations and sizes of the configuration: `10s`, `500ms`, `30d`, `16KiB`.

A number without a unit is an error that shows how to write it. Each unit has one spelling. The functions take any value
of the file, and raise ValueError with a message for its author.
"""

import re

from wsgateway.settings.findings import seen

KIB = 1024
MIB = 1024 * KIB

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BYTES = {unit: 1 << 10 * power for power, unit in enumerate(["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])}

# 20 digits are enough for 2**64, and keep a float finite.
_DURATION = re.compile(r"(?P<number>[0-9]{1,20}(?:\.[0-9]{1,20})?)(?P<unit>ms|s|m|h|d)?")
_SIZE = re.compile(r"(?P<number>[0-9]{1,20})(?P<unit>[KMGTPE]iB|B)?")


def seconds(value: object) -> float:
    """Read a duration such as `10s`, `500ms`, `2m`, `1h`, `30d` or `1.5s`, which must be more than 0, in seconds."""
    found = _match(_DURATION, value)
    if found is None:
        raise ValueError(f"{seen(value)} is not a duration; write it as 10s, 500ms, 2m, 1h or 30d")
    if found["unit"] is None:
        raise ValueError(f"{seen(value)} has no unit; write {value}s (or with ms, m, h or d)")
    duration = float(found["number"]) * _MILLISECONDS[found["unit"]] / 1000
    if duration == 0:
        raise ValueError(f"{seen(value)} is too short, it must be more than 0s")
    return duration


def byte_count(value: object, least: int, most: int) -> int:
    """Read a size such as `64B`, `16KiB` or `1MiB`, which must be from `least` to `most` bytes, in bytes."""
    found = _match(_SIZE, value)
    if found is None:
        raise ValueError(f"{seen(value)} is not a size; write it as 64B, 16KiB, 1MiB or 2GiB")
    if found["unit"] is None:
        raise ValueError(f"{seen(value)} has no unit; write {value}B (or with KiB, MiB or GiB)")
    size = int(found["number"]) * _BYTES[found["unit"]]
    if size < least:
        raise ValueError(f"{seen(value)} is too small, at least {spell_size(least)} is allowed")
    if size > most:
        raise ValueError(f"{seen(value)} is too large, at most {spell_size(most)} is allowed")
    return size


def percent(value: object) -> int:
    """Read a share such as `50%`, from 1% to 100%, in percent. Raise ValueError for other values."""
    found = re.fullmatch(r"([0-9]{1,3})%", value) if isinstance(value, str) else None
    if found is None or not 1 <= int(found[1]) <= 100:
        raise ValueError(f"{seen(value)} is not a share; write one from 1% to 100%")
    return int(found[1])


def spell_size(size: int) -> str:
    """Return a number of bytes in the largest unit that divides it: 16384 is `16KiB`, and 0 is `0B`."""
    unit = next((unit for unit in reversed(_BYTES) if size and size % _BYTES[unit] == 0), "B")
    return f"{size // _BYTES[unit]}{unit}"


def _match(pattern: re.Pattern[str], value: object) -> re.Match[str] | None:
    # A number without quotes comes as an int, and is judged by its digits as text is.
    return pattern.fullmatch(str(value)) if isinstance(value, int | str) else None
