"""From a connection to a session: each dialect's handshake through the gateway, to the byte."""

import pytest

from tests.openings import (
    ACCEPT,
    BY_DIALECT,
    CHALLENGE,
    HIXIE75,
    HIXIE76,
    KEY1,
    KEY2,
    OPENINGS,
    RFC6455,
    Opening,
)
from tests.support import Upstream, head_of, prefer_sample, serving, values, websockets_server
from wsgateway.dialects import DIALECTS

every_dialect = pytest.mark.parametrize("opening", OPENINGS, ids=str)
every_hixie = pytest.mark.parametrize("lines", [HIXIE75, HIXIE76], ids=["hixie-75", "hixie-76"])


def challenge_of(lines: tuple[str, ...]) -> bytes:
    return CHALLENGE if lines is HIXIE76 else b""


def test_every_dialect_is_opened_by_these_tests() -> None:
    assert list(BY_DIALECT) == list(DIALECTS)


@every_dialect
async def test_a_client_of_each_dialect_gets_its_own_reply_and_an_echo(opening: Opening) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        client = await gateway.connect(opening.request)
        head, _, proof = opening.reply.partition(b"\r\n\r\n")
        # The server's Date and Server go on to hybi clients; hixie clients read their head with care.
        reply = await client.head()
        assert reply.startswith(head) if b"Accept" in head else reply == head + b"\r\n\r\n"
        assert await client.exactly(len(proof)) == proof

        await client.send(opening.hello)
        assert await client.exactly(len(opening.hello_back)) == opening.hello_back
        await client.close()

        line = await gateway.lines.line("session")
        assert (line["dialect"], line["messages_in"], line["messages_out"]) == (opening.dialect, 1, 1)


@every_dialect
async def test_a_request_may_come_byte_by_byte(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(*(bytes([byte]) for byte in opening.request))
        await upstream.agree()
        assert await client.exactly(len(opening.reply)) == opening.reply


async def test_the_draft_of_hixie_76_gets_the_answer_that_it_prints_head_and_proof_in_one_piece() -> None:
    # hixie-76, 1.2, as it stands there: fields in another order than any browser has them.
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
        assert await client.once() == (
            b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
            b"Upgrade: WebSocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Origin: http://example.com\r\n"
            b"Sec-WebSocket-Location: ws://example.com/demo\r\n"
            b"Sec-WebSocket-Protocol: sample\r\n"
            b"\r\n"
            b"8jKS'y:G*Co,Wxa-"
        )


async def test_the_draft_of_hixie_75_gets_the_answer_that_it_prints() -> None:
    request = head_of("GET /demo HTTP/1.1", *HIXIE75, "WebSocket-Protocol: sample")
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        client = await gateway.connect(request)
        assert await client.once() == (
            b"HTTP/1.1 101 Web Socket Protocol Handshake\r\n"
            b"Upgrade: WebSocket\r\n"
            b"Connection: Upgrade\r\n"
            b"WebSocket-Origin: http://example.com\r\n"
            b"WebSocket-Location: ws://example.com/demo\r\n"
            b"WebSocket-Protocol: sample\r\n"
            b"\r\n"
        )


async def test_nothing_goes_to_a_client_before_the_upstream_agreed() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *HIXIE76))
        behind = await upstream.accept()
        await behind.head()
        # Also if the challenge is late, and the head could go first.
        await behind.send(head_of("HTTP/1.1 404 Not Found", "Content-Length: 0"))
        assert (await client.head()).startswith(b"HTTP/1.1 404 Not Found\r\n")


# -- the address, in the client's own spelling ------------------------------------------------------------------

TARGETS = [
    # what the client sends, what the upstream gets
    (b"/caf\xc3\xa9/\xc3\xa9?q=a%20b", b"/caf%C3%A9/%C3%A9?q=a%20b"),  # PhantomJS 1.9.8, recorded
    (b"/?", b"/?"),  # and so was this
    (b"/%e2%82%ac", b"/%e2%82%ac"),
    (b"/a//b/..c/.d", b"/a//b/..c/.d"),
    (b"/a?b=/?c&d=%00", b"/a?b=/?c&d=%00"),
]


@every_hixie
@pytest.mark.parametrize(("sent", "encoded"), TARGETS)
async def test_the_address_comes_back_as_it_came_and_goes_upstream_in_ascii(
    lines: tuple[str, ...], sent: bytes, encoded: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        head = head_of(f"GET {sent.decode('latin-1')} HTTP/1.1", *lines)
        client = await gateway.connect(head + challenge_of(lines))
        _, request = await upstream.agree()

        assert request.startswith(b"GET " + encoded + b" HTTP/1.1\r\n")
        assert b"WebSocket-Location: ws://example.com" + sent + b"\r\n" in await client.head()


HOSTS = ["example.com", "example.com:8080", "192.0.2.7:80", "[2001:db8::7]:8080", "EXAMPLE.com"]


@every_hixie
@pytest.mark.parametrize("host", HOSTS)
async def test_the_location_has_the_host_as_the_client_said_it(lines: tuple[str, ...], host: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET /a HTTP/1.1", f"Host: {host}", *lines[1:]) + challenge_of(lines))
        await upstream.agree()
        assert f"WebSocket-Location: ws://{host}/a\r\n".encode() in await client.head()


@every_hixie
@pytest.mark.parametrize("origin", ["null", "file://", "http://app.test:8080", "HTTP://App.Test"])
async def test_the_origin_comes_back_as_it_came(lines: tuple[str, ...], origin: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        without = [line for line in lines if not line.startswith("Origin")]
        head = head_of("GET / HTTP/1.1", *without, f"Origin: {origin}")
        client = await gateway.connect(head + challenge_of(lines))
        _, request = await upstream.agree()

        assert f"WebSocket-Origin: {origin}\r\n".encode() in await client.head()
        assert values(request, "origin") == [origin]


# -- what real clients also do ---------------------------------------------------------------------------------


async def test_a_key_may_begin_with_the_space_that_counts() -> None:
    # Chrome 6 of the developers' channel on Windows: 0 in one space. The proof is made with `openssl md5`.
    head = head_of("GET / HTTP/1.1", *HIXIE75, "Sec-WebSocket-Key1:  !0", KEY2)
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head + CHALLENGE)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert (await client.exactly(16)).hex() == "dc0c5640e4898f7153bbd76e2adecb43"


@pytest.mark.parametrize("line", ["Content-Length: 8", "Sec-WebSocket-Draft: 0", "Cookie: "])
async def test_what_old_clients_of_hixie_76_say_too_changes_nothing(line: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET /demo HTTP/1.1", *HIXIE76, line) + CHALLENGE)
        _, request = await upstream.agree()

        assert await client.exactly(len(BY_DIALECT["hixie-76"].reply)) == BY_DIALECT["hixie-76"].reply
        assert line.partition(":")[0].encode() not in request


@pytest.mark.parametrize("version", [7, 8, 13])
async def test_both_names_of_the_origin_are_understood_in_every_version(version: int) -> None:
    lines = (*RFC6455[:-1], f"Sec-WebSocket-Version: {version}", "Sec-WebSocket-Origin: http://example.com")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *lines))
        _, request = await upstream.agree()

        assert values(request, "origin") == ["http://example.com"]
        reply = await client.head()
        assert ACCEPT.encode() in reply
        assert b"Origin" not in reply


@pytest.mark.parametrize("version", [8, 13])
async def test_a_program_that_is_no_browser_has_no_origin(version: int) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        lines = (*RFC6455[:-1], f"Sec-WebSocket-Version: {version}")
        client = await gateway.connect(head_of("GET / HTTP/1.1", *lines))
        _, request = await upstream.agree()

        assert values(request, "origin") == []
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


# -- bytes behind the heads ------------------------------------------------------------------------------------


@every_dialect
async def test_what_comes_behind_a_request_is_the_first_of_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request + opening.hello * 2)
        behind, _ = await upstream.agree()

        assert await client.exactly(len(opening.reply)) == opening.reply
        for _ in range(2):
            assert await behind.frame() == (0x81, b"Hello")


@every_dialect
async def test_what_comes_behind_the_upstreams_101_is_the_first_of_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request)
        await upstream.agree(behind=b"\x81\x05Hello")

        expected = opening.reply + opening.hello_back
        assert await client.exactly(len(expected)) == expected


@every_dialect
async def test_a_frame_that_is_cut_by_the_end_of_a_head_is_whole_in_the_session(opening: Opening) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request + opening.hello[:3])
        behind, _ = await upstream.agree(behind=b"\x81\x05He")
        assert await client.exactly(len(opening.reply)) == opening.reply

        await client.send(opening.hello[3:])
        await behind.send(b"llo")

        # A part of a frame that is translated goes on as a fragment.
        assert await behind.message() == b"Hello"
        if opening.hello_back.endswith(b"\xff"):
            assert await client.exactly(7) == opening.hello_back
        else:
            assert await client.message() == b"Hello"


# -- clients that leave ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "why"),
    [(b"", "without a request"), (b"G", "inside its request"), (b"GET / HTTP/1.1\r\n", "inside its request")],
)
async def test_a_client_that_leaves_before_its_request_is_whole_is_only_of_interest_to_developers(
    first: bytes, why: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(first)
        await client.send_eof()
        assert await client.rest() == b""

        line = await gateway.lines.line("left")
        assert (line["level"], line["why"]) == ("debug", why)
        assert upstream.nobody_came()
