"""One side of an established session, as the relay sees it."""

import os
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import outcome

from wsgateway.dialects.base import Side, Step, Translator
from wsgateway.native import Lane, step
from wsgateway.net.outgoing import Outgoing, outgoing
from wsgateway.relay.closing import Ending
from wsgateway.wire.state import State

# A read of this size moves large transfers at the speed of the kernel, and bounds what one session can hold. A message
# of 64 KiB fits with its head: in one read it costs a quarter of what it costs in two.
MOST_READ_BYTES = 64 * 1024 + 16
# 64 KiB can hold 32768 empty messages, which take a tenth of a second. A side whose reads take longer than SLOW_SECONDS
# gets smaller reads, until they take less than FAST_SECONDS.
SLOW_SECONDS = 0.001
FAST_SECONDS = 0.0002
LEAST_READ_BYTES = 512


@dataclass(frozen=True, slots=True)
class EndpointState(State):
    """The state of one side."""

    received: int
    passed: int
    backlog: bytes
    reply: bytes
    held: int
    translator: State


class Endpoint(Lane):
    """One side of an established session: its socket, its dialect, its translator and its buffers.

    The counts that C keeps, too, are those of a `Lane`.
    """

    __slots__ = (
        "backlog", "early", "held", "interest", "on_end", "outgoing", "over", "paused", "peer", "reply", "side", "sock",
        "tls", "translator",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, side: Side, translator: Translator) -> None:
        super().__init__()
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
        self.over = False
        """whether its stream has ended, so that nothing more can come from it"""
        self.held = 0
        """how many bytes from it are held back until their message is complete"""
        # `received` counts the bytes that have come from it in the relay.
        self.peer: Endpoint
        """the other side, from `meet` until `forget_peer`"""
        self.outgoing: Outgoing | None = outgoing(sock)
        """the progress of what is sent to it; None: nothing is known beyond our own socket"""
        self.tls = sock if isinstance(sock, ssl.SSLSocket) else None
        # The other attributes belong to the engine.
        self.reply = b""  # waits for the backlog, and for the end of the frame that is being sent to this side
        self.interest: int | None = None  # the events that the epoll object reports; None: it is not registered
        self.read_bytes = MOST_READ_BYTES
        self.paused = False  # whether it is not read for some time
        self.on_end: OnEnd | None = None  # called at the end of the relay; None: there is none

    def state(self) -> EndpointState:
        """Return the state between two turns of the engine."""
        translator = self.translator.state()
        return EndpointState(self.received, self.passed, self.backlog, self.reply, self.held, translator)

    def resume(self, state: EndpointState) -> None:
        """Go on from a state, before the relay begins; who begins it counts what is held."""
        self.received, self.passed = state.received, state.passed
        self.backlog, self.reply = state.backlog, state.reply
        self.translator.resume(state.translator)

    def watch(self, epoll: select.epoll, interest: int) -> None:
        """Set the events that the engine's epoll object reports. With none, a cut connection is reported once."""
        if self.interest is None:
            epoll.register(self.sock, interest)
        elif self.interest != interest:
            epoll.modify(self.sock, interest or select.EPOLLET)
        self.interest = interest

    def unwatch(self, epoll: select.epoll) -> None:
        """Have no more events reported; do nothing if that has been done."""
        if self.interest is not None:
            self.interest = None
            epoll.unregister(self.sock)

    def prepare(self) -> None:
        """Have C read this side, when it is open, if both connections are plain. The other side must be set."""
        plan = self.translator.plan
        plain = type(self.sock) is type(self.peer.sock) is socket.socket  # no TLS, and no trace that must see all bytes
        if step is not None and plan is not None and plain:
            self.equip(self.sock.fileno(), self.peer.sock.fileno(), plan)
            self.reopen()

    def reopen(self) -> None:
        """Open this side for C if it is read, nothing waits for the other side, and its translator is at rest."""
        if self.equipped:
            waits = self.on_end is None or self.paused or self.peer.backlog or self.peer.reply
            self.open = not waits and self.translator.at_rest
            self.left = self.translator.unfinished() or 0

    def read_size(self) -> int:
        """Return the size of the next read in Python: up to the end of a frame, if C can go on after it."""
        unfinished = self.translator.unfinished() if self.equipped else None
        return min(self.read_bytes, unfinished) if unfinished else self.read_bytes

    def adapt_reads(self, size: int, seconds: float) -> None:
        """Make the next reads smaller or larger, after so many bytes have taken so long."""
        if seconds > SLOW_SECONDS:
            self.read_bytes = max(LEAST_READ_BYTES, size // 4)
        elif seconds < FAST_SECONDS:
            self.read_bytes = min(2 * self.read_bytes, MOST_READ_BYTES)

    def finish(self) -> Step:
        """Return the step at the end of its stream, as `Translator.finish` does."""
        self.over = True
        return self.translator.finish()

    def silent_end(self) -> OSError | bool:
        """Return the error that has cut the connection, or whether its stream has ended; not if bytes are unread."""
        if self.tls is not None:  # TLS has no way to look for unread bytes
            number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return OSError(number, os.strerror(number)) if number else False
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError as error:
            return error

    @property
    def messages(self) -> int:
        """How many messages from it have been passed on completely, by Python and by C."""
        return self.translator.messages + self.passed

    def meet(self, other: "Endpoint") -> None:
        """Make this side and another one the two sides of a session."""
        self.peer, other.peer = other, self

    def forget_peer(self) -> None:
        """Forget the other side after the session, and have it forget this one.

        Objects that refer to each other are freed by a garbage collection only, and a full one takes long.
        """
        del self.peer.peer, self.peer


@dataclass(slots=True)
class Ended:
    """The end of a relay. The backlogs of both endpoints are still to be sent."""

    source: Endpoint | None
    """the side that ended it; None if the gateway did"""
    ending: Ending


OnEnd = Callable[["outcome.Outcome[Ended]"], None]
"""called once after the end of a relay, at the end of a turn of the engine, which uses its sockets no longer; it must
not raise"""
