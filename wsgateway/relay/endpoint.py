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

# A read this large carries a bulk transfer at the speed of the kernel, and bounds what one session can hold.
READ_BYTES = 64 * 1024


class Endpoint:
    """One side of an established session."""

    __slots__ = (
        "backlog", "early", "held", "interest", "outgoing", "paused", "peer", "read_bytes", "received", "reply", "run",
        "side", "sock", "tls", "translator",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, side: Side, translator: Translator) -> None:
        self.sock = sock
        """non-blocking, connected, plain or TLS; it belongs to the caller, who closes it after the relay"""
        self.side = side
        """what we speak to it"""
        self.translator = translator
        """for the bytes that come from it"""
        self.early = b""
        """what came from it behind its handshake: the first bytes of the relay"""
        self.backlog = b""
        """what could not be sent to it yet"""
        self.held = 0
        """bytes that have come from it, and are held back until their message is whole"""
        self.received = 0
        """bytes that have come from it in the relay"""
        self.peer = self
        """the other side, from the start of the relay on"""
        self.outgoing: Outgoing | None = outgoing(sock)
        """how far what it is sent has got; None: that cannot be known beyond our socket"""
        self.tls = sock if isinstance(sock, ssl.SSLSocket) else None
        # The rest is the engine's.
        self.reply = b""  # waits for the backlog, and for the end of the frame that is under way to it
        self.interest: int | None = None  # what the epoll object watches it for; None: it is not registered
        self.read_bytes = READ_BYTES
        self.paused = False  # whether it is not read for a while
        self.run: Run | None = None


@dataclass(slots=True)
class Ended:
    """Why a relay ended. Both endpoints' backlogs are still to be sent."""

    source: Endpoint | None
    """the side that ended it; None if we did"""
    ending: Ending


@dataclass(slots=True)
class Run:
    """A relay that is under way, and the task that waits for its end (none while it is set up)."""

    task: trio.lowlevel.Task | None = None
    ended: Ended | None = None

    def abort(self, _: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Trio cancels the task, and wakes it itself: nobody else may."""
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED
