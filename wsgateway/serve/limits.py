"""How many connections there are of each kind, and how often clients come: what limits are held against."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Self

from wsgateway.errors import ReasonedError
from wsgateway.policy.rates import Bucket
from wsgateway.settings.basics import Rate

# Buckets that are full again are forgotten when there are so many, or twice as many as were left the last time.
_MANY = 4096
# Of more than so many, the one that was used least recently is forgotten: some 20 MiB.
MOST_BUCKETS = 65536


class Cleanup(list[Callable[[], None]]):
    """What is to be done at the end of a block, the last first. An ExitStack does the same for 1 KiB more a session."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self:
            self.pop()()


class _OneLess:
    """Takes one of a kind away. A partial does the same for 200 bytes more a session."""

    __slots__ = ("_key", "_open")

    def __init__(self, open_: Counter[Hashable], key: Hashable) -> None:
        self._open = open_
        self._key = key

    def __call__(self) -> None:
        self._open[self._key] -= 1
        if not self._open[self._key]:
            del self._open[self._key]


class ConnectionCounts:
    """Counts what is open."""

    def __init__(self) -> None:
        self._open: Counter[Hashable] = Counter()

    def one_more(self, key: Hashable, limit: int | None, beyond: Callable[[], ReasonedError]) -> Callable[[], None]:
        """Count one more of a kind, until what this returns is called. Raise what `beyond` makes if the limit is
        reached."""
        if limit is not None and self._open[key] >= limit:
            raise beyond()
        self._open[key] += 1
        return _OneLess(self._open, key)

    def __getitem__(self, key: Hashable) -> int:
        return self._open[key]


class RateLimiter:
    """A bucket for each that is held to a rate."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, Bucket] = {}
        self._many = _MANY

    def missing(self, key: Hashable, rate: Rate, now: float) -> float:
        """Takes a token. Returns for how many seconds there will be none, if there is none: then none is taken."""
        if len(self._buckets) >= self._many:
            self._buckets = {each: bucket for each, bucket in self._buckets.items() if not bucket.full(now)}
            self._many = max(_MANY, 2 * len(self._buckets))
        bucket = self._buckets.pop(key, None)
        if bucket is None or bucket.rate != rate:  # a reload may have changed it
            bucket = Bucket(rate, now)
            if len(self._buckets) >= MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = bucket  # behind all others: the first is that which was used least recently
        seconds = bucket.take(now)
        if seconds:
            bucket.give_back()
        return seconds
