"""What the demo's two servers share: they accept up to a bound, and each connection makes one HTTP request.

It gets one reply, after which its connection is closed, or becomes a WebSocket. Heads are read and written by
`wire.heads`, so what the gateway refuses in a head is refused here too. No TLS, no connection for two requests.
"""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import trio

from wsgateway.errors import HttpRefusal
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.failure import in_words
from wsgateway.observe.log import Log
from wsgateway.wire.heads import Headers, HeadLimits, Request, RequestHead, Response

# For a whole head, and then for the client to take its reply. RFC 9110 names none; a browser on loopback needs none.
REQUEST_SECONDS = 10.0
REPLY_SECONDS = 10.0
# Out of descriptors, most likely: others may give some back.
ACCEPT_PAUSE_SECONDS = 0.1

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response, whole."""

    body: bytes
    content_type: str = TEXT
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def refusal(error: HttpRefusal) -> Reply:
    """The reply that an error stands for, with its message as the text."""
    text = f"{error.status} {HTTPStatus(error.status).phrase}: {error}\n"
    return Reply(text.encode(), status=error.status, headers=error.headers)


class Client:
    """A connection that makes one request. Its socket is the caller's to close."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock)
        self.head = RequestHead(HeadLimits())

    async def request(self) -> Request | None:
        """The request; None if the client left before it was whole.

        Raises HttpRefusal (400, 408 or 431) for one that is malformed, late or too large, and OSError.
        """
        with trio.move_on_after(REQUEST_SECONDS):
            while data := await self.channel.receive(READ_BYTES):
                request = self.head.receive(data)
                if request is not None:
                    return request
            return None
        raise HttpRefusal(f"no whole request within {REQUEST_SECONDS:g} s", 408)

    async def reply(self, reply: Reply) -> None:
        """Sends the one reply, and waits until the client has hung up or the time for it is over. Raises OSError."""
        items = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            ("Connection", "close"),
            *reply.headers,
        ]
        head = self.head.respond(Response(reply.status, HTTPStatus(reply.status).phrase, Headers(items)))
        with trio.move_on_after(REPLY_SECONDS):
            await self.channel.send(head + self.head.body(reply.body) + self.head.end())
            await self.channel.linger()


Serve = Callable[[socket.socket], Awaitable[None]]


async def accept(listener: socket.socket, serve: Serve, log: Log, connections: int) -> None:
    """Accepts until it is cancelled, and gives each connection a task of `serve`, after which it is closed.

    More clients than `connections` wait in the kernel's queue. A bug in `serve` is logged and costs no other client.
    """
    places = trio.Semaphore(connections)

    async def serve_one(sock: socket.socket) -> None:
        try:
            with sock:
                await serve(sock)
        except OSError as error:
            log.debug("lost", why=in_words(error))
        except Exception:
            log.exception("bug")
        finally:
            places.release()

    async with trio.open_nursery() as nursery:
        while True:
            await places.acquire()
            nursery.start_soon(serve_one, await _next_client(listener))


async def _next_client(listener: socket.socket) -> socket.socket:
    while True:
        await trio.lowlevel.wait_readable(listener)
        try:
            sock, _ = listener.accept()
        except OSError:
            await trio.sleep(ACCEPT_PAUSE_SECONDS)
            continue
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
