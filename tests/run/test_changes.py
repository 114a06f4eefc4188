"""Changes of a gateway, which are made one after the other: how many may wait, and what is said of others."""

import os
import signal
from pathlib import Path

import trio
from trio.testing import wait_all_tasks_blocked

from wsgateway.run.requests import ControlAnswer, ControlRequest, request_gateway
from wsgateway.settings.basics import UnixAddress

from .gateways import supervised, whole


async def test_four_changes_may_wait_for_another_one_and_more_are_refused(file: Path) -> None:
    text = whole(9) + "control: unix:control.sock\n"
    answers: list[ControlAnswer] = []
    async with supervised(file, text) as gateway, trio.open_nursery() as nursery:
        await gateway.lines.line("control socket")
        where = UnixAddress(str(file.with_name("control.sock")))

        async def reload() -> None:
            answers.append(await request_gateway(where, ControlRequest("reload", {})))
            gateway.lines.log().info("answered")

        # A configuration that is not there before somebody writes it.
        await trio.Path(file).unlink()
        os.mkfifo(file)
        for _ in range(6):
            nursery.start_soon(reload)
        await gateway.lines.line("answered")
        assert not answers[0].ok
        assert answers[0].findings == ["too many changes wait already"]
        assert answers[0].facts == {"reason": "changes-waiting"}
        gateway.signal(signal.SIGHUP)
        line = await gateway.lines.line("signal ignored")
        assert (line["reason"], line["why"]) == (
            "changes-waiting",
            "4 changes wait already; send SIGHUP again later",
        )
        await wait_all_tasks_blocked()
        assert len(answers) == 1
        for number in range(1, 6):
            await trio.to_thread.run_sync(file.write_text, text)
            await gateway.lines.nth("answered", 1 + number)
            assert answers[-1].ok
        assert gateway.count("reloaded") == 5
