"""Workers that die, hang, or are slow, and what the worker pool does: in virtual time, with scripts as workers."""

import pytest
import trio
from trio.testing import MockClock

from tests.support import configuration
from wsgateway.errors import Reason
from wsgateway.run.worker_pool import StartError

from .worker_pools import Script, Worker, bad, generation, good, hands, serving_for, stuck

# Of the supervisor, for its workers.
ANSWER_SECONDS, LONGEST_ANSWER_SECONDS, LATE_TURN_SECONDS, HUNG_WORKER_SECONDS = 30.0, 600.0, 5.0, 20.0
MOST_FAILED_STARTS = 10


def after(seconds: float, script: Script) -> Script:
    """Return a script that begins so many seconds later."""

    async def late(worker: Worker) -> int:
        await trio.sleep(seconds)
        return await script(worker)

    return late


# -- the start ---------------------------------------------------------------------------------------------------


async def test_the_start_fails_at_once_if_a_worker_dies_while_the_first_one_is_still_starting(
    autojump_clock: MockClock,
) -> None:
    async with hands(stuck, bad) as its:
        with pytest.raises(StartError, match=r"^worker 2 ended before it served: with status 3$"):
            await its.start(workers=2)
        # The first one, which is told to end and does not, has a second for it.
        assert trio.current_time() == 1
        assert len(its.workers) == 2
        assert its.lines.entries == []


async def test_a_worker_that_dies_after_it_has_served_fails_the_start_too(autojump_clock: MockClock) -> None:
    async with hands(after(5, good), serving_for(1)) as its:
        with pytest.raises(StartError, match=r"^worker 2 ended before all workers served: with status 3$"):
            await its.start(workers=2)
        assert trio.current_time() == 2
        assert len(its.workers) == 2


async def test_a_start_that_makes_progress_gets_more_time(autojump_clock: MockClock) -> None:
    async def starved(worker: Worker) -> int:
        for _ in range(10):
            await trio.sleep(ANSWER_SECONDS - 1)
            worker.cpu_seconds += 0.002
        return await good(worker)

    async with hands(starved) as its:
        await its.start()
        assert trio.current_time() == 10 * (ANSWER_SECONDS - 1)


async def test_a_worker_that_closes_its_connection_and_does_not_end_is_killed(autojump_clock: MockClock) -> None:
    async def hangs_up(worker: Worker) -> int:
        worker.line.close()
        await trio.sleep_forever()
        return 0

    async with hands(hangs_up) as its:
        with pytest.raises(StartError, match=r"^worker 1 ended before it served: by SIGKILL$"):
            await its.start()
        assert trio.current_time() == 1


async def test_a_start_that_makes_no_progress_is_killed(autojump_clock: MockClock) -> None:
    async with hands(stuck) as its:
        with pytest.raises(StartError, match=r"^worker 1: no answer within 30 s$"):
            await its.start()
        assert trio.current_time() == ANSWER_SECONDS


async def test_a_start_that_makes_progress_for_ever_is_killed(autojump_clock: MockClock) -> None:
    async def busy(worker: Worker) -> int:
        while True:
            await trio.sleep(1)
            worker.cpu_seconds += 1

    async with hands(busy) as its:
        with pytest.raises(StartError, match=r"^worker 1: no answer within 600 s$"):
            await its.start()
        assert trio.current_time() == LONGEST_ANSWER_SECONDS


# -- looks -------------------------------------------------------------------------------------------------------


async def deaf(worker: Worker) -> int:
    """Serve, and answer no other order."""
    await worker.say("up")
    await worker.order()
    await worker.say("serving")
    await trio.sleep_forever()
    return 0


async def still(worker: Worker) -> int:
    """Answer as a worker whose relay loop has not turned for too long."""
    await worker.say("up")
    while (order := await worker.order()) != "end":
        if order == "report":
            await worker.say("report", age=LATE_TURN_SECONDS + 0.1, status={})
        else:
            await worker.answer(order)
    return 0


@pytest.mark.parametrize("script", [deaf, still])
async def test_a_worker_that_does_not_answer_the_supervisor_in_time_is_killed(
    script: Script, autojump_clock: MockClock
) -> None:
    async with hands(script) as its:
        await its.start()
        assert await its.looked(int(HUNG_WORKER_SECONDS) + 1) == HUNG_WORKER_SECONDS
        assert its.workers[0].code is None
        await its.looked(1)
        assert its.workers[0].code == -9
        [line] = its.lines.every("worker hangs")
        assert (line["worker"], line["seconds"]) == (1, HUNG_WORKER_SECONDS + 1)


async def test_a_worker_that_answers_is_not_killed_however_slowly_it_does(autojump_clock: MockClock) -> None:
    async def slow(worker: Worker) -> int:
        await worker.say("up")
        while (order := await worker.order()) != "end":
            await trio.sleep(HUNG_WORKER_SECONDS - 2 if order == "report" else 0)
            await worker.answer(order)
        return 0

    async with hands(slow) as its:
        await its.start()
        await its.looked(200)
        assert its.workers[0].code is None


async def test_a_supervisor_that_looks_late_counts_the_silence_of_workers_anew(autojump_clock: MockClock) -> None:
    async with hands(deaf) as its:
        await its.start()
        await its.looked(int(HUNG_WORKER_SECONDS))
        # All were frozen: the supervisor, too.
        due = trio.current_time()
        await trio.sleep(25)
        assert its.worker_pool.check(due) == 0
        await trio.sleep(1)
        assert await its.looked(int(HUNG_WORKER_SECONDS)) == HUNG_WORKER_SECONDS
        assert its.workers[0].code is None
        await its.looked(1)
        assert its.workers[0].code == -9


async def test_a_look_that_is_a_second_late_counts_and_one_that_is_later_does_not(autojump_clock: MockClock) -> None:
    async with hands(deaf) as its:
        await its.start()
        await its.looked(2)
        for late, silent in ((1.0, 3.0), (1.1, 0.0)):
            due = trio.current_time()
            await trio.sleep(late)
            assert its.worker_pool.check(due) == silent


# -- deaths ------------------------------------------------------------------------------------------------------


async def pauses(scripts: list[Script], count: int) -> list[float]:
    """Return how long the worker pool waits before each next start."""
    async with hands(scripts) as its:
        await its.start()
        return [line["again_in_seconds"] for line in await its.lines.enough("worker ended", count)]


async def test_a_worker_that_lives_long_and_never_serves_is_started_after_growing_pauses(
    autojump_clock: MockClock,
) -> None:
    assert await pauses([serving_for(60), after(29, bad)], 5) == [0, 0.25, 0.5, 1, 2]


async def test_a_worker_that_has_served_for_a_while_is_started_at_once(autojump_clock: MockClock) -> None:
    assert await pauses([serving_for(10)], 3) == [0, 0, 0]


async def test_a_worker_that_serves_for_a_moment_is_started_after_growing_pauses(autojump_clock: MockClock) -> None:
    assert await pauses([serving_for(9.9)], 4) == [0, 0.25, 0.5, 1]


async def test_when_no_worker_serves_the_status_and_the_log_say_why(autojump_clock: MockClock) -> None:
    async with hands([serving_for(1), bad, bad, good]) as its:
        await its.start()
        assert its.worker_pool.status()["not_serving"] is None
        await its.lines.line("not serving", why="worker 1 ended with status 3")
        assert its.worker_pool.status()["not_serving"] == "worker 1 ended with status 3"
        assert not its.worker_pool.ready
        await its.lines.line("serving again")
        assert its.worker_pool.status()["not_serving"] is None
        assert its.worker_pool.ready
        assert len(its.lines.every("not serving")) == 1


async def test_a_worker_that_dies_instead_of_a_report_delays_no_status(autojump_clock: MockClock) -> None:
    async def dies(worker: Worker) -> int:
        await worker.say("up")
        while (order := await worker.order()) != "report":
            await worker.answer(order)
        return 3

    async with hands([dies, good]) as its:
        await its.start()
        await its.worker_pool.report()
        assert trio.current_time() == 0


async def test_a_worker_that_sends_no_report_delays_the_status_by_a_second(autojump_clock: MockClock) -> None:
    async with hands(good, deaf) as its:
        await its.start(workers=2)
        await its.worker_pool.report()
        assert trio.current_time() == 1
        told = [worker["status"] for worker in its.worker_pool.status()["workers"]]
        assert told == [{"sessions": {"rfc6455": {"all": 0}}}, {}]


async def test_counts_of_a_dead_worker_for_a_target_are_removed_with_the_target(autojump_clock: MockClock) -> None:
    async def counts(worker: Worker) -> int:
        await worker.say("up")
        await worker.answer(await worker.order())
        pools = {"behind": {"served": {"ws://127.0.0.1:9": 3, "ws://127.0.0.1:8": 4}}}
        await worker.say("report", age=0.0, status={"pools": pools})
        return 3

    async with hands([counts, good]) as its:
        await its.start()
        await its.lines.line("worker serves", pid=2)
        served = its.worker_pool.status()["gateway"]["pools"]["behind"]["served"]
        assert served == {"ws://127.0.0.1:9": 3, "ws://127.0.0.1:8": 4}
        await its.worker_pool.change(generation())
        served = its.worker_pool.status()["gateway"]["pools"]["behind"]["served"]
        assert served == {"ws://127.0.0.1:9": 3}


async def test_the_worker_pool_gives_up_when_ten_starts_have_failed(autojump_clock: MockClock) -> None:
    async with hands([serving_for(1), bad]) as its:
        await its.start()
        await its.worker_pool.ended()
        assert len(its.workers) == 1 + MOST_FAILED_STARTS
        why = "no worker serves, and 10 starts failed: worker 1 ended with status 3"
        assert str(its.worker_pool.failure) == why
        assert its.lines.every("given up")[0]["why"] == why
        # 0, 0.25, 0.5, 1, 2, 4, 8, 16 and 30 seconds, and again 30: pauses grow up to a bound.
        assert trio.current_time() == pytest.approx(1 + 0.25 + 0.5 + 1 + 2 + 4 + 8 + 16 + 30 + 30)


async def test_a_worker_that_serves_in_between_resets_the_count_of_its_failed_starts(autojump_clock: MockClock) -> None:
    async with hands([serving_for(1), *[bad] * 9, serving_for(1), *[bad] * 9, good]) as its:
        await its.start()
        await its.lines.nth("serving again", 2)
        assert its.worker_pool.failure is None


async def test_a_worker_that_serves_in_between_resets_the_count_of_all_failed_starts(autojump_clock: MockClock) -> None:
    async with hands([serving_for(1), *[bad] * 5, serving_for(1), bad], [serving_for(1), bad]) as its:
        await its.start(workers=2)
        await its.worker_pool.ended()
        # Once at the start, so often until the first one served again, and ten times since.
        assert sum(worker.number == 2 for worker in its.workers) == 1 + 6 + MOST_FAILED_STARTS


async def test_while_another_worker_serves_the_worker_pool_does_not_give_up(autojump_clock: MockClock) -> None:
    async with hands(good, [serving_for(1), bad]) as its:
        await its.start(workers=2)
        await its.lines.enough("worker ended", 1 + 2 * MOST_FAILED_STARTS)
        assert its.worker_pool.failure is None
        assert its.worker_pool.status()["not_serving"] is None


async def test_while_a_draining_worker_has_sessions_the_worker_pool_does_not_give_up(autojump_clock: MockClock) -> None:
    async def drains(worker: Worker) -> int:
        await worker.say("up")
        while (order := await worker.order()) != "drain":
            await worker.answer(order)
        await trio.sleep(600)
        return 0

    async with hands([serving_for(100), bad], drains) as its:
        await its.start(workers=2)
        await its.worker_pool.change(generation(workers=1))
        [drained] = [worker for worker in its.workers if worker.number == 2]
        await drained.wait()
        assert its.worker_pool.failure is None
        assert len(its.lines.every("worker ended")) > MOST_FAILED_STARTS
        await its.worker_pool.ended()
        assert its.worker_pool.failure is not None


# -- changes that not all take -----------------------------------------------------------------------------------

NEW = configuration(9, path="/new")


def reloading(*answers: str) -> Script:
    """Return a script of a worker with these answers to reloads: serving, refused, or dies."""

    async def answers_so(worker: Worker) -> int:
        left = list(answers)
        await worker.say("up")
        while (order := await worker.order()) != "end":
            match left.pop(0) if order == "reload" else "":
                case "refused":
                    await worker.say("refused", why="no room")
                case "dies":
                    return 3
                case _:
                    await worker.answer(order)
        return 0

    return answers_so


async def test_a_change_that_one_worker_refuses_is_undone_by_those_that_made_it(autojump_clock: MockClock) -> None:
    async with hands(reloading("serving", "serving"), reloading("refused"), reloading()) as its:
        await its.start(workers=3)
        with pytest.raises(StartError, match=r"^no room$"):
            await its.worker_pool.change(generation(3, NEW))
        heard = {worker.number: worker.heard for worker in its.workers}
        assert heard == {1: ["serve", "reload", "reload"], 2: ["serve", "reload"], 3: ["serve"]}
        assert not its.lines.every("reload not undone")


async def test_a_worker_that_does_not_undo_a_change_is_reported(autojump_clock: MockClock) -> None:
    async with hands(reloading("serving", "refused"), reloading("refused")) as its:
        await its.start(workers=2)
        with pytest.raises(StartError, match=r"^no room$"):
            await its.worker_pool.change(generation(2, NEW))
        assert its.lines.every("reload not undone") == [
            {
                "level": "error",
                "event": "reload not undone",
                "pid": its.pid(1),
                **Reason.WORKER_FAILED.facts,
                "why": "no room",
            }
        ]


async def test_a_worker_that_dies_while_it_undoes_a_change_is_started_with_the_old_configuration(
    autojump_clock: MockClock,
) -> None:
    told: list[str] = []

    async def fresh(worker: Worker) -> int:
        await worker.say("up")
        message = await worker.line.receive()
        assert message is not None
        told.append(message.said["text"])
        await worker.say("serving")
        return await good(worker)

    async with hands([reloading("serving", "dies"), fresh], reloading("refused")) as its:
        await its.start(workers=2)
        with pytest.raises(StartError, match=r"^no room$"):
            await its.worker_pool.change(generation(2, NEW))
        assert not its.lines.every("reload not undone")
        await its.lines.line("worker ended", worker=1)
        await its.lines.nth("worker serves", 3)
        assert told == [configuration(9)]


async def test_a_worker_that_dies_during_a_change_is_started_with_the_new_configuration(
    autojump_clock: MockClock,
) -> None:
    async with hands([reloading("dies"), good], good) as its:
        await its.start(workers=2)
        await its.worker_pool.change(generation(2, NEW))
        await its.lines.nth("worker serves", 3)
        assert its.workers[-1].heard == ["serve"]


async def test_a_worker_that_is_starting_gets_a_change_when_it_serves(autojump_clock: MockClock) -> None:
    async with hands(good, [serving_for(1), after(5, good)]) as its:
        await its.start(workers=2)
        await its.lines.line("worker ended", worker=2)
        await its.worker_pool.change(generation(2, NEW))
        # Nobody waits for it.
        assert trio.current_time() == 1
        await its.lines.nth("worker serves", 3)
        assert its.workers[-1].heard == ["serve"]
