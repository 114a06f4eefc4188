"""A route with `keep`: the head for servers that have little room for one."""

import pytest

from tests.dialects.families import COVERED, FACTS, LATER, MORE
from tests.heads import head_of, values
from tests.openings import OPENINGS, RFC6455, Opening
from tests.serve.exchanging import passed, serving_http
from tests.support import Upstream, serving

# Chrome 27 as a client of an appliance, and a cookie that is too long for it.
HOST = "Host: appliance.lan"
BROWSER = (
    "Origin: http://appliance.lan",
    "User-Agent: Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/27.0.1453.94",
    "Accept-Language: de-DE,de;q=0.8",
    f"Cookie: session={'x' * 900}",
    "Authorization: Basic eDp5",
    "Sec-Fetch-Mode: websocket",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)
REQUEST = head_of("GET / HTTP/1.1", HOST, *RFC6455[1:], *BROWSER)
# ejeklint/ArduinoWebsocketServer#13: its buffers have room for a line, and for a head.
LINE_BYTES = 60
HEAD_BYTES = 256
CHALLENGE_BYTES = 8


async def test_the_handshake_alone_is_short() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="headers: {keep: []}") as gateway:
        client = await gateway.connect(REQUEST)
        _, request = await upstream.agree()
        [key] = values(request, "sec-websocket-key")
        assert request == head_of(
            "GET / HTTP/1.1",
            HOST,
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Origin: http://appliance.lan",
        )
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("dialect", "most"),
    [
        ("hixie-75", 110),
        # The length of the keys is random, at most 34 characters (section 4.1 of the draft), and 8 bytes follow the
        # head.
        ("hixie-76", 222),
        *((name, 246) for name in MORE),
        *((name, 194 + len(str(FACTS[name].version))) for name in (*COVERED, *LATER)),
        ("rfc6455", 182),
    ],
)
async def test_the_handshake_of_any_dialect_fits_an_appliance(dialect: str, most: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect, route="headers: {keep: []}") as gateway:
        await gateway.connect(REQUEST)
        request = await (await upstream.accept()).head()
        assert max(map(len, request.split(b"\r\n"))) <= LINE_BYTES
        assert len(request) <= most <= HEAD_BYTES - CHALLENGE_BYTES


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_client_of_any_dialect_becomes_the_handshake_alone(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, route="headers: {keep: []}") as gateway:
        await gateway.connect(opening.request)
        _, request = await upstream.agree()
        names = [line.partition(b":")[0] for line in request.split(b"\r\n")[1:-2]]
        assert names == [
            b"Host", b"Upgrade", b"Connection", b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Origin",
        ]  # fmt: skip


async def test_kept_headers_and_set_headers_are_passed_on() -> None:
    route = "headers: {keep: [cookie, X-Forwarded-For, 'Sec-Fetch-*'], set: {X-Key: secret}}"
    lines = ("Cookie: a=b", "User-Agent: x", "Sec-Fetch-Mode: websocket", "X-Forwarded-For: 192.0.2.1", "X-Key: no")
    async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
        await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455, *lines))
        _, request = await upstream.agree()
        _, _, rest = request.partition(b"Sec-WebSocket-Version: 13\r\n")
        assert rest == (
            b"Cookie: a=b\r\nSec-Fetch-Mode: websocket\r\nX-Forwarded-For: 127.0.0.1\r\nX-Key: secret\r\n\r\n"
        )


async def test_subprotocols_belong_to_the_handshake() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="headers: {keep: []}") as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455, "Sec-WebSocket-Protocol: chat"))
        _, request = await upstream.agree("Sec-WebSocket-Protocol: chat")
        assert values(request, "sec-websocket-protocol") == ["chat"]
        assert values(await client.head(), "sec-websocket-protocol") == ["chat"]


async def test_plain_requests_keep_the_headers_about_their_body() -> None:
    request = head_of(
        "POST /a HTTP/1.1", "Host: appliance.lan", "Content-Type: text/plain", "Content-Length: 2", *BROWSER[:5]
    )
    async with Upstream() as upstream, serving_http(upstream.port, route="headers: {keep: []}") as gateway:
        _, _, received = await passed(upstream, gateway, request + b"ab")
        assert received == head_of("POST /a HTTP/1.1", "Host: appliance.lan", "Content-Length: 2", "Connection: close")
