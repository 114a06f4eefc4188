"""The chat room over real sockets, with members that others wrote."""

import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect

from tests.support import Lines
from wsgateway.demo.room import MAX_CHARACTERS, MAX_MEMBERS, said
from wsgateway.demo.upstream import DemoUpstream
from wsgateway.observe.log import Log

from .conftest import serving


@pytest.fixture
def url(upstream: str) -> str:
    return f"{upstream}/chat"


async def heard(connection: ClientConnection) -> Any:
    return json.loads(await connection.recv())


HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# A text of one x, with a mask of zeros.
FRAME_OF_X = b"\x81\x81\0\0\0\0x"


@asynccontextmanager
async def raw_member(url: str) -> AsyncIterator[trio.SocketStream]:
    """Yield a member that reads nothing by itself, and for which the kernel keeps few bytes."""
    sock = trio.socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    place = urlsplit(url)
    await sock.connect((place.hostname, place.port))
    async with trio.SocketStream(sock) as stream:
        await stream.send_all(HANDSHAKE)
        yield stream


async def until_left(connection: ClientConnection) -> AsyncIterator[Any]:
    """Yield what a member is told, up to the first message that somebody has left."""
    while (message := await heard(connection))["type"] != "left":
        yield message
    yield message


async def test_members_are_told_who_joins_and_what_is_said_and_who_leaves(url: str) -> None:
    async with connect(url, proxy=None) as first:
        assert await heard(first) == {"type": "joined", "who": "guest-1 (rfc6455)", "members": 1}
        async with connect(url, proxy=None, additional_headers={"X-WebSocket-Dialect": "hixie-76"}) as second:
            joined = {"type": "joined", "who": "guest-2 (hixie-76)", "members": 2}
            assert [await heard(first), await heard(second)] == [joined, joined]
            await second.send("good day")
            told = {"type": "say", "who": "guest-2 (hixie-76)", "text": "good day"}
            assert [await heard(first), await heard(second)] == [told, told]
            await first.send('{"say": "hello €"}')
            told = {"type": "say", "who": "guest-1 (rfc6455)", "text": "hello €"}
            assert [await heard(first), await heard(second)] == [told, told]
        assert await heard(first) == {"type": "left", "who": "guest-2 (hixie-76)", "members": 1}


async def test_a_dialect_that_nobody_knows_is_not_shown(url: str) -> None:
    async with connect(url, proxy=None, additional_headers={"X-WebSocket-Dialect": "hixie-99"}) as member:
        assert (await heard(member))["who"] == "guest-1 (rfc6455)"


async def test_empty_messages_are_not_passed_on(url: str) -> None:
    async with connect(url, proxy=None) as member:
        await heard(member)
        for message in ("", "  ", '{"say": ""}', "something"):
            await member.send(message)
        assert (await heard(member))["text"] == "something"


async def test_binary_is_refused(url: str) -> None:
    async with connect(url, proxy=None) as member:
        await heard(member)
        await member.send(b"hello")
        with pytest.raises(ConnectionClosed):
            await member.recv()
        assert member.close_code == 1003


async def test_a_heartbeat_tells_the_number_of_members(log: Log) -> None:
    async with (
        serving(DemoUpstream(log, heartbeat_seconds=0.01)) as address,
        connect(f"{address}/chat", proxy=None) as member,
    ):
        await heard(member)
        first, second = await heard(member), await heard(member)
    assert [first["type"], first["members"]] == ["heartbeat", 1]
    assert first["time"] < second["time"]


async def test_a_burst_of_messages_disconnects_no_member_that_reads(url: str) -> None:
    async with connect(url, proxy=None) as listener, raw_member(url) as talker, trio.open_nursery() as nursery:
        nursery.start_soon(drain, talker)
        await talker.send_all(FRAME_OF_X * 300)  # in one piece
        told = [(await heard(listener))["type"] for _ in range(302)]
        assert told == ["joined"] * 2 + ["say"] * 300
        nursery.cancel_scope.cancel()


async def drain(stream: trio.SocketStream) -> None:
    async for _ in stream:
        continue


@pytest.mark.parametrize("reset", [False, True])
async def test_a_member_whose_connection_is_lost_has_left(url: str, reset: bool) -> None:
    async with connect(url, proxy=None) as listener:
        async with raw_member(url) as lost:
            await lost.receive_some()
            if reset:
                lost.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert [(await heard(listener))["type"] for _ in range(3)] == ["joined", "joined", "left"]


async def test_a_member_that_does_not_read_is_disconnected_and_the_others_go_on() -> None:
    lines = Lines()
    upstream = DemoUpstream(lines.log())
    async with serving(upstream, send_bytes=4096) as address, connect(f"{address}/chat", proxy=None) as talker:
        assert (await heard(talker))["members"] == 1
        async with raw_member(f"{address}/chat"), trio.open_nursery() as nursery:
            nursery.start_soon(babble, talker)
            told = [message async for message in until_left(talker)]
            nursery.cancel_scope.cancel()
    assert told[-1] == {"type": "left", "who": "guest-2 (rfc6455)", "members": 1}
    assert lines.every("cut")[0]["who"] == "guest-2 (rfc6455)"


async def babble(connection: ClientConnection) -> None:
    while True:
        await connection.send("x" * MAX_CHARACTERS)


async def test_a_full_room_says_so_and_has_room_again_when_a_member_leaves(url: str) -> None:
    async with AsyncExitStack() as stack:
        # max_queue: they read all that comes, as browsers do, though nobody looks at it.
        connections = [connect(url, proxy=None, max_queue=None) for _ in range(MAX_MEMBERS)]
        members = [await stack.enter_async_context(each) for each in connections]
        assert (await heard(members[-1]))["members"] == MAX_MEMBERS
        async with connect(url, proxy=None) as late:
            with pytest.raises(ConnectionClosed):
                await late.recv()
            assert late.close_code == 1013
        await members[0].aclose()
        assert (await heard(members[-1]))["type"] == "left"
        async with connect(url, proxy=None) as later:
            assert (await heard(later))["members"] == MAX_MEMBERS


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"hello", "hello"),
        (b'{"say": "hello"}', "hello"),
        (b'{"say": 1}', '{"say": 1}'),
        (b'{"cry": "hello"}', '{"cry": "hello"}'),
        (b'"hello"', '"hello"'),
        (b"{", "{"),
        (b"  hello\n", "hello"),
        (b"x" * (MAX_CHARACTERS + 1), "x" * MAX_CHARACTERS),
        (b'{"a":' * 100_000, ('{"a":' * 100_000)[:MAX_CHARACTERS]),
        (b"1" * 100_000, "1" * MAX_CHARACTERS),
    ],
    ids=lambda each: repr(each[:12]),
)
def test_each_message_has_its_text(message: bytes, text: str) -> None:
    assert said(message) == text
