"""Answers of servers of old dialects, written by hand: those of Perl, wrong ones, and lists of subprotocols."""

from collections.abc import Callable

import pytest

from tests.heads import head_of, switching, values
from tests.openings import CHALLENGE, HIXIE75, HIXIE76, PROOF
from tests.support import Upstream, serving
from tests.upstream.servers import BAD_GATEWAY, MODERN, REPLY_75, REPLY_76, RouteQuery, asked


def swapped(reply: bytes, old: bytes, new: bytes) -> bytes:
    assert old in reply
    return reply.replace(old, new)


# -- answers of Perl -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "challenge_bytes", "reply"), [("hixie-75", 0, REPLY_75), ("hixie-76", 8, REPLY_76)]
)
async def test_protocol_websocket_takes_our_connection_for_an_encrypted_one_and_is_accepted(
    dialect: str, challenge_bytes: int, reply: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=challenge_bytes)
        # Whatever its value, Perl's library answers with wss if this header is there.
        assert values(session.request, "x-forwarded-proto") == ["http"]
        wss = swapped(reply, b"Location: ws://", b"Location: wss://")
        await session.behind.send(wss + (session.proof if challenge_bytes else b""))
        await MODERN.accepted(session.client)


# -- answers that are wrong ------------------------------------------------------------------------------------------


def hixie75(old: bytes, new: bytes) -> Callable[[RouteQuery], bytes]:
    """Return the right answer of hixie-75, with changes."""
    return lambda _: swapped(REPLY_75, old, new)


def hixie76(old: bytes, new: bytes) -> Callable[[RouteQuery], bytes]:
    """Return the right answer of hixie-76 with its proof, with changes in the head."""
    return lambda session: swapped(REPLY_76, old, new) + session.proof


def nonce(*headers: str) -> Callable[[RouteQuery], bytes]:
    return lambda session: switching(session.request, *headers)


# The dialect, the answer, and the reason in the log.
WRONG: dict[str, tuple[str, Callable[[RouteQuery], bytes], str]] = {
    "wss to another host": ("hixie-75", hixie75(b"ws://server.", b"wss://www."), "WebSocket-Location 'wss://www.exa"),
    "another host": ("hixie-76", hixie76(b"ws://server.", b"ws://www."), "Sec-WebSocket-Location 'ws://www.example"),
    "another port": ("hixie-76", hixie76(b".com/chat", b".com:80/chat"), "Sec-WebSocket-Location 'ws://server.example"),
    "another path": ("hixie-75", hixie75(b"/chat", b"/"), "WebSocket-Location 'ws://server.example.com/', we"),
    "no location": ("hixie-76", hixie76(b"Location", b"Place"), "Sec-WebSocket-Location None, we requested"),
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
        "extensions 'permessage-deflate', which were not offered",
    ),
}
CHALLENGE_BYTES = {"hixie-76": 8, "hybi-01": 8, "hybi-03": 8}


@pytest.mark.parametrize(("dialect", "answer", "why"), WRONG.values(), ids=WRONG)
async def test_a_server_of_an_old_dialect_that_answers_wrongly_is_502(
    dialect: str, answer: Callable[[RouteQuery], bytes], why: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, challenge_bytes=CHALLENGE_BYTES.get(dialect, 0))
        await session.behind.send(answer(session))
        assert (await session.client.rest()).startswith(BAD_GATEWAY)
        line = await gateway.lines.line("upstream failed")
        assert line["status"] == 502
        assert line["why"].startswith(f"wrong handshake: {why}"), line["why"]
        # Nothing that it could read as a message.
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


async def test_an_old_webkit_needs_the_list_that_a_server_of_hixie_76_repeats() -> None:
    # PhantomJS 1.9.8 compares the whole list; em-websocket repeats it.
    protocol = "Sec-WebSocket-Protocol: chat,superchat"
    webkit = head_of("GET /chat HTTP/1.1", "Host: server.example.com", *HIXIE76[1:4], protocol, *HIXIE76[4:])
    async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76") as gateway:
        session = await asked(upstream, gateway, webkit + CHALLENGE, 8)
        await session.behind.send(REPLY_76[:-2] + f"{protocol}\r\n\r\n".encode() + session.proof)
        assert values(await session.client.head(), "sec-websocket-protocol") == ["chat,superchat"]


# Some servers send the same to every client: the draft's sample, a star, null.
@pytest.mark.parametrize("answer", ["sample", "*", "null", "Chat", "superchat,chat"])
@pytest.mark.parametrize("offer", [MODERN.head, LIST], ids=["nothing", "a list"])
async def test_a_subprotocol_of_hixie_76_that_was_not_offered_means_none_if_allowed(answer: str, offer: bytes) -> None:
    reply = REPLY_76[:-2] + f"Sec-WebSocket-Protocol: {answer}\r\n\r\n".encode()
    for tolerance in ("default", "none"):
        behind = f"tolerance: {tolerance}"
        async with Upstream() as upstream, serving(upstream.port, dialect="hixie-76", behind=behind) as gateway:
            session = await asked(upstream, gateway, offer, 8)
            await session.behind.send(reply + session.proof)
            head = await session.client.head()
            if tolerance == "default":
                assert head.startswith(b"HTTP/1.1 101 ")
                assert values(head, "sec-websocket-protocol") == []
                await session.client.close()
                await session.behind.close()
                line = await gateway.lines.line("session")
                assert line["oddities"] == "unasked-subprotocol"
            else:
                assert (head + await session.client.rest()).startswith(BAD_GATEWAY)
                line = await gateway.lines.line("upstream failed")
                assert line["why"].endswith(" (upstreams.X.tolerance: unasked-subprotocol would allow it)")


# em-websocket sends none in hixie-75, and faye's driver in neither.
SILENT = {
    "hixie-75": ("hixie-75", 0, REPLY_75),
    "hixie-75, an empty header": ("hixie-75", 0, REPLY_75[:-2] + b"WebSocket-Protocol: \r\n\r\n"),
    "hixie-76": ("hixie-76", 8, REPLY_76),
    "hixie-76, an empty header": ("hixie-76", 8, REPLY_76[:-2] + b"Sec-WebSocket-Protocol: \r\n\r\n"),
}
silent = pytest.mark.parametrize(("dialect", "challenge_bytes", "reply"), SILENT.values(), ids=SILENT)


@silent
async def test_a_server_of_hixie_without_subprotocols_serves_a_modern_client(
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
async def test_a_client_of_hixie_needs_a_subprotocol_that_such_a_server_does_not_send(
    dialect: str, challenge_bytes: int, reply: bytes, request_: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port, dialect=dialect) as gateway:
        session = await asked(upstream, gateway, request_, challenge_bytes)
        await session.behind.send(reply + (session.proof if challenge_bytes else b""))
        assert (await session.client.rest()).startswith(BAD_GATEWAY)
        line = await gateway.lines.line("refused", status=502)
        assert line["why"] == "none of the subprotocols 'chat' was chosen, and the client insists on one"
        assert await session.behind.rest() == b""
