"""The workers of a gateway and the memory for their connections: each has its place in it from its start to its end."""

import os
import signal

import trio

from tests.support import configuration
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Configure, Drain, Serving, Up
from wsgateway.run.process import Order, WorkerProcess
from wsgateway.run.settings_transfer import VERSION, packed
from wsgateway.serve.scoreboard import TOLERATED, Scoreboard
from wsgateway.settings.load import parse


async def test_a_worker_counts_from_when_it_serves_until_it_drains_or_dies() -> None:
    settings = parse(configuration(9), "f.yaml")
    listening = Listening({}).fitted(settings)
    told, sockets = listening.description(settings)
    serve = Order(
        Configure(do="serve", file="f.yaml", text="", directory="/", version=VERSION, workers=2, sockets=told),
        tuple(sockets),
        packed(settings),
    )
    memory = Scoreboard()
    memory.add(9)
    ours = memory.entry(9)
    ours.begin()
    ours.add(TOLERATED + 1)
    for ends in (Order(Drain(others_accept=False)), None):
        worker = await WorkerProcess.start(3, memory)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.listen)
            assert await worker.answer() == Up()
            assert not ours.is_ahead()
            assert await worker.carry_out(serve) == Serving()
            while not ours.is_ahead():  # it has none
                await trio.lowlevel.checkpoint()
            if ends is None:
                os.kill(worker.pid, signal.SIGKILL)
            else:
                await worker.send(ends)
        assert not ours.is_ahead()
    memory.close()
    listening.close()
