"""The census of a running gateway, in its supervisor: takes what the workers count, off its loop.

count, lose  ->  a list  ->  every FLUSH_SECONDS: a thread adds it to the book  ->  a thread writes what has changed
"""

import time
from collections.abc import Callable, Iterable
from typing import NoReturn

import trio

from wsgateway.census.book import DAY, UNKNOWN, WHOLE, Book
from wsgateway.census.chart import Chart, charts
from wsgateway.census.clock import CensusClock, Now
from wsgateway.census.tally import Counts
from wsgateway.dialects import DIALECTS
from wsgateway.observe.status import CensusStatus, DialectCensus

# How often what has been counted is added and written. Workers send every few seconds, too.
FLUSH_SECONDS = 3.0

_Event = Callable[[Book, float], None]


class Census:
    """The census of a gateway."""

    def __init__(
        self,
        keep_seconds: float,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how long what is over is kept, and two clocks as `CensusClock` does."""
        self._keep_seconds = keep_seconds
        self._clock = CensusClock(now, steady)
        self._book = Book()
        self._busy = trio.Lock()  # one thread at a time has the book
        self._events: list[_Event] = []
        self._forgot = 0.0
        self._status = _status(self._book, now())

    def count(self, source: str, counts: Iterable[Counts]) -> None:
        """Add what a process has counted; the source is a name for it."""
        self._events.append(lambda book, now: book.count(source, counts, now))

    def lose(self, source: str) -> None:
        """Note that a process has ended: it has no sessions any more."""
        self._events.append(lambda book, _: book.lose(source))

    def summary(self) -> CensusStatus:
        """Return what is known of each dialect, as it was a few seconds ago."""
        return self._status

    async def run(self) -> NoReturn:
        """Keep the census until this is cancelled."""
        while True:
            await self.flush()
            await trio.sleep(FLUSH_SECONDS)

    async def flush(self) -> None:
        """Add what has been counted."""
        async with self._busy:
            events, self._events = self._events, []
            self._status = await trio.to_thread.run_sync(self._add, events, self._clock.now())

    async def charts(self) -> dict[str, Chart]:
        """Return how many sessions were open in the last hour, day and 90 days."""
        async with self._busy:
            return await trio.to_thread.run_sync(charts, self._book, self._clock.latest)

    def _add(self, events: list[_Event], now: Now) -> CensusStatus:
        book = self._book
        if now.back:
            book.bring_back(now.time)
        for event in events:
            event(book, now.time)
        book.pass_time(now.time)
        if now.settled and self._forgot < now.time // DAY:
            self._forgot = now.time // DAY
            book.forget(now.time - self._keep_seconds)
        return _status(book, now.time)


def _status(book: Book, now: float) -> CensusStatus:
    found = {row.dialect: row for row in book.rows.values() if row.dimension == WHOLE}
    dialects: dict[str, DialectCensus] = {
        name: {"open": 0, "sessions": 0, "first_seen": None, "last_seen": None, "refused": {}}
        for name in (*DIALECTS, UNKNOWN)
    }
    for name, row in found.items():
        dialects[name] = {
            "open": row.open,
            "sessions": row.sessions,
            "first_seen": row.first_seen,
            "last_seen": now if row.open else row.last_seen,
            "refused": dict(row.refused),
        }
    return {"since": book.runs[0].began if book.runs else now, "dialects": dialects}
