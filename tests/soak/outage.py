"""An upstream that can be killed, and comes back at the same port."""

import socket
import subprocess
import sys

import trio


class EchoProcess:
    """`tests.soak.echo` in a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Keeps the port while nobody listens there: any client could get it otherwise.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self._process: trio.Process | None = None

    async def start(self) -> None:
        """Return when it serves, which it says."""
        command = [sys.executable, "-m", "tests.soak.echo", str(self.port), self.name]
        self._process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None, "it was opened as a pipe"
        async with self._process.stdout as output:
            said = b""
            while not said.endswith(b"\n"):
                more = await output.receive_some()
                assert more, f"{self.name} does not serve"
                said += more

    async def kill(self) -> None:
        """Kill it, and with it all its connections."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()

    async def close(self) -> None:
        await self.kill()
        self._place.close()
