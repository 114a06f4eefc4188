"""A worker pool whose workers are tasks of the test: each sends what its script says."""

import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import trio

from tests.support import Lines, configuration
from wsgateway.run.control import Control
from wsgateway.run.generation import Generation, LoadedConfiguration
from wsgateway.run.listening import Listening
from wsgateway.run.process import WorkerProcess
from wsgateway.run.worker_pool import WorkerPool
from wsgateway.settings.load import Source


@dataclass
class Worker:
    """The process of a worker, as its script sees it. It ends with the status that the script returns."""

    number: int
    """of its post"""
    pid: int
    line: Control
    script: "Script"
    cpu_seconds: float = 0.0
    """for how long the processor has worked for it"""
    code: int | None = None
    heard: list[str] = field(default_factory=list)
    """the orders that it has received"""
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _ended: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> None:
        try:
            with self._scope:
                self.code = await self.script(self)
        finally:
            self.line.close()
            self.code = -signal.SIGKILL if self.code is None else self.code
            self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        self._scope.cancel()

    async def say(self, is_: str, **more: object) -> None:
        await self.line.send({"is": is_, **more})

    async def order(self) -> str:
        """Return the next order."""
        message = await self.line.receive()
        assert message is not None, "the worker pool hangs up last"
        self.heard.append(message.said["do"])
        return self.heard[-1]

    async def answer(self, order: str, sessions: int = 0) -> None:
        """Carry out an order as a good worker does, other than to end."""
        match order:
            case "serve" | "reload":
                await self.say("serving")
            case "report":
                await self.say("report", age=0.0, status={"sessions": {"rfc6455": {"all": sessions}}})


Script = Callable[[Worker], Awaitable[int]]


async def good(worker: Worker) -> int:
    """Serve until the order to end."""
    await worker.say("up")
    while (order := await worker.order()) not in ("drain", "end"):
        await worker.answer(order)
    return 0


async def bad(worker: Worker) -> int:
    """End before it serves."""
    return 3


async def stuck(worker: Worker) -> int:
    """Send nothing."""
    await trio.sleep_forever()
    return 0


def serving_for(seconds: float) -> Script:
    """Return a script of a worker that dies so many seconds after the order to serve."""

    async def short(worker: Worker) -> int:
        with trio.move_on_after(seconds):
            await good(worker)
        return 3

    return short


@dataclass
class Hands:
    """A worker pool and its workers."""

    worker_pool: WorkerPool
    lines: Lines
    workers: list[Worker]
    """all that were ever started, in order"""

    async def start(self, workers: int = 1) -> None:
        await self.worker_pool.start(generation(workers))

    def pid(self, number: int) -> int:
        """Return the process that was started last in a slot."""
        return next(worker.pid for worker in reversed(self.workers) if worker.number == number)

    async def looked(self, times: int, pause: float = 1.0) -> float:
        """Check the workers so often, on time. Return the result of the last check."""
        silent = 0.0
        for _ in range(times):
            silent = self.worker_pool.check(trio.current_time())
            await trio.sleep(pause)
        return silent


def generation(workers: int = 1, text: str = "") -> Generation:
    source = Source("gateway.yaml", text or configuration(9), "/")
    return Generation(LoadedConfiguration(source, replace(source.settings(), workers=workers)), Listening({}))


@asynccontextmanager
async def hands(*scripts: Script | Sequence[Script], **options: Any) -> AsyncIterator[Hands]:
    """Make a worker pool whose first slot has the first script, and so on. A slot may have several scripts, for one
    process after the other; the last one is for all that follow."""
    lines, workers = Lines(), list[Worker]()
    left = [[each] if callable(each) else list(each) for each in scripts]
    async with trio.open_nursery() as nursery:

        async def start(number: int) -> WorkerProcess:
            mine = left[number - 1]
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            script = mine.pop(0) if len(mine) > 1 else mine[0]
            worker = Worker(number, len(workers) + 1, Control(theirs), script)
            workers.append(worker)
            nursery.start_soon(worker.run)
            return WorkerProcess(worker, Control(ours), lambda pid: workers[pid - 1].cpu_seconds)

        yield Hands(WorkerPool(lines.log(), nursery, start=start, **options), lines, workers)
        nursery.cancel_scope.cancel()
