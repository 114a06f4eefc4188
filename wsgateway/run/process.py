"""A worker as its supervisor sees it: a process, the line to it, and what it has last said of itself."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import trio

from wsgateway.run.control import Control
from wsgateway.run.systemd import OWN, TOLD_BY_THE_SUPERVISOR

# For a worker to read a configuration and open what it needs, on a busy machine.
ANSWER_SECONDS = 30.0
# For a process that has hung up, or was told to end at once, to be gone.
KILL_SECONDS = 1.0


@dataclass(frozen=True)
class Order:
    """What a worker is told, and the sockets that go with it."""

    said: dict[str, Any]
    sockets: tuple[socket.socket, ...] = ()


class WorkerProcess:
    """One worker. Somebody must run `listen` as long as it lives."""

    def __init__(self, process: trio.Process, control: Control) -> None:
        self._process = process
        self._control = control
        self._answers_in, self._answers = trio.open_memory_channel[dict[str, Any]](8)
        self._asked = False
        self._news = trio.lowlevel.ParkingLot()
        self.pid = process.pid
        self.begun = trio.current_time()
        self.turned = self.begun
        """when its relay loop has last turned, as far as we know"""
        self.status: dict[str, Any] = {}
        """what it has last said"""

    @classmethod
    async def start(cls) -> "WorkerProcess":
        """Starts one, which knows nothing yet. Raises OSError if there can be no more processes."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            fd = theirs.fileno()
            try:
                process = await trio.lowlevel.open_process(
                    [*python(), "-m", "wsgateway.run.worker", str(fd)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[fd],
                    env=environment(*TOLD_BY_THE_SUPERVISOR),
                )
            except OSError:
                ours.close()
                raise
        return cls(process, Control(ours))

    async def listen(self) -> str:
        """Hears what it says until it ends. Returns how it ended; cancelled, it is killed."""
        try:
            with self._answers_in:
                while (message := await self._control.receive()) is not None:
                    self._hear(message.said)
            with trio.move_on_after(KILL_SECONDS):
                await self._process.wait()
        finally:
            self._news.unpark_all()
            self._control.close()
            with trio.CancelScope(shield=True):
                self.kill()
                code = await self._process.wait()
        return spell_end(code)

    def _hear(self, said: dict[str, Any]) -> None:
        self.turned = trio.current_time()
        if said["is"] == "report":
            self._asked = False
            self.turned -= said["age"]
            self.status = said["status"]
            self._news.unpark_all()
        else:
            self._answers_in.send_nowait(said)

    async def answer(self) -> dict[str, Any] | None:
        """What it says next, other than reports. None if it ends; one that does not answer is made to."""
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                return await self._answers.receive()
            except trio.EndOfChannel:
                return None
        self.kill()
        return None

    async def ask(self, order: Order) -> dict[str, Any] | None:
        """Gives an order, and returns its answer as `answer` does."""
        return await self.answer() if await self.tell(order) else None

    async def tell(self, order: Order) -> bool:
        """Gives an order. Whether it can have heard it."""
        try:
            await self._control.send(order.said, order.sockets)
        except OSError:
            return False
        return True

    async def report(self) -> None:
        """Has it report, and waits for that; cancel it if that takes too long."""
        if not self._asked:
            self._asked = True
            if not await self.tell(Order({"do": "report"})):
                return
        await self._news.park()

    def kill(self) -> None:
        """Ends it at once, if it has not ended yet."""
        self._process.kill()


def spell_end(code: int) -> str:
    """How a process has ended, by its exit code as Python has it."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"


def python() -> list[str]:
    """The interpreter that runs us, with warnings and the path for modules as we have them."""
    path = [] if os.getcwd() in sys.path or "" in sys.path else ["-P"]
    return [sys.executable, *path, *(f"-W{each}" for each in sys.warnoptions)]


def environment(*without: str) -> dict[str, str]:
    """Our environment, for a process that we start."""
    return {key: value for key, value in os.environ.items() if key not in (*OWN, *without)}
