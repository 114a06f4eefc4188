"""Listener addresses, and clients that are accepted or cannot be."""

import socket
from pathlib import Path

import pytest
import trio
from trio.abc import Instrument
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream, configuration, dead_port, serving_text
from wsgateway.errors import SettingsError
from wsgateway.relay import ends
from wsgateway.run.listening import Listening
from wsgateway.serve.bind import listen
from wsgateway.serve.listeners import (
    ACCEPTS_PER_TURN,
    AHEAD_PAUSE_SECONDS,
    ENDING_ACCEPTS_PER_TURN,
    FULL_PAUSE_SECONDS,
    MOST_AHEAD_PAUSES,
    SHARED_ACCEPTS_PER_TURN,
)
from wsgateway.serve.scoreboard import TOLERATED, Scoreboard
from wsgateway.settings.basics import Address
from wsgateway.settings.load import parse

MODERN = BY_DIALECT["rfc6455"]
HAS_IPV6 = Path("/proc/net/if_inet6").exists()


def closed(socks: list[socket.socket]) -> list[tuple[str, int]]:
    """Return the addresses at which the sockets listened."""
    names = [sock.getsockname()[:2] for sock in socks]
    for sock in socks:
        sock.close()
    return names


def test_an_address_of_a_port_0_gets_one_from_the_system() -> None:
    [(host, port)] = closed(listen(Address("127.0.0.1", 0)))
    assert host == "127.0.0.1"
    assert port > 0


def test_ipv6_and_ipv4_may_have_the_same_port() -> None:
    if not HAS_IPV6:  # as in many containers: then it is an address on which nothing can listen
        with pytest.raises(SettingsError, match="cannot listen"):
            listen(Address("::1", 0))
        return
    with dead_port() as port:
        both = [*listen(Address("::1", port)), *listen(Address("127.0.0.1", port))]
        assert closed(both) == [("::1", port), ("127.0.0.1", port)]


def test_a_listener_does_not_block_and_can_be_listened_on_again_at_once() -> None:
    [sock] = listen(Address("127.0.0.1", 0))
    port = sock.getsockname()[1]
    assert not sock.getblocking()
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = sock.accept()
    # The side that closes first keeps its address in TIME_WAIT, as a restarted gateway does.
    accepted.close()
    client.close()
    sock.close()
    assert closed(listen(Address("127.0.0.1", port))) == [("127.0.0.1", port)]


def test_an_address_in_use_is_a_problem_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            listen(Address("127.0.0.1", port))
    assert str(caught.value) == f"127.0.0.1:{port}: cannot listen: Address already in use"


def test_an_address_of_another_machine_is_a_problem_that_names_it() -> None:
    # RFC 5737: no host has it.
    with pytest.raises(SettingsError) as caught:
        listen(Address("192.0.2.1", 0))
    assert str(caught.value) == "192.0.2.1:0: cannot listen: Cannot assign requested address"


def test_a_name_that_does_not_exist_is_a_problem_that_names_it() -> None:
    with pytest.raises(SettingsError) as caught:
        listen(Address("wsgateway.invalid", 80))
    assert str(caught.value).startswith("wsgateway.invalid:80: cannot listen: ")


def test_if_one_address_cannot_be_listened_on_none_is() -> None:
    with dead_port() as free, socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        text = configuration(9).replace('"127.0.0.1:0"', f'"127.0.0.1:{free}", "127.0.0.1:{taken}"')
        with pytest.raises(SettingsError, match=f"^127.0.0.1:{taken}: "):
            Listening({}).fitted(parse(text, "test.yaml"))
        # An open socket would be a ResourceWarning, and so an error here.
        assert closed(listen(Address("127.0.0.1", free))) == [("127.0.0.1", free)]


def queued(name: tuple[str, int]) -> Peer:
    """Return a client that the kernel has answered, and that has not been accepted yet."""
    sock = socket.create_connection(name)
    sock.setblocking(False)
    return Peer(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))


async def test_a_listener_serves_all_its_addresses_and_counts_their_clients_together() -> None:
    async with Upstream() as upstream:
        text = configuration(upstream.port, listener="max_connections: 2")
        text = text.replace('"127.0.0.1:0"', '"127.0.0.1:0", "127.0.0.1:0"')
        async with serving_text(text) as gateway:
            assert len(set(gateway.ports)) == 2
            for port in gateway.ports:
                client = await gateway.connect(MODERN.request, port=port)
                await upstream.agree()
                assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            for port in gateway.ports:
                client = await gateway.connect(port=port)
                assert (await client.head()).startswith(b"HTTP/1.1 503 ")


async def test_each_listener_counts_for_itself() -> None:
    async with Upstream() as upstream:
        text = configuration(upstream.port, listener="max_connections: 1")
        text = text.replace("defaults:", '  - {bind: ["127.0.0.1:0"], max_connections: 1}\ndefaults:')
        async with serving_text(text) as gateway:
            for port in gateway.ports:
                client = await gateway.connect(MODERN.request, port=port)
                await upstream.agree()
                assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            client = await gateway.connect(port=gateway.ports[1])
            assert (await client.head()).startswith(b"HTTP/1.1 503 ")
            assert (await gateway.lines.line("refused"))["why"] == "listener-2 has its limit of 1 connections"


async def test_a_client_that_disconnects_before_it_is_accepted_costs_nothing() -> None:
    async with Upstream() as upstream, serving_text(configuration(upstream.port)) as gateway:
        # No client is accepted between these lines.
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client = await gateway.connect(MODERN.request)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_client_whose_socket_is_of_no_use_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Upstream() as upstream, serving_text(configuration(upstream.port)) as gateway:
        session = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await session.head()
        gateway.reload(configuration(upstream.port))  # clients that wait now are given their options one by one
        with monkeypatch.context() as broken:
            broken.setattr(socket, "TCP_NODELAY", 9999)  # an option that no kernel has
            assert await (await gateway.connect()).rest() == b""
            line = await gateway.lines.line("cannot serve", client=session.name.partition(":")[0])
            assert line["why"] == "Protocol not available"
        await behind.send(b"\x81\x05Hello")
        assert await session.exactly(7) == b"\x81\x05Hello"


async def test_a_worker_at_its_limit_waits_a_moment_so_that_others_accept(mock_clock: MockClock) -> None:
    async with Upstream() as upstream:
        text = configuration(upstream.port, listener="max_connections: 1") + "workers: 2\n"
        async with serving_text(text) as gateway:
            [[listening]] = gateway.listening.shared().values()
            name = ("127.0.0.1", gateway.port)
            # No client is accepted between these lines. Then it accepts one, as many as it may have, and no more.
            first, taken, refused = (queued(name) for _ in range(3))
            await first.send(MODERN.request)
            await upstream.agree()
            assert (await first.head()).startswith(b"HTTP/1.1 101 ")
            await wait_all_tasks_blocked()
            with listening.accept()[0] as accepted:  # as another worker does
                assert accepted.getpeername() == taken.stream.socket.getsockname()
            await refused.send(MODERN.request)
            await wait_all_tasks_blocked()
            assert gateway.service.status()["refused"] == {}
            mock_clock.jump(FULL_PAUSE_SECONDS)
            assert (await refused.head()).startswith(b"HTTP/1.1 503 ")
            for client in (first, taken, refused):
                await client.close()


async def session_behind(upstream: Upstream, client: Peer) -> None:
    """Open the session of a client that has connected, as soon as it is accepted."""
    await client.send(MODERN.request)
    await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_worker_with_more_connections_leaves_clients_to_another_one_for_a_moment(mock_clock: MockClock) -> None:
    memory = Scoreboard()
    memory.close()
    memory.add(2)
    other = memory.entry(2)
    async with Upstream() as upstream:
        text = configuration(upstream.port) + "workers: 2\n"
        async with serving_text(text, memory.entry(1)) as gateway:
            [[listening]] = gateway.listening.shared().values()
            name = ("127.0.0.1", gateway.port)
            for _ in range(TOLERATED + 1):  # the other one does not accept clients yet
                await session_behind(upstream, await gateway.connect())
            other.begin()
            # It accepts none of its own accord, but the other one can.
            taken, waits = queued(name), queued(name)
            await wait_all_tasks_blocked()
            with listening.accept()[0] as accepted:
                assert accepted.getpeername() == taken.stream.socket.getsockname()
                # When the other one has as many, it does not wait for the rest of the time.
                other.add(1)
                mock_clock.jump(AHEAD_PAUSE_SECONDS)
                await session_behind(upstream, waits)
            # The other one does not accept: a client waits for so long, and no longer.
            late = queued(name)
            await late.send(MODERN.request)
            for _ in range(MOST_AHEAD_PAUSES):
                await wait_all_tasks_blocked()
                assert gateway.service.status()["connections"]["public"]["open"] == TOLERATED + 2
                mock_clock.jump(AHEAD_PAUSE_SECONDS)
            await session_behind(upstream, late)
            for client in (taken, waits, late):
                await client.close()


class Accepted(Instrument):
    """The numbers of clients that are accepted at once: in one step of a task."""

    def __init__(self, gateway: Running) -> None:
        self.gateway = gateway
        self.numbers: list[int] = []

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        now = self.gateway.service.status()["connections"]["public"]["open"]
        if now > sum(self.numbers):
            self.numbers.append(now - sum(self.numbers))


async def accepted_at_once(gateway: Running, count: int) -> list[int]:
    """Return how many of so many waiting clients are accepted, each time that some are."""
    accepted = Accepted(gateway)
    clients = [queued(("127.0.0.1", gateway.port)) for _ in range(count)]
    trio.lowlevel.add_instrument(accepted)
    while sum(accepted.numbers) < count:
        await trio.lowlevel.checkpoint()
    trio.lowlevel.remove_instrument(accepted)
    for client in clients:
        await client.close()
    return accepted.numbers


@pytest.mark.parametrize(
    ("workers", "expected"), [(1, [10]), (2, [SHARED_ACCEPTS_PER_TURN, SHARED_ACCEPTS_PER_TURN, 2])]
)
async def test_a_worker_accepts_a_few_clients_at_once_if_there_are_others(workers: int, expected: list[int]) -> None:
    async with serving_text(configuration(9) + f"workers: {workers}\n") as gateway:
        assert await accepted_at_once(gateway, 10) == expected


async def test_a_worker_that_stops_accepts_as_many_as_if_there_were_no_others() -> None:
    async with serving_text(configuration(9) + "workers: 2\n") as gateway:
        gateway.service.drain()
        found = await accepted_at_once(gateway, 2 * ACCEPTS_PER_TURN)
        assert found == [ACCEPTS_PER_TURN, ACCEPTS_PER_TURN]


async def test_fewer_clients_are_accepted_at_once_while_a_session_that_has_ended_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fewer = ENDING_ACCEPTS_PER_TURN
    assert fewer < ends.MOST_ENDS
    monkeypatch.setattr(ends, "MOST_ENDS", 0)  # its end waits for its turn
    async with Upstream() as upstream, serving_text(configuration(upstream.port)) as gateway:
        client = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()
        client.reset()
        await behind.close()
        while not gateway.service._gateway.engine.ends.untold:
            await trio.lowlevel.checkpoint()
        found = await accepted_at_once(gateway, 1 + 2 * fewer)
        assert found[:3] == [1, fewer, fewer]  # the first is the session
        monkeypatch.setattr(ends, "MOST_ENDS", 1)
        await gateway.lines.line("session")
