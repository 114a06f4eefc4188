"""Sessions of a gateway with several workers, as an operator traces and records them by the control socket."""

import json
import os
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.openings import BY_DIALECT
from tests.support import Upstream
from wsgateway.cli import main
from wsgateway.run.request_kinds import MOST_PAYLOAD_BYTES
from wsgateway.run.requests import ControlRequest, Fact, Item, refused, request_gateway
from wsgateway.settings.basics import UnixAddress
from wsgateway.trace.recording import read
from wsgateway.trace.traces import MOST_TRACES

from .gateways import Gateway, supervised
from .test_control_sessions import asked, controlled
from .test_supervisor import session_at

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]
GOOD = 0


class Watch:
    """A trace by somebody who reads its items at once."""

    def __init__(self, gateway: Gateway, **arguments: Fact) -> None:
        self._where = UnixAddress(str(gateway.file.with_name("control.sock")))
        self._request = ControlRequest("trace", arguments)
        self._items_in, self._items = trio.open_memory_channel[Item](10_000)
        self.seen: list[Item] = []

    async def run(self) -> None:
        def take(items: list[Item]) -> None:
            for item in items:
                self._items_in.send_nowait(item)

        await request_gateway(self._where, self._request, take)

    async def until(self, kind: str, count: int = 1) -> None:
        """Wait until so many items of a kind have come."""
        while len(self.every(kind)) < count:
            self.seen.append(await self._items.receive())

    def every(self, kind: str) -> list[Item]:
        return [item for item in self.seen if item["kind"] == kind]


async def test_sessions_of_all_workers_are_seen_and_the_log_says_by_whom(file: Path) -> None:
    async with (
        Upstream() as upstream,
        supervised(file, controlled(upstream.port, 2)) as gateway,
        trio.open_nursery() as nursery,
    ):
        await gateway.lines.line("control socket")
        watch = Watch(gateway, dialect="rfc6455", payload=5)
        nursery.start_soon(watch.run)
        await watch.until("watching", 2)
        one, two = await gateway.pids()
        await session_at(gateway, upstream, one, [two])
        await session_at(gateway, upstream, two, [one])
        await watch.until("session", 2)
        assert {str(item["session"]) for item in watch.every("session")} == {"1.1", "2.1"}
        await watch.until("remark", 2)
        assert {str(item["text"]) for item in watch.every("remark")} == {"it is session 1-1", "it is session 2-1"}
        [line] = gateway.lines.every("command")
        assert line == {
            "level": "info", "event": "command", "command": "trace", "dialect": "rfc6455", "payload": 5, "done": True,
            "uid": os.getuid(), "pid": os.getpid(),
        }  # fmt: skip
        nursery.cancel_scope.cancel()


async def test_a_worker_that_starts_later_is_traced_too(file: Path) -> None:
    async with (
        Upstream() as upstream,
        supervised(file, controlled(upstream.port)) as gateway,
        trio.open_nursery() as nursery,
    ):
        await gateway.lines.line("control socket")
        watch = Watch(gateway)
        nursery.start_soon(watch.run)
        await watch.until("watching")
        os.kill((await gateway.pids())[0], signal.SIGKILL)
        await watch.until("watching", 2)
        gateway.write(controlled(upstream.port, 2))
        assert (await asked(gateway, "reload"))[0].ok
        await watch.until("watching", 3)
        one, two = await gateway.pids()
        await session_at(gateway, upstream, one, [two])
        await session_at(gateway, upstream, two, [one])
        await watch.until("session", 2)
        assert {str(item["session"]) for item in watch.every("session")} == {"2.1", "3.1"}
        nursery.cancel_scope.cancel()


async def test_what_cannot_be_traced_is_refused(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        for arguments, why in (
            ({"dialect": "hixie-99"}, "dialect: "),
            ({"client": "here"}, "client: "),
            ({"target": "ws://a"}, "target: a session is chosen before it has one"),
            ({"payload": MOST_PAYLOAD_BYTES + 1}, f"payload: {MOST_PAYLOAD_BYTES + 1} is not from 0 to"),
            ({"payload": -1}, "payload: -1 is not from 0 to"),
        ):
            answer, items = await asked(gateway, "trace", **arguments)
            assert not answer.ok
            assert answer.findings[0].startswith(why)
            assert items == []


async def test_a_place_is_free_again_when_who_traced_hangs_up(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        await gateway.lines.line("control socket")
        async with trio.open_nursery() as nursery:
            for _ in range(MOST_TRACES):
                watch = Watch(gateway)
                nursery.start_soon(watch.run)
                await watch.until("watching")
            answer, _ = await asked(gateway, "trace")
            assert answer == refused("4 traces are running, and more are not possible at once")
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            watched = False
            while not watched:  # the worker learns a little later that the others have gone
                watch = Watch(gateway)
                with trio.CancelScope() as scope:
                    nursery.start_soon(_run_or_cancel, watch, scope)
                    await watch.until("watching")
                    watched = True
            nursery.cancel_scope.cancel()


async def _run_or_cancel(watch: Watch, scope: trio.CancelScope) -> None:
    """Run a trace; cancel who waits for it if it is refused."""
    await watch.run()
    scope.cancel()


async def started(nursery: trio.Nursery, capfd: pytest.CaptureFixture[str], *command: str) -> trio.Process:
    """Start the command of a trace, and wait until it waits for sessions. The nursery ends after it."""
    run = partial(trio.run_process, [sys.executable, "-m", "wsgateway", *command], check=False)
    process: trio.Process = await nursery.start(run)
    printed = ""
    while "waiting for sessions" not in printed:
        printed += capfd.readouterr().err
        await trio.lowlevel.checkpoint()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_ends_a_trace_well_and_finishes_its_files(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], number: int
) -> None:
    folder = tmp_path / "recordings"
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        await gateway.lines.line("control socket")
        async with trio.open_nursery() as nursery:
            process = await started(nursery, capfd, "trace", str(file), "--record", str(folder))
            client = await gateway.connect(MODERN.request)
            behind, _ = await upstream.agree()
            await client.head()
            printed = ""
            while " < HTTP/1.1 101" not in printed:
                printed += capfd.readouterr().out
                await trio.lowlevel.checkpoint()
            process.send_signal(number)
        await client.close()
        await behind.close()
    assert process.returncode == GOOD
    assert "Traceback" not in capfd.readouterr().err
    [path] = folder.glob("*.har")
    assert "WebSocket" in path.read_text()


async def test_the_next_session_is_printed_recorded_and_played_again(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "recordings"
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        await gateway.lines.line("control socket")
        command = ["trace", str(file), "--next", "--dialect", "hixie-76", "--payload", "9", "--record", str(folder)]
        async with trio.open_nursery() as nursery:
            process = await started(nursery, capfd, *command)
            for opening in (MODERN, OLD):
                client = await gateway.connect(opening.request)
                behind, _ = await upstream.agree()
                await opening.accepted(client)
                await client.send(opening.written(opening.hello_back))
                assert await behind.frame() == (0x81, b"Hello")
                await client.close()
                await behind.close()
        assert process.returncode == GOOD
        printed = capfd.readouterr().out.splitlines()
        lines = [line for line in printed if not line.startswith("{")]  # those are of the log
        assert "begins   = client " in lines[0]
        assert "dialect hixie-76" in lines[0]
        assert lines[1].endswith(" client   > GET /demo HTTP/1.1")
        assert any(line.endswith("text 'Hello'") and " client   > 48 65 6c 6c 6f " in line for line in lines)
        assert any(line.endswith("payload: 'Hello'") and " upstream > " in line for line in lines)
        assert " ends     = by client" in lines[-1]
        [path] = folder.glob("*.jsonl")
        recording = read(path)
        assert recording.facts["dialect"] == "hixie-76"
        client_side = recording.connections["client"]
        assert client_side.bytes_of("head", ">") + client_side.bytes_of("proof", ">") == OLD.request
        archive = json.loads(path.with_suffix(".har").read_text())
        assert len(archive["log"]["entries"]) == 2


def test_no_gateway_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--control", f"unix:{tmp_path}/none.sock"]) == 1
    assert "no gateway answers at this address" in capsys.readouterr().err


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["trace", "--record", str(tmp_path / "file" / "a")]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/file/a: cannot be a directory for recordings: Not a directory\n"


@pytest.mark.parametrize("text", ["-1", "65537", "many", ""])
def test_a_payload_is_a_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(SystemExit))
        main(["trace", "--payload", text] if not text.startswith("-") else ["trace", f"--payload={text}"])
    assert "is no number from 0 to 65536" in capsys.readouterr().err
