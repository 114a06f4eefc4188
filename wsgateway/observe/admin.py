"""The server of the admin pages, for programs that query the gateway, and for browsers.

connections without a request   the newest 64 are kept, for 10 seconds: none of them delays a health check
streams                         a browser's live view stays open beside these; `Live` limits how many there are
pages of other sites            any name may lead a browser here (DNS rebinding), so `Host` must be one of ours.
                                Health checks may send any Host, and get no secrets
"""

import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol

import trio

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.net.newest_first import NewestFirst
from wsgateway.observe.http_server import HttpConnection, Reply, Stream, next_client, refusal
from wsgateway.observe.log import Log
from wsgateway.settings.basics import UNIX
from wsgateway.wire.addresses import canonical
from wsgateway.wire.heads import HeadLimits, Request

# Few programs query, and each is answered at once.
MOST_ADMIN_CLIENTS = 64
MOST_HEAD_BYTES = 8192
# Pages below this path are served under any Host.
HEALTH = "/health/"
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group
_LIMITS = HeadLimits(head_bytes=MOST_HEAD_BYTES)
# What a browser may do with any of the pages: nothing but what the page for browsers needs, from here alone. No page of
# another site may have it in a frame, or as a picture or script of its own.
_HEADERS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, and who sends it."""

    request: Request
    client: str
    """the address with its port; for a client of a Unix socket `unix`, its user and its process"""
    local: bool
    """whether it comes from this machine"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: what it answers, and to which methods."""

    answer: Callable[[Visit], Awaitable[Reply | Stream]]
    methods: tuple[str, ...] = ("GET", "HEAD")


Pages = Mapping[str, Page]
"""by their path"""


class Gate(Protocol):
    """The rules for clients: their addresses, and the names in Host."""

    def admits(self, ip: str) -> bool:
        """Return whether clients of this address are allowed."""

    def is_named(self, host: str) -> bool:
        """Return whether the value of a Host header is a name of this gateway."""


class AdminServer:
    """A server that answers one request on each connection."""

    def __init__(self, pages: Pages, gate: Gate, log: Log) -> None:
        """Take the pages, and the rules for clients by TCP. All who may connect to a Unix socket are admitted."""
        self._pages = pages
        self._gate = gate
        self.log = log
        self._newest = NewestFirst(MOST_ADMIN_CLIENTS)
        self._streams: set[trio.CancelScope] = set()
        self._over = False

    async def run(self, socks: list[socket.socket], scope: trio.CancelScope) -> None:
        """Serve on listening sockets, which are the caller's, until the scope is cancelled.

        Clients that have connected before are still answered, and their streams end.
        """
        async with trio.open_nursery() as clients:
            with scope:
                async with trio.open_nursery() as nursery:
                    for sock in socks:
                        nursery.start_soon(self._accept, sock, clients)
            self._over = True
            for stream in self._streams:
                stream.cancel()

    async def _accept(self, listener: socket.socket, clients: trio.Nursery) -> None:
        while True:
            sock = await next_client(listener)
            try:
                client, local = _peer(sock)
                admitted = sock.family == socket.AF_UNIX or self._gate.admits(sock.getpeername()[0])
            except OSError:  # it is disconnected
                admitted = False
            if admitted:
                clients.start_soon(self._serve, sock, client, local)
            else:
                sock.close()

    async def _serve(self, sock: socket.socket, client: str, local: bool) -> None:
        try:
            with sock:
                connection = HttpConnection(sock, _LIMITS, needs_host=False)
                stream = None
                with self._newest.one_more():
                    stream = await self._answer(connection, client, local)
                if stream is not None and not self._over:
                    await self._stream(connection, stream)
        except OSError:
            return  # the client is disconnected
        except Exception:  # a bug costs only this request
            self.log.exception("bug", client="admin", reason=Reason.BUG.value)

    async def _stream(self, connection: HttpConnection, stream: Stream) -> None:
        scope = trio.CancelScope()
        self._streams.add(scope)
        try:
            with scope:
                await connection.stream(replace(stream, headers=(*stream.headers, *_HEADERS)))
        finally:
            self._streams.remove(scope)

    async def _answer(self, connection: HttpConnection, client: str, local: bool) -> Stream | None:
        """Answer the request of a connection. Return the stream, if that is its answer."""
        try:
            request = await connection.request()
            if request is None:
                return None
            reply = await self._reply(Visit(request, client, local))
        except HttpRefusal as error:
            reply = refusal(error)
        if isinstance(reply, Stream):
            return reply
        await connection.reply(replace(reply, headers=(*reply.headers, *_HEADERS)))
        return None

    async def _reply(self, visit: Visit) -> Reply | Stream:
        request = visit.request
        path = request.target.partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            return Reply(f"There are {', '.join(self._pages)}.\n".encode(), status=404)
        if request.method not in page.methods:
            allow = ("Allow", ", ".join(page.methods))
            return Reply(f"{page.methods[0]} is allowed.\n".encode(), status=405, headers=(allow,))
        host = request.headers.one("Host")
        if not (host is None or path.startswith(HEALTH) or self._is_named(host, visit)):
            return Reply(b"Host must be an address, localhost, or a name in admin.names.\n", status=421)
        try:
            return await page.answer(visit)
        except OSError as bug:  # it is not that of the client's connection
            raise RuntimeError(f"the page {path} failed: {bug}") from bug

    def _is_named(self, host: str, visit: Visit) -> bool:
        """Return whether this is a name of the gateway.

        A Unix socket has none. So there any name counts that no other site has: one without a dot, as in the
        `http://admin/status` of curl. Through a tunnel a browser can reach the socket by the name of another site, too.
        """
        return (visit.client.startswith(UNIX) and "." not in host) or self._gate.is_named(host)


def _peer(sock: socket.socket) -> tuple[str, bool]:
    """Return the address of a client, and whether it is on this machine. Raise OSError if it is disconnected."""
    if sock.family == socket.AF_UNIX:
        pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return f"{UNIX}, user {uid}, process {pid}", True
    ip, port = sock.getpeername()[:2]
    ip = canonical(ip)
    return (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"), ip_address(ip).is_loopback
