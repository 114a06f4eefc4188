"""A gateway that drains: it accepts nothing new, and closes all sessions properly and in limited time.

With `autojump_clock` the clock jumps when every task waits. Over loopback all that was sent can be read at once, so
they wait for time alone then, and times are exact.
"""

import socket
from contextlib import nullcontext

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.heads import switching, values
from tests.openings import BY_DIALECT, Session, opened
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK, serving_http
from tests.support import Lines, Running, Upstream, configuration, serving
from wsgateway.net.channel import Channel
from wsgateway.observe.log import make_log
from wsgateway.observe.writer import STANDARD_ERROR, Writer
from wsgateway.run.listening import Listening
from wsgateway.run.service import Service
from wsgateway.serve.gateway import REQUEST_GRACE_SECONDS, GatewayState
from wsgateway.serve.in_task import drive
from wsgateway.serve.preamble import Client, ClientDisconnectedError, read_request
from wsgateway.settings.addresses import bind_address
from wsgateway.settings.load import parse
from wsgateway.settings.process import Logging
from wsgateway.wire.request_head import RequestHead

from .gateways import PLAIN

MODERN = BY_DIALECT["rfc6455"]
RESTARTING = (0x88, b"\x03\xf4")
ANSWER = b"\x88\x02\x03\xf4"


async def leaves(session: Session, told: tuple[int, bytes] = RESTARTING) -> float:
    """Wait for the Close to both sides, and answer it. Return when it came."""
    assert await session.client.frame() == told
    when = trio.current_time()
    assert await session.behind.frame() == told
    await session.client.send(session.masked(bytes([told[0], len(told[1])]) + told[1]))
    await session.behind.send(bytes([told[0], len(told[1])]) + told[1])
    await session.ends()
    return when


async def drained(gateway: Running) -> tuple[int, int, int]:
    """Return how many sessions there were when the drain began, and how many were closed and cut at its end."""
    await gateway.stopped.wait()
    [begin], [end] = gateway.lines.every("draining"), gateway.lines.every("drained")
    return begin["sessions"], end["closed"], end["cut"]


def queued(gateway: Running) -> Peer:
    """Return a client that the kernel has connected and the gateway has not accepted yet."""
    sock = socket.create_connection(("127.0.0.1", gateway.port))
    sock.setblocking(False)
    return Peer(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))


# -- one after the other ---------------------------------------------------------------------------------------


async def test_sessions_are_ended_evenly_over_the_spread_the_oldest_first(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 8s, spread: 5s") as gateway:
        sessions = [await opened(upstream, gateway, MODERN) for _ in range(5)]
        begun = trio.current_time()
        gateway.service.drain()
        for number, session in enumerate(sessions):
            if number < 4:
                await sessions[4].works()
            assert await leaves(session) - begun == number
        assert await drained(gateway) == (5, 5, 0)


async def test_many_sessions_are_ended_in_turns(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 8s, spread: 1s") as gateway:
        sessions = [await opened(upstream, gateway, MODERN) for _ in range(40)]
        begun = trio.current_time()
        gateway.service.drain()
        told = [round(await leaves(session) - begun, 6) for session in sessions]
        assert told == sorted(told)
        assert sorted(set(told)) == [round(turn / 10, 6) for turn in range(10)]
        assert {told.count(time) for time in told} <= {3, 4, 5}
        assert await drained(gateway) == (40, 40, 0)


async def test_without_a_spread_all_sessions_are_closed_at_once_with_the_code_of_the_settings(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="spread: none, close_code: 4001") as gateway:
        sessions = [await opened(upstream, gateway, MODERN) for _ in range(5)]
        begun = trio.current_time()
        gateway.service.drain()
        gateway.service.drain()  # which is no other drain
        for session in sessions:
            assert await leaves(session, (0x88, b"\x0f\xa1")) == begun
        assert await drained(gateway) == (5, 5, 0)


async def test_a_session_that_its_client_ends_during_a_drain_counts_as_closed(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 8s, spread: 4s") as gateway:
        first, second = [await opened(upstream, gateway, MODERN) for _ in range(2)]
        gateway.service.drain()
        await leaves(first)
        await second.client.send(second.masked(b"\x88\x02\x03\xe8"))
        assert await second.behind.frame() == (0x88, b"\x03\xe8")
        await second.behind.send(b"\x88\x02\x03\xe8")
        assert await second.client.frame() == (0x88, b"\x03\xe8")
        await second.client.close()
        await second.behind.close()
        assert await drained(gateway) == (2, 2, 0)


async def test_a_large_message_is_sent_to_its_end_before_the_close(autojump_clock: MockClock) -> None:
    payload = b"x" * 300_000
    head = b"\x81\x7f" + len(payload).to_bytes(8, "big")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, MODERN)
        await session.behind.send(head + payload[:1000])
        assert await session.client.exactly(len(head) + 1000) == head + payload[:1000]
        gateway.service.drain()
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.behind.send, payload[1000:])
            assert await session.client.exactly(len(payload) - 1000) == payload[1000:]
        await leaves(session)
        assert await drained(gateway) == (1, 1, 0)


# -- in bounded time -------------------------------------------------------------------------------------------


async def test_a_session_that_does_not_end_is_cut_after_the_drain_and_the_close_timeout(
    autojump_clock: MockClock,
) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, shutdown="drain: 1s", timeouts="close: 3s") as gateway,
    ):
        stays, goes = [await opened(upstream, gateway, MODERN) for _ in range(2)]
        begun = trio.current_time()
        await stays.behind.send(b"\x81\x05Hel")  # it never says the rest
        gateway.service.drain()
        await leaves(goes)
        assert await drained(gateway) == (2, 1, 1)
        assert trio.current_time() - begun == 4.0
        assert await stays.client.rest() == b"\x81\x05Hel"


async def test_a_session_has_the_close_timeout_with_which_it_began(autojump_clock: MockClock) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, shutdown="drain: 1s", timeouts="close: 3s") as gateway,
    ):
        stays = await opened(upstream, gateway, MODERN)
        gateway.reload(configuration(upstream.port, shutdown="drain: 1s", timeouts="close: 1s"))
        begun = trio.current_time()
        await stays.behind.send(b"\x81\x05Hel")  # it never says the rest
        gateway.service.drain()
        assert await drained(gateway) == (1, 0, 1)
        assert trio.current_time() - begun == 4.0


async def test_a_spread_may_be_as_long_as_the_drain(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 2s") as gateway:
        sessions = [await opened(upstream, gateway, MODERN) for _ in range(4)]
        begun = trio.current_time()
        gateway.service.drain()
        assert [await leaves(session) - begun for session in sessions] == [0.0, 0.5, 1.0, 1.5]
        assert await drained(gateway) == (4, 4, 0)


# -- who has no session yet ------------------------------------------------------------------------------------


async def test_a_handshake_that_is_under_way_becomes_a_session_which_is_ended_in_the_spread(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 8s, spread: 4s") as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        request = await behind.head()
        begun = trio.current_time()
        gateway.service.drain()
        await trio.sleep(3.0)
        await behind.send(switching(request))
        session = Session(MODERN, client, behind, await MODERN.accepted(client))
        assert 3.0 <= await leaves(session) - begun <= 4.0
        assert await drained(gateway) == (0, 1, 0)


async def test_a_handshake_that_takes_longer_than_the_spread_is_answered_503_with_retry_after(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving(upstream.port, shutdown="drain: 8s, spread: 4s") as gateway:
        client = await gateway.connect(MODERN.request)
        await (await upstream.accept()).head()
        begun = trio.current_time()
        gateway.service.drain()
        head = await client.head()
        assert trio.current_time() - begun == 4.0
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert values(head, "retry-after") == ["1"]
        await client.close()
        assert await drained(gateway) == (0, 0, 0)
        assert gateway.service.status()["refused"] == {"503": {"gateway-stopping": 1}}


async def test_a_client_that_is_not_accepted_when_a_drain_begins_still_gets_a_session() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await opened(upstream, gateway, MODERN)  # so that it accepts
        client = queued(gateway)
        gateway.service.drain()
        await client.send(MODERN.request)
        behind, _ = await upstream.agree()
        session = Session(MODERN, client, behind, await MODERN.accepted(client))
        await leaves(session)


async def test_the_last_accepted_client_is_waited_for_no_longer_than_others(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 1h") as gateway:
        await trio.testing.wait_all_tasks_blocked()
        silent, asks = queued(gateway), queued(gateway)
        await asks.send(MODERN.request)
        begun = trio.current_time()
        gateway.service.drain()
        behind = await upstream.accept()
        await behind.head()
        assert await silent.rest() == b""
        assert (await asks.head()).startswith(b"HTTP/1.1 503 ")
        assert trio.current_time() - begun == 0.5
        await silent.close()
        await asks.close()
        assert await drained(gateway) == (0, 0, 0)


async def test_a_drain_waits_for_the_request_of_a_new_client_and_not_for_that_of_a_silent_one(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        silent = await gateway.connect()
        half = await gateway.connect(b"GET /")
        await trio.sleep(1.0)
        fresh = await gateway.connect()
        await trio.testing.wait_all_tasks_blocked()
        begun = trio.current_time()
        gateway.service.drain()
        assert await silent.rest() == b""
        head = await half.head()
        assert head.startswith(b"HTTP/1.1 503 ")
        assert values(head, "retry-after") == ["1"]
        assert trio.current_time() == begun
        await fresh.send(HTTP_GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        assert values(await fresh.head(), "connection") == ["close"]
        assert gateway.service.status()["disconnected"] == {"closed-by-drain": 1}


async def test_a_drain_before_the_first_turn_still_serves_a_client_that_has_connected() -> None:
    settings = parse(configuration(9, timeouts="close: 50ms", shutdown="spread: none"), "test.yaml")
    sockets = Listening({}).fitted(settings).shared()
    [[sock]] = sockets.values()
    service = Service(settings, make_log(Logging("error"), Writer(STANDARD_ERROR)), sockets)
    with socket.create_connection(sock.getsockname()) as client:
        client.sendall(PLAIN)
        service.drain()
        assert service.status()["draining"] is True
        await service.run()
        assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert sock.fileno() == -1


@pytest.mark.parametrize("address", ["127.0.0.1:0", "systemd:public"])
async def test_waiting_clients_are_left_to_other_processes_that_accept_at_the_same_socket(address: str) -> None:
    text = configuration(9, timeouts="close: 50ms", shutdown="spread: none").replace("127.0.0.1:0", address)
    settings = parse(text, "test.yaml")
    with socket.create_server(("127.0.0.1", 0)) as others:
        sock = others.dup()
        sock.setblocking(False)
        service = Service(settings, make_log(Logging("error"), Writer(STANDARD_ERROR)), {bind_address(address): [sock]})
        with socket.create_connection(others.getsockname()) as client:
            client.sendall(PLAIN)
            # At sockets of systemd there always are others: whoever is started next.
            service.drain(others_accept=address == "127.0.0.1:0")
            await service.run()
            assert sock.fileno() == -1
            accepted, peer = others.accept()
            with accepted:
                assert peer == client.getsockname()


@pytest.mark.parametrize("asked", [True, False])
async def test_a_busy_process_reads_a_request_that_has_arrived_before_it_disconnects_the_client(asked: bool) -> None:
    settings = parse(configuration(9), "test.yaml")
    gateway = GatewayState(settings, Lines().log())
    gateway.drain(0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        if asked:
            theirs.sendall(MODERN.request)
        long_ago = trio.current_time() - 2 * REQUEST_GRACE_SECONDS
        client = Client(Channel(ours), "127.0.0.1", 1, None, long_ago)
        with nullcontext() if asked else pytest.raises(ClientDisconnectedError, match="when the gateway stopped"):
            reading = read_request(gateway, client, RequestHead(), settings.defaults.timeouts, long_ago)
            request = await drive(gateway, client, reading)
            assert request.target == "/chat"
