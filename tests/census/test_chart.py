"""The charts of a census."""

from wsgateway.census.book import Book
from wsgateway.census.chart import charts
from wsgateway.census.state import DAY, HOUR, MINUTE, Period, Run, State

from .counting import NOON


def book_of(state: State) -> Book:
    book = Book()
    book.absorb(state)
    return book


def minute(ago: int, dialect: str, most_open: int) -> Period:
    return Period(int(NOON // MINUTE) - ago, dialect, most_open=most_open)


def test_a_chart_has_for_each_step_what_was_open_at_most() -> None:
    minutes = [minute(0, "hixie-76", 2), minute(59, "hixie-76", 3), minute(60, "hixie-76", 9), minute(1, "rfc6455", 5)]
    found = charts(book_of(State(minutes=minutes)), NOON + 30)["hour"]
    assert (found["end"], found["step"]) == (NOON + MINUTE, MINUTE)
    assert found["open"] == {"hixie-76": [3, *[0] * 58, 2], "rfc6455": [*[0] * 58, 5, 0]}


def test_several_minutes_are_one_step_of_a_day() -> None:
    minutes = [minute(1, "hixie-76", 2), minute(14, "hixie-76", 7), minute(16, "hixie-76", 4)]
    found = charts(book_of(State(minutes=minutes)), NOON - 1)["day"]
    assert (found["end"], found["step"], len(found["known"])) == (NOON, 15 * MINUTE, 96)
    assert found["open"] == {"hixie-76": [*[0] * 94, 4, 7]}


def test_days_are_those_of_utc() -> None:
    today = int(NOON // DAY)
    days = [Period(today, "hixie-76", most_open=1), Period(today - 89, "hixie-76", most_open=4)]
    found = charts(book_of(State(days=[*days, Period(today - 90, "hixie-76", most_open=8)])), NOON)["quarter"]
    assert (found["end"], found["step"]) == (NOON + DAY / 2, DAY)
    assert found["open"] == {"hixie-76": [4, *[0] * 88, 1]}


def test_a_dialect_of_which_nobody_was_there_is_left_out() -> None:
    refused = Period(int(NOON // MINUTE), "hybi-08", refused=3)
    assert charts(book_of(State(minutes=[refused])), NOON)["hour"]["open"] == {}


def test_a_chart_says_when_the_census_was_not_running() -> None:
    runs = [Run(NOON - 3 * DAY, NOON - 2 * HOUR - 1), Run(NOON - 10 * MINUTE, NOON)]
    found = charts(book_of(State(runs=runs)), NOON)
    assert found["hour"]["known"] == [False] * 49 + [True] * 11
    assert found["quarter"]["known"] == [False] * 86 + [True] * 4
    assert found["day"]["known"].count(False) == 7
