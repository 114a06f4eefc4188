"""The owner of all connections that have no task: openings that the relay's loop drives, and sessions.

A connection must not be forgotten when the gateway ends. One task waits as long as there are any, so that a drain waits
for them; when it is cancelled, all are cut.
"""

from collections.abc import Iterator
from typing import Protocol

import trio


class Owned(Protocol):
    """A connection that has no task."""

    def cut(self) -> None:
        """Close all of its sockets at once, and write its line in the log. The owner has forgotten it already."""


class Owner:
    """The owner of the connections of a process."""

    def __init__(self) -> None:
        self.tasks: trio.Nursery
        """where tasks for connections are started; set by `begin`"""
        self._owned: dict[Owned, None] = {}
        self._waits = False
        self._draining = False
        self._changed = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._owned)

    def __iter__(self) -> Iterator[Owned]:
        return iter(self._owned)

    def begin(self, tasks: trio.Nursery) -> None:
        """Begin to own connections, as long as a nursery runs; call this before the first connection."""
        self.tasks = tasks
        self._start()

    def _start(self) -> None:
        self._waits = True
        self.tasks.start_soon(self._wait)

    def add(self, owned: Owned) -> None:
        """Own a connection, until `remove`."""
        self._owned[owned] = None
        if not self._waits:  # a task has opened a session while the gateway drains
            self._start()

    def remove(self, owned: Owned) -> None:
        """Own a connection no longer: it is closed, or a task has it."""
        self._owned.pop(owned, None)
        if self._draining and not self._owned:
            self._changed.unpark_all()

    def drain(self) -> None:
        """Wait only for the connections that there are."""
        self._draining = True
        self._changed.unpark_all()

    async def _wait(self) -> None:
        try:
            while self._owned or not self._draining:
                await self._changed.park()
        finally:
            self._waits = False
            for owned in list(self._owned):
                self._owned.pop(owned, None)
                owned.cut()
