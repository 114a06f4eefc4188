"""The signals that stop a process: the first one drains it, and a second one ends it at once."""

import signal
from collections.abc import AsyncIterator
from typing import Self

import trio

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# timeout(1) and others send a signal to the program and then, within milliseconds, to its whole process group.
SAME_SECONDS = 0.5


class ReceivedSignals:
    """Yield signals as a receiver of Trio yields them, but a stop signal that is sent twice only once.

    The first stop signal is left out if it comes again within SAME_SECONDS; the other stop signal is not.
    """

    def __init__(self, signals: AsyncIterator[int]) -> None:
        self._signals = signals
        self._first: int | None = None
        self._same_until = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> signal.Signals:
        while self._came_twice(number := await anext(self._signals)):
            continue
        return signal.Signals(number)

    def _came_twice(self, number: int) -> bool:
        now = trio.current_time()
        if self._first is None and number in STOP_SIGNALS:
            self._first, self._same_until = number, now + SAME_SECONDS
            return False
        return number == self._first and now < self._same_until
