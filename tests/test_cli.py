"""The command line: what it prints, where, and with which exit status: 0 good, 1 a fault, 2 wrong usage."""

import os
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.e2e.programs import PATIENCE_SECONDS, Program
from tests.net.certificates import Appliance
from tests.openings import BY_DIALECT
from tests.processes import gateway_command, session
from tests.support import configuration
from wsgateway import __version__
from wsgateway.cli import COMMANDS, main, parser_of
from wsgateway.native import ENGINE

GOOD, FAULT, USAGE = 0, 1, 2
# EX_CONFIG of sysexits.h: a gateway that would find the same file when it is started again.
BROKEN_FILE = 78
MODERN = BY_DIALECT["rfc6455"]
# The least arguments of commands that need some.
NEEDED = {
    "check": ["a"],
    "units": ["a"],
    "explain": ["a", "ws://a"],
    "probe": ["ws://a"],
    "target": ["drain", "a", "ws://a"],
    "log-level": ["debug"],
    "census": ["a"],
    "replay": ["a"],
    "completion": ["bash"],
}
EXAMPLES = [Path(__file__).parent.parent / "config" / name for name in ("minimal.yaml", "wsgateway.yaml")]

BAD = """\
version: 1
listeners:
  - bind: ["127.0.0.1"]
    max_conections: 5
routes:
  - match: {path: {prefix: chat}}
    upstream: ecco
upstreams:
  echo:
    targets: [{url: "ftp://127.0.0.1:9000"}]
"""


def usage_error(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what is said of a wrong command line; it must be wrong."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    captured = capfd.readouterr()
    assert caught.value.code == USAGE
    assert captured.out == ""
    assert captured.err.startswith("usage: wsgateway")
    return captured.err.splitlines()[-1]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    return file


def problems(file: Path) -> str:
    """Return what is wrong with BAD, each with its place."""
    return (
        f"{file}:3:12: listeners[0].bind[0]: '127.0.0.1' has no port;"
        " write HOST:PORT, as in 127.0.0.1:8080 or [::1]:8080\n"
        f"{file}:4:5: listeners[0].max_conections: this key is unknown; did you mean 'max_connections'?\n"
        f"{file}:6:28: routes[0].match.path.prefix: 'chat' is not a path; it must begin with '/'\n"
        f"{file}:7:15: routes[0].upstream: 'ecco' is not an upstream; did you mean 'echo'?\n"
        f"{file}:10:21: upstreams.echo.targets[0].url: 'ftp://127.0.0.1:9000' is not an address that begins with ws://,"
        " wss://, http:// or https://\n"
    )


# -- usage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["serve"], "argument COMMAND: invalid choice: 'serve'"),
        (["reload", "a.yaml", "--control", "unix:/x"], "give a FILE or --control, not both"),
        (["run"], "give either a FILE, or --listen and --upstream"),
        (["run", "--listen", "127.0.0.1:0"], "give either a FILE, or --listen and --upstream"),
        (["run", "--upstream", "ws://a"], "give either a FILE, or --listen and --upstream"),
        (["run", "a.yaml", "--listen", "127.0.0.1:0"], "give either a FILE, or --listen and --upstream"),
        (
            ["run", "a.yaml", "--listen", "127.0.0.1:0", "--upstream", "ws://a"],
            "give either a FILE, or --listen and --upstream",
        ),
        (["run", "a.yaml", "b.yaml"], "unrecognized arguments: b.yaml"),
        (["run", "a.yaml", "--daemon"], "unrecognized arguments: --daemon"),
        (["run", ""], "argument FILE: '' is no name of a file"),
        (["units", ""], "argument DIR: '' is no name of a file"),
        (["sessions", "--limit=-1"], "argument --limit: '-1' is no number; write one from 0 on"),
        (["sessions", "--limit", "many"], "argument --limit: 'many' is no number; write one from 0 on"),
        (
            ["close", "1.7", "a.yaml"],
            "give one ID, as 1-7, or options that choose sessions, and one FILE; '1.7' 'a.yaml' are too many",
        ),
        (["check"], "the following arguments are required: FILE"),
        *(
            (
                ["explain", "a.yaml", url],
                f"argument URL: '{url}' is not an address of the form ws://HOST[:PORT][/PATH], or wss://, http:// or"
                " https://; PORT is from 1 to 65535",
            )
            for url in ("foo", "ftp://a", "ws://", "ws://a:x", "ws://a:65536", "ws://a:0", "ws://[::1")
        ),
        # All else about it is in its own tests.
        (["probe"], "the following arguments are required: URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_status_2_and_says_what_is_right(
    capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert f"error: {said}" in usage_error(capfd, *arguments)


def test_an_unknown_option_is_answered_with_the_options_of_its_command(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schema", "--yaml"])
    said = ["usage: wsgateway schema [-h]", "wsgateway schema: error: unrecognized arguments: --yaml"]
    assert capfd.readouterr().err.splitlines() == said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(capfd: pytest.CaptureFixture[str], command: str) -> None:
    assert parser_of({command}).parse_args([command, *NEEDED.get(command, ())]).usage.description


@pytest.mark.parametrize("text", ["/x", "none", "auto", "127.0.0.1:80"])
def test_the_control_socket_of_a_command_is_a_path(capfd: pytest.CaptureFixture[str], text: str) -> None:
    said = usage_error(capfd, "reload", "--control", text)
    assert said.endswith(f"error: argument --control: {text!r} is not a control socket; write unix:PATH")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `$W` is the gateway, and return how it ended."""
    words = " ".join(map(str, gateway_command()))
    run = partial(subprocess.run, env={**os.environ, "W": words}, capture_output=True, encoding="utf-8", check=False)
    done: subprocess.CompletedProcess[str] = run(["bash", "-c", line], timeout=PATIENCE_SECONDS)
    return done


@pytest.mark.parametrize("redirected", ["", "PYTHONUNBUFFERED=1 "])
def test_a_full_disk_is_told(redirected: str) -> None:
    done = shell(f"{redirected}$W example > /dev/full")
    said = "standard output: cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (FAULT, said)


@pytest.mark.parametrize(
    "line", ["$W example | head -c 1", "$W schema | head -c 1", "$W check config/minimal.yaml >&-"]
)
def test_output_that_nobody_reads_is_no_traceback(line: str) -> None:
    done = shell(f"set -o pipefail; {line}")
    assert done.returncode in (GOOD, FAULT)
    assert not [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]


def test_a_command_that_is_interrupted_while_it_begins_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(module: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wsgateway.cli.import_module", interrupted)
    assert main(["status", "a.yaml"]) == 128 + signal.SIGINT


def test_the_version_is_printed() -> None:
    done = subprocess.run(
        gateway_command("--version"), capture_output=True, encoding="utf-8", timeout=PATIENCE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (GOOD, f"wsgateway {__version__}, relay in {ENGINE}\n", "")


def test_help_names_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == GOOD
    said = capfd.readouterr().out
    assert all(f"\n    {command} " in said for command in ("run", "check", "probe", "demo", "units"))


# -- check -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_a_valid_file_is_called_valid(capfd: pytest.CaptureFixture[str], file: Path) -> None:
    assert main(["check", str(file)]) == GOOD
    captured = capfd.readouterr()
    assert captured.out == f"{file}: valid\n"
    # The examples take the oldest dialects from everywhere, as the defaults do, and that is said of each.
    (warning,) = captured.err.splitlines()
    assert warning.startswith("warning: routes[")
    assert "hixie-75 and hixie-76 are allowed from any origin" in warning


def test_a_valid_file_without_warnings_is_called_valid_and_nothing_else(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(configuration(9, route="dialects: [rfc6455]"))
    assert main(["check", str(file)]) == GOOD
    assert capfd.readouterr() == (f"{file}: valid\n", "")


def test_check_warns_of_a_certificate_that_has_expired_and_is_for_other_hosts(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = Appliance.make("b.example", days=(-9, -2))
    pem, file = tmp_path / "ws.pem", tmp_path / "good.yaml"
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(key + made.certificate.public_bytes(Encoding.PEM))
    tls = "tls: {certificates: [{certificate: ws.pem, private_key: ws.pem, hosts: [a.example]}]}"
    file.write_text(configuration(9, route="dialects: [rfc6455]", listener=tls))
    assert main(["check", str(file)]) == GOOD
    captured = capfd.readouterr()
    expired, hosts = captured.err.splitlines()
    place = f"warning: listeners[0].tls.certificates[0].certificate {pem}: "
    assert expired.startswith(f"{place}it expired on ")
    assert hosts == f"{place}hosts names a.example, but the certificate is for b.example"


@pytest.mark.parametrize(("command", "status"), [("check", FAULT), ("run", BROKEN_FILE)])
def test_every_mistake_of_a_file_is_named_with_its_place(
    capfd: pytest.CaptureFixture[str], command: str, status: int, bad: Path
) -> None:
    assert main([command, str(bad)]) == status
    assert capfd.readouterr() == ("", problems(bad))


@pytest.mark.parametrize(("command", "status"), [("check", FAULT), ("run", BROKEN_FILE)])
def test_a_file_that_is_no_yaml_is_one_problem(
    capfd: pytest.CaptureFixture[str], command: str, status: int, tmp_path: Path
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("version: 1\nlisteners: [\n")
    assert main([command, str(file)]) == status
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"{file}:")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(("command", "status"), [("check", FAULT), ("run", BROKEN_FILE)])
def test_a_file_that_is_not_there_is_a_fault(
    capfd: pytest.CaptureFixture[str], command: str, status: int, tmp_path: Path
) -> None:
    file = tmp_path / "none.yaml"
    assert main([command, str(file)]) == status
    assert capfd.readouterr() == ("", f"{file}: cannot be read: No such file or directory\n")


# -- run -------------------------------------------------------------------------------------------------------


def test_wrong_addresses_are_named_by_their_options(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--listen", "8080", "--upstream", "http://a"]) == BROKEN_FILE
    assert capfd.readouterr() == (
        "",
        "--listen: '8080' has no host; for every address of this machine write 0.0.0.0:8080 or [::]:8080\n"
        "--upstream: 'http://a' is not an address that begins with ws:// or wss://\n",
    )


def test_an_address_in_use_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        file = tmp_path / "gateway.yaml"
        file.write_text(configuration(9).replace("127.0.0.1:0", address))
        for arguments in ["run", str(file)], ["run", "--listen", address, "--upstream", "ws://127.0.0.1:9"]:
            assert main(arguments) == FAULT
            assert capfd.readouterr() == ("", f"{address}: cannot listen: Address already in use\n")


def test_a_gateway_between_two_addresses_serves_until_it_is_told_to_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.settimeout(PATIENCE_SECONDS)
        url = f"ws://127.0.0.1:{upstream.getsockname()[1]}"
        with Program(*gateway_command("run", "--listen", "127.0.0.1:0", "--upstream", url)) as program:
            port = int(program.find_line(r"event=listening listener=listener-1 address=127\.0\.0\.1:(\d+)$")[1])
            with session(("127.0.0.1", port), upstream, MODERN):
                pass
            program.find_line(r"level=info event=session .*dialect=rfc6455 ")
            assert program.stop() == GOOD
            assert "Traceback" not in str(program)


def test_every_address_that_is_listened_on_is_logged(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    text = configuration(9).replace('"127.0.0.1:0"', '"127.0.0.1:0", "127.0.0.1:0"')
    file.write_text(text + "logging: {format: json}\n")
    with Program(*gateway_command("run", file)) as program:
        for _ in range(2):
            program.find_line(r'^{"listener": "public", "address": "127\.0\.0\.1:\d+", "event": "listening"')


def test_a_gateway_that_says_that_it_listens_can_be_stopped(tmp_path: Path) -> None:
    # Whoever waited for that line may send the signal at once; to die of it would be a failure for systemd.
    file = tmp_path / "gateway.yaml"
    file.write_text(configuration(9))
    with Program(*gateway_command("run", file)) as program:
        program.find_line("event=listening ")
        assert program.stop() == GOOD
