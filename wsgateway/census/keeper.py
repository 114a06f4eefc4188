"""The census of a running gateway, in its supervisor: takes what the workers count, off its loop.

What is to be counted waits in a list. Every FLUSH_SECONDS a thread adds it to the book, and another one writes what has
changed to the file. If the file cannot be written the census goes on in memory, and all is written when it can be.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NoReturn

import trio

from wsgateway.census.book import Book
from wsgateway.census.chart import Chart, charts
from wsgateway.census.clock import CensusClock, Now
from wsgateway.census.file import BookEvent, CensusFile, FileState
from wsgateway.census.handover import HandedOver, Successor, unpacked
from wsgateway.census.place import place
from wsgateway.census.state import DAY, UNKNOWN, WHOLE, Batch, State
from wsgateway.census.tally import Counts
from wsgateway.dialects import DIALECTS
from wsgateway.errors import Reason
from wsgateway.observe.log import Log
from wsgateway.observe.status import CensusStatus, DialectCensus
from wsgateway.settings.process import Census as Settings

# How often what has been counted is added and written. Workers send every few seconds, too.
FLUSH_SECONDS = 3.0
# For the last write, when the gateway ends: a disk that hangs must not keep it.
CLOSE_SECONDS = 5.0


class Census:
    """The census of a gateway."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        now: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take two clocks, as `CensusClock` does."""
        self._settings = settings
        self._log = log
        self._clock = CensusClock(now, steady)
        self._book = Book()
        self._events: list[BookEvent] = []
        self._forgot = 0.0
        self._runs = False
        self._successor: Successor | None = None
        self._file = CensusFile(place(settings.file))
        self._writing, self._adding = trio.Lock(), trio.Lock()
        self._status = self._make_status(now())

    def count(self, source: str, counts: Iterable[Counts]) -> None:
        """Add what a process has counted; the source is a name for it."""
        if self._successor is not None:
            self._successor.count(source, counts)
            return
        self._events.append(lambda book, now: book.count(source, counts, now))

    def lose(self, source: str) -> None:
        """Note that a process has ended: it has no sessions any more."""
        if self._successor is not None:
            self._successor.lose(source)
            return
        self._events.append(lambda book, _: book.lose(source))

    def summary(self) -> CensusStatus:
        """Return what is known of each dialect, as it was a few seconds ago."""
        return self._status

    async def run(self) -> NoReturn:
        """Keep the census until this is cancelled."""
        self._runs = True
        async with trio.open_nursery() as nursery:
            while True:
                if self._writing.locked():  # the disk is slow
                    await self._unharmed(partial(self._add, take=False))
                else:
                    nursery.start_soon(self._unharmed, self.flush)
                await trio.sleep(FLUSH_SECONDS)
        raise AssertionError("it does not end")

    async def _unharmed(self, do: Callable[[], Awaitable[object]]) -> None:
        """Do something of which a bug is logged: what the census does must end no gateway."""
        try:
            await do()
        except Exception:  # noqa: BLE001  a bug of the census ends no gateway, and is logged
            self._log.exception("bug", reason=Reason.BUG.value)

    async def flush(self) -> None:
        """Add what has been counted, and write what has changed."""
        if self._successor is None:
            await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            batch = await self._add()
            if self._file.path is not None:
                before = self._file.state
                await trio.to_thread.run_sync(self._file.write, batch, abandon_on_cancel=True)
                self._tell(before, self._file.state)

    def _tell(self, before: FileState, after: FileState) -> None:
        """Log what has changed about the file."""
        path = self._file.path
        if after.set_aside != before.set_aside:
            self._log.error("census set aside", file=path, to=after.set_aside, why=after.why_set_aside)
        if after.is_open and not before.is_open:
            self._log.info("census opened", file=path)
        if after.problem and not before.problem:
            self._log.warning("census not written", file=path, why=after.problem)
        elif before.problem and not after.problem:
            self._log.info("census written again", file=path)

    async def charts(self) -> dict[str, Chart]:
        """Return how many sessions were open in the last hour, day and 90 days."""
        async with self._adding:
            return await trio.to_thread.run_sync(charts, self._book, self._clock.latest)

    async def close(self) -> None:
        """Write all, and close the file; do nothing if the census has not been run."""
        if not self._runs:
            return
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            if self._successor is None:
                await self._unharmed(self._close_file)
            else:
                await self._successor.close()

    async def _close_file(self) -> None:
        for _ in range(2):  # the first time the file may have been opened
            await self._unharmed(self._flush)
        async with self._writing:
            await trio.to_thread.run_sync(self._file.close, abandon_on_cancel=True)

    async def hand_over(self, successor: Successor) -> bytes:
        """Give all that is counted from now on to another process, and close the file.

        Return what was counted until now, for `take_over`.
        """
        self._successor = successor
        with trio.move_on_after(CLOSE_SECONDS):
            await self._unharmed(self._close_file)
        await self._unharmed(self._add)  # what was in the file, if it was opened only now
        async with self._adding:
            given = HandedOver(self._file.path, self._file.is_known, self._book.state(), self._book.opened())
            return await trio.to_thread.run_sync(given.packed)

    def take_over(self, packed: bytes) -> list[str]:
        """Go on with the census of another process, before this one runs. Return the names of its sources.

        Raise ValueError for one that cannot be read. Of a census in another file only the open sessions are taken.
        """
        given = unpacked(packed)
        if given.file in (None, self._file.path):
            self._events.append(lambda book, _: book.absorb(given.state))
            self._file.is_known = given.file is not None and given.has_file
        for source, opened in given.opened.items():
            self._events.append(partial(_take_opened, source, opened))
        return list(given.opened)

    async def _add(self, take: bool = True) -> Batch:
        """Add what has been counted. Return what has changed; if that is not to be taken, nothing."""
        async with self._adding:
            events, self._events = self._events, []
            now = self._clock.now()
            self._status = await trio.to_thread.run_sync(self._carry_out, events, now)
            return self._book.take_changes() if take else Batch(State(), False, 0)

    def _carry_out(self, events: list[BookEvent], now: Now) -> CensusStatus:
        book = self._book
        if now.back:
            book.bring_back(now.time)
        for event in [*self._file.take_events(), *events]:
            event(book, now.time)
        book.pass_time(now.time)
        if now.settled and self._forgot < now.time // DAY:
            self._forgot = now.time // DAY
            book.forget(now.time - self._settings.keep_seconds)
        self._clock.latest = max(self._clock.latest, book.latest)
        return self._make_status(now.time)

    def _make_status(self, now: float) -> CensusStatus:
        book = self._book
        dialects: dict[str, DialectCensus] = {
            name: {"open": 0, "sessions": 0, "first_seen": None, "last_seen": None, "refused": {}}
            for name in (*DIALECTS, UNKNOWN)
        }
        for row in book.rows.values():
            if row.dimension == WHOLE:
                dialects[row.dialect] = {
                    "open": row.open,
                    "sessions": row.sessions,
                    "first_seen": row.first_seen,
                    "last_seen": now if row.open else row.last_seen,
                    "refused": dict(row.refused),
                }
        return {
            "file": self._file.path,
            "problem": self._file.state.problem,
            "since": book.runs[0].began if book.runs else now,
            "dialects": dialects,
        }


def _take_opened(source: str, opened: list[tuple[str, str, str, int]], book: Book, _: float) -> None:
    book.opened_elsewhere(source, opened)
