"""Requests to a control socket: what is answered, what is no request, how long it waits, and who may ask."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support import Lines
from wsgateway.errors import Reason
from wsgateway.run.control_server import MOST_CONTROL_CLIENTS, ControlServer
from wsgateway.run.requests import REQUEST_BYTES, ControlAnswer, ControlRequest, Item, Send, line_of, request_gateway
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import UnixAddress

# More than the kernel keeps for a reader that stops.
MANY = 5000


class Commands:
    """A control socket with commands of its own, such as `echo`, and no gateway behind it."""

    def __init__(self, address: UnixAddress) -> None:
        self.address = address
        self.lines = Lines()
        self.asked: list[dict[str, object]] = []
        """the facts about who has asked"""
        self.quiet = False
        """whether there is nothing to send"""
        self.ended = trio.Event()
        """set when a command that gives items has ended, in any way"""

    async def perform(self, request: ControlRequest, who: Mapping[str, object], send: Send) -> ControlAnswer:
        self.asked.append(dict(who))
        match request.command:
            case "echo":
                return ControlAnswer(ok=True, facts=request.arguments)
            case "wordy":
                return ControlAnswer(ok=False, findings=["wrong"] * 10_002)
            case "many" | "trace":
                await self._send_many(send)
                return ControlAnswer(ok=True)
        raise ZeroDivisionError

    async def _send_many(self, send: Send) -> None:
        try:
            if self.quiet:
                await trio.sleep_forever()
            for number in range(MANY):
                await send([{"number": number, "text": "x" * 1000}])
        finally:
            self.ended.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with listen(self.address)[0] as sock:
            task_status.started()
            await ControlServer(self.perform, self.lines.log()).run([sock], trio.CancelScope())

    async def say(self, data: bytes) -> Any:
        """Send bytes. Return the answer, or None if there is none."""
        async with await trio.open_unix_socket(self.address.path) as stream:
            await stream.send_all(data)
            answer = b"".join([each async for each in stream])
        return json.loads(answer) if answer else None


@asynccontextmanager
async def answering(folder: Path) -> AsyncIterator[Commands]:
    """Yield commands that are served at a socket in this folder."""
    async with trio.open_nursery() as nursery:
        commands = Commands(UnixAddress(str(folder / "s")))
        await nursery.start(commands.run)
        yield commands
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "findings"),
    [
        (b"reload\n", "no request: Expecting value"),
        (b'{"command": 1}\n', "no request: command: 1 is not text"),
        (b"{}\n", "no request: command: it is missing"),
        (b"[]\n", "no request: a list is not an object"),
        (b'{"command": "echo", "more": 1}\n', "no request: more: this key is unknown"),
        (b"[" * 60_000 + b"\n", "no request: "),  # how deep a parser goes differs from one Python to the next
        (b"x" * (REQUEST_BYTES + 1), "a line of 65537 bytes or more, at most 65536 are allowed"),
    ],
)
async def test_a_malformed_request_is_answered_with_its_mistake(request_: bytes, findings: str, tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        answer = await commands.say(request_)
        assert (answer["ok"], len(answer["findings"])) == (False, 1)
        assert answer["findings"][0].startswith(findings)


async def test_a_request_has_arguments_and_an_answer_facts(tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        facts: dict[str, str | int | float | bool] = {"name": "a", "number": 1, "ratio": 0.5, "truth": True}
        answer = await request_gateway(commands.address, ControlRequest(command="echo", arguments=facts))
        assert answer == ControlAnswer(ok=True, facts=facts)


async def test_an_answer_is_bounded(tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        answer = await commands.say(b'{"command": "wordy"}\n')
        assert len(answer["findings"]) == 10_001
        assert answer["findings"][-1] == "and 2 more"


async def test_a_client_that_has_its_answer_is_disconnected_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with answering(tmp_path) as commands:
        assert await commands.say(b'{"command": "echo"}\n') == {"ok": True, "findings": [], "facts": {}}
        assert trio.current_time() == 0


async def test_clients_that_have_their_answer_delay_no_other(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with answering(tmp_path) as commands:
        for number in range(3 * MOST_CONTROL_CLIENTS):
            request = ControlRequest(command="echo", arguments={"number": number})
            assert await request_gateway(commands.address, request) == ControlAnswer(ok=True, facts={"number": number})
        assert trio.current_time() == 0


async def test_a_client_that_sends_no_whole_line_is_disconnected(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with answering(tmp_path) as commands:
        assert await commands.say(b'{"command": ') is None
        assert trio.current_time() == 10


async def test_another_user_may_not_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # We are the other one: the gateway takes itself for somebody else, and us not for root.
    monkeypatch.setattr("wsgateway.run.control_server.os", SimpleNamespace(geteuid=lambda: 4711))
    monkeypatch.setattr("wsgateway.run.control_server._ROOT", 4712)
    async with answering(tmp_path) as commands:
        answer = await commands.say(b'{"command": "echo"}\n')
        who = f"user {os.getuid()} may not ask; root may, and user 4711, who runs the gateway"
        assert answer == {"ok": False, "findings": [who], "facts": {}}
        assert commands.lines.every("control refused") == [
            {
                "level": "warning",
                "event": "control refused",
                "pid": os.getpid(),
                "uid": os.getuid(),
                **Reason.CONTROL_DENIED.facts,
            }
        ]


async def test_items_come_before_the_answer_in_their_order(tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        taken: list[Item] = []
        answer = await request_gateway(commands.address, ControlRequest("many"), taken.extend)
        assert answer == ControlAnswer(ok=True)
        assert [item["number"] for item in taken] == list(range(MANY))


@pytest.mark.parametrize(("command", "seconds"), [("many", 10), ("trace", 600)])
async def test_a_client_that_reads_nothing_is_disconnected_and_its_command_ends(
    command: str, seconds: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with answering(tmp_path) as commands, await trio.open_unix_socket(commands.address.path) as stream:
        await stream.send_all(line_of(ControlRequest(command)))
        await commands.ended.wait()
        assert trio.current_time() == seconds
        assert await request_gateway(commands.address, ControlRequest("echo")) == ControlAnswer(ok=True)


async def test_a_client_that_hangs_up_ends_a_stream_in_which_nothing_comes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with answering(tmp_path) as commands:
        commands.quiet = True
        async with await trio.open_unix_socket(commands.address.path) as stream:
            await stream.send_all(line_of(ControlRequest("trace")))
            await trio.sleep(5000)
            assert not commands.ended.is_set()
        with trio.fail_after(1):
            await commands.ended.wait()


async def test_sixteen_clients_are_served_at_a_time_and_the_next_one_waits(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with answering(tmp_path) as commands, AsyncExitStack() as clients:
        for _ in range(16):
            assert (await request_gateway(commands.address, ControlRequest("echo"))).ok
            assert trio.current_time() == 0
            await clients.enter_async_context(await trio.open_unix_socket(commands.address.path))
            await wait_all_tasks_blocked()
        # Until the first of them has not sent its line in time.
        assert (await request_gateway(commands.address, ControlRequest("echo"))).ok
        assert trio.current_time() == 10


async def test_a_client_that_hangs_up_ends_its_command(tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        async with await trio.open_unix_socket(commands.address.path) as stream:
            await stream.send_all(line_of(ControlRequest("many")))
            await stream.receive_some()
        await commands.ended.wait()


async def test_a_command_knows_who_asks(tmp_path: Path) -> None:
    async with answering(tmp_path) as commands:
        await request_gateway(commands.address, ControlRequest("echo"))
        assert commands.asked == [{"uid": os.getuid(), "pid": os.getpid()}]
