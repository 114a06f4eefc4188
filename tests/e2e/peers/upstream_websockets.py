"""An upstream on `websockets` and Trio: python upstream_websockets.py

Echoes what it receives. Under /close it closes with 1001 'bye' behind the first echo, under /headers it begins with
the request as JSON; /401 and /302 answer with that status and no WebSocket. Every 101 sets a cookie, and of the
subprotocols "chat" and "superchat" one is agreed. Prints its port, then a line of JSON for each connection that has
ended. Listens on loopback.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus

import trio
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response
from websockets.trio.server import ServerConnection, serve
from websockets.typing import Subprotocol

MESSAGE_BYTES = 16 * 1024 * 1024
SUBPROTOCOLS = (Subprotocol("superchat"), Subprotocol("chat"))


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def converse(connection: ServerConnection) -> None:
    request = connection.request
    assert request is not None, "a handler runs behind the handshake"
    resource = request.path.partition("?")[0]
    with suppress(ConnectionClosedError):  # which code it was is printed
        if resource == "/headers":
            await connection.send(json.dumps({"path": request.path, "headers": list(request.headers.raw_items())}))
        async for message in connection:
            await connection.send(message)
            if resource == "/close":
                await connection.aclose(1001, "bye")
    say({"path": request.path, "code": connection.close_code, "reason": connection.close_reason})


def refuse(connection: ServerConnection, request: Request) -> Response | None:
    match request.path:
        case "/401":
            response = connection.respond(HTTPStatus.UNAUTHORIZED, "Who are you?\n")
            response.headers["WWW-Authenticate"] = 'Basic realm="upstream"'
        case "/302":
            response = connection.respond(HTTPStatus.FOUND, "Not here.\n")
            response.headers["Location"] = "https://elsewhere.example/login"
        case _:
            return None
    return response


def choose(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return our own order of preference; unlike the library's choice, clients without subprotocols are welcome."""
    return next((each for each in SUBPROTOCOLS if each in offered), None)


def set_cookie(_connection: ServerConnection, _request: Request, response: Response) -> None:
    if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
        response.headers["Set-Cookie"] = "seen=yes; Path=/; HttpOnly"


async def main() -> None:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            partial(
                serve,
                converse,
                0,
                host="127.0.0.1",
                process_request=refuse,
                process_response=set_cookie,
                select_subprotocol=choose,
                max_size=MESSAGE_BYTES,
            )
        )
        say(server.listeners[0].socket.getsockname()[1])


trio.run(main)
