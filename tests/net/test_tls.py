"""A channel over TLS: the handshake as a client, what must be waited for, and how it ends."""

import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.net.ends import fill
from wsgateway.net.channel import Channel, encrypt

from .certificates import Authority

PATIENCE_SECONDS = 30.0
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def server_of(authority: Authority, sock: socket.socket) -> trio.SSLStream[trio.SocketStream]:
    """Run the server's end by another TLS implementation, which sends a close_notify and expects one."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
    return trio.SSLStream(stream, authority.server, server_side=True)


@asynccontextmanager
async def encrypted(
    authority: Authority, pair: Pair
) -> AsyncIterator[tuple[Channel, trio.SSLStream[trio.SocketStream]]]:
    """Return both ends of a connection after their handshake."""
    ours, theirs = pair
    server = server_of(authority, theirs)
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            sock = await encrypt(ours, authority.client(), "localhost")
        with sock:
            yield Channel(sock), server


async def test_bytes_pass_both_ways(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server):
        await channel.send(b"hello")
        assert await server.receive_some() == b"hello"
        await server.send_all(b"hello yourself")
        assert await channel.receive(5) == b"hello"
        # The rest has been read and decrypted, so the socket has no more bytes.
        assert await channel.receive(100) == b" yourself"


async def test_receive_waits_for_bytes(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server):
        heard: list[bytes] = []

        async def hear() -> None:
            heard.append(await channel.receive(100))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await trio.testing.wait_all_tasks_blocked()
            assert heard == []
            await server.send_all(b"late")
        assert heard == [b"late"]


async def test_all_bytes_are_sent_however_slowly_they_are_read(authority: Authority, pair: Pair) -> None:
    data = bytes(range(256)) * 8192
    async with encrypted(authority, pair) as (channel, server), trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, data)
        await trio.testing.wait_all_tasks_blocked()
        received = bytearray()
        while len(received) < len(data):
            received += await server.receive_some()
        assert received == data


# -- the handshake -----------------------------------------------------------------------------------------------


async def test_a_handshake_waits_until_it_can_write(authority: Authority, pair: Pair) -> None:
    ours, theirs = pair
    before = fill(ours)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                await trio.testing.wait_all_tasks_blocked()
                left = before
                while left:
                    left -= len(await stream.receive_some(left))
                await trio.SSLStream(stream, authority.server, server_side=True).do_handshake()

            nursery.start_soon(serve)
            with await encrypt(ours, authority.client(), "localhost") as sock:
                assert sock.version() is not None


@pytest.mark.parametrize(
    ("name", "trusting", "said"),
    [
        ("localhost", False, "unable to get local issuer certificate"),
        ("elsewhere.example", True, "Hostname mismatch, certificate is not valid for 'elsewhere.example'."),
        ("127.0.0.1", True, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
    ids=["unknown authority", "other name", "address"],
)
async def test_an_untrusted_server_is_an_error_and_the_connection_is_closed(
    authority: Authority, pair: Pair, name: str, trusting: bool, said: str
) -> None:
    ours, theirs = pair
    context = authority.client() if trusting else ssl.create_default_context()
    server = server_of(authority, theirs)

    async def serve() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with pytest.raises(ssl.SSLCertVerificationError) as caught:
                await encrypt(ours, context, name)
    assert caught.value.verify_message == said


async def test_a_cancelled_handshake_closes_the_socket(authority: Authority, pair: Pair) -> None:
    ours, theirs = pair
    async with trio.open_nursery() as nursery:
        nursery.start_soon(encrypt, ours, authority.client(), "localhost")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    while theirs.recv(65536):
        continue
    assert ours.fileno() == -1


async def test_a_server_that_speaks_no_tls_is_an_error(authority: Authority, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        await encrypt(ours, authority.client(), "localhost")


# -- what a socket may ask for in the middle ---------------------------------------------------------------------


class Renegotiating(socket.socket):
    """A socket that first wants the opposite direction, as TLS 1.2 does for new keys, which Python cannot trigger."""

    wanted = 0

    def recv(self, *arguments: int) -> bytes:
        self._want(ssl.SSLWantWriteError())
        return super().recv(*arguments)

    def send(self, *arguments: bytes) -> int:  # type: ignore[override]
        self._want(ssl.SSLWantReadError())
        return super().send(*arguments)

    def _want(self, error: ssl.SSLError) -> None:
        self.wanted += 1
        if self.wanted == 1:
            raise error


async def test_a_receive_may_have_to_write_and_a_send_to_read(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"hello")
    for act in (lambda channel: channel.send(b"x"), lambda channel: channel.receive(100)):
        with Renegotiating(fileno=socket.dup(ours.fileno())) as sock, trio.fail_after(PATIENCE_SECONDS):
            await act(Channel(sock))
            assert sock.wanted == 2
    assert theirs.recv(100) == b"x"


async def test_two_tasks_may_wait_for_the_same_direction_of_one_socket(pair: Pair) -> None:
    ours, theirs = pair
    with Renegotiating(fileno=socket.dup(ours.fileno())) as sock, trio.fail_after(PATIENCE_SECONDS):
        channel = Channel(sock)
        async with trio.open_nursery() as nursery:
            sock.wanted = 1
            nursery.start_soon(channel.receive, 100)
            await trio.testing.wait_all_tasks_blocked()
            sock.wanted = 0
            await channel.send(b"x")  # it wants to read, as the receiving task does
            theirs.send(b"hello")
        assert theirs.recv(100) == b"x"
        filled = fill(sock)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.send, b"y")
            await trio.testing.wait_all_tasks_blocked()
            theirs.send(b"hello")
            sock.wanted = 0
            assert await channel.receive(100) == b"hello"  # it wants to write, as the sending task does
            while filled > 0:
                filled -= len(theirs.recv(1 << 20))


# -- the end -----------------------------------------------------------------------------------------------------


async def test_the_peers_close_notify_is_the_end_of_the_stream(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server), trio.open_nursery() as nursery:
        await server.send_all(b"bye")
        nursery.start_soon(server.unwrap)
        assert await channel.receive(100) == b"bye"
        assert await channel.receive(100) == b""
        # The other side's end needs ours.
        channel.end()


async def test_a_disconnect_without_close_notify_is_the_end_of_the_stream_too(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server):
        await server.transport_stream.aclose()
        assert await channel.receive(100) == b""


async def test_our_close_notify_is_sent_before_the_socket_closes(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server):
        channel.end()
        assert await server.receive_some() == b""


async def test_after_our_close_notify_the_peers_is_awaited(authority: Authority, pair: Pair) -> None:
    async with encrypted(authority, pair) as (channel, server):
        channel.end()
        assert await server.receive_some() == b""
        await server.aclose()
        assert await channel.receive(100) == b""


@pytest.mark.parametrize("says", [b"\x00news\xff", b""], ids=["something", "nothing"])
async def test_our_close_notify_may_cross_data_or_the_end_of_the_peer(
    authority: Authority, pair: Pair, says: bytes
) -> None:
    async with encrypted(authority, pair) as (channel, server):
        if says:
            await server.send_all(says)
        else:
            await server.transport_stream.send_eof()
        channel.end()


@pytest.mark.parametrize("polite", [True, False], ids=["polite", "gone"])
async def test_linger_lasts_until_the_peer_closes(authority: Authority, pair: Pair, polite: bool) -> None:
    async with encrypted(authority, pair) as (channel, server), trio.open_nursery() as nursery:
        nursery.start_soon(channel.linger)
        assert await server.receive_some() == b""
        await (server if polite else server.transport_stream).aclose()


async def test_linger_drops_data_until_the_peer_closes(authority: Authority, pair: Pair) -> None:
    # Closing with unread bytes would send a reset, and the last bytes could be lost.
    async with encrypted(authority, pair) as (channel, server), trio.open_nursery() as nursery:
        await channel.send(b"bye")
        await server.send_all(b"news")
        left = trio.Event()

        async def linger() -> None:
            await channel.linger()
            left.set()

        nursery.start_soon(linger)
        await trio.testing.wait_all_tasks_blocked()
        await server.send_all(b"more news")
        await trio.testing.wait_all_tasks_blocked()
        assert not left.is_set()
        assert await server.receive_some() == b"bye"
        await server.transport_stream.aclose()


@pytest.mark.parametrize(
    "act",
    [lambda channel: channel.receive(1), lambda channel: channel.send(b"x")],
    ids=["receive", "send"],
)
async def test_a_deadline_holds_even_if_no_call_has_to_wait(
    act: Callable[[Channel], Awaitable[object]], authority: Authority, pair: Pair
) -> None:
    async with encrypted(authority, pair) as (channel, server):
        await server.send_all(os.urandom(100))
        with trio.CancelScope() as scope:
            scope.cancel()
            await act(channel)
        assert scope.cancelled_caught
