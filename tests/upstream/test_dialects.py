"""Upstreams of any dialect: clients of every other dialect reach them, and they get only requests that they understand.

The bytes of the requests are in `test_old_servers`.
"""

import pytest

from tests.dialects.families import FACTS, HIXIE, TWO_KEYS, WITH_CODES
from tests.heads import fields, head_of, values
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.support import Running, Upstream, end_of, serving
from tests.upstream.servers import HELLO, MODERN, accepted
from wsgateway.dialects import DIALECTS, Answer
from wsgateway.wire.events import Close, Fragment, Kind, Ping, Pong

every_upstream = pytest.mark.parametrize("dialect", DIALECTS)


@every_upstream
async def test_a_client_of_each_dialect_gets_its_echo(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        for opening in OPENINGS:
            client = await gateway.connect(opening.request)
            behind = await accepted(upstream)
            assert behind.dialect == dialect
            secret = await opening.accepted(client)

            await client.send(opening.written(opening.hello_back, secret))
            assert await behind.event() == HELLO
            await behind.say(HELLO)
            assert await client.exactly(len(opening.hello_back)) == opening.hello_back
            await client.close()
            await behind.peer.close()
            line = await gateway.lines.line("session", client=client.name)
            assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 1, 1)


@every_upstream
async def test_bytes_of_a_server_after_its_handshake_are_the_first_of_the_session(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(MODERN.request)
        await accepted(upstream, behind=BY_DIALECT[dialect].hello_back * 2)
        await MODERN.accepted(client)
        assert await client.exactly(14) == MODERN.hello_back * 2


@every_upstream
async def test_a_ping_reaches_a_server_with_pings_and_is_answered_for_one_without(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        await MODERN.accepted(client)
        await client.send(MODERN.written(b"\x89\x04ping") + MODERN.hello)
        if dialect not in HIXIE:
            assert await behind.event() == Ping(b"ping")
            await behind.say(Pong(b"ping"))
        assert await behind.event() == HELLO
        assert await client.exactly(6) == b"\x8a\x04ping"


@every_upstream
async def test_a_binary_message_reaches_a_server_with_binary_and_ends_the_session_with_one_without(
    dialect: str,
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        await MODERN.accepted(client)
        await client.send(MODERN.written(b"\x82\x02\x00\xff"))
        if dialect not in HIXIE:
            assert await behind.event() == Fragment(Kind.BINARY, b"\x00\xff", final=True)
        else:
            if dialect == "hixie-76":
                assert await behind.event() == Close()
            assert await behind.end() == "end"
            await behind.peer.close()
            assert await client.rest() == bytes.fromhex("88 02 03eb")


@pytest.mark.parametrize("dialect", HIXIE)
@pytest.mark.parametrize(
    ("encode", "text"), [("base64", b"AP+Afw=="), ("hex", b"00ff807f"), ("latin-1", "\x00\xff\x80\x7f".encode())]
)
async def test_a_binary_message_becomes_text_for_a_server_without_binary_if_the_route_says_so(
    dialect: str, encode: str, text: bytes
) -> None:
    route = f"binary: {{encode: {encode}, decode: {encode}}}"
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect, route=route) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        await MODERN.accepted(client)
        await client.send(MODERN.written(b"\x82\x04\x00\xff\x80\x7f"))
        assert await behind.event() == Fragment(Kind.TEXT, text, final=True)
        await behind.say(Fragment(Kind.TEXT, text, final=True))
        assert await client.frame() == (0x82, b"\x00\xff\x80\x7f")


# -- goodbyes --------------------------------------------------------------------------------------------------------


@every_upstream
async def test_a_close_of_a_client_reaches_each_server_in_the_servers_form(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        await MODERN.accepted(client)
        await client.send(MODERN.hello + MODERN.written(bytes.fromhex("88 02 03e9")))
        assert await behind.event() == HELLO
        code = 1001 if dialect in WITH_CODES else None
        if dialect == "hixie-75":
            assert await behind.end() == "end"
            await behind.peer.send_eof()
        else:
            assert await behind.event() == Close(code)
            await behind.say(Close(code))
        # A dialect without codes has not repeated ours.
        answer = await client.rest()
        assert answer == (bytes.fromhex("88 02 03e9") if dialect in ("hixie-75", *WITH_CODES) else b"\x88\x00")
        await client.close()
        await behind.peer.close()
        assert end_of(await gateway.lines.line("session")) == "client: close 1001"


@every_upstream
async def test_a_close_of_each_server_reaches_the_client_in_the_clients_form(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        await MODERN.accepted(client)
        code = 1001 if dialect in WITH_CODES else None
        if dialect == "hixie-75":
            await behind.say(HELLO)
            await behind.peer.send_eof()
        else:
            await behind.say(HELLO, Close(code))
        assert await client.exactly(7) == MODERN.hello_back
        assert await client.frame() == (0x88, b"" if code is None else bytes.fromhex("03e9"))
        await client.send(MODERN.written(bytes.fromhex("88 02 03e9")))
        assert await client.rest() == b""
        if dialect == "hixie-75":
            assert await behind.end() == "end"
        else:
            assert await behind.event() == Close(code)
        await client.close()
        await behind.peer.close()
        assert end_of(await gateway.lines.line("session")) == f"upstream: close {code or 'no code'}"


# -- what is asked ---------------------------------------------------------------------------------------------------


async def asked(gateway: Running, upstream: Upstream, request: bytes) -> bytes:
    """Return the head of the request that the upstream gets for this request."""
    await gateway.connect(request)
    return (await accepted(upstream)).request


ORIGIN_HEADERS = ("origin", "sec-websocket-origin", "websocket-origin")


@every_upstream
async def test_a_server_gets_the_origin_only_in_the_header_of_its_dialect(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        for opening in OPENINGS:
            request = await asked(gateway, upstream, opening.request)
            sent = dict(fields(opening.head))
            origin = sent.get("origin") or sent["sec-websocket-origin"]
            heard = [(name, value) for name, value in fields(request) if name in ORIGIN_HEADERS]
            assert heard == [(FACTS[dialect].origin, origin)]


@every_upstream
async def test_a_server_gets_an_invented_origin_only_if_its_dialect_needs_one(
    dialect: str,
) -> None:
    without = MODERN.request.replace(b"Origin: http://example.com\r\n", b"")
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        request = await asked(gateway, upstream, without)
        origins = [value for name, value in fields(request) if name in ORIGIN_HEADERS]
        echoed = dialect in ("hixie-75", *TWO_KEYS)
        assert origins == (["http://server.example.com"] if echoed else [])


@every_upstream
async def test_a_server_of_each_dialect_gets_the_address_and_the_dialect_of_the_client(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        for opening in OPENINGS:
            request = await asked(gateway, upstream, opening.request)
            assert values(request, "x-forwarded-for") == ["127.0.0.1"]
            assert values(request, "x-forwarded-host") == values(opening.head, "host")
            assert values(request, "x-websocket-dialect") == [opening.dialect]


@every_upstream
async def test_compression_is_offered_only_to_a_modern_server(dialect: str) -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    head, end = MODERN.request[:-2], MODERN.request[-2:]
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(head + offer + end)
        behind = await accepted(upstream)
        expected = ["permessage-deflate"] if dialect == "rfc6455" else []
        assert values(behind.request, "sec-websocket-extensions") == expected
        assert values(await client.head(), "sec-websocket-extensions") == []


@every_upstream
async def test_cookies_pass_to_a_server_of_each_dialect_and_from_it(dialect: str) -> None:
    head, end = MODERN.request[:-2], MODERN.request[-2:]
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(head + b"Cookie: sid=abc\r\n" + end)
        behind = await accepted(upstream, Answer(headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))))
        assert values(behind.request, "cookie") == ["sid=abc"]
        assert values(await client.head(), "set-cookie") == ["a=1", "b=2"]


# -- subprotocols ----------------------------------------------------------------------------------------------------


@every_upstream
async def test_a_server_of_each_dialect_agrees_to_a_subprotocol_or_to_none(dialect: str) -> None:
    head, end = MODERN.request[:-2], MODERN.request[-2:]
    name = "websocket-protocol" if dialect == "hixie-75" else "sec-websocket-protocol"
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        client = await gateway.connect(head + b"Sec-WebSocket-Protocol: chat\r\n" + end)
        behind = await accepted(upstream, Answer("chat"))
        assert values(behind.request, name) == ["chat"]
        assert values(await client.head(), "sec-websocket-protocol") == ["chat"]
        await client.close()
        await behind.peer.close()
        assert (await gateway.lines.line("session"))["subprotocol"] == "chat"

        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream)
        assert values(behind.request, name) == []
        assert values(await client.head(), "sec-websocket-protocol") == []


@pytest.mark.parametrize("opening", [each for each in OPENINGS if each.dialect in HIXIE], ids=str)
async def test_a_subprotocol_passes_between_clients_and_servers_of_hixie(opening: Opening) -> None:
    lines = opening.head.decode("latin-1").split("\r\n")[:-2]
    name = "WebSocket-Protocol" if opening.dialect == "hixie-75" else "Sec-WebSocket-Protocol"
    for dialect in HIXIE:
        async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
            client = await gateway.connect(head_of(*lines, f"{name}: chat") + opening.challenge)
            await accepted(upstream, Answer("chat"))
            assert values(await client.head(), name.lower()) == ["chat"]
