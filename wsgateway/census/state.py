"""What a census consists of: rows, days, minutes, and the times in which it was running.

Times are seconds since 1970. Everything is bounded: there are `MOST_VALUES` rows for each dialect and dimension, and
one more for all other values; an entry for each dialect and day or minute; and one for each time in which it ran.
"""

from dataclasses import dataclass, field

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
PeriodKey = tuple[int, str]
"""the number of a day or a minute, and a dialect"""


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

    @property
    def key(self) -> PeriodKey:
        """What tells it from other periods of its length."""
        return self.number, self.dialect


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
class Batch:
    """The changes since the last time, as copies that a thread can write to a file."""

    state: State
    whole: bool
    """whether it is all that there is, and all else is gone"""
    oldest_minute: int
    """minutes before this one are gone, too"""
