"""A supervisor drains its workers, and its admin pages say so."""

import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.backends import websockets_server
from tests.openings import BY_DIALECT
from tests.support import Upstream

from .gateways import PLAIN, Numbers, send_back, started, supervised, whole

MODERN = BY_DIALECT["rfc6455"]


async def test_a_gateway_that_drains_is_not_ready_and_ends_after_the_drain(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port, timeouts="close: 1h")) as gateway:
        client = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()
        assert await gateway.ask("/health/ready") == (200, b"ready\n")
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping", why="SIGTERM")
        assert await gateway.ask("/health/ready") == (503, b"draining\n")
        assert (await gateway.ask("/health/live"))[0] == 200
        await client.close()
        await behind.close()
        await gateway.ended.wait()
        assert gateway.failure is None


async def test_during_the_delay_of_a_drain_the_gateway_is_not_ready_and_serves_all_clients(
    file: Path,
) -> None:
    text = whole(9, shutdown="delay: 1h")
    async with supervised(file, text) as gateway:
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping", why="SIGTERM", delay_seconds=3600.0)
        assert await gateway.ask("/health/ready") == (503, b"draining\n")
        # Also when a worker dies meanwhile.
        os.kill((await gateway.pids())[0], signal.SIGKILL)
        await gateway.lines.nth("worker serves", 2)
        for _ in range(3):
            client = await gateway.connect(PLAIN)
            assert (await client.head()).startswith(b"HTTP/1.1 426 ")
        gateway.signal(signal.SIGHUP)  # it takes no more changes
        # Whoever cannot wait for it need not.
        gateway.signal(signal.SIGINT)
        await gateway.lines.line("ended at once", why="SIGINT")
        await gateway.ended.wait()
        assert gateway.failure is None
        assert not gateway.count("reloaded")


async def test_a_drain_begins_when_its_delay_is_over(file: Path) -> None:
    async with websockets_server(send_back) as upstream:
        text = whole(upstream, shutdown="delay: 300ms, spread: none")
        async with supervised(file, text) as gateway, trio.open_nursery() as nursery:
            client = Numbers(await gateway.port())
            nursery.start_soon(client.run)
            await client.more()
            begun = trio.current_time()
            gateway.signal(signal.SIGTERM)
            await client.done.wait()
            assert client.goodbye == 1012
            await gateway.ended.wait()
            assert trio.current_time() - begun >= 0.3


async def test_a_gateway_that_does_not_serve_yet_ends_without_delay(file: Path) -> None:
    async with started(file, whole(9, shutdown="delay: 1h")) as gateway:
        await wait_all_tasks_blocked()
        gateway.signal(signal.SIGTERM)
        await gateway.ended.wait()
        assert gateway.failure is None


async def test_a_gateway_whose_name_to_listen_on_hangs_in_the_resolver_ends_at_a_signal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving, go_on = threading.Event(), threading.Event()
    getaddrinfo = socket.getaddrinfo

    def slow(host: Any, *rest: Any, **options: Any) -> Any:
        if host == "slow.example":
            resolving.set()
            go_on.wait()
        return getaddrinfo("127.0.0.1", *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    text = whole(9).replace("127.0.0.1:0", "slow.example:0", 1)
    try:
        async with started(file, text) as gateway:
            await trio.to_thread.run_sync(resolving.wait)
            gateway.signal(signal.SIGHUP)  # which waits for its turn
            gateway.signal(signal.SIGTERM)
            await gateway.ended.wait()
            assert gateway.failure is None
            assert gateway.count("stopping") == 1
    finally:
        go_on.set()
