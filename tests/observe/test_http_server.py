"""The small HTTP server of the admin pages and the demo: how it handles connections."""

import socket
from collections.abc import Awaitable, Callable

import h11
import pytest
import trio

from tests.peers import Peer
from tests.support import Lines
from wsgateway.errors import HttpRefusal
from wsgateway.observe.http_server import REQUEST_SECONDS, HttpConnection, Reply, Stream, accept
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import Address

LOOPBACK = Address("127.0.0.1", 0)


async def test_a_drain_does_not_wait_for_a_head_that_does_not_come(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"GET / HTT")
        with pytest.raises(HttpRefusal, match="no whole request") as caught:
            await HttpConnection(ours).request()
    assert caught.value.status == 408
    assert trio.current_time() == pytest.approx(REQUEST_SECONDS, abs=1)


async def test_a_client_that_disconnects_has_no_request() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            theirs.send(b"GET / HTT")
        assert await HttpConnection(ours).request() is None


@pytest.mark.parametrize("pieces", [[b"the last", b" bytes"], []])
async def test_the_end_of_a_stream_is_not_that_of_a_lost_connection(pieces: list[bytes]) -> None:
    async def source(send: Callable[[bytes], Awaitable[None]]) -> None:
        for piece in pieces:
            await send(piece)

    async def serve(sock: socket.socket) -> None:
        with sock:
            connection = HttpConnection(sock)
            assert await connection.request() is not None
            await connection.stream(Stream(source, "text/event-stream"))

    ours, theirs = socket.socketpair()
    peer = Peer(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
    client = h11.Connection(h11.CLIENT)
    request = client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    ours.setblocking(False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, ours)
        await peer.send(request or b"")
        client.receive_data(await peer.rest())
        await peer.close()
    client.receive_data(b"")
    assert isinstance(client.next_event(), h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert (body, type(event)) == (b"".join(pieces), h11.EndOfMessage)


async def test_clients_beyond_the_bound_wait_until_there_is_a_place() -> None:
    served = 0
    at_once = []

    async def serve(sock: socket.socket) -> None:
        nonlocal served
        served += 1
        at_once.append(served)
        client = HttpConnection(sock)
        await client.request()
        await client.reply(Reply(b"hello"))
        served -= 1

    (listener,) = listen(LOOPBACK)
    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, listener, serve, trio.Semaphore(2), nursery, Lines().log())
            streams = [await trio.open_tcp_stream(*listener.getsockname()) for _ in range(5)]
            for stream in streams:
                async with stream:
                    await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert b"".join([data async for data in stream]).endswith(b"hello")
            nursery.cancel_scope.cancel()
    assert len(at_once) == 5
    assert max(at_once) == 2


async def test_a_bug_is_logged_and_costs_no_other_client() -> None:
    async def serve(sock: socket.socket) -> None:
        raise ZeroDivisionError("a bug")

    lines = Lines()
    (listener,) = listen(LOOPBACK)
    with listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept, listener, serve, trio.Semaphore(1), nursery, lines.log())
            for _ in range(2):
                async with await trio.open_tcp_stream(*listener.getsockname()) as stream:
                    assert await stream.receive_some() == b""
            nursery.cancel_scope.cancel()
    assert ["ZeroDivisionError: a bug" in line["exception"] for line in lines.every("bug")] == [True, True]
