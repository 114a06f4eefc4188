"""The gateway of a soak: its processes, one supervisor after the other, and its log."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from tests.load.process import resident_bytes
from tests.processes import gateway_command
from wsgateway.observe.query import query_status
from wsgateway.observe.status import Status
from wsgateway.settings.basics import Address

from .judge import Judge

# For any answer to a signal, on a busy machine.
ANSWER_SECONDS = 60.0
LOOK_SECONDS = 0.1


@dataclass
class Awaited:
    """A line of the log that is yet to come."""

    events: tuple[str, ...]
    entry: dict[str, Any] | None = None
    came: trio.Event = field(default_factory=trio.Event)

    async def wait(self) -> dict[str, Any]:
        with trio.move_on_after(ANSWER_SECONDS):
            await self.came.wait()
        assert self.entry is not None, f"no line of {' or '.join(self.events)} within {ANSWER_SECONDS:g} s"
        return self.entry


@dataclass(frozen=True)
class Figures:
    """What a process has."""

    descriptors: int
    resident_bytes: int
    proportional_bytes: int
    """of the memory that it shares with others only its part"""

    @classmethod
    def of(cls, pid: int) -> "Figures":
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        [pss] = [int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:")]
        return cls(len(os.listdir(f"/proc/{pid}/fd")), resident_bytes(pid), pss)

    def __str__(self) -> str:
        resident, proportional = self.resident_bytes / 2**20, self.proportional_bytes / 2**20
        return f"{self.descriptors} descriptors, {resident:.1f} MiB resident, {proportional:.1f} MiB proportional"


class Gateway:
    """What was started, and what has taken its place since."""

    def __init__(self, file: Path, judge: Judge, log: Path | None) -> None:
        """Take the file for all lines that it writes, `log`."""
        self.file = file
        self._log = log
        self._judge = judge
        self._awaited: list[Awaited] = []
        self._process: trio.Process | None = None
        self.supervisor = 0
        """its process id"""
        self.ports: dict[str, int] = {}
        """of each listener that is there"""
        self.session_lines = 0
        """how many sessions the log has told of"""
        self.dropped_lines = 0
        """how many lines of the log were dropped while nobody read it"""
        self.log_flows = trio.Event()
        """unset while nobody reads the log"""
        self.log_flows.set()

    async def start(self, text: str, nursery: trio.Nursery) -> None:
        """Return when it serves."""
        self.file.write_text(text)
        serving = self.expect("admin pages")
        self._process = await trio.lowlevel.open_process(
            list(map(str, gateway_command("run", self.file))),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that all its processes can be ended with it
        )
        self.supervisor = self._process.pid
        assert self._process.stderr is not None, "it was opened as a pipe"
        nursery.start_soon(self._read, self._process.stderr)
        self._admin = Address("127.0.0.1", int((await serving.wait())["address"].rpartition(":")[2]))

    async def stop(self) -> None:
        """Have it drain, and wait for the end of all its processes."""
        stopped = self.expect("")
        self.signal(signal.SIGTERM)
        await stopped.wait()

    async def close(self) -> None:
        """End whatever is left of it."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # nothing is
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    # -- the log ---------------------------------------------------------------------------------------------------

    def expect(self, *events: str) -> Awaited:
        """Return the next line of one of these events; that of no name is the end of all processes."""
        self._awaited.append(Awaited(events))
        return self._awaited[-1]

    async def _read(self, output: trio.abc.ReceiveStream) -> None:
        rest = b""
        async with output:
            async for data in output:
                await self.log_flows.wait()
                if self._log is not None:
                    with self._log.open("ab") as log:
                        log.write(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(line)
        self._tell({"event": ""})

    def _hear(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:  # a traceback, or a warning
            self._judge.fault(f"said by the gateway: {line.decode(errors='replace')}")
            return
        match entry["event"]:
            case "bug":
                self._judge.fault(f"a bug: {entry}")
            case "worker ended" if entry["how"] != "by SIGKILL":
                self._judge.fault(f"a worker ended: {entry}")
            case "worker hangs" | "hot restart failed" | "signal ignored" | "cannot accept":
                self._judge.fault(f"the gateway says: {entry}")
            case "drained" if entry["cut"]:
                self._judge.counts["cut by a drain, as its log says"] += entry["cut"]
            case "listening":
                self.ports[entry["listener"]] = int(entry["address"].rpartition(":")[2])
            case "session":
                self.session_lines += 1
            case "log lines dropped":
                self.dropped_lines += entry["lines"]
        self._tell(entry)

    def _tell(self, entry: dict[str, Any]) -> None:
        for awaited in [each for each in self._awaited if entry["event"] in each.events]:
            self._awaited.remove(awaited)
            awaited.entry = entry
            awaited.came.set()

    # -- its processes -----------------------------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        """Tell the supervisor of now."""
        os.kill(self.supervisor, number)

    async def until(self, right: Callable[[Status], object]) -> Status:
        """Return its status, as soon as that is right."""
        while not right(status := await query_status(self._admin)):  # noqa: ASYNC110  another process knows
            await trio.sleep(LOOK_SECONDS)
        return status

    async def workers(self) -> list[int]:
        """Return those that serve, as soon as there is one."""
        with trio.fail_after(ANSWER_SECONDS):
            return serving(await self.until(serving))

    async def processes(self) -> list[int]:
        """Return the process ids of the supervisor and of all workers."""
        status = await query_status(self._admin)
        return [self.supervisor, *(worker["pid"] for worker in status["workers"] if worker["pid"])]

    async def settled(self, workers: int) -> Status:
        """Return its status, when it has so many workers again, and all of them serve."""
        with trio.fail_after(ANSWER_SECONDS):
            return await self.until(lambda status: len(serving(status)) == len(status["workers"]) == workers)

    async def figures(self) -> dict[str, Figures]:
        """Return those of the supervisor, and of each worker by its number."""
        status = await query_status(self._admin)
        pids = {f"worker {each['worker']}": each["pid"] for each in status["workers"]}
        return {name: Figures.of(pid) for name, pid in {"supervisor": self.supervisor, **pids}.items()}


def serving(status: Status) -> list[int]:
    """Return the process ids of the workers that serve."""
    return [worker["pid"] for worker in status["workers"] if worker["state"] == "serving"]


async def ended(pid: int) -> None:
    """Wait for the end of a process, ours or not."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
