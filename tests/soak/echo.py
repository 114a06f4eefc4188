"""The upstream of a soak: `python -m tests.soak.echo PORT NAME`. It says its name, and then sends each message back.

Somebody else wrote how it speaks WebSocket. Plain HTTP gets its name, too.
"""

import asyncio
import logging
import sys
from contextlib import suppress
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

# All clients come back at once.
BACKLOG = 4096


async def main(port: int, name: str) -> None:
    async def echo(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await connection.send(name)
            async for message in connection:
                await connection.send(pieces(message) if len(message) % 3 == 0 else message)

    def page(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus.OK, name) if request.path == "/page" else None

    # Who hangs up during a handshake is no news here.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    serving = serve(
        echo, "127.0.0.1", port, compression=None, ping_interval=None, process_request=page, backlog=BACKLOG
    )
    async with serving as server:
        print("ready", flush=True)
        await server.serve_forever()


def pieces(message: str | bytes) -> list[str] | list[bytes]:
    """Return fragments of it."""
    third = max(1, len(message) // 3)
    return [message[at : at + third] for at in range(0, len(message), third)]  # type: ignore[return-value]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
