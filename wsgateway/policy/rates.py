"""A token bucket, which limits how often something may happen."""

import math

from wsgateway.settings.basics import Rate


class Bucket:
    """A token bucket: it holds as many tokens as the rate allows at once, and is refilled at the pace of the rate."""

    __slots__ = ("_tokens", "_when", "rate")

    def __init__(self, rate: Rate, now: float, tokens: float = math.inf) -> None:
        """Begin with these tokens, or with as many as it holds, if that is less."""
        self.rate = rate
        self._tokens = min(float(rate.count), tokens)
        self._when = now

    def tokens(self, now: float) -> float:
        """Return how many tokens there are; less than 0 if too many were taken."""
        return min(self.rate.count, self._tokens + (now - self._when) * self.rate.count / self.rate.seconds)

    def take(self, now: float, count: int = 1) -> float:
        """Take tokens, even if there are too few. Return in how many seconds the missing ones are there, or 0."""
        rate = self.rate
        pace = rate.count / rate.seconds
        self._tokens = self.tokens(now) - count
        self._when = now
        return max(0.0, -self._tokens / pace)

    def give_back(self) -> None:
        """Put a token back, because that for which it was taken did not happen."""
        self._tokens += 1

    def full(self, now: float) -> bool:
        """Return whether all tokens are back, so that a new bucket would be equal."""
        return self.tokens(now) == self.rate.count
