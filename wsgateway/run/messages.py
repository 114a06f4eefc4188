"""The messages between the processes of a gateway, each checked where it arrives.

    supervisor -> worker       Configure (serve, reload), Drain, Stay, End, SendStatus, Adjust, Ask, More, Forget
    worker -> supervisor       Up, Serving, Refused, StatusReport, CensusCounts, ToldToEnd, Part
    old -> new supervisor      TakeOver, HandOver, Counted, GatewayCounts
    new -> old supervisor      Serving

Processes of one gateway may run different versions for a while, so unknown keys are ignored. `Control` carries them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, Self, TypeVar, cast, get_args, get_type_hints

import trio

from wsgateway.census.tally import Counts
from wsgateway.errors import Reason, SettingsError, StartError
from wsgateway.errors.reasons import BY_NAME
from wsgateway.observe.refusals import Refusal
from wsgateway.observe.shape import ShapeError, shaped
from wsgateway.observe.status import ProcessStatus
from wsgateway.run.adjustments import Adjustments, DrainedTarget
from wsgateway.run.control import Said
from wsgateway.run.requests import ControlAnswer, Fact, Item
from wsgateway.settings.process import Level

SocketCounts = list[tuple[str, int]]
"""The sockets that travel with a message, in their order: an address as `Listening` names it, and how many it has."""


@dataclass(frozen=True, kw_only=True)
class _Message:
    """A message. Its fields are the keys of an object of JSON; `is_` is the key `is`, which Python needs itself."""

    def said(self) -> Said:
        """Return the message as JSON has it."""
        return {_key(each.name): getattr(self, each.name) for each in fields(self)}

    @classmethod
    def read(cls, said: Said) -> Self:
        """Return the message that another process has said. Raise ShapeError for one of another kind or version."""
        return shaped(cls, {each.name: said[key] for each in fields(cls) if (key := _key(each.name)) in said})


def _key(name: str) -> str:
    return name.rstrip("_")


@dataclass(frozen=True, kw_only=True)
class Configure(_Message):
    """Serve a configuration, for the first time or from now on. The sockets, and the packed settings, are attached."""

    do: Literal["serve", "reload"]
    file: str
    text: str
    directory: str | None
    version: str
    """of the code that has packed the settings; another one reads the text"""
    workers: int
    """how many share the limits of the configuration"""
    sockets: SocketCounts
    process: int = 0
    """the number of the process among all that the gateway has started"""
    drained: list[DrainedTarget] = field(default_factory=list)
    """the targets that get no new sessions"""
    levels: list[tuple[str, Level]] = field(default_factory=list)
    """levels of the log in place of that of the file, by networks of clients; without one for all"""


@dataclass(frozen=True, kw_only=True)
class Adjust(_Message):
    """Take these changes of operators in place of all that came before."""

    do: Literal["adjust"] = "adjust"
    drained: list[DrainedTarget]
    levels: list[tuple[str, Level]]


@dataclass(frozen=True, kw_only=True)
class Drain(_Message):
    """Close all sessions, and end."""

    do: Literal["drain"] = "drain"
    others_accept: bool
    """whether other processes accept the clients that wait at the same sockets"""


@dataclass(frozen=True, kw_only=True)
class Stay(_Message):
    """Go on in spite of the signal: the supervisor decides when all end."""

    do: Literal["stay"] = "stay"


@dataclass(frozen=True, kw_only=True)
class End(_Message):
    """End at once."""

    do: Literal["end"] = "end"


@dataclass(frozen=True, kw_only=True)
class SendStatus(_Message):
    """Send the status."""

    do: Literal["report"] = "report"


@dataclass(frozen=True, kw_only=True)
class Ask(_Message):
    """Answer a request, in parts: each one after the first when `More` has come, so that nothing piles up."""

    do: Literal["ask"] = "ask"
    number: int
    """what its parts are known by"""
    command: str
    arguments: dict[str, Fact]


@dataclass(frozen=True, kw_only=True)
class More(_Message):
    """Send the next part of an answer."""

    do: Literal["more"] = "more"
    number: int


@dataclass(frozen=True, kw_only=True)
class Forget(_Message):
    """Send no more of an answer."""

    do: Literal["forget"] = "forget"
    number: int


@dataclass(frozen=True, kw_only=True)
class TakeOver(_Message):
    """Serve at these sockets in the place of the process that sends this."""

    do: Literal["take over"] = "take over"
    sockets: SocketCounts
    processes: int = 0
    """how many processes the gateway has started"""
    drained: list[DrainedTarget] = field(default_factory=list)
    """the targets that get no new sessions"""
    levels: list[tuple[str, Level]] = field(default_factory=list)
    """as in `Configure`"""
    level_seconds: list[tuple[str, float]] = field(default_factory=list)
    """for how long levels remain, by networks; others last until they are changed"""

    @classmethod
    def of(cls, sockets: SocketCounts, processes: int, adjustments: Adjustments) -> Self:
        """Return what is said with these sockets after so many processes."""
        drained, levels = adjustments.said()
        now = trio.current_time()
        seconds = [(network, max(0.0, end - now)) for network, end in adjustments.ends.items()]
        return cls(sockets=sockets, processes=processes, drained=drained, levels=levels, level_seconds=seconds)

    @property
    def adjustments(self) -> Adjustments:
        """The changes of operators."""
        now = trio.current_time()
        ends = {network: now + seconds for network, seconds in self.level_seconds}
        return Adjustments(frozenset(self.drained), dict(self.levels), ends)


@dataclass(frozen=True, kw_only=True)
class GatewayCounts(_Message):
    """The counts of this gateway since its start, also for those before it, and the sessions that it still has."""

    do: Literal["add"] = "add"
    restarts: int = 0
    """of workers that died"""
    status: ProcessStatus = field(default_factory=ProcessStatus)


@dataclass(frozen=True, kw_only=True)
class HandOver(_Message):
    """Go on with the census of the process that sends this, which is attached, and with its other counts."""

    do: Literal["hand over"] = "hand over"
    restarts: int = 0
    """as in `GatewayCounts`"""
    status: ProcessStatus = field(default_factory=ProcessStatus)
    refusals: list[Refusal] = field(default_factory=list)
    """the last ones"""


@dataclass(frozen=True, kw_only=True)
class Counted(_Message):
    """The counts of a worker of the process that sends this, for the census."""

    do: Literal["count"] = "count"
    source: str
    """a name for the worker"""
    counts: list[Counts] | None
    """None: it has ended"""


@dataclass(frozen=True, kw_only=True)
class Up(_Message):
    """The process runs, and waits for its configuration."""

    is_: Literal["up"] = "up"


@dataclass(frozen=True, kw_only=True)
class Serving(_Message):
    """The process serves its configuration."""

    is_: Literal["serving"] = "serving"


@dataclass(frozen=True, kw_only=True)
class Refused(_Message):
    """The process cannot serve a configuration, and goes on as before."""

    is_: Literal["refused"] = "refused"
    reason: str = Reason.WORKER_FAILED.value
    """the name of one, which another version may not have"""
    why: str

    @classmethod
    def of(cls, error: SettingsError | OSError) -> Self:
        """Return what is said of an error."""
        reason = error.reason if isinstance(error, SettingsError) else Reason.WORKER_FAILED
        return cls(reason=reason.value, why=str(error))

    @property
    def error(self) -> StartError:
        """Return the error that the other process has told."""
        return StartError(self.why, BY_NAME.get(self.reason, Reason.WORKER_FAILED))


@dataclass(frozen=True, kw_only=True)
class StatusReport(_Message):
    """The status of a worker."""

    is_: Literal["report"] = "report"
    age: float
    """how many seconds ago its relay loop turned"""
    lag: float = 0.0
    """the longest time of late by which that loop was late, in seconds"""
    status: ProcessStatus
    refusals: list[Refusal] = field(default_factory=list)
    """those since its last report"""


@dataclass(frozen=True, kw_only=True)
class CensusCounts(_Message):
    """The counts of a worker for the census since it last sent this."""

    is_: Literal["census"] = "census"
    counts: list[Counts]


@dataclass(frozen=True, kw_only=True)
class ToldToEnd(_Message):
    """A signal has told the worker to end, and it waits for `Stay` or `Drain`."""

    is_: Literal["told to end"] = "told to end"


@dataclass(frozen=True, kw_only=True)
class Part(_Message):
    """A part of an answer; the last one ends it."""

    is_: Literal["part"] = "part"
    number: int
    items: list[Item] = field(default_factory=list)
    ok: bool | None = None
    """whether it was done; None: this is not the last part"""
    findings: list[str] = field(default_factory=list)
    facts: dict[str, Fact] = field(default_factory=dict)

    @property
    def answer(self) -> ControlAnswer | None:
        """Return the answer, if this is the last part."""
        return None if self.ok is None else ControlAnswer(self.ok, self.findings, self.facts)


ToWorker = Configure | Drain | Stay | End | SendStatus | Adjust | Ask | More | Forget
Outcome = Up | Serving | Refused
FromWorker = Up | Serving | Refused | StatusReport | CensusCounts | ToldToEnd | Part

Kind = TypeVar("Kind", bound=_Message)


def _by_word(key: str, kinds: Iterable[type[Kind]]) -> Mapping[object, type[Kind]]:
    """Return kinds of messages by the words that their key may have."""
    return {word: kind for kind in kinds for word in get_args(get_type_hints(kind)[key])}


_TO_WORKER = _by_word("do", get_args(ToWorker))
_FROM_WORKER = _by_word("is_", get_args(FromWorker))


def to_worker(said: Said) -> ToWorker | None:
    """Return a message to a worker; None for one of another version, which must be ignored."""
    return cast(ToWorker | None, _read(_TO_WORKER, said.get("do"), said))


def from_worker(said: Said) -> FromWorker | None:
    """Return a message of a worker; None for one of another version, which must be ignored."""
    return cast(FromWorker | None, _read(_FROM_WORKER, said.get("is"), said))


def _read(kinds: Mapping[object, type[_Message]], word: object, said: Said) -> _Message | None:
    try:
        return kinds[word].read(said)
    except (KeyError, TypeError, ShapeError):  # no word, or no message of this kind
        return None
