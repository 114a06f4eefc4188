"""The loop that moves the bytes of all established sessions of a process.

One Trio task waits on an epoll object of its own, then serves every socket that is ready with plain function calls:
a task and a wait for each would cost several times what the bytes cost. Registration is level-triggered.

Nothing is queued. What a send leaves over is the receiver's backlog, and its sender is not read until that is out; so
a slow reader costs one read in its encoded form, and the kernel's buffers. Beside it there is room for one reply of
ours, and the newest wins. What translators hold back of messages is counted, and bounded for all sessions together.
"""

import os
import select
import socket
import ssl
from collections import deque
from collections.abc import Iterator
from time import perf_counter
from typing import NoReturn

import outcome
import trio

from wsgateway.dialects.base import Step
from wsgateway.errors import ProtocolError
from wsgateway.net.failure import is_gone
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import READ_BYTES, Ended, Endpoint, Run
from wsgateway.relay.join_memory import JoinMemory
from wsgateway.relay.timer import FOR_EVER, RelayTimeouts, SessionTimer
from wsgateway.wire.closecodes import TRY_AGAIN_LATER
from wsgateway.wire.events import Close, Role
from wsgateway.wire.masking import mask_keys

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

# Every session is looked at once in this time, some of them in each of so many parts of it.
LOOK_SECONDS = 1.0
LOOKS = 8

# What a TLS socket says instead of EAGAIN.
_WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_CUT = select.EPOLLERR
_EDGE_TRIGGERED = select.EPOLLET


class Engine:
    """Moves bytes between pairs of endpoints until one of them ends it."""

    def __init__(self) -> None:
        self._mask_keys = mask_keys(os.urandom)
        self._epoll = select.epoll()
        self._watches: deque[SessionTimer] = deque()
        self._decrypted: list[Endpoint] = []  # whose TLS holds bytes that the kernel knows nothing of
        self._paused: list[tuple[float, Endpoint]] = []  # and until when
        self._endpoints: dict[int, Endpoint] = {}
        self._small: list[tuple[Endpoint, bytes]] = []  # to be sent at the end of this turn
        self.join_memory = JoinMemory()
        """what is held back of messages, in all sessions together"""
        self.turned = 0.0
        """when the loop has answered last; it is asked with every look"""

    def __len__(self) -> int:
        """How many relays are under way."""
        return len(self._endpoints) // 2

    async def run(self) -> NoReturn:
        """Moves bytes for ever; cancel it to stop."""
        self.turned = trio.current_time()
        bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(bell, _IN | _EDGE_TRIGGERED)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._look, bell)
                await self._move(bell)
        finally:
            os.close(bell)

    async def _move(self, bell: int) -> NoReturn:
        fileno, poll, endpoints = self._epoll.fileno(), self._epoll.poll, self._endpoints
        while True:
            if self._decrypted:
                await trio.lowlevel.checkpoint()
            else:
                await trio.lowlevel.wait_readable(fileno)
            for fd, events in poll(0, MAX_EVENTS):
                endpoint = endpoints.get(fd)
                if endpoint is not None:
                    self._serve(endpoint, events)
                elif fd == bell:  # else a session that has ended in this turn
                    self.turned = trio.current_time()
            if self._decrypted:
                ready, self._decrypted = self._decrypted, []
                for endpoint in ready:
                    if endpoint.run is not None and not endpoint.paused:
                        self._send_small()  # it may have been read in this turn already
                        self._serve(endpoint, _IN)
            self._send_small()

    def _serve(self, endpoint: Endpoint, events: int) -> None:
        try:
            if events & _OUT:
                self._write(endpoint)
            if events != _OUT:
                self._read(endpoint, events)
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own session, whose task raises it
            self._leave(endpoint, outcome.Error(bug))

    async def _look(self, bell: int) -> NoReturn:
        """Looks at some sessions at a time, for those in which nothing happens, and asks whether the loop turns."""
        while True:
            await trio.sleep(LOOK_SECONDS / LOOKS)
            os.eventfd_write(bell, 1)
            now = trio.current_time()
            self._end_pauses(now)
            for _ in range(-(-len(self._watches) // LOOKS)):
                timer = self._watches.popleft()
                if timer.client.run is None:
                    continue
                try:
                    ended = timer.look(now, self._mask_keys, self._send)
                except Exception as bug:  # noqa: BLE001  as in `_serve`
                    self._leave(timer.client, outcome.Error(bug))
                    continue
                if ended is None:
                    self._watches.append(timer)
                else:
                    self._leave(timer.client, outcome.Value(ended))

    def _end_pauses(self, now: float) -> None:
        relayed = [each for each in self._paused if each[1].run is not None]
        self._paused = [each for each in relayed if each[0] > now]
        for endpoint in (endpoint for when, endpoint in relayed if when <= now):
            endpoint.paused = False
            if not endpoint.peer.backlog:
                self._timer(endpoint, (endpoint.interest or 0) | _IN)
                try:
                    self._drain(endpoint)
                except Exception as bug:  # noqa: BLE001  as in `_serve`
                    self._leave(endpoint, outcome.Error(bug))

    async def relay(self, client: Endpoint, upstream: Endpoint, relay_timeouts: RelayTimeouts = FOR_EVER) -> Ended:
        """Moves bytes between two sides until one of them ends it, the patience with them is over, or we `dismiss` it.

        What came behind the handshakes goes first. When this returns or raises, cancelled or not, the engine has let
        go of both sockets.
        """
        client.peer, upstream.peer = upstream, client
        run = Run()
        try:
            for endpoint in (client, upstream):
                endpoint.run = run
                self._endpoints[endpoint.sock.fileno()] = endpoint
                self._timer(endpoint, _IN)
            for endpoint in (upstream, client):
                if endpoint.early and run.ended is None:
                    endpoint.received += len(endpoint.early)
                    self._apply(endpoint, endpoint.translator.feed(endpoint.early))
                    endpoint.early = b""
            self._send_small()
            if relay_timeouts != FOR_EVER:
                self._watches.append(SessionTimer(client, upstream, relay_timeouts, trio.current_time()))
            for endpoint in (client, upstream):
                self._drain(endpoint)
            if run.ended is None:
                run.task = trio.lowlevel.current_task()
                run.ended = await trio.lowlevel.wait_task_rescheduled(run.abort)
            assert run.ended is not None, "a task is only rescheduled with its end"
            return run.ended
        finally:
            self._forget(client)

    def pause(self, endpoint: Endpoint, seconds: float) -> None:
        """Leaves a side unread for so long, roughly."""
        endpoint.paused = True
        if endpoint.run is not None:
            self._timer(endpoint, (endpoint.interest or 0) & ~_IN)
        self._paused.append((trio.current_time() + seconds, endpoint))

    def clients(self) -> Iterator[Endpoint]:
        """The clients of all relays, the oldest first. No relay may begin or end until this is at its end."""
        return (endpoint for endpoint in self._endpoints.values() if endpoint.side.role is Role.SERVER)

    def dismiss(self, client: Endpoint, server_close: ServerClose) -> None:
        """Ends a relay; nothing if it has ended."""
        self._leave(client, outcome.Value(Ended(None, server_close)))

    # -- what one socket's readiness leads to; none of this waits ----------------------------------------------

    def _read(self, endpoint: Endpoint, events: int) -> None:
        if endpoint.peer.backlog:  # read on when that is out
            self._timer(endpoint, (endpoint.interest or 0) & _OUT)
            if events & _CUT:
                self._end_if_silent(endpoint)
            return
        try:
            data = endpoint.sock.recv(endpoint.read_bytes)
        except BlockingIOError:
            return
        except OSError as error:
            if isinstance(error, _WOULD_BLOCK):
                return
            if endpoint.tls is None or not is_gone(error):
                self._end(endpoint, error)
                return
            data = b""
        if endpoint.tls is not None and endpoint.tls.pending():
            self._decrypted.append(endpoint)
        size = len(data)
        endpoint.received += size
        if size < LEAST_READ_BYTES:
            self._apply(endpoint, endpoint.translator.feed(data) if data else endpoint.translator.finish())
            return
        begun = perf_counter()
        step = endpoint.translator.feed(data)
        seconds = perf_counter() - begun
        if seconds > SLOW_SECONDS:
            endpoint.read_bytes = max(LEAST_READ_BYTES, size // 4)
        elif seconds < FAST_SECONDS and endpoint.read_bytes < READ_BYTES:
            endpoint.read_bytes *= 2
        self._apply(endpoint, step)

    def _end_if_silent(self, endpoint: Endpoint) -> None:
        """A side is cut while it is not read: the end, unless what it said before is still to be heard."""
        if endpoint.tls is not None:  # there is no looking ahead in TLS
            number = endpoint.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self._end(endpoint, OSError(number, os.strerror(number)))
            return
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
            endpoint.reply = step.reply
            self._send_reply(endpoint)
        if endpoint.peer.reply:
            self._send_reply(endpoint.peer)
        if step.ending is not None:
            self._end(endpoint, step.ending)
        elif step.held or endpoint.held:
            self._hold(endpoint, step.held)

    def _send_small(self) -> None:
        for endpoint, data in self._small:
            self._send(endpoint, data)
        self._small.clear()

    def _hold(self, endpoint: Endpoint, size: int) -> None:
        """Counts what is held back of a side's message; what there is no room for leaves, the oldest first."""
        join_memory = self.join_memory
        join_memory.hold(endpoint, size)
        if not join_memory.full:
            return
        self._send_small()  # what has left before, in this turn
        for oldest, data in join_memory.make_room():
            self._send(oldest.peer, data)
        if join_memory.full and endpoint.held:
            bound = f"{join_memory.held_bytes} bytes of messages are held back, the bound is {join_memory.most_bytes}"
            self._end(endpoint, ProtocolError(f"no room for a message to be joined: {bound}", TRY_AGAIN_LATER))

    def _send_reply(self, endpoint: Endpoint) -> None:
        """Sends the reply that waits for a side, once the frame that the side is getting has ended."""
        if not endpoint.peer.translator.inside():
            self._send_small()  # what this turn has for it already comes before
            if not endpoint.backlog:
                reply, endpoint.reply = endpoint.reply, b""
                self._send(endpoint, reply)

    def _send(self, endpoint: Endpoint, data: bytes) -> None:
        """Sends, or adds to the backlog. The relay may have ended in this turn: then its task sends the rest."""
        sent = 0
        if not endpoint.backlog:
            try:
                sent = endpoint.sock.send(data)
            except BlockingIOError:
                pass
            except OSError as error:
                if not isinstance(error, _WOULD_BLOCK):
                    return  # it is gone; what it said before is still to be read, and tells how it ended
        if sent < len(data):
            endpoint.backlog += data[sent:]
            if endpoint.run is not None:
                self._timer(endpoint, (endpoint.interest or 0) | _OUT)

    def _write(self, endpoint: Endpoint) -> None:
        """Sends more of the backlog; when it is out, the reply; when that is out, the other side is read again."""
        backlog, endpoint.backlog = endpoint.backlog, b""
        self._send(endpoint, backlog)
        if endpoint.reply:
            self._send_reply(endpoint)
        if not endpoint.backlog:
            self._timer(endpoint, (endpoint.interest or 0) & ~_OUT)
            if not endpoint.peer.paused:
                self._timer(endpoint.peer, (endpoint.peer.interest or 0) | _IN)
                self._resume(endpoint.peer)

    def _resume(self, endpoint: Endpoint) -> None:
        """Has what TLS has decrypted already read on: the kernel will not say that it is there."""
        if endpoint.tls is not None and endpoint.tls.pending():
            self._decrypted.append(endpoint)

    def _drain(self, endpoint: Endpoint) -> None:
        """Reads what TLS has decrypted already, outside of a turn: nothing would wake the loop for it."""
        tls = endpoint.tls
        while tls is not None and endpoint.run and tls.pending() and not (endpoint.peer.backlog or endpoint.paused):
            self._read(endpoint, _IN)
            self._send_small()

    def _timer(self, endpoint: Endpoint, interest: int) -> None:
        """Sets what an endpoint is watched for. One that waits for nothing learns once that it is cut, not for ever."""
        fd, before = endpoint.sock.fileno(), endpoint.interest
        if before is None:
            self._epoll.register(fd, interest)
        elif before != interest:
            self._epoll.modify(fd, interest or _EDGE_TRIGGERED)
        endpoint.interest = interest

    def _end(self, endpoint: Endpoint, ending: Close | ProtocolError | OSError) -> None:
        self._leave(endpoint, outcome.Value(Ended(endpoint, ending)))

    def _leave(self, endpoint: Endpoint, result: outcome.Value[Ended] | outcome.Error) -> None:
        run = endpoint.run
        self._forget(endpoint)
        if run is not None and run.task is not None:
            trio.lowlevel.reschedule(run.task, result)
        elif run is not None and isinstance(result, outcome.Value):
            run.ended = result.value

    def _forget(self, endpoint: Endpoint) -> None:
        """Lets go of both sides; harmless if that has happened."""
        for each in (endpoint, endpoint.peer):
            if each.held:
                self.join_memory.hold(each, 0)
            if each.run is not None:
                fd = each.sock.fileno()
                if each.interest is not None:
                    self._epoll.unregister(fd)
                    each.interest = None
                self._endpoints.pop(fd, None)
                each.run = None
