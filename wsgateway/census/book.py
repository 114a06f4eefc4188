"""The census itself: counts become rows, days and minutes. It has no clock and no file: the caller gives the times."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace

from wsgateway.census.agents import NONE, family
from wsgateway.census.state import (
    DAY,
    LONGEST_PAUSE,
    MINUTE,
    MOST_MINUTES,
    MOST_VALUES,
    UNKNOWN,
    WHOLE,
    Batch,
    Key,
    Period,
    PeriodKey,
    Row,
    Run,
    State,
)
from wsgateway.census.tally import OTHER, Counts
from wsgateway.dialects import DIALECTS
from wsgateway.errors.reasons import BY_NAME

_SUMS = ("sessions", "messages_in", "messages_out", "bytes_in", "bytes_out")


@dataclass(slots=True)
class _Changes:
    """The changes that are not written yet."""

    rows: set[Key] = field(default_factory=set)
    days: set[PeriodKey] = field(default_factory=set)
    minutes: set[PeriodKey] = field(default_factory=set)
    runs: set[float] = field(default_factory=set)
    """when they began"""
    whole: bool = False


class Book:
    """The census of a gateway."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.days: dict[PeriodKey, Period] = {}
        self.minutes: dict[PeriodKey, Period] = {}
        self.runs: list[Run] = []
        self._open: dict[str, Counter[Key]] = {}  # of each source
        self._values: Counter[tuple[str, str]] = Counter()  # how many rows a dialect and dimension has, but for `other`
        self._oldest_minute = 0
        self._changes = _Changes()

    def absorb(self, state: State, at_once: bool = False) -> None:
        """Add what is known from elsewhere or from before: all but what is open.

        `at_once`: it is of another gateway, which had its sessions open at the same time.
        """
        for row in state.rows:
            mine = self._row(row.dialect, row.dimension, row.value)
            for name in _SUMS:
                setattr(mine, name, getattr(mine, name) + getattr(row, name))
            mine.refused = dict(Counter(mine.refused) + Counter(row.refused))
            mine.first_seen = _both(min, mine.first_seen, row.first_seen)
            mine.last_seen = _both(max, mine.last_seen, row.last_seen)
            mine.last_refused = _both(max, mine.last_refused, row.last_refused)
        for periods, others in ((self.days, state.days), (self.minutes, state.minutes)):
            for each in others:
                period = periods.setdefault(each.key, Period(*each.key))
                period.sessions += each.sessions
                period.refused += each.refused
                most_open = (period.most_open, each.most_open)
                period.most_open = sum(most_open) if at_once else max(most_open)
        self.runs = _joined([*state.runs, *self.runs])
        self._changes.whole = True

    def state(self) -> State:
        """Return all of it."""
        return State(list(self.rows.values()), list(self.days.values()), list(self.minutes.values()), self.runs)

    @property
    def latest(self) -> float:
        """The latest time that it knows."""
        seen = (time for row in self.rows.values() for time in (row.last_seen, row.last_refused) if time is not None)
        return max([0.0, *seen, *(run.ended for run in self.runs)])

    # -- what happens ----------------------------------------------------------------------------------------------

    def count(self, source: str, counts: Iterable[Counts], now: float) -> None:
        """Add what a process has counted; the source is a name for it."""
        open_ = self._open.setdefault(source, Counter())
        for each in counts:
            dialect = _dialect(each)
            for dimension, value in ((WHOLE, dialect), *_values(each)):
                self._add(self._row(dialect, dimension, value), each, open_, now)
            self._add_to_periods(dialect, each, now)

    def lose(self, source: str) -> None:
        """Note that a process has ended: it has no sessions any more."""
        for key, count in self._open.pop(source, Counter()).items():
            if count:  # a row that has none may have been forgotten
                self.rows[key].open -= count
                self._changes.rows.add(key)

    def opened_elsewhere(self, source: str, opened: Iterable[tuple[str, str, str, int]]) -> None:
        """Note the sessions that a process had open before it was a source here: as `opened` returns them."""
        open_ = self._open.setdefault(source, Counter())
        for dialect, dimension, value, count in opened:
            row = self._row(dialect, dimension, value)
            row.open += count
            open_[row.key] += count
            self._changes.rows.add(row.key)

    def opened(self) -> dict[str, list[tuple[str, str, str, int]]]:
        """Return the open sessions of each source: dialect, dimension, value, and how many."""
        sources = self._open.items()
        return {source: [(*key, count) for key, count in open_.items() if count] for source, open_ in sources}

    def pass_time(self, now: float) -> None:
        """Note that the census is running, and once a minute which sessions are open. Call this every few seconds."""
        if self.runs and 0 <= now - self.runs[-1].ended < LONGEST_PAUSE:
            self.runs[-1].ended = now
        else:
            self.runs.append(Run(now, now))
        self._changes.runs.add(self.runs[-1].began)
        for row in self.rows.values():
            if row.open and (row.last_seen or 0.0) // MINUTE != now // MINUTE:
                row.last_seen = now
                self._changes.rows.add(row.key)
                if row.dimension == WHOLE:
                    self._most_open(row, now)
        self._oldest_minute = int(now // MINUTE) - MOST_MINUTES + 1
        for key in [key for key in self.minutes if key[0] < self._oldest_minute]:
            del self.minutes[key]

    def forget(self, before: float) -> None:
        """Forget everything that was over before a time."""
        rows = [row for row in self.rows.values() if not row.open and _last(row) < before]
        for row in rows:
            del self.rows[row.key]
            self._values[row.dialect, row.dimension] -= row.value != OTHER
        days = [key for key in self.days if key[0] < before // DAY]
        for key in days:
            del self.days[key]
        runs = [run for run in self.runs if run.ended >= before]
        if rows or days or len(runs) < len(self.runs):
            self._changes.whole = True
        self.runs = runs

    def bring_back(self, now: float) -> None:
        """Move everything that is later than a time to that time: the clock was wrong when it was noted."""
        for row in self.rows.values():
            row.first_seen, row.last_seen, row.last_refused = (
                None if time is None else min(time, now) for time in (row.first_seen, row.last_seen, row.last_refused)
            )
        for periods, length in ((self.days, DAY), (self.minutes, MINUTE)):
            for key in [key for key in periods if key[0] > now // length]:
                late = periods.pop(key)
                today = periods.setdefault((int(now // length), late.dialect), Period(int(now // length), late.dialect))
                today.sessions += late.sessions
                today.refused += late.refused
                today.most_open = max(today.most_open, late.most_open)
        self.runs = [Run(run.began, min(run.ended, now)) for run in self.runs if run.began <= now]
        self._changes.whole = True

    def take_changes(self) -> Batch:
        """Return what has changed since the last time."""
        changes, self._changes = self._changes, _Changes()
        if changes.whole:
            state = self.state()
        else:
            state = State(
                [self.rows[key] for key in changes.rows],
                _of(self.days, changes.days),
                _of(self.minutes, changes.minutes),
                [run for run in self.runs if run.began in changes.runs],
            )
        return Batch(_copied(state), changes.whole, self._oldest_minute)

    def write_all(self) -> None:
        """Note that nothing of it is written anywhere."""
        self._changes.whole = True

    def write_again(self, batch: Batch) -> None:
        """Note that what was taken has not been written."""
        self._changes.whole |= batch.whole
        self._changes.rows |= {row.key for row in batch.state.rows} & self.rows.keys()
        self._changes.days |= {each.key for each in batch.state.days} & self.days.keys()
        self._changes.minutes |= {each.key for each in batch.state.minutes} & self.minutes.keys()
        self._changes.runs |= {run.began for run in batch.state.runs}

    # -- how -------------------------------------------------------------------------------------------------------

    def _row(self, dialect: str, dimension: str, value: str) -> Row:
        row = self.rows.get((dialect, dimension, value))
        if row is None and value != OTHER:
            if self._values[dialect, dimension] >= MOST_VALUES:
                return self._row(dialect, dimension, OTHER)
            self._values[dialect, dimension] += 1
        if row is None:
            row = Row(dialect, dimension, value)
            self.rows[row.key] = row
        return row

    def _add(self, row: Row, counts: Counts, open_: Counter[Key], now: float) -> None:
        self._changes.rows.add(row.key)
        sessions, refused = counts.get("sessions", 0), counts.get("refused", {})
        row.sessions = max(0, row.sessions + sessions)
        self._open_more(row, counts.get("open", 0), open_)
        through = counts.get("through", [0, 0, 0, 0])
        row.messages_in += through[0]
        row.messages_out += through[1]
        row.bytes_in += through[2]
        row.bytes_out += through[3]
        for reason, count in refused.items():
            name = reason if reason in BY_NAME else OTHER
            row.refused[name] = row.refused.get(name, 0) + count
            row.last_refused = now
        if sessions > 0 or "through" in counts or "open" in counts:
            row.first_seen = now if row.first_seen is None else row.first_seen
            row.last_seen = now

    def _open_more(self, row: Row, step: int, open_: Counter[Key]) -> None:
        """Note sessions that began or ended. Those that had begun as `other` end in the row of their own value."""
        elsewhere = min(0, open_[row.key] + step)
        row.open += step - elsewhere
        open_[row.key] += step - elsewhere
        other = row.dialect, row.dimension, OTHER
        if elsewhere and row.value != OTHER and other in self.rows:
            self._open_more(self.rows[other], elsewhere, open_)

    def _add_to_periods(self, dialect: str, counts: Counts, now: float) -> None:
        row = self.rows[dialect, WHOLE, dialect]
        for each in self._periods(dialect, now):
            each.sessions = max(0, each.sessions + counts.get("sessions", 0))
            each.refused += sum(counts.get("refused", {}).values())
        self._most_open(row, now)

    def _most_open(self, row: Row, now: float) -> None:
        for each in self._periods(row.dialect, now):
            each.most_open = max(each.most_open, row.open)

    def _periods(self, dialect: str, now: float) -> Iterator[Period]:
        for periods, changed, length in (
            (self.days, self._changes.days, DAY),
            (self.minutes, self._changes.minutes, MINUTE),
        ):
            key = int(now // length), dialect
            changed.add(key)
            yield periods.setdefault(key, Period(*key))


def _dialect(counts: Counts) -> str:
    name = counts["profile"].get("dialect", "")
    return name if name in DIALECTS else UNKNOWN


def _values(counts: Counts) -> Iterator[tuple[str, str]]:
    """Yield the dimensions and the values of counts, but for the dialect."""
    profile = counts["profile"]
    for name in ("route", "listener", "origin", "tls"):
        yield name, profile.get(name) or NONE
    yield "host", profile.get("host", "").lower() or NONE
    yield "agent", family(profile.get("agent", ""))
    for oddity in counts["oddities"]:
        yield "oddity", oddity


def _copied(state: State) -> State:
    rows = [replace(row, refused=dict(row.refused)) for row in state.rows]
    return State(rows, list(map(copy, state.days)), list(map(copy, state.minutes)), list(map(copy, state.runs)))


def _of(periods: dict[PeriodKey, Period], keys: set[PeriodKey]) -> list[Period]:
    return [periods[key] for key in keys if key in periods]


def _both(choose: Callable[[list[float]], float], *times: float | None) -> float | None:
    known = [time for time in times if time is not None]
    return choose(known) if known else None


def _joined(runs: list[Run]) -> list[Run]:
    """Return times in their order, those that are close to each other as one."""
    joined: list[Run] = []
    for run in sorted(runs, key=lambda each: each.began):
        if joined and run.began - joined[-1].ended < LONGEST_PAUSE:
            joined[-1].ended = max(joined[-1].ended, run.ended)
        else:
            joined.append(copy(run))
    return joined


def _last(row: Row) -> float:
    return max(row.last_seen or 0.0, row.last_refused or 0.0)
