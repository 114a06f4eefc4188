"""Upstreams that are down, silent or wrong: the answer for the client, and the log for the operator."""

import socket
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of, switching
from tests.openings import BY_DIALECT, OPENINGS, RFC6455, Opening
from tests.support import Upstream, dead_port, serving
from wsgateway.errors import UpstreamError
from wsgateway.upstream.connect import connect

# One dialect of each kind is enough: an upstream does not see the client's dialect.
MODERN = BY_DIALECT["rfc6455"]
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\n"
GATEWAY_TIMEOUT = b"HTTP/1.1 504 Gateway Timeout\r\n"


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_an_upstream_that_is_down_is_502_for_every_dialect_and_its_address_is_for_the_log_alone(
    opening: Opening,
) -> None:
    with dead_port() as port:
        async with serving(port) as gateway:
            client = await gateway.connect(opening.request)
            answer = await client.rest()

            assert answer.startswith(BAD_GATEWAY)
            assert b"\r\nConnection: close\r\n" in answer
            assert answer.endswith(b"\r\n\r\n502 Bad Gateway: target-unreachable\n")
            assert str(port).encode() not in answer

            line = await gateway.lines.line("upstream failed")
            assert (line["level"], line["status"]) == ("warning", 502)
            assert line["why"] == f"no connection to 127.0.0.1:{port}: Connection refused"
            assert (line["dialect"], line["route"], line["target"]) == (
                opening.dialect,
                "all",
                f"ws://127.0.0.1:{port}",
            )


async def test_a_name_that_does_not_exist_is_502() -> None:
    # RFC 6761, 6.4: no name ever ends in this.
    with trio.fail_after(20), pytest.raises(UpstreamError) as caught:
        await connect("wsgateway.invalid", 80, 15)
    assert caught.value.status == 502
    assert str(caught.value).startswith("no connection to wsgateway.invalid:80: ")


async def test_a_name_is_connected_to_wherever_it_leads() -> None:
    async with Upstream() as upstream:
        with await connect("localhost", upstream.port, 10) as sock:
            assert sock.getpeername() == ("127.0.0.1", upstream.port)
            assert not sock.getblocking()
            peer = await upstream.accept()
            await peer.send(b"hello")
            assert sock.recv(9) == b"hello"


async def test_an_upstream_that_does_not_accept_is_504() -> None:
    # Linux takes one connection more than the backlog, and then lets all others wait.
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        with trio.fail_after(20), pytest.raises(UpstreamError) as caught:
            await connect("127.0.0.1", full.getsockname()[1], 0.1)
    assert caught.value.status == 504
    assert str(caught.value).endswith(" within 0.1 s")


async def test_an_upstream_that_stays_silent_is_504(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 500ms") as gateway:
        client = await gateway.connect(MODERN.request)
        answer = await client.rest()

        assert answer.startswith(GATEWAY_TIMEOUT)
        assert answer.endswith(b": target-silent\n")
        assert (await gateway.lines.line("upstream failed", status=504))["why"] == (
            "silent for what remained of the 0.5 s for a handshake"
        )
        behind = await upstream.accept()
        await behind.head()
        assert await behind.rest() == b""


async def test_an_upstream_that_stops_inside_its_head_is_504(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 500ms") as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgr")
        assert (await client.rest()).startswith(GATEWAY_TIMEOUT)


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Return the right answer, with changes."""

    def answer(request: bytes) -> bytes:
        right = switching(request)
        assert old in right
        return right.replace(old, new)

    return answer


def adding(*headers: str) -> Callable[[bytes], bytes]:
    return lambda request: switching(request, *headers)


def saying(data: bytes) -> Callable[[bytes], bytes]:
    return lambda _: data


WRONG = {
    "another key's Accept": (
        lambda _: switching(head_of("", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")),
        "wrong handshake: Sec-WebSocket-Accept 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' does not answer our key",
    ),
    "no Accept": (swapped(b"Sec-WebSocket-Accept", b"X-Accept"), "wrong handshake: Sec-WebSocket-Accept None"),
    "two Accepts": (
        adding("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "wrong handshake: 2 Sec-WebSocket-Accept headers",
    ),
    "no Upgrade": (swapped(b"Upgrade: websocket\r\n", b""), "wrong handshake: 101 with Upgrade ''"),
    "another Upgrade": (swapped(b"websocket", b"h2c"), "wrong handshake: 101 with Upgrade 'h2c'"),
    "no Connection": (swapped(b"Connection: Upgrade\r\n", b""), "wrong handshake: 101 without 'Connection: Upgrade'"),
    "a subprotocol without an offer": (
        adding("Sec-WebSocket-Protocol: chat"),
        "wrong handshake: subprotocol 'chat', which was not offered",
    ),
    "an extension without an offer": (
        adding("Sec-WebSocket-Extensions: permessage-deflate"),
        "wrong handshake: extensions 'permessage-deflate', which were not offered",
    ),
    "an old extension": (
        adding("Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
        "wrong handshake: extensions 'x-webkit-deflate-frame', which were not offered",
    ),
    "200": (saying(head_of("HTTP/1.1 200 OK", "Content-Length: 0")), "answered 200 to a WebSocket handshake"),
    "299": (saying(head_of("HTTP/1.1 299 X", "Content-Length: 0")), "answered 299 to a WebSocket handshake"),
    "600": (saying(head_of("HTTP/1.1 600 X", "Content-Length: 0")), "answered 600 to a WebSocket handshake"),
    "204": (saying(head_of("HTTP/1.1 204 No Content")), "answered 204 to a WebSocket handshake"),
    "garbage": (saying(b"220 smtp.example.com ESMTP\r\n\r\n"), "wrong handshake: malformed response"),
    "bytes": (saying(b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n"), "wrong handshake: malformed response"),
    "a head without end": (
        saying(b"HTTP/1.1 101 X\r\n" + b"X-Filler: y\r\n" * 5100),
        "wrong handshake: the head is larger than 65536 bytes",
    ),
    "too many headers": (adding(*["X-Filler: y"] * 200), "wrong handshake: 20"),
    "nothing": (saying(b""), "closed the connection during the handshake"),
    "half a head": (saying(b"HTTP/1.1 101 Switching Protocols\r\n"), "closed the connection during the handshake"),
}


@pytest.mark.parametrize(("answer", "why"), WRONG.values(), ids=WRONG)
async def test_an_upstream_that_answers_wrongly_is_502(answer: Callable[[bytes], bytes], why: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.send(answer(await behind.head()))
        await behind.send_eof()

        answered = await client.rest()
        assert answered.startswith(BAD_GATEWAY)
        line = await gateway.lines.line("upstream failed")
        assert answered.endswith(f": {line['reason']}\n".encode())
        assert line["status"] == 502
        assert line["why"].startswith(why)


NOT_OFFERED = [
    ("Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Protocol: Chat"),
    ("Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Protocol: chat, superchat"),
    ("Sec-WebSocket-Extensions: x-webkit-deflate-frame", "Sec-WebSocket-Extensions: x-webkit-deflate-frame"),
    (
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate",
    ),
]


@pytest.mark.parametrize(("offer", "answer"), NOT_OFFERED)
async def test_an_upstream_that_chooses_what_was_not_offered_is_502(offer: str, answer: str) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455, offer))
        await upstream.agree(answer)
        assert (await client.rest()).startswith(BAD_GATEWAY)


async def test_an_upstream_that_cuts_the_connection_during_the_handshake_is_502() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.head()
        behind.reset()

        assert (await client.rest()).startswith(BAD_GATEWAY)
        assert (await gateway.lines.line("upstream failed"))["why"].startswith("lost during the handshake: ")


@pytest.mark.parametrize("interim", ["100 Continue", "103 Early Hints"])
async def test_interim_answers_before_the_101_are_passed_over(interim: str) -> None:
    # A hixie client refuses a reply that does not begin with its 101.
    opening = BY_DIALECT["hixie-76"]
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(opening.request)
        behind = await upstream.accept()
        request = await behind.head()
        await behind.send(head_of(f"HTTP/1.1 {interim}", "Link: </a>"), switching(request))
        assert await client.exactly(len(opening.reply)) == opening.reply


async def test_a_client_that_needs_its_subprotocol_gets_502_if_none_is_chosen() -> None:
    for dialect, name in ("hixie-75", "WebSocket-Protocol"), ("hixie-76", "Sec-WebSocket-Protocol"):
        opening = BY_DIALECT[dialect]
        async with Upstream() as upstream, serving(upstream.port) as gateway:
            head = opening.head.removesuffix(b"\r\n") + f"{name}: chat\r\n\r\n".encode()
            client = await gateway.connect(head + opening.challenge)
            behind, _ = await upstream.agree()

            assert (await client.rest()).startswith(BAD_GATEWAY)
            assert await behind.rest() == b""
            assert "'chat'" in (await gateway.lines.line("refused", status=502))["why"]
