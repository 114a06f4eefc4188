"""A channel over one socket: received bytes, ends, and deadlines that hold in all cases."""

import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
import trio
import trio.testing

from wsgateway.net.channel import Channel


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


async def test_bytes_are_received_as_they_come(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.send(b"hello")
    assert await Channel(ours).receive(3) == b"hel"
    assert await Channel(ours).receive(3) == b"lo"
    theirs.close()
    assert await Channel(ours).receive(3) == b""


async def test_all_bytes_are_sent_however_slowly_they_are_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    data = bytes(range(256)) * 8192
    received = bytearray()

    def read() -> None:
        while len(received) < len(data):
            received.extend(theirs.recv(65536))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, read)
        await Channel(ours).send(data)
    assert received == data


@pytest.mark.parametrize(
    "act",
    [lambda channel: channel.receive(1), lambda channel: channel.send(b"x"), lambda channel: channel.linger()],
    ids=["receive", "send", "linger"],
)
async def test_a_deadline_holds_even_if_no_call_has_to_wait(
    act: Callable[[Channel], Awaitable[object]], pair: tuple[socket.socket, socket.socket]
) -> None:
    # A peer that always sends, or always reads, would block the loop, and so all other connections.
    ours, theirs = pair
    theirs.send(b"more than is asked for")
    with trio.CancelScope() as scope:
        scope.cancel()
        await act(Channel(ours))
    assert scope.cancelled_caught


async def test_linger_returns_at_once_for_a_lost_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.close()
    await Channel(ours).linger()
    ours.close()
    await Channel(ours).linger()


async def test_linger_drops_bytes_until_the_other_end_closes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.send(b"too late")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Channel(ours).linger)
        await trio.testing.wait_all_tasks_blocked()
        assert theirs.recv(100) == b""
        theirs.close()
    assert ours.recv(100) == b""
