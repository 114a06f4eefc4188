"""The driver in the loop of the relay, with machines made for a test.

Clients that hang up meanwhile are in `test_states` and `test_disconnect`.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from tests.support import Lines, configuration
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.net.channel import Channel
from wsgateway.serve.actions import Action, Await, Limit, Machine, Send, receive, receive_soon
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.in_loop import MOST_ACTIONS, LoopDriver
from wsgateway.serve.request import Client
from wsgateway.settings.load import parse

HOUR = 3600.0


def late() -> HttpRefusal:
    return HttpRefusal(Reason.REQUEST_TIMEOUT, "late")


def stops() -> HttpRefusal:
    return HttpRefusal(Reason.GATEWAY_STOPPING, "stops")


def within(seconds: float) -> Limit:
    return Limit(trio.current_time() + seconds, late, stops)


@dataclass
class Bench:
    """A running engine, and a client whose other end is the test's."""

    gateway: GatewayState
    client: Client
    peer: socket.socket
    results: list[Any] = field(default_factory=list)
    """what machines have returned or raised"""
    handed_over: list[Action] = field(default_factory=list)
    over: trio.Event = field(default_factory=trio.Event)

    def drive(self, machine: Machine[Any]) -> LoopDriver[Any]:
        driver = LoopDriver(self.gateway, self.client, machine, self._finished, self._hand_over)
        driver.begin()
        return driver

    def _finished(self, result: Any, error: Exception | None) -> None:
        self.results.append(result if error is None else error)
        self.over.set()

    def _hand_over(self, machine: Machine[Any], action: Action) -> None:
        self.handed_over.append(action)
        machine.close()
        self.over.set()

    def remains(self) -> tuple[int, int, int]:
        return len(self.gateway.owner), len(self.gateway.engine.watches), len(self.gateway.waiting)


@asynccontextmanager
async def bench(engine: bool = True) -> AsyncIterator[Bench]:
    """Run what a driver needs, with or without an engine that says which sockets are ready."""
    ours, theirs = socket.socketpair()
    gateway = GatewayState(parse(configuration(9), "test.yaml"), Lines().log())
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        client = Client(Channel(ours), "192.0.2.7", 4711, None, trio.current_time())
        async with trio.open_nursery() as nursery:
            if engine:
                nursery.start_soon(gateway.engine.run)
            nursery.start_soon(gateway.alarms.run)
            gateway.owner.begin(nursery)
            with trio.fail_after(60):
                yield Bench(gateway, client, theirs)
            nursery.cancel_scope.cancel()


async def test_bytes_come_and_go() -> None:
    async with bench() as here:

        def machine() -> Machine[bytes]:
            first = yield from receive(here.client.channel, within(HOUR))
            yield Send(here.client.channel, first.upper(), within(HOUR))
            rest = yield from receive(here.client.channel, within(HOUR))
            return first + rest

        here.drive(machine())
        here.peer.send(b"a")
        await trio.testing.wait_all_tasks_blocked()
        assert here.peer.recv(9) == b"A"
        here.peer.send(b"b")
        await here.over.wait()
        assert (here.results, here.remains()) == ([b"ab"], (0, 0, 0))


async def test_more_than_the_kernel_takes_is_sent_when_it_is_read() -> None:
    async with bench() as here:
        data = bytes(4 * 1024 * 1024)

        def machine() -> Machine[None]:
            yield Send(here.client.channel, data, within(HOUR))

        here.drive(machine())
        await trio.testing.wait_all_tasks_blocked()
        assert not here.results
        taken = 0
        while taken < len(data):
            await trio.lowlevel.wait_readable(here.peer)
            taken += len(here.peer.recv(1 << 20))
        await here.over.wait()
        assert (taken, here.results, here.remains()) == (len(data), [None], (0, 0, 0))


async def test_an_action_that_is_late_raises_the_error_of_its_limit(autojump_clock: trio.testing.MockClock) -> None:
    async with bench() as here:
        begun = trio.current_time()
        here.drive(receive(here.client.channel, within(7)))
        await here.over.wait()
        [error] = here.results
        assert (str(error), trio.current_time() - begun) == ("late", pytest.approx(7))
        assert here.remains() == (0, 0, 0)


@pytest.mark.parametrize("sent", [b"in time", b""])
async def test_a_busy_process_reads_what_is_there_before_it_is_late(
    sent: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with bench(engine=False) as here:
        here.peer.send(sent)
        here.drive(receive(here.client.channel, within(7)))
        await here.over.wait()
        assert [str(each) for each in here.results] == [str(sent) if sent else "late"]


async def test_patience_that_is_over_gives_nothing_and_the_machine_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with bench() as here:

        def machine() -> Machine[tuple[bytes | None, bytes]]:
            soon = yield from receive_soon(here.client.channel, within(HOUR), 2)
            here.peer.send(b"late")
            return soon, (yield from receive(here.client.channel, within(HOUR)))

        here.drive(machine())
        await here.over.wait()
        assert here.results == [(None, b"late")]


@pytest.mark.parametrize("draining", ["before", "meanwhile"])
async def test_a_drain_cuts_a_limit_short(draining: str, autojump_clock: trio.testing.MockClock) -> None:
    async with bench() as here:
        if draining == "before":
            here.gateway.drain(5)
        begun = trio.current_time()
        here.drive(receive(here.client.channel, within(HOUR)))
        if draining == "meanwhile":
            await trio.sleep(1)
            here.gateway.drain(5)
        await here.over.wait()
        [error] = here.results
        assert (str(error), trio.current_time() - begun) == ("stops", pytest.approx(5 if draining == "before" else 6))


async def test_a_machine_may_answer_an_error_by_another_action() -> None:
    async with bench() as here:

        def machine() -> Machine[str]:
            try:
                yield from receive(here.client.channel, within(0.01))
            except HttpRefusal as error:
                yield Send(here.client.channel, b"too late", within(HOUR))
                return str(error)
            raise AssertionError("nothing was sent")

        here.drive(machine())
        await here.over.wait()
        assert (here.results, here.peer.recv(99)) == (["late"], b"too late")


async def test_what_only_a_task_can_do_is_handed_over() -> None:
    async with bench() as here:

        async def call() -> None:
            raise AssertionError("the driver must not call it")

        def machine() -> Machine[None]:
            yield Await(call)

        here.drive(machine())
        assert here.handed_over == [Await(call)]
        assert here.remains() == (0, 0, 0)


async def test_a_machine_that_never_waits_goes_on_in_a_task() -> None:
    async with bench() as here:
        sent = 0

        def machine() -> Machine[None]:
            nonlocal sent
            while True:
                yield Send(here.client.channel, b"x", within(HOUR))
                sent += 1

        here.drive(machine())
        assert (len(here.handed_over), sent, here.remains()) == (1, MOST_ACTIONS, (0, 0, 0))


async def test_a_bug_of_a_machine_is_its_result() -> None:
    async with bench() as here:

        def machine() -> Machine[None]:
            yield from receive(here.client.channel, within(HOUR))
            raise ZeroDivisionError

        here.drive(machine())
        here.peer.send(b"x")
        await here.over.wait()
        assert [type(each) for each in here.results] == [ZeroDivisionError]
        assert here.remains() == (0, 0, 0)


async def test_a_driver_that_is_cut_closes_its_machine() -> None:
    async with bench() as here:
        closed = []

        def machine() -> Machine[None]:
            try:
                yield from receive(here.client.channel, within(HOUR))
            finally:
                closed.append(True)

        here.gateway.owner.remove(driver := here.drive(machine()))
        driver.cut()
        assert (here.results, closed, here.remains()) == ([None], [True], (0, 0, 0))
