"""The number of connections of each worker, in memory that all workers of a gateway share.

The kernel gives a waiting client to the worker that asks first, and that may be the same one many times. So a worker
that has more connections than another leaves waiting clients to that one for a moment. Each worker writes its own
number alone; if another one reads it too early or too late, one client goes to another worker than it might.
"""

import mmap
import os

# So many connections more than another worker are no reason to wait; and this part of its own.
TOLERATED = 4
TOLERATED_PART = 1 / 32
# A worker whose number has not changed while another one has waited for it so often hangs, or has too much to do.
MOST_LOOKS = 50

_NUMBER_BYTES = 8
_NUMBERS = 1024


class ScoreboardEntry:
    """The number of connections of this worker, beside those of the others."""

    def __init__(self, numbers: memoryview | None = None, own: int = 0) -> None:
        """Take the numbers of all workers, as `Scoreboard` has them, and the index of the own one. None: no others."""
        self._numbers = numbers
        self._own = own
        self._connections = 0
        self._accepts = False
        self._least = 0  # of the others, when they were last looked at
        self._looks = 0  # in a row at which that was the same

    def begin(self) -> None:
        """Note that this worker accepts clients from now on."""
        self._accepts = True
        self.add(0)

    def end(self) -> None:
        """Note that it accepts no more clients."""
        self._accepts = False
        self.add(0)

    def add(self, connections: int) -> None:
        """Count connections that begin, or end if the number is negative."""
        self._connections += connections
        if self._numbers is not None:
            self._numbers[self._own] = self._connections + 1 if self._accepts else 0

    def is_ahead(self) -> bool:
        """Return whether a waiting client should be left to another worker, which has fewer connections."""
        if self._numbers is None:
            return False
        others = self._numbers[1 : self._numbers[0] + 1].tolist()
        others[self._own - 1] = 0
        least = min(filter(None, others), default=0) - 1
        if least < 0 or self._connections - least <= TOLERATED + self._connections * TOLERATED_PART:
            return False
        self._looks = self._looks + 1 if least == self._least else 1
        self._least = least
        return self._looks <= MOST_LOOKS


class Scoreboard:
    """The numbers of all workers. The first is the highest index in use; the others have the numbers of the workers.

    Such a number is 1 more than the connections of the worker, and 0 if it does not accept, or does not exist.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """Take the descriptor of memory that another process has made. None: make some."""
        self.descriptor = os.memfd_create("wsgateway-scoreboard") if descriptor is None else descriptor
        """what another process is given, until `close`"""
        if descriptor is None:
            os.ftruncate(self.descriptor, _NUMBERS * _NUMBER_BYTES)
        self._numbers = memoryview(mmap.mmap(self.descriptor, _NUMBERS * _NUMBER_BYTES)).cast("q")

    def close(self) -> None:
        """Close the descriptor. The memory can still be used."""
        os.close(self.descriptor)

    def entry(self, worker: int) -> ScoreboardEntry:
        """Return the entry of a worker, given its number from 1. One with a very high number counts for itself."""
        return ScoreboardEntry(self._numbers, worker) if worker < _NUMBERS else ScoreboardEntry()

    def add(self, worker: int) -> None:
        """Add a worker before its process begins."""
        if worker < _NUMBERS:
            self._numbers[0] = max(self._numbers[0], worker)

    def remove(self, worker: int) -> None:
        """Remove the number of a worker whose process has ended."""
        if worker < _NUMBERS:
            self._numbers[worker] = 0
