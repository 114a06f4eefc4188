"""What a census says of a span of time: when it was running in it, what was seen, and what is not known."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import NamedTuple

from wsgateway.census.book import Book
from wsgateway.census.state import DAY, HOUR, MINUTE, WHOLE, Period, Row, Run, State
from wsgateway.observe.tables import counted

MONTH_DAYS = 30
# A gateway writes every few seconds. If it has not for so long, it does not run.
_SILENT_SECONDS = MINUTE


class Gap(NamedTuple):
    """A time of more than a day in which the census was not running, in seconds since 1970."""

    begin: float
    end: float

    def __str__(self) -> str:
        return f"{date(self.begin)} to {date(self.end)} ({days(self.end - self.begin)})"


class Coverage(NamedTuple):
    """The part of a span up to now that a census knows."""

    begins: float
    """when it began, or when the span begins if that is later"""
    gaps: list[Gap]
    """where it was not running, from then on"""
    missing: float
    """how many seconds of the span are before it began"""

    @property
    def whole(self) -> bool:
        """Whether it knows the whole span, but for gaps of less than a day."""
        return not self.gaps and self.missing < DAY


def coverage(runs: list[Run], since: float, now: float) -> Coverage:
    """Return how much of a span a census knows."""
    known = [Run(max(run.began, since), min(run.ended, now)) for run in runs if run.ended >= since and run.began <= now]
    if not known:
        return Coverage(now, [], now - since)
    ends = [*(run.ended for run in known)]
    begins = [*(run.began for run in known[1:]), now]
    gaps = [Gap(end, begin) for end, begin in zip(ends, begins, strict=True) if begin - end > DAY]
    return Coverage(known[0].began, gaps, known[0].began - since)


def as_of(state: State, now: float) -> State:
    """Return a census in which nothing is later than now: the clock may have been wrong.

    If its gateway does not run, nothing is open.
    """
    running = bool(state.runs) and now - state.runs[-1].ended < _SILENT_SECONDS
    book = Book()
    book.absorb(state)
    book.bring_back(now)
    if running:
        book.opened_elsewhere("", [(*row.key, row.open) for row in state.rows if row.open])
    for row in book.rows.values():
        row.last_seen = now if row.open else row.last_seen
    return book.state()


def together(states: list[State]) -> State:
    """Return the census of several gateways as one, which was running while all of them were: one alone is too few."""
    book = Book()
    for number, state in enumerate(states):
        book.absorb(state, at_once=True)
        book.opened_elsewhere(str(number), [(*row.key, row.open) for row in state.rows if row.open])
    return replace(book.state(), runs=reduce(_in_both, (state.runs for state in states)))


def _in_both(some: Iterable[Run], others: Iterable[Run]) -> list[Run]:
    """Return the times that are in two lists of times, each in their order."""
    both = [Run(max(one.began, other.began), min(one.ended, other.ended)) for one in some for other in others]
    return [run for run in both if run.began <= run.ended]


def whole_row(state: State, dialect: str) -> Row:
    """Return the row of all sessions of a dialect."""
    found = (row for row in state.rows if (row.dialect, row.dimension) == (dialect, WHOLE))
    return next(found, Row(dialect, WHOLE, dialect))


def begun(state: State, dialect: str, since: float) -> int:
    """Return how many sessions of a dialect began since the day of a time."""
    return sum(day.sessions for day in _days(state, dialect, since))


def is_seen(state: State, row: Row, since: float) -> bool:
    """Return whether a row had an open session since a time."""
    if row.open or (row.last_seen is not None and row.last_seen >= since):
        return True
    return row.dimension == WHOLE and any(day.most_open for day in _days(state, row.dialect, since + DAY))


def _days(state: State, dialect: str, since: float) -> list[Period]:
    return [day for day in state.days if day.dialect == dialect and day.number >= since // DAY]


# -- for people ----------------------------------------------------------------------------------------------------


def date(time: float) -> str:
    """Return a time as a date (UTC)."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d}"


def days(seconds: float) -> str:
    """Return a time in whole days."""
    return counted(int(seconds // DAY), "day")


def ago(time: float | None, now: float) -> str:
    """Return how long ago a time was."""
    if time is None:
        return "never"
    seconds = max(0, int(now - time))
    for length, noun in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if seconds >= length:
            return f"{counted(int(seconds // length), noun)} ago"
    return "just now"
