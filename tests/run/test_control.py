"""Messages between the processes of a gateway, over a real pair of sockets."""

import array
import gc
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.support import PATIENCE_SECONDS
from wsgateway.run.control import _HEAD, Control

MOST_BYTES = 64 * 1024 * 1024
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    yield ends
    for each in ends:
        each.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


async def say(control: Control, *messages: tuple[dict[str, str], list[socket.socket]]) -> None:
    for message in messages:
        await control.send(*message)


async def test_messages_arrive_whole_and_in_order(pair: Pair) -> None:
    one, other = map(Control, pair)
    long = {"do": "serve", "text": "\u00e4" * 1_000_000}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(say, one, (long, []), ({"do": "report"}, []))
        assert await other.receive() == (long, [], b"")
        assert await other.receive() == ({"do": "report"}, [], b"")
    one.close()
    other.close()


async def test_a_message_whose_sender_is_cancelled_does_not_damage_the_next_one(pair: Pair) -> None:
    one, other = map(Control, pair)
    long = {"do": "part", "text": "a" * 5_000_000}
    async with trio.open_nursery() as nursery:
        for _ in range(2):  # the second one waits for its turn, and nothing of it is sent
            nursery.start_soon(one.send, long)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, {"do": "cancelled again"})
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.send, {"do": "report"})
            assert await other.receive() == (long, [], b"")
            assert await other.receive() == ({"do": "report"}, [], b"")
    one.close()
    other.close()


async def test_a_message_whose_sender_is_cancelled_before_its_first_byte_is_not_sent(pair: Pair) -> None:
    one, other = map(Control, pair)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += pair[0].send(_HEAD.pack(2, 0) + b"{}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, {"do": "cancelled"})
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.fail_after(PATIENCE_SECONDS):
        for _ in range(filled // 10):
            assert await other.receive() == ({}, [], b"")
        await one.send({"do": "report"})
        assert await other.receive() == ({"do": "report"}, [], b"")
    one.close()
    other.close()


async def test_a_message_with_sockets_whose_sender_is_cancelled_ends_the_connection(
    pair: Pair, listener: socket.socket
) -> None:
    one, other = map(Control, pair)
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    filled = 0
    with suppress(BlockingIOError):
        while True:  # until there is no room but for the first byte
            filled += pair[0].send(_HEAD.pack(2, 0) + b"{}")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.send, {"do": "serve"}, [listener] * 100_000)
        await wait_all_tasks_blocked()
        for _ in range(filled // 10):
            assert await other.receive() == ({}, [], b"")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.fail_after(PATIENCE_SECONDS):
        assert await other.receive() is None
    one.close()
    other.close()


@pytest.mark.parametrize("count", [1, 199, 200, 201, 450])
async def test_sockets_travel_with_their_message(pair: Pair, listener: socket.socket, count: int) -> None:
    one, other = map(Control, pair)
    gc.collect()  # sockets of the test before
    before = len(os.listdir("/proc/self/fd"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(say, one, ({"do": "serve"}, [listener] * count), ({"do": "reload"}, [listener]))
        first = await other.receive()
        second = await other.receive()
    assert first is not None
    assert second is not None
    assert (first.said, len(first.sockets)) == ({"do": "serve"}, count)
    assert (second.said, len(second.sockets)) == ({"do": "reload"}, 1)
    for sock in first.sockets + second.sockets:
        assert sock.getsockname() == listener.getsockname()
        assert not sock.get_inheritable()
        sock.close()
    assert len(os.listdir("/proc/self/fd")) == before
    one.close()
    other.close()


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
async def test_bytes_travel_behind_their_message(pair: Pair, listener: socket.socket, size: int) -> None:
    one, other = map(Control, pair)
    data = bytes(range(256)) * (size // 256 + 1)

    async def send() -> None:
        await one.send({"do": "serve"}, [listener], data)
        await one.send({"do": "report"})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        first = await other.receive()
        assert first is not None
        assert (first.said["do"], len(first.sockets), first.attached) == ("serve", 1, data)
        first.sockets[0].close()
        assert await other.receive() == ({"do": "report"}, [], b"")
    one.close()
    other.close()


async def test_a_message_without_its_sockets_does_not_damage_the_next_one(pair: Pair, listener: socket.socket) -> None:
    # As the kernel does it for a process without room for descriptors: the message says two, and one has come.
    one, other = map(Control, pair)
    head = struct.pack("!II", len(b'{"attached": 4}'), 2)
    train = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))]
    pair[0].sendmsg([head + b'{"attached": 4}' + b"more"], train)
    await one.send({"do": "report"})
    with pytest.raises(OSError, match="1 of 2 sockets have come"):
        await other.receive()
    assert await other.receive() == ({"do": "report"}, [], b"")
    one.close()
    other.close()


async def test_a_message_of_the_greatest_size_arrives(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgateway.run.control.MOST_BYTES", 1000)
    one, other = map(Control, pair)
    said = {"text": "x" * (1000 - len('{"text": "", "attached": 1000}'))}
    await one.send(said, attached=bytes(1000))
    assert await other.receive() == (said | {"attached": 1000}, [], bytes(1000))
    one.close()
    other.close()


async def test_more_bytes_than_are_allowed_end_the_connection(pair: Pair) -> None:
    other = Control(pair[1])
    body = f'{{"attached": {MOST_BYTES + 1}}}'.encode()
    pair[0].sendall(struct.pack("!II", len(body), 0) + body)
    assert await other.receive() is None
    other.close()


async def test_the_end_of_the_other_process_is_noticed(pair: Pair) -> None:
    one, other = map(Control, pair)
    await one.send({"is": "up"})
    one.close()
    assert await other.receive() == ({"is": "up"}, [], b"")
    assert await other.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        await other.send({"do": "drain"})
    other.close()


async def test_a_length_that_is_too_large_ends_the_connection(pair: Pair) -> None:
    other = Control(pair[1])
    pair[0].sendall((MOST_BYTES + 1).to_bytes(4) + bytes(4))
    assert await other.receive() is None
    other.close()
