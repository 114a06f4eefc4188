"""Servers of old dialects, written by hand: the bytes of the requests that they get, and their proofs.

Their other answers are in `test_old_answers`.

Only the four oldest handshakes are here: hixie-75, without a proof; hixie-76, with an MD5, as in the drafts 01 to 03;
04, with a nonce; and 05 to 08, with the proof of RFC 6455.
"""

import base64
import hashlib

import pytest
from trio.testing import MockClock

from tests.heads import head_of, switching, values
from tests.masks import masked
from tests.openings import BY_DIALECT, HIXIE76, PROOF
from tests.support import Upstream, serving
from tests.upstream.servers import BAD_GATEWAY, MODERN, REPLY_75, REPLY_76, UPGRADE, asked, proof_of

FORWARDED = (
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: server.example.com",
    "X-WebSocket-Dialect: rfc6455",
)


def test_a_proof_is_that_of_the_draft() -> None:
    assert proof_of(head_of("GET /demo HTTP/1.1", *HIXIE76), b"^n:ds[4U") == PROOF


# -- requests, to the byte -------------------------------------------------------------------------------------------


async def test_the_request_to_a_server_of_hixie_75_equals_that_of_webkit() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-75") as gateway:
        session = await asked(upstream, gateway, MODERN.request.replace(b"/chat", b"/chat?x=%20"))
        # hixie-75, 1.2: the exact case and order of the first three lines matter. pywebsocket compares five.
        assert session.request == head_of(
            "GET /chat?x=%20 HTTP/1.1",
            *UPGRADE,
            "Host: server.example.com",
            "Origin: http://example.com",
            *FORWARDED,
        )
        await session.behind.send(REPLY_75.replace(b"/chat", b"/chat?x=%20"))
        await MODERN.accepted(session.client)
        await session.client.send(MODERN.hello)
        assert await session.behind.exactly(7) == b"\x00Hello\xff"
        await session.behind.send(b"\x00Hello\xff")
        assert await session.client.exactly(7) == b"\x81\x05Hello"


@pytest.mark.parametrize(("dialect", "draft"), [("hixie-76", 0), ("hybi-01", 1), ("hybi-02", 2), ("hybi-03", 3)])
async def test_the_request_to_a_server_with_two_keys_equals_that_of_webkit(dialect: str, draft: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        [key1], [key2] = (values(session.request, f"sec-websocket-key{number}") for number in (1, 2))
        # Clients of hixie-76 do not send it.
        number = (f"Sec-WebSocket-Draft: {draft}",) if draft else ()
        assert session.request == head_of(
            "GET /chat HTTP/1.1",
            *UPGRADE,
            "Host: server.example.com",
            "Origin: http://example.com",
            f"Sec-WebSocket-Key1: {key1}",
            f"Sec-WebSocket-Key2: {key2}",
            *number,
            *FORWARDED,
        )
        await session.behind.send(REPLY_76 + session.proof)
        await MODERN.accepted(session.client)


async def test_the_nonce_of_a_server_of_draft_04_makes_the_masks() -> None:
    # The nonce of the draft's example: it is used as it was sent, so its last bits matter.
    nonce = "AQIDBAUGBwgJCgsMDQ4PEC=="
    async with Upstream() as upstream, serving(upstream.port, dialect="hybi-04") as gateway:
        session = await asked(upstream, gateway)
        [key] = values(session.request, "sec-websocket-key")
        assert session.request == head_of(
            "GET /chat HTTP/1.1",
            "Host: server.example.com",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 4",
            "Sec-WebSocket-Origin: http://example.com",
            *FORWARDED,
        )
        assert len(base64.b64decode(key, validate=True)) == 16
        await session.behind.send(switching(session.request, f"Sec-WebSocket-Nonce: {nonce}"))
        await MODERN.accepted(session.client)

        await session.client.send(MODERN.hello * 2)
        secret = hashlib.sha1(f"{key}{nonce}61AC5F19-FBBA-4540-B96F-6561F1AB40A8".encode()).digest()
        seen = set()
        for _ in range(2):
            frame = await session.behind.exactly(4 + 7)
            mask = hashlib.sha1(frame[:4] + secret).digest()
            assert masked(frame[4:], mask) == b"\x84\x05Hello"
            seen.add(frame[:4])
        assert len(seen) == 2, "each frame has a mask of its own"
        await session.behind.send(b"\x84\x05Hello")
        assert await session.client.exactly(7) == b"\x81\x05Hello"


async def test_pywebsocket_of_draft_04_sends_an_empty_subprotocol_for_none() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hybi-04") as gateway:
        session = await asked(upstream, gateway)
        recorded = ("Sec-WebSocket-Nonce: AQIDBAUGBwgJCgsMDQ4PEA==", "Sec-WebSocket-Protocol: ")
        await session.behind.send(switching(session.request, *recorded))
        await MODERN.accepted(session.client)


@pytest.mark.parametrize("version", [5, 6, 7, 8])
async def test_the_request_to_a_server_of_a_later_draft_equals_that_of_chrome_14(version: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=f"hybi-0{version}") as gateway:
        session = await asked(upstream, gateway)
        [key] = values(session.request, "sec-websocket-key")
        assert session.request == head_of(
            "GET /chat HTTP/1.1",
            "Host: server.example.com",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            f"Sec-WebSocket-Version: {version}",
            "Sec-WebSocket-Origin: http://example.com",
            *FORWARDED,
        )
        await session.behind.send(switching(session.request))
        await MODERN.accepted(session.client)
        # The first byte of a frame is masked before 07.
        await session.client.send(MODERN.hello)
        if version < 7:
            frame = await session.behind.exactly(11)
            plain = masked(frame[4:], frame[:4])
            assert plain == b"\x84\x05Hello"
        else:
            assert await session.behind.frame() == (0x81, b"Hello")


@pytest.mark.parametrize("dialect", ["hixie-76", "hybi-01", "hybi-08", "hybi-04"])
async def test_every_session_has_keys_of_its_own(dialect: str) -> None:
    seen = set()
    challenge_bytes = 8 if dialect in ("hixie-76", "hybi-01") else 0
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        for _ in range(5):
            session = await asked(upstream, gateway, challenge_bytes=challenge_bytes)
            names = ("sec-websocket-key", "sec-websocket-key1", "sec-websocket-key2")
            seen.add((session.challenge, *(tuple(values(session.request, name)) for name in names)))
    assert len(seen) == 5


async def test_an_address_in_raw_utf_8_is_repeated_by_the_server_in_ascii_and_to_the_client_as_it_came() -> None:
    webkit = BY_DIALECT["hixie-75"].head.replace(b"/demo", b"/caf\xc3\xa9")
    reply = REPLY_75.replace(b"server.", b"").replace(b"/chat", b"/caf%C3%A9?x=1")
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-75") as gateway:
        session = await asked(upstream, gateway, webkit)
        assert session.request.startswith(b"GET /caf%C3%A9?x=1 HTTP/1.1\r\n")
        await session.behind.send(reply)
        assert b"\r\nWebSocket-Location: ws://example.com/caf\xc3\xa9?x=1\r\n" in await session.client.head()


# -- proofs that come in pieces --------------------------------------------------------------------------------------

CUTS = {
    "with the head": [],
    "behind the head": [len(REPLY_76)],
    "in two halves": [len(REPLY_76), len(REPLY_76) + 8],
    "cut by the head": [len(REPLY_76) + 3],
    "byte by byte": list(range(1, len(REPLY_76) + 16)),
}


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
async def test_a_proof_may_come_in_pieces(cuts: list[int]) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        reply = REPLY_76 + session.proof
        ends = [*cuts, len(reply)]
        await session.behind.send(*(reply[begin:end] for begin, end in zip([0, *cuts], ends, strict=True)))
        await MODERN.accepted(session.client)


async def test_bytes_after_a_proof_are_the_first_of_the_session() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        await session.behind.send(REPLY_76 + session.proof[:9])
        await session.behind.send(session.proof[9:] + b"\x00Hello\xff\x00He")
        await MODERN.accepted(session.client)
        assert await session.client.message() == b"Hello"
        await session.behind.send(b"llo\xff")
        assert await session.client.message() == b"Hello"


async def test_a_proof_that_does_not_come_is_504(autojump_clock: MockClock) -> None:
    options = {"dialect": "hixie-76", "timeouts": "handshake: 300ms"}
    async with Upstream() as upstream, serving(upstream.port, **options) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        await session.behind.send(REPLY_76 + session.proof[:15])
        assert (await session.client.rest()).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        assert await session.behind.rest() == b""


async def test_a_proof_that_breaks_off_is_502() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        await session.behind.send(REPLY_76 + session.proof[:15])
        await session.behind.send_eof()
        assert (await session.client.rest()).startswith(BAD_GATEWAY)
        assert (await gateway.lines.line("upstream failed"))["why"] == "closed the connection during the handshake"
