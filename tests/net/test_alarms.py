"""Alarms: the calls come at their times, in their order, and a time may change."""

import gc
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from wsgateway.net.alarms import MOST_STOPPED, Alarm, Alarms


@asynccontextmanager
async def running() -> AsyncIterator[Alarms]:
    alarms = Alarms()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        yield alarms
        nursery.cancel_scope.cancel()


class Calls:
    """The calls, with the seconds since the beginning."""

    def __init__(self) -> None:
        self.begun = trio.current_time()
        self.made: list[tuple[str, float]] = []

    def alarm(self, alarms: Alarms, name: str, seconds: float = math.inf) -> Alarm:
        alarm = Alarm(alarms, lambda: self.made.append((name, round(trio.current_time() - self.begun, 6))))
        alarm.deadline = self.begun + seconds
        return alarm


async def test_calls_come_at_their_times(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as alarms:
        calls = Calls()
        for name, seconds in (("second", 2), ("first", 1), ("third", 3), ("also second", 2), ("never", math.inf)):
            calls.alarm(alarms, name, seconds)
        await trio.sleep(10)
    assert calls.made == [("first", 1), ("second", 2), ("also second", 2), ("third", 3)]


async def test_a_time_may_become_earlier_or_later(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as alarms:
        calls = Calls()
        later, earlier, there_and_back = (
            calls.alarm(alarms, name, 5) for name in ("later", "earlier", "there and back")
        )
        await trio.sleep(1)
        later.deadline, earlier.deadline = calls.begun + 7, calls.begun + 3
        there_and_back.deadline = calls.begun + 2
        there_and_back.deadline = calls.begun + 5
        await trio.sleep(10)
    assert calls.made == [("earlier", 3), ("there and back", 5), ("later", 7)]


async def test_a_time_that_is_over_is_called_at_once(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as alarms:
        await trio.sleep(1)
        calls = Calls()
        calls.alarm(alarms, "late", -1)
        await trio.testing.wait_all_tasks_blocked()
        assert calls.made == [("late", 0)]


async def test_a_stopped_alarm_and_one_without_a_time_are_not_called(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as alarms:
        calls = Calls()
        stopped, timeless = calls.alarm(alarms, "stopped", 1), calls.alarm(alarms, "timeless", 1)
        stopped.stop()
        timeless.deadline = math.inf
        await trio.sleep(5)
        assert calls.made == []
        timeless.deadline = calls.begun + 6
        await trio.sleep(5)
    assert calls.made == [("timeless", 6)]


async def test_a_call_may_set_its_own_alarm_again(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as alarms:
        begun, calls = trio.current_time(), []

        def call() -> None:
            calls.append(trio.current_time() - begun)
            if len(calls) < 3:
                alarm.deadline = trio.current_time() + 1

        alarm = Alarm(alarms, call)
        alarm.deadline = begun + 1
        await trio.sleep(10)
    assert [round(each, 6) for each in calls] == [1, 2, 3]


async def test_stopped_alarms_are_forgotten_before_their_time_and_the_others_are_called(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running() as alarms:
        calls = Calls()
        many = [calls.alarm(alarms, str(number), 300 - number) for number in range(4 * MOST_STOPPED)]
        kept = many[::4]
        for alarm in many:
            if alarm not in kept:
                alarm.stop()
        del alarm, many
        gc.collect()
        assert sum(isinstance(each, Alarm) for each in gc.get_objects()) <= len(kept) + MOST_STOPPED
        await trio.sleep(301)
    assert [name for name, _ in calls.made] == [str(number) for number in range(4 * (MOST_STOPPED - 1), -1, -4)]
