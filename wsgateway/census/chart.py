"""How many sessions of each dialect were open in the last hour, day and 90 days, for charts."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypedDict

from wsgateway.census.book import Book
from wsgateway.census.state import DAY, MINUTE, Period, Run


class Chart(TypedDict):
    """A span of time, in steps of the same length, the oldest first."""

    end: float
    """when the last step ends, in seconds since 1970"""
    step: float
    """how long one is, in seconds"""
    known: list[bool]
    """of each step: whether the census was running in it"""
    open: dict[str, list[int]]
    """by dialect, of each step: how many sessions were open at once, at most. Dialects without any are left out"""


class _Span(NamedTuple):
    steps: int
    periods: int
    """how many minutes, or days, are a step"""
    seconds: float
    """how long one of those is"""


_SPANS: Mapping[str, _Span] = {
    "hour": _Span(60, 1, MINUTE),
    "day": _Span(96, 15, MINUTE),
    "quarter": _Span(90, 1, DAY),
}


def charts(book: Book, now: float) -> dict[str, Chart]:
    """Return the charts of a census by their names: hour, day and quarter, which has 90 days.

    `now` is the time of the census. A step that has begun is the last one.
    """
    return {
        name: _chart(span, (book.days if span.seconds == DAY else book.minutes).values(), book.runs, now)
        for name, span in _SPANS.items()
    }


def _chart(span: _Span, periods: Iterable[Period], runs: Iterable[Run], now: float) -> Chart:
    step = span.periods * span.seconds
    last = int(now // step)
    first = last - span.steps + 1
    known, open_ = [False] * span.steps, dict[str, list[int]]()
    for run in runs:
        for at in range(max(first, int(run.began // step)), min(last, int(run.ended // step)) + 1):
            known[at - first] = True
    for period in periods:
        at = period.number // span.periods
        if period.most_open and first <= at <= last:
            values = open_.setdefault(period.dialect, [0] * span.steps)
            values[at - first] = max(values[at - first], period.most_open)
    return {"end": (last + 1) * step, "step": step, "known": known, "open": open_}
