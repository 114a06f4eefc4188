"""A hot restart: the old supervisor starts a new one, which takes over its sockets, and drains."""

import os
import signal
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.backends import websockets_server
from tests.census.counting import DIALECT
from tests.census.counting import counts as counted
from tests.exposition import families
from tests.openings import BY_DIALECT
from tests.support import PATIENCE_SECONDS, Lines
from tests.upstream.test_exhausted import no_descriptors
from wsgateway.census.keeper import Census
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.control import Control
from wsgateway.run.hot_restart import VARIABLE, HotRestartError, NewSupervisor, OldSupervisor, start_new_supervisor
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Counted, GatewayCounts
from wsgateway.run.past_counts import PastCounts
from wsgateway.settings.process import Census as CensusSettings

from .gateways import PLAIN, Gateway, Numbers, end, send_back, supervised, whole

MODERN = BY_DIALECT["rfc6455"]


async def test_a_hot_restart_ends_no_session_at_once_and_refuses_no_client(file: Path) -> None:
    async with (
        websockets_server(send_back) as upstream,
        supervised(file, whole(upstream)) as gateway,
    ):
        port = await gateway.port()
        new_supervisor = 0
        try:
            async with trio.open_nursery() as nursery:
                client = Numbers(port)
                nursery.start_soon(client.run)
                await client.more()
                gateway.signal(signal.SIGUSR2)
                while not gateway.count("hot restart done"):
                    other = await gateway.connect(PLAIN)
                    assert (await other.head()).startswith(b"HTTP/1.1 426 ")
                    await other.close()
                    await client.more(1)
                new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
                await client.done.wait()
                assert client.goodbye == 1012
            await gateway.ended.wait()
            assert gateway.failure is None
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 426 ")
            assert (await gateway.ask("/health/ready")) == (200, b"ready\n")
        finally:
            if new_supervisor:
                await trio.to_thread.run_sync(end, new_supervisor)


async def counts(gateway: Gateway) -> dict[tuple[str, ...], float]:
    """Return the metrics that only rise, and the open sessions."""
    _, body = await gateway.ask("/metrics")
    return {
        (each.name, *each.labels.values()): each.value
        for family in families(body.decode()).values()
        for each in family.samples
        if family.name.startswith("wsgateway_") and (family.type != "gauge" or family.name == "wsgateway_sessions")
    }


async def test_metrics_go_on_as_if_there_had_been_no_hot_restart(file: Path) -> None:
    async with (
        websockets_server(send_back) as upstream,
        supervised(file, whole(upstream, timeouts="close: 500ms")) as gateway,
        trio.open_nursery() as nursery,
    ):
        client = Numbers(await gateway.port())
        nursery.start_soon(client.run)
        await client.more()
        refused = await gateway.connect(PLAIN)
        await refused.head()
        before = await counts(gateway)
        assert before["wsgateway_sessions", "rfc6455", "all"] == 1
        gateway.signal(signal.SIGUSR2)
        new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
        try:
            await client.done.wait()
            await gateway.ended.wait()
            after = await counts(gateway)
            while not after["wsgateway_sessions_ended_total", "rfc6455"]:  # the last counts are under way
                after = await counts(gateway)
            assert {key for key, value in before.items() if after.get(key, -1) < value} == {
                ("wsgateway_sessions", "rfc6455", "all")
            }
            assert after["wsgateway_sessions", "rfc6455", "all"] == 0
            assert after["wsgateway_sessions_opened_total", "rfc6455"] == 1
            assert after["wsgateway_sessions_ended_by_total", "gateway", "gateway-stopping"] == 1
            assert after["wsgateway_messages_total", "out", "rfc6455"] >= client.count
            assert after["wsgateway_session_duration_seconds_count",] == 1
            assert after["wsgateway_refused_total", "426", "upgrade-missing"] == 1
        finally:
            await trio.to_thread.run_sync(end, new_supervisor)


async def test_the_file_of_a_unix_socket_stays_during_a_hot_restart_and_is_removed_by_the_last_gateway(
    file: Path, tmp_path: Path
) -> None:
    kept, left = tmp_path / "kept.sock", tmp_path / "left.sock"
    text = whole(9)
    bound = f'bind: ["127.0.0.1:0", "unix:{kept}"'
    async with supervised(file, text.replace('bind: ["127.0.0.1:0"', f'{bound}, "unix:{left}"', 1)) as gateway:
        gateway.write(text.replace('bind: ["127.0.0.1:0"', bound, 1))
        gateway.signal(signal.SIGUSR2)
        new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
        try:
            await gateway.ended.wait()
            while left.exists():  # noqa: ASYNC110  the new gateway removes it, and nothing tells of it
                await trio.sleep(0.01)
            assert kept.exists()
        finally:
            await trio.to_thread.run_sync(end, new_supervisor)
        assert not kept.exists()


async def test_a_new_supervisor_that_fails_leaves_the_old_one_as_it_was(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        gateway.write("version: 2\n")
        gateway.signal(signal.SIGUSR2)
        await gateway.lines.line("hot restart failed", why="it ended with status 78 before it served")
        assert await gateway.pids() == pids
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


async def test_a_new_supervisor_that_never_serves_is_killed_after_a_minute(autojump_clock: MockClock) -> None:
    before = len(os.listdir("/proc/self/fd"))
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with pytest.raises(HotRestartError, match=r"^it ended by SIGKILL before it served$"):
        await start_new_supervisor(command, Listening({}), 1, Adjustments())
    assert trio.current_time() == 60 + 1
    assert len(os.listdir("/proc/self/fd")) == before


def children() -> set[str]:
    """Return the processes that this one has started, also those that have ended and were not waited for."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


async def test_a_new_supervisor_for_which_nobody_waits_any_more_is_killed(autojump_clock: MockClock) -> None:
    before = children()
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    with trio.move_on_after(5) as over:
        await start_new_supervisor(command, Listening({}), 1, Adjustments())
    assert over.cancelled_caught
    assert children() == before


async def test_a_new_supervisor_that_cannot_be_started_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(HotRestartError, match=r"^it cannot be started: No such file or directory$"):
        await start_new_supervisor(["/nowhere/wsgateway"], Listening({}), 1, Adjustments())
    with no_descriptors(), pytest.raises(HotRestartError, match=r"^it cannot be started: Too many open files$"):
        await start_new_supervisor([sys.executable], Listening({}), 1, Adjustments())
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_new_supervisor_that_never_serves_is_killed_without_descriptors_too(autojump_clock: MockClock) -> None:
    before = children()
    command = [sys.executable, "-c", "import signal; signal.pause()"]

    async def start() -> None:
        with pytest.raises(HotRestartError, match=r"^it ended by SIGKILL before it served$"):
            await start_new_supervisor(command, Listening({}), 1, Adjustments())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        with no_descriptors():
            await trio.sleep(100)
    assert children() == before


async def test_a_hot_restart_of_process_1_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A container ends with its first process.
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        monkeypatch.setattr("wsgateway.run.supervisor.os", SimpleNamespace(getpid=lambda: 1))
        gateway.signal(signal.SIGUSR2)
        line = await gateway.lines.line("hot restart failed")
        assert line["why"] == (
            "this is process 1, with which a container ends; start the new version in another container"
        )
        assert await gateway.pids() == pids


# -- what the new supervisor gets --------------------------------------------------------------------------------------


async def test_an_old_supervisor_that_ends_before_it_sends_its_sockets_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))
    ours.close()
    with pytest.raises(HotRestartError, match=r"^the old supervisor has ended before it sent its sockets$"):
        await OldSupervisor.find()
    # A process that this one starts is not to look for it, too.
    assert VARIABLE not in os.environ
    assert await OldSupervisor.find() is None


async def test_sockets_of_an_old_supervisor_that_do_not_arrive_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))
    body = b'{"do": "take over", "sockets": [["127.0.0.1:0", 1]]}'
    with ours:
        ours.sendall(struct.pack("!II", len(body), 1) + body)
        with pytest.raises(HotRestartError, match="0 of 1 sockets have come"):
            await OldSupervisor.find()


async def test_a_process_that_the_new_supervisor_starts_does_not_inherit_the_connection_to_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    fd = theirs.detach()
    monkeypatch.setenv(VARIABLE, str(fd))
    old = Control(ours)
    await old.send({"do": "take over", "sockets": []})
    found = await OldSupervisor.find()
    assert found is not None
    assert not os.get_inheritable(fd)
    old.close()
    await found.listen(Census(CensusSettings(), Lines().log(), lambda: 0.0), PastCounts())


@asynccontextmanager
async def old_supervisor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Control, OldSupervisor, Census]]:
    """Yield the end of an old supervisor, how the new one sees it, and the census of the new one."""
    ours, theirs = socket.socketpair()
    monkeypatch.setenv(VARIABLE, str(theirs.detach()))
    old = Control(ours)
    await old.send({"do": "take over", "sockets": []})
    found = await OldSupervisor.find()
    assert found is not None
    with trio.fail_after(PATIENCE_SECONDS):
        yield old, found, Census(CensusSettings(), Lines().log(), lambda: 0.0)


async def test_counts_of_the_old_gateway_are_added_and_its_open_sessions_only_as_long_as_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def counted(do: str, restarts: int, messages: int) -> dict[str, Any]:
        status = {
            "sessions": {"hixie-76": {"chat": 2}},
            "connections": {"public": {"open": 3, "cap": 0}},
            "traffic": {"messages": {"in": {"hixie-76": messages}}},
            "refused_by": {"route": {"chat": 4, "gone": 5}},
        }
        return {"do": do, "restarts": restarts, "status": status}

    past = PastCounts()
    past.keep({"listeners": ["public"], "routes": ["chat"], "upstreams": {}})
    past.add({"traffic": {"messages": {"in": {"hixie-76": 100}}}, "sessions": {"hixie-76": {"chat": 1}}})
    past.restarted()
    async with old_supervisor(monkeypatch) as (old, found, census):
        await old.send(counted("hand over", 7, 10))
        await found.relieve(census, past)
        assert past.restarts == 8
        assert past.status()["traffic"] == {"messages": {"in": {"hixie-76": 110}}}
        assert past.status()["sessions"] == {"hixie-76": {"chat": 2}}
        assert past.status()["connections"] == {"public": {"open": 3, "cap": 0}}
        assert past.status()["refused_by"]["route"] == {"chat": 4}
        await old.send({"do": "something of another version"})
        await old.send(counted("add", 9, 30))
        old.close()
        await found.listen(census, past)
    assert past.restarts == 10
    assert past.status()["traffic"] == {"messages": {"in": {"hixie-76": 130}}}
    assert past.status()["refused_by"]["route"] == {"chat": 4}
    assert {"sessions", "connections"}.isdisjoint(past.status())


@pytest.mark.parametrize("said", [None, {"do": "something else"}, {"do": "hand over", "restarts": "many"}], ids=str)
async def test_an_old_gateway_of_another_version_may_have_no_counts(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any] | None
) -> None:
    past = PastCounts()
    async with old_supervisor(monkeypatch) as (old, found, census):
        if said is not None:
            await old.send(said)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(found.relieve, census, past)
            await old.receive()
            old.close()
        await found.listen(census, past)
    assert (past.restarts, past.status().get("traffic")) == (0, None)


def new_supervisor() -> tuple[NewSupervisor, Control, Census]:
    """Return a new supervisor as the old one sees it, its end of the connection, and the census of the old one."""
    ours, theirs = socket.socketpair()
    return NewSupervisor(1, Control(ours)), Control(theirs), Census(CensusSettings(), Lines().log(), lambda: 0.0)


def counting() -> Callable[[], Awaitable[GatewayCounts]]:
    """Return a function that counts how often it is called."""
    times = count(1)

    async def counts() -> GatewayCounts:
        return GatewayCounts(restarts=next(times))

    return counts


async def test_the_old_gateway_sends_its_counts_each_second_and_once_more_at_its_end(mock_clock: MockClock) -> None:
    new, connection, census = new_supervisor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(new.give, census, counting(), list)
        message = await connection.receive()
        assert message is not None
        assert (message.said["do"], message.said["restarts"]) == ("hand over", 1)
        mock_clock.autojump_threshold = 0  # no thread is at work any more
        nursery.cancel_scope.deadline = PATIENCE_SECONDS
        for second in (1, 2, 3):
            message = await connection.receive()
            assert message is not None
            assert message.said == GatewayCounts(restarts=second + 1).said()
            assert trio.current_time() == second
        # What workers have counted last goes before what is counted at the end.
        new.count("worker 5", [counted(sessions=1)])
        nursery.start_soon(new.close)
        for last in (Counted(source="worker 5", counts=[counted(sessions=1)]), GatewayCounts(restarts=5)):
            message = await connection.receive()
            assert message is not None
            assert message.said == last.said()
        assert await connection.receive() is None
    assert trio.current_time() == 3
    connection.close()


@pytest.mark.parametrize("seconds", [0, 10])
async def test_a_new_supervisor_that_ends_is_told_no_more_and_keeps_the_old_one_from_nothing(
    seconds: float, mock_clock: MockClock
) -> None:
    new, connection, census = new_supervisor()
    counts = counting()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(new.give, census, counts, list)
        assert await connection.receive() is not None
        mock_clock.autojump_threshold = 0  # no thread is at work any more
        nursery.cancel_scope.deadline = PATIENCE_SECONDS
        connection.close()
        await trio.sleep(seconds)
        for _ in range(2):
            new.count("worker 5", [counted(sessions=1)])
            await wait_all_tasks_blocked()
        new.lose("worker 5")
        await new.close()
    assert trio.current_time() < PATIENCE_SECONDS
    # It got them once, and there was one more try.
    assert (await counts()).restarts == 3


async def test_a_process_may_have_the_id_of_one_of_the_old_gateway_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with old_supervisor(monkeypatch) as (old, found, census), trio.open_nursery() as nursery:

        async def open_sessions(count: int) -> None:
            while True:
                await census.flush()
                known = census.summary()["dialects"][DIALECT]
                if known["sessions"] and known["open"] == count:
                    return

        nursery.start_soon(found.listen, census, PastCounts())
        opened = [counted(sessions=1, open=1)]
        await old.send(Counted(source="worker 5", counts=opened).said())
        await open_sessions(1)
        await old.send(Counted(source="worker 5", counts=None).said())
        await open_sessions(0)
        census.count("worker 5", opened)
        old.close()
        while nursery.child_tasks:
            await trio.lowlevel.checkpoint()
        await open_sessions(1)
