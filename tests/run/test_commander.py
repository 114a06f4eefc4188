"""The way of a request through the supervisor: the table, the log, and the answers of several workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from tests.support import PATIENCE_SECONDS, Lines
from wsgateway.run.commander import Commander
from wsgateway.run.request_kinds import REQUEST_KINDS
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, Send, refused

WHO = {"uid": 0, "pid": 7}


@dataclass(eq=False)
class Worker:
    """A worker that gives these items, and this answer."""

    items: list[list[Item]] = field(default_factory=list)
    answer: ControlAnswer = field(default_factory=lambda: ControlAnswer(ok=True))
    asked: list[tuple[str, dict[str, Fact], bool]] = field(default_factory=list)
    end: trio.Event | None = None
    """if there is one, it answers only then, and because it has ended"""
    gone: bool = False

    async def ask(self, command: str, arguments: dict[str, Fact], send: Send, patient: bool = False) -> ControlAnswer:
        self.asked.append((command, arguments, patient))
        for items in self.items:
            await send(items)
        if self.end is not None:
            await self.end.wait()
            self.gone = True
        return self.answer


class Workers:
    """All workers; others may come."""

    def __init__(self, *workers: Worker) -> None:
        self._workers = workers
        self._changed = trio.Event()

    def serving(self) -> tuple[Worker, ...]:
        return self._workers

    async def changed(self) -> None:
        await self._changed.wait()
        self._changed = trio.Event()

    def become(self, *workers: Worker) -> None:
        self._workers = workers
        self._changed.set()


async def performed(
    request: ControlRequest, *workers: Worker, functions: Mapping[str, Any] | None = None
) -> tuple[ControlAnswer, list[Item], Lines]:
    """Return the answer, the items before it, and the log."""
    lines, items = Lines(), list[Item]()

    async def send(some: list[Item]) -> None:
        await trio.lowlevel.checkpoint()
        items.extend(some)

    commander = Commander(functions or {}, Workers(*workers), lines.log())
    return await commander.perform(request, WHO, send), items, lines


@pytest.mark.parametrize(
    ("command", "arguments", "finding"),
    [
        ("sesions", {}, "'sesions' is no command; did you mean 'sessions'?"),
        ("fly", {}, f"'fly' is no command; known are {', '.join(REQUEST_KINDS)}"),
        ("reload", {"force": True}, "force: this key is unknown"),
        ("sessions", {"after": "1-7,2-9"}, "after: '1-7,2-9' is no list of ids, as 1-7 2-9"),
        ("sessions", {"limit": "many"}, "limit: 'many' is not a whole number"),
        ("sessions", {"dialect": "hixie76"}, "dialect: 'hixie76' is not a dialect; did you mean 'hixie-76'?"),
        (
            "sessions",
            {"client": "10.0.0.1/8"},
            "client: '10.0.0.1/8' is neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix;"
            " did you mean '10.0.0.0/8'?",
        ),
    ],
)
async def test_what_is_not_in_the_table_is_refused(command: str, arguments: dict[str, Fact], finding: str) -> None:
    worker = Worker()
    functions = dict.fromkeys(REQUEST_KINDS)  # none of which may be called
    answer, _, lines = await performed(ControlRequest(command, arguments), worker, functions=functions)
    assert answer == refused(finding)
    assert worker.asked == []
    assert not [entry for entry in lines.entries if entry["event"] == "bug"]


async def test_a_gateway_has_no_request_that_only_a_supervisor_could_answer() -> None:
    answer, _, lines = await performed(ControlRequest("reload"), Worker())
    of_workers = [kind.name for kind in REQUEST_KINDS.values() if kind.who == "workers"]
    assert answer == refused(f"'reload' is no command; known are {', '.join(of_workers)}")
    assert lines.entries == []


async def test_the_answers_of_several_workers_become_one() -> None:
    first = Worker([[{"id": "1-1"}], [{"id": "1-2"}]], ControlAnswer(ok=True, facts={"matching": 2, "open": 3}))
    second = Worker([[{"id": "2-1"}]], ControlAnswer(ok=True, facts={"matching": 1, "open": 1}))
    answer, items, _ = await performed(ControlRequest("sessions", {"route": "chat"}), first, second)
    assert answer == ControlAnswer(ok=True, facts={"matching": 3, "open": 4})
    assert sorted(str(item["id"]) for item in items) == ["1-1", "1-2", "2-1"]
    assert first.asked == second.asked == [("sessions", {"route": "chat"}, False)]


async def test_what_one_worker_cannot_do_is_not_done() -> None:
    good, bad = Worker(answer=ControlAnswer(ok=True, facts={"open": 1})), Worker(answer=refused("it has ended"))
    answer, _, _ = await performed(ControlRequest("sessions"), good, bad, bad)
    assert answer == ControlAnswer(ok=False, findings=["it has ended"], facts={"open": 1})


@pytest.mark.parametrize("command", ["sessions", "trace"])
async def test_without_workers_there_is_no_answer(command: str) -> None:
    answer, _, _ = await performed(ControlRequest(command))
    assert answer == refused("no worker serves")


async def test_a_stream_has_what_later_workers_say_and_goes_on_when_one_ends() -> None:
    first, second, third = (Worker([[{"id": name}]], refused("ended"), end=trio.Event()) for name in "abc")
    last = Worker(answer=refused("no more are possible"))
    items_in, items = trio.open_memory_channel[Item](10)
    workers = Workers(first)

    async def send(some: list[Item]) -> None:
        await trio.lowlevel.checkpoint()
        for item in some:
            items_in.send_nowait(item)

    async def perform() -> None:
        nonlocal answer
        commander = Commander({}, workers, Lines().log())
        answer = await commander.perform(ControlRequest("trace"), WHO, send)

    answer = None
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(perform)
            assert await items.receive() == {"id": "a"}
            workers.become(first, second)
            assert await items.receive() == {"id": "b"}
            for each in (first, second):
                assert each.end is not None
                each.end.set()
            workers.become()
            await trio.testing.wait_all_tasks_blocked()
            workers.become(third)
            assert await items.receive() == {"id": "c"}
            assert answer is None
            workers.become(third, last)
    assert answer == refused("no more are possible")
    assert [len(each.asked) for each in (first, second, third, last)] == [1, 1, 1, 1]


async def test_a_change_has_a_line_in_the_log_that_says_who_has_asked() -> None:
    async def good(fields: object, send: Send) -> ControlAnswer:
        return ControlAnswer(ok=True)

    async def bad(fields: object, send: Send) -> ControlAnswer:
        return refused("no such session", "nor another one")

    request = ControlRequest("close", {"id": "1-7"})
    _, _, lines = await performed(request, functions={"close": good})
    assert lines.entries == [
        {"level": "info", "event": "command", "command": "close", "id": "1-7", "done": True, **WHO}
    ]
    _, _, lines = await performed(request, functions={"close": bad})
    why = "no such session; nor another one"
    assert lines.entries == [
        {"level": "warning", "event": "command", "command": "close", "id": "1-7", "done": False, "why": why, **WHO}
    ]
    _, _, lines = await performed(ControlRequest("sessions"), Worker())
    assert lines.entries == []


async def test_a_line_about_a_command_has_the_level_that_was_asked_for_beside_its_own() -> None:
    async def good(fields: object, send: Send) -> ControlAnswer:
        return ControlAnswer(ok=True)

    request = ControlRequest("log-level", {"level": "debug"})
    _, _, lines = await performed(request, functions={"log-level": good})
    assert lines.entries == [
        {"level": "info", "event": "command", "command": "log-level", "new_level": "debug", "done": True, **WHO}
    ]


async def test_what_is_no_argument_of_a_command_is_not_in_its_line() -> None:
    request = ControlRequest("close", {"id": "1-7", "timestamp": "yesterday", "uid": 5})
    answer, _, lines = await performed(request, functions={"close": None})
    [line] = lines.entries
    assert answer == refused("timestamp: this key is unknown")
    assert (line["id"], line["uid"], "timestamp" in line) == ("1-7", 0, False)


async def test_a_bug_is_logged_and_costs_only_its_request() -> None:
    async def broken(fields: object, send: Send) -> ControlAnswer:
        raise ZeroDivisionError

    answer, _, lines = await performed(ControlRequest("reload"), functions={"reload": broken})
    assert answer == refused("a bug of the gateway; its log says more", reason="bug")
    assert [entry["event"] for entry in lines.entries] == ["bug", "command"]


def test_every_row_of_the_table_has_its_own_name_as_its_key() -> None:
    assert {name: kind.name for name, kind in REQUEST_KINDS.items()} == {name: name for name in REQUEST_KINDS}
