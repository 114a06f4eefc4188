"""Histograms: how often something took how long, in fixed buckets, so that those of several processes can be added."""

from bisect import bisect_left
from itertools import accumulate

from wsgateway.observe.status import HistogramStatus

# Upper bounds in seconds, each included in its bucket. A last bucket has all that is longer.
# A handshake on one machine takes a millisecond; the longest that `timeouts.handshake` allows by default is 10 s.
HANDSHAKE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# From a page that is left at once to a device that stays connected for weeks.
SESSION_SECONDS = (1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400, 28 * 86400)
# For people who wait; `queue.timeout` is 5 s by default.
QUEUE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# A turn of the loop takes some milliseconds at most; from a tenth of a second on, clients notice it.
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


def bound_name(bound: float) -> str:
    """Return a bound as Prometheus' label `le` has it."""
    return str(int(bound)) if bound == int(bound) else repr(bound)


class Histogram:
    """The counts of all buckets, and the sum of all values."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Take the upper bounds of the buckets, in rising order."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def status(self) -> HistogramStatus:
        """Return the buckets that are not empty, each without those below it, and the sum; nothing if all are empty."""
        names = (*map(bound_name, self._bounds), INFINITE)
        buckets = {name: count for name, count in zip(names, self._counts, strict=True) if count}
        return {"buckets": buckets, "sum": self._sum} if buckets else {}


INFINITE = "+Inf"
"""the label `le` of the last bucket"""


def cumulated(status: HistogramStatus, bounds: tuple[float, ...]) -> list[tuple[str, int]]:
    """Return all buckets by their labels `le`, each with those below it, as Prometheus has them."""
    names = [*map(bound_name, bounds), INFINITE]
    buckets = status.get("buckets", {})
    return list(zip(names, accumulate(buckets.get(name, 0) for name in names), strict=True))
