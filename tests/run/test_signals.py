"""Signals that come to all processes of a gateway at once, as systemd sends them to those of a service."""

import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.backends import websockets_server
from tests.openings import BY_DIALECT
from tests.processes import GatewayProcess, session
from tests.support import Upstream, configuration

from .gateways import PLAIN, Numbers, send_back, supervised, whole
from .worker_pools import Worker, good, hands

MODERN = BY_DIALECT["rfc6455"]


async def test_a_worker_that_gets_sigterm_with_its_supervisor_serves_until_the_supervisor_drains_it(
    file: Path,
) -> None:
    async with Upstream() as upstream:
        text = whole(upstream.port, shutdown="delay: 15s, spread: none")
        async with supervised(file, text) as gateway:
            client = await gateway.connect(MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            [pid] = await gateway.pids()
            begun = trio.current_time()
            gateway.signal(signal.SIGTERM)
            for _ in range(3):
                os.kill(pid, signal.SIGTERM)
                await trio.sleep(0.2)
            await gateway.lines.line("stopping")
            # Longer than a worker waits for a word.
            with trio.move_on_after(4 - (trio.current_time() - begun)):
                await gateway.ended.wait()
            assert await gateway.pids() == [pid]
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 426 ")
            assert await client.exactly(len(MODERN.goodbye)) == MODERN.goodbye
            assert trio.current_time() - begun >= 15
            await client.close()
            await behind.close()
            await gateway.ended.wait()


async def test_a_worker_that_alone_gets_sigterm_drains_and_is_replaced(file: Path) -> None:
    async with (
        websockets_server(send_back) as upstream,
        supervised(file, whole(upstream)) as gateway,
        trio.open_nursery() as nursery,
    ):
        client = Numbers(await gateway.port())
        nursery.start_soon(client.run)
        await client.more()
        [pid] = await gateway.pids()
        os.kill(pid, signal.SIGTERM)
        await client.done.wait()
        assert client.goodbye == 1012
        await gateway.lines.line("worker ended", how="with status 0")
        await gateway.lines.nth("worker serves", 2)


def test_workers_of_a_supervisor_that_hangs_close_their_sessions_properly(tmp_path: Path) -> None:
    with ExitStack() as stack:
        clients = []
        # SIGABRT is what systemd sends to a service whose watchdog was not fed.
        for number in (signal.SIGTERM, signal.SIGABRT):
            upstream = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            text = configuration(upstream.getsockname()[1])
            process = stack.enter_context(GatewayProcess(tmp_path / f"{number.name}.yaml", text))
            pid = int(process.find_line(r'event="worker serves" .*pid=(\d+)')[1])
            client, behind = stack.enter_context(session(process.address(), upstream, MODERN))
            process.signal(signal.SIGSTOP)
            os.kill(pid, number)
            clients.append((process, client, behind))
        for process, client, behind in clients:
            assert client.recv(4) == MODERN.goodbye
            behind.close()
            client.close()
            process.find_line("event=drained")
            process.signal(signal.SIGKILL)
            process.wait()


def test_workers_of_a_killed_supervisor_close_their_sessions_properly_at_any_signal(file: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as upstream,
        GatewayProcess(file, configuration(upstream.getsockname()[1])) as process,
    ):
        pid = int(process.find_line(r'event="worker serves" .*pid=(\d+)')[1])
        with session(process.address(), upstream, MODERN) as (client, behind):
            process.signal(signal.SIGKILL)
            os.kill(pid, signal.SIGTERM)
            assert client.recv(4) == MODERN.goodbye
            behind.close()
        process.find_line("event=session .*by=gateway reason=gateway-stopping why=stopped")
        process.wait()


@pytest.mark.parametrize(("draining", "word"), [(False, "drain"), (True, "stay")])
async def test_a_worker_gets_its_order_when_the_supervisor_has_had_time_for_its_own_signal(
    draining: bool, word: str, autojump_clock: MockClock
) -> None:
    heard: list[tuple[str, float]] = []

    async def told(worker: Worker) -> int:
        await worker.say("up")
        await worker.answer(await worker.order())
        await worker.say("told to end")
        begun = trio.current_time()
        heard.append((await worker.order(), trio.current_time() - begun))
        return await good(worker)

    async with hands(told) as its:
        await its.start()
        await trio.sleep(0.4)
        its.worker_pool.draining = draining
        await trio.sleep(1)
        assert heard == [(word, 0.5)]
