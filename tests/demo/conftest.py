"""The servers of the demo on loopback, new ones for each test. A bug that they log fails the test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.page.conftest import devtools, tab
from wsgateway.demo.program import Demo
from wsgateway.demo.upstream import DemoUpstream
from wsgateway.observe.log import Log, make_log
from wsgateway.observe.writer import STANDARD_ERROR, Writer
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import Address
from wsgateway.settings.process import Logging

__all__ = ["devtools", "tab"]

LOOPBACK = Address("127.0.0.1", 0)
# More than anything here needs on a busy machine, and few enough that a hang is not mistaken for work.
PATIENCE_SECONDS = 30.0


async def relay_timeouts() -> None:
    """Run a task beside a test. If it fails, the test ends, too."""
    await trio.sleep(PATIENCE_SECONDS)
    raise AssertionError(f"not done within {PATIENCE_SECONDS:g} s")


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    yield make_log(Logging("error"), Writer(STANDARD_ERROR))
    assert "bug" not in capsys.readouterr().err


@asynccontextmanager
async def serving(upstream: DemoUpstream, send_bytes: int | None = None) -> AsyncIterator[str]:
    """Yield the address of an upstream that serves. The kernel keeps `send_bytes` for a client that does not read."""
    (listener,) = listen(LOOPBACK)
    with listener:
        if send_bytes is not None:
            listener.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, send_bytes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(relay_timeouts)
            nursery.start_soon(upstream.serve, listener)
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}"
            nursery.cancel_scope.cancel()


@pytest.fixture
async def upstream(log: Log) -> AsyncIterator[str]:
    async with serving(DemoUpstream(log)) as address:
        yield address


@pytest.fixture
async def demo(log: Log) -> AsyncIterator[Demo]:
    demo = Demo(0, log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(relay_timeouts)
        serves = trio.Event()
        nursery.start_soon(demo.run, lambda _: serves.set())
        await serves.wait()
        yield demo
        nursery.cancel_scope.cancel()
