"""One side of an established session, as the relay sees it."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import trio

from wsgateway.dialects.base import Side, Translator
from wsgateway.net.outgoing import Outgoing, outgoing
from wsgateway.relay.closing import Ending

# A read of this size moves large transfers at the speed of the kernel, and bounds what one session can hold.
MOST_READ_BYTES = 64 * 1024


class Endpoint:
    """One side of an established session: its socket, its dialect, its translator and its buffers."""

    __slots__ = (
        "backlog", "early", "held", "interest", "outgoing", "paused", "peer", "read_bytes", "received", "reply", "run",
        "side", "sock", "tls", "translator",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, side: Side, translator: Translator) -> None:
        self.sock = sock
        """non-blocking, connected, plain or TLS; it belongs to the caller, who closes it after the relay"""
        self.side = side
        """the framing and our role towards it"""
        self.translator = translator
        """the translator of the bytes that come from it"""
        self.early = b""
        """bytes that came after its handshake: the first bytes of the relay"""
        self.backlog = b""
        """bytes that could not be sent to it yet"""
        self.held = 0
        """how many bytes from it are held back until their message is complete"""
        self.received = 0
        """how many bytes have come from it in the relay"""
        self.peer = self
        """the other side, set when the relay starts"""
        self.outgoing: Outgoing | None = outgoing(sock)
        """the progress of what is sent to it; None: nothing is known beyond our own socket"""
        self.tls = sock if isinstance(sock, ssl.SSLSocket) else None
        # The other attributes belong to the engine.
        self.reply = b""  # waits for the backlog, and for the end of the frame that is being sent to this side
        self.interest: int | None = None  # the events that the epoll object reports; None: it is not registered
        self.read_bytes = MOST_READ_BYTES
        self.paused = False  # whether it is not read for some time
        self.run: Run | None = None


@dataclass(slots=True)
class Ended:
    """The end of a relay. The backlogs of both endpoints are still to be sent."""

    source: Endpoint | None
    """the side that ended it; None if the gateway did"""
    ending: Ending


@dataclass(slots=True)
class Run:
    """A running relay, and the task that waits for its end (none while it is being set up)."""

    task: trio.lowlevel.Task | None = None
    ended: Ended | None = None

    def abort(self, _: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Let Trio cancel and wake the task, which the engine must not reschedule after that."""
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED
