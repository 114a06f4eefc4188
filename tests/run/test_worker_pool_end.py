"""The end of workers, in virtual time: nobody waits for one that has nothing to end, or that ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from wsgateway.errors import Reason, StartError
from wsgateway.run.worker_pool import WorkerPool

from .worker_pools import Script, Worker, generation, good, hands, serving_for, stuck

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


@pytest.mark.parametrize(("how", "seconds"), ENDS.values(), ids=ENDS)
async def test_a_start_is_over_when_the_pool_ends_meanwhile(
    how: End, seconds: float, autojump_clock: MockClock
) -> None:
    with trio.fail_after(60):
        async with hands(good, stuck) as its:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(its.start, 2)
                await trio.sleep(5)
                await how(its.worker_pool)
            assert trio.current_time() == 5 + seconds


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


async def test_a_worker_that_takes_no_configuration_is_killed(autojump_clock: MockClock) -> None:
    async def deaf(worker: Worker) -> int:
        await worker.say("up")
        return await stuck(worker)

    large = generation()
    large = replace(large, made=replace(large.made, packed=bytes(8 * 1024 * 1024)))  # more than a socket takes
    async with hands(deaf) as its:
        with pytest.raises(StartError, match=r"^worker 1: no answer within 30 s$"):
            await its.worker_pool.start(large)


# -- a worker that drains, and others that go on -------------------------------------------------------------------


def draining(worker_is_told: bool) -> Script:
    """Return a script of a worker that drains for a minute: when the supervisor says so, or for a signal after it."""

    async def drains(worker: Worker) -> int:
        await worker.say("up")
        while (order := await worker.order()) != "drain":
            await worker.answer(order)
            if not worker_is_told:
                await worker.say("told to end")
        with trio.move_on_after(60):
            while await worker.order() == "reload":
                await worker.say("refused", reason=Reason.GATEWAY_STOPPING.value, why="this process ends")
        return 0

    return drains


async def test_a_worker_that_is_not_needed_any_more_hinders_no_other_reload(autojump_clock: MockClock) -> None:
    async with hands(good, draining(worker_is_told=True)) as its:
        await its.start(workers=2)
        await its.worker_pool.change(generation(workers=1))
        await its.worker_pool.change(generation(workers=1))
        assert [worker.heard[-1] for worker in its.workers] == ["reload", "reload"]
        assert its.workers[1].code is None


async def test_a_worker_that_drains_alone_after_a_signal_hinders_no_reload(autojump_clock: MockClock) -> None:
    async with hands(good, [draining(worker_is_told=False), good]) as its:
        await its.start(workers=2)
        await trio.sleep(5)
        await its.worker_pool.change(generation(workers=2))
        assert [worker.heard[-1] for worker in its.workers] == ["reload", "reload"]
        await its.lines.nth("worker serves", 3)
        assert its.workers[2].heard == ["serve"]
