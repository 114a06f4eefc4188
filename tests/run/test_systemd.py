"""Messages to systemd, as sd_notify(3) says: from code in this process, and from a gateway process."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import trio

from tests.e2e.programs import PATIENCE_SECONDS
from tests.processes import GatewayProcess
from tests.support import Lines, configuration
from wsgateway.run.supervisor import CHECK_SECONDS
from wsgateway.run.systemd import Manager, notify
from wsgateway.run.worker_pool import HUNG_WORKER_SECONDS

from .gateways import PLAIN, supervised, whole


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Yield the socket of systemd, which NOTIFY_SOCKET names."""
    with managing(str(tmp_path / "notify"), monkeypatch) as sock:
        yield sock


@contextmanager
def managing(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        sock.settimeout(PATIENCE_SECONDS)
        yield sock


def next_state(manager: socket.socket) -> bytes:
    """Return the next message that is no STATUS."""
    while (state := manager.recv(4096)).startswith(b"STATUS="):
        pass
    return state


async def heard(manager: socket.socket, state: bytes) -> None:
    """Wait for this message."""
    manager.setblocking(False)
    while True:
        await trio.lowlevel.wait_readable(manager)
        if manager.recv(4096).startswith(state):
            return


def told(manager: socket.socket) -> list[bytes]:
    """Return all messages by now that are no STATUS."""
    return [state for state in every(manager) if not state.startswith(b"STATUS=")]


def every(manager: socket.socket) -> list[bytes]:
    """Return all messages by now."""
    manager.setblocking(False)
    said = []
    try:
        while True:
            said.append(manager.recv(4096))
    except BlockingIOError:
        return said


def test_a_systemd_that_cannot_be_reached_is_logged_once_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    notifying = Manager(lines.log())
    name = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    for count in (1, 2):
        notifying.tell("READY=1", "STATUS=a line")
        notifying.tell("WATCHDOG=1")
        warned = {"level": "warning", "event": "systemd not notified", "state": "READY=1"}
        assert lines.entries == [{**warned, "why": "[Errno 2] No such file or directory"}] * count
        with managing(name, monkeypatch) as manager:
            notifying.tell("READY=1", "STATUS=a line")
            assert every(manager) == [b"READY=1\nSTATUS=a line"]
        os.unlink(name)
    notifying.leave_to_another()
    notifying.tell("STOPPING=1")
    assert len(lines.entries) == 2


@pytest.mark.parametrize(
    "name", ["{folder}/notify", "@wsgateway-test-{uuid}"], ids=["a path", "the abstract namespace"]
)
def test_a_state_for_systemd_is_one_datagram(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with managing(name.format(folder=tmp_path, uuid=uuid4()), monkeypatch) as manager:
        notify("READY=1")
        notify("RELOADING=1\nSTATUS=a line")
        assert told(manager) == [b"READY=1", b"RELOADING=1\nSTATUS=a line"]


@pytest.mark.parametrize("value", [None, ""])
def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    notify("READY=1")


def test_systemd_is_told_when_a_gateway_is_ready_and_how_it_is_and_when_it_stops(
    manager: socket.socket, tmp_path: Path
) -> None:
    with GatewayProcess(tmp_path / "gateway.yaml", configuration(9)) as process:
        first, second = manager.recv(4096), manager.recv(4096)
        assert {first, second} == {b"READY=1", b"STATUS=serving 0 sessions with 1 worker"}
        with socket.create_connection(process.address(), PATIENCE_SECONDS):
            pass
        assert told(manager) == []
        assert process.stop() == 0
        assert told(manager) == [b"STOPPING=1"]


def test_systemd_is_not_told_of_a_second_signal(manager: socket.socket, tmp_path: Path) -> None:
    text = configuration(9, timeouts="close: 1h, handshake: 1h")
    with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
        assert next_state(manager) == b"READY=1"
        with socket.create_connection(process.address(), PATIENCE_SECONDS):
            process.signal(signal.SIGTERM)
            assert next_state(manager) == b"STOPPING=1"
            process.signal(signal.SIGINT)
            assert process.wait() == 0
        assert told(manager) == []


def test_a_gateway_that_cannot_listen_is_never_ready(manager: socket.socket, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        text = configuration(9).replace("127.0.0.1:0", f"127.0.0.1:{other.getsockname()[1]}")
        with GatewayProcess(tmp_path / "gateway.yaml", text) as process:
            process.find_line("cannot listen: Address already in use")
            assert process.wait() == 1
        assert told(manager) == []


def test_systemd_is_told_of_the_beginning_and_the_end_of_a_reload_also_when_it_is_refused(
    manager: socket.socket, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.yaml"
    with GatewayProcess(file, configuration(9)) as process:
        assert next_state(manager) == b"READY=1"
        for text, line in (
            (configuration(9, path="/chat"), "event=reloaded"),
            ("version: 2\n", 'event="reload refused"'),
        ):
            file.write_text(text)
            before = time.monotonic_ns() // 1000
            process.signal(signal.SIGHUP)
            found = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", next_state(manager))
            assert found
            assert before <= int(found[1]) <= time.monotonic_ns() // 1000
            assert next_state(manager) == b"READY=1"
            process.find_line(line)
        assert process.stop() == 0


def test_systemd_is_told_of_a_hot_restart_by_the_old_supervisor_and_then_by_the_new_one(
    manager: socket.socket, tmp_path: Path
) -> None:
    with GatewayProcess(tmp_path / "gateway.yaml", configuration(9)) as process:
        assert next_state(manager) == b"READY=1"
        process.signal(signal.SIGUSR2)
        found = re.fullmatch(rb"MAINPID=(\d+)", next_state(manager))
        assert found
        new_supervisor = int(found[1])
        assert new_supervisor != process.pid
        assert next_state(manager) == b"READY=1"
        process.find_line("event=drained")
        os.kill(new_supervisor, signal.SIGTERM)
        # The old one has said nothing of its own end.
        assert next_state(manager) == b"STOPPING=1"
        assert process.wait() == 0  # and its output ends with the last of both
        assert "Traceback" not in str(process)
        assert told(manager) == []


async def test_the_watchdog_gets_no_sign_while_a_worker_hangs_and_that_one_is_replaced(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    fed = b"WATCHDOG=1"
    async with supervised(tmp_path / "gateway.yaml", whole(9), hung_seconds=5.0) as gateway:
        [pid] = await gateway.pids()
        await heard(manager, fed)
        os.kill(pid, signal.SIGSTOP)
        every(manager)
        await gateway.lines.line("worker hangs", worker=1, pid=pid)
        # The look before it was stopped; and one from which it is silent for less than half of the time.
        assert sum(state.startswith(fed) for state in every(manager)) <= 2
        await gateway.lines.line("worker ended", how="by SIGKILL")
        await gateway.lines.nth("worker serves", 2)
        await heard(manager, fed)


@pytest.mark.parametrize("name", ["/nowhere/notify", "@wsgateway-nobody-is-there"])
def test_a_systemd_that_is_not_there_is_an_error_of_the_system(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with pytest.raises(OSError, match=r"No such file|refused"):
        notify("READY=1")


def test_a_gateway_serves_without_the_systemd_that_its_environment_names(tmp_path: Path) -> None:
    # sd_notify(3): whether it worked is not for the service to care about.
    text = configuration(9)
    nowhere = {"NOTIFY_SOCKET": "/nowhere/notify"}
    with GatewayProcess(tmp_path / "gateway.yaml", text, environment=nowhere) as process:
        with socket.create_connection(process.address(), PATIENCE_SECONDS) as client:
            client.sendall(PLAIN)
            assert client.recv(4096).startswith(b"HTTP/1.1 426 ")
        assert process.stop() == 0


def test_systemd_is_told_of_a_change_within_a_second_and_of_workers_that_hang_within_half_a_minute() -> None:
    assert CHECK_SECONDS <= 1
    assert HUNG_WORKER_SECONDS + CHECK_SECONDS < 30
