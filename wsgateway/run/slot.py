"""A slot of the worker pool: one process after the other, and the facts about them.

starting   the process has no configuration yet, or does not serve it yet
serving    the process serves
leaving    the process drains, and is not started again
waiting    the process has died, and the next one waits for its start: longer each time that one dies soon
"""

import enum
from dataclasses import dataclass, field

import trio

from wsgateway.observe.status import WorkerStatus
from wsgateway.run.process import WorkerProcess

# If a worker has served for so long, its start is not the reason of its death, and the next one starts at once.
STEADY_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0


class SlotState(enum.Enum):
    """The state of a slot."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    WAITING = "waiting"


@dataclass
class WorkerSlot:
    """One slot of the worker pool."""

    number: int
    state: SlotState = SlotState.STARTING
    worker: WorkerProcess | None = None
    restarts: int = 0
    deaths_in_a_row: int = 0
    """of processes that had not served for `STEADY_SECONDS`"""
    failed_starts: int = 0
    """in a row, while no worker of the pool has begun to serve"""
    serving_since: float | None = None
    """since when the current process serves, or the last one served"""
    silent_seconds: float = 0.0
    """for how long the process has not answered checks that were made on time"""
    pause: trio.CancelScope = field(default_factory=trio.CancelScope)
    settled: bool = False
    """whether a process of it has served, or the slot is given up"""
    why: str = ""
    """why the process did not serve; empty if that is not known"""

    @property
    def leaves(self) -> bool:
        """Whether no other process is to be started."""
        return self.state is SlotState.LEAVING

    def begin(self, worker: WorkerProcess) -> None:
        """Record that another process has been started."""
        self.worker, self.serving_since, self.silent_seconds = worker, None, 0.0

    def died(self) -> None:
        """Count an unexpected end of the process."""
        since, self.serving_since = self.serving_since, None
        steady = since is not None and trio.current_time() - since >= STEADY_SECONDS
        self.deaths_in_a_row = 1 if steady else self.deaths_in_a_row + 1
        self.failed_starts = 0 if since is not None else self.failed_starts + 1

    def status(self) -> WorkerStatus:
        """Return what there is to tell of it and of its process."""
        worker = self.worker
        return {
            "worker": self.number,
            "state": self.state.value,
            "pid": None if worker is None else worker.pid,
            "age_seconds": 0.0 if worker is None else round(trio.current_time() - worker.begun, 3),
            "restarts": self.restarts,
            "loop_lag_seconds": 0.0 if worker is None else worker.loop_lag,
            "status": {} if worker is None else worker.status,
        }

    @property
    def pause_seconds(self) -> float:
        """The time to wait before the next start."""
        return pause_seconds(self.deaths_in_a_row)


def pause_seconds(deaths: int) -> float:
    """Return how long to wait before the next start after so many deaths in a row; at first not at all."""
    return 0.0 if deaths <= 1 else min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(deaths - 2, 16))
