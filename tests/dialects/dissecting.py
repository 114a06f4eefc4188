"""A text form for the results of dissectors: a line for each part, with its bytes in hexadecimal and its meaning."""

import re

from wsgateway.dialects import DIALECTS, Role
from wsgateway.dialects.base import Part

from .vectors import SECRET


def dissected(name: str, role: Role, pieces: list[bytes], secret: bytes = SECRET) -> list[Part]:
    """Return the parts of the pieces, fed one by one."""
    dissector = DIALECTS[name].framing.dissector(role, secret)
    return [part for piece in pieces for part in dissector.feed(piece)]


def joined(parts: list[Part]) -> bytes:
    return b"".join(part.data for part in parts)


def lines(parts: list[Part]) -> list[tuple[str, str]]:
    """Return each part as its bytes in hexadecimal, and its meaning."""
    return [(part.data.hex(" "), part.meaning) for part in parts]


def table(text: str) -> list[tuple[str, str]]:
    """Return the lines of a text: bytes in hexadecimal, two spaces or more, and their meaning."""
    rows = [re.split("  +", line.strip(), maxsplit=1) for line in text.strip().splitlines()]
    return [(data, meaning) for data, meaning in rows]


def wire_of(text: str) -> bytes:
    """Return the bytes of such a text."""
    return b"".join(bytes.fromhex(data) for data, _ in table(text))
