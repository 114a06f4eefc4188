"""A stop signal that is sent twice, as `timeout` sends it to a program and to its process group, counts once."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.openings import BY_DIALECT
from tests.support import Upstream
from wsgateway.run.stop_signals import ReceivedSignals

from .gateways import supervised, whole

TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
MODERN = BY_DIALECT["rfc6455"]


async def sent(times: list[tuple[float, signal.Signals]]) -> AsyncIterator[int]:
    """Yield the numbers of signals, each at its time."""
    for at, number in times:
        await trio.sleep_until(at)
        yield int(number)


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        ([(0, TERM)], [TERM]),
        ([(0, TERM), (0.003, TERM)], [TERM]),
        ([(0, INT), (0.003, INT), (0.499, INT)], [INT]),
        ([(0, TERM), (0.5, TERM)], [TERM, TERM]),
        ([(0, TERM), (0.003, TERM), (0.5, TERM), (0.501, TERM)], [TERM, TERM, TERM]),
        # Whoever sends the other one means it.
        ([(0, TERM), (0.003, INT)], [TERM, INT]),
        ([(0, INT), (0.003, TERM), (0.004, TERM)], [INT, TERM, TERM]),
        # Each reload is one.
        ([(0, HUP), (0.001, HUP), (1, TERM), (1.003, TERM), (1.004, HUP)], [HUP, HUP, TERM, HUP]),
    ],
)
async def test_the_first_stop_signal_is_taken_once_within_half_a_second(
    times: list[tuple[float, signal.Signals]], taken: list[signal.Signals], autojump_clock: MockClock
) -> None:
    assert [number async for number in ReceivedSignals(sent(times))] == taken


async def test_a_signal_that_is_sent_twice_skips_no_closing_handshake(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is: the second signal comes in time.
    monkeypatch.setattr("wsgateway.run.stop_signals.SAME_SECONDS", 3600.0)
    async with Upstream() as upstream:
        text = whole(upstream.port, shutdown="spread: none", timeouts="close: 1h")
        async with supervised(file, text) as gateway:
            client = await gateway.connect(MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            for _ in range(2):
                gateway.signal(signal.SIGTERM)
                await gateway.lines.line("stopping", why="SIGTERM")
            assert await client.exactly(len(MODERN.goodbye)) == MODERN.goodbye
            # The mask of zeros leaves the code as it is.
            await client.send(b"\x88\x82\0\0\0\0\x03\xf4")
            assert await behind.frame() == (0x88, b"\x03\xf4")
            await behind.send(b"\x88\x02\x03\xf4")
            assert await client.rest() == b""
            await client.close()
            await behind.close()
            await gateway.ended.wait()
            assert gateway.failure is None
            assert not gateway.count("ended at once")
            assert gateway.count("stopping") == 1
