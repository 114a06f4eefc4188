"""What the tests know of each dialect, in one table.

A dialect that is added is a row here: the tests of all dialects and of its family take it in. It also needs a client
in `tests/openings.py`, and bytes that others wrote in `vectors.json`. Nothing here is read from the code under test.
"""

import enum
from dataclasses import dataclass, field


class Family(enum.Enum):
    """How dialects write frames; `test_families` holds it against the vectors."""

    HIXIE = "a text between 00 and FF"
    MORE = "opcodes of draft 01, a first bit that says that more follows, and no masks"
    COVERED = "opcodes of draft 01, and masks over whole frames of clients"
    FRAMES = "opcodes and masks of RFC 6455"


@dataclass(frozen=True, slots=True)
class Facts:
    """A row of the table."""

    family: Family
    version: int | None = None
    """the Sec-WebSocket-Version that clients send, if they send one"""
    origin: str = "origin"
    """the header in which clients name the page, in lower case"""
    codes: frozenset[int] = field(default_factory=frozenset)
    """the close codes that a peer may be told: those with a meaning, and samples of those that programs may define"""


_PAGE = "sec-websocket-origin"
# Draft 06, 7.4.1. What 06 calls 1004, for a message that is too big, stands here as 1009, which it became.
_CODES_06 = frozenset({1000, 1001, 1002, 1003, 1009})
# Those of draft 12, which is still version 8; without 1007, which came with draft 10.
_CODES_07 = _CODES_06 | {1008, 1010, 1011, 3000, 4000, 4999}
_CODES_08 = _CODES_07 | {1007}
# RFC 6455, 7.4.1, and what was registered since.
_CODES_13 = _CODES_08 | {1012, 1013, 1014}

FACTS = {
    "hixie-75": Facts(Family.HIXIE),
    "hixie-76": Facts(Family.HIXIE),
    "hybi-01": Facts(Family.MORE),
    "hybi-02": Facts(Family.MORE),
    "hybi-03": Facts(Family.MORE),
    "hybi-04": Facts(Family.COVERED, 4, _PAGE),
    "hybi-05": Facts(Family.COVERED, 5, _PAGE),
    "hybi-06": Facts(Family.COVERED, 6, _PAGE, _CODES_06),
    "hybi-07": Facts(Family.FRAMES, 7, _PAGE, _CODES_07),
    "hybi-08": Facts(Family.FRAMES, 8, _PAGE, _CODES_08),
    "rfc6455": Facts(Family.FRAMES, 13, "origin", _CODES_13),
}
"""All dialects, in the order in which the gateway tries and names them."""


def _of(family: Family) -> tuple[str, ...]:
    return tuple(name for name, facts in FACTS.items() if facts.family is family)


NAMES = tuple(FACTS)
HIXIE, MORE, COVERED, FRAMES = map(_of, Family)
RFC = ("rfc6455",)
LATER = tuple(name for name in FRAMES if name not in RFC)
"""The drafts that have the frames of RFC 6455."""
TWO_KEYS = ("hixie-76", *MORE)
"""The dialects whose clients send two keys, and a challenge of 8 bytes behind their head."""
WITH_VERSION = tuple(name for name, facts in FACTS.items() if facts.version is not None)
WITHOUT_VERSION = tuple(name for name, facts in FACTS.items() if facts.version is None)
WITH_CODES = tuple(name for name, facts in FACTS.items() if facts.codes)


def close_payload(name: str, code: int, reason: bytes = b"", *, by_client: bool) -> bytes:
    """Return what a Close carries with which somebody says this, as far as the dialect can."""
    if name == "hybi-05":
        return b"C" if by_client else b"S"
    if code not in FACTS[name].codes:
        return b""
    return (1004 if code == 1009 and name == "hybi-06" else code).to_bytes(2, "big") + reason


def versions(*names: str) -> str:
    """Return the versions of these dialects as a server names them in Sec-WebSocket-Version: the highest first."""
    numbers = {facts.version for name, facts in FACTS.items() if name in names and facts.version is not None}
    return ", ".join(map(str, sorted(numbers, reverse=True)))
