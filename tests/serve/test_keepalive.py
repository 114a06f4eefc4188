"""TCP keepalive of sessions: that of the listener, which its connections inherit, or of the route, if that differs."""

import socket

import pytest
import trio

from tests.net.test_options import kept
from tests.openings import BY_DIALECT, Session, opened
from tests.peers import Peer
from tests.support import Running, Upstream, configuration, serving

MODERN = BY_DIALECT["rfc6455"]
FROM_DEFAULTS = (1, 30, 10, 3)
"""`keepalive.interval` and `timeouts.send` are 30 s"""


def sides(gateway: Running) -> tuple[socket.socket, socket.socket]:
    """Return the gateway's own sockets of its only session."""
    [client] = gateway.service._gateway.engine.clients()
    return client.sock, client.peer.sock


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sockets of which options have been set since, by their number, and the options."""
    seen: list[tuple[int, int]] = []

    class Recorded(socket.socket):
        def setsockopt(self, level: int, option: int, value: object) -> None:  # type: ignore[override]
            seen.append((self.fileno(), option))
            super().setsockopt(level, option, value)  # type: ignore[call-overload]

    monkeypatch.setattr(socket, "socket", Recorded)
    return seen


async def test_both_sides_of_a_session_have_a_keepalive_and_no_delay() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        session = await opened(upstream, gateway, MODERN)
        for sock in sides(gateway):
            assert kept(sock) == FROM_DEFAULTS
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await session.client.close()


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("keepalive: {interval: 7s}", (1, 7, 10, 3)),
        ("timeouts: {send: 1m}", (1, 30, 10, 6)),
        ("keepalive: {interval: none}", (0,)),
    ],
)
async def test_a_route_has_its_own(route: str, expected: tuple[int, ...]) -> None:
    async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
        session = await opened(upstream, gateway, MODERN)
        for sock in sides(gateway):
            assert kept(sock)[: len(expected)] == expected
        await session.client.close()


async def test_a_reload_changes_that_of_new_connections_and_of_those_that_wait_already() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        # The kernel has accepted it, and the gateway has not: it does nothing between these lines.
        sock = socket.create_connection(("127.0.0.1", gateway.port))
        gateway.reload(configuration(upstream.port).replace("defaults:\n", "defaults:\n  keepalive: {interval: 50s}\n"))
        sock.setblocking(False)
        waiting = Peer(trio.SocketStream(trio.socket.from_stdlib_socket(sock)))
        await waiting.send(MODERN.request)
        behind, _ = await upstream.agree()
        await MODERN.accepted(waiting)
        assert [kept(sock) for sock in sides(gateway)] == [(1, 50, 10, 3)] * 2
        await waiting.close()
        await behind.close()
        await gateway.lines.line("session")
        session = await opened(upstream, gateway, MODERN)
        assert [kept(sock) for sock in sides(gateway)] == [(1, 50, 10, 3)] * 2
        await session.client.close()


async def test_a_client_costs_no_call_for_what_it_inherits(calls: list[tuple[int, int]]) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        first: Session = await opened(upstream, gateway, MODERN)
        await first.client.close()
        await first.behind.close()
        await gateway.lines.line("session")
        calls.clear()
        session = await opened(upstream, gateway, MODERN)
        client, behind = sides(gateway)
        of_client = [option for fd, option in calls if fd == client.fileno()]
        assert of_client == []
        assert {option for fd, option in calls if fd == behind.fileno()} >= {socket.TCP_KEEPIDLE}
        await session.client.close()
