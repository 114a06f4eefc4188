"""The control socket of a gateway: what `wsgateway reload` asks there, and where the socket is."""

import errno
import re
import signal
import socket
import stat
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.processes import GatewayProcess
from tests.support import configuration
from wsgateway.cli import main
from wsgateway.run.requests import ControlAnswer, ControlRequest, default_address, request_gateway
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import UnixAddress

from .gateways import Gateway, end, started, supervised, whole

GOOD, FAULT = 0, 1
NOT_RUNNING = (
    "unix:{path}: no gateway answers at this address: {why}. If one runs, name its own file (wsgateway reload FILE)"
    " or its control socket (--control unix:PATH), or send it SIGHUP\n"
)
RELOAD = ControlRequest(command="reload")


def controlled(text: str = "", path: str = "control.sock") -> str:
    """Return a configuration with a control socket."""
    return f"{text or whole(9)}control: unix:{path}\n"


async def asked(gateway: Gateway, request: ControlRequest = RELOAD) -> ControlAnswer:
    return await request_gateway(UnixAddress(str(gateway.file.with_name("control.sock"))), request)


# -- the command -------------------------------------------------------------------------------------------------


def test_a_reload_waits_and_prints_its_result(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = configuration(9) + "control: unix:control.sock\n"
    with GatewayProcess(file, text) as process:
        process.find_line('event="control socket"')
        assert main(["reload", str(file)]) == GOOD
        said = capfd.readouterr()
        assert re.fullmatch(rf"reloaded: {file}, sha256 [0-9a-f]{{64}}, routes 1, workers 1\n", said.out)
        assert said.err.startswith("warning: routes[0] all: hixie-75 and hixie-76 are allowed from any origin;")
        file.write_text(f"{text}logging: {{level: debug}}\n")
        assert main(["reload", str(file)]) == GOOD
        told = "warning: logging is not as at the start: that needs a hot restart or a new start\n"
        assert capfd.readouterr().err.startswith(told)

        # Also where the file is so broken that it cannot be read for the address: the gateway has one.
        file.write_text(text.replace("version: 1", "version: 2"))
        assert main(["reload", str(file)]) == FAULT
        assert capfd.readouterr() == ("", f"{file}:1:10: version: 2 is not a version that is known here; write 1\n")
        assert main(["reload", "--control", f"unix:{file.with_name('control.sock')}"]) == FAULT
        assert capfd.readouterr().err.startswith(f"{file}:1:10: version: ")


def test_where_no_gateway_runs_the_command_says_so_and_what_to_do(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file.write_text(controlled())
    path = file.with_name("control.sock")
    assert main(["reload", str(file)]) == FAULT
    assert capfd.readouterr() == ("", NOT_RUNNING.format(path=path, why="No such file or directory"))
    with listen(UnixAddress(str(path)))[0]:
        pass  # a gateway that was killed has left it
    assert main(["reload", str(file)]) == FAULT
    assert capfd.readouterr() == ("", NOT_RUNNING.format(path=path, why="Connection refused"))


async def _not_allowed(path: str) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_without_permission_the_command_says_who_may_connect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, as whom the tests may run, is refused nothing.
    monkeypatch.setattr(trio, "open_unix_socket", _not_allowed)
    assert main(["reload", "--control", f"unix:{tmp_path}/control.sock"]) == FAULT
    who = "root may connect, and the user who runs the gateway: try it with sudo, or as that user"
    assert capfd.readouterr() == ("", f"unix:{tmp_path}/control.sock: Permission denied; {who}\n")


def test_a_gateway_without_a_control_socket_cannot_be_asked(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file.write_text(whole(9) + "control: none\n")
    assert main(["reload", str(file)]) == FAULT
    assert capfd.readouterr().err == f"{file}: control is none, so the gateway has no control socket; send it SIGHUP\n"


@pytest.mark.parametrize("text", ["listeners: [", "control: 5\n", "[]", ""])
def test_a_file_that_names_no_control_socket_stands_for_the_default(
    text: str, file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{file.parent}:/run/other")
    file.write_text(text)
    assert main(["reload", str(file)]) == FAULT
    expected = NOT_RUNNING.format(path=file.with_name("control.sock"), why="No such file or directory")
    assert capfd.readouterr().err == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [(None, ": cannot be read: No such file or directory"), (b"\xff", ":1:1: not UTF-8: the byte FF")],
)
def test_a_file_that_is_missing_reloads_no_other_gateway(
    data: bytes | None, why: str, file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(file.parent))
    with GatewayProcess(file, configuration(9)) as other:
        assert other.find_line('event="control socket" address=(.*)$')[1] == str(default_address())
        wrong = file.with_name("wrong.yaml")
        if data is not None:
            wrong.write_bytes(data)
        assert main(["reload", str(wrong)]) == FAULT
        assert capfd.readouterr() == ("", f"{wrong}{why}\n")
        assert other.stop() == 0
        assert not [line for line in other.output if "event=reloaded" in line]


def test_the_command_waits_for_an_answer_no_longer_than_its_timeout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path / 'silent.sock'}"
    with listen(UnixAddress(address.removeprefix("unix:")))[0]:
        assert main(["reload", "--control", address, "--timeout", "10ms"]) == FAULT
    assert capfd.readouterr().err == f"{address}: no answer within 0.01 s; the gateway may still be at work\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "the gateway hung up before it answered"),
        (b"{}\n", "this is no gateway's control socket"),
        (b" " * (17 * 1024 * 1024), "a line of [0-9]+ bytes or more, at most 16777216 are allowed"),
        (b'{"ok": "true"}\n', "this is no gateway's control socket"),
        (b'{"ok": true, "more": 1}\n', "this is no gateway's control socket"),
    ],
)
async def test_a_server_with_another_answer_is_no_gateway(answer: bytes, why: str, tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "other.sock"))
    with listen(address)[0] as sock:

        async def serve() -> None:
            await trio.lowlevel.wait_readable(sock)
            client, _ = sock.accept()
            with trio.socket.from_stdlib_socket(client) as accepted, suppress(trio.BrokenResourceError):
                await trio.SocketStream(accepted).send_all(answer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            with pytest.raises(OSError, match=f"^{why}$"):
                await request_gateway(address, RELOAD)


# -- how the last reload went ------------------------------------------------------------------------------------


async def test_status_and_metrics_know_which_file_serves_and_how_the_last_reload_went(file: Path) -> None:
    async with supervised(file, controlled()) as gateway:
        at_first = await gateway.status()
        assert at_first["reload"]["ok"] is True
        assert at_first["configuration"]["file"] == str(file)

        gateway.write("version: 2\n")
        answer = await asked(gateway)
        assert not answer.ok
        status = await gateway.status()
        assert status["configuration"] == at_first["configuration"]
        assert (status["reload"]["ok"], status["reload"]["why"]) == (False, answer.findings[0])
        assert status["reload"]["at"] > at_first["reload"]["at"]
        _, metrics = await gateway.ask("/metrics")
        assert b"\nwsgateway_last_reload_successful 0.0\n" in metrics

        gateway.write(controlled(whole(9, path="/new")))
        answer = await asked(gateway)
        assert answer.ok
        status = await gateway.status()
        assert (status["reload"]["ok"], status["reload"]["why"]) == (True, None)
        sha256 = status["configuration"]["sha256"]
        assert sha256 == answer.facts["sha256"] != at_first["configuration"]["sha256"]
        _, metrics = await gateway.ask("/metrics")
        assert f'\nwsgateway_configuration_info{{sha256="{sha256}"}} 1.0\n'.encode() in metrics


async def test_a_reload_that_a_worker_refuses_is_reported_too(file: Path) -> None:
    async with supervised(file, controlled()) as gateway:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            gateway.write(controlled(whole(9).replace('"127.0.0.1:0"]', f'"{address}"]')))
            answer = await asked(gateway)
        assert answer == ControlAnswer(
            ok=False,
            findings=[f"{address}: cannot listen: Address already in use"],
            facts={"reason": "address-unavailable"},
        )


async def test_a_bug_in_a_reload_is_reported_to_the_command(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with supervised(file, controlled()) as gateway:
        with monkeypatch.context() as broken:
            broken.setattr("wsgateway.run.supervisor.Generation", lambda *_: 1 / 0)
            assert await asked(gateway) == ControlAnswer(
                ok=False, findings=["a bug of the gateway; its log says more"], facts={"reason": "bug"}
            )
            gateway.lines.entries.remove(await gateway.lines.line("bug"))
        assert (await gateway.status())["reload"]["ok"] is False
        assert (await asked(gateway)).ok


async def test_a_bug_in_another_change_is_no_refused_reload(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgateway.run.operator.Operator._set_target", lambda *_: 1 / 0)
    async with supervised(file, controlled()) as gateway:
        drain = ControlRequest("target", {"action": "drain", "upstream": "a", "target": "ws://b"})
        answer = await asked(gateway, drain)
        assert answer == ControlAnswer(
            ok=False, findings=["a bug of the gateway; its log says more"], facts={"reason": "bug"}
        )
        gateway.lines.entries.remove(await gateway.lines.line("bug"))
        assert (await gateway.status())["reload"]["ok"] is True


async def test_a_gateway_that_stops_takes_no_reload(file: Path) -> None:
    async with supervised(file, controlled(whole(9, shutdown="delay: 1h"))) as gateway:
        gateway.signal(signal.SIGTERM)
        await gateway.lines.line("stopping")
        answer = await asked(gateway)
        assert answer == ControlAnswer(
            ok=False,
            findings=["the gateway stops, and changes nothing any more"],
            facts={"reason": "gateway-stopping"},
        )


# -- the socket --------------------------------------------------------------------------------------------------


async def test_the_socket_is_for_our_user_alone_and_is_removed_with_the_gateway(file: Path) -> None:
    path = file.with_name("control.sock")
    with listen(UnixAddress(str(path)))[0]:
        pass  # a gateway that was killed has left it
    async with supervised(file, controlled()) as gateway:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await asked(gateway)).ok
        gateway.signal(signal.SIGTERM)
        await gateway.ended.wait()
        assert not path.exists()


async def test_a_reload_may_move_the_socket(file: Path) -> None:
    async with supervised(file, controlled()) as gateway:
        gateway.write(controlled(path="other.sock"))
        assert (await asked(gateway)).ok
        assert not file.with_name("control.sock").exists()
        assert (await request_gateway(UnixAddress(str(file.with_name("other.sock"))), RELOAD)).ok


async def test_after_a_hot_restart_the_new_supervisor_answers_at_the_control_socket(file: Path) -> None:
    async with supervised(file, controlled(whole(9, shutdown="drain: 1s"))) as gateway:
        gateway.write(controlled(whole(9, path="/new", shutdown="drain: 1s")))
        gateway.signal(signal.SIGUSR2)
        new_supervisor = (await gateway.lines.line("hot restart done"))["to"]
        try:
            await gateway.ended.wait()
            answer = await asked(gateway)
            assert answer.ok
            assert not gateway.count("reloaded")
        finally:
            await trio.to_thread.run_sync(end, new_supervisor)
        assert not file.with_name("control.sock").exists()


async def test_without_a_key_the_control_socket_is_in_the_directory_of_the_service(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(file.parent))
    async with supervised(file, whole(9)) as gateway:
        assert (await request_gateway(default_address(), RELOAD)).ok
        # Another gateway of the same machine serves without one.
        other = file.with_name("other.yaml")
        async with supervised(other, whole(9)) as second:
            assert not second.count("control socket")
            gateway.signal(signal.SIGHUP)  # both are in this process
            await second.lines.line("reloaded")
            assert (await request_gateway(default_address(), RELOAD)).ok


async def test_without_its_directory_there_is_no_control_socket(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/nowhere")
    async with supervised(file, whole(9)) as gateway:
        assert not gateway.count("control socket")


async def test_a_gateway_fails_if_it_cannot_make_the_control_socket_that_is_named(file: Path) -> None:
    async with started(file, controlled(path="/nowhere/control.sock")) as gateway:
        await gateway.ended.wait()
        assert str(gateway.failure) == "unix:/nowhere/control.sock: cannot listen: No such file or directory"
