"""Streams of events, in virtual time."""

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from wsgateway.page.live import BEAT_SECONDS, LOOK_SECONDS, UNREAD_SECONDS, Live


class Seen:
    """A gateway, and how often it was looked at."""

    def __init__(self) -> None:
        self.sections: dict[str, Any] = {"a": 1, "b": [1]}
        self.looks = 0

    async def look(self) -> dict[str, Any]:
        self.looks += 1
        await trio.lowlevel.checkpoint()
        return dict(self.sections)


class Browser:
    """A browser that reads when it is told to."""

    def __init__(self) -> None:
        self.reads = trio.Event()
        self.reads.set()
        self.events: list[Any] = []
        self.beats = 0

    async def write(self, data: bytes) -> None:
        await self.reads.wait()
        for block in data.decode().split("\n\n")[:-1]:
            lines = block.split("\n")
            self.beats += lines == [":"]
            self.events += [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def test_a_browser_gets_everything_and_then_what_has_changed(autojump_clock: MockClock) -> None:
    seen, browser = Seen(), Browser()
    live = Live(seen.look)
    with trio.move_on_after(3.5 * LOOK_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.stream, browser.write, {"own": {"token": "t"}})
            await trio.sleep(LOOK_SECONDS / 2)
            seen.sections["b"] = [2]
    assert browser.events == [{"own": {"token": "t"}}, {"a": 1, "b": [1]}, {"b": [2]}]
    assert live.streams == 0


async def test_all_browsers_share_one_look_and_without_one_nobody_looks(autojump_clock: MockClock) -> None:
    seen, browsers = Seen(), [Browser() for _ in range(10)]
    live = Live(seen.look)
    await trio.sleep(100)
    assert seen.looks == 0
    with trio.move_on_after(9.5 * LOOK_SECONDS):
        async with trio.open_nursery() as nursery:
            for browser in browsers:
                nursery.start_soon(live.stream, browser.write, {})
    assert seen.looks == 10
    assert all({"a": 1, "b": [1]} in browser.events for browser in browsers)
    await trio.sleep(100)
    assert seen.looks == 10


async def test_a_browser_that_does_not_read_loses_updates_and_delays_no_other(autojump_clock: MockClock) -> None:
    seen, slow, other = Seen(), Browser(), Browser()
    live = Live(seen.look)
    with trio.move_on_after(10 * LOOK_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.stream, slow.write, {})
            nursery.start_soon(live.stream, other.write, {})
            await trio.sleep(LOOK_SECONDS / 2)
            slow.reads = trio.Event()
            for number in range(6):
                seen.sections["a"] = 10 + number
                await trio.sleep(LOOK_SECONDS)
            slow.reads.set()
    assert other.events[1:] == [{"a": 1, "b": [1]}, *({"a": 10 + number} for number in range(6))]
    # What was under way when it stopped, and then the newest alone.
    assert slow.events[1:] == [{"a": 1, "b": [1]}, {"a": 10}, {"a": 15}]


async def test_a_browser_that_never_reads_is_let_go(autojump_clock: MockClock) -> None:
    live, browser = Live(Seen().look), Browser()
    browser.reads = trio.Event()
    await live.stream(browser.write, {})
    assert trio.current_time() == pytest.approx(UNREAD_SECONDS)
    assert live.streams == 0


async def test_something_comes_even_if_nothing_changes(autojump_clock: MockClock) -> None:
    live, browser = Live(Seen().look), Browser()
    with trio.move_on_after(10.5 * BEAT_SECONDS):
        await live.stream(browser.write, {})
    assert len(browser.events) == 2
    assert 9 <= browser.beats <= 10


async def test_a_browser_that_is_gone_ends_its_stream(autojump_clock: MockClock) -> None:
    live = Live(Seen().look)

    async def write(_: bytes) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await live.stream(write, {})
    assert live.streams == 0
