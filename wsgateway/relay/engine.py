"""The loop that moves the bytes of all established sessions of a process.

One Trio task waits on an epoll object of its own, then serves every socket that is ready with plain function calls:
a task and a wait for each would cost several times what the bytes cost. Registration is level-triggered.

Nothing is queued. What a send leaves over is the receiver's backlog, and its sender is not read until that is out; so
a slow reader costs one read in its encoded form, and the kernel's buffers. Beside it there is room for one reply of
ours, and the newest wins.
"""

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import NoReturn

import outcome
import trio

from wsgateway.dialects.base import Side, Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.closing import Ending
from wsgateway.wire.events import Close, Role

# A read this large carries a bulk transfer at the speed of the kernel, and bounds what one session can hold.
READ_BYTES = 64 * 1024
# Sockets served between two of Trio's checkpoints: each gets one read a turn, so nobody waits long for anybody.
MAX_EVENTS = 64
# 64 KiB can hold 32768 empty messages, which take a tenth of a second. A side whose reads take longer than this gets
# smaller ones, until they do not.
SLOW_SECONDS = 0.001
FAST_SECONDS = 0.0002
LEAST_READ_BYTES = 512
# Up to this size what a turn has read is sent at its end, in one go: receivers that are still awake from the send
# before need not be woken again, which costs more than the bytes.
SMALL_BYTES = 4096

_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_CUT = select.EPOLLERR
_ONCE = select.EPOLLET


class Endpoint:
    """One side of an established session."""

    __slots__ = (
        "_interest", "_read_bytes", "_reply", "_run",
        "backlog", "early", "peer", "received", "side", "sock", "translator",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, side: Side, translator: Translator) -> None:
        self.sock = sock
        """non-blocking, connected; it belongs to the caller, who closes it after the relay"""
        self.side = side
        """what we speak to it"""
        self.translator = translator
        """for the bytes that come from it"""
        self.early = b""
        """what came from it behind its handshake: the first bytes of the relay"""
        self.backlog = b""
        """what could not be sent to it yet"""
        self.received = 0
        """bytes that have come from it in the relay"""
        self.peer = self
        """the other side, from the start of the relay on"""
        self._reply = b""  # waits for the backlog, if there is one
        self._interest: int | None = None  # what the epoll object watches it for; None: it is not registered
        self._read_bytes = READ_BYTES
        self._run: _Run | None = None


@dataclass(slots=True)
class Ended:
    """Why a relay ended. Both endpoints' backlogs are still to be sent."""

    source: Endpoint | None
    """the side that ended it; None if we did"""
    ending: Ending


@dataclass(slots=True)
class _Run:
    """A relay that is under way, and the task that waits for its end (none while it is set up)."""

    task: trio.lowlevel.Task | None = None
    ended: Ended | None = None

    def abort(self, _: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
        """Trio cancels the task, and wakes it itself: nobody else may."""
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Engine:
    """Moves bytes between pairs of endpoints until one of them ends it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._endpoints: dict[int, Endpoint] = {}
        self._small: list[tuple[Endpoint, bytes]] = []  # to be sent at the end of this turn
        self.stopping = False
        """whether relays end as soon as they begin"""

    def __len__(self) -> int:
        """How many relays are under way."""
        return len(self._endpoints) // 2

    async def run(self) -> NoReturn:
        """Moves bytes for ever; cancel it to stop."""
        fileno, poll, endpoints = self._epoll.fileno(), self._epoll.poll, self._endpoints
        while True:
            await trio.lowlevel.wait_readable(fileno)
            for fd, events in poll(0, MAX_EVENTS):
                endpoint = endpoints.get(fd)
                if endpoint is None:
                    continue  # its session ended in this turn
                try:
                    if events & _OUT:
                        self._write(endpoint)
                    if events != _OUT:
                        self._read(endpoint, events)
                except Exception as bug:  # noqa: BLE001  a bug of ours costs its own session, whose task raises it
                    self._leave(endpoint, outcome.Error(bug))
            self._send_small()

    async def relay(self, client: Endpoint, upstream: Endpoint) -> Ended:
        """Moves bytes between two sides until one of them ends the session, or `stop` is called.

        What came behind the handshakes goes first. When this returns or raises, cancelled or not, the engine has let
        go of both sockets.
        """
        client.peer, upstream.peer = upstream, client
        if self.stopping:
            return Ended(None, None)
        run = _Run()
        try:
            for endpoint in (client, upstream):
                endpoint._run = run
                self._endpoints[endpoint.sock.fileno()] = endpoint
                self._watch(endpoint, _IN)
            for endpoint in (upstream, client):
                if endpoint.early and run.ended is None:
                    endpoint.received += len(endpoint.early)
                    self._apply(endpoint, endpoint.translator.feed(endpoint.early))
                    endpoint.early = b""
            self._send_small()
            if run.ended is None:
                run.task = trio.lowlevel.current_task()
                run.ended = await trio.lowlevel.wait_task_rescheduled(run.abort)
            assert run.ended is not None, "a task is only rescheduled with its end"
            return run.ended
        finally:
            self._forget(client)

    def stop(self) -> None:
        """Ends every relay, and those to come at once."""
        self.stopping = True
        for endpoint in list(self._endpoints.values()):
            if endpoint.side.role is Role.SERVER:
                self._leave(endpoint, outcome.Value(Ended(None, None)))

    # -- what one socket's readiness leads to; none of this waits ----------------------------------------------

    def _read(self, endpoint: Endpoint, events: int) -> None:
        if endpoint.peer.backlog:  # read on when that is out
            self._watch(endpoint, (endpoint._interest or 0) & _OUT)
            if events & _CUT:
                self._end_if_silent(endpoint)
            return
        try:
            data = endpoint.sock.recv(endpoint._read_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(endpoint, error)
            return
        size = len(data)
        endpoint.received += size
        if size < LEAST_READ_BYTES:
            self._apply(endpoint, endpoint.translator.feed(data) if data else endpoint.translator.finish())
            return
        begun = perf_counter()
        step = endpoint.translator.feed(data)
        seconds = perf_counter() - begun
        if seconds > SLOW_SECONDS:
            endpoint._read_bytes = max(LEAST_READ_BYTES, size // 4)
        elif seconds < FAST_SECONDS and endpoint._read_bytes < READ_BYTES:
            endpoint._read_bytes *= 2
        self._apply(endpoint, step)

    def _end_if_silent(self, endpoint: Endpoint) -> None:
        """A side is cut while it is not read: the end, unless what it said before is still to be heard."""
        try:
            if endpoint.sock.recv(1, socket.MSG_PEEK):
                return
        except BlockingIOError:
            return
        except OSError as error:
            self._end(endpoint, error)
        else:
            self._apply(endpoint, endpoint.translator.finish())

    def _apply(self, endpoint: Endpoint, step: Step) -> None:
        if len(step.forward) > SMALL_BYTES:
            self._send(endpoint.peer, step.forward)
        elif step.forward:
            self._small.append((endpoint.peer, step.forward))
        if step.reply:
            if endpoint.backlog:
                endpoint._reply = step.reply
            else:
                self._send(endpoint, step.reply)
        if step.ending is not None:
            self._end(endpoint, step.ending)

    def _send_small(self) -> None:
        for endpoint, data in self._small:
            self._send(endpoint, data)
        self._small.clear()

    def _send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends, or adds to the backlog. The relay may have ended in this turn: then its task sends the rest."""
        sent = 0
        if not endpoint.backlog:
            try:
                sent = endpoint.sock.send(data)
            except BlockingIOError:
                pass
            except OSError:  # it is gone; what it said before is still to be read, and tells how it ended
                return
        if sent < len(data):
            endpoint.backlog += data[sent:]
            if endpoint._run is not None:
                self._watch(endpoint, (endpoint._interest or 0) | _OUT)

    def _write(self, endpoint: Endpoint) -> None:
        """Sends more of the backlog; when it is out, the reply; when that is out, the other side is read again."""
        backlog, endpoint.backlog = endpoint.backlog, b""
        self._send(endpoint, backlog)
        if endpoint._reply and not endpoint.backlog:
            reply, endpoint._reply = endpoint._reply, b""
            self._send(endpoint, reply)
        if not endpoint.backlog:
            self._watch(endpoint, (endpoint._interest or 0) & ~_OUT)
            self._watch(endpoint.peer, (endpoint.peer._interest or 0) | _IN)

    def _watch(self, endpoint: Endpoint, interest: int) -> None:
        """Sets what an endpoint is watched for. One that waits for nothing learns once that it is cut, not for ever."""
        fd, before = endpoint.sock.fileno(), endpoint._interest
        if before is None:
            self._epoll.register(fd, interest)
        elif before != interest:
            self._epoll.modify(fd, interest or _ONCE)
        endpoint._interest = interest

    def _end(self, endpoint: Endpoint, ending: Close | ProtocolError | OSError) -> None:
        self._leave(endpoint, outcome.Value(Ended(endpoint, ending)))

    def _leave(self, endpoint: Endpoint, result: outcome.Value[Ended] | outcome.Error) -> None:
        run = endpoint._run
        self._forget(endpoint)
        if run is not None and run.task is not None:
            trio.lowlevel.reschedule(run.task, result)
        elif run is not None and isinstance(result, outcome.Value):
            run.ended = result.value

    def _forget(self, endpoint: Endpoint) -> None:
        """Lets go of both sides; harmless if that has happened."""
        for each in (endpoint, endpoint.peer):
            if each._run is not None:
                fd = each.sock.fileno()
                if each._interest is not None:
                    self._epoll.unregister(fd)
                    each._interest = None
                self._endpoints.pop(fd, None)
                each._run = None
