"""The loop that moves the bytes of all established sessions of a process.

One Trio task waits on an epoll object of its own, then handles every ready socket by plain function calls. A task and a
wait for each socket would cost several times as much as moving the bytes. Registration is level-triggered.

Bytes of sessions come first. A beginning or an end of a session costs a hundred times as much as passing a message on,
and thousands may come at once, when a network fails: a turn makes a few of each (`watches`, `ends`).

Where there is a module in C (see `native`), it serves the sockets that are ready, and returns what is not usual: the
end of a stream, bytes that are no whole message, what a send does not accept. Without it all is handled here.

There are no queues. What a send does not accept becomes the receiver's backlog, and the sender is not read until that
is sent. So a slow reader costs one read in its encoded form, and the kernel's buffers. There is also room for one reply
of the gateway; a newer reply replaces it. The bytes that translators hold are counted, with a limit for all sessions.
"""

import os
import select
import ssl
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NoReturn

import outcome
import trio

from wsgateway.dialects.base import Step
from wsgateway.errors import ProtocolError, detached
from wsgateway.native import BROKEN, BYTES, FAILED, READY, SHORT, Turn
from wsgateway.net.channel import EXHAUSTED
from wsgateway.net.failure import is_gone
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import LEAST_READ_BYTES, MOST_READ_BYTES, Ended, Endpoint, OnEnd
from wsgateway.relay.ends import Ends
from wsgateway.relay.join_memory import JoinMemory
from wsgateway.relay.pauses import Pauses
from wsgateway.relay.timer import FOR_EVER, RelayTimeouts, SessionTimer, SessionTimers
from wsgateway.relay.watches import MOST_CLOSINGS, SocketWatches
from wsgateway.wire.events import Close, Role
from wsgateway.wire.masking import mask_keys

# Data up to this size is sent together at the end of a turn. Receivers that are still awake from the send before then
# need not be woken again, which would cost more than moving the bytes.
SMALL_BYTES = 4096
# While more sockets of sessions are ready, they are served so often before all else, which makes 1024 reads.
MOST_TAKES = 16
# Every session is checked once in this time. The time has this many parts, and some sessions are checked in each part.
LOOK_SECONDS = 1.0
LOOKS = 8
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_IN, _OUT, _CUT, _EDGE_TRIGGERED = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR, select.EPOLLET


class Engine:
    """A relay of bytes between pairs of endpoints until one of them ends it."""

    def __init__(self, keys: Iterator[bytes] | None = None) -> None:
        self.mask_keys = mask_keys(os.urandom) if keys is None else keys
        """the keys for all frames that this process masks"""
        self._epoll = select.epoll()
        self.timers = SessionTimers()
        """the timers of all relays that have timeouts"""
        self._decrypted: list[Endpoint] = []  # whose TLS holds decrypted bytes, which epoll does not report
        self._endpoints: dict[int, Endpoint] = {}
        self.watches, self.closings = SocketWatches(), SocketWatches(MOST_CLOSINGS)
        """the sockets without a relay for which the loop waits, too: of openings, and of closing handshakes"""
        self._epoll.register(self.watches, _IN)
        self._epoll.register(self.closings, _IN)
        self.ends = Ends()
        """the relays that have ended, and whose `on_end` waits for its turn"""
        self._bell = -1  # an eventfd
        self._waits = False  # whether the loop waits for a socket, or for the bell
        self._small: list[tuple[Endpoint, bytes]] = []  # data to send at the end of this turn
        self.pauses = Pauses()
        """the sides that are not read for some time"""
        self.join_memory = JoinMemory()
        """the held bytes of messages in all sessions"""
        self.turned = 0.0
        """when the loop has last run; every check wakes it to set this"""
        self.late: Callable[[float], object] = lambda seconds: None  # called at every check: by how much it is late
        self._turn = Turn(self._epoll, self._endpoints, self.mask_keys, MOST_READ_BYTES, SMALL_BYTES)
        self._handlers: dict[int, Callable[[Endpoint, Any], None]] = {
            READY: self._serve,
            BYTES: lambda endpoint, data: self._serve(endpoint, _IN, data),
            FAILED: self._end,
            BROKEN: self._break,
            SHORT: self._queue,
        }

    def __len__(self) -> int:
        """Return the number of running relays."""
        return len(self._endpoints) // 2

    async def run(self) -> NoReturn:
        """Move bytes until this is cancelled."""
        self.turned = trio.current_time()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, _IN | _EDGE_TRIGGERED)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._check)
                await self._move()
        finally:
            self._waits = False
            os.close(self._bell)

    async def _move(self) -> NoReturn:
        while True:
            if self._decrypted or self.ends.untold:
                await trio.lowlevel.checkpoint()
            else:
                self._waits = True
                await trio.lowlevel.wait_readable(self._epoll.fileno())
                self._waits = False
            others = self._relay()
            if others:
                self._serve_others(others)
            if self.ends.untold:
                self.ends.tell()

    def _serve_others(self, others: list[int]) -> None:
        if self._bell in others:
            self.turned = trio.current_time()
        for watches in (self.closings, self.watches):
            if watches.fileno() in others:
                watches.serve()

    def _relay(self) -> list[int]:
        """Move the bytes of sessions that are ready. Return the other descriptors that are ready."""
        others: list[int] = []
        for _ in range(MOST_TAKES):
            for what, endpoint, value in self._turn.take():
                if endpoint is not None:
                    self._handlers[what](endpoint, value)
                else:
                    others.append(value)
            if self._small:
                self._send_small()  # before more is read of the same sides
            if not self._turn.full:
                break
        if self._decrypted:
            ready, self._decrypted = self._decrypted, []
            for endpoint in ready:
                if not endpoint.paused:
                    self._serve(endpoint, _IN)
                    self._send_small()  # before it is read again
        return others

    def _serve(self, endpoint: Endpoint, events: int, data: bytes = b"") -> None:
        """Serve a socket that is ready; C may have read `data`, which it has not passed on."""
        if endpoint.on_end is None:  # its relay has ended in this turn, and its closing handshake reads on
            endpoint.early += data
            endpoint.received -= len(data)
            return
        try:
            if events & _OUT:
                self._write(endpoint)
            if data:
                self._translate(endpoint, data)
            elif events != _OUT:
                self._read(endpoint, events)
            endpoint.reopen()
            endpoint.peer.reopen()
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own session
            self._break(endpoint, bug)

    def _break(self, endpoint: Endpoint, bug: Exception) -> None:
        self._leave(endpoint, outcome.Error(bug))

    async def _check(self) -> NoReturn:
        """Check the timers of some sessions at a time, and whether the loop still runs."""
        while True:
            due = trio.current_time() + LOOK_SECONDS / LOOKS
            await trio.sleep_until(due)
            os.eventfd_write(self._bell, 1)
            now = trio.current_time()
            self.late(now - due)
            self._end_pauses(now)
            for timer in self.timers.take(LOOKS):
                try:
                    ended = timer.check(now, self.mask_keys, self._send)
                except Exception as bug:  # noqa: BLE001  as in `_serve`
                    self._break(timer.client, bug)
                    continue
                if ended is not None:
                    self._leave(timer.client, outcome.Value(ended))
                else:
                    self.timers.add(timer)

    def _end_pauses(self, now: float) -> None:
        for endpoint in self.pauses.over(now):
            endpoint.paused = False
            endpoint.reopen()
            if not endpoint.peer.backlog:
                endpoint.watch(self._epoll, (endpoint.interest or 0) | _IN)
                try:
                    self._drain(endpoint)
                except Exception as bug:  # noqa: BLE001  as in `_serve`
                    self._break(endpoint, bug)

    def start(
        self, client: Endpoint, upstream: Endpoint, on_end: OnEnd, relay_timeouts: RelayTimeouts = FOR_EVER
    ) -> None:
        """Move bytes between the two sides of a session until one ends it, a timeout passes, or `close` is called.

        The bytes that came after the handshakes go first. At the end `on_end` gets the end, or a bug of ours, in a turn
        of the loop; the engine then no longer uses the sockets.
        """
        try:
            self._begin(client, upstream, on_end, relay_timeouts)
        except Exception as bug:  # noqa: BLE001  as in `_serve`
            self._leave(client, outcome.Error(bug))

    def _begin(self, client: Endpoint, upstream: Endpoint, on_end: OnEnd, relay_timeouts: RelayTimeouts) -> None:
        for endpoint in (client, upstream):
            endpoint.on_end = on_end
            self._endpoints[endpoint.sock.fileno()] = endpoint
            endpoint.watch(self._epoll, _IN | _OUT if endpoint.backlog else _IN)
        for endpoint in (upstream, client):
            if endpoint.early and endpoint.on_end is not None:
                endpoint.received += len(endpoint.early)
                self._apply(endpoint, endpoint.translator.feed(endpoint.early))
                endpoint.early = b""
        self._send_small()
        if relay_timeouts != FOR_EVER:
            self.timers.add(SessionTimer(client, upstream, relay_timeouts, trio.current_time()))
        for endpoint in (client, upstream):
            endpoint.prepare()
            self._drain(endpoint)

    def pause(self, endpoint: Endpoint, seconds: float) -> None:
        """Leave a side unread for about so many seconds."""
        endpoint.paused = True
        if endpoint.on_end is not None:
            endpoint.watch(self._epoll, (endpoint.interest or 0) & ~_IN)
        self.pauses.add(endpoint, trio.current_time() + seconds)

    def clients(self) -> Iterator[Endpoint]:
        """Return the clients of all relays, the oldest first. No relay may begin or end before the iterator's end."""
        return (endpoint for endpoint in self._endpoints.values() if endpoint.side.role is Role.SERVER)

    def close(self, client: Endpoint, server_close: ServerClose) -> None:
        """End a relay by the gateway's decision; do nothing if it has ended already."""
        self._leave(client, outcome.Value(Ended(None, server_close)))

    # -- handling of one ready socket; nothing here waits -------------------------------------------------------

    def _read(self, endpoint: Endpoint, events: int) -> None:
        if endpoint.peer.backlog:  # it is read again when that is sent
            endpoint.watch(self._epoll, (endpoint.interest or 0) & _OUT)
            if events & _CUT:
                self._end_if_silent(endpoint)
            return
        try:
            data = endpoint.sock.recv(endpoint.read_size())
        except _WOULD_BLOCK:
            return
        except OSError as error:
            if endpoint.tls is None or not is_gone(error):
                self._end(endpoint, error)
                return
            data = b""
        if endpoint.tls is not None and endpoint.tls.pending():
            self._decrypted.append(endpoint)
        endpoint.received += len(data)
        if data:
            self._translate(endpoint, data)
        else:
            self._apply(endpoint, endpoint.finish())

    def _translate(self, endpoint: Endpoint, data: bytes) -> None:
        if len(data) < LEAST_READ_BYTES:
            self._apply(endpoint, endpoint.translator.feed(data))
            return
        begun = perf_counter()
        step = endpoint.translator.feed(data)
        endpoint.adapt_reads(len(data), perf_counter() - begun)
        self._apply(endpoint, step)

    def _end_if_silent(self, endpoint: Endpoint) -> None:
        """End the relay if a side that is not read has no unread bytes, after its connection was cut."""
        ending = endpoint.silent_end()
        if isinstance(ending, OSError):
            self._end(endpoint, ending)
        elif ending:
            self._apply(endpoint, endpoint.finish())

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
            try:
                self._send(endpoint, data)
            except Exception as bug:  # noqa: BLE001  as in `_serve`
                self._break(endpoint, bug)
        self._small.clear()

    def _hold(self, endpoint: Endpoint, size: int) -> None:
        """Count the held bytes of a side's message, and release messages, the oldest first, if memory is short."""
        join_memory = self.join_memory
        join_memory.hold(endpoint, size)
        if not join_memory.full:
            return
        self._send_small()  # data of this turn that is older
        for oldest, data in join_memory.make_room():
            self._send(oldest.peer, data)
        if join_memory.full and endpoint.held:
            self._end(endpoint, join_memory.fault())

    def _send_reply(self, endpoint: Endpoint) -> None:
        """Send the reply that waits for a side, if no frame to that side is unfinished."""
        if not endpoint.peer.translator.inside():
            self._send_small()  # data of this turn for this side comes first
            if not endpoint.backlog:
                reply, endpoint.reply = endpoint.reply, b""
                self._send(endpoint, reply)

    def _send(self, endpoint: Endpoint, data: bytes) -> None:
        """Send data, or add it to the backlog. If the relay has ended in this turn, the rest is sent after its end."""
        sent = 0
        if not endpoint.backlog:
            try:
                sent = endpoint.sock.send(data)
            except _WOULD_BLOCK:
                pass
            except OSError as error:
                if error.errno not in EXHAUSTED:  # for want of memory it is tried again
                    return  # it is disconnected; its unread bytes are still to be read, and then its end is reported
        if sent < len(data):
            self._queue(endpoint, data[sent:])

    def _queue(self, endpoint: Endpoint, data: bytes) -> None:
        endpoint.backlog += data
        endpoint.peer.open = False
        if endpoint.on_end is not None:
            endpoint.watch(self._epoll, (endpoint.interest or 0) | _OUT)

    def _write(self, endpoint: Endpoint) -> None:
        """Send more of the backlog; after it, the reply; after that, read the other side again."""
        backlog, endpoint.backlog = endpoint.backlog, b""
        self._send(endpoint, backlog)
        if endpoint.reply:
            self._send_reply(endpoint)
        if not endpoint.backlog:
            endpoint.watch(self._epoll, (endpoint.interest or 0) & ~_OUT)
            if not endpoint.peer.paused:
                endpoint.peer.watch(self._epoll, (endpoint.peer.interest or 0) | _IN)
                self._resume(endpoint.peer)

    def _resume(self, endpoint: Endpoint) -> None:
        """Schedule a read of bytes that TLS has already decrypted, because epoll does not report them."""
        if endpoint.tls is not None and endpoint.tls.pending():
            self._decrypted.append(endpoint)

    def _drain(self, endpoint: Endpoint) -> None:
        """Read bytes that TLS has already decrypted, outside of a turn, because nothing would wake the loop."""
        tls = endpoint.tls
        while tls is not None and endpoint.on_end and tls.pending() and not (endpoint.peer.backlog or endpoint.paused):
            self._read(endpoint, _IN)
            self._send_small()

    def _end(self, endpoint: Endpoint, ending: Close | ProtocolError | OSError) -> None:
        if not isinstance(ending, Close):
            ending = detached(ending)
        self._leave(endpoint, outcome.Value(Ended(endpoint, ending)))

    def _leave(self, endpoint: Endpoint, result: outcome.Outcome[Ended]) -> None:
        """Stop using both sides, and note the end: what follows it costs much, and waits for its turn."""
        on_end = endpoint.on_end
        if on_end is None:  # it has ended in this turn, and `forget` would drop that end, which is still to be told
            return
        self.forget(endpoint)
        self.ends.add(endpoint, on_end, result)
        if self._waits:
            os.eventfd_write(self._bell, 1)

    def forget(self, endpoint: Endpoint) -> None:
        """Stop using both sides, and call `on_end` no more; do nothing if that has been done."""
        for each in (endpoint, endpoint.peer):
            self.ends.forget(each)
            if each.held:
                self.join_memory.hold(each, 0)
            if each.on_end is not None:
                each.unwatch(self._epoll)
                self._endpoints.pop(each.sock.fileno(), None)
                each.on_end = None
