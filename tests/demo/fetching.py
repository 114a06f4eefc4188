"""HTTP requests, byte for byte, and the responses to them."""

import json
from dataclasses import dataclass
from typing import Any

import trio

from wsgateway.settings.basics import Address


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def send(server: Address, request: bytes) -> Response:
    """Send a request, and read until the server ends the connection."""
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        await stream.send_all(request)
        data = b"".join([piece async for piece in stream])
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Response(int(first.split()[1]), headers, body)


async def fetch(server: Address, target: str, method: str = "GET", **headers: str) -> Response:
    """Request a path as a browser on this machine would, once. Headers are arguments, with _ for -."""
    fields = {"Host": str(server), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return await send(server, ("\r\n".join(lines) + "\r\n\r\n").encode())
