"""Servers of old dialects, made by hand: the bytes by which they are asked, and answers that are wrong.

Only the four oldest ways to agree are here: hixie-75, which proves nothing; hixie-76, which proves by MD5, as do the
drafts 01 to 03; 04, which adds a nonce; and 05 to 08, which prove as RFC 6455 does.
"""

import base64
import hashlib
from collections.abc import Callable

import pytest

from tests.openings import BY_DIALECT, CHALLENGE, HIXIE75, HIXIE76, PROOF
from tests.support import Upstream, head_of, serving, switching, values
from tests.upstream.servers import MODERN, REPLY_75, REPLY_76, UPGRADE, Asked, asked, proof_of

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\n"
FORWARDED = (
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: server.example.com",
    "X-WebSocket-Dialect: rfc6455",
)


def test_a_proof_is_that_of_the_draft() -> None:
    assert proof_of(head_of("GET /demo HTTP/1.1", *HIXIE76), b"^n:ds[4U") == PROOF


def swapped(reply: bytes, old: bytes, new: bytes) -> bytes:
    assert old in reply
    return reply.replace(old, new)


# -- requests, to the byte -------------------------------------------------------------------------------------------


async def test_a_server_of_hixie_75_is_asked_as_webkit_asked_it() -> None:
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
async def test_a_server_with_two_keys_is_asked_as_webkit_asked_it(dialect: str, draft: int) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        [key1], [key2] = (values(session.request, f"sec-websocket-key{number}") for number in (1, 2))
        # Clients of hixie-76 do not say it.
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


async def test_a_server_of_draft_04_is_asked_and_its_nonce_makes_the_masks() -> None:
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
            assert bytes(a ^ b for a, b in zip(frame[4:], mask, strict=False)) == b"\x84\x05Hello"
            seen.add(frame[:4])
        assert len(seen) == 2, "each frame has a mask of its own"
        await session.behind.send(b"\x84\x05Hello")
        assert await session.client.exactly(7) == b"\x81\x05Hello"


async def test_pywebsocket_of_draft_04_says_an_empty_subprotocol_for_none() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hybi-04") as gateway:
        session = await asked(upstream, gateway)
        recorded = ("Sec-WebSocket-Nonce: AQIDBAUGBwgJCgsMDQ4PEA==", "Sec-WebSocket-Protocol: ")
        await session.behind.send(switching(session.request, *recorded))
        await MODERN.accepted(session.client)


@pytest.mark.parametrize("version", [5, 6, 7, 8])
async def test_a_server_of_a_later_draft_is_asked_as_chrome_14_asked_it(version: int) -> None:
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
            plain = bytes(byte ^ frame[at % 4] for at, byte in enumerate(frame[4:]))
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


async def test_what_stands_behind_a_proof_is_the_first_of_the_session() -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        await session.behind.send(REPLY_76 + session.proof[:9])
        await session.behind.send(session.proof[9:] + b"\x00Hello\xff\x00He")
        await MODERN.accepted(session.client)
        assert await session.client.message() == b"Hello"
        await session.behind.send(b"llo\xff")
        assert await session.client.message() == b"Hello"


async def test_a_proof_that_does_not_come_is_504() -> None:
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


# -- answers of Perl -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "challenge_bytes", "reply"), [("hixie-75", 0, REPLY_75), ("hixie-76", 8, REPLY_76)]
)
async def test_protocol_websocket_takes_our_connection_for_an_encrypted_one_and_is_accepted(
    dialect: str, challenge_bytes: int, reply: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=challenge_bytes)
        # Whatever this says, Perl's library answers with wss to whoever says it.
        assert values(session.request, "x-forwarded-proto") == ["http"]
        wss = swapped(reply, b"Location: ws://", b"Location: wss://")
        await session.behind.send(wss + (session.proof if challenge_bytes else b""))
        await MODERN.accepted(session.client)


# -- answers that are wrong ------------------------------------------------------------------------------------------


def hixie75(old: bytes, new: bytes) -> Callable[[Asked], bytes]:
    """The right answer of hixie-75, but for these bytes."""
    return lambda _: swapped(REPLY_75, old, new)


def hixie76(old: bytes, new: bytes) -> Callable[[Asked], bytes]:
    """The right answer of hixie-76 with its proof, but for these bytes of the head."""
    return lambda session: swapped(REPLY_76, old, new) + session.proof


def nonce(*headers: str) -> Callable[[Asked], bytes]:
    return lambda session: switching(session.request, *headers)


# The dialect, the answer, and the reason in the log.
WRONG: dict[str, tuple[str, Callable[[Asked], bytes], str]] = {
    "wss to another host": ("hixie-75", hixie75(b"ws://server.", b"wss://www."), "WebSocket-Location 'wss://www.exa"),
    "another host": ("hixie-76", hixie76(b"ws://server.", b"ws://www."), "Sec-WebSocket-Location 'ws://www.example"),
    "another port": ("hixie-76", hixie76(b".com/chat", b".com:80/chat"), "Sec-WebSocket-Location 'ws://server.example"),
    "another path": ("hixie-75", hixie75(b"/chat", b"/"), "WebSocket-Location 'ws://server.example.com/', we"),
    "no location": ("hixie-76", hixie76(b"Location", b"Place"), "Sec-WebSocket-Location None, we asked"),
    "another origin": (
        "hixie-75",
        hixie75(b"http://example", b"http://other"),
        "WebSocket-Origin 'http://other.com', our",
    ),
    "every origin": ("hixie-76", hixie76(b"http://example.com", b"*"), "Sec-WebSocket-Origin '*', our"),
    "no origin": ("hixie-76", hixie76(b"Sec-WebSocket-Origin", b"X-Origin"), "Sec-WebSocket-Origin None, ours"),
    "the names of 75": ("hixie-76", hixie76(b"Sec-WebSocket-", b"WebSocket-"), "Sec-WebSocket-Origin None, ours"),
    "two origins": (
        "hixie-75",
        hixie75(b"WebSocket-Origin: ", b"WebSocket-Origin: x\r\nWebSocket-Origin: "),
        "2 WebSocket-Origin headers",
    ),
    "no Upgrade": ("hixie-75", hixie75(b"Upgrade: WebSocket\r\n", b""), "101 with Upgrade ''"),
    "no Connection": ("hixie-76", hixie76(b"Connection: Upgrade\r\n", b""), "101 without 'Connection: Upgrade'"),
    "a subprotocol without an offer": (
        "hixie-75",
        hixie75(b"WebSocket-Origin", b"WebSocket-Protocol: chat\r\nWebSocket-Origin"),
        "subprotocol 'chat', we offered ''",
    ),
    "a wrong proof": (
        "hixie-76",
        lambda _: REPLY_76 + PROOF,
        "the 16 bytes 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61",
    ),
    "a proof in hex": ("hybi-01", lambda session: REPLY_76 + session.proof.hex().encode(), "the 16 bytes "),
    "the challenge itself": ("hybi-03", lambda session: REPLY_76 + session.challenge * 2, "the 16 bytes "),
    "an Accept instead of a proof": ("hixie-76", lambda _: switching(MODERN.head) + PROOF, "Sec-WebSocket-Origin None"),
    "no nonce": ("hybi-04", nonce(), "no Sec-WebSocket-Nonce, without which nothing can be masked"),
    "an empty nonce": ("hybi-04", nonce("Sec-WebSocket-Nonce: "), "no Sec-WebSocket-Nonce, without which nothing can"),
    "two nonces": ("hybi-04", nonce("Sec-WebSocket-Nonce: eA==", "Sec-WebSocket-Nonce: eQ=="), "2 Sec-WebSocket-Nonce"),
    "a wrong Accept": ("hybi-08", lambda _: switching(MODERN.head), "Sec-WebSocket-Accept 's3pPLMBiTxaQ9kYGzzhZRbK"),
    "compression of a draft": (
        "hybi-08",
        nonce("Sec-WebSocket-Extensions: permessage-deflate"),
        "extensions 'permessage-deflate', which nobody offered",
    ),
}
CHALLENGE_BYTES = {"hixie-76": 8, "hybi-01": 8, "hybi-03": 8}


@pytest.mark.parametrize(("dialect", "answer", "why"), WRONG.values(), ids=WRONG)
async def test_a_server_of_an_old_dialect_that_answers_wrongly_is_502(
    dialect: str, answer: Callable[[Asked], bytes], why: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=CHALLENGE_BYTES.get(dialect, 0))
        await session.behind.send(answer(session))
        assert (await session.client.rest()).startswith(BAD_GATEWAY)
        line = await gateway.lines.line("upstream failed")
        assert line["status"] == 502
        assert line["why"].startswith(f"wrong handshake: {why}"), line["why"]
        # Nothing that it could take for a message.
        assert await session.behind.rest() == b""


@pytest.mark.parametrize("dialect", CHALLENGE_BYTES)
async def test_the_refusal_of_an_old_server_reaches_the_client(dialect: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=8)
        await session.behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 3") + b"no\n")
        assert await session.client.rest() == (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n"
        )


# -- lists of subprotocols -------------------------------------------------------------------------------------------

LIST = MODERN.head[:-2] + b"Sec-WebSocket-Protocol: chat, superchat\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "heard"),
    [("superchat", "superchat"), ("chat", "chat"), ("chat,superchat", "chat")],
    ids=["the second", "the first", "all of it, which means the first"],
)
async def test_a_server_of_hixie_76_may_answer_a_list_by_one_of_it_or_by_all(answer: str, heard: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, LIST, 8)
        assert values(session.request, "sec-websocket-protocol") == ["chat,superchat"]
        reply = REPLY_76[:-2] + f"Sec-WebSocket-Protocol: {answer}\r\n\r\n".encode()
        await session.behind.send(reply + session.proof)
        assert values(await session.client.head(), "sec-websocket-protocol") == [heard]


async def test_a_list_that_a_server_of_hixie_76_repeats_is_what_an_old_webkit_wants_to_hear() -> None:
    # PhantomJS 1.9.8 compares the whole list; em-websocket repeats it.
    protocol = "Sec-WebSocket-Protocol: chat,superchat"
    webkit = head_of("GET /chat HTTP/1.1", "Host: server.example.com", *HIXIE76[1:4], protocol, *HIXIE76[4:])
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, webkit + CHALLENGE, 8)
        await session.behind.send(REPLY_76[:-2] + f"{protocol}\r\n\r\n".encode() + session.proof)
        assert values(await session.client.head(), "sec-websocket-protocol") == ["chat,superchat"]


@pytest.mark.parametrize("answer", ["Chat", "chat, superchat", "superchat,chat"])
async def test_a_server_of_hixie_76_that_answers_a_list_by_something_else_is_502(answer: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, LIST, 8)
        await session.behind.send(REPLY_76[:-2] + f"Sec-WebSocket-Protocol: {answer}\r\n\r\n".encode() + session.proof)
        assert (await session.client.rest()).startswith(BAD_GATEWAY)


# em-websocket says nothing in hixie-75, and faye's driver in neither.
SILENT = {
    "hixie-75": ("hixie-75", 0, REPLY_75),
    "hixie-75, an empty header": ("hixie-75", 0, REPLY_75[:-2] + b"WebSocket-Protocol: \r\n\r\n"),
    "hixie-76": ("hixie-76", 8, REPLY_76),
    "hixie-76, an empty header": ("hixie-76", 8, REPLY_76[:-2] + b"Sec-WebSocket-Protocol: \r\n\r\n"),
}
silent = pytest.mark.parametrize(("dialect", "challenge_bytes", "reply"), SILENT.values(), ids=SILENT)


@silent
async def test_a_server_of_hixie_that_says_nothing_of_subprotocols_lets_a_modern_client_in(
    dialect: str, challenge_bytes: int, reply: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, LIST, challenge_bytes)
        await session.behind.send(reply + (session.proof if challenge_bytes else b""))
        await MODERN.accepted(session.client)
        await session.client.send(MODERN.hello)
        assert await session.behind.exactly(7) == b"\x00Hello\xff"


HIXIE_CLIENTS = {
    "hixie-75": head_of("GET /chat HTTP/1.1", "Host: server.example.com", *HIXIE75[1:], "WebSocket-Protocol: chat"),
    "hixie-76": head_of("GET /chat HTTP/1.1", "Host: server.example.com", *HIXIE76[1:], "Sec-WebSocket-Protocol: chat")
    + CHALLENGE,
}


@silent
@pytest.mark.parametrize("request_", HIXIE_CLIENTS.values(), ids=HIXIE_CLIENTS)
async def test_a_client_of_hixie_insists_on_what_such_a_server_does_not_say(
    dialect: str, challenge_bytes: int, reply: bytes, request_: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, request_, challenge_bytes)
        await session.behind.send(reply + (session.proof if challenge_bytes else b""))
        assert (await session.client.rest()).startswith(BAD_GATEWAY)
        line = await gateway.lines.line("refused", status=502)
        assert line["why"] == "none of the subprotocols 'chat' was chosen, and the client insists on one"
        assert await session.behind.rest() == b""
