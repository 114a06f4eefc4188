"""`wsgateway status`: what it prints of a gateway that runs, and of what is none."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.programs import Program
from tests.processes import GatewayProcess, gateway_command
from tests.support import configuration, dead_port
from wsgateway.cli import main

GOOD, FAULT, USAGE = 0, 1, 2
NOT_RUNNING = (
    "{address}: no gateway answers at this address: {why}. If one runs, name its own file (wsgateway status FILE)"
    " or the address of its admin pages (--admin ADDRESS)\n"
)
TABLE = """\
wsgateway.*: serving 0 sessions with 1 worker
/.+/gateway.yaml \\(sha256 [0-9a-f]{12}\\), since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC

listener  address +connections  limit
public    127.0.0.1:\\d+ +0 +\\d+

upstream  target +address +state  open  served  failures  last failure
behind    ws://127.0.0.1:9  127.0.0.1:9  up        0       0         0

worker  pid +state +sessions +age  restarts
1       \\d+ +serving         0 +\\d+s +0

no session since .+ UTC: hixie-75, .+, rfc6455
"""


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Yield a server that says this to the first client, whatever it asks."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_gateway_is_found_by_its_file_or_its_address(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = configuration(9) + f'admin: {{bind: "unix:{file.with_name("admin.sock")}"}}\n'
    with GatewayProcess(file, text) as process:
        address = process.find_line(r'event="admin pages" address=(unix:\S+)$')[1]
        for arguments in ([str(file)], ["--admin", address]):
            assert main(["status", *arguments]) == GOOD
            captured = capsys.readouterr()
            assert re.fullmatch(TABLE, captured.out)
            assert captured.err == ""
        assert main(["status", str(file), "--json"]) == GOOD
        told = json.loads(capsys.readouterr().out)
        assert (told["ready"], told["draining"], told["restarts"]) == (True, False, 0)
        assert [worker["state"] for worker in told["workers"]] == ["serving"]
        assert process.stop() == 0


def test_a_gateway_none_of_whose_workers_has_reported_yet_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    # Its worker was killed: of that the counters are left, and the next one starts.
    worker = {"worker": 1, "state": "starting", "pid": 7, "age_seconds": 0.5, "restarts": 1, "status": {}}
    counters = {"opened": {"rfc6455": 1}, "pools": {"behind": {"served": {"ws://127.0.0.1:9": 1}, "failures": {}}}}
    status = {
        "draining": False,
        "ready": False,
        "not_serving": "no worker serves",
        "restarts": 1,
        "gateway": counters,
        "workers": [worker],
        "configuration": {"file": "/etc/ws.yaml", "sha256": "0" * 64, "since": 0.0},
        "reload": {"ok": True, "at": 0.0, "why": None},
        "certificates": [],
    }
    body = json.dumps(status).encode()
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as address:
        assert main(["status", "--admin", address]) == GOOD
    assert capsys.readouterr().out.splitlines() == [
        "wsgateway: not serving: no worker serves",
        "/etc/ws.yaml (sha256 000000000000), since 1970-01-01 00:00:00 UTC",
        "",
        "worker  pid  state     sessions  age  restarts",
        "1       7    starting         0  0s          1",
    ]


def test_a_file_without_admin_pages_is_told_what_is_missing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(configuration(9))
    assert main(["status", str(file)]) == FAULT
    assert capsys.readouterr() == ("", f"{file}: admin.bind is none, so this gateway has no admin pages\n")


def test_where_no_gateway_runs_the_command_says_so_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    assert main(["status", "--admin", f"unix:{path}"]) == FAULT
    assert capsys.readouterr() == ("", NOT_RUNNING.format(address=f"unix:{path}", why="No such file or directory"))
    with dead_port() as port:
        # The name has addresses of both families, which refuse alike.
        for address in (f"127.0.0.1:{port}", f"localhost:{port}"):
            assert main(["status", "--admin", address]) == FAULT
            assert capsys.readouterr() == ("", NOT_RUNNING.format(address=address, why="Connection refused"))


def test_a_name_that_does_not_resolve_is_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert main(["status", "--admin", "nobody.invalid:9901"]) == FAULT
    assert capsys.readouterr() == ("", "nobody.invalid:9901: Name or service not known\n")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"220 mail.example.com ESMTP\r\n", "this is no gateway's admin address"),
        (b"", "this is no gateway's admin address"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello", "this is no gateway's admin address"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "this is no gateway's admin address"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "this is no gateway's admin address"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answers 404"),
    ],
)
def test_an_address_where_somebody_else_is_is_a_fault(
    capsys: pytest.CaptureFixture[str], answer: bytes, why: str
) -> None:
    with answering(answer) as address:
        assert main(["status", "--admin", address]) == FAULT
        assert capsys.readouterr() == ("", f"{address}: {why}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either a FILE or --admin"),
        (["a.yaml", "--admin", "127.0.0.1:1"], "give either a FILE or --admin"),
        (["--admin", "127.0.0.1"], "argument --admin: '127.0.0.1' has no port; write HOST:PORT"),
    ],
)
def test_it_needs_one_of_both(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["status", *arguments])
    assert caught.value.code == USAGE
    assert f"error: {said}" in capsys.readouterr().err


def test_it_is_printed_again_and_again_until_it_is_interrupted(file: Path) -> None:
    text = configuration(9) + f'admin: {{bind: "unix:{file.with_name("admin.sock")}"}}\n'
    with GatewayProcess(file, text) as process:
        process.find_line('event="admin pages"')
        with Program(*gateway_command("status", file, "--watch", "--interval", "10ms")) as watch:
            watch.find_line("serving 0 sessions with 1 worker")
            watch.find_line("Ctrl-C ends it")
            watch.find_line("serving 0 sessions with 1 worker")
            assert process.stop() == 0
            watch.find_line(r"admin\.sock: (No such file or directory|Connection refused)")
            assert watch.stop() == GOOD


def test_json_is_not_watched(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["status", "a.yaml", "--json", "--watch"])
    assert "give --json or --watch, not both" in capsys.readouterr().err
