"""How often somebody may do something: a bucket of tokens, one for each time, that fills again."""

from wsgateway.settings.basics import Rate


class Bucket:
    """Holds as many tokens as the rate allows at once, and gets them back at its pace."""

    __slots__ = ("_tokens", "_when", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.count)
        self._when = now

    def take(self, now: float, count: int = 1) -> float:
        """Takes tokens, also such that are not there. Returns for how many seconds they will be missing: 0 is good."""
        rate = self.rate
        pace = rate.count / rate.seconds
        self._tokens = min(rate.count, self._tokens + (now - self._when) * pace) - count
        self._when = now
        return max(0.0, -self._tokens / pace)

    def untake(self) -> None:
        """Gives a token back that was not there, as what it was for did not happen."""
        self._tokens += 1

    def full(self, now: float) -> bool:
        """Whether all tokens are back, so that a new bucket would be the same."""
        return self._tokens + (now - self._when) * self.rate.count / self.rate.seconds >= self.rate.count
