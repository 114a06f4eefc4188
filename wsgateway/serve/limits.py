"""The counts of open connections and the rates of clients, against which limits are checked."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Self

from wsgateway.errors import ReasonedError
from wsgateway.policy.rates import Bucket
from wsgateway.settings.basics import Rate

# Full buckets are forgotten when there are this many, or twice as many as remained the last time.
_MANY = 4096
# At this number, which is some 20 MiB, the least recently used bucket is forgotten.
MOST_BUCKETS = 65536


class Cleanup(list[Callable[[], None]]):
    """The cleanups at the end of a block, run last to first. An ExitStack would need 1 KiB more for each session."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self:
            self.run()

    def run(self) -> None:
        """Run the cleanups now; all of them, also if one raises, which is then raised."""
        try:
            while self:
                self.pop()()
        finally:
            if self:
                self.run()


class _OneLess:
    """A call that counts one less. A partial would need 200 bytes more for each session."""

    __slots__ = ("_key", "_open")

    def __init__(self, open_: Counter[Hashable], key: Hashable) -> None:
        self._open = open_
        self._key = key

    def __call__(self) -> None:
        self._open[self._key] -= 1
        if not self._open[self._key]:
            del self._open[self._key]


class ConnectionCounts:
    """The numbers of open connections by kind."""

    def __init__(self) -> None:
        self._open: Counter[Hashable] = Counter()

    def count(self, key: Hashable) -> Callable[[], None]:
        """Count one more of a kind, and return a call that counts it off."""
        self._open[key] += 1
        return _OneLess(self._open, key)

    def one_more(self, key: Hashable, limit: int | None, beyond: Callable[[], ReasonedError]) -> Callable[[], None]:
        """Count one more of a kind, and return a call that counts it off.

        Raise what `beyond` makes if the limit is reached.
        """
        if limit is not None and self._open[key] >= limit:
            raise beyond()
        return self.count(key)

    def __getitem__(self, key: Hashable) -> int:
        return self._open[key]


class RateLimiter:
    """The token buckets of all clients that a rate limits."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, Bucket] = {}
        self._many = _MANY

    def missing(self, key: Hashable, rate: Rate, now: float) -> float:
        """Take a token and return 0, or return in how many seconds there is one."""
        if len(self._buckets) >= self._many:
            self._buckets = {each: bucket for each, bucket in self._buckets.items() if not bucket.full(now)}
            self._many = max(_MANY, 2 * len(self._buckets))
        bucket = self._buckets.pop(key, None)
        if bucket is None or bucket.rate != rate:  # a reload may have changed the rate
            bucket = Bucket(rate, now)
            if len(self._buckets) >= MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = bucket  # at the end, so that the first is the least recently used
        seconds = bucket.take(now)
        if seconds:
            bucket.give_back()
        return seconds
