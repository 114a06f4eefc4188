"""The server behind the demo's gateway. It knows RFC 6455 alone, as a modern backend does.

    /echo     says every message again, text or binary
    /chat     a room (see `room`); the dialect of a member is what the gateway says in X-WebSocket-Dialect

Built on the same pure library as the gateway. No TLS, no compression, no limits beyond those that keep it alive.
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
from wsgateway.errors import HttpRefusal
from wsgateway.observe.http_server import HttpConnection, accept, refusal
from wsgateway.observe.log import Log
from wsgateway.wire.heads import Request

MAX_CONNECTIONS = 512
GOODBYE_SECONDS = 2.0


async def echo(peer: Peer) -> None:
    """Sends every message back, until the peer goes."""
    async with aclosing(peer.messages()) as messages:
        async for message in messages:
            await peer.send(message)


Talk = Callable[[Peer], Awaitable[None]]


class DemoUpstream:
    """The server."""

    def __init__(
        self, log: Log, heartbeat_seconds: float = HEARTBEAT_SECONDS, *, echo_everywhere: bool = False
    ) -> None:
        """`echo_everywhere`: every path is an echo, and there is no room."""
        self._log = log
        self._echo_everywhere = echo_everywhere
        self._room = Room(log, heartbeat_seconds)

    async def serve(self, listener: socket.socket) -> None:
        """Serves on a socket that listens, until it is cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._room.run)
            await accept(listener, self._serve_client, trio.Semaphore(MAX_CONNECTIONS), nursery, self._log)

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
        """What a path is for. Raises HttpRefusal (404)."""
        if self._echo_everywhere:
            return echo
        match server_handshake.offer.target.partition("?")[0]:
            case "/echo":
                return echo
            case "/chat":
                told = (
                    value for name, value in server_handshake.offer.headers if name.lower() == "x-websocket-dialect"
                )
                # Set by the gateway; whoever comes without it speaks what we do.
                dialect = next((value for value in told if value in DIALECTS), DIALECT.name)
                return lambda peer: self._room.chat(peer, dialect)
        raise HttpRefusal("there are /echo and /chat", 404)


def _answering(request: Request) -> ServerHandshake:
    """The handshake of a request. Raises HttpRefusal for one that is none, or of another dialect than ours."""
    dialect = recognise(request)
    if dialect is not DIALECT:
        version = str(DIALECT.handshake.version)
        raise HttpRefusal(
            f"{dialect.name} is not spoken here", 426, (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", version))
        )
    return dialect.handshake.server(request, os.urandom)
