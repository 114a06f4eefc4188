"""Deadlines for many connections, without a cancel scope and a task for each.

Most deadlines pass unused: a handshake takes milliseconds, and may take seconds. So an alarm that is set later, or
stopped, stays where it is in the heap, and is looked at when its first time has come. Stopped ones leave it together,
as soon as there are many.
"""

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import NoReturn

import trio

# So many stopped alarms may always wait for their time. More may only be this part of the heap, in which each of them
# stands once or twice: looking at all of it then costs a few steps for each.
MOST_STOPPED = 64
PART = 4


class Alarm:
    """A call at a time that may change."""

    __slots__ = ("_alarms", "_deadline", "_queued", "call")

    def __init__(self, alarms: "Alarms", call: Callable[[], None]) -> None:
        """Take what to call, which must not raise; no time is set."""
        self._alarms = alarms
        self._deadline = math.inf
        self._queued = math.inf  # the time at which it stands in the heap
        self.call: Callable[[], None] | None = call

    @property
    def deadline(self) -> float:
        """The time of the call, by Trio's clock; infinity: none."""
        return self._deadline

    @deadline.setter
    def deadline(self, when: float) -> None:
        self._deadline = when
        if when < self._queued:
            self._queued = when
            self._alarms.queue(when, self)

    def stop(self) -> None:
        """Call nothing any more."""
        self._deadline, self.call = math.inf, None
        if self._queued < math.inf:
            self._alarms.note_stopped()

    def due(self, queued: float, now: float) -> None:
        """Call if it is time; queue the alarm again if its time is later."""
        if queued != self._queued:
            return  # it stands in the heap a second time, at an earlier time
        self._queued = math.inf
        if self._deadline > now:
            if self._deadline < math.inf:
                self.deadline = self._deadline
        elif self.call is not None:
            self._deadline = math.inf
            self.call()


class Alarms:
    """All alarms of a process."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._numbers = count()  # alarms of the same time are not compared
        self._stopped = 0  # how many in the heap were stopped, at the most
        self._scope = trio.CancelScope()

    def queue(self, when: float, alarm: Alarm) -> None:
        """Look at an alarm at a time."""
        heapq.heappush(self._heap, (when, next(self._numbers), alarm))
        if when < self._scope.deadline:
            self._scope.deadline = when

    def note_stopped(self) -> None:
        """Note that an alarm in the heap was stopped. Forget all of these if they are a large part of the heap."""
        self._stopped += 1
        if self._stopped > MOST_STOPPED and PART * self._stopped > len(self._heap):
            self._heap = [each for each in self._heap if each[2].call is not None]
            heapq.heapify(self._heap)
            self._stopped = 0

    async def run(self) -> NoReturn:
        """Call whatever is due, until this is cancelled."""
        while True:
            with trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf) as self._scope:
                await trio.sleep_forever()
            now = trio.current_time()
            while self._heap and self._heap[0][0] <= now:
                queued, _, alarm = heapq.heappop(self._heap)
                alarm.due(queued, now)
