"""The parts of a client's request that reach the upstream, and the parts of the answer that come back."""

import base64

import pytest

from tests.heads import fields, head_of, values
from tests.openings import (
    ACCEPT,
    CHALLENGE,
    HIXIE75,
    HIXIE76,
    KEY1,
    KEY2,
    PROOF,
    RFC6455,
    Opening,
    every_dialect,
)
from tests.support import Upstream, serving

GET = "GET / HTTP/1.1"


def adding(opening: Opening, *lines: str) -> bytes:
    """Return the request of a dialect with more headers."""
    return opening.head.removesuffix(b"\r\n") + head_of("", *lines).removeprefix(b"\r\n") + opening.challenge


# -- headers towards the upstream ------------------------------------------------------------------------------


async def test_the_whole_request_of_an_old_client_becomes_one_of_today() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        lines = ("Cookie: sid=abc", "Authorization: Basic eDp5", "User-Agent: PhantomJS/1.9.8")
        client = await gateway.connect(head_of("GET /demo?x=1&y=%20 HTTP/1.1", *HIXIE76, *lines) + CHALLENGE)
        _, request = await upstream.agree()

        [key] = values(request, "sec-websocket-key")
        assert request == (
            b"GET /demo?x=1&y=%20 HTTP/1.1\r\n"
            b"Host: example.com\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: " + key.encode() + b"\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"Origin: http://example.com\r\n"
            b"Cookie: sid=abc\r\n"
            b"Authorization: Basic eDp5\r\n"
            b"User-Agent: PhantomJS/1.9.8\r\n"
            b"X-Forwarded-For: 127.0.0.1\r\n"
            b"X-Forwarded-Proto: http\r\n"
            b"X-Forwarded-Host: example.com\r\n"
            b"X-WebSocket-Dialect: hixie-76\r\n"
            b"\r\n"
        )
        await client.head()


@every_dialect
async def test_the_request_to_a_modern_upstream_equals_that_of_a_modern_client(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(opening.request)
        _, request = await upstream.agree()

        sent = dict(fields(opening.head))
        assert request.split(b"\r\n")[0] == opening.head.split(b"\r\n")[0]
        assert values(request, "host") == [sent["host"]]
        assert values(request, "upgrade") == ["websocket"]
        assert values(request, "connection") == ["Upgrade"]
        assert values(request, "sec-websocket-version") == ["13"]
        assert values(request, "origin") == [sent.get("origin") or sent["sec-websocket-origin"]]
        old = ("websocket-", "sec-websocket-origin", "sec-websocket-key1", "sec-websocket-key2", "sec-websocket-draft")
        assert [name for name, _ in fields(request) if name.startswith(old)] == []


@every_dialect
async def test_every_session_has_a_key_of_its_own(opening: Opening) -> None:
    keys = set()
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for _ in range(5):
            await gateway.connect(opening.request)
            _, request = await upstream.agree()
            [key] = values(request, "sec-websocket-key")
            assert len(base64.b64decode(key, validate=True)) == 16
            assert key.encode() not in opening.request
            keys.add(key)
    assert len(keys) == 5


@every_dialect
async def test_the_upstream_gets_the_address_and_the_dialect_of_the_client(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(opening.request)
        _, request = await upstream.agree()
        assert values(request, "x-forwarded-for") == ["127.0.0.1"]
        assert values(request, "x-forwarded-proto") == ["http"]
        assert values(request, "x-forwarded-host") == values(opening.head, "host")
        assert values(request, "x-websocket-dialect") == [opening.dialect]


@every_dialect
async def test_headers_of_a_client_with_the_gateways_names_are_replaced(opening: Opening) -> None:
    forged = (
        "X-Forwarded-For: 192.0.2.1",
        "x-forwarded-for: 192.0.2.2",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: admin.example.com",
        "X-WebSocket-Dialect: rfc6455",
        "X-WEBSOCKET-DIALECT: forged",
        "Forwarded: for=192.0.2.1;proto=https",
        "X_Forwarded_For: 192.0.2.3",  # the same to CGI and WSGI
        "X-Real-IP: 192.0.2.4",
        "X-Forwarded-Port: 443",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(adding(opening, *forged))
        _, request = await upstream.agree()
        assert values(request, "x-forwarded-for") == ["127.0.0.1"]
        assert values(request, "x-forwarded-proto") == ["http"]
        assert values(request, "x-forwarded-host") == values(opening.head, "host")
        assert values(request, "x-websocket-dialect") == [opening.dialect]
        for name in ("forwarded", "x_forwarded_for", "x-real-ip", "x-forwarded-port"):
            assert values(request, name) == []


@every_dialect
async def test_hop_by_hop_headers_of_the_client_are_not_passed_on(opening: Opening) -> None:
    hop_by_hop = (
        "Connection: X-Hop, close",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic eDp5",
        "TE: trailers",
        "Trailer: X-Sum",
        "Expect: 100-continue",
        "X-End: 2",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(adding(opening, *hop_by_hop))
        _, request = await upstream.agree()
        names = {name for name, _ in fields(request)}
        gone = {"x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "expect"}
        assert names & gone == set()
        assert values(request, "x-end") == ["2"]


@pytest.mark.parametrize("named", ["Host", "Origin", "Cookie", "Sec-WebSocket-Key", "X-Forwarded-For"])
async def test_a_connection_header_cannot_remove_headers_of_the_gateway(named: str) -> None:
    # Naming a header in Connection is a known way to remove headers that a gateway adds.
    lines = (*RFC6455, "Origin: http://example.com", f"Connection: {named}")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(head_of(GET, *lines))
        _, request = await upstream.agree()
        kept = {"host", "origin", "sec-websocket-key", "x-forwarded-for", "x-forwarded-host", "x-websocket-dialect"}
        assert kept <= {name for name, _ in fields(request)}


@every_dialect
async def test_an_empty_cookie_is_dropped_and_a_full_one_is_kept_to_the_byte(opening: Opening) -> None:
    cookie = 'a="1, 2"; b=\xe9; c='
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(adding(opening, "Cookie: ", f"Cookie: {cookie}"))
        _, request = await upstream.agree()
        assert values(request, "cookie")[-1] == cookie
        assert "" not in values(request, "cookie")


# -- headers towards the client --------------------------------------------------------------------------------


@every_dialect
async def test_cookies_that_the_upstream_sets_reach_the_client(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request)
        await upstream.agree("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; HttpOnly")
        assert values(await client.head(), "set-cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


@pytest.mark.parametrize("lines", [HIXIE75, HIXIE76], ids=["hixie-75", "hixie-76"])
async def test_a_hixie_client_gets_only_cookies_of_the_answers_headers(lines: tuple[str, ...]) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of(GET, *lines) + (CHALLENGE if lines is HIXIE76 else b""))
        await upstream.agree("Server: x", "Date: y", "X-Any: z", "Set-Cookie: a=1")
        reply = await client.head()
        assert [name.removeprefix("sec-") for name, _ in fields(reply)] == [
            "upgrade",
            "connection",
            "websocket-origin",
            "websocket-location",
            "set-cookie",
        ]


async def test_a_modern_client_gets_the_end_to_end_headers_of_the_answer() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of(GET, *RFC6455))
        await upstream.agree("Server: x", "X-Any: z", "Keep-Alive: timeout=5", "Connection: X-Hop", "X-Hop: 1")
        assert await client.head() == head_of(
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            ACCEPT,
            "Server: x",
            "X-Any: z",
        )


# -- subprotocols ----------------------------------------------------------------------------------------------

CHAT = "Sec-WebSocket-Protocol: chat"
# The client's headers, the upstream's offer, the upstream's choice, and the client's answer.
SUBPROTOCOLS: dict[str, tuple[tuple[str, ...], list[str], str | None, list[str]]] = {
    "one in 75": ((*HIXIE75, "WebSocket-Protocol: chat"), ["chat"], "chat", ["chat"]),
    "one in 76, as WebKit sends it": ((*HIXIE75, CHAT, KEY1, KEY2), ["chat"], "chat", ["chat"]),
    "one in 76, as Flash sends it": ((*HIXIE76, CHAT), ["chat"], "chat", ["chat"]),
    "a list in 75": (
        (*HIXIE75, "WebSocket-Protocol: chat,superchat"),
        ["chat, superchat"],
        "chat",
        ["chat,superchat"],
    ),
    "one today": ((*RFC6455, CHAT), ["chat"], "chat", ["chat"]),
    "a list today": (
        (*RFC6455, "Sec-WebSocket-Protocol: chat, superchat"),
        ["chat, superchat"],
        "superchat",
        ["superchat"],
    ),
    "two headers today": ((*RFC6455, CHAT, "Sec-WebSocket-Protocol: b"), ["chat, b"], "b", ["b"]),
    "one that is not chosen today": ((*RFC6455, CHAT), ["chat"], None, []),
    "one that is answered by an empty header": ((*RFC6455, CHAT), ["chat"], "", []),
    "none": (RFC6455, [], None, []),
}


@pytest.mark.parametrize(("lines", "offered", "chosen", "heard"), SUBPROTOCOLS.values(), ids=SUBPROTOCOLS)
async def test_subprotocols_are_offered_and_answered(
    lines: tuple[str, ...], offered: list[str], chosen: str | None, heard: list[str]
) -> None:
    hixie76 = KEY1 in lines
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of(GET, *lines) + (CHALLENGE if hixie76 else b""))
        behind, request = await upstream.agree(*[f"Sec-WebSocket-Protocol: {chosen}"] * (chosen is not None))

        assert values(request, "sec-websocket-protocol") == offered
        reply = await client.head()
        hixie75 = b"\r\nWebSocket-Origin: " in reply
        assert values(reply, "websocket-protocol" if hixie75 else "sec-websocket-protocol") == heard
        if hixie76:
            assert await client.exactly(16) == PROOF
        await behind.close()
        await client.close()
        assert (await gateway.lines.line("session")).get("subprotocol") == (chosen or None)


# -- compression -----------------------------------------------------------------------------------------------

OFFER = "permessage-deflate; client_max_window_bits"


@pytest.mark.parametrize(
    ("offer", "forwarded"),
    [
        ([OFFER], [OFFER]),
        (["permessage-deflate; server_max_window_bits=10, permessage-deflate"],) * 2,
        (["x-webkit-deflate-frame"], []),
        (["x-webkit-deflate-frame, permessage-deflate", "deflate-stream"], ["permessage-deflate"]),
        (["PerMessage-Deflate"], ["PerMessage-Deflate"]),
        ([], []),
    ],
)
async def test_only_the_compression_of_a_modern_client_is_offered_on(offer: list[str], forwarded: list[str]) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await gateway.connect(head_of(GET, *RFC6455, *(f"Sec-WebSocket-Extensions: {each}" for each in offer)))
        _, request = await upstream.agree()
        assert values(request, "sec-websocket-extensions") == forwarded


@pytest.mark.parametrize("version", [7, 8])
async def test_an_old_client_offers_no_compression(version: int) -> None:
    lines = (*RFC6455[:-1], f"Sec-WebSocket-Version: {version}", f"Sec-WebSocket-Extensions: {OFFER}")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of(GET, *lines))
        _, request = await upstream.agree()
        assert values(request, "sec-websocket-extensions") == []
        assert values(await client.head(), "sec-websocket-extensions") == []


@pytest.mark.parametrize(
    ("text_only", "forwarded"), [("[rfc6455]", []), ("[hybi-07..08, rfc6455]", []), ("[hybi-07..08]", [OFFER])]
)
async def test_a_client_whose_binary_messages_become_text_offers_no_compression(
    text_only: str, forwarded: list[str]
) -> None:
    route = f"binary: {{encode: base64, decode: base64, text_only: {text_only}}}"
    async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
        client = await gateway.connect(head_of(GET, *RFC6455, f"Sec-WebSocket-Extensions: {OFFER}"))
        _, request = await upstream.agree()
        assert values(request, "sec-websocket-extensions") == forwarded
        assert values(await client.head(), "sec-websocket-extensions") == []


async def test_compression_that_the_upstream_accepts_is_between_the_two_ends() -> None:
    # RFC 7692, 7.2.3.1: "Hello", compressed; masked with the key of RFC 6455, 5.7.
    answer = "permessage-deflate; client_max_window_bits=12"
    frame = bytes.fromhex("c1 07 f248cdc9c90700")
    masked = bytes.fromhex("c1 87 37fa213d c5b2ecf4fefd21")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of(GET, *RFC6455, f"Sec-WebSocket-Extensions: {OFFER}"))
        behind, _ = await upstream.agree(f"Sec-WebSocket-Extensions: {answer}")
        assert values(await client.head(), "sec-websocket-extensions") == [answer]

        await client.send(masked)
        assert await behind.exactly(len(masked)) == masked
        await behind.send(frame)
        assert await client.exactly(len(frame)) == frame
