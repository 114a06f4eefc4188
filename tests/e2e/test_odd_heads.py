"""The same odd heads to the gateway, to nginx and to HAProxy, in front of the same server.

The gateway is for old devices. Where it refuses what one of the others serves, the reason stands here.
"""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from tests.heads import values
from tests.peers import Peer
from tests.serve.exchanging import serving_http

from .programs import PATIENCE_SECONDS
from .proxies import in_front

# A server, or a proxy that refuses, answers at once; a proxy that serves nothing may say nothing. When nobody got an
# answer for so long, nobody else will.
SILENCE_SECONDS = 5
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
HOST = b"Host: example.com\r\n"


def head(
    *lines: bytes, start: bytes = b"GET /chat HTTP/1.1", host: bytes = HOST, upgrade: bytes = UPGRADE, key: bytes = KEY
) -> bytes:
    return b"".join([start, b"\r\n", host, upgrade, key, *(line + b"\r\n" for line in lines), b"\r\n"])


def plain(*lines: bytes, start: bytes = b"GET /chat HTTP/1.1", host: bytes = HOST) -> bytes:
    return head(*lines, start=start, host=host, upgrade=b"", key=b"")


def keyed(key: bytes) -> bytes:
    return head(key=KEY.replace(b"dGhlIHNhbXBsZSBub25jZQ==", key))


HEADS = {
    "ordinary": head(),
    "absolute-target": head(start=b"GET http://example.com/chat HTTP/1.1"),
    "absolute-target, ws": head(start=b"GET ws://example.com/chat HTTP/1.1"),
    "absolute-target, another port": head(start=b"GET http://example.com:81/chat HTTP/1.1"),
    "absolute-target, another name": head(start=b"GET http://example.org/chat HTTP/1.1"),
    "absolute-target, plain": plain(start=b"GET http://example.com/chat HTTP/1.1"),
    "empty-lines": b"\r\n\r\n" + head(),
    "empty-lines, five": b"\r\n" * 5 + head(),
    "raw-target": head(start=b"GET /caf\xc3\xa9 HTTP/1.1"),
    "raw-target, no UTF-8": head(start=b"GET /caf\xe9 HTTP/1.1"),
    "key-form, 21 characters": keyed(b"5RdYWpPZNAdmqOTGyeq7o"),
    "key-form, 32 bytes": keyed(b"JCMCrKJENqcrTU9erFxGoiP5P8JhjeocERQs9vgR/Y4="),
    "key-form, a space": keyed(b"a b"),
    "subprotocol-names, a slash": head(b"Sec-WebSocket-Protocol: seedlink/3.1"),
    "subprotocol-names, a space": head(b"Sec-WebSocket-Protocol: binary base64 plain"),
    "subprotocol-names, twice": head(b"Sec-WebSocket-Protocol: chat, chat"),
    "subprotocol-names, above 7E": head(b"Sec-WebSocket-Protocol: caf\xc3\xa9"),
    "header-controls": head(b"Cookie: a=V\x01iyh"),
    "header-controls, DEL": head(b"Cookie: a=V\x7fiyh"),
    "header-controls, plain": plain(b"Cookie: a=V\x01iyh"),
    "header-controls, Origin": head(b"Origin: http://a\x01"),
    "header-controls, NUL": head(b"Cookie: a\0b"),
    "host-form, a colon": head(host=b"Host: example.com:\r\n"),
    "host-form, no brackets": head(host=b"Host: fe80::1\r\n"),
    "upgrade-list, h2c behind": head(upgrade=b"Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n"),
    "upgrade-list, twice": head(b"Upgrade: websocket"),
    "bare-lf": head().replace(b"\r\n", b"\n"),
    "bare-lf, plain": plain().replace(b"\r\n", b"\n"),
    "http-1.0": head(start=b"GET /chat HTTP/1.0"),
    "no-host": head(host=b""),
    "a folded line": head(b"X-A: 1", b" 2"),
    "a space before a colon": head(b"X-A : 1"),
    "two Hosts": head(HOST[:-2]),
    "two other Hosts": head(b"Host: example.org"),
    "a body with an upgrade": head(b"Content-Length: 5") + b"hello",
    "a length and chunks": plain(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a dot segment": head(start=b"GET /chat/../x HTTP/1.1"),
}

# Where nginx or HAProxy serves it, and the gateway does not by default.
_ENDS = "two servers may not agree where the message ends"
_ECHOED = "the gateway repeats it, or chooses by it, and a control must not come out of it"
REASONS = {
    "absolute-target, another name": "a route or a cache in front may have chosen by the other name",
    "empty-lines, five": "no client is known to send more than two; without a bound they would never end",
    "raw-target, no UTF-8": "hixie clients read the target in the reply, as UTF-8; no client is known to send it",
    "key-form, a space": "two servers may not agree where the key ends, so that its proof would be wrong",
    "subprotocol-names, above 7E": "the reply repeats it, and no draft allows it; WebKit reads no other reply then",
    "header-controls, Origin": _ECHOED,
    "header-controls, NUL": "servers written in C end the value there",
    "bare-lf": "off by default: a server in front may see the head end somewhere else",
    "bare-lf, plain": _ENDS,
    "http-1.0": "off by default: RFC 9110, 7.8, has a server ignore Upgrade in HTTP/1.0",
    "no-host": "off by default: nobody knows for which host it is",
    "a folded line": _ENDS,
    "two Hosts": "RFC 9112, 3.2: 400, also if both say the same",
    "a body with an upgrade": _ENDS,
    "a length and chunks": _ENDS,
    "a dot segment": "the path could lead out of its route behind the gateway",
}


async def answer(stream: trio.SocketStream) -> None:
    """Serve one request: an upgrade, or another one."""
    async with stream:
        data = b""
        while b"\r\n\r\n" not in data:
            more = await stream.receive_some()
            if not more:
                return
            data += more
        keys = values(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", "sec-websocket-key")
        if not keys:
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            return
        digest = hashlib.sha1(keys[0].encode("latin-1") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        accept = base64.b64encode(digest)
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()


@asynccontextmanager
async def backend() -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def served(port: int) -> set[str]:
    """Return the heads that are answered 101, or 200 if they are plain."""
    found: set[str] = set()

    async def ask(name: str, data: bytes) -> None:
        client = Peer(await trio.open_tcp_stream("127.0.0.1", port))
        with client.stream.socket, suppress(OSError, trio.BrokenResourceError, AssertionError):
            await client.send(data)
            if (await client.until(b"\r\n")).split(b" ")[1] in (b"101", b"200"):
                found.add(name)
        nursery.cancel_scope.deadline = trio.current_time() + SILENCE_SECONDS

    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + PATIENCE_SECONDS
        for name, data in HEADS.items():
            nursery.start_soon(ask, name, data)
    return found


async def test_each_head_that_nginx_or_haproxy_serves_is_served_or_has_a_reason_here(tmp_path: Path) -> None:
    by_others: dict[str, set[str]] = {}
    async with backend() as port:
        for proxy in ("nginx", "HAProxy, mode http"):
            folder = tmp_path / proxy.partition(",")[0]
            folder.mkdir()
            place = f"127.0.0.1:{port}"
            with in_front(proxy, (place, place), folder) as front:
                by_others[proxy] = await served(front)
        async with serving_http(port) as gateway:
            by_us = await served(gateway.port)
    for name in HEADS:
        print(name, name in by_us, *(f"{proxy}: {name in found}" for proxy, found in by_others.items()))
    assert "ordinary" in by_us.intersection(*by_others.values())
    refused = set().union(*by_others.values()) - by_us
    assert refused == REASONS.keys()
