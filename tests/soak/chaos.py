"""What is done to a gateway while clients are there."""

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import trio

from .gateway import LOOK_SECONDS, Gateway, ended
from .judge import LATE_SECONDS, Call, Judge, Period
from .outage import EchoProcess
from .plan import Plan

DRAIN_SECONDS, SPREAD_SECONDS, CLOSE_SECONDS = 10, 2, 3
# All that `shutdown` allows, with the goodbyes of those that come last.
LEAVING_SECONDS = DRAIN_SECONDS + 4 * CLOSE_SECONDS + LATE_SECONDS
LONGEST_OUTAGE_SECONDS = 2.0
# A container that is paused while its machine is saved or moved.
FREEZE_SECONDS = 25.0
LOG_STALL_SECONDS = 5.0
# For the lines that have waited to be written and read, on a busy machine.
CATCH_UP_SECONDS = 3.0

_CONFIGURATION = """\
version: 1
listeners:
  - {{name: public, bind: ["127.0.0.1:0"]}}
{second}
defaults:
  timeouts: {{handshake: 60s, connect: 30s, close: {close}s}}
  keepalive: {{interval: {interval}, timeout: 60s}}
  limits: {{message_size: {message_size}}}
shutdown: {{drain: {drain}s, spread: {spread}s}}
routes:
  - {{name: pages, match: {{path: {{prefix: /page}}, upgrade: false}}, http_upstream: pages}}
  - {{name: {route}, match: {{path: {{prefix: /one}}}}, upstream: one}}
  - {{name: all, match: {{path: {{prefix: /}}}}, upstream: all}}
upstreams:
  one: {{targets: [{first}]}}
  all: {{targets: [{targets}], balance: {balance}, retry: {{attempts: 3}}, health: {{{health}}}}}
  pages: {{targets: [{pages}]}}
workers: {workers}
logging: {{format: json}}
admin: {{bind: "127.0.0.1:0"}}
"""
_SECOND = '  - {name: second, bind: ["127.0.0.1:0"]}'
_USUAL = {
    "second": "",
    "interval": "2s",
    "message_size": "16MiB",
    "route": "one",
    "balance": "round_robin",
    "health": "",
}
_BAD = ("version: 2\n", "version: 1\nlisteners: []\n", "{", "version: 1\nlisteners: [{bind: ['192.0.2.1:1']}]\n")


def configuration(upstreams: Sequence[EchoProcess], workers: int, **changes: str) -> str:
    """Return what a gateway is told."""
    ports = [each.port for each in upstreams]
    return _CONFIGURATION.format(
        first=f'{{url: "ws://127.0.0.1:{ports[0]}"}}',
        targets=", ".join(f'{{url: "ws://127.0.0.1:{port}"}}' for port in ports),
        pages=", ".join(f'{{url: "http://127.0.0.1:{port}"}}' for port in ports),
        workers=workers,
        drain=DRAIN_SECONDS,
        spread=SPREAD_SECONDS,
        close=CLOSE_SECONDS,
        **_USUAL | changes,
    )


class Chaos:
    """Does what the plan says."""

    def __init__(self, plan: Plan, gateway: Gateway, upstreams: Sequence[EchoProcess], judge: Judge) -> None:
        self._plan = plan
        self._gateway = gateway
        self._upstreams = upstreams
        self._judge = judge
        self._random = Random(f"{plan.seed} chaos")
        self._text = configuration(upstreams, plan.workers)
        self._workers = plan.workers
        self._file = trio.Lock()  # and whoever reads it
        self._killing = trio.Lock()
        self._outage = trio.Lock()

    async def run(self) -> None:
        """Return when all is done and nothing is leaving any more."""
        begun = trio.current_time()
        deeds = {
            "reloads": self._reload,
            "refused": self._bad_reload,
            "hand_overs": self._hand_over,
            "kills": self._kill,
            "outages": self._have_outage,
            "freezes": self._freeze,
            "log_stalls": self._stall_log,
        }
        async with trio.open_nursery() as self._nursery:
            for moment, kind in self._plan.schedule():
                await trio.sleep_until(begun + moment)
                self._nursery.start_soon(deeds[kind])
            await trio.sleep_until(begun + self._plan.seconds)

    async def restore(self) -> None:
        """Go back to the configuration with which it began."""
        await self._take(configuration(self._upstreams, self._plan.workers), self._plan.workers)

    # -- what is told to the supervisor ----------------------------------------------------------------------------

    async def _reload(self) -> None:
        async with self._file:
            random = self._random
            changes = {
                "second": random.choice(["", _SECOND]),
                "interval": random.choice(["1s", "2s", "none"]),
                "message_size": random.choice(["1MiB", "4MiB"]),
                "route": random.choice(["one", "first"]),
                "balance": random.choice(["round_robin", "random", "least_connections"]),
                "health": random.choice(["", "active: {interval: 1s}", "active: {type: websocket, interval: 1s}"]),
            }
            workers = self._plan.workers + random.choice([0, 0, 0, 1])
            await self._take(configuration(self._upstreams, workers, **changes), workers)
            self._judge.counts["reloads"] += 1

    async def _take(self, text: str, workers: int) -> None:
        gateway, judge = self._gateway, self._judge
        removal = leaving = None
        if _SECOND in self._text and _SECOND not in text:
            removal = judge.removals.begin()
        if workers < self._workers:
            leaving = judge.drains.begin()
        gateway.file.write_text(text)
        answer = gateway.expect("reloaded", "reload refused")
        gateway.signal(signal.SIGHUP)
        if (entry := await answer.wait())["event"] != "reloaded":
            judge.fault(f"a good file was refused: {entry}")
        self._text, self._workers = text, workers
        if removal is not None:
            removal.end()
            gateway.ports.pop("second", None)
        if leaving is not None:
            await self._has_left(leaving, workers)

    async def _has_left(self, leaving: Period, workers: int) -> None:
        """Wait until no more workers are there than are wanted."""
        with trio.move_on_after(LEAVING_SECONDS) as scope:
            await self._gateway.until(lambda status: len(status["workers"]) <= workers)
        leaving.end()
        if scope.cancelled_caught:
            self._judge.fault(f"a worker has not left within {LEAVING_SECONDS:g} s")

    async def _bad_reload(self) -> None:
        async with self._file:
            self._gateway.file.write_text(self._random.choice(_BAD))
            answer = self._gateway.expect("reloaded", "reload refused")
            self._gateway.signal(signal.SIGHUP)
            if (entry := await answer.wait())["event"] != "reload refused":
                self._judge.fault(f"a bad file was taken: {entry}")
            self._gateway.file.write_text(self._text)
            self._judge.counts["refused reloads"] += 1

    async def _hand_over(self) -> None:
        async with self._file:
            gateway, old = self._gateway, self._gateway.supervisor
            leaving = self._judge.drains.begin()
            answer = gateway.expect("hot restart done", "hot restart failed")
            gateway.signal(signal.SIGUSR2)
            entry = await answer.wait()
            if entry["event"] != "hot restart done":
                leaving.end()
                return
            gateway.supervisor = entry["to"]
            self._judge.counts["hand-overs"] += 1
            self._nursery.start_soon(self._ends, old, leaving)

    async def _ends(self, supervisor: int, leaving: Period) -> None:
        """See that who was relieved ends."""
        with trio.move_on_after(LEAVING_SECONDS) as scope:
            await ended(supervisor)
        leaving.end()
        if scope.cancelled_caught:
            self._judge.fault(f"who has handed over has not ended within {LEAVING_SECONDS:g} s")

    # -- what is done to processes ---------------------------------------------------------------------------------

    async def _kill(self) -> None:
        async with self._killing:
            pid = self._random.choice(await self._gateway.workers())
            try:
                os.kill(pid, signal.SIGSTOP)
                await _stopped(pid)
                theirs = clients_of(pid)
            except (ProcessLookupError, FileNotFoundError):  # it has just left
                return
            lost = {call for call in self._judge.live if call.port in theirs}
            for call in lost:
                call.worker_killed = True
            # Also those whose session has ended for its client, but is not in the log yet.
            self._judge.counts["connections of killed workers"] += len(theirs)
            os.kill(pid, signal.SIGKILL)
            await ended(pid)
            self._judge.counts["workers killed"] += 1
            await self._see_gone(lost, "worker")

    @asynccontextmanager
    async def _steady(self) -> AsyncIterator[None]:
        """Wait until nothing is under way by which a process ends, and let nothing of that kind begin."""
        async with self._file, self._killing:
            while self._judge.drains.since(trio.current_time()):  # noqa: ASYNC110  each of several may be the last
                await trio.sleep(LOOK_SECONDS)
            yield

    async def _freeze(self) -> None:
        """Stop all processes of the gateway for a while. No session is lost, and no worker is killed for it.

        Nothing else is done meanwhile: what has an end by which it must be done would be late by the time of the stop.
        """
        async with self._outage, self._steady():
            frozen = await self._gateway.processes()
            try:
                for pid in frozen:
                    os.kill(pid, signal.SIGSTOP)
                await trio.sleep(FREEZE_SECONDS)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            self._judge.counts["freezes"] += 1

    async def _stall_log(self) -> None:
        """Read nothing of the gateway's log for a while.

        No process ends meanwhile, since the lines that it could not write would be lost with it, and nobody would be
        told how many they were.
        """
        async with self._steady():
            self._gateway.log_flows = trio.Event()
            await trio.sleep(LOG_STALL_SECONDS)
            self._gateway.log_flows.set()
            await trio.sleep(CATCH_UP_SECONDS)
            self._judge.counts["log stalls"] += 1

    async def _have_outage(self) -> None:
        async with self._outage:
            async with self._killing:  # many sessions end at once, whose lines would be lost with a worker
                upstream = self._random.choice(self._upstreams)
                period = self._judge.outages.begin()
                lost = {call for call in self._judge.live if call.upstream == upstream.name}
                for call in lost | {call for call in self._judge.live if call.upstream is None}:
                    call.upstream_killed = True
                await upstream.kill()
                await self._see_gone(lost, "upstream")
                await trio.sleep(CATCH_UP_SECONDS)
            await trio.sleep(self._random.uniform(0, LONGEST_OUTAGE_SECONDS))
            await upstream.start()
            period.end()
            self._judge.counts["upstreams killed"] += 1

    async def _see_gone(self, lost: set[Call], what: str) -> None:
        """Wait until clients know that they have lost their session.

        A client that reads slowly is not waited for: what the kernel has for it takes a minute and more to read.
        """
        lost = {call for call in lost if not call.slow}
        with trio.move_on_after(LATE_SECONDS):
            while lost & self._judge.live:  # noqa: ASYNC110  each of many may be the last
                await trio.sleep(LOOK_SECONDS)
        for call in lost & self._judge.live:
            self._judge.fault(f"{call}: still there {LATE_SECONDS:g} s after its {what} was killed")


async def _stopped(pid: int) -> None:
    """Wait until a process does nothing any more."""
    while state_of(pid) not in "TZ":
        await trio.lowlevel.checkpoint()


def state_of(pid: int) -> str:
    """Return the letter that Linux has for it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def clients_of(pid: int) -> set[int]:
    """Return the ports of those who are connected to a process, by IPv4."""
    inodes = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        kind, _, inode = os.readlink(entry.path).partition(":")
        if kind == "socket":
            inodes.add(inode.strip("[]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].rpartition(":")[2], 16) for row in rows if row[9] in inodes}
