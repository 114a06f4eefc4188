"""Servers behind a gateway that somebody else wrote: the library `websockets`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import ServerConnection
from websockets.trio.server import serve as serve_websockets
from websockets.typing import Subprotocol

Handler = Callable[[ServerConnection], Any]


async def echo(connection: ServerConnection) -> None:
    """Send each message back."""
    try:
        while True:  # and not `async for`, whose generator is an error where a test ends before it does
            await connection.send(await connection.recv())
    except ConnectionClosed:
        return


def prefer_sample(_: ServerConnection, offered: list[Subprotocol]) -> Subprotocol | None:
    """Choose the subprotocol of the drafts' examples."""
    return Subprotocol("sample") if "sample" in offered else None


@asynccontextmanager
async def websockets_server(handler: Handler = echo, **options: Any) -> AsyncIterator[int]:
    """Yield the port of a server that somebody else wrote."""
    async with trio.open_nursery() as nursery:
        start = partial(serve_websockets, handler, 0, host="127.0.0.1", ping_interval=None, **options)
        server = await nursery.start(start)
        yield server.listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()
