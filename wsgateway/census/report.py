"""What a census says, for people and for programs: sentences, tables, JSON and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime

from wsgateway.census.coverage import (
    MONTH_DAYS,
    ago,
    begun,
    coverage,
    date,
    days,
    is_seen,
    whole_row,
)
from wsgateway.census.state import DAY, DIMENSIONS, UNKNOWN, WHOLE, Row, State
from wsgateway.dialects import DIALECTS
from wsgateway.observe.tables import aligned, counted, printable, spelled_bytes

# Of each dialect and dimension the table has so many rows, those that were seen last; JSON and CSV have all.
MOST_ROWS = 10
# So many programs are named in a sentence.
_MOST_NAMED = 3
_TIMES = ("first_seen", "last_seen", "last_refused")
# What a program for spreadsheets takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report(state: State, now: float) -> str:
    """Return what a census says, in lines for people: how much it knows, each dialect, and who speaks it."""
    if not state.runs and not state.rows:
        return "The census is empty: no gateway has written it yet."
    lines = list(_span(state, now))
    lines += ["", *sentences(state, now)]
    if state.rows:
        lines += ["", *aligned(_table(state, now))]
    return "\n".join(lines)


def _span(state: State, now: float) -> Iterator[str]:
    if not state.runs:
        yield "These gateways have never run at the same time."
        return
    found = coverage(state.runs, state.runs[0].began, now)
    yield f"The census began {date(found.begins)}, {ago(found.begins, now)}."
    for gap in found.gaps:
        yield f"It was not running from {gap}."


def sentences(state: State, now: float) -> Iterator[str]:
    """Yield a sentence for each dialect that was ever seen, and one for all others."""
    never = [name for name in DIALECTS if not whole_row(state, name).sessions]
    for name in DIALECTS:
        if name not in never:
            yield _sentence(state, name, now)
    if never:
        yield f"{', '.join(never)}: never seen: {_nobody(state, now)}"
    unknown = whole_row(state, UNKNOWN)
    if unknown.refused:
        yield f"clients without a known dialect: {_refusals(unknown)}"


def _sentence(state: State, name: str, now: float) -> str:
    row = whole_row(state, name)
    since = now - MONTH_DAYS * DAY
    seen = f"{row.open} open now" if row.open else f"last seen {ago(row.last_seen, now)}"
    month = counted(begun(state, name, since), "session")
    told = f"{name}: {seen}, {month} this month"
    refused = row.last_refused is not None and row.last_refused >= since
    more = f" ({_refusals(row)} in all)" if refused else ""
    if not is_seen(state, row, since):
        return f"{told}: {_nobody(state, now)}{more}"
    users = [each for each in state.rows if (each.dialect, each.dimension) == (name, "agent")]
    named = [printable(each.value) for each in _latest(users) if is_seen(state, each, since)]
    others = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{told}: in use, by programs of the family {', '.join(named[:_MOST_NAMED])}{others}{more}"


def _nobody(state: State, now: float) -> str:
    """Return what can be said of a dialect that nobody has used this month."""
    found = coverage(state.runs, now - MONTH_DAYS * DAY, now)
    if found.missing >= DAY:
        return f"too soon to say, the census covers {days(now - found.begins)}"
    if found.gaps:
        return f"nobody would miss it, as far as is known: the census was not running from {found.gaps[0]}"
    return "nobody would miss it"


def _refusals(row: Row) -> str:
    reasons = sorted(row.refused.items(), key=lambda each: -each[1])
    several = ", ".join(f"{reason} {number}" for reason, number in reasons)
    return f"{counted(sum(row.refused.values()), 'client')} refused: {several}"


def _latest(rows: Iterable[Row]) -> list[Row]:
    """Return rows, those that were seen last first."""
    return sorted(rows, key=lambda row: (row.last_seen or 0.0, row.last_refused or 0.0, row.sessions), reverse=True)


def _table(state: State, now: float) -> Iterator[tuple[str, ...]]:
    yield "dialect", "dimension", "value", "now", "in all", "last seen", "messages", "bytes", "refused"
    for dialect in (*DIALECTS, UNKNOWN):
        for dimension in DIMENSIONS:
            rows = _latest(row for row in state.rows if (row.dialect, row.dimension) == (dialect, dimension))
            for row in rows[:MOST_ROWS]:
                yield _cells(row, now)
            if len(rows) > MOST_ROWS:
                yield dialect, dimension, f"and {len(rows) - MOST_ROWS} more", "", "", "", "", "", ""


def _cells(row: Row, now: float) -> tuple[str, ...]:
    what = ("all", "") if row.dimension == WHOLE else (row.dimension, row.value)
    messages, size = row.messages_in + row.messages_out, row.bytes_in + row.bytes_out
    seen = "now" if row.open else ago(row.last_seen, now)
    refused = sum(row.refused.values())
    return (
        row.dialect,
        *what,
        str(row.open),
        str(row.sessions),
        seen,
        str(messages),
        spelled_bytes(size),
        str(refused),
    )


# -- for programs --------------------------------------------------------------------------------------------------


def as_data(state: State, now: float) -> dict[str, object]:
    """Return all of a census as JSON has it. Times are seconds since 1970."""
    since = state.runs[0].began if state.runs else now
    found = coverage(state.runs, since, now)
    return {
        "now": now,
        "since": found.begins,
        "gaps": [gap._asdict() for gap in found.gaps],
        "dialects": {
            name: {
                "open": whole_row(state, name).open,
                "sessions": whole_row(state, name).sessions,
                "sessions_this_month": begun(state, name, now - MONTH_DAYS * DAY),
                "last_seen": whole_row(state, name).last_seen,
            }
            for name in DIALECTS
        },
        "sentences": list(sentences(state, now)),
        **asdict(state),
    }


def as_csv(state: State) -> str:
    """Return all rows of a census as CSV with a heading, times as in 2026-03-02T12:00:00Z, UTC."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [each.name for each in fields(Row)]
    writer.writerow(names)
    for row in sorted(state.rows, key=lambda each: each.key):
        writer.writerow([_field(name, getattr(row, name)) for name in names])
    return out.getvalue()


def _field(name: str, value: object) -> object:
    if isinstance(value, dict):
        return " ".join(f"{reason}={number}" for reason, number in sorted(value.items()))
    if name in _TIMES and isinstance(value, int | float):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return value
