"""The census of a gateway over its end, by whatever cause, and while its file cannot be written."""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.processes import GatewayProcess, session
from tests.support import PATIENCE_SECONDS, Upstream, configuration
from wsgateway.census.store import read
from wsgateway.errors import CensusError
from wsgateway.run.gateway import Gateway as OwnGateway
from wsgateway.settings.load import parse

from .gateways import end, supervised, whole
from .test_census import known

OLD = BY_DIALECT["hixie-76"]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "census.sqlite")


def sessions(path: str) -> tuple[int, int]:
    """Return how many sessions of hixie-76 a file has in all, and how many open ones; 0 for a file without any."""
    try:
        rows = read(path).rows
    except CensusError:  # it is being made
        return 0, 0
    found = [(row.sessions, row.open) for row in rows if (row.dialect, row.dimension) == ("hixie-76", "dialect")]
    return found[0] if found else (0, 0)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def text(upstream: socket.socket, path: str) -> str:
    return f"{configuration(upstream.getsockname()[1])}census: {{file: {path}}}\n"


def test_a_killed_gateway_keeps_its_census_and_has_no_open_sessions_at_the_next_start(file: Path, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        with GatewayProcess(file, text(upstream, path)) as gateway, session(gateway.address(), upstream, OLD):
            until(lambda: sessions(path) == (1, 1))
            os.kill(gateway.pid, signal.SIGKILL)
            gateway.wait()
        assert sessions(path) == (1, 1)
        with GatewayProcess(file, text(upstream, path)) as gateway:
            gateway.find_line("event=listening")
            until(lambda: sessions(path) == (1, 0))


def test_a_gateway_that_ends_writes_what_its_workers_have_counted_last(file: Path, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        with GatewayProcess(file, text(upstream, path)) as gateway:
            with session(gateway.address(), upstream, OLD):
                pass
            gateway.find_line("event=session ")
            os.kill(gateway.pid, signal.SIGTERM)
            assert gateway.wait() == 0
        assert sessions(path) == (1, 0)


async def test_a_gateway_inside_a_program_that_is_cancelled_writes_what_it_has_counted_last(path: str) -> None:
    async with Upstream() as upstream:
        settings = parse(f"{configuration(upstream.port)}census: {{file: {path}}}\n", "settings")
        async with trio.open_nursery() as nursery:
            address = (await nursery.start(OwnGateway(settings).serve))["public"][0]
            async with await trio.open_tcp_stream(address.host, address.port) as stream:
                client = Peer(stream)
                await client.send(OLD.request)
                await upstream.agree()
                await OLD.accepted(client)
                nursery.cancel_scope.cancel()
        assert sessions(path) == (1, 0)


def test_a_disk_that_takes_nothing_more_stops_no_client_and_is_said(file: Path, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream, GatewayProcess(file, text(upstream, path)) as gateway:
        address = gateway.address()
        gateway.find_line('event="census opened"')
        _, most = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, most))
        with session(address, upstream, OLD):
            gateway.find_line('level=warning event="census not written"')
        with session(address, upstream, OLD):
            resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (most, most))
            gateway.find_line('event="census written again"')
            until(lambda: sessions(path) == (2, 1))


@pytest.mark.parametrize("kept", ["in a file", "in memory"])
async def test_a_hot_restart_hands_the_census_over_and_counts_sessions_of_the_old_gateway(
    file: Path, path: str, kept: str
) -> None:
    async with Upstream() as upstream:
        options = whole(upstream.port, timeouts="close: 60s", shutdown="spread: none, drain: 60s")
        census = f"census: {{file: {path if kept == 'in a file' else 'none'}}}\n"
        async with supervised(file, options + census) as gateway:
            first = await gateway.connect(OLD.request)
            behind, _ = await upstream.agree()
            await OLD.accepted(first)
            await known(gateway, open=1, sessions=1)
            gateway.signal(signal.SIGUSR2)
            new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
            try:
                # The old worker waits for its client to answer the Close.
                found = await known(gateway, open=1, sessions=1)
                assert found["first_seen"] <= found["last_seen"]
                second = await gateway.connect(OLD.request)
                other, _ = await upstream.agree()
                await OLD.accepted(second)
                await known(gateway, open=2, sessions=2)
                for peer in (first, behind):
                    await peer.close()
                await known(gateway, open=1, sessions=2)
                await gateway.ended.wait()
                assert gateway.failure is None
                for peer in (second, other):
                    await peer.close()
                await known(gateway, open=0, sessions=2)
            finally:
                await trio.to_thread.run_sync(end, new_supervisor)
    if kept == "in a file":
        assert sessions(path) == (2, 0)


async def test_the_sessions_of_an_old_supervisor_that_is_killed_are_taken_back(file: Path, path: str) -> None:
    async with Upstream() as upstream:
        options = whole(upstream.port, timeouts="close: 60s", shutdown="spread: none, drain: 60s")
        with GatewayProcess(file, f"{options}census: {{file: {path}}}\n") as gateway:
            host, port = await trio.to_thread.run_sync(gateway.address)
            client: Any = await trio.open_tcp_stream(host, port)
            await client.send_all(OLD.request)
            await upstream.agree()
            await trio.to_thread.run_sync(until, lambda: sessions(path) == (1, 1))
            os.kill(gateway.pid, signal.SIGUSR2)
            line = await trio.to_thread.run_sync(gateway.find_line, r'event="hot restart done" to=(\d+)')
            new_supervisor = int(line[1])
            try:
                assert sessions(path) == (1, 1)
                os.kill(gateway.pid, signal.SIGKILL)
                await trio.to_thread.run_sync(until, lambda: sessions(path) == (1, 0))
            finally:
                os.kill(new_supervisor, signal.SIGTERM)
                await client.aclose()
