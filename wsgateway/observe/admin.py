"""The admin pages: a small server of HTTP for programs that ask how the gateway is.

connections without a request   the newest 64 are kept, for 10 seconds: none of them holds up a health check
pages of other sites            a browser may be led here under any name (DNS rebinding): `Host` must be one of ours.
                                Health checks send what they like there, and are told nothing that is secret
"""

import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import h11
import trio

from wsgateway.net.newest_first import NewestFirst
from wsgateway.observe.log import Log

# Few programs ask, and each is answered at once.
MOST_CLIENTS = 64
REQUEST_SECONDS = 10.0
MOST_HEAD_BYTES = 8192
# Pages below this path are answered under any name.
HEALTH = "/health/"
_READ_BYTES = 4096
_END = b"\r\n\r\n"
_HOST = re.compile(rb"\r\nhost[ \t]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[Reply]]]
"""by their path"""


class Gate(Protocol):
    """Who may ask, and by which name."""

    def admits(self, ip: str) -> bool:
        """Return whether an address may ask."""

    def is_named(self, host: str) -> bool:
        """Return whether the value of a Host header is a name of this gateway."""


class Admin:
    """Answers one request on each connection."""

    def __init__(self, pages: Pages, gate: Gate, log: Log) -> None:
        """Take the pages and the gate for clients that come by TCP. A client of a Unix socket may ask anything."""
        self._pages = pages
        self._gate = gate
        self.log = log
        self._newest = NewestFirst(MOST_CLIENTS)

    async def run(self, socks: list[socket.socket], scope: trio.CancelScope) -> None:
        """Serve on listening sockets, which are the caller's, until the scope is cancelled.

        Clients that have connected before are still answered.
        """
        async with trio.open_nursery() as clients:
            with scope:
                async with trio.open_nursery() as nursery:
                    for sock in socks:
                        nursery.start_soon(self._accept, sock, clients)

    async def _accept(self, sock: socket.socket, clients: trio.Nursery) -> None:
        while True:
            await trio.lowlevel.wait_readable(sock)
            try:
                client, peer = sock.accept()
            except OSError:  # gone, or no descriptor is left, which others give back
                await trio.sleep(0.1)
                continue
            if client.family != socket.AF_UNIX and not self._gate.admits(peer[0]):
                client.close()
                continue
            client.setblocking(False)
            clients.start_soon(self._serve, trio.SocketStream(trio.socket.from_stdlib_socket(client)))

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            with self._newest.one_more(), trio.move_on_after(REQUEST_SECONDS):
                await self._answer(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client is gone
        except Exception:  # a bug of ours costs its own request
            self.log.exception("bug", client="admin")
        finally:
            stream.socket.close()

    async def _answer(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD_BYTES)
        without_body = False
        try:
            connection.receive_data(await _head(stream))
            event = connection.next_event()
            if not isinstance(event, h11.Request):  # the client has left, perhaps inside its request
                return
            without_body = event.method == b"HEAD"
            reply = await self._reply(event, named=stream.socket.family == socket.AF_UNIX)
        except h11.RemoteProtocolError as error:
            reply = Reply(error.error_status_hint, b"This is not a request of HTTP/1.1.\n")
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        reason = HTTPStatus(reply.status).phrase.encode()
        data = connection.send(h11.Response(status_code=reply.status, headers=headers, reason=reason)) or b""
        await stream.send_all(data if without_body else data + reply.body)
        await stream.send_eof()

    async def _reply(self, request: h11.Request, named: bool) -> Reply:
        path = request.target.decode("latin-1").partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            return Reply(404, f"There are {', '.join(self._pages)}.\n".encode())
        if request.method not in (b"GET", b"HEAD"):
            return Reply(405, b"GET is allowed.\n")
        host = next((value.decode("latin-1") for name, value in request.headers if name == b"host"), None)
        if not (named or host is None or path.startswith(HEALTH) or self._gate.is_named(host)):
            return Reply(421, b"Host must be an address, localhost, or a name in admin.names.\n")
        return await page()


async def _head(stream: trio.SocketStream) -> bytes:
    """Return what a client sends up to the end of its head, or of the stream, or 8 KiB and more of it.

    HTTP/1.1 needs a Host header. HAProxy can be told to check without one: such a request is read as HTTP/1.0.
    """
    head = b""
    while _END not in head and len(head) <= MOST_HEAD_BYTES:
        data = await stream.receive_some(_READ_BYTES)
        if not data:
            return head
        head += data
    return head if _HOST.search(head) else head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
