"""The actions of a machine: what the opening of a session waits for.

An opening is a generator without input, output or waiting of its own. It yields one action at a time, and is resumed
with the result, or with the error that it raises. So each state of an opening is the action at which it stands:

    action     waits for                         result            errors that it raises
    Receive    bytes of a side                   bytes             OSError; those of its limit
    Send       a side to take bytes              None              OSError; those of its limit
    Reach      a connection to a target          a socket          UpstreamError, ExhaustedError
    Await      anything else, for which only a   of the function   of the function
               task can wait: a queue, a name,
               an exchange of plain HTTP

What may also happen meanwhile is said by the action: its limit has the deadline and what a drain of the gateway does;
`watched` is true where nobody reads the client, which may disconnect: then ClientDisconnectedError is raised.

Two drivers carry actions out: `in_loop`, by callbacks of the relay's loop, for sockets without TLS; and `in_task`, a
task of Trio, for everything. An opening may move from the first to the second between two actions.
"""

import math
import socket
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.serve.gateway import MakeError
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search

T = TypeVar("T")


@dataclass(slots=True)
class Limit:
    """The time for one or more actions, by Trio's clock."""

    deadline: float
    late: MakeError
    """makes the error that is raised then"""
    stopping: MakeError | None
    """makes the error that is raised if the gateway drains and the action is not done in time; None: a drain waits"""
    until: float = math.inf
    """how long a drain waits at the most"""


@dataclass(slots=True)
class Receive:
    """Receive bytes; none are the end of the stream."""

    channel: Channel
    limit: Limit
    watched: bool = False
    whole: bool = False
    """whether the end of the stream ends what it carries: over TLS it must then be a close_notify"""
    patience: float | None = None
    """how many seconds to wait before the result is None; None: as long as the limit allows"""
    limit_bytes: int = READ_BYTES


@dataclass(slots=True)
class Send:
    """Send all of the bytes."""

    channel: Channel
    data: bytes
    limit: Limit
    watched: bool = False


@dataclass(slots=True)
class Reach:
    """Connect to the target of a lease, as `Search.reach` does. The machine closes the socket."""

    search: Search
    lease: Lease
    seconds: float
    preface: bytes
    limit: Limit | None = None
    """None: as long as `Search.reach` takes"""
    watched: bool = False


@dataclass(slots=True)
class Await:
    """Call a function that waits."""

    call: Callable[[], Awaitable[Any]]
    watched: bool = False


Action = Receive | Send | Reach | Await
Machine = Generator[Action, Any, T]
"""yields actions, gets their results, and returns what it is for"""


def receive(
    channel: Channel, limit: Limit, *, watched: bool = False, whole: bool = False, limit_bytes: int = READ_BYTES
) -> Machine[bytes]:
    """Return the next bytes of a side; none at the end of its stream."""
    data: bytes = yield Receive(channel, limit, watched, whole, limit_bytes=limit_bytes)
    return data


def receive_soon(channel: Channel, limit: Limit, seconds: float) -> Machine[bytes | None]:
    """Return the next bytes of a side as `receive` does; None if nothing comes in so many seconds."""
    data: bytes | None = yield Receive(channel, limit, patience=seconds)
    return data


def reach(
    search: Search, lease: Lease, seconds: float, preface: bytes, limit: Limit | None = None, *, watched: bool = False
) -> Machine[socket.socket]:
    """Return a connection to the target of a lease, as `Search.reach` does."""
    sock: socket.socket = yield Reach(search, lease, seconds, preface, limit, watched)
    return sock


def wait_for(call: Callable[[], Awaitable[T]], *, watched: bool = False) -> Machine[T]:
    """Return what the function returns."""
    result: T = yield Await(call, watched)
    return result
