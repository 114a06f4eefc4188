"""Everything that wsgateway raises on purpose, and the list of reasons.

    WsgatewayError
    |-- ReasonedError           an error for operators: carries a Reason, and the answer for the client
    |   |-- ProtocolError           a peer broke a rule                        carries a close code
    |   |-- HttpRefusal             a request that cannot succeed              carries an HTTP status
    |   |   `-- ExhaustedError          no free descriptors, or no memory
    |   |-- UpstreamError           a server is down, silent or wrong          carries an HTTP status
    |   |-- UntrustedError          a server whose certificate is not pinned
    |   |-- ClientDisconnectedError a client that disconnected before it had a session
    |   |-- SettingsError           a configuration that cannot be used        carries every problem found
    |   |   `-- BrokenFileError         at the start of a gateway
    |   |-- StartError              workers that cannot serve
    |   `-- HotRestartError         a new supervisor that does not serve
    |-- CensusError             a file of a census that cannot be used
    |-- RecordError             a session that cannot go on elsewhere
    |-- SlowRegexError          a pattern that could take exponential time
    `-- ProbeError              a probe request that cannot be sent

An error carries what is needed to answer, count and log it, so that no caller asks for its type. Anything else that
escapes is a bug of ours and keeps its traceback.
"""

from dataclasses import dataclass, field
from typing import TypeVar

from wsgateway.errors.reasons import Group, Reason

__all__ = [
    "BRIEF_CHARACTERS",
    "BrokenFileError",
    "CensusError",
    "ClientDisconnectedError",
    "ExhaustedError",
    "Group",
    "HotRestartError",
    "HttpRefusal",
    "ProbeError",
    "Problem",
    "ProtocolError",
    "Reason",
    "ReasonedError",
    "RecordError",
    "SettingsError",
    "SlowRegexError",
    "StartError",
    "TooManyTracesError",
    "UntrustedError",
    "UpstreamError",
    "WsgatewayError",
    "brief",
]

# The longest text of a peer in an error, an answer or a line of the log.
BRIEF_CHARACTERS = 200
_CUT = " [...] "
# RFC 6455, 7.4.1: for faults that have no code of their own.
_PROTOCOL_ERROR = 1002
# A client may have caused a failure of a target itself, by its request. It cannot cause these.
_BY_NO_CLIENT = frozenset(
    {
        Reason.TARGET_UNREACHABLE, Reason.TARGET_CONNECT_TIMEOUT, Reason.TARGET_SLOWER, Reason.TARGET_DISTRUSTED,
        Reason.TARGET_PIN_DIFFERS, Reason.TARGET_TLS_OLD, Reason.TARGET_WITHOUT_TLS, Reason.TARGET_TLS_FAILED,
        Reason.TARGET_HTTP2,
    }
)  # fmt: skip


def brief(text: str, most: int = BRIEF_CHARACTERS) -> str:
    """Return a text with at most so many characters, which must be 20 or more.

    A longer one is cut in the middle: its beginning names the subject, and its end often what was allowed.
    """
    if len(text) <= most:
        return text
    tail = most // 4 - len(_CUT) // 2
    return text[: most - tail - len(_CUT)] + _CUT + text[-tail:]


class WsgatewayError(Exception):
    """The base of all errors that wsgateway raises on purpose."""


class ReasonedError(WsgatewayError):
    """An error for operators: the message has the facts, the reason has the cause and the cure."""

    status: int | None = None
    """the HTTP status of the answer to the client; None: it gets no answer"""
    headers: tuple[tuple[str, str], ...] = ()
    """the headers of that answer"""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(brief(message))
        self.reason = reason
        self.remark = ""
        """a text for the log, beside the message, which the peer does not get"""

    @property
    def why(self) -> str:
        """The facts, as the log has them."""
        return f"{self} ({self.remark})" if self.remark else str(self)


class ProtocolError(ReasonedError):
    """A peer broke a rule of its protocol; its connection cannot go on.

    `close_code` names the fault as RFC 6455, 7.4.1 does, also for dialects that have no codes.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(reason, message)
        self.close_code = reason.code if reason.group is Group.ENDED else _PROTOCOL_ERROR
        """the code of the reason, or 1002"""


class HttpRefusal(ReasonedError):  # noqa: N818  it is an answer
    """A handshake that cannot succeed, whichever side made the mistake.

    In the server role `status` and `headers` are the HTTP answer to give. The message says what was wrong with the
    request, and nothing about the gateway.
    """

    status: int

    def __init__(
        self, reason: Reason, message: str, headers: tuple[tuple[str, str], ...] = (), status: int = 0
    ) -> None:
        """Take the headers of the answer, and its status where that is not the usual one of the reason."""
        super().__init__(reason, message)
        self.status = status or reason.code
        self.headers = headers


class ExhaustedError(HttpRefusal):
    """The gateway itself can connect to no server: it has no free descriptors, or no memory."""

    def __init__(self, why: str) -> None:
        super().__init__(Reason.OUT_OF_RESOURCES, why, (("Retry-After", "1"),))


class UpstreamError(ReasonedError):
    """The upstream cannot be used. The client gets only the `status` (502, 503 or 504) and the name of the reason."""

    status: int

    def __init__(self, reason: Reason, message: str, status: int = 0) -> None:
        """Take the status where that is not the usual one of the reason."""
        super().__init__(reason, message)
        self.status = status or reason.code

    @property
    def by_no_client(self) -> bool:
        """Whether no client can have caused it: the server cannot be connected to, by TLS if it has that."""
        return self.reason in _BY_NO_CLIENT

    @property
    def answered(self) -> bool:
        """Whether the server has answered, with a status that means that it cannot serve."""
        return self.reason is Reason.TARGET_UNAVAILABLE

    @property
    def used_all_time(self) -> bool:
        """Whether the time of the client is over, so that no other server can be tried."""
        return self.reason is Reason.TARGET_SILENT


class UntrustedError(ReasonedError):
    """A server did not show a pinned certificate. The text has the pin of its key, and the number of allowed pins."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.TARGET_PIN_DIFFERS, message)


class ClientDisconnectedError(ReasonedError):
    """The client closed its connection before it had a session, or sent no other request."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration file. Line and column count from 1; 0 is unknown."""

    file: str
    line: int
    column: int
    message: str
    key: str = field(default="", compare=False)
    """the path of the key, with which the message begins; empty if it is about no key"""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class SettingsError(ReasonedError):
    """A configuration that cannot be used, with all that is wrong with it, in the order of the file."""

    def __init__(self, problems: list[Problem], reason: Reason = Reason.FILE_INVALID) -> None:
        super().__init__(reason, "")
        self.args = ("\n".join(map(str, problems)),)  # in whole: it is the operator's own
        self.problems = problems


class BrokenFileError(SettingsError):
    """The same at the start of a gateway: starting it again is of no use until the file is corrected."""


class StartError(ReasonedError):
    """The workers cannot come up, or cannot take a configuration."""

    def __init__(self, message: str, reason: Reason = Reason.WORKER_FAILED) -> None:
        super().__init__(reason, "")
        self.args = (message,)  # as that of SettingsError


class HotRestartError(ReasonedError):
    """The new supervisor did not come up."""

    def __init__(self, message: str) -> None:
        super().__init__(Reason.HOT_RESTART_FAILED, message)


class CensusError(WsgatewayError):
    """A file of a census cannot be used; the message has its name."""

    def __init__(self, message: str, broken: bool = False) -> None:
        super().__init__(message)
        self.broken = broken
        """whether what is in it is damaged, so that it can never be used again"""


class RecordError(WsgatewayError):
    """A session has no record, or a record cannot be used; the text says what was seen and what is allowed."""


class SlowRegexError(WsgatewayError):
    """A pattern could take exponential time."""


class TooManyTracesError(WsgatewayError):
    """As many traces are running as may run at once."""


class ProbeError(WsgatewayError):
    """A probe request cannot be sent."""


class RecordingError(WsgatewayError):
    """A file is no recording of a session, or cannot be used as one; the text names the file."""


Error = TypeVar("Error", bound=Exception)


def detached(error: Error) -> Error:
    """Return an error without the frames in which it was raised, and without the one that it replaced.

    Frames refer to the error that they hold, so that only a garbage collection would free them. For errors that nobody
    raises again.
    """
    error.__traceback__ = error.__context__ = None
    return error
