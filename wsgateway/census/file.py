"""The file of a census that may be missing, full or broken: the census goes on without it, and writes all when it can.

All of this waits for the disk, and is for a thread.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from wsgateway.census.book import Book
from wsgateway.census.state import Batch
from wsgateway.errors import CensusError

if TYPE_CHECKING:
    from wsgateway.census.store import Store

BookEvent = Callable[[Book, float], object]
"""a change of the book, which gets the book and the time of the change"""


@dataclass(frozen=True, slots=True)
class FileState:
    """The state of the file: whether it is open, and what is wrong with it."""

    is_open: bool = False
    """whether it has been opened"""
    problem: str | None = None
    """why it is not written"""
    set_aside: str = ""
    """the name that a broken file was given last"""
    why_set_aside: str = ""


class CensusFile:
    """The file of a census, or none."""

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.state = FileState()
        self.is_known = False
        """whether the book has all that is in the file, or gets it by `take_events`"""
        self._store: Store | None = None
        self._events: deque[BookEvent] = deque()
        self._turn = Lock()  # a thread that nobody waits for any more may still write

    def take_events(self) -> list[BookEvent]:
        """Return what is to be done with the book before the next `write`."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def write(self, batch: Batch) -> None:
        """Open the file if that is not done, or write what has changed. What could not be written comes again."""
        with self._turn:
            try:
                written = not self._events and self._write(batch)
            except CensusError as error:
                self._fail(error)
                written = False
            if not written:
                self._events.append(lambda book, _: book.write_again(batch))

    def _write(self, batch: Batch) -> bool:
        if self._store is not None and self._store.is_gone():
            self._close()
        if self._store is None:
            self._open()
            return False
        self._store.write(batch)
        self.state = replace(self.state, problem=None)
        return True

    def close(self) -> None:
        """Close the file, so that another process may write it."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _open(self) -> None:
        assert self.path is not None, "there is a file"
        store = _store(self.path)
        try:
            state = store.open()
        except CensusError as error:
            if error.broken:
                self._store = store  # which sets the file aside
            raise
        self._store = store
        self.state = replace(self.state, is_open=True, problem=None)
        if self.is_known:
            self._events.append(lambda book, _: book.write_all())
        else:
            self._events.append(lambda book, _: book.absorb(state))
        self.is_known = True

    def _fail(self, error: CensusError) -> None:
        problem: str | None = str(error)
        store = self._store
        if error.broken and store is not None:
            self._store = None
            try:
                name = store.set_aside()
            except OSError as fault:
                problem = f"{error}; it cannot be set aside: {fault.strerror}"
                store.close()
            else:
                problem = None
                self.state = replace(self.state, set_aside=name, why_set_aside=str(error))
                self._events.append(lambda book, _: book.write_all())
        self.state = replace(self.state, problem=problem)


def _store(path: str) -> "Store":
    try:
        from wsgateway.census.store import Store  # large, and not needed without a file
    except ImportError as error:
        raise CensusError(f"{path}: this Python has no SQLite: {error}") from None
    return Store(path)
