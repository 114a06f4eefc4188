"""The file of a census: what is written is read again, by another program too, and what cannot be used is refused."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from wsgateway.census.book import Book
from wsgateway.census.state import DAY, Batch, Period, Row, Run, State
from wsgateway.census.store import Store, is_census, read
from wsgateway.errors import CensusError

from .counting import DIALECT, NOON, counts


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "census.sqlite")


def some() -> Book:
    """Return a census with something of everything."""
    book = Book()
    book.count("1", [counts(sessions=2, open=1, through=[1, 2, 30, 40], oddities=("raw-target",))], NOON)
    book.count("1", [counts(refused={"origin-refused": 2})], NOON + DAY)
    book.pass_time(NOON)
    book.pass_time(NOON + DAY)
    return book


def told(state: State) -> State:
    """Return what is in a state in the order of a file."""
    return State(
        sorted(state.rows, key=lambda row: row.key),
        sorted(state.days, key=lambda day: day.key),
        sorted(state.minutes, key=lambda minute: minute.key),
        state.runs,
    )


def opened(path: str) -> Store:
    store = Store(path)
    store.open()
    return store


def reopened(path: str) -> State:
    """Return what the next gateway finds."""
    store = Store(path)
    try:
        return store.open()
    finally:
        store.close()


def test_what_is_written_is_read_again(path: str) -> None:
    book, store = some(), opened(path)
    store.write(book.take_changes())
    assert read(path) == told(book.state())  # while it is open
    store.close()
    assert read(path) == told(book.state())
    assert reopened(path) == told(book.state())


def test_what_has_changed_replaces_what_was_there(path: str) -> None:
    book, store = some(), opened(path)
    store.write(book.take_changes())
    book.count("1", [counts(open=-1, through=[1, 0, 5, 0])], NOON + DAY + 60)
    book.pass_time(NOON + DAY + 60)
    batch = book.take_changes()
    assert not batch.whole
    store.write(batch)
    store.close()
    assert read(path) == told(book.state())


def test_what_is_forgotten_is_deleted(path: str) -> None:
    book, store = some(), opened(path)
    store.write(book.take_changes())
    book.lose("1")
    book.forget(NOON + 3 * DAY)
    book.pass_time(NOON + 3 * DAY)
    store.write(book.take_changes())
    store.close()
    assert read(path) == State(runs=[Run(NOON + 3 * DAY, NOON + 3 * DAY)])


def test_a_census_is_read_where_nothing_can_be_written(path: str, tmp_path: Path) -> None:
    book, store = some(), opened(path)
    store.write(book.take_changes())
    store.close()
    before = sorted(os.listdir(tmp_path))
    tmp_path.chmod(0o500)
    try:
        assert read(path) == told(book.state())
    finally:
        tmp_path.chmod(0o700)
    assert sorted(os.listdir(tmp_path)) == before


def test_two_gateways_cannot_write_one_file(path: str) -> None:
    first = opened(path)
    with pytest.raises(CensusError, match=r"census\.sqlite: another gateway writes it; give each a file of its own$"):
        Store(path).open()
    first.close()
    opened(path).close()


def test_what_a_killed_process_has_written_is_there(path: str) -> None:
    code = (
        "import os, signal, sys; from tests.census.test_store import opened, some\n"
        "store = opened(sys.argv[1]); store.write(some().take_changes()); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert read(path) == told(some().state())
    assert reopened(path) == told(some().state())


@pytest.mark.parametrize("content", [b"version: 1\n", b"SQLite format 3\0" + bytes(84) + b"x" * 8192])
def test_a_file_that_is_no_census_is_broken_and_can_be_set_aside(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(CensusError) as caught:
        Store(path).open()
    assert caught.value.broken
    assert path in str(caught.value)
    names = {Store(path).set_aside()}
    assert not Path(path).exists()
    Path(path).write_bytes(content)
    names.add(Store(path).set_aside())  # in the same second
    assert [Path(name).read_bytes() for name in names] == [content, content]


def test_a_damaged_page_is_noticed(path: str) -> None:
    store = opened(path)
    store.write(some().take_changes())
    store.close()
    content = bytearray(Path(path).read_bytes())
    content[4096 * 1 : 4096 * 2] = b"\xff" * 4096
    Path(path).write_bytes(content)
    with pytest.raises(CensusError) as caught:
        Store(path).open()
    assert caught.value.broken


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE rows SET sessions = 'many'", "table rows: sessions: 'many' is not a whole number"),
        ("UPDATE rows SET first_seen = 'noon'", "table rows: first_seen: 'noon' is not a number"),
        ("""UPDATE rows SET refused = '{"origin-refused": "many"}'""", "table rows: refused.origin-refused: 'many' is"),
        ("UPDATE runs SET ended = NULL", "table runs: ended: None is not a number"),
        ("UPDATE days SET most_open = 0.5", "table days: most_open: 0.5 is not a whole number"),
    ],
)
def test_a_value_that_no_census_has_makes_a_file_broken(path: str, change: str, why: str) -> None:
    store = opened(path)
    store.write(some().take_changes())
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(CensusError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {why}")
    with pytest.raises(CensusError) as caught:
        opened(path)
    assert caught.value.broken


def test_the_database_of_another_program_is_left_alone(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    before = Path(path).read_bytes()
    for use in (Store(path).open, lambda: read(path)):
        with pytest.raises(CensusError, match=r"it is a database of another program$") as caught:
            use()
        assert not caught.value.broken
    assert Path(path).read_bytes() == before


def test_a_file_of_a_newer_version_is_left_alone(path: str) -> None:
    opened(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    for use in (Store(path).open, lambda: read(path)):
        with pytest.raises(CensusError, match=r"it has the format 2 of a newer wsgateway; known is 1$"):
            use()


def test_a_file_with_fewer_columns_is_read_and_gets_the_others(path: str) -> None:
    store = opened(path)
    store.write(some().take_changes())
    store.close()
    with sqlite3.connect(path) as connection:
        for name in ("refused", "last_refused", "bytes_out"):
            connection.execute(f"ALTER TABLE rows DROP COLUMN {name}")
    connection.close()
    known = [row for row in read(path).rows if row.dimension == "route"]
    assert known == [Row(DIALECT, "route", "chat", 1, 2, NOON, NOON + DAY, 1, 2, 30, 0, {}, None)]
    store = Store(path)
    store.write(Batch(State(rows=store.open().rows), True, 0))
    store.close()
    assert [row for row in read(path).rows if row.dimension == "route"] == known


def test_a_file_that_is_removed_is_noticed(path: str) -> None:
    store = opened(path)
    assert not store.is_gone()
    os.unlink(path)
    assert store.is_gone()
    Path(path).touch()
    assert store.is_gone()
    store.close()


@pytest.mark.parametrize("name", ["missing.sqlite", "no/directory.sqlite"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CensusError, match=rf"{name}: No such file or directory$"):
        read(str(tmp_path / name))


def test_a_file_in_a_directory_that_is_not_there_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(CensusError, match=r"no/a\.sqlite: No such file or directory$") as caught:
        Store(str(tmp_path / "no" / "a.sqlite")).open()
    assert not caught.value.broken


def test_an_empty_file_becomes_a_census(path: str) -> None:
    Path(path).touch()
    assert read(path) == State()
    assert not is_census(path)
    store = Store(path)
    assert store.open() == State()
    store.write(Batch(State(minutes=[Period(5, DIALECT)]), False, 6))
    store.close()
    assert is_census(path)


def test_old_minutes_are_deleted(path: str) -> None:
    store = opened(path)
    store.write(Batch(State(minutes=[Period(5, DIALECT), Period(6, DIALECT)]), False, 0))
    store.write(Batch(State(minutes=[Period(7, DIALECT)]), False, 6))
    store.close()
    assert read(path).minutes == [Period(6, DIALECT), Period(7, DIALECT)]
