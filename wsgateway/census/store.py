"""The file of a census: SQLite with a write-ahead log, so that programs can read it while the gateway writes.

One process writes it, which `FILE.lock` sees to. A file that is broken is set aside under another name. Everything here
waits for the disk: it is for a thread, or for a command.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import get_annotations
from typing import Any
from urllib.parse import quote

from wsgateway.census.state import Batch, Period, Row, Run, State
from wsgateway.errors import CensusError
from wsgateway.observe.shape import ShapeError, shaped

# "wsgc" in ASCII: by this a file shows that it is a census (PRAGMA application_id).
_APPLICATION = 0x77736763
_VERSION = 1
_MAGIC = b"SQLite format 3\0"
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ("", "-wal", "-shm")
# For a program that reads the file to finish, in milliseconds.
_BUSY_MILLISECONDS = 2000
_TYPES: dict[Any, str] = {
    str: "TEXT NOT NULL",
    int: "INTEGER NOT NULL DEFAULT 0",
    dict[str, int]: "TEXT NOT NULL DEFAULT '{}'",
}


@dataclass(frozen=True)
class _Table:
    """A table of the file: its name, the class of its lines, and the columns that tell them apart."""

    name: str
    kind: type
    primary: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns, with their types in SQL."""
        return {name: _TYPES.get(kind, "REAL") for name, kind in get_annotations(self.kind).items()}


ROWS = _Table("rows", Row, ("dialect", "dimension", "value"))
DAYS = _Table("days", Period, ("number", "dialect"))
MINUTES = _Table("minutes", Period, ("number", "dialect"))
RUNS = _Table("runs", Run, ("began",))
TABLES = (ROWS, DAYS, MINUTES, RUNS)


class Store:
    """The file of a census, for the one who writes it."""

    def __init__(self, path: str) -> None:
        """Take the name of the file. Nothing is opened before `open`."""
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._lock = -1

    def open(self) -> State:
        """Open the file, or make it, and return what it holds.

        Raise CensusError if that is not possible, with `broken` set for a file that should be set aside.
        """
        try:
            self._take_lock()
            connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            try:
                state = _opened(connection)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError, ValueError, TypeError, CensusError) as error:
            self.close()
            raise _reason(error, self.path) from None
        self._connection, self._inode = connection, _inode(self.path)
        return state

    def is_gone(self) -> bool:
        """Return whether somebody has removed the file, or put another one in its place."""
        return _inode(self.path) != self._inode

    def _take_lock(self) -> None:
        self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CensusError("another gateway writes it; give each a file of its own") from None

    def write(self, batch: Batch) -> None:
        """Write what has changed, all or nothing. Raise CensusError as `open` does."""
        connection = self._connection
        assert connection is not None, "it is open"
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _write(connection, batch)
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk may have done it already
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _reason(error, self.path) from None

    def set_aside(self) -> str:
        """Close the file, and give it another name, which is returned. Raise OSError."""
        self._disconnect()
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        names = (f"{self.path}.broken-{stamp}{more}" for more in ("", *(f"-{number}" for number in range(2, 1000))))
        name = next(each for each in names if not os.path.lexists(each))
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{end}", f"{name}{end}")
        self.close()
        return name

    def close(self) -> None:
        """Close the file, and let others write it."""
        self._disconnect()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def read(path: str) -> State:
    """Return what a file holds, without a change to it, also while a gateway writes it. Raise CensusError."""
    # Where nobody has it open there is no log, and the directory may be one in which none can be made.
    mode = "mode=ro" if os.path.exists(f"{path}-wal") else "immutable=1"
    try:
        with open(path, "rb") as file:  # its error is more exact than that of SQLite
            begin = file.read(len(_MAGIC))
        if begin and begin != _MAGIC:
            raise CensusError("it is no census")
        with closing(sqlite3.connect(f"file:{quote(os.path.abspath(path))}?{mode}", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
            _check_kind(connection)
            return _state(connection)
    except (sqlite3.Error, OSError, ValueError, TypeError, CensusError) as error:
        raise _reason(error, path) from None


def is_census(path: str) -> bool:
    """Return whether a file looks like one of these, and not like a configuration. Raise OSError."""
    with open(path, "rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


# -- how -----------------------------------------------------------------------------------------------------------


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _reason(error: Exception, path: str) -> CensusError:
    if isinstance(error, CensusError):
        return CensusError(f"{path}: {error}", broken=error.broken)
    if isinstance(error, OSError):
        return CensusError(f"{path}: {error.strerror or error}")
    # Others are about the disk, or about those who use the file.
    broken = isinstance(error, ValueError | TypeError) or (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _BROKEN
    return CensusError(f"{path}: {error}", broken=broken)


def _opened(connection: sqlite3.Connection) -> State:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    [(first,)] = connection.execute("PRAGMA quick_check(1)")
    if first != "ok":
        raise CensusError(str(first).splitlines()[-1], broken=True)
    _check_kind(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    for table in TABLES:
        columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
        primary = ", ".join(table.primary)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}, PRIMARY KEY ({primary}))")
        for name in table.columns.keys() - _columns(connection, table):  # a file of an older version
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {name} {table.columns[name]}")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    return _state(connection)


def _check_kind(connection: sqlite3.Connection) -> None:
    """Raise CensusError for a file of another program or of a later format; an empty one will do."""
    [(application,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if tables and application != _APPLICATION:
        raise CensusError("it is a database of another program")
    if version > _VERSION:
        raise CensusError(f"it has the format {version} of a newer wsgateway; known is {_VERSION}")


def _columns(connection: sqlite3.Connection, table: _Table) -> set[str]:
    return {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table.name})")}


def _state(connection: sqlite3.Connection) -> State:
    connection.execute("BEGIN")  # all tables as of one time
    try:
        tables = {table.name: list(_lines(connection, table)) for table in TABLES}
    finally:
        connection.execute("ROLLBACK")
    return State(**tables)


def _lines(connection: sqlite3.Connection, table: _Table) -> Iterator[Any]:
    """Yield the lines of a table, in the order of their keys."""
    names = [name for name in table.columns if name in _columns(connection, table)]
    if not names:
        return
    for values in connection.execute(
        f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {', '.join(table.primary)}"
    ):
        line = dict(zip(names, values, strict=True))
        if "refused" in line and isinstance(line["refused"], str):
            line["refused"] = json.loads(line["refused"])
        try:
            yield shaped(table.kind, line)  # SQLite keeps anything in any column
        except ShapeError as error:
            raise ValueError(f"table {table.name}: {error}") from None


def _write(connection: sqlite3.Connection, batch: Batch) -> None:
    if batch.whole:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table.name}")
    connection.execute("DELETE FROM minutes WHERE number < ?", (batch.oldest_minute,))
    state = batch.state
    for table, lines in ((ROWS, state.rows), (DAYS, state.days), (MINUTES, state.minutes), (RUNS, state.runs)):
        _insert(connection, table, lines)


def _insert(connection: sqlite3.Connection, table: _Table, lines: Iterable[Any]) -> None:
    names = list(table.columns)
    others = [name for name in names if name not in table.primary]
    marks = ", ".join("?" * len(names))
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    values = ([_written(getattr(line, name)) for name in names] for line in lines)
    connection.executemany(
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
        f" ON CONFLICT ({', '.join(table.primary)}) DO UPDATE SET {changes}",
        values,
    )


def _written(value: object) -> object:
    return json.dumps(value) if isinstance(value, dict) else value
