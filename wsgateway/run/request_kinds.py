"""The table of all requests to a running gateway: their fields, who answers, and how.

The control socket takes them as `requests` says. Whatever else asks a gateway, such as a page, uses the same rows.

To add a request add a row here, and a function with its name: to those of the supervisor in `operator`, or to those of
a worker in `sessions`.
"""

import re
import sys
from dataclasses import dataclass
from typing import Literal, TypeVar

from wsgateway.observe.session_filter import SessionFilter
from wsgateway.observe.shape import shaped
from wsgateway.run.requests import Fact
from wsgateway.settings.patterns import peers

# Of sessions; each is the number of a process, and that of a session in it.
_IDS = re.compile(r"[0-9]{1,18}-[0-9]{1,18}( [0-9]{1,18}-[0-9]{1,18}){0,999}")

Arguments = TypeVar("Arguments")

MOST_PAYLOAD_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """No fields."""


@dataclass(frozen=True, kw_only=True)
class SessionsFields(SessionFilter):
    """The fields of `sessions`."""

    limit: int | None = None
    """how many of those that match are listed; all are counted"""
    after: str | None = None
    """where an earlier list ended: its last session of each process, as `1-7 2-9`. Only later ones are listed"""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no filter, and for what is no end of a list."""
        super().__post_init__()
        if self.after is not None and _IDS.fullmatch(self.after) is None:
            raise ValueError(f"after: {self.after!r} is no list of ids, as 1-7 2-9")

    def last_of(self, process: int) -> int:
        """Return the number of the last session of a process in the earlier list; 0 if there was none."""
        ids = (each.split("-") for each in (self.after or "").split())
        return max((int(number) for its, number in ids if int(its) == process), default=0)


@dataclass(frozen=True, kw_only=True)
class CloseFields(SessionFilter):
    """The fields of `close`."""

    id: str | None = None
    """the id of one session, in place of a filter"""
    all: bool = False
    """whether it is meant that every session is closed"""


@dataclass(frozen=True, kw_only=True)
class TargetFields:
    """The fields of `target`."""

    action: Literal["drain", "enable"]
    upstream: str
    target: str
    """its url, as the file has it"""


@dataclass(frozen=True, kw_only=True)
class LogLevelFields:
    """The fields of `log-level`."""

    level: Literal["debug", "info", "warning", "error", "default"]
    """default: what the file says"""
    client: str | None = None
    """for lines about clients of this network, or unix; None: for all lines"""
    seconds: float | None = None
    """for how long; None: until it is changed again, or the gateway starts anew"""

    def __post_init__(self) -> None:
        """Raise ValueError for what is neither an address nor a network, and for no time."""
        if self.client is not None:
            try:
                peers(self.client)
            except ValueError as error:
                raise ValueError(f"client: {error}") from None
        if self.seconds is not None and not 0 < self.seconds <= sys.float_info.max:
            raise ValueError(f"seconds: {self.seconds} is no time span, it must be more than 0")


@dataclass(frozen=True, kw_only=True)
class TraceFields(SessionFilter):
    """The fields of `trace`."""

    payload: int = 0
    """how many bytes of a piece of payload are shown"""
    record: bool = False
    """whether all bytes are wanted, for recordings"""

    def __post_init__(self) -> None:
        """Raise ValueError for what is not allowed."""
        super().__post_init__()
        if self.target is not None:
            raise ValueError("target: a session is chosen before it has one")
        if not 0 <= self.payload <= MOST_PAYLOAD_BYTES:
            raise ValueError(f"payload: {self.payload} is not from 0 to {MOST_PAYLOAD_BYTES}")


@dataclass(frozen=True, slots=True)
class RequestKind:
    """A row of the table."""

    name: str
    fields: type[object]
    """a dataclass: the names and types of the arguments. It raises ValueError for values that are not allowed"""
    who: Literal["supervisor", "workers"]
    """who has the function that answers. Of several workers the items come mixed, and the answers become one"""
    gives: Literal["answer", "items", "stream"] = "answer"
    """an answer alone; items, and then the answer; or items until who asks hangs up"""
    changes: bool = False
    """whether it changes anything, or shows what others say. Then the log has a line with who has asked"""

    def read(self, arguments: dict[str, Fact]) -> object:
        """Return arguments as the fields. Raise ValueError with what is wrong."""
        return shaped(self.fields, arguments)


REQUEST_KINDS = {
    kind.name: kind
    for kind in (
        RequestKind("reload", Nothing, "supervisor", changes=True),
        RequestKind("sessions", SessionsFields, "workers", gives="items"),
        RequestKind("close", CloseFields, "supervisor", changes=True),
        RequestKind("refusals", Nothing, "supervisor", gives="items"),
        RequestKind("target", TargetFields, "supervisor", changes=True),
        RequestKind("log-level", LogLevelFields, "supervisor", changes=True),
        RequestKind("trace", TraceFields, "workers", gives="stream", changes=True),
    )
}


def is_stream(command: str) -> bool:
    """Return whether a command gives items until who asks hangs up."""
    return command in REQUEST_KINDS and REQUEST_KINDS[command].gives == "stream"
