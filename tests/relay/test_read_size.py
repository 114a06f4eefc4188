"""The size of reads: smaller if they take long, so that thousands of empty messages do not make other sessions wait,
and larger again if they do not. The test sets the clock.
"""

import socket

import pytest
import trio

from tests.relay.awaited import relay
from wsgateway.dialects.base import Step
from wsgateway.relay import engine as engine_module
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.engine import Engine
from wsgateway.wire.events import Close

from .passing import CLIENT, UPSTREAM, side
from .sessions import PATIENCE_SECONDS

LEAST_READ_BYTES, MOST_READ_BYTES = 512, 64 * 1024 + 16


class Swallower:
    """A translator that forwards nothing, takes a given time, and records its input."""

    plan = None

    def __init__(self) -> None:
        self.messages = self.heartbeats = 0
        self.now = 0.0
        self.seconds = 0.0
        self.sizes: list[int] = []

    def clock(self) -> float:
        return self.now

    def feed(self, data: bytes) -> Step:
        self.sizes.append(len(data))
        self.now += self.seconds
        return Step(b"")

    def finish(self) -> Step:
        return Step(b"", ending=Close())

    def unfinished(self) -> int:
        return 0

    def inside(self) -> bool:
        return False


async def test_reads_shrink_while_they_take_long_and_grow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    swallower = Swallower()
    monkeypatch.setattr(engine_module, "perf_counter", swallower.clock)
    (client, ours), (theirs, upstream) = socket.socketpair(), socket.socketpair()
    with client, ours, theirs, upstream, trio.fail_after(PATIENCE_SECONDS):
        for sock in (client, ours, theirs, upstream):
            sock.setblocking(False)
        engine = Engine()

        async def give(count: int) -> list[int]:
            """Return the translator's input, read by read, when so many bytes come."""
            swallower.sizes.clear()
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(client.dup()))
            async with stream:
                await stream.send_all(bytes(count))
            while sum(swallower.sizes) < count:
                await trio.lowlevel.checkpoint()
            return swallower.sizes.copy()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            near_client = Endpoint(ours, side("rfc6455", CLIENT), swallower)
            near_upstream = Endpoint(theirs, side("rfc6455", UPSTREAM), Swallower())
            near_client.meet(near_upstream)
            nursery.start_soon(relay, engine, near_client, near_upstream)

            assert max(await give(4 * MOST_READ_BYTES)) == MOST_READ_BYTES
            swallower.seconds = 0.002
            assert (await give(2 * MOST_READ_BYTES))[-2:-1] == [LEAST_READ_BYTES]
            swallower.seconds = 0.0
            sizes = await give(4 * MOST_READ_BYTES)
            assert sizes[:4] == [512, 1024, 2048, 4096]
            assert max(sizes) == MOST_READ_BYTES
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.0, 8000), (0.00019, 8000), (0.0002, 4000), (0.001, 4000), (0.0011, 1000)]
)
def test_reads_grow_below_a_fifth_of_a_millisecond_and_shrink_beyond_one(seconds: float, size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        endpoint = Endpoint(ours, side("rfc6455", CLIENT), Swallower())
        endpoint.read_bytes = 4000
        endpoint.adapt_reads(4000, seconds)
        assert endpoint.read_bytes == size
