"""The end of a worker pool, in virtual time: nobody is waited for who has nothing to end."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from wsgateway.run.worker_pool import WorkerPool

from .worker_pools import hands, serving_for, stuck

End = Callable[[WorkerPool], Awaitable[None]]


async def drain(pool: WorkerPool) -> None:
    await pool.drain(others_accept=False)


async def end(pool: WorkerPool) -> None:
    pool.end()


ENDS: dict[str, tuple[End, float]] = {"drain": (drain, 0.0), "end at once": (end, 1.0)}


@pytest.mark.parametrize(("how", "seconds"), ENDS.values(), ids=ENDS)
async def test_a_worker_that_is_starting_is_killed(how: End, seconds: float, autojump_clock: MockClock) -> None:
    async with hands([serving_for(1), stuck]) as its:
        await its.start()
        await trio.sleep(5)
        await how(its.worker_pool)
        await its.worker_pool.ended()
        assert trio.current_time() == 5 + seconds
        assert [worker.code for worker in its.workers] == [3, -9]


@pytest.mark.parametrize("how", [drain, end])
async def test_the_pause_before_the_next_start_of_a_worker_is_over(how: End, autojump_clock: MockClock) -> None:
    async with hands(serving_for(1)) as its:
        await its.start()
        await its.lines.line("worker ended", again_in_seconds=16.0)
        begun, workers = trio.current_time(), len(its.workers)
        await how(its.worker_pool)
        await its.worker_pool.ended()
        assert trio.current_time() == begun
        assert len(its.workers) == workers
