"""The server behind the demo's gateway. It speaks RFC 6455, and hybi-08, whose frames are the same, as most servers do.

    /echo     sends every message back, text or binary
    /chat     a room (see `room`); the gateway sends the dialect of a member in X-WebSocket-Dialect

It uses the same pure library as the gateway. There is no TLS and no compression, and only the most necessary limits.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import trio

from wsgateway.demo.peer import DIALECT, Peer
from wsgateway.demo.room import HEARTBEAT_SECONDS, Room
from wsgateway.dialects import DIALECTS, Answer, ServerHandshake, recognise
from wsgateway.dialects.upgrade import UPGRADE_NEEDED
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.observe.http_server import HttpConnection, accept, refusal
from wsgateway.observe.log import Log
from wsgateway.wire.heads import Request

UPSTREAM_CONNECTIONS = 512
# Versions 8 and 13 have the same frames, and libraries such as ws for Node accept both.
SPOKEN = (DIALECTS["hybi-08"], DIALECT)
GOODBYE_SECONDS = 2.0


async def echo(peer: Peer) -> None:
    """Send every message back until the peer disconnects."""
    async with aclosing(peer.messages()) as messages:
        async for message in messages:
            await peer.send(message)


Talk = Callable[[Peer], Awaitable[None]]


class DemoUpstream:
    """The server."""

    def __init__(
        self, log: Log, heartbeat_seconds: float = HEARTBEAT_SECONDS, *, echo_everywhere: bool = False
    ) -> None:
        """Make a server; with `echo_everywhere` every path is an echo, and there is no room."""
        self._log = log
        self._echo_everywhere = echo_everywhere
        self._room = Room(log, heartbeat_seconds)

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a listening socket until this is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._room.run)
            await accept(listener, self._serve_client, trio.Semaphore(UPSTREAM_CONNECTIONS), nursery, self._log)

    async def _serve_client(self, sock: socket.socket) -> None:
        client = HttpConnection(sock)
        try:
            request = await client.request()
            if request is None:
                return
            server_handshake = _answering(request)
            talk = self._talk(server_handshake)
        except HttpRefusal as error:
            await client.reply(refusal(error))
            return
        await client.channel.send(client.head.switch(server_handshake.accept(Answer())))
        await talk(Peer(client.channel, client.head.rest))
        with trio.move_on_after(GOODBYE_SECONDS):
            await client.channel.linger()

    def _talk(self, server_handshake: ServerHandshake) -> Talk:
        """Return the function for the path of a request. Raise HttpRefusal (404)."""
        if self._echo_everywhere:
            return echo
        match server_handshake.offer.target.partition("?")[0]:
            case "/echo":
                return echo
            case "/chat":
                told = (
                    value for name, value in server_handshake.offer.headers if name.lower() == "x-websocket-dialect"
                )
                # The gateway sends it. A client without it has connected directly, and speaks RFC 6455.
                dialect = next((value for value in told if value in DIALECTS), DIALECT.name)
                return lambda peer: self._room.chat(peer, dialect)
        raise HttpRefusal(Reason.ROUTE_MISSING, "there are /echo and /chat")


def _answering(request: Request) -> ServerHandshake:
    """Return the handshake for a request. Raise HttpRefusal for another request, or another dialect."""
    dialect = recognise(request)
    if dialect not in SPOKEN:
        versions = ", ".join(str(each.handshake.version) for each in reversed(SPOKEN))
        raise HttpRefusal(
            Reason.DIALECT_REFUSED,
            f"{dialect.name} is not spoken here",
            (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", versions)),
        )
    return dialect.handshake.server(request, os.urandom)
