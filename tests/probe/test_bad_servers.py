"""Reports about servers that refuse, break the rules, or send nothing: why, and all that they have sent."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.heads import fields, head_of, switching, values
from tests.openings import PROOF
from tests.peers import Peer
from tests.support import Upstream, dead_port
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import PATIENCE_SECONDS, ProbeRequest, Report
from wsgateway.trace.transcript import Line

from .probing import ask, written

RFC6455 = DIALECTS["rfc6455"]


async def asked(
    serve: Callable[[Peer], Awaitable[object]],
    dialect: str = "rfc6455",
    text: str | None = "Hello",
    seconds: float = 5.0,
) -> tuple[Report, list[Line]]:
    """Probe a server that does this with its connection."""
    async with Upstream() as upstream, trio.open_nursery() as nursery:

        async def accept() -> None:
            await serve(await upstream.accept())

        nursery.start_soon(accept)
        url = f"ws://127.0.0.1:{upstream.port}/"
        return await ask(ProbeRequest(url, DIALECTS[dialect], "Hello", seconds=seconds))
    raise AssertionError("a nursery that swallows an error")


async def answered(answer: Callable[[bytes], bytes]) -> tuple[Report, list[Line]]:
    """Probe a server that answers this to the request, and then closes."""

    async def serve(peer: Peer) -> None:
        await peer.send(answer(await peer.head()))
        await peer.send_eof()

    return await asked(serve)


REFUSALS: dict[str, tuple[bytes, int | None, str, list[str]]] = {
    "403": (
        head_of("HTTP/1.1 403 Forbidden", "Content-Length: 3") + b"no\n",
        403,
        "the server answered 403 Forbidden",
        ["< HTTP/1.1 403 Forbidden", "< Content-Length: 3", "<", "< 6e 6f 0a | 3 bytes, a body: no"],
    ),
    "302 without a reason": (
        head_of("HTTP/1.1 302 ", "Location: /b"),
        302,
        "the server answered 302",
        ["< HTTP/1.1 302", "< Location: /b", "<"],
    ),
    "200": (
        head_of("HTTP/1.1 200 OK"),
        None,
        "answered 200 to a WebSocket handshake",
        ["< HTTP/1.1 200 OK", "<"],
    ),
    "nothing": (b"", None, "closed the connection during the handshake", []),
    "garbage": (
        b"hello\r\n\r\n",
        None,
        "wrong handshake: malformed response: it begins with b'hello\\r\\n\\r\\n'",
        ["< hello", "<"],
    ),
    "another key": (
        switching(b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        None,
        "wrong handshake: Sec-WebSocket-Accept 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' does not answer our key",
        ["< HTTP/1.1 101 Switching Protocols", "< Upgrade: websocket", "< Connection: Upgrade"],
    ),
}


@pytest.mark.parametrize(("answer", "status", "error", "shown"), REFUSALS.values(), ids=REFUSALS)
async def test_a_server_that_does_not_accept_is_reported_with_what_it_said(
    answer: bytes, status: int | None, error: str, shown: list[str]
) -> None:
    report, lines = await answered(lambda _: answer)
    assert (report.accepted, report.status, report.error) == (False, status, error)
    assert report.handshake_seconds is None
    assert str(report) == f"rfc6455: {'refused' if status else 'failed'}, {error}"
    said = [written(line) for line in lines if line.direction == "<"]
    assert said[: len(shown)] == shown
    # A wrong proof stands beside the right one.
    assert (len(said) > len(shown)) is (error.startswith("wrong handshake: Sec-WebSocket-Accept"))


BREACHES: dict[str, tuple[bytes, str, list[str]]] = {
    "a Close": (
        bytes.fromhex("88 05 03f0") + b"bye",
        "the server closed the session instead of answering: 1008 'bye'",
        ["< 88 | FIN, opcode 8: close", "< 05 | length 5", "< 03 f0 62 79 65 | payload: 1008 'bye'"],
    ),
    "an end": (b"", "the connection ended without a Close", ["= the server closed the connection"]),
    "a masked frame": (
        bytes.fromhex("81 85 37fa213d 7f9f4d5158"),
        "masked frame from a server",
        ["< 81 85 37 fa 21 3d 7f 9f 4d 51 58 | masked frame from a server"],
    ),
    "a good frame and a bad one": (
        bytes.fromhex("89 00 8b 00"),
        "reserved opcode 0xb",
        ["< 89 | FIN, opcode 9: ping", "< 00 | length 0", "< 8b 00 | reserved opcode 0xb"],
    ),
    "what was never agreed": (
        bytes.fromhex("c1 03 f248cd"),
        "reserved bits 0x40 that no extension uses",
        ["< c1 | FIN, RSV1, opcode 1: text, the last frame of its message", "< 03 | length 3"],
    ),
    "a Close with half a code": (
        bytes.fromhex("88 01 03"),
        "Close with half a code",
        ["< 88 | FIN, opcode 8: close", "< 01 | length 1", "< 03 | payload: Close with half a code"],
    ),
}


@pytest.mark.parametrize(("frames", "error", "shown"), BREACHES.values(), ids=BREACHES)
@pytest.mark.parametrize("early", [True, False], ids=["with its handshake", "later"])
async def test_a_server_that_breaks_the_rules_is_reported_with_what_it_said(
    frames: bytes, error: str, shown: list[str], early: bool
) -> None:
    async def serve(peer: Peer) -> None:
        head = switching(await peer.head())
        if early:
            await peer.send(head + frames)
        else:
            await peer.send(head)
            assert await peer.frame() == (0x81, b"Hello")
            await peer.send(frames)
        await peer.send_eof()

    report, lines = await asked(serve)
    assert (report.accepted, report.closed, report.error) == (True, None, error)
    assert str(report).endswith(f" ms, {error}")
    said = [written(line) for line in lines if line.direction != ">"]
    assert said[said.index("<") + 1 :][: len(shown)] == shown


@pytest.mark.parametrize(
    ("frame", "answer"), [("88 05 03f0 627965", (0x88, b"\x03\xf0")), ("88 00", (0x88, b""))], ids=["code", "no code"]
)
async def test_a_close_of_the_server_is_answered(frame: str, answer: tuple[int, bytes]) -> None:
    async def serve(peer: Peer) -> None:
        await peer.send(switching(await peer.head()))
        assert await peer.frame() == (0x81, b"Hello")
        await peer.send(bytes.fromhex(frame))
        assert await peer.frame() == answer

    report, _ = await asked(serve)
    assert report.error is not None
    assert report.error.startswith("the server closed the session instead of answering: ")


@pytest.mark.parametrize("cut", ["82", "82 7e 01"], ids=["a byte", "a length"])
async def test_a_frame_that_the_end_of_the_connection_cuts_is_shown(cut: str) -> None:
    report, lines = await answered(lambda request: switching(request) + bytes.fromhex(cut))
    assert report.error == "the connection ended without a Close"
    shown = b"".join(bytes.fromhex(line.text) for line in lines[-4:] if line.direction == "<" and line.meaning)
    assert shown == bytes.fromhex(cut)


async def test_an_interim_answer_is_ignored() -> None:
    busy = head_of("HTTP/1.1 103 Early Hints", "Link: </a>")
    report, lines = await answered(lambda request: busy + switching(request) + bytes.fromhex("81 02 6869 88 00"))
    assert report.accepted
    assert "< 68 69 | payload: 'hi'" in map(written, lines)


async def test_an_interim_answer_is_shown_with_what_follows() -> None:
    busy = head_of("HTTP/1.1 103 Early Hints", "Link: </a>")
    _, lines = await answered(lambda request: busy + switching(request))
    said = [written(line) for line in lines if line.direction == "<"]
    assert said[:4] == ["< HTTP/1.1 103 Early Hints", "< Link: </a>", "<", "< HTTP/1.1 101 Switching Protocols"]


async def test_an_address_where_nothing_listens_is_reported() -> None:
    with dead_port() as port:
        report, lines = await ask(ProbeRequest(f"ws://127.0.0.1:{port}/", RFC6455))
        assert str(report) == f"rfc6455: failed, no connection to 127.0.0.1:{port}: Connection refused"
        assert lines == []


async def test_a_server_that_cuts_the_connection_in_its_handshake_is_reported() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        peer.reset()

    report, _ = await asked(serve)
    assert report.error == "lost during the handshake: Connection reset by peer"


async def test_a_server_that_cuts_the_connection_later_is_reported() -> None:
    async def serve(peer: Peer) -> None:
        await peer.send(switching(await peer.head()))
        assert await peer.frame() == (0x81, b"Hello")
        peer.reset()

    report, _ = await asked(serve)
    assert report.error == "connection lost: Connection reset by peer"


async def test_a_control_character_in_a_reply_does_not_reach_the_terminal() -> None:
    # h11 takes all above 7F for a reason; 9B is what begins a command of a terminal, in one byte.
    report, _ = await answered(lambda _: b"HTTP/1.1 403 \x9b2Jno\r\nContent-Length: 0\r\n\r\n")
    assert report.error == "the server answered 403 \\x9b2Jno"


# -- silence -----------------------------------------------------------------------------------------------------


async def silent(peer: Peer, clock: MockClock, seconds: float) -> None:
    """Send nothing more for some seconds; up to here the clock stands still."""
    await wait_all_tasks_blocked()
    clock.jump(seconds)
    await peer.rest()


@pytest.mark.parametrize("stage", ["before its head", "inside its head", "before its echo"])
async def test_a_server_that_becomes_silent_is_reported_with_the_whole_transcript(
    mock_clock: MockClock, stage: str
) -> None:
    async def serve(peer: Peer) -> None:
        head = switching(await peer.head())
        await peer.send({"before its head": b"", "inside its head": head[:30], "before its echo": head}[stage])
        await silent(peer, mock_clock, 5)

    report, lines = await asked(serve, seconds=5)
    assert report.error == "no answer within 5 s"
    assert written(lines[0]) == "> GET / HTTP/1.1"
    assert report.accepted is (stage == "before its echo")
    assert ("< HTTP/1.1 101 Switching Protoco" in map(written, lines)) is (stage == "inside its head")


async def test_a_close_that_is_not_answered_is_reported_and_is_no_fault(mock_clock: MockClock) -> None:
    async def serve(peer: Peer) -> None:
        await peer.send(switching(await peer.head()))
        assert await peer.frame() == (0x81, b"Hello")
        await peer.send(b"\x81\x05Hello")
        assert await peer.frame() == (0x88, b"\x03\xe8")
        await silent(peer, mock_clock, PATIENCE_SECONDS)

    report, _ = await asked(serve)
    assert (report.error, report.closed) == (None, "no answer to the closing frame within 2 s")
    assert str(report).endswith(", no answer to the closing frame within 2 s")


# -- the two drafts whose servers repeat what was asked ------------------------------------------------------------

CHANGES = {
    "proof": ((PROOF, b"x" * 16), f"the 16 bytes {' '.join(['78'] * 16)} do not answer our challenge"),
    "origin": ((b"Sec-WebSocket-Origin", b"WebSocket-Origin"), "Sec-WebSocket-Origin None, ours is 'http://HOST'"),
    "location": ((b"/\r\n\r\n", b"/b\r\n\r\n"), "Sec-WebSocket-Location 'ws://HOST/b', we requested 'ws://HOST/'"),
}


@pytest.mark.parametrize(("change", "error"), CHANGES.values(), ids=CHANGES)
async def test_a_server_of_hixie_76_must_prove_that_it_read_the_request(
    change: tuple[bytes, bytes], error: str
) -> None:
    hosts: list[str] = []

    async def serve(peer: Peer) -> None:
        request = await peer.head()
        await peer.exactly(8)
        hosts.extend(values(request, "host"))
        reply = head_of(
            "HTTP/1.1 101 WebSocket Protocol Handshake",
            "Upgrade: WebSocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Origin: http://{hosts[0]}",
            f"Sec-WebSocket-Location: ws://{hosts[0]}/",
        )
        assert "sec-websocket-key1" in dict(fields(request))
        await peer.send((reply + PROOF).replace(*change))

    report, lines = await asked(serve, "hixie-76")
    assert (report.accepted, report.error) == (False, f"wrong handshake: {error.replace('HOST', hosts[0])}")
    # What came and what would have been right stand side by side.
    assert lines[-1].meaning.startswith("the proof: MD5 of ")
    assert lines[-1].meaning.endswith(" is right")
    assert lines[-1].text == (" ".join(["78"] * 16) if change[0] == PROOF else PROOF.hex(" "))
