"""The server of the admin pages, for programs that query the gateway.

connections without a request   the newest 64 are kept, for 10 seconds: none of them delays a health check
pages of other sites            any name may lead a browser here (DNS rebinding), so `Host` must be one of ours.
                                Health checks may send any Host, and get no secrets
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol

import trio

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.net.newest_first import NewestFirst
from wsgateway.observe.http_server import HttpConnection, Reply, next_client, refusal
from wsgateway.observe.log import Log
from wsgateway.wire.heads import HeadLimits, Request

# Few programs query, and each is answered at once.
MOST_ADMIN_CLIENTS = 64
MOST_HEAD_BYTES = 8192
# Pages below this path are served under any Host.
HEALTH = "/health/"
_LIMITS = HeadLimits(head_bytes=MOST_HEAD_BYTES)

Pages = Mapping[str, Callable[[], Awaitable[Reply]]]
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
        """Take the pages, and the rules for clients by TCP. A client of a Unix socket may query everything."""
        self._pages = pages
        self._gate = gate
        self.log = log
        self._newest = NewestFirst(MOST_ADMIN_CLIENTS)

    async def run(self, socks: list[socket.socket], scope: trio.CancelScope) -> None:
        """Serve on listening sockets, which are the caller's, until the scope is cancelled.

        Clients that have connected before are still answered.
        """
        async with trio.open_nursery() as clients:
            with scope:
                async with trio.open_nursery() as nursery:
                    for sock in socks:
                        nursery.start_soon(self._accept, sock, clients)

    async def _accept(self, listener: socket.socket, clients: trio.Nursery) -> None:
        while True:
            sock = await next_client(listener)
            try:
                admitted = sock.family == socket.AF_UNIX or self._gate.admits(sock.getpeername()[0])
            except OSError:  # it is disconnected
                admitted = False
            if admitted:
                clients.start_soon(self._serve, sock)
            else:
                sock.close()

    async def _serve(self, sock: socket.socket) -> None:
        try:
            with sock, self._newest.one_more():
                await self._answer(sock)
        except OSError:
            return  # the client is disconnected
        except Exception:  # a bug costs only this request
            self.log.exception("bug", client="admin", reason=Reason.BUG.value)

    async def _answer(self, sock: socket.socket) -> None:
        connection = HttpConnection(sock, _LIMITS, needs_host=False)
        try:
            request = await connection.request()
            if request is None:
                return
            reply = await self._reply(request, named=sock.family == socket.AF_UNIX)
        except HttpRefusal as error:
            reply = refusal(error)
        await connection.reply(replace(reply, headers=(*reply.headers, ("Cache-Control", "no-store"))))

    async def _reply(self, request: Request, named: bool) -> Reply:
        path = request.target.partition("?")[0]
        page = self._pages.get(path)
        if page is None:
            return Reply(f"There are {', '.join(self._pages)}.\n".encode(), status=404)
        if request.method not in ("GET", "HEAD"):
            return Reply(b"GET is allowed.\n", status=405)
        host = request.headers.one("Host")
        if not (named or host is None or path.startswith(HEALTH) or self._gate.is_named(host)):
            return Reply(b"Host must be an address, localhost, or a name in admin.names.\n", status=421)
        return await page()
