"""What processes of a gateway say to each other, over a real pair of sockets."""

import os
import socket
from collections.abc import Iterator

import pytest
import trio

from wsgateway.run.control import MOST_BYTES, Control

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
        assert await other.receive() == (long, [])
        assert await other.receive() == ({"do": "report"}, [])
    one.close()
    other.close()


@pytest.mark.parametrize("count", [1, 199, 200, 201, 450])
async def test_sockets_travel_with_their_message(pair: Pair, listener: socket.socket, count: int) -> None:
    one, other = map(Control, pair)
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


async def test_the_end_of_the_other_is_told(pair: Pair) -> None:
    one, other = map(Control, pair)
    await one.send({"is": "up"})
    one.close()
    assert await other.receive() == ({"is": "up"}, [])
    assert await other.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        await other.send({"do": "drain"})
    other.close()


async def test_a_length_beyond_all_reason_ends_the_talk(pair: Pair) -> None:
    other = Control(pair[1])
    pair[0].sendall((MOST_BYTES + 1).to_bytes(4) + bytes(4))
    assert await other.receive() is None
    other.close()
