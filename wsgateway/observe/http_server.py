"""A small HTTP server for the admin pages and the demo, and the loop that accepts connections for both and for control.

A connection carries one request and one reply, which may be a stream; then it is closed, or becomes a WebSocket. Heads
are read and written by `wire.request_head`, so what the gateway refuses in a head is refused here, too. No TLS.
"""

import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

import trio

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.failure import in_words
from wsgateway.observe.log import Log
from wsgateway.wire.heads import Headers, HeadLimits, Request, Response
from wsgateway.wire.request_head import RequestHead

# For a complete head, and for the client to read its reply.
REQUEST_SECONDS = 10.0
READ_REPLY_SECONDS = 10.0
# The process is most likely out of descriptors, and other connections may give some back.
ACCEPT_PAUSE_SECONDS = 0.1

_LIMITS = HeadLimits()
_END = b"\r\n\r\n"
_HOST = re.compile(rb"\r\nhost[ \t]*:", re.IGNORECASE)

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP response."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An HTTP response that goes on until its source ends."""

    source: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]
    """gets what sends bytes to the client, which waits until they are sent; it is cancelled when the client hangs up"""
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


def refusal(error: HttpRefusal) -> Reply:
    """Return the reply for an error, with its message as the text."""
    text = f"{error.status} {HTTPStatus(error.status).phrase}: {error}\n"
    return Reply(text.encode(), status=error.status, headers=error.headers)


class HttpConnection:
    """A connection with one request. Its socket is the caller's to close."""

    def __init__(self, sock: socket.socket, limits: HeadLimits = _LIMITS, needs_host: bool = True) -> None:
        """Take a connected, non-blocking socket. Without `needs_host` a request of HTTP/1.1 may lack Host."""
        self.channel = Channel(sock)
        self.head = RequestHead(limits, plain=not needs_host)
        self._most_bytes = limits.head_bytes
        self._needs_host = needs_host

    async def request(self) -> Request | None:
        """Return the request; None if the client disconnected before it was complete.

        Raise HttpRefusal (400, 408 or 431) for one that is malformed, late or too large, and OSError.
        """
        with trio.move_on_after(REQUEST_SECONDS):
            while data := await self._receive():
                request = self.head.receive(data)
                if request is not None:
                    return request
            return None
        raise HttpRefusal(Reason.REQUEST_TIMEOUT, f"no whole request within {REQUEST_SECONDS:g} s")

    async def _receive(self) -> bytes:
        """Return the next bytes; of a request that may lack Host, all up to the end of its head.

        HTTP/1.1 needs a Host header, and the health check of HAProxy has none: such a request is read as HTTP/1.0.
        """
        data = await self.channel.receive(READ_BYTES)
        if self._needs_host or not data:
            return data
        while _END not in data and len(data) <= self._most_bytes:
            more = await self.channel.receive(READ_BYTES)
            if not more:
                return b""
            data += more
        return data if _HOST.search(data) else data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)

    async def reply(self, reply: Reply) -> None:
        """Send the one reply, and wait until the client has hung up or the time for that is over. Raise OSError."""
        length = ("Content-Length", str(len(reply.body)))
        head = self._respond(reply.status, reply.content_type, length, *reply.headers)
        await self._finish(head + self.head.body(reply.body))

    async def stream(self, stream: Stream) -> None:
        """Send a stream until its source ends or the client hangs up. Errors of the source are bugs, and leave this.

        After the source has ended, end the body, too: a browser takes one without an end for a connection that was
        lost, and may drop the last bytes. Raise OSError if that cannot be sent.
        """
        head = self._respond(200, stream.content_type, *stream.headers)
        whole = True  # whether all that was given to be sent has been sent
        ended = False

        async with trio.open_nursery() as nursery:

            async def send(data: bytes) -> None:
                nonlocal head, whole
                first, head = head, b""
                whole = False
                try:
                    await self.channel.send(first + self.head.body(data))
                except OSError:  # the client is disconnected
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()
                whole = True

            nursery.start_soon(self._cancel_at_end, nursery.cancel_scope)
            await stream.source(send)
            ended = whole
            nursery.cancel_scope.cancel()
        if ended:
            await self._finish(head)

    async def _finish(self, rest: bytes) -> None:
        """Send the rest and the end of the response, and wait until the client has hung up, for a limited time."""
        with trio.move_on_after(READ_REPLY_SECONDS):
            await self.channel.send(rest + self.head.end())
            await self.channel.linger()

    async def _cancel_at_end(self, scope: trio.CancelScope) -> None:
        """Wait until the client hangs up, and cancel what is sent to it."""
        with suppress(OSError):
            while await self.channel.receive(READ_BYTES):
                pass
        scope.cancel()

    def _respond(self, status: int, content_type: str, *headers: tuple[str, str]) -> bytes:
        """Return the head of the response."""
        items = [("Content-Type", content_type), ("Connection", "close"), *headers]
        return self.head.respond(Response(status, HTTPStatus(status).phrase, Headers(items)))


Serve = Callable[[socket.socket], Awaitable[None]]


async def accept(
    listener: socket.socket, serve: Serve, places: trio.Semaphore, clients: trio.Nursery, log: Log
) -> NoReturn:
    """Give each connection a task of `serve`, after which it is closed, as long as there are places.

    Other clients wait in the queue of the kernel. A bug in `serve` is logged and costs no other client. Cancelling this
    ends no connection: their tasks are in the nursery `clients`.
    """

    async def serve_one(sock: socket.socket) -> None:
        try:
            with sock:
                await serve(sock)
        except OSError as error:
            log.debug("lost", why=in_words(error))
        except Exception:
            log.exception("bug", reason=Reason.BUG.value)
        finally:
            places.release()

    while True:
        await places.acquire()
        try:
            sock = await next_client(listener)
        except trio.Cancelled:
            places.release()
            raise
        clients.start_soon(serve_one, sock)


async def next_client(listener: socket.socket) -> socket.socket:
    """Return the next connection, non-blocking. Wait until there is one, and until the process can open one."""
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock, _ = listener.accept()
        except OSError:
            await trio.sleep(ACCEPT_PAUSE_SECONDS)
            continue
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
