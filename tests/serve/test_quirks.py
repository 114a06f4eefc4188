"""The quirks of clients of the hixie dialects: what they do or need beyond their drafts, each by name, as they send it.

PhantomJS 1.9.8 (Qt 4.8, WebKit 534.34) was recorded, and so were Protocol::WebSocket and websocket-ruby; web-socket-js
was read. Proofs that were not recorded are made with `openssl md5`. Their sessions are in `test_quirks_sessions`, the
clients of hybi in `test_quirks_hybi`.
"""

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.dialects.families import TWO_KEYS
from tests.heads import fields, head_of, values
from tests.openings import BY_DIALECT, CHALLENGE, HIXIE75, KEY1, KEY2, PROOF
from tests.support import Upstream, serving

from .webkit import PHANTOMJS, UPGRADE, WebKit

# -- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upgrade", ["WebSocket", "websocket", "WEBSOCKET"])
@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76"])
async def test_opera_12_needs_upgrade_spelled_as_in_the_draft_and_gets_it_for_any_spelling(
    dialect: str, upgrade: str
) -> None:
    opening = BY_DIALECT[dialect]
    request = opening.request.replace(b"Upgrade: WebSocket", f"Upgrade: {upgrade}".encode())
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(request)
        await upstream.agree()
        _, first, second, *_ = (await client.head()).split(b"\r\n")
        # WebKit and Chrome of early 2010 need these two lines in these places, too.
        assert (first, second) == (b"Upgrade: WebSocket", b"Connection: Upgrade")


async def test_chrome_6_may_make_a_key_that_begins_with_the_space_that_counts() -> None:
    # From the developers' channel, on Windows: 0 with one space.
    head = head_of("GET / HTTP/1.1", *HIXIE75, "Sec-WebSocket-Key1:  !0", KEY2)
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head + CHALLENGE)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert (await client.exactly(16)).hex() == "dc0c5640e4898f7153bbd76e2adecb43"


ADDRESSES = {
    "raw UTF-8": (
        WebKit(
            "p4  ]39 1 3nt3G 9 9 ,6",
            "[ 24   ADU_2B?5465680q",
            "39a658888b260aa6",
            "4c6beec4acba4e8e62d53c60f85b3291",
            target=b"/caf\xc3\xa9/\xc3\xa9?q=a%20b",
        ),
        b"GET /caf%C3%A9/%C3%A9?q=a%20b HTTP/1.1\r\n",
    ),
    "an empty query": (
        WebKit(
            "3a86A0 u7r&1'67 28",
            "4G1  83 3 1  14 19",
            "a7032204d37b8549",
            "7c29385a03898a4483bbbc5e1510c59a",
            target=b"/?",
        ),
        b"GET /? HTTP/1.1\r\n",
    ),
    "a page from a file": (
        WebKit(
            "2 618 /qn49|a* 5790iC",
            ".3n61 8L ~1X 2, 79yMKZ1 OS5",
            "a01e574af44c5338",
            "8fa53b7ea7cc14a93774dd0c758c48ee",
            origin="file://",
        ),
        b"\r\nOrigin: file://\r\n",
    ),
    "a page without an address": (
        WebKit(
            "1y3_4Lc |  8  2V1 2D0 *o6Vb8'",
            "w[ 371,5m Q6 )-1!5 21 5",
            "79644b78b51d28b6",
            "5f5e53e4f897d27a6bf8628abd0ae3f7",
            origin="null",
        ),
        b"\r\nOrigin: null\r\n",
    ),
}


@pytest.mark.parametrize(("client", "forwarded"), ADDRESSES.values(), ids=ADDRESSES)
async def test_phantomjs_gets_its_own_address_and_origin_back_to_the_byte(client: WebKit, forwarded: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        phantomjs = await gateway.connect(client.request)
        _, request = await upstream.agree()
        assert forwarded in request
        assert await phantomjs.exactly(len(client.reply)) == client.reply


async def test_safari_before_a_tls_proxy_needs_an_address_that_begins_with_wss() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="location_scheme: wss") as gateway:
        client = await gateway.connect(PHANTOMJS.request)
        await upstream.agree()
        assert values(await client.head(), "sec-websocket-location") == ["wss://127.0.0.1:34829/demo?x=1"]


async def test_protocol_websocket_of_perl_announces_its_8_bytes_as_a_body() -> None:
    request = head_of(
        "GET /demo?x=1 HTTP/1.1",
        *UPGRADE,
        "Host: example.com:8080",
        "Origin: http://example.com",
        "Sec-WebSocket-Key1: e2 5 52r01y 2 8 /# 6*8",
        "Sec-WebSocket-Key2: 3 41  76j95 ,  4/0",
        "Content-Length: 8",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(request + bytes.fromhex("b429f0cd7e99dbb0") + b"\x00Hello\xff")
        behind, forwarded = await upstream.agree()
        await client.head()
        assert (await client.exactly(16)).hex() == "3ece8753c2c7e0cfa9032357f700d732"
        assert await behind.frame() == (0x81, b"Hello")
        assert values(forwarded, "content-length") == []


async def test_pywebsocket_sends_draft_0_and_shuffles_its_headers() -> None:
    lines = (KEY2, "Origin: http://example.com", "Sec-WebSocket-Draft: 0", "Host: example.com", KEY1, *UPGRADE[::-1])
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET /demo HTTP/1.1", *lines) + CHALLENGE)
        _, request = await upstream.agree()
        assert await BY_DIALECT["hixie-76"].accepted(client) == b""
        assert values(request, "sec-websocket-draft") == []


@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76"])
async def test_an_empty_cookie_header_of_web_socket_js_is_not_passed_on(dialect: str) -> None:
    # Flash; its Cookie comes after its Origin.
    opening = BY_DIALECT[dialect]
    origin = b"Origin: http://example.com\r\n"
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request.replace(origin, origin + b"Cookie: \r\n"))
        _, request = await upstream.agree()
        await opening.accepted(client)
        assert values(request, "cookie") == []


# The header names that a client reads; the draft has those with Sec-.
UNPREFIXED = ["websocket-origin", "websocket-location"]


@pytest.mark.parametrize("dialect", TWO_KEYS)
async def test_a_client_written_after_a_tutorial_gets_the_names_of_hixie_75_with_unprefixed_headers(
    dialect: str,
) -> None:
    # PhantomJS refuses them alone, and accepts both together.
    opening = BY_DIALECT[dialect]
    for route, expected in ("unprefixed_headers: true", UNPREFIXED), ("", []):
        async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
            client = await gateway.connect(opening.request)
            await upstream.agree()
            reply = dict(fields(await client.head()))
            assert [name for name in reply if name.startswith("websocket-")] == expected
            for name in expected:
                assert reply[name] == reply[f"sec-{name}"]
            assert await client.exactly(16) == opening.reply[-16:]


# -- subprotocols ----------------------------------------------------------------------------------------------------


async def test_phantomjs_needs_its_whole_list_of_subprotocols_back() -> None:
    webkit = WebKit(
        "2   45 0  6338   1j l0",
        "4 - 39 2  le7 0  ;,| >g 7+5 5",
        "4db83839ef74e2fe",
        "f2c998a59d8cb425cacb4598283ce8f3",
        protocol="chat,superchat",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(webkit.request)
        _, request = await upstream.agree("Sec-WebSocket-Protocol: superchat")
        assert values(request, "sec-websocket-protocol") == ["chat, superchat"]
        assert await client.exactly(len(webkit.reply)) == webkit.reply


async def test_phantomjs_may_offer_a_subprotocol_of_two_words_that_no_modern_server_has() -> None:
    webkit = WebKit(
        "30  '7 88 48 8   7 1",
        "2E61 ?078[ 398f/2n",
        "ec8f2e146f142093",
        "072bb9b33a0e1405115b3f6e003bef12",
        protocol="chat superchat",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(webkit.request)
        _, request = await upstream.agree()
        assert values(request, "sec-websocket-protocol") == []
        assert await client.exactly(len(webkit.reply)) == webkit.reply


@pytest.mark.parametrize("chosen", ["chat", "superchat"])
async def test_web_socket_js_needs_one_member_of_its_list_of_subprotocols_back(chosen: str) -> None:
    # The order of Flash: Cookie, keys, and then the subprotocols.
    head = head_of(
        "GET /demo HTTP/1.1",
        *UPGRADE,
        "Host: example.com",
        "Origin: http://example.com",
        "Cookie: ",
        KEY1,
        KEY2,
        "Sec-WebSocket-Protocol: chat,superchat",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head + CHALLENGE)
        _, request = await upstream.agree(f"Sec-WebSocket-Protocol: {chosen}")
        assert values(request, "sec-websocket-protocol") == ["chat, superchat"]
        assert values(await client.head(), "sec-websocket-protocol") == [chosen]
        assert await client.exactly(16) == PROOF


async def test_websocket_ruby_offers_a_subprotocol_by_the_name_of_hixie_75() -> None:
    request = head_of(
        "GET /demo?x=1 HTTP/1.1",
        *UPGRADE,
        "Host: example.com:8080",
        "Origin: http://example.com",
        "WebSocket-Protocol: chat",
        "Sec-WebSocket-Key1: 1 3 R4 45 17,4$ VO C/ :4d  *p3",
        "Sec-WebSocket-Key2: 3 25 7f S ?t768X07 5S",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(request + bytes.fromhex("ccc57965a14decf5"))
        _, forwarded = await upstream.agree("Sec-WebSocket-Protocol: chat")
        assert values(forwarded, "sec-websocket-protocol") == ["chat"]
        assert values(await client.head(), "sec-websocket-protocol") == ["chat"]
        assert (await client.exactly(16)).hex() == "4f41909fd40831385d0750082143c48a"


# -- the 8 bytes -----------------------------------------------------------------------------------------------------


async def test_browsers_on_old_windows_send_their_8_bytes_in_a_second_piece() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(PHANTOMJS.request[:-8])
        await wait_all_tasks_blocked()
        await client.send(PHANTOMJS.request[-8:])
        await upstream.agree()
        # They are here before the upstream has answered, so nothing has to be sent early.
        assert await client.once() == PHANTOMJS.reply


async def test_haproxy_holds_the_8_bytes_back_until_it_sees_a_101() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(PHANTOMJS.request[:-8])
        behind, _ = await upstream.agree()
        assert await client.once() == PHANTOMJS.reply[:-16]
        await client.send(PHANTOMJS.request[-8:])
        assert await client.exactly(16) == PHANTOMJS.reply[-16:]
        await client.send(b"\x00Hello\xff")
        assert await behind.frame() == (0x81, b"Hello")
