"""What operators change in a gateway that runs: its targets, and the level of its log."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.openings import BY_DIALECT
from tests.support import Upstream
from wsgateway.cli import main
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.operator import Change, Operator
from wsgateway.run.requests import ControlAnswer, ControlRequest, Fact, refused, request_gateway
from wsgateway.settings.basics import UnixAddress

from .gateways import Gateway, end, supervised, whole, without_log
from .worker_pools import generation, good, hands

MODERN = BY_DIALECT["rfc6455"]
GOOD, FAULT = 0, 1


def controlled(upstream: int, workers: int = 1) -> str:
    return whole(upstream, workers) + "control: unix:control.sock\n"


async def asked(gateway: Gateway, command: str, **arguments: Fact) -> ControlAnswer:
    await gateway.lines.line("control socket")
    where = UnixAddress(str(gateway.file.with_name("control.sock")))
    return await request_gateway(where, ControlRequest(command, arguments))


async def run(*arguments: str) -> int:
    """Run a command beside the gateway, and return its exit status."""
    return await trio.to_thread.run_sync(main, arguments)


async def states(gateway: Gateway) -> list[str]:
    status = await gateway.status()
    return [target["state"] for target in status["gateway"]["pools"]["behind"]["targets"]]


async def refusal(gateway: Gateway) -> bytes:
    """Return how the answer to a client begins."""
    client = await gateway.connect(MODERN.request)
    return (await client.rest())[:12]


async def test_a_target_stays_drained_through_reloads_and_the_end_of_its_worker(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        url = f"ws://127.0.0.1:{upstream.port}"
        warning = "no target of behind is left: its clients get 503 until one is enabled"
        drain = {"action": "drain", "upstream": "behind", "target": url}
        expected = ControlAnswer(ok=True, findings=[warning], facts={"changed": True, "open": 0})
        assert await asked(gateway, "target", **drain) == expected
        assert await states(gateway) == ["drained"]
        assert await refusal(gateway) == b"HTTP/1.1 503"
        again = await asked(gateway, "target", **drain)
        assert again.facts == {"changed": False, "open": 0}

        assert (await asked(gateway, "reload")).ok
        assert await states(gateway) == ["drained"]
        os.kill((await gateway.pids())[0], signal.SIGKILL)
        await gateway.lines.nth("worker serves", 2)
        assert await states(gateway) == ["drained"]
        assert await refusal(gateway) == b"HTTP/1.1 503"

        gateway.write(controlled(9))  # the target is not in the file any more
        assert (await asked(gateway, "reload")).ok
        gateway.write(controlled(upstream.port))
        assert (await asked(gateway, "reload")).ok
        assert await states(gateway) == ["up"]
        client = await gateway.connect(MODERN.request)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_what_is_no_target_is_told_with_those_that_there_are(file: Path) -> None:
    async with supervised(file, controlled(9)) as gateway:
        answer = await asked(gateway, "target", action="drain", upstream="behnd", target="ws://127.0.0.1:9")
        assert answer == refused("there is no upstream 'behnd'; did you mean 'behind'?")
        answer = await asked(gateway, "target", action="drain", upstream="behind", target="http://x")
        assert answer == refused("behind has no target 'http://x'; known are ws://127.0.0.1:9")
        answer = await asked(gateway, "target", action="stop", upstream="behind", target="ws://127.0.0.1:9")
        assert answer == refused("action: 'stop' is not one of drain, enable")
        assert await states(gateway) == ["up"]
        assert len(gateway.lines.every("command")) == 3


async def test_the_commands_say_what_they_have_done(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with supervised(file, controlled(9)) as gateway:
        await gateway.lines.line("control socket")
        target = ("behind", "ws://127.0.0.1:9", str(file))
        assert await run("target", "drain", *target) == GOOD
        said = capfd.readouterr()
        assert said.out == "drained: ws://127.0.0.1:9 of behind has 0 sessions\n"
        assert said.err == "warning: no target of behind is left: its clients get 503 until one is enabled\n"
        assert await run("target", "enable", *target) == GOOD
        assert await run("target", "enable", *target) == GOOD
        assert capfd.readouterr().out.splitlines() == [
            "enabled: ws://127.0.0.1:9 of behind has 0 sessions",
            "enabled, as before: ws://127.0.0.1:9 of behind has 0 sessions",
        ]
        assert await run("target", "drain", "nobody", *target[1:]) == FAULT
        assert without_log(capfd.readouterr().err) == "there is no upstream 'nobody'; known are behind\n"
        assert await run("log-level", "debug", str(file), "--client", "127.0.0.0/8", "--for", "1h") == GOOD
        assert await run("log-level", "default", str(file), "--client", "127.0.0.0/8") == GOOD
        assert capfd.readouterr().out.splitlines() == [
            "level debug for clients of 127.0.0.0/8, for 3600 s",
            "level info for clients of 127.0.0.0/8",
        ]


async def test_the_level_of_the_log_changes_in_the_supervisor_and_in_workers(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = controlled(9)
    async with supervised(file, text) as gateway:
        assert (await asked(gateway, "log-level", level="error")).ok
        await refusal_of_plain(gateway)
        assert "event=refused" not in capfd.readouterr().err
        os.kill((await gateway.pids())[0], signal.SIGKILL)
        await gateway.lines.line("worker ended")  # an error
        while (await gateway.status())["workers"][0]["state"] != "serving":
            await trio.lowlevel.checkpoint()
        assert not gateway.lines.every("worker serves")[1:]  # the level is that of the supervisor, too
        await refusal_of_plain(gateway)
        assert "event=refused" not in capfd.readouterr().err
        assert (await asked(gateway, "log-level", level="info", client="127.0.0.1")).ok
        await refusal_of_plain(gateway)
        printed = ""
        while "event=refused" not in printed:  # lines are gathered for a moment
            printed += capfd.readouterr().err
            await trio.lowlevel.checkpoint()
        assert (await asked(gateway, "log-level", level="error", client="127.0.0.1")).ok
        await refusal_of_plain(gateway)
        gateway.close()
    assert (printed + capfd.readouterr().err).count("event=refused") == 1


async def refusal_of_plain(gateway: Gateway) -> None:
    client = await gateway.connect(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.rest()


async def test_a_level_for_some_time_ends_by_itself(file: Path) -> None:
    async with supervised(file, controlled(9)) as gateway:
        assert (await asked(gateway, "log-level", level="debug", client="10.0.0.0/8", seconds=0.01)).ok
        assert (await gateway.lines.line("log level is over"))["network"] == "10.0.0.0/8"


async def test_of_two_levels_for_some_time_that_are_set_at_once_the_later_one_counts(file: Path) -> None:
    async with supervised(file, controlled(9)) as gateway:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                level = partial(asked, gateway, "log-level", level="debug", client="10.0.0.0/8", seconds=0.1)
                nursery.start_soon(level)
        assert (await gateway.lines.line("log level is over"))["network"] == "10.0.0.0/8"
        assert (await asked(gateway, "log-level", level="default", client="10.0.0.0/8")).ok
        assert gateway.count("log level is over") == 1


async def test_networks_with_a_level_of_their_own_are_bounded(file: Path) -> None:
    async with supervised(file, controlled(9)) as gateway:
        for number in range(16):
            assert (await asked(gateway, "log-level", level="debug", client=f"10.0.0.{number}")).ok
        answer = await asked(gateway, "log-level", level="debug", client="10.0.0.16")
        assert answer == refused("16 networks have a level of their own already; set one of them to default")
        assert (await asked(gateway, "log-level", level="default", client="10.0.0.1")).ok
        assert (await asked(gateway, "log-level", level="debug", client="10.0.0.16")).ok


async def test_drained_targets_and_levels_stay_in_a_hot_restart(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with Upstream() as upstream, supervised(file, controlled(upstream.port)) as gateway:
        target = {"upstream": "behind", "target": f"ws://127.0.0.1:{upstream.port}"}
        assert (await asked(gateway, "target", action="drain", **target)).ok
        assert (await asked(gateway, "log-level", level="error", client="127.0.0.1")).ok
        gateway.signal(signal.SIGUSR2)
        new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
        try:
            await gateway.ended.wait()
            assert await states(gateway) == ["drained"]
            assert await refusal(gateway) == b"HTTP/1.1 503"
            assert (await asked(gateway, "log-level", level="default", client="127.0.0.1")).ok
            assert (await asked(gateway, "target", action="enable", **target)).ok
            await refusal_of_plain(gateway)
            printed = ""
            while "status=426" not in printed:
                printed += capfd.readouterr().err
                await trio.lowlevel.checkpoint()
            assert printed.count("event=refused") == 1, "the level was error before"
            client = await gateway.connect(MODERN.request)
            await upstream.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            client.stream.socket.close()
        finally:
            await trio.to_thread.run_sync(end, new_supervisor)


async def test_a_level_for_some_time_ends_in_the_next_supervisor_when_it_would_have_ended(
    autojump_clock: MockClock,
) -> None:
    async def change(make: Change) -> ControlAnswer:
        return await make()

    async with hands(good) as here, trio.open_nursery() as nursery:
        await here.start()
        pool, log = here.worker_pool, here.lines.log()
        pool.adjustments = Adjustments(levels={"": "error", "10.0.0.0/8": "debug"}, ends={"10.0.0.0/8": 60.0})
        operator = Operator(pool, lambda: generation().settings, change, nursery, log)
        operator.go_on()
        log.info("not seen")
        log.debug("seen", client="10.0.0.1:4000")
        await trio.sleep(59.9)
        assert pool.adjustments.levels == {"": "error", "10.0.0.0/8": "debug"}
        await trio.sleep(0.2)
        assert pool.adjustments == Adjustments(levels={"": "error"})
        assert [entry["event"] for entry in here.lines.entries if "seen" in entry["event"]] == ["seen"]
