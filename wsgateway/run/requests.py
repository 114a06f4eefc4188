"""The requests at the control socket of a running gateway, and their answers.

A request is one line of JSON, and its answer is another; then the gateway closes the connection. Lines are bounded.

    {"command": "reload"}
    {"ok": false, "findings": ["/etc/wsgateway/wsgateway.yaml:7:15: ..."], "facts": {}}
"""

import json
import os
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


def default_address() -> UnixAddress:
    """Return the address of the control socket if no configuration names one."""
    directory = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]  # systemd may name several
    return UnixAddress(os.path.join(directory or DIRECTORY, "control.sock"))


async def read_line(stream: trio.abc.ReceiveStream, most_bytes: int) -> bytes | None:
    """Read a line and return it without its end. None if the stream ends before. Raise ValueError for a longer one."""
    line = bytearray()
    while b"\n" not in line:
        if len(line) > most_bytes:
            raise ValueError(f"a line of {len(line)} bytes or more, at most {most_bytes} are allowed")
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            return None
        line += data
    return bytes(line.partition(b"\n")[0])


def line_of(said: ControlRequest | ControlAnswer) -> bytes:
    """Return a request or an answer as its line."""
    return json.dumps(asdict(said)).encode() + b"\n"


async def request_gateway(address: UnixAddress, request: ControlRequest) -> ControlAnswer:
    """Send a request to a control socket, and return the answer. Raise OSError if there is none."""
    async with await trio.open_unix_socket(address.path) as stream:
        try:
            await stream.send_all(line_of(request))
            line = await read_line(stream, ANSWER_BYTES)
        except trio.BrokenResourceError:
            line = None
        except ValueError as error:
            raise OSError(str(error)) from None
    if line is None:
        raise OSError("the gateway hung up before it answered")
    try:
        return shaped(ControlAnswer, json.loads(line))
    except ValueError:
        raise OSError("this is no gateway's control socket") from None
