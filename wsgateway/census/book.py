"""The census itself: a row for each dialect, dimension and value, and what is known of each day and minute.

It has no clock and no file: times are seconds since 1970, given by the caller. Everything in it is bounded: there are
`MOST_VALUES` rows for each dialect and dimension, and one more for all other values; an entry for each dialect and day
or minute; and an entry for each time that the census was running.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wsgateway.census.agents import NONE, family
from wsgateway.census.tally import OTHER, Counts
from wsgateway.dialects import DIALECTS
from wsgateway.errors.reasons import BY_NAME

UNKNOWN = "unknown"
"""the dialect of refused clients that had none that is known"""
WHOLE = "dialect"
"""the dimension whose one value is the dialect itself: all of its sessions"""
DIMENSIONS = (WHOLE, "route", "listener", "host", "origin", "agent", "tls", "oddity")
MOST_VALUES = 200
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
# Minutes are kept for one day.
MOST_MINUTES = 1440
# If the census has not been running for so long, that is a gap. A shorter one, such as a restart, is not kept.
LONGEST_PAUSE = HOUR

Key = tuple[str, str, str]
"""dialect, dimension, value"""


@dataclass(slots=True)
class Row:
    """The sessions of one dialect for which one dimension had one value."""

    dialect: str
    dimension: str
    value: str
    open: int = 0
    """how many are open now"""
    sessions: int = 0
    """how many there have been"""
    first_seen: float | None = None
    """when the first one began; None: there was none"""
    last_seen: float | None = None
    """when one was last open"""
    messages_in: int = 0
    """from clients, as `bytes_in`"""
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """clients that were refused, by reason"""
    last_refused: float | None = None

    @property
    def key(self) -> Key:
        """What tells it from other rows."""
        return self.dialect, self.dimension, self.value


@dataclass(slots=True)
class Period:
    """The sessions of one dialect in one day or one minute (UTC)."""

    number: int
    """how many days, or minutes, after 1970 began"""
    dialect: str
    sessions: int = 0
    """how many began"""
    most_open: int = 0
    """how many were open at once, at most, as seen every few seconds"""
    refused: int = 0
    """how many clients were refused"""


@dataclass(slots=True)
class Run:
    """A time in which the census was running."""

    began: float
    ended: float
    """until when it is known to have been running"""


@dataclass(slots=True)
class State:
    """A whole census, as a file has it."""

    rows: list[Row] = field(default_factory=list)
    days: list[Period] = field(default_factory=list)
    minutes: list[Period] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


@dataclass(slots=True)
class Changes:
    """What has changed since the last time, and what is gone."""

    rows: set[Key] = field(default_factory=set)
    days: set[tuple[int, str]] = field(default_factory=set)
    minutes: set[tuple[int, str]] = field(default_factory=set)
    whole: bool = False
    """whether all must be written again"""


class Book:
    """The census of a gateway."""

    def __init__(self, state: State | None = None) -> None:
        """Begin with what is known from before, of which nothing is open any more."""
        state = state or State()
        self.rows = {row.key: row for row in state.rows}
        self.days = {(each.number, each.dialect): each for each in state.days}
        self.minutes = {(each.number, each.dialect): each for each in state.minutes}
        self.runs = state.runs
        self.changes = Changes(rows=set(self.rows), whole=True)
        self._open: dict[str, Counter[Key]] = {}  # of each source
        self._values = Counter((row.dialect, row.dimension) for row in state.rows if row.value != OTHER)
        for row in state.rows:
            row.open = 0

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
                self.changes.rows.add(key)

    def opened_elsewhere(self, source: str, opened: Iterable[tuple[str, str, str, int]]) -> None:
        """Note the sessions that a process had open before it was a source here: each row, and how many."""
        open_ = self._open.setdefault(source, Counter())
        for dialect, dimension, value, count in opened:
            row = self._row(dialect, dimension, value)
            row.open += count
            open_[row.key] += count
            self.changes.rows.add(row.key)

    def opened(self) -> list[tuple[str, str, str, int]]:
        """Return what is open now, for `opened_elsewhere`."""
        return [(*row.key, row.open) for row in self.rows.values() if row.open]

    def pass_time(self, now: float) -> None:
        """Note that the census is running, and once a minute which sessions are open. Call this every few seconds."""
        if self.runs and 0 <= now - self.runs[-1].ended < LONGEST_PAUSE:
            self.runs[-1].ended = now
        else:
            self.runs.append(Run(now, now))
        for row in self.rows.values():
            if row.open and (row.last_seen or 0.0) // MINUTE != now // MINUTE:
                row.last_seen = now
                self.changes.rows.add(row.key)
                if row.dimension == WHOLE:
                    self._most_open(row, now)
        oldest = now // MINUTE - MOST_MINUTES
        for key in [key for key in self.minutes if key[0] <= oldest]:
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
            self.changes.whole = True
        self.runs[:] = runs

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
        self.runs[:] = [Run(run.began, min(run.ended, now)) for run in self.runs if run.began <= now]
        self.changes.whole = True

    def take_changes(self) -> Changes:
        """Return what has changed since the last time."""
        changes, self.changes = self.changes, Changes()
        return changes

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
        self.changes.rows.add(row.key)
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
            (self.days, self.changes.days, DAY),
            (self.minutes, self.changes.minutes, MINUTE),
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


def _last(row: Row) -> float:
    return max(row.last_seen or 0.0, row.last_refused or 0.0)
