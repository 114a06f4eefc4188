"""A recording that is played against a server: what differs is told, and nothing else."""

import base64
import socket
import struct
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.backends import websockets_server
from tests.heads import head_of, switching
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.peers import Peer
from tests.run.gateways import send_back
from tests.support import Running, Upstream, serving
from wsgateway.dialects import DIALECTS
from wsgateway.errors import ProbeError, RecordingError, UpstreamError
from wsgateway.net.channel import Channel
from wsgateway.probe.replay import MOST_SHOWN, play, replay
from wsgateway.trace.recording import Chunk, Connection, Recorder, read

MODERN = BY_DIALECT["rfc6455"]
ANSWER = switching(MODERN.request)
ECHO = [
    Chunk(0.0, ">", "head", MODERN.request),
    Chunk(0.1, "<", "head", ANSWER),
    Chunk(0.2, ">", "frames", MODERN.hello),
    Chunk(0.3, "<", "frames", MODERN.hello_back),
]


def recorded(*chunks: Chunk) -> Connection:
    return Connection(list(chunks or ECHO), DIALECTS["rfc6455"].framing)


async def record(gateway: Running, opening: Opening, folder: Path) -> Connection:
    """Record a session of an old client at a gateway before a server that echoes."""
    recorder, path = Recorder(folder), None
    with gateway.service._gateway.traces.begin(lambda facts: True, 0, True) as trace:
        client = await gateway.connect(opening.request)
        secret = await opening.accepted(client)
        await client.send(opening.written(opening.hello_back, secret))
        assert await client.exactly(len(opening.hello_back)) == opening.hello_back
        await client.close()
        while path is None:
            for item in await trace.items():
                path = recorder.take(item) or path
    return read(path).connections["client"]


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_session_of_every_dialect_is_played_again_without_a_difference(
    opening: Opening, tmp_path: Path
) -> None:
    async with websockets_server(send_back) as upstream, serving(upstream) as gateway:
        connection = await record(gateway, opening, tmp_path)
        replayed = await replay(connection, f"ws://127.0.0.1:{gateway.port}", 30)
        assert replayed.differences == []
        assert replayed.messages >= 1  # a Close counts, too


async def playing(upstream: Upstream, *answers: bytes) -> None:
    """Answer a client: the first answer to its head, each other one to a frame."""
    peer = await upstream.accept()
    await peer.head()
    await peer.send(answers[0])
    for answer in answers[1:]:
        await peer.frame()
        await peer.send(answer)


async def differences(connection: Connection, *answers: bytes) -> list[str]:
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(playing, upstream, *answers)
        replayed = await replay(connection, f"ws://127.0.0.1:{upstream.port}", 5)
        nursery.cancel_scope.cancel()
    return replayed.differences


async def hung_up(*answer: bytes) -> list[str]:
    """Return what differs when the server closes its connection after its answer to the head."""

    async def hang_up(upstream: Upstream) -> None:
        peer: Peer = await upstream.accept()
        await peer.head()
        await peer.send(*answer)
        await peer.close()

    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(hang_up, upstream)
        return (await replay(recorded(), f"ws://127.0.0.1:{upstream.port}", 30)).differences


async def test_what_a_server_answers_in_other_pieces_is_the_same() -> None:
    dated = ANSWER.replace(b"\r\n\r\n", b"\r\nDate: Mon, 01 Jan 2035 00:00:00 GMT\r\nServer: other\r\n\r\n")
    assert await differences(recorded(), dated, b"\x01\x02He\x80\x03llo") == []


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (
            (ANSWER, b"\x81\x05Hallo"),
            ["message 1: recorded text of 5 bytes, 'Hello', now text of 5 bytes, 'Hallo'"],
        ),
        (
            (ANSWER, b"\x82\x05Hello"),
            ["message 1: recorded text of 5 bytes, 'Hello', now binary of 5 bytes, 48 65 6c 6c 6f"],
        ),
        (
            (ANSWER, b"\x88\x02\x03\xe9"),
            ["message 1: recorded text of 5 bytes, 'Hello', now close 1001"],
        ),
        (
            (ANSWER.replace(b"s3pP", b"xxxx"), MODERN.hello_back),
            [
                "the header sec-websocket-accept: recorded s3pPLMBiTxaQ9kYGzzhZRbK+xOo=,"
                " now xxxxLMBiTxaQ9kYGzzhZRbK+xOo="
            ],
        ),
    ],
    ids=["text", "kind", "close", "header"],
)
async def test_what_differs_is_told(answers: tuple[bytes, ...], told: list[str]) -> None:
    assert await differences(recorded(), *answers) == told


async def test_a_refusal_is_told() -> None:
    found = await hung_up(head_of("HTTP/1.1 403 Forbidden", "Connection: close"))
    assert found[0] == "the answer: recorded HTTP/1.1 101 Switching Protocols, now HTTP/1.1 403 Forbidden"


async def test_a_server_that_is_silent_is_told(autojump_clock: MockClock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(ANSWER)
        replayed = await play(Channel(ours), recorded(), 5)
    assert replayed.differences == [
        "message 1: recorded text of 5 bytes, 'Hello', now missing",
        "at the end: within 5 s the server has answered less than in the recording",
    ]


async def test_a_server_that_hangs_up_is_told() -> None:
    found = await hung_up()
    assert found[0] == "the answer: recorded HTTP/1.1 101 Switching Protocols, now nothing"
    assert "message 1: recorded text of 5 bytes, 'Hello', now missing" in found


DEFLATE = b"permessage-deflate; server_no_context_takeover"
COMPRESSED = ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: " + DEFLATE + b"\r\n\r\n")
# RFC 7692, 7.2.3.1: "Hello", compressed.
DEFLATED = bytes.fromhex("c1 07 f2 48 cd c9 c9 07 00")


@pytest.mark.parametrize(
    ("answers", "told", "remark"),
    [
        ((COMPRESSED, DEFLATED), [], "their bytes were compared, and no messages"),
        (
            (COMPRESSED, DEFLATED[:3] + b"\x49" + DEFLATED[4:]),
            ["the frames, from byte 4 on of 9: recorded 48 cd c9 c9 07 00, now 49 cd c9 c9 07 00"],
            "their bytes were compared",
        ),
        (
            (ANSWER, MODERN.hello_back + b"\x89\x00"),
            [f"the header sec-websocket-extensions: recorded {DEFLATE.decode()}, now missing"],
            "no messages were compared",
        ),
    ],
    ids=["same", "other", "not accepted"],
)
async def test_compressed_messages_are_compared_as_bytes_and_that_is_said(
    answers: tuple[bytes, ...], told: list[str], remark: str
) -> None:
    head, reply = Chunk(0.1, "<", "head", COMPRESSED), Chunk(0.3, "<", "frames", DEFLATED)
    connection = recorded(ECHO[0], head, ECHO[2], reply)
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(playing, upstream, *answers)
        replayed = await replay(connection, f"ws://127.0.0.1:{upstream.port}", 5)
        nursery.cancel_scope.cancel()
    assert replayed.differences == told
    assert remark in replayed.remark


async def test_many_differences_are_cut() -> None:
    said = [Chunk(0.4 + number, "<", "frames", b"\x81\x01a") for number in range(2 * MOST_SHOWN)]
    found = await differences(recorded(*ECHO, *said), ANSWER, b"\x81\x01b" * (2 * MOST_SHOWN + 1))
    assert len(found) == MOST_SHOWN + 1
    assert found[-1] == f"and {MOST_SHOWN + 1} more"


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        (Connection(), "has no request on this side"),
        (Connection([Chunk(0.0, "<", "head", ANSWER)]), "has no request on this side"),
    ],
)
async def test_a_recording_that_cannot_be_played_is_refused(connection: Connection, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        await replay(connection, "ws://127.0.0.1:1", 5)


async def test_a_server_that_is_silent_in_the_tls_handshake_is_told() -> None:
    async with Upstream() as upstream:
        with pytest.raises(UpstreamError, match=r"^TLS failed: no answer within 0\.1 s$"):
            await replay(recorded(), f"wss://127.0.0.1:{upstream.port}", 0.1)


async def test_wrong_addresses_and_closed_ports_are_told() -> None:
    with pytest.raises(ProbeError, match="'http://a' is not an address"):
        await replay(recorded(), "http://a", 5)
    async with Upstream() as upstream:
        port = upstream.port
        upstream.stop()
        with pytest.raises(UpstreamError, match="refused"):
            await replay(recorded(), f"ws://127.0.0.1:{port}", 5)


def test_the_bytes_of_the_example_are_those_of_the_draft() -> None:
    assert base64.b64encode(MODERN.hello) == b"gYU3+iE9f59NUVg="


async def test_a_server_that_closes_before_our_end_has_answered_all_the_same() -> None:
    async def play_and_close(upstream: Upstream) -> None:
        peer = await upstream.accept()
        await peer.head()
        await peer.send(ANSWER)
        await peer.frame()
        await peer.send(MODERN.hello_back)
        peer.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await peer.close()

    connection = recorded(*ECHO, Chunk(0.4, ">", "end", b""))
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        nursery.start_soon(play_and_close, upstream)
        assert (await replay(connection, f"ws://127.0.0.1:{upstream.port}", 30)).differences == []
