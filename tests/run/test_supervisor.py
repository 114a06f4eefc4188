"""Workers that come and go under the hands of clients: what dies is started again, and nobody else notices."""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.backends import websockets_server
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.processes import GatewayProcess, session
from tests.support import Peer, Upstream, configuration
from wsgateway.run.slot import LONGEST_PAUSE_SECONDS, pause_seconds
from wsgateway.run.worker_pool import StartError

from .gateways import Gateway, Numbers, end, send_back, started, supervised, whole

MODERN = BY_DIALECT["rfc6455"]
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gateway.yaml"


async def session_at(
    gateway: Gateway, upstream: Upstream, worker: int, others: list[int]
) -> tuple[trio.SocketStream, Peer]:
    """A session that this worker has accepted, since the others are stopped meanwhile."""
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    client = await gateway.connect(MODERN.request)
    behind, _ = await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    for pid in others:
        os.kill(pid, signal.SIGCONT)
    return client.stream, behind


async def can_connect(port: int) -> bool:
    """Whether the kernel does not refuse a client."""
    try:
        await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True


class Stream:
    """Clients, one after the other, none of whom may be refused."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._came = 0
        self._news = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        while True:
            async with await trio.open_tcp_stream("127.0.0.1", self._port) as client:
                with suppress(trio.BrokenResourceError):  # the worker that had accepted it may be lost
                    await client.send_all(PLAIN)
                    await client.receive_some()
            self._came += 1
            self._news.unpark_all()

    async def more(self, number: int) -> None:
        """Waits until so many more have come."""
        goal = self._came + number
        while self._came < goal:
            await self._news.park()


async def test_a_killed_worker_takes_its_own_sessions_along_and_no_client_is_refused(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port, 2)) as gateway:
        one, two = await gateway.pids()
        lost = [await session_at(gateway, upstream, one, [two]) for _ in range(3)]
        kept = [await session_at(gateway, upstream, two, [one]) for _ in range(3)]

        async with trio.open_nursery() as nursery:
            stream = Stream(await gateway.port())
            for _ in range(4):
                nursery.start_soon(stream.run)
            await stream.more(20)
            os.kill(one, signal.SIGKILL)
            await gateway.lines.line("worker ended", worker=1, how="by SIGKILL", again_in_seconds=0.0)
            await gateway.lines.nth("worker serves", 3)
            await stream.more(20)
            nursery.cancel_scope.cancel()

        for client, _ in lost:
            assert await client.receive_some() == b""
        for client, behind in kept:
            await client.send_all(MODERN.hello)
            assert await behind.frame() == (0x81, b"Hello")
        status = await gateway.status()
        assert [worker["restarts"] for worker in status["workers"]] == [1, 0]
        assert [worker["state"] for worker in status["workers"]] == ["serving", "serving"]
        assert status["workers"][1]["pid"] == two


async def test_a_worker_that_hangs_is_killed_and_started_again(file: Path) -> None:
    async with supervised(file, whole(9), hung_seconds=0.5) as gateway:
        [pid] = await gateway.pids()
        os.kill(pid, signal.SIGSTOP)
        await gateway.lines.line("worker hangs", worker=1, pid=pid)
        await gateway.lines.line("worker ended", how="by SIGKILL")
        await gateway.lines.nth("worker serves", 2)
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0), (1, 0), (2, 0.25), (3, 0.5), (4, 1), (8, 16), (9, 30), (10_000, 30)]
)
def test_the_pause_before_a_new_start_grows_up_to_a_bound(deaths: int, seconds: float) -> None:
    assert pause_seconds(deaths) == seconds <= LONGEST_PAUSE_SECONDS


async def test_a_worker_that_dies_again_and_again_is_started_ever_later(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        for at, pause in enumerate([0.0, 0.25, 0.5], 1):
            os.kill((await gateway.lines.nth("worker serves", at))["pid"], signal.SIGKILL)
            await gateway.lines.line("worker ended", worker=1, how="by SIGKILL", again_in_seconds=pause)
        _, body = await gateway.ask("/health/ready")
        assert body == b"not serving: worker 1 ended by SIGKILL\n"
        assert (await gateway.status())["restarts"] == 3


async def test_a_gateway_whose_workers_cannot_come_up_does_not_come_up(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers that no interpreter runs.
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    async with started(file, whole(9, 2)) as gateway:
        await gateway.ended.wait()
    assert isinstance(gateway.failure, StartError)
    # Whichever is the first.
    assert str(gateway.failure)[len("worker 1") :] == " ended before it served: with status 1"
    assert not gateway.count("listening")


async def test_a_reload_changes_routes_listeners_and_workers_under_sessions(file: Path) -> None:
    async with websockets_server(send_back) as upstream, supervised(file, whole(upstream)) as gateway:
        async with trio.open_nursery() as nursery:
            clients = [Numbers(await gateway.port()) for _ in range(4)]
            for client in clients:
                nursery.start_soon(client.run)
            for client in clients:
                await client.more()
            text = whole(upstream, 2, path="/chat")
            gateway.write(text.replace("defaults:", '  - {name: more, bind: ["127.0.0.1:0"]}\ndefaults:'))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reloaded", workers=2)
            await gateway.lines.line("worker serves", worker=2)
            for client in clients:
                await client.more()
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 404 ")

            gateway.write(whole(upstream, 1, path="/"))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reloaded", workers=1)
            await clients[0].more()
            other = await gateway.connect(PLAIN)
            assert (await other.head()).startswith(b"HTTP/1.1 426 ")
            for client in clients:
                await client.stop()
        while len((await gateway.status())["workers"]) > 1:
            await trio.lowlevel.checkpoint()
        assert not gateway.count("worker ended")


async def test_a_file_that_is_not_good_changes_nothing(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        port = await gateway.port()
        pids = await gateway.pids()
        gateway.write(whole(9).replace("workers: 1", "workers: 0"))
        gateway.signal(signal.SIGHUP)
        line = await gateway.lines.line("reload refused")
        assert line["why"].startswith(f"{file}:")
        assert line["why"].endswith(": workers: 0 is no number of workers; write one from 1 to 512, or auto")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            gateway.write(whole(9).replace('"127.0.0.1:0"]', f'"{address}"]'))
            gateway.signal(signal.SIGHUP)
            await gateway.lines.line("reload refused", why=f"{address}: cannot listen: Address already in use")
        assert await gateway.port() == port
        assert await gateway.pids() == pids
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


async def test_a_bug_in_a_reload_costs_nobody_a_session(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        with monkeypatch.context() as broken:
            broken.setattr("wsgateway.run.supervisor.Generation", lambda *_: 1 / 0)
            gateway.signal(signal.SIGHUP)
            gateway.lines.entries.remove(await gateway.lines.line("bug"))
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        assert await gateway.pids() == pids


async def test_a_removed_listener_refuses_clients_and_the_others_keep_their_sockets(file: Path) -> None:
    text = whole(9)
    two = text.replace("defaults:", '  - {name: more, bind: ["localhost:0"]}\ndefaults:')
    async with supervised(file, two) as gateway:
        port, more = await gateway.port(), await gateway.port("more")
        gateway.write(text)
        gateway.signal(signal.SIGHUP)
        await gateway.lines.line("reloaded")
        # Who called before it was closed is still accepted.
        while await can_connect(more):
            pass
        assert (await (await gateway.connect(PLAIN)).head()).startswith(b"HTTP/1.1 426 ")
        assert await gateway.port() == port


async def test_a_hand_over_goes_unnoticed_by_sessions_and_by_those_who_connect(file: Path) -> None:
    async with (
        websockets_server(send_back) as upstream,
        supervised(file, whole(upstream, timeouts="close: 500ms")) as gateway,
    ):
        port = await gateway.port()
        new_supervisor = 0
        try:
            async with trio.open_nursery() as nursery:
                client = Numbers(port)
                nursery.start_soon(client.run)
                await client.more()
                gateway.signal(signal.SIGUSR2)
                while not gateway.count("handed over"):
                    other = await gateway.connect(PLAIN)
                    assert (await other.head()).startswith(b"HTTP/1.1 426 ")
                    await other.close()
                    await client.more(1)
                new_supervisor = (await gateway.lines.line("handed over"))["to"]
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


async def test_the_file_of_a_unix_socket_outlives_a_hand_over_and_goes_with_the_last_gateway(
    file: Path, tmp_path: Path
) -> None:
    kept, left = tmp_path / "kept.sock", tmp_path / "left.sock"
    text = whole(9)
    bound = f'bind: ["127.0.0.1:0", "unix:{kept}"'
    async with supervised(file, text.replace('bind: ["127.0.0.1:0"', f'{bound}, "unix:{left}"', 1)) as gateway:
        gateway.write(text.replace('bind: ["127.0.0.1:0"', bound, 1))
        gateway.signal(signal.SIGUSR2)
        new_supervisor = (await gateway.lines.line("handed over"))["to"]
        try:
            await gateway.ended.wait()
            assert (kept.exists(), left.exists()) == (True, False)
        finally:
            await trio.to_thread.run_sync(end, new_supervisor)
        assert not kept.exists()


async def test_a_successor_that_fails_leaves_all_as_it_was(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        gateway.write("version: 2\n")
        gateway.signal(signal.SIGUSR2)
        await gateway.lines.line("not handed over", why="it ended with status 78 before it served")
        assert await gateway.pids() == pids
        client = await gateway.connect(PLAIN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")


async def test_a_hand_over_as_process_1_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A container ends with its first process.
    async with supervised(file, whole(9)) as gateway:
        pids = await gateway.pids()
        monkeypatch.setattr("wsgateway.run.supervisor.os", SimpleNamespace(getpid=lambda: 1))
        gateway.signal(signal.SIGUSR2)
        line = await gateway.lines.line("not handed over")
        assert line["why"] == (
            "this is process 1, and a container ends with it; start the new version in a container of its own"
        )
        assert await gateway.pids() == pids


async def test_a_gateway_that_cannot_serve_any_more_ends_with_a_fault(
    file: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgateway.run.worker_pool.MOST_FAILED_STARTS", 1)
    ca = file.with_name("ca.pem")
    ca.write_bytes(authority.file.read_bytes())
    target = f"tls: {{ca: {ca}}}"
    async with supervised(file, whole(9, url="wss://127.0.0.1", target=target)) as gateway:
        [pid] = await gateway.pids()
        ca.unlink()
        os.kill(pid, signal.SIGKILL)
        await gateway.lines.line("given up")
        await gateway.ended.wait()
        assert isinstance(gateway.failure, StartError)
        assert str(gateway.failure).startswith("no worker serves, and 1 starts failed: worker 1: ")
        assert str(gateway.failure).endswith(f"{str(ca)!r} cannot be read: No such file or directory")


async def test_a_gateway_that_drains_says_so_and_ends_when_it_is_done(file: Path) -> None:
    async with Upstream() as upstream, supervised(file, whole(upstream.port, timeouts="close: 1h")) as gateway:
        client = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()
        assert await gateway.ask("/health/ready") == (200, b"ready\n")
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping", why="SIGTERM")
        assert await gateway.ask("/health/ready") == (503, b"draining\n")
        assert (await gateway.ask("/health/live"))[0] == 200
        await client.close()
        await behind.close()
        await gateway.ended.wait()
        assert gateway.failure is None


async def test_before_a_drain_whose_delay_is_not_over_the_gateway_is_not_ready_and_serves_all_who_come(
    file: Path,
) -> None:
    text = whole(9, shutdown="delay: 1h")
    async with supervised(file, text) as gateway:
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping", why="SIGTERM", delay_seconds=3600.0)
        assert await gateway.ask("/health/ready") == (503, b"draining\n")
        # Also when a worker dies meanwhile.
        os.kill((await gateway.pids())[0], signal.SIGKILL)
        await gateway.lines.nth("worker serves", 2)
        for _ in range(3):
            client = await gateway.connect(PLAIN)
            assert (await client.head()).startswith(b"HTTP/1.1 426 ")
        gateway.signal(signal.SIGHUP)  # it takes no more changes
        # Whoever cannot wait for it need not.
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("ended at once", why="SIGTERM")
        await gateway.ended.wait()
        assert gateway.failure is None
        assert not gateway.count("reloaded")


async def test_a_drain_begins_when_its_delay_is_over(file: Path) -> None:
    async with websockets_server(send_back) as upstream:
        text = whole(upstream, shutdown="delay: 300ms, spread: none")
        async with supervised(file, text) as gateway, trio.open_nursery() as nursery:
            client = Numbers(await gateway.port())
            nursery.start_soon(client.run)
            await client.more()
            begun = trio.current_time()
            gateway.signal(signal.SIGTERM)
            await client.done.wait()
            assert client.goodbye == 1012
            await gateway.ended.wait()
            assert trio.current_time() - begun >= 0.3


async def test_a_gateway_that_does_not_serve_yet_ends_without_delay(file: Path) -> None:
    async with started(file, whole(9, shutdown="delay: 1h")) as gateway:
        await wait_all_tasks_blocked()
        gateway.signal(signal.SIGTERM)
        await gateway.ended.wait()
        assert gateway.failure is None


def test_workers_without_a_supervisor_drain(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        text = configuration(upstream.getsockname()[1])
        with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
            address = process.address()
            with session(address, upstream, MODERN) as (client, behind):
                process.signal(signal.SIGKILL)
                assert client.recv(4) == MODERN.goodbye
                behind.close()
            process.find_line('event=session .*ended="gateway: stopped"')
            # Its output ends with its last process.
            assert process.wait() == -signal.SIGKILL
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_a_terminal_tells_the_supervisor_alone(file: Path) -> None:
    async with supervised(file, whole(9)) as gateway:
        [pid] = await gateway.pids()
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            os.kill(pid, number)
        await wait_all_tasks_blocked()
        assert await gateway.pids() == [pid]
        assert not gateway.count("worker ended")
