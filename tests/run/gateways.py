"""A whole gateway for tests: its supervisor in this process, its workers in processes of their own."""

import json
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect
from websockets.trio.server import ServerConnection

from tests.peers import Peer
from tests.processes import gateway_command
from tests.support import PATIENCE_SECONDS, Lines, configuration
from wsgateway.errors import WsgatewayError
from wsgateway.run.supervisor import Supervisor
from wsgateway.settings.load import read

# A request without an upgrade, which the gateways here answer 426.
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
# Processes that start one after the other: each takes seconds where all cores are busy.
SEVERAL = 6
ADMIN = 'admin: {bind: "127.0.0.1:0"}\n'


def whole(upstream: int, workers: int = 1, **options: str) -> str:
    """Return the YAML of a gateway with admin pages in front of this port."""
    return f"{configuration(upstream, **options)}workers: {workers}\n{ADMIN}"


def tls(pem: Path) -> str:
    """Return the key of a listener that shows the certificate in this file."""
    return f"tls: {{certificates: [{{certificate: {pem}, private_key: {pem}}}]}}"


@dataclass
class Gateway:
    """A gateway that runs for a test."""

    file: Path
    lines: Lines
    ended: trio.Event = field(default_factory=trio.Event)
    failure: WsgatewayError | None = None
    lost: list[signal.Signals] = field(default_factory=list)
    """signals that came while no supervisor handled them"""
    _clients: list[Peer] = field(default_factory=list)

    async def port(self, listener: str = "public") -> int:
        line = await self.lines.line("listening", listener=listener)
        return int(line["address"].rpartition(":")[2])

    async def connect(self, *first: bytes) -> Peer:
        """Return a client that has connected and sent these bytes."""
        peer = Peer(await trio.open_tcp_stream("127.0.0.1", await self.port()))
        self._clients.append(peer)
        await peer.send(*first)
        return peer

    async def ask(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body of an admin page."""
        line = await self.lines.line("admin pages")
        host, _, port = line["address"].rpartition(":")
        stream = await trio.open_tcp_stream(host, int(port))
        return await fetched(Peer(stream), path)

    async def status(self) -> dict[str, Any]:
        _, body = await self.ask("/status")
        status: dict[str, Any] = json.loads(body)
        return status

    async def pids(self) -> list[int]:
        return [worker["pid"] for worker in (await self.status())["workers"]]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor, which is in this process."""
        os.kill(os.getpid(), number)

    def lose(self, number: int, _: object) -> None:
        """Note a signal that comes while no supervisor handles it: it would end the process of the tests."""
        self.lost.append(signal.Signals(number))

    def close(self) -> None:
        """Close all connections of clients."""
        for peer in self._clients:
            peer.stream.socket.close()

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def count(self, event: str) -> int:
        return len(self.lines.every(event))


async def fetched(peer: Peer, path: str) -> tuple[int, bytes]:
    """Return the status and the body of a server's answer to GET."""
    await peer.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await peer.head()
    body = await peer.rest()
    await peer.close()
    return int(head.split()[1]), body


@asynccontextmanager
async def supervised(file: Path, text: str, **options: Any) -> AsyncIterator[Gateway]:
    """Yield a gateway with this configuration when it serves. A bug that it logs is an error."""
    async with started(file, text, **options) as gateway:
        await gateway.lines.line("listening")
        yield gateway


@asynccontextmanager
async def started(file: Path, text: str, **options: Any) -> AsyncIterator[Gateway]:
    """Yield a gateway that may serve later, or fail."""
    lines = Lines()
    gateway = Gateway(file, lines)
    gateway.write(text)
    supervisor = Supervisor(
        partial(read, file), lambda _: lines.log(), tuple(map(str, gateway_command("run", file))), **options
    )
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = {number: signal.signal(number, gateway.lose) for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR2)}

    async def run() -> None:
        try:
            await supervisor.run()
        except WsgatewayError as error:  # the test looks at it; a bug fails the test at once
            gateway.failure = error
        gateway.ended.set()

    try:
        with trio.fail_after(SEVERAL * PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                try:
                    yield gateway
                finally:
                    gateway.close()
                nursery.cancel_scope.cancel()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for entry in lines.entries:
            print(entry)
    assert not lines.every("bug")
    assert gateway.lost == []


class Numbers:
    """A client that sends numbers and gets each back, in order, once."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        """Connect to a port of this machine, from one of its addresses."""
        self._port = port
        self._address = address
        self._stop = False
        self.count = 0
        self.moved = trio.lowlevel.ParkingLot()
        self.done = trio.Event()
        self.goodbye: int | None = None
        """the code of the Close that it has heard"""

    async def run(self) -> None:
        """Send numbers, several of which are under way at any time, until it is stopped or gets a Close."""
        stream = await trio.open_tcp_stream("127.0.0.1", self._port, local_address=self._address)
        url = f"ws://127.0.0.1:{self._port}/"
        async with connect(url, stream=stream, compression=None, ping_interval=None) as socket:
            try:
                await self._count(socket)
            except ConnectionClosed as closed:
                self.goodbye = closed.rcvd.code if closed.rcvd else 1006
        self.done.set()
        self.moved.unpark_all()

    async def _count(self, socket: ClientConnection) -> None:
        sent = 0
        while not self._stop or self.count < sent:
            while sent < self.count + 8 and not self._stop:
                await socket.send(str(sent))
                sent += 1
            assert await socket.recv() == str(self.count)
            self.count += 1
            self.moved.unpark_all()

    async def more(self, number: int = 50) -> None:
        """Wait until so many more numbers are back."""
        goal = self.count + number
        while self.count < goal and self.goodbye is None:
            await self.moved.park()

    def finish(self) -> None:
        """Send no more numbers, and end when all are back."""
        self._stop = True

    async def stop(self) -> None:
        """Send no more numbers, and wait until all are back."""
        self.finish()
        await self.done.wait()
        assert self.goodbye is None


def without_log(printed: str) -> str:
    """Return what a command has printed to the standard error stream, on which workers write their log at any time."""
    return "".join(line for line in printed.splitlines(keepends=True) if not line.startswith("timestamp="))


async def send_back(connection: ServerConnection) -> None:
    """Send each message back until the connection ends, in any way."""
    with suppress(ConnectionClosed):
        while True:
            await connection.send(await connection.recv())


def end(pid: int) -> None:
    """End a process that this one has started, and wait for its end."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
