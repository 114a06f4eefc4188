"""One stream of HTTP/2, which is served as a connection is: behind its socketpair nobody knows the difference.

    the client's frames <-> this end | the other end <-> a session, as on any connection of HTTP/1.1

So there is one door: every rule, limit and line of the log that a connection has, a stream has by the same code. A
request goes in as HTTP/1.1, its answer comes out as such, and what follows a 101 passes as it is, both ways.

What the client sends is acknowledged when the session has taken it, and the session is read when the client's windows
have room: nothing is kept but what they allow and one read. END_STREAM is the end of a stream of bytes, as FIN is for
TCP; a reset is one here, too.
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
from wsgateway.wire.heads import HeadLimits, Request, ResponseHead
from wsgateway.wire.http2 import HeaderList, headers_of

# What the kernel holds for each direction, beside a window of the client's and one of ours.
_BUFFER_BYTES = 64 * 1024
# The head comes from this process, which has held it to the bounds of its upstream, 1 MiB at most, and added to it.
_LIMITS = HeadLimits(head_bytes=2 * 1024 * 1024, headers=2 * 1024 * 1024)


class Frames(Protocol):
    """The connection, as its streams see it. Raises OSError if the stream is gone."""

    def answer(self, stream: "Stream", headers: HeaderList) -> None:
        """Sends the head of a response, interim or not."""

    async def send(self, stream: "Stream", data: bytes) -> None:
        """Sends data, as fast as the client's windows let it."""

    def finish(self, stream: "Stream") -> None:
        """Sends the end of the stream."""

    def acknowledge(self, stream: "Stream", size: int) -> None:
        """Lets the client send so much more."""


class Carried(Protocol):
    """A stream, as far as bytes are counted: those of its session that have come, and that have gone on."""

    ours: socket.socket
    """from which its session's bytes come"""
    heard: int
    passed: int


class StreamOutgoing:
    """How far what a stream sends has got, in its own bytes: through our two sockets, and to the kernel of the client.

    The connection is for all streams, and in it a stream's bytes have heads and encryption around them. So a mark is
    set now and then: when the client has acknowledged all that the connection had been given by then, the stream's
    bytes are among them. In between they are taken to come evenly.
    """

    __slots__ = ("_begin", "_connection", "_end", "_known", "_mark", "_stream")

    def __init__(self, stream: "Carried", connection: Outgoing) -> None:
        self._stream, self._connection = stream, connection
        self._known = self._mark = 0
        """how many bytes of the stream are acknowledged, and how many are when the mark is reached"""
        self._begin = self._end = 0
        """of the connection: when the mark was set, and when it is reached"""

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
        return self._stream.heard + (waiting(ours) if ours.fileno() >= 0 else 0)


class Stream:
    """Carries one request and its answer, or a session."""

    def __init__(self, number: int, frames: Frames, client: Client, request: Request) -> None:
        """Takes the client of the connection. Raises OSError if there are no sockets to be had."""
        self.number = number
        self.room = trio.lowlevel.ParkingLot()
        """for whoever waits for the client's windows"""
        self.gone = False
        """whether one of us has reset it"""
        self.ended = False
        """whether the client has said all"""
        self.whole = False
        """whether it has got all of the answer"""
        self.malformed = False
        """whether the client has not said as much as it announced"""
        self.unacknowledged = 0
        """bytes of the client's windows that it has not got back"""
        self.heard = self.passed = 0
        """bytes of the session that have come here, and that have gone on into the connection"""
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
            outgoing=None if connection is None else StreamOutgoing(self, connection),
            begun=trio.current_time(),
            odd=request.oddities.needed,
        )

    async def run(self, serve: Callable[[Client, trio.CancelScope], Awaitable[None]], send_seconds: float) -> None:
        """Serves the stream to its end. `serve` closes its client; what that was told may take `send_seconds` more.

        The scope that it gets is cancelled when the client leaves: for as long as nobody would see that otherwise.
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

    # -- what the connection tells, without waiting -------------------------------------------------------------

    def receive(self, data: bytes, size: int) -> None:
        """Takes data of the client, and how much of its windows that has cost."""
        self.unacknowledged += size
        self._pieces.append(data)
        self._news.unpark_all()

    def end(self) -> None:
        """Takes the end of what the client says."""
        self.ended = True
        self._news.unpark_all()

    def cut(self) -> None:
        """Takes the end of the stream, whatever is under way."""
        self.gone = True
        self._client.left = True
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
            # To close over something unread is a reset, between sockets of one process, too.
            with suppress(OSError):
                self._theirs.send(b"\0")
        self.ours.close()

    async def _upload(self, pumping: trio.CancelScope) -> None:
        """Passes on what the client says, to its end or as long as the session takes it."""
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
            except h11.LocalProtocolError:  # another length than was announced, which trailers hide from h2
                self.malformed = True
                pumping.cancel()

    async def _download(self) -> bool:
        """Passes the answer on. Whether it came to its end."""
        try:
            await self._pass_answer()
        except (OSError, HttpRefusal):
            return False
        self.whole = True
        return True

    async def _pass_answer(self) -> None:
        response = None
        while response is None:
            for each in self._head.responses(await self._hear()):
                self._frames.answer(self, headers_of(each))
                if each.status == 101 or each.status >= 200:
                    response = each
        if response.status == 101:
            data = self._head.rest or await self._hear()
            while data:
                await self._frames.send(self, data)
                data = await self._hear()
        else:
            body = self._head.first_body()
            while not self._head.ended:
                await self._frames.send(self, body)
                body = self._head.body(await self._hear())
            await self._frames.send(self, body)
        self._frames.finish(self)

    async def _hear(self) -> bytes:
        """The next bytes of the session. What it gave before has gone on."""
        self.passed = self.heard
        data = await Channel(self.ours).receive(READ_BYTES)
        self.heard += len(data)
        return data
