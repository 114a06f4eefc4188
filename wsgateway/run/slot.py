"""A post in the worker pool: one process after the other, and what is known of them.

starting   it has no configuration yet, or does not serve yet
serving
leaving    it drains, and is not started again
waiting    it has died, and again and again: it is started a little later each time
"""

import enum
from dataclasses import dataclass, field

import trio

from wsgateway.run.process import WorkerProcess

# A worker that has served for so long has not died of its start, and the next one may start at once.
STEADY_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0


class SlotState(enum.Enum):
    """What a post is at."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    WAITING = "waiting"


@dataclass
class WorkerSlot:
    """One of the worker pool, who may be one process after the other."""

    number: int
    state: SlotState = SlotState.STARTING
    worker: WorkerProcess | None = None
    restarts: int = 0
    deaths_in_a_row: int = 0
    """without having served for a while in between"""
    failed_starts: int = 0
    """in a row, and no worker of the worker pool has begun to serve in between"""
    serving_since: float | None = None
    """of the process that is there now, or was there last"""
    silent_seconds: float = 0.0
    """for how long it has not answered looks that were made on time"""
    pause: trio.CancelScope = field(default_factory=trio.CancelScope)
    settled: bool = False
    """whether it has served, or is over"""
    why: str = ""
    """why it did not serve, if that is known"""

    @property
    def leaves(self) -> bool:
        """Whether it is not to be started again."""
        return self.state is SlotState.LEAVING

    def begin(self, worker: WorkerProcess) -> None:
        """Have another process."""
        self.worker, self.serving_since, self.silent_seconds = worker, None, 0.0

    def died(self) -> None:
        """Count an end that nobody wanted."""
        since, self.serving_since = self.serving_since, None
        steady = since is not None and trio.current_time() - since >= STEADY_SECONDS
        self.deaths_in_a_row = 1 if steady else self.deaths_in_a_row + 1
        self.failed_starts = 0 if since is not None else self.failed_starts + 1

    @property
    def pause_seconds(self) -> float:
        """How long to wait before the next start."""
        return pause_seconds(self.deaths_in_a_row)


def pause_seconds(deaths: int) -> float:
    """Return how long to wait before the next start after so many deaths in a row; at first not at all."""
    return 0.0 if deaths <= 1 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(deaths - 2, 16))
