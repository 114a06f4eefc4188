"""A probe of each dialect: against a server that somebody else wrote, through the gateway, and against bad servers."""

import re
from collections.abc import Callable

import pytest
import trio

from tests.openings import BY_DIALECT, PROOF
from tests.support import (
    PATIENCE_SECONDS,
    Peer,
    Upstream,
    fields,
    head_of,
    prefer_sample,
    serving,
    switching,
    values,
    websockets_server,
)
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeError, Question, Report, probe
from wsgateway.probe.transcript import Line

RFC6455 = DIALECTS["rfc6455"]


async def ask(question: Question) -> tuple[Report, list[str]]:
    """A probe and its transcript."""
    lines: list[Line] = []
    with trio.fail_after(PATIENCE_SECONDS):
        report = await probe(question, lines.append)
    transcript = [str(line) for line in lines]
    print(*transcript, sep="\n")
    return report, transcript


def behind_the_handshake(transcript: list[str]) -> list[str]:
    """The lines behind both heads, each with single spaces."""
    end = max(at for at, line in enumerate(transcript) if line == "<")
    return [re.sub(" +", " ", line) for line in transcript[end + 1 :]]


# -- good servers ----------------------------------------------------------------------------------------------

TALKS = {
    "hixie-75": [
        '> 00 48 65 6c 6c 6f ff text "Hello"',
        '< 00 48 65 6c 6c 6f ff text "Hello"',
        "= we close the connection: this dialect has no closing frame",
        "= the server closed the connection",
    ],
    "hixie-76": [
        "< PROOF 16 bytes, the proof",
        '> 00 48 65 6c 6c 6f ff text "Hello"',
        '< 00 48 65 6c 6c 6f ff text "Hello"',
        "> ff 00 close, no code",
        "< ff 00 close, no code",
    ],
    "hybi": [
        '> 81 85 MASKED text "Hello"',
        '< 81 05 48 65 6c 6c 6f text "Hello"',
        "> 88 82 MASKED close, 1000",
        "< 88 02 03 e8 close, 1000",
    ],
}


def literal(line: str) -> str:
    """A line without what differs each time: masks, what they cover, and proofs."""
    line = re.sub(r"^(> 8. 8.)(?: [0-9a-f]{2})+ ", r"\1 MASKED ", line)
    return re.sub(r"^<(?: [0-9a-f]{2}){16} 16 bytes", "< PROOF 16 bytes", line)


@pytest.mark.parametrize("dialect", BY_DIALECT)
async def test_a_probe_of_each_dialect_gets_its_echo_through_the_gateway(dialect: str) -> None:
    async with websockets_server() as port, serving(port) as gateway:
        report, transcript = await ask(Question(f"ws://127.0.0.1:{gateway.port}/x?a=1", DIALECTS[dialect], "Hello"))

        assert transcript[0] == "> GET /x?a=1 HTTP/1.1"
        expected = TALKS.get(dialect, TALKS["hybi"])
        assert [literal(line) for line in behind_the_handshake(transcript)] == expected
        assert (report.dialect, report.accepted, report.closed, report.error) == (dialect, True, "closed by both", None)
        assert report.handshake_seconds is not None
        assert report.round_trip_seconds is not None
        assert (await gateway.lines.line("session"))["dialect"] == dialect


async def test_a_probe_of_today_needs_no_gateway() -> None:
    async with websockets_server(server_header=None) as port:
        report, transcript = await ask(Question(f"ws://127.0.0.1:{port}/", RFC6455, "Hello"))
    assert [literal(line) for line in behind_the_handshake(transcript)] == TALKS["hybi"]
    assert transcript[:4] == [
        "> GET / HTTP/1.1",
        f"> Host: 127.0.0.1:{port}",
        "> Upgrade: websocket",
        "> Connection: Upgrade",
    ]
    assert "< HTTP/1.1 101 Switching Protocols" in transcript
    assert report.error is None


@pytest.mark.parametrize("dialect", ["hixie-75", "hybi-07", "hybi-08"])
async def test_a_server_of_today_knows_none_of_the_others(dialect: str) -> None:
    # Nor hixie-76; but what it says to that depends on the 8 bytes, which it takes for frames.
    async with websockets_server() as port:
        report, transcript = await ask(Question(f"ws://127.0.0.1:{port}/", DIALECTS[dialect], "Hello"))
    assert not report.accepted
    assert report.error is not None
    assert report.error.startswith("the server answered 4")
    assert str(report) == f"{dialect}: not accepted, {report.error}"
    assert any(line.startswith("< HTTP/1.1 4") for line in transcript)


@pytest.mark.parametrize("dialect", BY_DIALECT)
async def test_a_probe_asks_for_a_subprotocol_and_says_who_it_is(dialect: str) -> None:
    async with websockets_server(select_subprotocol=prefer_sample) as port, serving(port) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/"
        question = Question(url, DIALECTS[dialect], None, "http://elsewhere.example", ("sample",))
        report, transcript = await ask(question)
        assert report.subprotocol == "sample"
        assert report.round_trip_seconds is None
        assert any(line.endswith("Origin: http://elsewhere.example") for line in transcript)
        assert f"{dialect}: accepted, handshake " in str(report)
        assert ", subprotocol sample, closed by both" in str(report)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/caf\u00e9?q=\u20ac b", "/caf%C3%A9?q=%E2%82%AC%20b"),
        ("/%c3%a9", "/%c3%a9"),
        ("/a#fragment", "/a"),
    ],
)
async def test_an_address_becomes_a_target(path: str, target: str) -> None:
    async with websockets_server() as port:
        _, transcript = await ask(Question(f"ws://127.0.0.1:{port}{path}", RFC6455))
    assert transcript[0] == f"> GET {target} HTTP/1.1"


# -- bad servers -------------------------------------------------------------------------------------------------


async def asked(
    upstream: Upstream, answer: Callable[[bytes], bytes], text: str | None = "Hello"
) -> tuple[Report, list[str]]:
    """A probe of a server that answers this to the request, and then closes."""

    async def serve() -> None:
        peer = await upstream.accept()
        await peer.send(answer(await peer.head()))
        await peer.send_eof()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        return await ask(Question(f"ws://127.0.0.1:{upstream.port}/", RFC6455, "Hello"))
    raise AssertionError("a nursery that swallows an error")


ANSWERS: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "403": (
        lambda _: head_of("HTTP/1.1 403 Forbidden", "Content-Length: 3") + b"no\n",
        "the server answered 403 Forbidden",
        "< 6e 6f 0a 3 bytes, a body",
    ),
    "200": (lambda _: head_of("HTTP/1.1 200 OK"), "answered 200 to a WebSocket handshake", "< HTTP/1.1 200 OK"),
    "nothing": (lambda _: b"", "closed the connection during the handshake", ">"),
    "garbage": (lambda _: b"hello\r\n\r\n", "wrong handshake: malformed response", "< hello"),
    "another key": (
        lambda _: switching(b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        "wrong handshake: Sec-WebSocket-Accept 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' does not answer our key",
        "< Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ),
    "a Close": (
        lambda request: switching(request) + bytes.fromhex("88 05 03f0") + b"bye",
        "the server closed instead of an answer: 1008 'bye'",
        "< 88 05 03 f0 62 79 65 close, 1008 'bye'",
    ),
    "an end": (switching, "the connection ended without a Close", "= the server closed the connection"),
    "a masked frame": (
        lambda request: switching(request) + bytes.fromhex("81 85 37fa213d 7f9f4d5158"),
        "masked frame from a server",
        "< 81 85 37 fa 21 3d 7f 9f 4d 51 58",
    ),
}


@pytest.mark.parametrize(("answer", "error", "shown"), ANSWERS.values(), ids=ANSWERS)
async def test_a_server_that_does_not_answer_as_it_should_is_reported_with_what_it_said(
    answer: Callable[[bytes], bytes], error: str, shown: str
) -> None:
    async with Upstream() as upstream:
        report, transcript = await asked(upstream, answer)
    assert report.error is not None
    assert report.error.startswith(error)
    assert str(report).endswith(report.error)
    assert any(re.sub(" +", " ", line).startswith(shown) for line in transcript)


async def test_nobody_at_an_address_is_reported() -> None:
    async with Upstream() as upstream:
        port = upstream.port
    report, transcript = await ask(Question(f"ws://127.0.0.1:{port}/", RFC6455))
    assert (report.accepted, report.error) == (False, f"no connection to 127.0.0.1:{port}: Connection refused")
    assert transcript == []


@pytest.mark.parametrize("stage", ["before its head", "before its echo"])
async def test_a_server_that_stays_silent_is_reported_with_what_was_asked(stage: str) -> None:
    async with Upstream() as upstream:

        async def serve() -> None:
            peer = await upstream.accept()
            request = await peer.head()
            if stage == "before its echo":
                await peer.send(switching(request))
            await peer.rest()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            question = Question(f"ws://127.0.0.1:{upstream.port}/", RFC6455, "Hello", seconds=0.2)
            report, transcript = await ask(question)
    assert report.error == "no answer within 0.2 s"
    assert transcript[0] == "> GET / HTTP/1.1"


async def test_a_ping_is_answered_while_the_probe_waits() -> None:
    async with Upstream() as upstream:

        async def serve() -> None:
            peer = await upstream.accept()
            await peer.send(switching(await peer.head()) + b"\x89\x03abc")
            assert sorted([await peer.frame(), await peer.frame()]) == [(0x81, b"Hello"), (0x8A, b"abc")]
            await peer.send(b"\x81\x05Hello")
            assert await peer.frame() == (0x88, b"\x03\xe8")
            await peer.send(bytes.fromhex("88 02 03e8"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            report, transcript = await ask(Question(f"ws://127.0.0.1:{upstream.port}/", RFC6455, "Hello"))
    assert (report.error, report.closed) == (None, "closed by both")
    assert any(line.endswith(" ping, 3 bytes") for line in transcript)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ((PROOF, b"x" * 16), "do not answer our challenge"),
        ((b"Sec-WebSocket-Origin", b"WebSocket-Origin"), "Sec-WebSocket-Origin None, ours is "),
        ((b"ws://", b"wss://"), "Sec-WebSocket-Location 'wss://"),
    ],
    ids=["proof", "origin", "location"],
)
async def test_a_server_of_hixie_76_must_prove_that_it_read_the_request(
    change: tuple[bytes, bytes], error: str
) -> None:
    async with Upstream() as upstream:

        async def serve() -> None:
            peer: Peer = await upstream.accept()
            request = await peer.head()
            await peer.exactly(8)
            [host], [origin] = values(request, "host"), values(request, "origin")
            reply = head_of(
                "HTTP/1.1 101 WebSocket Protocol Handshake",
                "Upgrade: WebSocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Origin: {origin}",
                f"Sec-WebSocket-Location: ws://{host}/",
            )
            assert "sec-websocket-key1" in dict(fields(request))
            await peer.send((reply + PROOF).replace(*change))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            report, _ = await ask(Question(f"ws://127.0.0.1:{upstream.port}/", DIALECTS["hixie-76"]))
    assert report.error is not None
    assert error in report.error
    assert not report.accepted


@pytest.mark.parametrize("url", ["http://a", "wss://a", "a", "ws://", "ws://a:x", "ws://a:99999", "ws://a:0"])
async def test_an_address_that_is_none_is_not_asked(url: str) -> None:
    with pytest.raises(ProbeError, match=re.escape(url) if "wss" not in url else "wss:// is not possible"):
        await ask(Question(url, RFC6455))


@pytest.mark.parametrize(
    "question",
    [
        Question("ws://a", RFC6455, origin="http://a\r\nX-Forged: 1"),
        Question("ws://a", RFC6455, origin="http://\u65e5\u672c"),
        Question("ws://a", RFC6455, subprotocols=("a\nb",)),
        Question("ws://a", RFC6455, subprotocols=("a b",)),
        Question("ws://a", RFC6455, text="\udcff"),
        Question("ws://a..b", RFC6455),
        Question("ws://a b", RFC6455),
    ],
)
async def test_what_cannot_be_sent_is_not_asked(question: Question) -> None:
    with pytest.raises(ProbeError):
        await ask(question)
