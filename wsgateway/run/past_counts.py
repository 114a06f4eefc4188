"""What was counted before: by workers that have ended, and by the gateway whose place this one has taken."""

from collections.abc import Iterable

from wsgateway.observe.known import NO_NAMES
from wsgateway.observe.metrics import of_names, rising
from wsgateway.observe.refusals import Refusal, newest
from wsgateway.observe.status import Names, ProcessStatus, merged
from wsgateway.run.messages import GatewayCounts


class PastCounts:
    """The counts that no running worker has, so that no metric falls."""

    def __init__(self) -> None:
        self._names = NO_NAMES
        self._ended: ProcessStatus = {}  # of workers
        self._before = GatewayCounts()
        self._restarts = 0
        self.refusals: list[Refusal] = []
        """the last ones, the oldest first"""

    def keep(self, names: Names) -> None:
        """Keep only figures of these listeners, routes and targets, from now on."""
        self._names = names
        self._ended = of_names(self._ended, names)
        self.inherit(self._before)

    def add(self, status: ProcessStatus) -> None:
        """Add the last report of a worker that has ended."""
        self._ended = merged([self._ended, rising(status)])

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Add the last refusals of a worker that has ended, or of the gateway before this one."""
        self.refusals = newest([*self.refusals, *refusals])

    def restarted(self) -> None:
        """Count a worker that died and is replaced."""
        self._restarts += 1

    def inherit(self, counts: GatewayCounts) -> None:
        """Set what the gateway before this one has counted so far, and the sessions that it still has."""
        self._before = GatewayCounts(restarts=counts.restarts, status=of_names(counts.status, self._names))

    def old_ended(self) -> None:
        """Note that the gateway before this one has ended: what it has counted stays, and its sessions are over."""
        self._before = GatewayCounts(restarts=self._before.restarts, status=rising(self._before.status))

    @property
    def restarts(self) -> int:
        """How many workers died and were replaced."""
        return self._restarts + self._before.restarts

    def status(self) -> ProcessStatus:
        """Return all of it as one status."""
        return merged([self._ended, self._before.status])
