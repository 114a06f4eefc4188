"""Workers that end while clients use them: they are replaced, and clients of other workers notice nothing."""

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.processes import GatewayProcess, session
from tests.support import Upstream, configuration
from wsgateway.run.slot import LONGEST_PAUSE_SECONDS, pause_seconds
from wsgateway.run.worker_pool import StartError

from .gateways import PLAIN, Gateway, started, supervised, whole

MODERN = BY_DIALECT["rfc6455"]


async def session_at(
    gateway: Gateway, upstream: Upstream, worker: int, others: list[int]
) -> tuple[trio.SocketStream, Peer]:
    """Open a session that this worker accepts, as the others are stopped meanwhile."""
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    client = await gateway.connect(MODERN.request)
    behind, _ = await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    for pid in others:
        os.kill(pid, signal.SIGCONT)
    return client.stream, behind


class Stream:
    """Clients that connect one after the other, none of which may be refused."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._came = 0
        self._news = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        while True:
            async with await trio.open_tcp_stream("127.0.0.1", self._port) as client:
                with suppress(trio.BrokenResourceError):  # the worker that had accepted it may be lost
                    await client.send_all(PLAIN)
                    await client.receive_some()
            self._came += 1
            self._news.unpark_all()

    async def more(self, number: int) -> None:
        """Wait until so many more clients were served."""
        goal = self._came + number
        while self._came < goal:
            await self._news.park()


async def test_a_killed_worker_ends_its_own_sessions_alone_and_no_client_is_refused(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port, 2)) as gateway:
        one, two = await gateway.pids()
        lost = [await session_at(gateway, upstream, one, [two]) for _ in range(3)]
        kept = [await session_at(gateway, upstream, two, [one]) for _ in range(3)]

        async with trio.open_nursery() as nursery:
            stream = Stream(await gateway.port())
            for _ in range(4):
                nursery.start_soon(stream.run)
            await stream.more(20)
            os.kill(one, signal.SIGKILL)
            await gateway.lines.line("worker ended", worker=1, how="by SIGKILL", again_in_seconds=0.0)
            await gateway.lines.nth("worker serves", 3)
            await stream.more(20)
            nursery.cancel_scope.cancel()

        for client, _ in lost:
            assert await client.receive_some() == b""
        for client, behind in kept:
            await client.send_all(MODERN.hello)
            assert await behind.frame() == (0x81, b"Hello")
        status = await gateway.status()
        assert [worker["restarts"] for worker in status["workers"]] == [1, 0]
        assert [worker["state"] for worker in status["workers"]] == ["serving", "serving"]
        assert status["workers"][1]["pid"] == two


async def test_a_worker_that_hangs_is_killed_and_replaced(file: Path) -> None:
    async with supervised(file, whole(9), hung_seconds=5.0) as gateway:
        [pid] = await gateway.pids()
        os.kill(pid, signal.SIGSTOP)
        await gateway.lines.line("worker hangs", worker=1, pid=pid)
        await gateway.lines.line("worker ended", how="by SIGKILL")
        await gateway.lines.nth("worker serves", 2)
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0), (1, 0), (2, 0.25), (3, 0.5), (4, 1), (8, 16), (9, 30), (10_000, 30)]
)
def test_the_pause_before_a_new_start_grows_up_to_a_bound(deaths: int, seconds: float) -> None:
    assert pause_seconds(deaths) == seconds <= LONGEST_PAUSE_SECONDS


async def test_a_worker_that_dies_again_and_again_is_started_after_growing_pauses(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        for at, pause in enumerate([0.0, 0.25, 0.5], 1):
            os.kill((await gateway.lines.nth("worker serves", at))["pid"], signal.SIGKILL)
            await gateway.lines.line("worker ended", worker=1, how="by SIGKILL", again_in_seconds=pause)
        _, body = await gateway.ask("/health/ready")
        assert body == b"not serving: worker 1 ended by SIGKILL\n"
        assert (await gateway.status())["restarts"] == 3


async def test_a_gateway_whose_workers_cannot_come_up_does_not_come_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers that no interpreter runs.
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    async with started(file, whole(9, 2)) as gateway:
        await gateway.ended.wait()
    assert isinstance(gateway.failure, StartError)
    # Whichever is the first.
    assert str(gateway.failure)[len("worker 1") :] == " ended before it served: with status 1"
    assert not gateway.count("listening")


async def test_a_process_that_the_system_does_not_start_is_one_that_fails_and_is_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = "it cannot be started: No such file or directory"
    async with supervised(file, whole(9)) as gateway:
        [pid] = await gateway.pids()
        before = len(os.listdir("/proc/self/fd"))
        with monkeypatch.context() as without:
            without.setattr(sys, "executable", "/nowhere/python")
            os.kill(pid, signal.SIGKILL)
            await gateway.lines.line("worker ended", how=how, again_in_seconds=0.5)
            # The connection to the worker that was killed is closed, and no other one is open.
            assert len(os.listdir("/proc/self/fd")) < before
        await gateway.lines.nth("worker serves", 2)


async def test_a_gateway_for_whom_the_system_starts_no_process_does_not_come_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with started(file, whole(9)) as gateway:
        await gateway.ended.wait()
    why = "worker 1 ended before it served: it cannot be started: No such file or directory"
    assert str(gateway.failure) == why


async def test_a_gateway_whose_workers_all_fail_ends_with_status_1(
    file: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgateway.run.worker_pool.MOST_FAILED_STARTS", 1)
    ca = file.with_name("ca.pem")
    ca.write_bytes(authority.file.read_bytes())
    target = f"tls: {{ca: {ca}}}"
    async with supervised(file, whole(9, url="wss://127.0.0.1", target=target)) as gateway:
        [pid] = await gateway.pids()
        ca.unlink()
        os.kill(pid, signal.SIGKILL)
        await gateway.lines.line("given up")
        await gateway.ended.wait()
        assert isinstance(gateway.failure, StartError)
        assert str(gateway.failure).startswith("no worker serves, and 1 starts failed: worker 1: ")
        assert str(gateway.failure).endswith(f"{str(ca)!r} cannot be read: No such file or directory")


def test_workers_without_a_supervisor_drain(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        text = configuration(upstream.getsockname()[1])
        with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
            address = process.address()
            with session(address, upstream, MODERN) as (client, behind):
                process.signal(signal.SIGKILL)
                assert client.recv(4) == MODERN.goodbye
                behind.close()
            process.find_line("event=session .*by=gateway reason=gateway-stopping why=stopped")
            # Its output ends with its last process.
            assert process.wait() == -signal.SIGKILL
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_the_signals_of_a_terminal_are_ignored_by_a_worker(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        [pid] = await gateway.pids()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(pid, number)
        await wait_all_tasks_blocked()
        assert await gateway.pids() == [pid]
        assert not gateway.count("worker ended")
