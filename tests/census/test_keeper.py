"""The census of a running gateway: what is counted comes into the status and the file, whatever happens to the file."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.support import Lines
from wsgateway.census.clock import DOUBT_SECONDS, SETTLED_SECONDS
from wsgateway.census.keeper import Census
from wsgateway.census.state import DAY, UNKNOWN, Run, State
from wsgateway.census.store import read
from wsgateway.dialects import DIALECTS
from wsgateway.settings.process import Census as Settings

from .counting import DIALECT, NOON, YEAR, Clocks, counts

KEEP = 400 * DAY


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "census.sqlite")


def make(path: str | None, clocks: Clocks | None = None, lines: Lines | None = None, keep: float = KEEP) -> Census:
    clocks = clocks or Clocks()
    census = Census(Settings(path, keep), (lines or Lines()).log(), lambda: clocks.wall, lambda: clocks.steady)
    census._runs = True
    return census


def damage(path: str) -> None:
    """Write nonsense into a file that is open, and into its log."""
    for end, byte in (("", b"\xff"), ("-wal", b"\xff"), ("-shm", b"\0")):
        file = Path(f"{path}{end}")
        with file.open("r+b") as stream:
            stream.write(byte * file.stat().st_size)


async def flush(census: Census) -> None:
    """Have all written, also if the file is to be opened first."""
    await census.flush()
    await census.flush()


def of(state: State, dimension: str = "dialect", dialect: str = DIALECT) -> dict[str, Any]:
    [row] = [row for row in state.rows if row.dimension == dimension and row.dialect == dialect]
    return {"open": row.open, "sessions": row.sessions, "first_seen": row.first_seen, "last_seen": row.last_seen}


async def test_every_dialect_is_in_the_summary_from_the_start(path: str) -> None:
    summary = make(path).summary()
    assert list(summary["dialects"]) == [*DIALECTS, UNKNOWN]
    nothing = {"open": 0, "sessions": 0, "first_seen": None, "last_seen": None, "refused": {}}
    assert all(each == nothing for each in summary["dialects"].values())
    assert (summary["file"], summary["problem"], summary["since"]) == (path, None, NOON)


async def test_without_a_file_all_is_in_memory() -> None:
    clocks = Clocks()
    census = make(None, clocks)
    census.count("1", [counts()])
    await census.flush()
    clocks.pass_(30)
    await census.flush()
    summary = census.summary()
    assert summary["file"] is None
    assert summary["dialects"][DIALECT] == {
        "open": 1,
        "sessions": 1,
        "first_seen": NOON,
        "last_seen": NOON + 30,
        "refused": {},
    }
    await census.close()


async def test_a_census_goes_on_after_a_restart(path: str) -> None:
    clocks = Clocks()
    for number in range(3):
        census = make(path, clocks)
        census.count("1", [counts()])
        await census.close()
        assert census.summary()["dialects"][DIALECT]["sessions"] == number + 1
        clocks.pass_(60)
    assert of(read(path)) == {"open": 1, "sessions": 3, "first_seen": NOON, "last_seen": NOON + 120}
    assert read(path).runs == [Run(NOON, NOON + 120)]


async def test_the_sessions_of_a_process_that_ended_are_taken_back(path: str) -> None:
    census = make(path)
    census.count("1", [counts()])
    await flush(census)
    assert of(read(path))["open"] == 1
    census.lose("1")
    await census.flush()
    assert of(read(path))["open"] == 0
    await census.close()


async def test_a_file_that_cannot_be_made_is_said_once_and_written_when_it_can_be(tmp_path: Path) -> None:
    lines = Lines()
    path = str(tmp_path / "later" / "census.sqlite")
    census = make(path, lines=lines)
    for _ in range(3):
        census.count("1", [counts()])
        await census.flush()
    [line] = lines.every("census not written")
    assert (line["file"], line["why"]) == (path, f"{path}: No such file or directory")
    assert census.summary()["problem"] == line["why"]
    assert census.summary()["dialects"][DIALECT]["sessions"] == 3
    (tmp_path / "later").mkdir()
    await flush(census)
    assert [line["event"] for line in lines.entries] == ["census not written", "census opened", "census written again"]
    assert census.summary()["problem"] is None
    assert of(read(path))["sessions"] == 3
    await census.close()


async def test_what_was_counted_before_the_file_could_be_read_is_added_to_it(path: str) -> None:
    first = make(path)
    first.count("1", [counts()])
    await flush(first)
    second = make(path)
    second.count("1", [counts()])
    await flush(second)  # the first one still has the file
    await first.close()
    await flush(second)
    await second.close()
    assert of(read(path))["sessions"] == 2


@pytest.fixture
def broken(path: str) -> str:
    Path(path).write_bytes(b"no census")
    return path


async def test_a_broken_file_is_set_aside_and_a_new_one_begun(broken: str) -> None:
    path, lines = broken, Lines()
    census = make(path, lines=lines)
    census.count("1", [counts()])
    await census.flush()
    await flush(census)
    [line] = lines.every("census set aside")
    assert (line["level"], line["file"]) == ("error", path)
    assert line["why"] == f"{path}: file is not a database"
    assert await trio.Path(line["to"]).read_bytes() == b"no census"
    assert of(read(path))["sessions"] == 1
    assert not lines.every("census not written")
    await census.close()


async def test_a_file_that_breaks_while_it_is_written_is_set_aside_and_all_is_written_anew(path: str) -> None:
    lines = Lines()
    census = make(path, lines=lines)
    census.count("1", [counts()])
    await flush(census)
    damage(path)
    for number in range(4):
        census.count("1", [counts(route=f"route {number}", sessions=1)])
        await census.flush()
    assert len(lines.every("census set aside")) == 1
    await census.close()
    assert of(read(path))["sessions"] == 5


async def test_a_file_that_is_removed_is_written_anew(path: str) -> None:
    census = make(path)
    census.count("1", [counts()])
    await flush(census)
    for end in ("", "-wal", "-shm"):
        os.unlink(f"{path}{end}")
    await flush(census)
    await census.close()
    assert of(read(path))["sessions"] == 1


async def test_a_full_disk_is_said_once_and_all_is_written_when_there_is_room(path: str) -> None:
    # A file that may have no more pages: SQLite says the same as on a disk without room.
    lines = Lines()
    census = make(path, lines=lines)
    census.count("1", [counts()])
    await flush(census)
    store = census._file._store
    assert store is not None
    assert store._connection is not None
    store._connection.execute("PRAGMA max_page_count = 1")
    for number in range(3000):
        census.count("1", [counts(route=f"route {number}", host=f"{number}.example", sessions=1)])
        if number % 1000 == 999:
            await census.flush()
    [line] = lines.every("census not written")
    assert line["why"] == f"{path}: database or disk is full"
    assert census.summary()["dialects"][DIALECT]["sessions"] == 3001
    store._connection.execute("PRAGMA max_page_count = 1000000")
    await census.flush()
    assert len(lines.every("census written again")) == 1
    assert of(read(path))["sessions"] == 3001
    await census.close()


async def test_a_clock_that_goes_back_a_year_and_on_again_leaves_the_times_sane(path: str) -> None:
    clocks = Clocks()
    census = make(path, clocks)
    census.count("1", [counts()])
    await flush(census)
    clocks.wall -= YEAR
    clocks.pass_(3600)
    census.count("1", [counts(route="new", sessions=1)])
    await flush(census)
    assert all((row.first_seen, row.last_seen) == (NOON, NOON) for row in read(path).rows)
    clocks.wall += YEAR
    await flush(census)
    state = read(path)
    assert of(state) == {"open": 1, "sessions": 2, "first_seen": NOON, "last_seen": NOON + 3600}
    assert [run for run in state.runs if run.ended < run.began] == []
    assert sum(day.sessions for day in state.days) == 2
    await census.close()


async def test_times_from_a_clock_that_was_a_year_ahead_are_brought_back(path: str) -> None:
    clocks = Clocks(wall=NOON + YEAR)
    census = make(path, clocks)
    census.count("1", [counts(sessions=1)])
    await flush(census)
    clocks.wall = NOON
    await flush(census)
    assert of(read(path))["last_seen"] == NOON + YEAR  # who is right?
    clocks.pass_(DOUBT_SECONDS)
    await flush(census)
    assert of(read(path)) == {
        "open": 0,
        "sessions": 1,
        "first_seen": NOON + DOUBT_SECONDS,
        "last_seen": NOON + DOUBT_SECONDS,
    }
    assert [(day.number, day.sessions) for day in read(path).days] == [((NOON + DOUBT_SECONDS) // DAY, 1)]
    await census.close()


async def test_what_is_older_than_it_is_kept_is_forgotten_when_the_clock_is_sure(path: str) -> None:
    clocks = Clocks()
    census = make(path, clocks, keep=30 * DAY)
    census.count("1", [counts(sessions=1)])
    await census.close()
    clocks.pass_(31 * DAY)
    census = make(path, clocks, keep=30 * DAY)
    await flush(census)
    assert of(read(path))["sessions"] == 1
    clocks.pass_(SETTLED_SECONDS)
    await flush(census)
    assert read(path).rows == []
    await census.close()


async def test_other_programs_read_the_file_while_it_is_written(path: str) -> None:
    census = make(path)
    census.count("1", [counts()])
    await flush(census)
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    reader.execute("BEGIN")
    [(before,)] = reader.execute("SELECT sessions FROM rows WHERE dimension = 'dialect'")
    census.count("1", [counts()])
    await census.flush()
    assert census.summary()["problem"] is None
    assert of(read(path))["sessions"] == before + 1
    reader.close()
    await census.close()


async def test_a_bug_of_the_census_is_logged_and_ends_no_gateway() -> None:
    lines = Lines()
    census = make(None, lines=lines)
    nothing: Any = {}
    census.count("1", [nothing])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(census.run)
        assert "KeyError" in (await lines.line("bug"))["exception"]
        nursery.cancel_scope.cancel()
    census.count("1", [counts()])
    await census.close()
    assert census.summary()["dialects"][DIALECT]["sessions"] == 1


async def test_a_bug_of_the_census_keeps_no_other_process_from_going_on_with_it(path: str) -> None:
    lines = Lines()
    nothing: Any = {}
    census, following = make(path, lines=lines), make(path)
    await flush(census)
    census.count("1", [counts()])
    await census.flush()
    census.count("1", [nothing])
    following.take_over(await census.hand_over(following))
    await flush(following)
    assert lines.every("bug")
    assert following.summary()["problem"] is None
    assert following.summary()["dialects"][DIALECT]["sessions"] == 1
    following._runs = True
    await following.close()
