"""The driver of a closing handshake: bugs, the end of a gateway, sides that send without end, and a lack of memory."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.relay.sessions import PATIENCE_SECONDS, Session, session
from wsgateway.net.alarms import Alarms
from wsgateway.relay.engine import Engine
from wsgateway.serve.closing import Deadline, Deliver, Machine, Pause, Take, Together
from wsgateway.serve.closing_driver import ClosingDriver

FOR_EVER = Deadline(math.inf)
SHORT_SECONDS = 5.0

Make = Callable[[Session], Machine[None]]


class Driven:
    """A machine that is driven between two raw peers."""

    def __init__(self, made: Session) -> None:
        self.session = made
        self.engine, self.alarms = Engine(), Alarms()
        self.ends: list[Exception | None] = []
        self.over = trio.Event()

    def begin(self, machine: Machine[None]) -> ClosingDriver:
        def finished(bug: Exception | None) -> None:
            self.ends.append(bug)
            self.over.set()

        driver = ClosingDriver(self.engine.watches, self.alarms, machine, finished)
        driver.begin()
        return driver


@asynccontextmanager
async def driven() -> AsyncIterator[Driven]:
    with session() as made, trio.fail_after(PATIENCE_SECONDS):
        here = Driven(made)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.engine.run)
            nursery.start_soon(here.alarms.run)
            yield here
            nursery.cancel_scope.cancel()


async def test_a_machine_that_never_waits_ends_at_once(autojump_clock: MockClock) -> None:
    def nothing() -> Machine[None]:
        yield from ()

    async with driven() as here:
        here.begin(nothing())
        assert here.ends == [None]


async def test_a_bug_is_told_and_the_sockets_are_watched_no_longer(autojump_clock: MockClock) -> None:
    async with driven() as here:

        def broken() -> Machine[None]:
            yield Take(here.session.client, 1, FOR_EVER)
            raise ZeroDivisionError

        here.begin(broken())
        await wait_all_tasks_blocked()
        assert len(here.engine.watches) == 1
        await here.session.at_client.send(b"a")
        await here.over.wait()
        assert [type(each) for each in here.ends] == [ZeroDivisionError]
        assert len(here.engine.watches) == 0


async def test_all_machines_end_when_the_driver_is_cut_and_its_end_is_not_told(autojump_clock: MockClock) -> None:
    ended: list[str] = []
    async with driven() as here:

        def waits(name: str, side: Any) -> Machine[None]:
            try:
                yield Take(side, 1, FOR_EVER)
            finally:
                ended.append(name)

        def both() -> Machine[None]:
            try:
                yield Together((waits("client", here.session.client), waits("upstream", here.session.upstream)))
            finally:
                ended.append("both")

        driver = here.begin(both())
        await wait_all_tasks_blocked()
        assert len(here.engine.watches) == 2
        driver.cut()
        assert ended == ["client", "upstream", "both"]
        await here.session.at_client.send(b"a")
        await wait_all_tasks_blocked()
        assert (here.ends, len(here.engine.watches)) == ([], 0)


async def test_machines_run_at_the_same_time_until_all_or_the_last_have_ended(autojump_clock: MockClock) -> None:
    took: list[float] = []
    async with driven() as here:

        def pause(seconds: float) -> Machine[None]:
            yield Pause(Deadline(trio.current_time() + seconds))

        def several() -> Machine[None]:
            for pauses, until_last in (((3, 2), False), ((3, 2), True), ((2, 3), True)):
                begun = trio.current_time()
                yield Together(tuple(map(pause, pauses)), until_last)
                took.append(trio.current_time() - begun)

        here.begin(several())
        await here.over.wait()
        assert took == [3, 2, 3]


async def test_the_time_of_an_action_may_be_changed_while_it_waits(autojump_clock: MockClock) -> None:
    results: list[Any] = []
    async with driven() as here:
        listening = Deadline(math.inf)

        def ends_it() -> Machine[None]:
            yield Pause(Deadline(trio.current_time() + SHORT_SECONDS))
            listening.when = -math.inf

        def listens() -> Machine[None]:
            results.append((yield Take(here.session.client, 1, listening)))

        def both() -> Machine[None]:
            yield Together((ends_it(), listens()), until_last=True)

        begun = trio.current_time()
        here.begin(both())
        await here.over.wait()
        assert (results, trio.current_time() - begun) == ([None], SHORT_SECONDS)


async def test_a_side_that_always_has_bytes_does_not_keep_the_loop() -> None:
    taken = 0
    seen: set[int] = set()
    async with driven() as here:

        def drops() -> Machine[None]:
            nonlocal taken
            while data := (yield Take(here.session.client, 1, FOR_EVER)):
                taken += len(data)

        await here.session.at_client.send(b"a" * 1000)
        await here.session.at_client.close()
        here.begin(drops())
        while not here.over.is_set():
            seen.add(taken)
            await trio.lowlevel.checkpoint()
        assert taken == 1000
        assert len(seen) > 10  # this task has had its turns meanwhile


@pytest.mark.parametrize("action", [Take, Deliver])
async def test_a_side_that_cannot_be_watched_counts_as_disconnected(
    action: type, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: list[Any] = []
    async with driven() as here:
        client = here.session.client

        def waits() -> Machine[None]:
            if action is Take:
                results.append((yield Take(client, 1, FOR_EVER)))
            else:
                client.backlog = b"a" * 10_000_000
                results.append((yield Deliver(client, FOR_EVER)))

        def no_memory(*_: object) -> None:
            raise OSError(12, "Cannot allocate memory")

        monkeypatch.setattr(here.engine.watches, "watch", no_memory)
        here.begin(waits())
        await here.over.wait()
        assert (results, client.backlog) == ([b"" if action is Take else False], b"")
