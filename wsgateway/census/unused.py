"""Whether a dialect may be switched off: who would be cut, and whether the census knows enough to say."""

from collections.abc import Iterator, Mapping

from wsgateway.census.coverage import ago, begun, coverage, date, is_seen, whole_row
from wsgateway.census.state import DAY, State
from wsgateway.observe.tables import counted, printable

_WHO = ("route", "listener", "host", "origin", "agent")
# So many names of each kind are told; there may be 200.
MOST_NAMES = 20


def faults(states: Mapping[str, State], dialects: list[str], span_days: int, now: float) -> Iterator[str]:
    """Yield a line for each reason why dialects may not be switched off; none if nobody has used them for so long.

    Take the census of each gateway by the name of its file.
    """
    since = now - span_days * DAY
    for file, state in states.items():
        yield from (f"{file}: {line}" for line in _unknown(state, span_days, since, now))
        for dialect in dialects:
            yield from (f"{file}: {line}" for line in _users(state, dialect, span_days, since, now))


def _unknown(state: State, span_days: int, since: float, now: float) -> Iterator[str]:
    found = coverage(state.runs, since, now)
    if found.missing >= DAY:
        began = f", from {date(found.begins)} on" if found.begins < now else ""
        yield f"the census covers {int((now - found.begins) // DAY)} of the last {counted(span_days, 'day')}{began}"
    for gap in found.gaps:
        yield f"the census was not running from {gap}"


def _users(state: State, dialect: str, span_days: int, since: float, now: float) -> Iterator[str]:
    row = whole_row(state, dialect)
    if not is_seen(state, row, since):
        return
    sessions = counted(begun(state, dialect, since), "session")
    yield (
        f"{dialect} is in use: {sessions} in the last {counted(span_days, 'day')}, {row.open} now, last seen"
        f" {ago(row.last_seen, now)}; these would be cut:"
    )
    for dimension in _WHO:
        rows = [each for each in state.rows if (each.dialect, each.dimension) == (dialect, dimension)]
        seen = sorted((each for each in rows if is_seen(state, each, since)), key=lambda each: -(each.last_seen or 0))
        for each in seen[:MOST_NAMES]:
            last = f"last seen {ago(each.last_seen, now)}, {each.open} now"
            yield f"{dialect}: {dimension} {printable(each.value)}, {last}"
        if len(seen) > MOST_NAMES:
            yield f"{dialect}: and {len(seen) - MOST_NAMES} more of {dimension}"
