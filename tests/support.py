"""The running gateway for tests: in this process, between raw peers whose every byte the test writes and sees.

    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect()
        await client.send(...)
        behind = await upstream.accept()

Nothing is mocked: sockets are real, ports are chosen by the system. Nothing sleeps: a test waits for bytes, or for a
line of the log, and PATIENCE_SECONDS is only for the case that they never come.
"""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trio

from tests.heads import switching
from tests.peers import Peer
from wsgateway.errors import SettingsError
from wsgateway.observe.log import Log, Logger
from wsgateway.run.listening import Listening, shares
from wsgateway.run.service import Service
from wsgateway.serve.scoreboard import ScoreboardEntry
from wsgateway.settings.load import parse

# More than anything here needs on a busy machine with two cores.
PATIENCE_SECONDS = 30.0


def end_of(line: dict[str, Any]) -> str:
    """Return who has ended a session, and how, by its line in the log."""
    return f"{line['by']}: {line['why']}"


_CONFIGURATION = """\
version: 1
listeners:
  - {{name: public, bind: ["127.0.0.1:0"], {listener}}}
defaults:
  timeouts: {{{timeouts}}}
  limits: {{{limits}}}
shutdown: {{{shutdown}}}
routes:
  - {{name: all, match: {{path: {{prefix: {path}}}}}, upstream: behind, {route}}}
upstreams:
  behind:
    targets: [{{url: "{url}:{upstream}", {target}}}]
    dialect: {dialect}
    {behind}
"""
# What a configuration holds where a test does not say otherwise: what a mapping may have, a path, a dialect.
_USUAL = {
    **dict.fromkeys(("listener", "timeouts", "limits", "route", "target", "behind"), ""),
    "shutdown": "spread: none",
    "path": "/",
    "dialect": "rfc6455",
    "url": "ws://127.0.0.1",
}


def configuration(upstream: int, **options: str) -> str:
    """Return the YAML of a gateway before this port.

    `listener`, `timeouts`, `limits`, `shutdown`, `route` and `target` are what a mapping may hold; `path` is the prefix
    that the route takes, `dialect` is what the upstream speaks, `behind` is one key more of it, and `url` is without
    the port.
    """
    assert options.keys() <= _USUAL.keys(), f"no such option: {options.keys() - _USUAL.keys()}"
    return _CONFIGURATION.format(upstream=upstream, **_USUAL | options)


class Lines:
    """The log of a gateway, line by line."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._news = trio.lowlevel.ParkingLot()

    def log(self) -> Log:
        """Return a log that writes here, whatever the level."""
        return Logger("debug", self._take)

    def _take(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        self.entries.append({"level": level, "event": event, **facts})
        self._news.unpark_all()

    async def line(self, event: str, **facts: object) -> dict[str, Any]:
        """Return the first line of this event that has these facts, as soon as there is one."""
        while True:
            for entry in self.entries:
                if entry["event"] == event and facts.items() <= entry.items():
                    return entry
            await self._news.park()

    async def enough(self, event: str, count: int) -> list[dict[str, Any]]:
        """Return all lines of this event, as soon as there are so many."""
        while len(lines := self.every(event)) < count:
            await self._news.park()
        return lines

    async def nth(self, event: str, number: int) -> dict[str, Any]:
        """Return the line of this event that has this number, from 1, as soon as there is one."""
        while len(self.every(event)) < number:
            await self._news.park()
        return self.every(event)[number - 1]

    def every(self, event: str) -> list[dict[str, Any]]:
        """Return all lines of an event so far."""
        return [entry for entry in self.entries if entry["event"] == event]


class Upstream:
    """A server behind the gateway that says what the test says; over TLS if it is given what that takes.

    A port is for one that comes back where it was before.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self._tls = tls
        self._address = (host, port)
        self._sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._accepted: list[Peer] = []

    async def __aenter__(self) -> Self:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await self._sock.bind(self._address)
        self._sock.listen(4096)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sock.close()
        for peer in self._accepted:
            peer.stream.socket.close()

    @property
    def port(self) -> int:
        port: int = self._sock.getsockname()[1]
        return port

    async def accept(self) -> Peer:
        """Return the next connection."""
        sock, _ = await self._sock.accept()
        stream = trio.SocketStream(sock)
        tls = None if self._tls is None else trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
        self._accepted.append(Peer(stream, tls))
        if tls is not None:
            await tls.do_handshake()
        return self._accepted[-1]

    async def agree(self, *headers: str, behind: bytes = b"") -> tuple[Peer, bytes]:
        """Accept the next WebSocket, and return the head of its request too; send `behind` in the same write."""
        peer = await self.accept()
        request = await peer.head()
        await peer.send(switching(request, *headers) + behind)
        return peer, request

    def stop(self) -> None:
        """Listen no more: clients are refused."""
        self._sock.close()

    def hang_up(self) -> None:
        """Close all connections that were accepted, also such whose handshake failed."""
        for peer in self._accepted:
            peer.stream.socket.close()

    def nobody_came(self) -> bool:
        """Return whether no connection waits that `accept` would give."""
        with socket.socket(fileno=socket.dup(self._sock.fileno())) as sock:
            sock.setblocking(False)
            try:
                sock.accept()[0].close()
            except BlockingIOError:
                return True
        return False


@contextmanager
def dead_port() -> Iterator[int]:
    """Yield a port of 127.0.0.1 that refuses connections. No other program gets it; a server of the test may."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@dataclass
class Running:
    """A gateway that serves."""

    ports: list[int]
    """where, in the order of the configuration; Unix sockets have none"""
    lines: Lines
    service: Service
    listening: Listening
    stopped: trio.Event
    """set when it has run to its end"""
    scope: trio.CancelScope
    """of the service"""
    nursery: trio.Nursery
    """for what a test does at the same time; ends with it"""
    _clients: list[Peer] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.ports[0]

    async def connect(self, *first: bytes, port: int | None = None) -> Peer:
        """Return a connection of a client, which says this first."""
        peer = Peer(await trio.open_tcp_stream("127.0.0.1", port or self.port))
        self._clients.append(peer)
        await peer.send(*first)
        return peer

    async def accepted(self, count: int, listener: str = "public") -> None:
        """Wait until the gateway holds so many connections of this listener: a client is connected before that."""
        while self.service.status()["connections"][listener]["open"] != count:  # noqa: ASYNC110  nothing tells of it
            await trio.sleep(0.001)

    async def connect_unix(self, path: Path, *first: bytes) -> Peer:
        """Return a connection of a client by a Unix socket, which says this first."""
        peer = Peer(await trio.open_unix_socket(path))
        self._clients.append(peer)
        await peer.send(*first)
        return peer

    async def connect_tls(
        self,
        context: ssl.SSLContext,
        *first: bytes,
        name: str | None = "localhost",
        before: bytes = b"",
        path: Path | None = None,
    ) -> Peer:
        """Return a connection of a client over TLS, for a host of this name.

        `before` goes in front of it, in clear. `path` is of a Unix socket.
        """
        if path is None:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        else:
            stream = await trio.open_unix_socket(path)
        tls = trio.SSLStream(stream, context, server_hostname=name, https_compatible=True)
        peer = Peer(stream, tls)
        self._clients.append(peer)
        if before:
            await stream.send_all(before)
        await tls.do_handshake()
        await peer.send(*first)
        return peer

    def reload(self, text: str) -> None:
        """Have it take another configuration. Raise SettingsError."""
        settings = parse(text, "test.yaml")
        fitted = self.listening.fitted(settings)
        try:
            self.service.reload(settings, fitted.shared())
        except SettingsError:
            fitted.close_what_is_not_in(self.listening)
            raise
        self.listening = fitted
        self.ports = [sock.getsockname()[1] for _, sock in shares(settings, fitted.shared())]

    def cancel(self) -> None:
        """End it at once."""
        self.scope.cancel()

    def close(self) -> None:
        """Close all connections of clients."""
        for peer in self._clients:
            peer.stream.socket.close()


@asynccontextmanager
async def serving(upstream: int, **options: str) -> AsyncIterator[Running]:
    """Yield a gateway before this port (see `configuration`). A bug that it logs is an error."""
    async with serving_text(configuration(upstream, **options)) as running:
        yield running


@asynccontextmanager
async def serving_text(text: str, entry: ScoreboardEntry | None = None) -> AsyncIterator[Running]:
    """Yield a gateway with this configuration, for one test. A bug that it logs is an error."""
    settings = parse(text, "test.yaml")
    listening = Listening({}).fitted(settings)
    lines, stopped = Lines(), trio.Event()
    service = Service(settings, lines.log(), listening.shared(), entry)

    scope = trio.CancelScope()

    async def run() -> None:
        with scope:
            await service.run()
        stopped.set()

    try:
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                places = shares(settings, listening.shared())
                ports = [sock.getsockname()[1] for _, sock in places if sock.family != socket.AF_UNIX]
                running = Running(ports, lines, service, listening, stopped, scope, nursery)
                try:
                    yield running
                finally:
                    running.close()
                nursery.cancel_scope.cancel()
    finally:
        for entry in lines.entries:
            print(entry)
    assert not lines.every("bug")
