"""How a gateway starts itself and its workers again: by absolute names, as directories come and go."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.programs import Program
from tests.openings import BY_DIALECT
from tests.processes import gateway_command, session
from tests.support import configuration
from wsgateway.run.command import anchored, anchored_address, here, own_command
from wsgateway.run.process import environment

MODERN = BY_DIALECT["rfc6455"]


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the working directory."""
    directory = tmp_path / "gone"
    directory.mkdir()
    monkeypatch.chdir(directory)
    directory.rmdir()


def test_a_relative_name_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PWD", raising=False)
    assert anchored("ws.yaml") == f"{tmp_path}/ws.yaml"
    assert anchored("/etc/ws.yaml") == "/etc/ws.yaml"
    assert anchored_address("unix:ws.sock") == f"unix:{tmp_path}/ws.sock"
    assert anchored_address("unix:/run/ws.sock") == "unix:/run/ws.sock"
    assert anchored_address("127.0.0.1:80") == "127.0.0.1:80"


def test_the_working_directory_keeps_its_symbolic_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Behind `current` there is another release later.
    release, current = tmp_path / "1", tmp_path / "current"
    release.mkdir()
    current.symlink_to(release)
    monkeypatch.chdir(current)
    monkeypatch.setenv("PWD", str(current))
    assert here() == str(current)
    # But not if it is another directory by now, or the variable is of another process.
    for stale in (str(tmp_path), "", "current", "/nowhere"):
        monkeypatch.setenv("PWD", stale)
        assert here() == str(release)


@pytest.mark.usefixtures("gone")
def test_without_a_working_directory_only_absolute_names_can_be_used() -> None:
    assert here() == ""
    assert anchored("/etc/ws.yaml") == "/etc/ws.yaml"


@pytest.mark.parametrize(
    ("started_as", "own", "command"),
    [
        (["python", "bin/wsgateway", "run", "ws.yaml"], "bin/wsgateway", ["/d/bin/wsgateway", "run", "/d/ws.yaml"]),
        (["python", "-m", "wsgateway", "run", "ws.yaml"], "/x.py", ["-m", "wsgateway", "run", "/d/ws.yaml"]),
        (
            ["python", "-W", "error", "-m", "wsgateway", "run", "--listen=ws.yaml", "--upstream", "ws://a"],
            "/x.py",
            ["-W", "error", "-m", "wsgateway", "run", "--listen=/d/ws.yaml", "--upstream", "ws://a"],
        ),
    ],
)
def test_the_command_of_a_new_supervisor_has_absolute_names(
    started_as: list[str], own: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = started_as[started_as.index("run") :]
    monkeypatch.setattr(sys, "orig_argv", started_as)
    monkeypatch.setattr(sys, "argv", [own, *arguments])
    monkeypatch.setattr("wsgateway.run.command.here", lambda: "/d")
    assert own_command({"ws.yaml": "/d/ws.yaml"}) == [sys.executable, *command]


def test_workers_look_for_modules_where_this_process_does(tmp_path: Path) -> None:
    """Not in the working directory, unless `python -m` has it in its path."""
    program = "from wsgateway.run.command import python; print(python()[1:])"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for options, flags in ([], "[]"), (["-P"], "['-P']"), (["-P", "-W", "error"], "['-P', '-Werror']"):
        command = [sys.executable, *options, "-c", program]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == flags


def test_a_child_has_our_environment_without_the_variables_that_are_for_us_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": "/run/n", "HOME": "/nowhere"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    passed = {name: value for name, value in os.environ.items() if name not in told}
    assert environment() == passed | {"NOTIFY_SOCKET": "/run/n", "HOME": "/nowhere"}
    assert environment("NOTIFY_SOCKET") == passed | {"HOME": "/nowhere"}


def test_a_gateway_serves_on_when_the_directory_in_which_it_was_started_is_removed(tmp_path: Path) -> None:
    started_in, files = tmp_path / "started in", tmp_path / "files"
    started_in.mkdir()
    files.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        file = files / "gateway.yaml"
        file.write_text(configuration(upstream.getsockname()[1]))
        command = ("sh", "-c", 'cd "$0" && exec "$@"', started_in, *gateway_command("run", "../files/gateway.yaml"))
        new_supervisor = 0
        with Program(*command) as gateway:
            pid = int(gateway.find_line(r'event="worker serves" .*pid=(\d+)')[1])
            port = int(gateway.find_line(r"event=listening .*:(\d+)$")[1])
            # The name of the file leads through the directory, and that of a release may be another one by now.
            moved = tmp_path / "elsewhere"
            started_in.rename(moved)
            started_in.mkdir()
            moved.rmdir()
            os.kill(pid, signal.SIGKILL)
            gateway.find_line(r'event="worker serves"')
            with session(("127.0.0.1", port), upstream, MODERN):
                pass
            gateway.signal(signal.SIGHUP)
            gateway.find_line("event=reloaded")
            gateway.signal(signal.SIGUSR2)
            try:
                new_supervisor = int(gateway.find_line(r'event="hot restart done" to=(\d+)')[1])
                with session(("127.0.0.1", port), upstream, MODERN):
                    pass
            finally:
                if new_supervisor:
                    os.kill(new_supervisor, signal.SIGTERM)
