"""Several gateways behind one HAProxy, as config/haproxy.cfg has them, with other addresses and ports."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from tests.openings import Opening
from tests.peers import Peer
from tests.processes import GatewayProcess

from .programs import Program, tool

FILE = Path(__file__).parents[2] / "config" / "haproxy.cfg"
TEXT = FILE.read_text("utf-8")
# The servers of the file, by their names. Here each has an address of the loopback of its own, as a machine has.
GATEWAYS = {
    name: f"127.0.2.{last}" for name, last in re.findall(r"^    server (\S+) 10\.0\.2\.(\d+):8080$", TEXT, re.M)
}
# What a gateway needs beside what the comment in the file says.
_REST = """\
version: 1
routes: [{{match: {{path: {{prefix: /}}}}, upstream: behind, headers: {{set: {{X-Gateway: {name}}}}}}}]
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{upstream}"}}]}}}}
"""


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port that is free at each of the addresses, and that no other program gets."""
    with ExitStack() as stack:
        port = 0
        for address in GATEWAYS.values():
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that a gateway may have it beside us
            sock.bind((address, port))
            port = sock.getsockname()[1]
        yield port


class Several:
    """Gateways and the HAProxy in front of them, with one upstream."""

    def __init__(self, folder: Path, upstream: int) -> None:
        self._folder = folder
        self._upstream = upstream
        self._stack = AsyncExitStack()
        self._running: dict[str, GatewayProcess] = {}
        self.port = 0
        """of HAProxy"""

    async def __aenter__(self) -> Self:
        executable = tool("haproxy")
        async with AsyncExitStack() as stack:
            self._ports = stack.enter_context(held_port()), stack.enter_context(held_port())
            stack.push_async_callback(self._stop_all)
            async with trio.open_nursery() as nursery:
                for name in GATEWAYS:
                    nursery.start_soon(self.start, name)
            front = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            self.port = front.getsockname()[1]
            settings = self._folder / "haproxy.cfg"
            text = self._here(TEXT.replace("bind :80\n", f"bind fd@{front.fileno()}\n"))
            text = text.replace("inter 1s fastinter 500ms", "inter 300ms fastinter 150ms")
            text = text.replace("timeout check 2s", "timeout check 20s")  # a busy machine is no failed gateway
            settings.write_text(re.sub(r"\b10\.0\.2\.(1[1-9]):", r"127.0.2.\1:", text))
            command = (executable, "-db", "-f", settings)
            self.haproxy = stack.enter_context(Program(*command, descriptors=[front.fileno()]))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)
        print(self.haproxy)

    async def start(self, name: str) -> None:
        """Start a gateway, and wait until it listens."""
        said = "".join(line.removeprefix("#     ") + "\n" for line in TEXT.splitlines() if line.startswith("#     "))
        text = self._here(said).replace("0.0.0.0", GATEWAYS[name]).replace("10.0.2.10", "127.0.0.1")
        # The delay is as long as it is there: a busy HAProxy may need it, though its checks come every 300 ms here.
        text = text.replace("delay: 3s", "delay: 3s, spread: 300ms")
        text += _REST.format(name=name, upstream=self._upstream)
        gateway = self._running[name] = GatewayProcess(self._folder / f"{name}.yaml", text)
        await trio.to_thread.run_sync(gateway.find_line, "event=listening ")

    async def stop(self, name: str) -> None:
        """End a gateway by SIGTERM, and wait until it has ended."""
        gateway = self._running.pop(name)
        try:
            assert await trio.to_thread.run_sync(gateway.stop) == 0
        finally:
            print(gateway)

    async def _stop_all(self) -> None:
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for name, gateway in list(self._running.items()):
                    gateway.signal(signal.SIGINT)  # and SIGTERM, behind which it does not wait
                    nursery.start_soon(self.stop, name)

    async def seen(self, name: str, state: str) -> None:
        """Wait until HAProxy reports that a gateway is UP, or DOWN."""
        await trio.to_thread.run_sync(self.haproxy.find_line, f"Server gateways/{name} is {state}")

    def _here(self, text: str) -> str:
        """Return a text with the ports of this test."""
        public, admin = map(str, self._ports)
        return text.replace("8080", public).replace("9901", admin)

    async def say_hello(self, opening: Opening, address: str) -> None:
        """Connect from an address, send a message, get the answer, and close."""
        client = Peer(await trio.open_tcp_stream("127.0.0.1", self.port, local_address=address))
        try:
            await client.send(opening.request)
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 101 ")
            secret = await opening.proven(client, head)
            frame = opening.hello_back
            await client.send(opening.written(frame, secret))
            assert await client.exactly(len(frame)) == frame
        finally:
            client.stream.socket.close()
