"""A worker in this process, and its connection with a supervisor, which is the test."""

import array
import gc
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

import trio
from trio.testing import MockClock

from tests.support import configuration
from wsgateway.observe.writer import Writer
from wsgateway.run.control import Control
from wsgateway.run.listening import Listening
from wsgateway.run.messages import (
    Configure,
    End,
    FromWorker,
    Refused,
    SendStatus,
    Serving,
    StatusReport,
    ToldToEnd,
    Up,
    from_worker,
)
from wsgateway.run.process import cpu_seconds
from wsgateway.run.settings_transfer import VERSION, packed
from wsgateway.run.worker import Worker
from wsgateway.serve.scoreboard import ScoreboardEntry
from wsgateway.settings.load import parse
from wsgateway.settings.whole import Settings


@dataclass
class Supervisor:
    """The supervisor's end of the connection."""

    control: Control
    raw: socket.socket
    """the same end, for what no supervisor sends"""
    of_worker: socket.socket
    """the worker's end"""
    settings: Settings
    listening: Listening
    ended: trio.Event = field(default_factory=trio.Event)

    async def configure(self, do: Literal["serve", "reload"], text: str | None = None) -> None:
        """Order the worker to serve a configuration with one listener; with a text, as another version sends it."""
        told, sockets = self.listening.description(self.settings)
        version = VERSION if text is None else "another"
        order = Configure(
            do=do, file="f.yaml", text=text or "", directory="/", version=version, workers=1, sockets=told
        )
        await self.control.send(order.said(), sockets, packed(self.settings))

    async def hear(self) -> FromWorker | None:
        """Return the next message of the worker."""
        message = await self.control.receive()
        assert message is not None
        return from_worker(message.said)


@asynccontextmanager
async def working() -> AsyncIterator[Supervisor]:
    """Yield the supervisor of a worker that serves."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = parse(configuration(9), "f.yaml")
    listening = Listening({}).fitted(settings)
    log, reader = socket.socketpair()
    with log, reader, ours.dup() as raw, theirs.dup() as of_worker, Writer(log.fileno()) as writer:
        supervisor = Supervisor(Control(ours), raw, of_worker, settings, listening)

        async def run() -> None:
            assert await Worker(Control(theirs), writer, ScoreboardEntry()).run() == 0
            supervisor.ended.set()

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(run)
                assert await supervisor.hear() == Up()
                await supervisor.configure("serve")
                assert await supervisor.hear() == Serving()
                yield supervisor
                nursery.cancel_scope.cancel()
        finally:
            supervisor.control.close()
            listening.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_an_order_whose_sockets_are_lost_is_refused_and_the_next_one_is_carried_out() -> None:
    async with working() as supervisor:
        # As the kernel does it for a process without free descriptors: the message says two, and one has come.
        body = b'{"do": "reload"}'
        one = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [supervisor.raw.fileno()]))]
        supervisor.raw.sendmsg([struct.pack("!II", len(body), 2) + body], one)
        assert await supervisor.hear() == Refused(why="[Errno 24] Too many open files: 1 of 2 sockets have come")
        await supervisor.control.send(SendStatus().said())
        assert isinstance(await supervisor.hear(), StatusReport)


async def test_a_worker_serves_at_other_sockets_again_and_again() -> None:
    async with working() as supervisor:
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.1"):
            before = supervisor.listening
            supervisor.settings = parse(configuration(9).replace("127.0.0.1:0", f"{host}:0"), "f.yaml")
            supervisor.listening = before.fitted(supervisor.settings)
            before.close_what_is_not_in(supervisor.listening)
            await supervisor.configure("reload")
            assert await supervisor.hear() == Serving()
        supervisor.listening.close()


async def test_a_refused_configuration_leaves_no_socket_open() -> None:
    async with working() as supervisor:
        gc.collect()  # sockets of the test before
        before = len(os.listdir("/proc/self/fd"))
        await supervisor.configure("reload", "version: 2\n")
        refused = await supervisor.hear()
        assert isinstance(refused, Refused)
        assert "version: 2 is not a version" in refused.why
        assert len(os.listdir("/proc/self/fd")) == before


async def test_the_last_report_may_take_a_second(autojump_clock: MockClock) -> None:
    async with working() as supervisor:
        supervisor.of_worker.setblocking(False)
        with suppress(BlockingIOError):  # the supervisor reads nothing any more
            while True:
                supervisor.of_worker.send(bytes(65536))
        begun = trio.current_time()
        await supervisor.control.send(End().said())
        await supervisor.ended.wait()
        assert trio.current_time() == begun + 1


async def test_a_worker_that_gets_no_order_after_a_signal_drains_three_seconds_later(autojump_clock: MockClock) -> None:
    async with working() as supervisor:
        begun = trio.current_time()
        signal.raise_signal(signal.SIGTERM)
        assert await supervisor.hear() == ToldToEnd()
        assert isinstance(await supervisor.hear(), StatusReport)
        await supervisor.ended.wait()
        assert trio.current_time() == begun + 3


def test_the_cpu_time_of_a_process_that_has_ended_is_zero() -> None:
    assert cpu_seconds(os.getpid()) > 0
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert cpu_seconds(process.pid) == 0
