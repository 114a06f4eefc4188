"""The quirks of clients of hybi and of early RFC 6455: what they do or need beyond their drafts, each by name.

libwebsockets, pywebsocket, Firefox 6 and Chrome 14 were recorded; ws 0.4.32 and web-socket-js were read. Answers to
keys are made with `openssl sha1`. The clients of hixie are in `test_quirks`.
"""

import pytest

from tests.heads import fields, head_of, values
from tests.openings import ACCEPT, BY_DIALECT, KEY, RFC6455, Opening, opened
from tests.peers import Peer
from tests.support import Running, Upstream, serving

HYBI_UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
SWITCHING = ("HTTP/1.1 101 Switching Protocols", *HYBI_UPGRADE)


async def asked(upstream: Upstream, gateway: Running, request: bytes, *agreed: str) -> tuple[Peer, Peer, bytes]:
    """Return a client with this request, its upstream, which accepts with these headers, and the upstream's request."""
    client = await gateway.connect(request)
    behind, forwarded = await upstream.agree(*agreed)
    return client, behind, forwarded


# -- libwebsockets of 2011 -------------------------------------------------------------------------------------------

LIBWEBSOCKETS = ("Host: 127.0.0.1", *HYBI_UPGRADE)
# For 4, 5 and 6: the recorded key, and the answer to it.
LIBWEBSOCKETS_KEYS = {
    4: ("k7eEIIGN+QFN6OI2SmR9ag==", "mx8A41CNJ5cWuw7rk5Yt1o3I5qE="),
    5: ("Hs/JcCKn6oJsuHncDdkQ/w==", "gzf2I1XSqs2JiNro4mrC62dXPZs="),
    6: ("Fxg7/Elkhr5ynEmynono2w==", "am+Gpxhot9TXDg+l2u10nvHqCcc="),
}


@pytest.mark.parametrize("version", LIBWEBSOCKETS_KEYS)
async def test_libwebsockets_sends_a_host_without_its_port_and_an_origin_that_is_a_host(version: int) -> None:
    key, accept = LIBWEBSOCKETS_KEYS[version]
    request = head_of(
        "GET / HTTP/1.1",
        *LIBWEBSOCKETS,
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Origin: 127.0.0.1",
        "Sec-WebSocket-Protocol: dumb-increment-protocol",
        f"Sec-WebSocket-Version: {version}",
    )
    agreed = "Sec-WebSocket-Protocol: dumb-increment-protocol"
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, request, agreed)
        assert values(forwarded, "host") == ["127.0.0.1"]
        assert values(forwarded, "origin") == ["127.0.0.1"]
        reply = await client.head()
        assert values(reply, "sec-websocket-accept") == [accept]
        assert values(reply, "sec-websocket-protocol") == ["dumb-increment-protocol"]


async def test_libwebsockets_sends_a_frame_of_draft_06_that_is_masked_from_its_first_byte() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hybi-06"])
        # A pong without a ping and without a payload, and a text: recorded.
        await session.client.send(bytes.fromhex("62dae735 e1d88f5c"))
        await session.client.send(bytes.fromhex("8ead3f59 0ab95c79ad9e0c6db69a0c79bc9a0879bf9e0979b996"))
        assert await session.behind.frame() == (0x8A, b"hi")
        assert await session.behind.frame() == (0x81, b"c #334873 277 136 7;")


async def test_libwebsockets_and_jetty_answer_a_close_of_draft_06_by_its_own_body() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hybi-06"])
        await session.behind.send(bytes.fromhex("88 02 03e8"))
        assert await session.client.exactly(4) == bytes.fromhex("81 02 03e8")
        await session.client.send(bytes.fromhex("ae38e07c 2f3ae394"))  # recorded
        assert await session.behind.frame() == (0x88, bytes.fromhex("03e8"))
        assert await session.client.rest() == b""


async def test_a_client_of_draft_05_sends_c_and_gets_s_and_neither_is_a_code() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hybi-05"])
        await session.client.send(session.masked(b"\x81\x01C"))
        assert await session.behind.frame() == (0x88, b"")
        await session.behind.send(bytes.fromhex("88 02 03e8"))
        assert await session.client.rest() == b"\x81\x01S"


@pytest.mark.parametrize("body", [b"", b"S", b"C"], ids=["nothing", "as it came", "its own"])
async def test_a_client_of_draft_05_may_answer_s_by_any_payload(body: bytes) -> None:
    # libwebsockets repeats it; websocket-ruby has no payload at all.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, BY_DIALECT["hybi-05"])
        await session.behind.send(bytes.fromhex("88 02 03e9"))
        assert await session.client.exactly(3) == b"\x81\x01S"
        await session.client.send(session.masked(bytes([0x81, len(body)]) + body))
        assert await session.behind.frame() == (0x88, b"")
        assert await session.client.rest() == b""


async def test_pywebsocket_of_draft_04_offers_a_list_and_gets_one_member_of_it() -> None:
    request = head_of(
        "GET /demo?x=1 HTTP/1.1",
        "Host: example.com:8080",
        *HYBI_UPGRADE,
        KEY,
        "Sec-WebSocket-Origin: http://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Version: 4",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, request, "Sec-WebSocket-Protocol: superchat")
        assert values(forwarded, "sec-websocket-protocol") == ["chat, superchat"]
        reply = fields(await client.head())
        assert [name for name, _ in reply] == [
            "upgrade",
            "connection",
            "sec-websocket-accept",
            "sec-websocket-nonce",
            "sec-websocket-protocol",
        ]
        assert reply[-1][1] == "superchat"


# -- browsers of 2011 ------------------------------------------------------------------------------------------------


async def test_firefox_6_speaks_version_7_keeps_alive_and_names_its_origin_as_the_drafts_did() -> None:
    opening = BY_DIALECT["hybi-07"]
    assert b"\r\nConnection: keep-alive, Upgrade\r\n" in opening.head
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, opening.request)
        await opening.accepted(client)
        assert values(forwarded, "origin") == ["http://html5.bauglir.dev"]
        assert values(forwarded, "sec-websocket-origin") == []
        assert values(forwarded, "cookie") == ["__utma=1"]
        assert values(forwarded, "connection") == ["Upgrade"]


async def test_chrome_14_speaks_version_8_and_names_its_origin_as_the_drafts_did() -> None:
    opening = BY_DIALECT["hybi-08"]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, opening.request)
        await opening.accepted(client)
        assert values(forwarded, "origin") == ["http://html5.bauglir.dev"]
        assert values(forwarded, "sec-websocket-origin") == []


# 00 FF 80 7F as websockify writes it.
BINARY, BASE64 = b"\x82\x04\x00\xff\x80\x7f", b"\x81\x08AP+Afw=="
BROWSERS = [BY_DIALECT["hybi-07"], BY_DIALECT["hybi-08"]]
TEXT_ONLY = "binary: {encode: base64, decode: base64, text_only: [hybi-07..08]}"


@pytest.mark.parametrize("browser", BROWSERS, ids=["Firefox 6", "Chrome 14"])
async def test_browsers_of_2011_that_cannot_take_binary_get_it_as_base64_and_send_it_so(browser: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port, route=TEXT_ONLY) as gateway:
        session = await opened(upstream, gateway, browser)
        await session.behind.send(BINARY)
        assert await session.client.exactly(len(BASE64)) == BASE64
        await session.client.send(session.masked(BASE64))
        assert await session.behind.frame() == (0x82, b"\x00\xff\x80\x7f")


@pytest.mark.parametrize("browser", BROWSERS, ids=["Firefox 6", "Chrome 14"])
async def test_browsers_of_2011_are_not_sent_binary_if_it_has_no_text_form(
    browser: Opening,
) -> None:
    async with Upstream() as upstream, serving(upstream.port, route="binary: {text_only: [hybi-07..08]}") as gateway:
        session = await opened(upstream, gateway, browser)
        await session.behind.send(BINARY)
        assert await session.behind.frame() == (0x88, bytes.fromhex("03eb"))
        assert await session.client.rest() == b""


@pytest.mark.parametrize("dialect", ["rfc6455", "hybi-06", "hybi-01"])
async def test_clients_of_other_dialects_on_the_same_route_have_binary_messages(dialect: str) -> None:
    opening = BY_DIALECT[dialect]
    async with Upstream() as upstream, serving(upstream.port, route=TEXT_ONLY) as gateway:
        session = await opened(upstream, gateway, opening)
        await session.behind.send(BINARY)
        assert await session.client.exactly(6) == opening.spelled(BINARY)
        await session.client.send(session.masked(opening.spelled(BASE64)))
        assert await session.behind.frame() == (0x81, b"AP+Afw==")


# -- the rest --------------------------------------------------------------------------------------------------------

SAFARI_6 = head_of(
    "GET / HTTP/1.1",
    *HYBI_UPGRADE,
    "Host: example.com",
    "Origin: http://example.com",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    KEY,
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Extensions: x-webkit-deflate-frame",
    "User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_8) AppleWebKit/536.25 Version/6.0 Safari/536.25",
)


@pytest.mark.parametrize("said", [(), ("Sec-WebSocket-Extensions: ",)], ids=["nothing", "an empty header"])
async def test_safari_6_fails_on_empty_headers_and_gets_none(said: tuple[str, ...]) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, SAFARI_6, *said)
        assert values(forwarded, "sec-websocket-extensions") == []
        assert await client.head() == head_of(*SWITCHING, ACCEPT)


async def test_safari_15_breaks_large_compressed_messages_and_a_route_can_do_without() -> None:
    request = head_of("GET / HTTP/1.1", *RFC6455, "Sec-WebSocket-Extensions: permessage-deflate")
    async with Upstream() as upstream, serving(upstream.port, route="extensions: none") as gateway:
        client, _, forwarded = await asked(upstream, gateway, request)
        assert values(forwarded, "sec-websocket-extensions") == []
        assert await client.head() == head_of(*SWITCHING, ACCEPT)


async def test_ws_0_4_for_node_makes_keys_of_15_bytes_and_sends_the_host_in_the_other_origin_header() -> None:
    # Its key is the version, a hyphen and the time.
    request = head_of(
        "GET /chat HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Host: example.com:8080",
        "Origin: example.com:8080",
        "Sec-WebSocket-Version: 8",
        "Sec-WebSocket-Key: OC0xMzU2OTk4NDAwMDAw",
        "Sec-WebSocket-Origin: http://app.test",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, request)
        assert values(forwarded, "origin") == ["http://app.test"]
        assert await client.head() == head_of(*SWITCHING, "Sec-WebSocket-Accept: S4v7Nm3HN4ktgEONEDTOI9R4VGc=")


async def test_web_socket_js_since_2012_sends_an_empty_cookie_header_and_lists_without_spaces() -> None:
    request = head_of(
        "GET /chat HTTP/1.1",
        "Host: example.com",
        *HYBI_UPGRADE,
        KEY,
        "Origin: http://example.com",
        "Sec-WebSocket-Version: 13",
        "Cookie: ",
        "Sec-WebSocket-Protocol: chat,superchat",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _, forwarded = await asked(upstream, gateway, request, "Sec-WebSocket-Protocol: chat")
        assert values(forwarded, "cookie") == []
        assert values(forwarded, "sec-websocket-protocol") == ["chat, superchat"]
        assert await client.head() == head_of(*SWITCHING, ACCEPT, "Sec-WebSocket-Protocol: chat")


@pytest.mark.parametrize("version", [4, 5, 6, 7, 8, 13])
async def test_clients_written_after_a_book_send_the_origin_by_either_name(version: int) -> None:
    for name in "Origin", "Sec-WebSocket-Origin":
        lines = (*RFC6455[:-1], f"Sec-WebSocket-Version: {version}", f"{name}: http://example.com")
        async with Upstream() as upstream, serving(upstream.port) as gateway:
            client, _, forwarded = await asked(upstream, gateway, head_of("GET / HTTP/1.1", *lines))
            assert values(forwarded, "origin") == ["http://example.com"]
            reply = await client.head()
            assert ACCEPT.encode() in reply
            assert b"Origin" not in reply
