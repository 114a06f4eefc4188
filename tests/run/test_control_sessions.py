"""Sessions of a gateway with several workers, as an operator lists and closes them by the control socket."""

import json
import os
import signal
from pathlib import Path

import pytest
import trio

from tests.openings import BY_DIALECT
from tests.support import Upstream
from wsgateway.cli import main
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, Item, refused, request_gateway
from wsgateway.settings.basics import UnixAddress

from .gateways import Gateway, supervised, whole, without_log
from .test_supervisor import session_at

MODERN, OLD = BY_DIALECT["rfc6455"], BY_DIALECT["hixie-76"]
GOOD, FAULT = 0, 1


def controlled(upstream: int, workers: int = 1) -> str:
    return whole(upstream, workers) + "control: unix:control.sock\n"


async def asked(gateway: Gateway, command: str, **arguments: Fact) -> tuple[ControlAnswer, list[Item]]:
    await gateway.lines.line("control socket")
    items: list[Item] = []
    where = UnixAddress(str(gateway.file.with_name("control.sock")))
    return await request_gateway(where, ControlRequest(command, arguments), items.extend), items


async def run(*arguments: str) -> int:
    """Run a command beside the gateway, and return its exit status."""
    return await trio.to_thread.run_sync(main, arguments)


async def test_sessions_of_all_workers_are_listed_and_no_id_comes_again(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port, 2)) as gateway:
        one, two = await gateway.pids()
        await session_at(gateway, upstream, one, [two])
        await session_at(gateway, upstream, two, [one])
        answer, items = await asked(gateway, "sessions")
        assert answer == ControlAnswer(ok=True, facts={"matching": 2, "open": 2})
        first = {str(item["id"]) for item in items}
        assert first == {"1-1", "2-1"}

        os.kill(one, signal.SIGKILL)
        await gateway.lines.nth("worker serves", 3)
        one, two = await gateway.pids()
        await session_at(gateway, upstream, one, [two])
        _, items = await asked(gateway, "sessions")
        assert len(items) == 2
        assert {str(item["id"]) for item in items} - first == {"3-1"}


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_a_limit_is_that_of_all_workers_together(
    file: Path, options: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port, 2)) as gateway:
        one, two = await gateway.pids()
        await session_at(gateway, upstream, two, [one])
        await session_at(gateway, upstream, one, [two])
        _, items = await asked(gateway, "sessions")
        # Each process looks at two clocks to say since when, one after the other, and may be stopped in between.
        oldest = min(float(item["since"]) for item in items)
        old = [str(item["id"]) for item in items if float(item["since"]) < oldest + 0.1]
        assert await run("sessions", str(file), "--limit", "1", *options) == GOOD
        said = [line for line in capfd.readouterr().out.splitlines() if "127.0.0.1" in line]
        assert len(said) == 1
        assert said[0].removeprefix('{"id": "').startswith(tuple(old))


async def test_a_list_that_cannot_be_written_is_no_fault_of_the_gateway(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        await session_at(gateway, upstream, *await gateway.pids(), [])
        with open("/dev/full", "w", buffering=1) as full, monkeypatch.context() as patched:  # noqa: ASYNC230
            patched.setattr("sys.stdout", full)
            assert await run("sessions", str(file), "--json") == FAULT
        said = without_log(capfd.readouterr().err)
    assert said == "standard output: cannot be written: No space left on device\n"


async def test_a_session_is_closed_by_its_id_and_the_log_says_who_wanted_it(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        client = await gateway.connect(MODERN.request)
        await upstream.agree()
        await client.head()
        answer, _ = await asked(gateway, "close", id="1-1")
        assert answer == ControlAnswer(ok=True, facts={"closed": 1})
        assert await client.exactly(4) == MODERN.goodbye
        who = {"uid": os.getuid(), "pid": os.getpid()}
        assert gateway.lines.every("command") == [
            {"level": "info", "event": "command", "command": "close", "id": "1-1", "done": True, **who}
        ]
        answer, _ = await asked(gateway, "close", id="9-9")
        assert not answer.ok
        assert answer.findings[0].startswith("there is no session '9-9'")
        answer, _ = await asked(gateway, "close", id="1-1", route="all")
        assert answer == refused("give the id of a session or a filter, not both")


async def test_what_matches_all_sessions_closes_them_only_if_that_is_meant(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        for _ in range(2):
            client = await gateway.connect(MODERN.request)
            await upstream.agree()
            await client.head()
        answer, _ = await asked(gateway, "close", route="all")
        assert answer == refused("this matches all 2 sessions; if that is meant, give --all")
        answer, _ = await asked(gateway, "close")
        assert answer == refused("without an id or a filter all are meant: 2 sessions; if that is meant, give --all")
        answer, _ = await asked(gateway, "close", dialect="hixie-75..76")
        assert answer == ControlAnswer(ok=True, facts={"closed": 0})
        answer, _ = await asked(gateway, "close", all=True)
        assert answer == ControlAnswer(ok=True, facts={"closed": 2})


async def test_the_commands_print_what_people_read(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        await gateway.lines.line("control socket")
        assert await run("sessions", str(file)) == GOOD
        assert capfd.readouterr().out == "0 sessions\n"
        clients = []
        for opening in (OLD, MODERN):
            client = await gateway.connect(opening.request)
            clients.append(client.name)
            await upstream.agree()
            await opening.accepted(client)

        assert await run("sessions", str(file), "--dialect", "hixie-76") == GOOD
        heading, row, count = capfd.readouterr().out.splitlines()
        assert heading.split("  ")[0] == "id"
        assert row.split()[:5] == ["1-1", clients[0], "hixie-76", "all", "public"]
        assert count == "1 of 2 sessions"
        assert await run("sessions", str(file), "--json") == GOOD
        assert [json.loads(line)["client"] for line in capfd.readouterr().out.splitlines()] == clients

        assert await run("sessions", str(file), "--client", "10.0") == FAULT
        printed = capfd.readouterr()
        assert printed.out == ""
        why = "client: '10.0' is neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix\n"
        assert without_log(printed.err) == why
        assert await run("close", str(file), "--agent", "nobody") == GOOD
        assert capfd.readouterr().out == "closed 0 sessions\n"
        assert await run("close", "1-2", str(file)) == GOOD
        assert capfd.readouterr().out == "closed 1 session\n"


@pytest.mark.parametrize("arguments", [["1-1", "1-2"], ["a.yaml", "b.yaml"]])
def test_one_id_and_one_file_are_enough(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["close", *arguments])
    assert capsys.readouterr().err.endswith(
        "give one ID, as 1-7, or options that choose sessions, and one FILE;"
        f" {' '.join(map(repr, arguments))} are too many\n"
    )
