"""The time of the census, which does not go back: a clock that is set wrong must not make a client look long gone.

If the clock goes back, the census stays at the latest time that it knows, until the clock has come there again. If that
takes a day, the clock is believed, and what was noted later than now must be brought back to now.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

# For so long a clock that has gone back is not believed.
DOUBT_SECONDS = 86400.0
# A clock that has run for so long without a leap may decide what is so old that it is forgotten.
SETTLED_SECONDS = 3600.0
# A difference between two clocks that is not taken for a leap.
_LEAP_SECONDS = 60.0


class Now(NamedTuple):
    """A time of the census."""

    time: float
    """in seconds since 1970"""
    back: bool
    """whether times that are later were wrong"""
    settled: bool
    """whether the clock has run for `SETTLED_SECONDS` without a leap"""


class CensusClock:
    """The clock of a census."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic, latest: float = 0.0
    ) -> None:
        """Take clocks, in seconds: since 1970, and since any time, without leaps. `latest` is known from before."""
        self._wall, self._steady = wall, steady
        self.latest = latest
        self._behind_since: float | None = None
        self._difference = wall() - steady()
        self._even_since = steady()

    def now(self) -> Now:
        """Return the time."""
        wall, steady = self._wall(), self._steady()
        if abs(wall - steady - self._difference) > _LEAP_SECONDS:
            self._difference, self._even_since = wall - steady, steady
        settled = steady - self._even_since >= SETTLED_SECONDS
        if wall >= self.latest:
            self._behind_since, self.latest = None, wall
            return Now(wall, False, settled)
        if self._behind_since is None:
            self._behind_since = steady
        if steady - self._behind_since < DOUBT_SECONDS:
            return Now(self.latest, False, False)
        self._behind_since, self.latest = None, wall
        return Now(wall, True, settled)
