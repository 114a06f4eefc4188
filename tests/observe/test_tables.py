"""Tables for people: widths, sizes, times, and what a terminal would obey."""

import pytest

from wsgateway.observe.tables import aligned, counted, printable, spelled_bytes, spelled_seconds, spelled_time


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("name", "number", "last"), ("a", "1", ""), ("longer", "1000000", "x")]
    assert aligned(rows, right=(1,)) == ["name     number  last", "a             1", "longer  1000000  x"]


def test_a_heading_alone_is_no_table() -> None:
    assert aligned([("name", "number")]) == []


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[2Jb\n\x9b ü") == "a\\x1b[2Jb\\n\\x9b ü"
    assert aligned([("name",), ("\x07",)]) == ["name", "\\x07"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10240, "10 KiB"),
        (1024 * 1024, "1.0 MiB"),
        (5 * 1024**4, "5.0 TiB"),
        (2**70, "1024 EiB"),
    ],
)
def test_sizes_have_a_unit(size: int, text: str) -> None:
    assert spelled_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m 0s"),
        (3725, "1h 2m"),
        (90000, "1d 1h"),
        (3549600, "41d 2h"),
    ],
)
def test_spans_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert spelled_seconds(seconds) == text


def test_times_are_in_utc() -> None:
    assert spelled_time(1_000_000_000.9) == "2001-09-09 01:46:40"


def test_a_noun_follows_its_number() -> None:
    assert [counted(number, "session") for number in (0, 1, 2)] == ["0 sessions", "1 session", "2 sessions"]
