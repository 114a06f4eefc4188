"""From a connection to a session: each dialect's handshake through the gateway, byte for byte."""

import base64

import h11
import pytest

from tests.backends import prefer_sample, websockets_server
from tests.dialects.opening import SAMPLE_REPLY_75, SAMPLE_REPLY_76
from tests.heads import head_of, values
from tests.openings import (
    BY_DIALECT,
    CHALLENGE,
    HIXIE75,
    HIXIE76,
    KEY1,
    KEY2,
    OPENINGS,
    RFC6455,
    Opening,
    every_dialect,
    opened,
)
from tests.support import Upstream, serving
from wsgateway.dialects import DIALECTS

# hybi-04, 4.3: no frame can be masked, and so sent, before the server's nonce is here.
every_hasty_dialect = pytest.mark.parametrize(
    "opening", [each for each in OPENINGS if each.dialect != "hybi-04"], ids=str
)
# The dialects whose reply repeats the address and the origin; draft 03 of hybi announced itself as 2.
every_echoing_dialect = pytest.mark.parametrize(
    "lines", [HIXIE75, HIXIE76, (*HIXIE76, "Sec-WebSocket-Draft: 2")], ids=["hixie-75", "hixie-76", "hybi-03"]
)


def challenge_of(lines: tuple[str, ...]) -> bytes:
    return b"" if lines is HIXIE75 else CHALLENGE


def test_every_dialect_is_opened_by_these_tests() -> None:
    assert list(BY_DIALECT) == list(DIALECTS)


@every_dialect
async def test_a_session_of_any_dialect_is_opened_without_h11(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        monkeypatch.setattr(h11, "Connection", None)
        session = await opened(upstream, gateway, opening)
        await session.works()


# From the nonce and the key of the draft's own example (pywebsocket's key for its masks, too).
SECRETS = {"hybi-04": bytes.fromhex("41e14f78311e4c34283e6d8b363b8848d58591a7")}


@every_dialect
def test_the_masked_frames_of_these_tests_equal_recorded_ones(opening: Opening) -> None:
    assert opening.written(opening.hello_back, SECRETS.get(opening.dialect, b"")) == opening.hello


@every_dialect
async def test_a_client_of_each_dialect_gets_its_own_reply_and_an_echo(opening: Opening) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        client = await gateway.connect(opening.request)
        secret = await opening.accepted(client)
        await client.send(opening.written(opening.hello_back, secret))
        assert await client.exactly(len(opening.hello_back)) == opening.hello_back
        await client.close()

        line = await gateway.lines.line("session")
        assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 1, 1)


@every_dialect
async def test_a_request_may_come_byte_by_byte(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(*(bytes([byte]) for byte in opening.request))
        await upstream.agree()
        await opening.accepted(client)


async def test_the_draft_of_hixie_76_gets_the_answer_that_it_prints_head_and_proof_in_one_piece() -> None:
    # hixie-76, 1.2, as it is printed there: headers in another order than in any browser.
    request = head_of(
        "GET /demo HTTP/1.1",
        "Host: example.com",
        "Connection: Upgrade",
        KEY2,
        "Sec-WebSocket-Protocol: sample",
        "Upgrade: WebSocket",
        KEY1,
        "Origin: http://example.com",
    )
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        client = await gateway.connect(request + b"^n:ds[4U")
        assert await client.once() == SAMPLE_REPLY_76


async def test_the_draft_of_hixie_75_gets_the_answer_that_it_prints() -> None:
    request = head_of("GET /demo HTTP/1.1", *HIXIE75, "WebSocket-Protocol: sample")
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        client = await gateway.connect(request)
        assert await client.once() == SAMPLE_REPLY_75


async def test_every_client_of_draft_04_gets_a_nonce_of_its_own() -> None:
    nonces = set()
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        for _ in range(5):
            client = await gateway.connect(BY_DIALECT["hybi-04"].request)
            await upstream.agree()
            [nonce] = values(await client.head(), "sec-websocket-nonce")
            assert len(base64.b64decode(nonce, validate=True)) == 16
            nonces.add(nonce)
    assert len(nonces) == 5


async def test_a_client_is_sent_nothing_before_the_upstream_has_accepted() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *HIXIE76))
        behind = await upstream.accept()
        await behind.head()
        # Also if the challenge is late, so that the head could be sent first.
        await behind.send(head_of("HTTP/1.1 404 Not Found", "Content-Length: 0"))
        assert (await client.head()).startswith(b"HTTP/1.1 404 Not Found\r\n")


# -- the address, in the client's own spelling ------------------------------------------------------------------

TARGETS = [
    # what the client sends, what the upstream gets
    (b"/\xe2\x82\xac?q=\xf0\x9f\x98\x80", b"/%E2%82%AC?q=%F0%9F%98%80"),
    (b"/%e2%82%ac", b"/%e2%82%ac"),
    (b"/a//b/..c/.d", b"/a//b/..c/.d"),
    (b"/a?b=/?c&d=%00", b"/a?b=/?c&d=%00"),
]


@every_echoing_dialect
@pytest.mark.parametrize(("sent", "encoded"), TARGETS)
async def test_the_address_is_repeated_as_it_was_sent_and_passed_on_in_ascii(
    lines: tuple[str, ...], sent: bytes, encoded: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        head = head_of(f"GET {sent.decode('latin-1')} HTTP/1.1", *lines)
        client = await gateway.connect(head + challenge_of(lines))
        _, request = await upstream.agree()

        assert request.startswith(b"GET " + encoded + b" HTTP/1.1\r\n")
        assert b"WebSocket-Location: ws://example.com" + sent + b"\r\n" in await client.head()


HOSTS = ["example.com", "example.com:8080", "192.0.2.7:80", "[2001:db8::7]:8080", "EXAMPLE.com"]


@every_echoing_dialect
@pytest.mark.parametrize("host", HOSTS)
async def test_the_location_has_the_host_as_the_client_sent_it(lines: tuple[str, ...], host: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET /a HTTP/1.1", f"Host: {host}", *lines[1:]) + challenge_of(lines))
        await upstream.agree()
        assert f"WebSocket-Location: ws://{host}/a\r\n".encode() in await client.head()


@every_echoing_dialect
@pytest.mark.parametrize(("option", "scheme"), [("auto", "ws"), ("ws", "ws"), ("wss", "wss")])
async def test_the_location_has_the_scheme_of_the_route(lines: tuple[str, ...], option: str, scheme: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, route=f"location_scheme: {option}") as gateway:
        # A client's own headers about its connection are ignored.
        head = head_of("GET /a HTTP/1.1", *lines, "X-Forwarded-Proto: gopher")
        client = await gateway.connect(head + challenge_of(lines))
        await upstream.agree()
        assert f"WebSocket-Location: {scheme}://example.com/a\r\n".encode() in await client.head()


@every_echoing_dialect
@pytest.mark.parametrize("origin", ["http://app.test:8080", "HTTP://App.Test"])
async def test_the_origin_comes_back_as_it_came(lines: tuple[str, ...], origin: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        without = [line for line in lines if not line.startswith("Origin")]
        head = head_of("GET / HTTP/1.1", *without, f"Origin: {origin}")
        client = await gateway.connect(head + challenge_of(lines))
        _, request = await upstream.agree()

        assert f"WebSocket-Origin: {origin}\r\n".encode() in await client.head()
        assert values(request, "origin") == [origin]


@pytest.mark.parametrize("version", [8, 13])
async def test_a_program_that_is_no_browser_has_no_origin(version: int) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        lines = (*RFC6455[:-1], f"Sec-WebSocket-Version: {version}")
        client = await gateway.connect(head_of("GET / HTTP/1.1", *lines))
        _, request = await upstream.agree()

        assert values(request, "origin") == []
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


# -- bytes behind the heads ------------------------------------------------------------------------------------


@every_hasty_dialect
async def test_bytes_after_a_request_are_the_first_of_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request + opening.hello * 2)
        behind, _ = await upstream.agree()

        await opening.accepted(client)
        for _ in range(2):
            assert await behind.frame() == (0x81, b"Hello")


@every_dialect
async def test_bytes_after_the_upstreams_101_are_the_first_of_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request)
        await upstream.agree(behind=b"\x81\x05Hello")

        await opening.accepted(client)
        assert await client.exactly(len(opening.hello_back)) == opening.hello_back


@every_dialect
async def test_a_frame_that_is_cut_by_the_end_of_the_upstreams_head_is_whole_in_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request)
        behind, _ = await upstream.agree(behind=b"\x81\x05He")
        await opening.accepted(client)
        await behind.send(b"llo")
        # A part of a translated frame is sent as a fragment.
        assert await opening.message(client) == b"Hello"


@every_hasty_dialect
async def test_a_frame_that_is_cut_by_the_end_of_a_head_is_whole_in_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request + opening.hello[:3])
        behind, _ = await upstream.agree()
        await opening.accepted(client)
        await client.send(opening.hello[3:])
        assert await behind.message() == b"Hello"


# -- clients that leave ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "why"),
    [(b"", "without a request"), (b"G", "inside its request"), (b"GET / HTTP/1.1\r\n", "inside its request")],
)
async def test_a_client_that_disconnects_inside_its_request_is_logged_at_level_debug(first: bytes, why: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(first)
        await client.send_eof()
        assert await client.rest() == b""

        line = await gateway.lines.line("disconnected")
        assert (line["level"], line["why"]) == ("debug", why)
        assert upstream.nobody_came()
