"""A hot restart: the old supervisor starts a new one, which takes over its sockets, and drains."""

import os
import signal
import socket
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from tests.backends import websockets_server
from tests.openings import BY_DIALECT
from wsgateway.run.hot_restart import VARIABLE, HotRestartError, OldSupervisor

from .gateways import PLAIN, Numbers, end, send_back, supervised, whole

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
            assert (kept.exists(), left.exists()) == (True, False)
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
