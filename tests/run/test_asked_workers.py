"""What the supervisor asks its workers: in virtual time, of workers that answer late, in parts, or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from wsgateway.run.messages import Part
from wsgateway.run.process import WorkerProcess
from wsgateway.run.requests import ControlAnswer, Item, refused

from .worker_pools import Script, Worker, hands

PART_SECONDS = 10.0
ASK = {"do": "ask", "number": 1, "command": "sessions", "arguments": {"limit": 1}}
MORE, FORGET = {"do": "more", "number": 1}, {"do": "forget", "number": 1}
LAST = Part(number=1, ok=True, facts={"open": 2})


def answering(heard: list[Any], *parts: tuple[float, Part | None]) -> Script:
    """Return a script of a worker that answers each order with a part so many seconds later; None: it ends."""

    async def answers(worker: Worker) -> int:
        left = list(parts)
        await worker.say("up")
        await worker.answer(await worker.order())
        while True:
            message = await worker.line.receive()
            if message is None or message.said["do"] == "end":
                return 0
            heard.append(message.said)
            if left and message.said["do"] != "forget":
                seconds, part = left.pop(0)
                await trio.sleep(seconds)
                if part is None:
                    return 0
                await worker.line.send(part.said())

    return answers


@asynccontextmanager
async def one(heard: list[Any], *parts: tuple[float, Part | None]) -> AsyncIterator[WorkerProcess]:
    """Yield a worker that serves, and answers so. At the end it has read what it was sent."""
    async with hands(answering(heard, *parts)) as its:
        await its.start()
        [worker] = its.worker_pool.serving()
        yield worker
        await wait_all_tasks_blocked()


async def asked(worker: WorkerProcess, items: list[Item], patient: bool = False) -> ControlAnswer:
    async def send(some: list[Item]) -> None:
        items.extend(some)

    return await worker.ask("sessions", {"limit": 1}, send, patient)


def part(*items: Item) -> Part:
    return Part(number=1, items=list(items))


async def test_an_answer_comes_in_parts_of_which_each_is_asked_for(autojump_clock: MockClock) -> None:
    heard, items = list[Any](), list[Item]()
    late = PART_SECONDS - 1
    async with one(heard, (late, part({"id": "1-1"})), (late, part({"id": "1-2"})), (late, LAST)) as worker:
        assert await asked(worker, items) == ControlAnswer(ok=True, facts={"open": 2})
        assert trio.current_time() == 3 * late
        assert items == [{"id": "1-1"}, {"id": "1-2"}]
    assert heard == [ASK, MORE, MORE]


async def test_a_worker_that_does_not_answer_is_given_up_after_ten_seconds_and_told_so(
    autojump_clock: MockClock,
) -> None:
    for patient in (False, True):
        heard, items, begun = list[Any](), list[Item](), trio.current_time()
        async with one(heard) as worker:
            assert await asked(worker, items, patient) == refused("worker process 1 did not answer within 10 s")
            assert trio.current_time() - begun == 10
            assert not worker.gone
        assert heard == [ASK, FORGET]


async def test_only_who_is_patient_waits_longer_for_the_next_part(autojump_clock: MockClock) -> None:
    first = (0.0, part({"id": "1-1"}))
    heard, items = list[Any](), list[Item]()
    async with one(heard, first, (PART_SECONDS + 1, LAST)) as worker:
        assert not (await asked(worker, items)).ok
        assert trio.current_time() == PART_SECONDS
        await trio.sleep(1)
    assert heard == [ASK, MORE, FORGET]
    heard.clear()
    async with one(heard, first, (1000 * PART_SECONDS, LAST)) as worker:
        assert (await asked(worker, items, patient=True)).ok
    assert heard == [ASK, MORE]
    assert items == [{"id": "1-1"}, {"id": "1-1"}]


async def test_a_worker_is_told_when_nobody_wants_its_answer_any_more(autojump_clock: MockClock) -> None:
    heard = list[Any]()
    async with one(heard, (0.0, part({"id": "1-1"}))) as worker:
        with trio.move_on_after(5):
            await asked(worker, [], patient=True)
    assert heard == [ASK, MORE, FORGET]


async def test_a_worker_that_ends_instead_of_an_answer_is_said_to_have_ended(autojump_clock: MockClock) -> None:
    heard = list[Any]()
    async with one(heard, (5.0, None)) as worker:
        assert await asked(worker, []) == refused("worker process 1 has ended")
        assert trio.current_time() == 5
        assert worker.gone
        assert await asked(worker, []) == refused("worker process 1 has ended")
    assert heard == [ASK]
