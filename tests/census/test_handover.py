"""The census that one supervisor gives to the next, which may be of another version."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import Lines
from wsgateway.census.handover import HandedOver, unpacked
from wsgateway.census.keeper import Census
from wsgateway.census.state import Period, Row, Run, State
from wsgateway.settings.process import Census as Settings

from .counting import DIALECT, NOON

HANDED_OVER = HandedOver(
    "/a",
    True,
    State(
        [Row(DIALECT, "route", "chat", 1, 2, NOON, NOON, 1, 2, 3, 4, {"origin-refused": 5}, NOON)],
        [Period(20_514, DIALECT, 2, 1, 5)],
        [Period(29_540_880, DIALECT, 2, 1, 5)],
        [Run(NOON, NOON)],
    ),
    {"worker 7": [(DIALECT, "route", "chat", 1)]},
)


def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(HANDED_OVER.packed())
    return found


def test_what_is_packed_is_unpacked() -> None:
    assert unpacked(HANDED_OVER.packed()) == HANDED_OVER


def test_columns_of_another_version_are_ignored() -> None:
    other = data()
    other["newer"] = 1
    other["state"]["newer"] = []
    other["state"]["rows"][0]["newer"] = 1
    assert unpacked(json.dumps(other).encode()) == HANDED_OVER


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"opened": None},
        {"state": {"rows": [{"dialect": 7}]}},
        {"opened": {"worker 7": [["hixie-76", "route"]]}},
    ],
)
def test_a_census_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  its text is for nobody
        unpacked(json.dumps(data() | change).encode())


@pytest.mark.parametrize("packed", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_census_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unpacked(packed)


@pytest.mark.parametrize(
    ("file", "known"),
    [("/a", 2), (None, 0), ("/b", 0)],
    ids=["the same file", "in memory", "another file"],
)
async def test_a_census_in_another_file_is_not_taken_but_for_its_open_sessions(file: str | None, known: int) -> None:
    census = Census(Settings(file, 86_400.0), Lines().log(), lambda: NOON)
    assert census.take_over(HANDED_OVER.packed()) == ["worker 7"]
    await census._add()
    row = census._book.rows[DIALECT, "route", "chat"]
    assert (row.open, row.sessions) == (1, known)


async def test_a_census_that_was_in_memory_goes_on_in_memory_and_in_a_file(tmp_path: Path) -> None:
    for file in (None, str(tmp_path / "a.sqlite")):
        census = Census(Settings(file, 86_400.0), Lines().log(), lambda: NOON)
        census.take_over(HandedOver(None, False, HANDED_OVER.state, HANDED_OVER.opened).packed())
        await census.flush()
        await census.flush()
        assert census._book.rows[DIALECT, "route", "chat"].sessions == 2
        census._runs = True
        await census.close()
