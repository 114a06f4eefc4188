"""Counts as a worker sends them, and clocks that a test sets."""

from dataclasses import dataclass
from typing import Any

from wsgateway.census.tally import Counts

# 2 March 2026, noon.
NOON = 1_772_452_800.0
YEAR = 365 * 86400.0
DIALECT = "hixie-76"
_NAMES = ("dialect", "route", "listener", "host", "origin", "agent", "tls")


def counts(*, oddities: tuple[str, ...] = (), refused: Any = None, **more: Any) -> Counts:
    """Return counts of a profile; by default one session that begins."""
    profile = {"dialect": DIALECT, "route": "chat", "listener": "public", "host": "a.example"}
    profile |= {name: more.pop(name) for name in _NAMES if name in more}
    made: Any = {"profile": profile, "oddities": list(oddities), **more}
    if refused is not None:
        made["refused"] = refused
    elif not more:
        made |= {"sessions": 1, "open": 1}
    return made


@dataclass
class Clocks:
    """Two clocks: that of the wall, and one without leaps."""

    wall: float = NOON
    steady: float = 0.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
