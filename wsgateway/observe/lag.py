"""How late the loop of a process is: for how long something that was ready had to wait for its turn."""

from wsgateway.observe.histogram import LAG_SECONDS, Histogram

# The loop notes how late it is eight times a second, so the worst of the last half minute to minute is known, which
# is more than there is between two visits of Prometheus.
NOTES_OF_A_PERIOD = 240


class LoopLag:
    """The lateness of a loop since the start, and the worst of late."""

    def __init__(self) -> None:
        self.histogram = Histogram(LAG_SECONDS)
        self._worst = self._worst_before = 0.0
        self._notes = 0

    def note(self, seconds: float) -> None:
        """Note how late the loop was, once."""
        self.histogram.observe(seconds)
        if self._notes == NOTES_OF_A_PERIOD:
            self._worst_before, self._worst, self._notes = self._worst, 0.0, 0
        self._notes += 1
        self._worst = max(self._worst, seconds)

    @property
    def worst(self) -> float:
        """The longest of the last one or two periods, in seconds."""
        return max(self._worst, self._worst_before)
