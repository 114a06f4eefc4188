"""One stream of HTTP/2, served in the same way as a connection, through a socketpair.

    the client's frames <-> this end | the other end <-> a session, as on any connection of HTTP/1.1

So every rule, limit and log line of connections applies to streams by the same code. A request goes in as HTTP/1.1, its
answer comes out as HTTP/1.1, and bytes after a 101 pass unchanged in both directions.

Data of the client is acknowledged when the session has taken it, and the session is read when the client's windows have
room: only data within the windows and one read are kept. END_STREAM is the end of a stream of bytes, as FIN is for TCP;
a reset counts as an end, too.
"""

import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import h11
import trio

from wsgateway.errors import HttpRefusal
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.outgoing import Outgoing, outgoing, waiting
from wsgateway.serve.request import Client
from wsgateway.wire.heads import HeadLimits, Request
from wsgateway.wire.http2 import HeaderList, headers_of
from wsgateway.wire.response_head import ResponseHead

# The kernel's buffer for each direction, besides a window of the client and one of ours.
_BUFFER_BYTES = 64 * 1024
# The head comes from this process, which has checked it by the limits of its upstream, at most 1 MiB, and added to it.
_LIMITS = HeadLimits(head_bytes=2 * 1024 * 1024, headers=2 * 1024 * 1024)


class Frames(Protocol):
    """The connection, as its streams use it. Its methods raise OSError if the stream is closed."""

    def answer(self, stream: "Stream", headers: HeaderList) -> None:
        """Send the head of a response, interim or final."""

    async def send(self, stream: "Stream", data: bytes) -> None:
        """Send data, as fast as the client's windows allow."""

    def finish(self, stream: "Stream") -> None:
        """Send the end of the stream."""

    def acknowledge(self, stream: "Stream", size: int) -> None:
        """Let the client send so many more bytes."""


class Carried(Protocol):
    """The counted bytes of a stream: those of its session that have come here, and those that were passed on."""

    ours: socket.socket
    """the socket from which the session's bytes come"""
    received: int
    passed: int


class StreamOutgoing:
    """The progress of what a stream sends, in its own bytes: through our two sockets, and to the client's kernel.

    The connection carries all streams, and there a stream's bytes have frame heads and encryption around them. So from
    time to time a mark is set: when the client has acknowledged all bytes that the connection had by then, the stream's
    bytes are among them. Between two marks they count in proportion.
    """

    __slots__ = ("_begin", "_connection", "_end", "_known", "_mark", "_stream")

    def __init__(self, stream: "Carried", connection: Outgoing) -> None:
        self._stream, self._connection = stream, connection
        self._known = self._mark = 0
        """how many bytes of the stream are acknowledged now, and how many will be when the mark is reached"""
        self._begin = self._end = 0
        """positions of the connection: where the mark was set, and where it is reached"""

    def progress(self) -> tuple[int, bool]:
        acknowledged, _ = self._connection.progress()
        if acknowledged >= self._end:
            self._known, self._mark, self._begin = self._mark, self._stream.passed, acknowledged
            self._end = acknowledged if self._mark == self._known else self._connection.sent_total()
            if self._end <= acknowledged:
                self._known = self._mark
        share = (acknowledged - self._begin) / max(1, self._end - self._begin)
        taken = self._known + int(share * (self._mark - self._known))
        return taken, taken < self.sent_total()

    def sent_total(self) -> int:
        ours = self._stream.ours
        return self._stream.received + (waiting(ours) if ours.fileno() >= 0 else 0)


class Stream:
    """One stream, which carries a request and its answer, or a session."""

    def __init__(self, number: int, frames: Frames, client: Client, request: Request) -> None:
        """Take the client of the connection. Raise OSError if no sockets can be made."""
        self.number = number
        self.room = trio.lowlevel.ParkingLot()
        """for the task that waits for the client's windows"""
        self.closed = False
        """whether either end has reset it"""
        self.ended = False
        """whether the client has sent all of its data"""
        self.whole = False
        """whether the client has been sent all of the answer"""
        self.malformed = False
        """whether the client has sent another length than it announced"""
        self.unacknowledged = 0
        """bytes of the client's windows that have not been given back"""
        self.received = self.passed = 0
        """bytes of the session that have come here, and those that were passed on to the connection"""
        self.websocket = "Upgrade" in request.headers
        self._frames = frames
        self._head = ResponseHead(_LIMITS)
        self._first = self._head.request(request) if self.websocket else self._head.head(request)
        self._pieces: list[bytes] = []
        self._news = trio.lowlevel.ParkingLot()
        self._pumping = trio.CancelScope()
        self._uploading = trio.CancelScope()
        self._client_handshake = trio.CancelScope()
        self.ours, self._theirs = socket.socketpair()
        for sock in (self.ours, self._theirs):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        connection = outgoing(client.channel.sock)
        self._client = replace(
            client,
            channel=Channel(self._theirs),
            destination=client.local(),
            outgoing=None if connection is None else StreamOutgoing(self, connection),
            begun=trio.current_time(),
            odd=request.oddities.needed,
        )

    async def run(self, serve: Callable[[Client, trio.CancelScope], Awaitable[None]], send_seconds: float) -> None:
        """Serve the stream to its end. `serve` closes its client; sending the rest may take `send_seconds` more.

        The scope for `serve` is cancelled when the client disconnects, as long as nothing else would notice that.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump)
                await serve(self._client, self._client_handshake)
                self._uploading.cancel()
                self._pumping.deadline = trio.current_time() + send_seconds
        finally:
            self.ours.close()
            self._theirs.close()

    # -- calls of the connection, which do not wait ---------------------------------------------------------------

    def receive(self, data: bytes, size: int) -> None:
        """Take data of the client, and its size in the client's windows."""
        self.unacknowledged += size
        self._pieces.append(data)
        self._news.unpark_all()

    def end(self) -> None:
        """Take the end of the client's data."""
        self.ended = True
        self._news.unpark_all()

    def cut(self) -> None:
        """Take the end of the stream, also in the middle of something."""
        self.closed = True
        self._client.disconnected = True
        self._client_handshake.cancel()
        self._pumping.cancel()

    # -- the two directions -------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        with self._pumping:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._upload, nursery.cancel_scope)
                if not await self._download():
                    nursery.cancel_scope.cancel()
        if not self.whole:
            # Closing with unread bytes is a reset, also between sockets of one process.
            with suppress(OSError):
                self._theirs.send(b"\0")
        self.ours.close()

    async def _upload(self, pumping: trio.CancelScope) -> None:
        """Pass the client's data on, to its end or as long as the session takes it."""
        channel = Channel(self.ours)
        with self._uploading, suppress(OSError):
            try:
                await channel.send(self._first)
                while self._pieces or not self.ended:
                    if not self._pieces:
                        await self._news.park()
                        continue
                    data, size = b"".join(self._pieces), self.unacknowledged
                    self._pieces.clear()
                    await channel.send(data if self.websocket else self._head.send(data))
                    self.unacknowledged -= size
                    self._frames.acknowledge(self, size)
                if not self.websocket:
                    await channel.send(self._head.end())
                channel.end()
            except h11.LocalProtocolError:  # not the announced length; h2 does not notice it before trailers
                self.malformed = True
                pumping.cancel()

    async def _download(self) -> bool:
        """Pass the answer on. Return whether it was complete."""
        try:
            await self._pass_answer()
        except (OSError, HttpRefusal):
            return False
        self.whole = True
        return True

    async def _pass_answer(self) -> None:
        response = None
        while response is None:
            for each in self._head.responses(await self._receive()):
                self._frames.answer(self, headers_of(each))
                if each.status == 101 or each.status >= 200:
                    response = each
        if response.status == 101:
            data = self._head.rest or await self._receive()
            while data:
                await self._frames.send(self, data)
                data = await self._receive()
        else:
            body = self._head.first_body()
            while not self._head.ended:
                await self._frames.send(self, body)
                body = self._head.body(await self._receive())
            await self._frames.send(self, body)
        self._frames.finish(self)

    async def _receive(self) -> bytes:
        """Return the next bytes of the session. All bytes before them have been passed on."""
        self.passed = self.received
        data = await Channel(self.ours).receive(READ_BYTES)
        self.received += len(data)
        return data
