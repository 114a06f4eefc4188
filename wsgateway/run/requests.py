"""The requests at the control socket of a running gateway, and their answers.

A request is one line of JSON. What it asks for comes in any number of lines with items. The last line is the answer,
and then the gateway closes the connection. Lines are bounded. `request_kinds` has all requests.

    {"command": "sessions", "arguments": {"dialect": "hixie-76"}}
    {"items": [{"id": "1-7", "client": "192.0.2.7:50123", "dialect": "hixie-76", "route": "chat"}]}
    {"ok": true, "findings": [], "facts": {"matching": 1, "open": 2}}
"""

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

import trio

from wsgateway.observe.shape import shaped
from wsgateway.settings.basics import UnixAddress

REQUEST_BYTES = 64 * 1024
# A file with thousands of wrong routes has thousands of findings.
ANSWER_BYTES = 16 * 1024 * 1024
MOST_FINDINGS = 10_000
# The directory for sockets in the systemd unit, if systemd names no other.
DIRECTORY = "/run/wsgateway"
_READ_BYTES = 65536

Fact = str | int | float | bool
Item = dict[str, Fact]
"""one of the things that were asked for, such as a session: its facts by their names"""
Send = Callable[[list[Item]], Awaitable[None]]
"""sends items to who asks. It waits until there is room, so who calls it keeps nothing back"""


@dataclass(frozen=True)
class ControlRequest:
    """A command with its arguments."""

    command: str
    arguments: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class ControlAnswer:
    """The result of a command."""

    ok: bool
    findings: list[str] = field(default_factory=list)
    """sentences for people: the reasons of a failure, or warnings"""
    facts: dict[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class _Items:
    """A line before the answer."""

    items: list[Item]


def refused(*findings: str, **facts: Fact) -> ControlAnswer:
    """Return the answer that something was not done, and why."""
    return ControlAnswer(ok=False, findings=list(findings), facts=facts)


def default_address() -> UnixAddress:
    """Return the address of the control socket if no configuration names one."""
    directory = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]  # systemd may name several
    return UnixAddress(os.path.join(directory or DIRECTORY, "control.sock"))


class LineReader:
    """The lines of a stream, each of bounded length."""

    def __init__(self, stream: trio.abc.ReceiveStream, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._received = bytearray()

    async def next(self) -> bytes | None:
        """Return the next line without its end; None if the stream ends before. Raise ValueError for a longer one."""
        looked = 0
        while (end := self._received.find(b"\n", looked)) < 0:
            looked = len(self._received)
            if looked > self._most_bytes:
                raise ValueError(f"a line of {looked} bytes or more, at most {self._most_bytes} are allowed")
            data = await self._stream.receive_some(_READ_BYTES)
            if not data:
                return None
            self._received += data
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line


def line_of(said: ControlRequest | ControlAnswer) -> bytes:
    """Return a request or an answer as its line."""
    return _line(asdict(said))


def line_of_items(items: list[Item]) -> bytes:
    """Return items as their line."""
    return _line({"items": items})


def _line(said: dict[str, object]) -> bytes:
    return json.dumps(said).encode() + b"\n"


async def request_gateway(
    address: UnixAddress, request: ControlRequest, take: Callable[[list[Item]], object] = lambda items: None
) -> ControlAnswer:
    """Send a request to a control socket, and return the answer; `take` gets the items before it, as they come.

    Raise OSError if there is no answer.
    """
    async with await trio.open_unix_socket(address.path) as stream:
        try:
            await stream.send_all(line_of(request))
            lines = LineReader(stream, ANSWER_BYTES)
            while (said := _read(await lines.next())) is not None:
                if isinstance(said, ControlAnswer):
                    return said
                take(said.items)
        except trio.BrokenResourceError:
            pass
        except ValueError as error:
            raise OSError(str(error)) from None
    raise OSError("the gateway hung up before it answered")


def _read(line: bytes | None) -> ControlAnswer | _Items | None:
    if line is None:
        return None
    try:
        said = json.loads(line)
        if isinstance(said, dict) and "items" in said:
            return shaped(_Items, said)
        return shaped(ControlAnswer, said)
    except (ValueError, RecursionError):
        raise OSError("this is no gateway's control socket") from None
