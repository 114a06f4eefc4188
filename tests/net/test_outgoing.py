"""The bytes that the other end's kernel has acknowledged, over TCP and over TLS."""

import socket
from collections.abc import Callable, Iterator

import pytest
import trio

from tests.net.certificates import Authority
from tests.net.ends import fill
from wsgateway.net.channel import Channel, encrypt
from wsgateway.net.outgoing import Outgoing, outgoing, waiting

PATIENCE_SECONDS = 30.0
MIB = 1024 * 1024


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as listener:
        ours = socket.create_connection(listener.getsockname()[:2])
        theirs, _ = listener.accept()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def told(sock: socket.socket) -> Outgoing:
    found = outgoing(sock)
    assert found is not None
    return found


async def until(true: Callable[[], bool]) -> None:
    """Wait for the kernel, which does not follow the test's clock."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not true():
            await trio.lowlevel.checkpoint()


def drain(sock: socket.socket, most: int) -> int:
    try:
        return len(sock.recv(most))
    except BlockingIOError:
        return 0


async def test_bytes_that_the_other_kernel_has_taken_count_though_nobody_reads(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, _ = pair
    found = told(ours)
    before, queued = found.progress()
    assert not queued
    assert found.sent_total() == before
    ours.send(b"hello")
    assert found.sent_total() == before + 5
    await until(lambda: found.progress() == (before + 5, False))


async def test_bytes_that_it_has_not_taken_are_queued_until_somebody_reads(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    found = told(ours)
    before, _ = found.progress()
    size = fill(ours)
    # Some kernels count one byte more in TIOCOUTQ while all that was sent is queued.
    assert found.sent_total() - before in (size, size + 1)
    taken, queued = found.progress()
    assert queued
    assert taken - before < size
    read = 0
    while read < size:
        read += drain(theirs, 65536)
        await trio.lowlevel.checkpoint()
        now, _ = found.progress()
        assert now >= taken
        taken = now
    await until(lambda: found.progress() == (before + size, False))


async def test_the_count_grows_long_before_our_socket_is_writable_again(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    found = told(ours)
    fill(ours)
    before, _ = found.progress()
    read = 0
    with trio.fail_after(PATIENCE_SECONDS):
        while read < MIB // 2:
            read += drain(theirs, 4096)
            await trio.lowlevel.checkpoint()
    assert found.progress()[0] > before


async def test_received_bytes_that_wait_to_be_read_are_counted(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    assert waiting(theirs) == 0
    ours.send(b"hello")
    await until(lambda: waiting(theirs) == 5)


def test_a_unix_socket_has_no_progress() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert outgoing(ours) is None


async def test_tls_is_counted_as_it_is_on_the_wire(
    authority: Authority, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    server = trio.SSLStream(
        trio.SocketStream(trio.socket.from_stdlib_socket(theirs)), authority.server, server_side=True
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.do_handshake)
        sock = await encrypt(ours, authority.client(), "localhost")
    with sock:
        found = told(sock)
        await until(lambda: not found.progress()[1])
        before = found.progress()[0]
        await Channel(sock).send(b"hello")
        await until(lambda: found.progress()[0] > before + 5 and not found.progress()[1])


# -- sending to who is slow ----------------------------------------------------------------------------------------


class Told:
    """The figures of a kernel, set by the test."""

    taken = 0

    def progress(self) -> tuple[int, bool]:
        return self.taken, True

    def sent_total(self) -> int:
        raise AssertionError("nobody asks")


async def test_the_progress_of_a_slow_reader_is_seen_though_our_socket_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    ours, theirs = socket.socketpair()
    told, moves = Told(), 0
    monkeypatch.setattr("wsgateway.net.channel.outgoing", lambda sock: told)

    def moved() -> None:
        nonlocal moves
        moves += 1

    with ours, theirs:
        ours.setblocking(False)
        fill(ours)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Channel(ours).send_steadily, b"last", moved)
            await trio.sleep(10)
            assert moves == 0
            for number in range(1, 5):
                told.taken += 1
                await trio.sleep(10)
                assert moves == number
            theirs.settimeout(0)
            theirs.recv(65536)
            await trio.sleep(10)
            assert moves >= 5
            nursery.cancel_scope.cancel()
