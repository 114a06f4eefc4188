"""A worker, seen from its supervisor: a process, the connection to it, and its last report."""

import math
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Protocol

import trio

from wsgateway.census.keeper import Census
from wsgateway.census.tally import Counts
from wsgateway.observe.refusals import MOST_REFUSALS, Refusal
from wsgateway.observe.status import ProcessStatus
from wsgateway.run.command import python
from wsgateway.run.control import Control
from wsgateway.run.messages import (
    Ask,
    CensusCounts,
    Forget,
    FromWorker,
    More,
    Outcome,
    Part,
    Refused,
    SendStatus,
    Serving,
    StatusReport,
    ToldToEnd,
    ToWorker,
    Up,
    from_worker,
)
from wsgateway.run.requests import ControlAnswer, Fact, Send, refused
from wsgateway.run.systemd import OWN, TOLD_BY_THE_SUPERVISOR
from wsgateway.serve.scoreboard import Scoreboard

# For a worker to read a configuration and prepare to serve it. On an overloaded machine it gets the same time again, as
# long as it makes progress, which is when it has used CPU time.
ANSWER_SECONDS = 30.0
PROGRESS_SECONDS = 0.001
LONGEST_ANSWER_SECONDS = 600.0
# A relay loop turns each second. A process whose loop has not turned for so long counts as one that does not answer.
LATE_TURN_SECONDS = 5.0
# For the next part of an answer, if it is not one that may be a long time coming.
PART_SECONDS = 10.0
# For a process to end after it has closed its connection, or was told to end at once.
KILL_SECONDS = 1.0


@dataclass(frozen=True)
class Order:
    """A message to a worker, and the sockets and bytes that go with it."""

    message: ToWorker
    sockets: tuple[socket.socket, ...] = ()
    attached: bytes = b""


class Process(Protocol):
    """A process of the operating system, as `trio.Process` is."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Wait for its end, and return its exit code."""

    def kill(self) -> None:
        """Kill it, if it has not ended yet."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process (clock_getcpuclockid(3)); 0 for one that has ended."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


class WorkerProcess:
    """One worker process. Its messages are read as long as `listen` runs."""

    def __init__(
        self,
        process: Process,
        control: Control,
        cpu_seconds: Callable[[int], float] = cpu_seconds,
        ended: Callable[[], None] = lambda: None,
        counted: Callable[[list[Counts]], None] = lambda _: None,
    ) -> None:
        """Take what returns the CPU time of a process, and what is called when this one has ended.

        `counted` is called with what it has counted for the census.
        """
        self._process = process
        self._ended = ended
        self._cpu_seconds = cpu_seconds
        self._control = control
        self._answers_in, self._answers = trio.open_memory_channel[Outcome](8)
        self._report_due = False
        self._turned_ago = 0.0
        self._news = trio.lowlevel.ParkingLot()
        self._asked = count(1)
        self._open: dict[int, trio.MemorySendChannel[Part]] = {}  # the requests that it is answering
        self.pid = process.pid
        self.begun = trio.current_time()
        self.status: ProcessStatus = {}
        """its last report"""
        self.refusals: deque[Refusal] = deque(maxlen=MOST_REFUSALS)
        """the last ones that it has told"""
        self.loop_lag = 0.0
        """in seconds; see `StatusReport`"""
        self.told_to_end = trio.Event()
        """set when it has received a signal to end, and waits for an order"""
        self.why = ""
        """the reason why this supervisor has killed it"""
        self.gone = False
        """whether it has ended"""
        self._counted = counted

    @classmethod
    async def start(
        cls, number: int, scoreboard: Scoreboard | None = None, census: Census | None = None
    ) -> "WorkerProcess":
        """Start a process, which has no orders yet. Its number is for lists of processes, and for the scoreboard.

        What it counts goes to the census.

        Raise OSError if there can be no more processes.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            fds = [theirs.fileno()]
            given = [str(fds[0]), str(number)]
            if scoreboard is not None:
                scoreboard.add(number)
                fds.append(scoreboard.descriptor)
                given.append(str(scoreboard.descriptor))
            try:
                process = await trio.lowlevel.open_process(
                    [*python(), "-m", "wsgateway.run.worker", *given],
                    stdin=subprocess.DEVNULL,
                    pass_fds=fds,
                    env=environment(*TOLD_BY_THE_SUPERVISOR),
                )
            except OSError:
                ours.close()
                raise
        source = f"worker {process.pid}"

        def ended() -> None:
            if scoreboard is not None:
                scoreboard.remove(number)
            if census is not None:
                census.lose(source)

        counted = (lambda _: None) if census is None else partial(census.count, source)
        return cls(process, Control(ours), ended=ended, counted=counted)

    async def listen(self) -> str:
        """Read its messages until it ends. Return how it ended; if this is cancelled, it is killed."""
        try:
            with self._answers_in:
                while (message := await self._control.receive()) is not None:
                    self._hear(from_worker(message.said))
            with trio.move_on_after(KILL_SECONDS):
                await self._process.wait()
        finally:
            self.gone = True
            self._news.unpark_all()
            self._control.close()
            for parts in self._open.values():
                parts.close()
            with trio.CancelScope(shield=True):
                self.kill()
                code = await self._process.wait()
                self._ended()
        return spell_end(code)

    def _hear(self, message: FromWorker | None) -> None:
        match message:
            case StatusReport():
                self._report_due = False
                self._turned_ago, self.loop_lag = message.age, message.lag
                self.status = message.status
                self.refusals.extend(message.refusals)
                self._news.unpark_all()
            case CensusCounts():
                self._counted(message.counts)
            case Part(number=number):
                if number in self._open:
                    self._open[number].send_nowait(message)
            case ToldToEnd():
                self.told_to_end.set()
            case Up() | Serving() | Refused():
                self._answers_in.send_nowait(message)

    async def answer(self) -> Outcome | None:
        """Return its next message other than reports; None if it ends. A process that does not answer is killed."""
        return await self._in_time(self._next_answer)

    async def carry_out(self, order: Order) -> Outcome | None:
        """Send an order, and return its answer as `answer` does. A process that does not take the order is killed."""

        async def exchange() -> Outcome | None:
            return await self._next_answer() if await self.send(order) else None

        return await self._in_time(exchange)

    async def _next_answer(self) -> Outcome | None:
        try:
            return await self._answers.receive()
        except trio.EndOfChannel:
            return None

    async def _in_time(self, step: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Return what a step returns. If the process makes no progress meanwhile, kill it and return None."""
        begun, ended, outcome = trio.current_time(), False, None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_progress, nursery.cancel_scope)
            outcome, ended = await step(), True
            nursery.cancel_scope.cancel()
        if not ended:
            self.why = f"no answer within {trio.current_time() - begun:.0f} s"
            self.kill()
        return outcome

    async def _watch_progress(self, waiting: trio.CancelScope) -> None:
        """Cancel a scope when the process makes no progress any more, or has taken too long."""
        end, progress = trio.current_time() + LONGEST_ANSWER_SECONDS, PROGRESS_SECONDS
        while progress >= PROGRESS_SECONDS and trio.current_time() < end:
            worked = self._cpu_seconds(self.pid)
            await trio.sleep(ANSWER_SECONDS)
            progress = self._cpu_seconds(self.pid) - worked
        waiting.cancel()

    async def send(self, order: Order) -> bool:
        """Send an order. Return whether it may have been received."""
        try:
            await self._control.send(order.message.said(), order.sockets, order.attached)
        except OSError:
            return False
        return True

    @property
    def answers(self) -> bool:
        """Whether it has sent the last report that was requested, and its relay loop turns."""
        return not self._report_due and self._turned_ago <= LATE_TURN_SECONDS

    async def request_report(self) -> None:
        """Request a report, unless one is due already."""
        if not self._report_due:
            self._report_due = True
            await self.send(Order(SendStatus()))

    async def fetch_report(self) -> None:
        """Request a report, and wait for it. Needs a deadline."""
        await self.request_report()
        await self._news.park()

    async def ask(self, command: str, arguments: dict[str, Fact], send: Send, patient: bool = False) -> ControlAnswer:
        """Have it answer a request, and give the items to `send` as they come. It sends more only when that returns.

        `patient`: its items may be a long time coming, but for the first ones.
        """
        number, seconds = next(self._asked), PART_SECONDS
        parts_in, parts = trio.open_memory_channel[Part](2)
        self._open[number] = parts_in
        order: ToWorker = Ask(number=number, command=command, arguments=arguments)
        ended = True
        try:
            while await self.send(Order(order)):
                ended = False
                with trio.fail_after(seconds):
                    part = await parts.receive()
                if part.items:
                    await send(part.items)
                if part.answer is not None:
                    ended = True
                    return part.answer
                order, seconds = More(number=number), math.inf if patient else PART_SECONDS
        except trio.EndOfChannel:
            ended = True
        except trio.TooSlowError:
            return refused(f"worker process {self.pid} did not answer within {PART_SECONDS:g} s")
        finally:
            del self._open[number]
            if not ended:
                with trio.move_on_after(KILL_SECONDS, shield=True):
                    await self.send(Order(Forget(number=number)))
        self.gone = True
        return refused(f"worker process {self.pid} has ended")

    def kill(self) -> None:
        """Kill the process, if it has not ended yet."""
        self._process.kill()


def spell_end(code: int) -> str:
    """Return a text for how a process has ended, given its exit code in Python's form."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with status {code}"


def environment(*without: str) -> dict[str, str]:
    """Return the environment for a child process: that of this process, without some variables."""
    return {key: value for key, value in os.environ.items() if key not in (*OWN, *without)}
