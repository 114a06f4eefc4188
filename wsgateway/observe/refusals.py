"""The last clients of a process that got no session: who they were and why, for whoever asks.

They are kept whether anybody asks or not: that is one entry of a bounded list for each refusal.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice

from wsgateway.errors import BRIEF_CHARACTERS, Reason

MOST_REFUSALS = 200

Refusal = dict[str, str | int | float | bool]
"""`at` in seconds since 1970, `reason`, `why`, `status` if one was answered, and the facts that the log has"""

_Kept = tuple[float, Reason, int | None, str, Mapping[str, str]]


class Refusals:
    """The last refusals, at most `MOST_REFUSALS`. No text of them has more than `BRIEF_CHARACTERS`."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Take what returns the time, in seconds since 1970."""
        self._now = now
        self._kept: deque[_Kept] = deque(maxlen=MOST_REFUSALS)
        self._new = 0

    def note(self, reason: Reason, status: int | None, why: str, facts: Mapping[str, str]) -> None:
        """Keep a refusal: its status, if the client got one, and the facts about the client for the log."""
        self._kept.append((self._now(), reason, status, why, facts))
        self._new += 1

    def last(self) -> list[Refusal]:
        """Return what is kept, the oldest first."""
        return [_described(each) for each in self._kept]

    def new(self) -> list[Refusal]:
        """Return what has come since this was called last, as far as it is kept, the oldest first."""
        count, self._new = min(self._new, len(self._kept)), 0
        return [_described(each) for each in islice(self._kept, len(self._kept) - count, None)]


def newest(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Return the newest of the refusals of several processes, at most `MOST_REFUSALS`, the oldest first."""
    return sorted(refusals, key=lambda each: float(each.get("at", 0)))[-MOST_REFUSALS:]


def _described(kept: _Kept) -> Refusal:
    at, reason, status, why, facts = kept
    return {
        **{name: value[:BRIEF_CHARACTERS] for name, value in facts.items()},
        "at": round(at, 3),
        "reason": reason.value,
        **({} if status is None else {"status": status}),
        "why": why[:BRIEF_CHARACTERS],
    }
