"""Everything that wsgateway raises on purpose.

    WsgatewayError
    |-- ProtocolError     a peer broke the framing of its dialect    carries a close code
    |-- HttpRefusal       a handshake that cannot succeed            carries an HTTP status
    |-- UpstreamError     the upstream is down, silent or wrong      carries an HTTP status
    |-- SettingsError     a configuration that cannot be used        carries every problem found
    |   `-- BrokenFileError    at the start of a gateway
    |-- ClientDisconnectedError  a client gone before it had a session (serve.preamble)
    |-- StartError        workers that cannot come up                (run.worker_pool)
    |-- HotRestartError   a new supervisor that does not serve       (run.hot_restart)
    `-- ProbeError        a question that cannot be asked            (probe.client)

An error carries what is needed to answer it, so no caller asks for its type twice. Anything else that
escapes is a bug of ours and keeps its traceback.
"""

from dataclasses import dataclass
from typing import Literal

Failure = Literal["unreachable", "cut", "silent", "answer"]
"""how a target failed: no connection to it, with TLS if it has that; it hung up after a request, or its answer is none;
no answer in time; or a status by which it says that it cannot serve"""

# Of what a peer says, an error, an answer and a line of the log hold so much, however long the peer makes it.
BRIEF_CHARACTERS = 200
_CUT = " [...] "


def brief(text: str, most: int = BRIEF_CHARACTERS) -> str:
    """Return a text with at most so many characters, which must be 20 or more.

    A longer one is cut in the middle: its beginning says what it is about, and its end often what was allowed.
    """
    if len(text) <= most:
        return text
    tail = most // 4 - len(_CUT) // 2
    return text[: most - tail - len(_CUT)] + _CUT + text[-tail:]


class WsgatewayError(Exception):
    """The base of all errors that wsgateway raises on purpose."""


class ProtocolError(WsgatewayError):
    """A peer broke the framing of its dialect; its connection cannot go on.

    `close_code` names the fault as RFC 6455, 7.4.1 does, also for dialects that have no codes.
    """

    def __init__(self, message: str, close_code: int = 1002) -> None:
        super().__init__(brief(message))
        self.close_code = close_code


class HttpRefusal(WsgatewayError):  # noqa: N818  it is an answer
    """A handshake that cannot succeed, whichever side made the mistake.

    In the server role `status` and `headers` are the HTTP answer to give, and the message is fit to be
    its text: it names what was wrong with the request, and nothing of ours. `kind` is one word of few, to count by.
    """

    def __init__(
        self, message: str, status: int = 400, headers: tuple[tuple[str, str], ...] = (), kind: str = "request"
    ) -> None:
        super().__init__(brief(message))
        self.status = status
        self.headers = headers
        self.kind = kind
        self.remark = ""
        """what the log says beside the message, and the peer is not told"""


class UpstreamError(WsgatewayError):
    """The upstream cannot be used. `status` (502, 503 or 504) is what the client is told, and no more."""

    def __init__(self, message: str, status: int = 502, failure: Failure = "cut") -> None:
        super().__init__(brief(message))
        self.status = status
        self.failure: Failure = failure


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration file. Line and column count from 1; 0 is unknown."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class SettingsError(WsgatewayError):
    """A configuration that cannot be used, with all that is wrong with it, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class BrokenFileError(SettingsError):
    """The same at the start of a gateway: to start it again is of no use until somebody has mended the file."""
