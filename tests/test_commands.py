"""Every command in the documents is run, or it is in a list here with the reason why it is not."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.documents import MANUAL, NAMES, README, ROOT, Command, commands, rows, text
from tests.e2e.programs import PATIENCE_SECONDS, Program
from wsgateway.cli import main

# -- what is not run here, by the beginning of the command -------------------------------------------------------

INDEX = "it needs a package index"
ROOTS = "it changes the system, as root"
ELSEWHERE = {
    "python3 -m venv .venv && ": ".ci/run runs it, and so does tests/fresh/debian on a bare system",
    ".ci/run": "it runs these tests",
    ".venv/bin/pytest": "tests/README.md has it, whose commands have a test of their own",
    ".venv/bin/ruff": "in .ci/run",
    ".venv/bin/mypy": "in .ci/run",
    "apt install": ROOTS,
    "pipx install": INDEX,
    "python3 -m pip install": INDEX,
    "wsgateway census ": "it needs a census that is as old as what is asked for; tests/test_cli_census.py runs it",
    "python3 -m venv /opt/wsgateway": f"{ROOTS}; tests/systemd does it in a machine of its own",
    "install ": f"{ROOTS}; tests/systemd does it in a machine of its own",
    "mkdir -p /etc/wsgateway && ": f"{ROOTS}; tests/settings/test_examples.py runs it in another directory",
    "/opt/wsgateway/bin/wsgateway units": f"{ROOTS}; tests/test_units.py runs it in another directory",
    "groupadd": ROOTS,
    "RENEWED_LINEAGE=": f"{ROOTS}; tests/run/test_certificates.py runs the hook",
    "systemd-analyze": "tests/test_units.py runs it where it is installed",
    "systemctl": f"{ROOTS}; tests/systemd does it in a machine of its own",
    "wsgateway probe wss://ws.example.com/": "it needs a server with a certificate; tests/probe have one",
    "wsgateway trace": "it waits for sessions; tests/run/test_control_trace.py has some",
    "wsgateway replay": "it needs a recording; tests/probe/test_replay.py makes some",
}
ECHO = "wsgateway demo --echo 9000"
GATEWAY = "wsgateway check wsgateway.yaml && wsgateway run wsgateway.yaml"
LISTENING = r"event=listening .*address=127\.0\.0\.1:(\d+)$"
LASTING = {
    ECHO: ("9000", r"An echo of RFC 6455: ws://127\.0\.0\.1:(\d+)/"),
    GATEWAY: ("8080", LISTENING),
    "wsgateway run wsgateway.yaml": ("8080", LISTENING),
}
"""commands that last: the port of each, and the line that says what it is here"""

ALL = list(commands())
SIGNALS = {"HUP": "event=reloaded", "USR2": 'event="hot restart done"', "TERM": "event=drained"}


def reason(command: Command) -> str | None:
    """Return why a command is not run here; None: it is."""
    return next((why for begin, why in ELSEWHERE.items() if command.line.startswith(begin)), None)


class Place:
    """A directory in which a reader tries what a document says: the ports of the documents are others here, and the
    configuration also has the sockets for `status` and `reload`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8080": "0", "9000": "9"}
        (folder / "config").symlink_to(ROOT / "config")
        paths = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        self.environment = {**os.environ, "PATH": os.pathsep.join(paths)}
        self.write()

    def write(self) -> None:
        """Write the configuration."""
        more = 'admin: {bind: "unix:admin.sock"}\ncontrol: "unix:control.sock"\n'
        smallest = (ROOT / "config" / "minimal.yaml").read_text()
        (self.folder / "wsgateway.yaml").write_text(self.here(smallest) + more)

    def here(self, words: str) -> str:
        """Return a text of the documents as it is here."""
        words = words.replace("ws://ws.example.com/", "ws://127.0.0.1:8080/")
        return re.sub(r"\b(8080|9000)\b", lambda found: self.ports[found[0]], words)

    def run(self, command: Command) -> str:
        """Run a command to its end, which must be good, and return what it prints."""
        done = subprocess.run(
            ["bash", "-c", self.here(command.line)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def started(self, line: str) -> Iterator[Program]:
        """Start a command that lasts, and wait until it is ready."""
        port, ready = LASTING[line]
        # What is one program is the process itself, and no child of a shell, for its signals.
        line_here = ("" if " && " in line else "exec ") + self.here(line.replace(port, "0"))
        with Program("bash", "-c", f"cd {self.folder} && {line_here}", environment=self.environment) as program:
            self.ports[port] = program.find_line(ready)[1]
            if line == ECHO:
                self.write()
            yield program


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def blurred(output: str) -> str:
    """Return what a command prints, without its figures and the columns that depend on them."""
    return re.sub(r" +", " ", re.sub(r"[0-9]+\.[0-9] ms", "# ms", output))


def test_there_are_commands_and_no_reason_is_given_in_vain() -> None:
    assert {command.document for command in ALL} == {README, MANUAL, "CONTRIBUTING.md"}
    for begin in ELSEWHERE:
        in_words = any(f"`{begin}" in text(name) for name in NAMES)
        assert in_words or any(command.line.startswith(begin) for command in ALL), begin
    for line in LASTING:
        assert any(command.line == line for command in ALL), line


def test_a_first_gateway_is_made_as_the_readme_says_and_prints_that(place: Place) -> None:
    todo = [command for command in ALL if command.document == README and reason(command) is None]
    assert {command.line for command in todo} >= {ECHO, GATEWAY}
    with ExitStack() as programs:
        for command in todo:
            if command.line in LASTING:
                programs.enter_context(place.started(command.line))
                continue
            printed = blurred(place.run(command))
            for piece in blurred(command.output).split("...\n"):
                assert place.here(piece) in printed, command
    assert sum(bool(command.output) for command in todo) == 2


def test_the_commands_of_the_manual_end_well(place: Place) -> None:
    todo = [command for command in ALL if command.document == MANUAL and reason(command) is None]
    todo = [command for command in todo if not command.line.startswith("kill ") and command.line not in LASTING]
    written = [command for command in todo if " > " in command.line]
    others = [command for command in todo if command not in written]
    assert {command.line.split()[1] for command in written} == {"example", "schema"}
    assert {command.line.split()[1] for command in others} == {
        "check",
        "close",
        "explain",
        "log-level",
        "reload",
        "sessions",
        "status",
        "target",
        "probe",
        "units",
    }
    for command in written:
        place.run(command)
        assert (place.folder / command.line.partition(" > ")[2]).stat().st_size
    place.write()
    with place.started(ECHO), place.started(GATEWAY) as gateway:
        if not any('event="control socket"' in line for line in gateway.output):
            gateway.find_line('event="control socket"')
        for command in others:
            place.run(command)
        gateway.find_line("event=session")
    listed = {name for first, *_ in rows(MANUAL, "Every event of the log") for name in re.findall(r"`(\w+)`", first)}
    for line in gateway.output:
        if line.startswith("timestamp="):
            fields = set(re.findall(r"(\w+)=", re.sub(r'"(\\.|[^"])*"', "", line)))
            assert fields - {"timestamp", "level", "event"} <= listed, line


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_of_the_manual_does_what_it_says(place: Place, name: str) -> None:
    [command] = [each for each in ALL if each.line == f"kill -{name} PID"]
    with place.started("wsgateway run wsgateway.yaml") as gateway:
        place.run(Command(command.document, command.line.replace("PID", str(gateway.pid))))
        gateway.find_line(SIGNALS[name])


def test_every_signal_of_the_manual_is_tried() -> None:
    assert {command.line for command in ALL if command.line.startswith("kill")} == {
        f"kill -{name} PID" for name in SIGNALS
    }


# -- what cannot be run is read at least -------------------------------------------------------------------------


def in_words() -> Iterator[str]:
    """Yield the commands of ours that stand between backticks in the running text."""
    for name in NAMES:
        prose = re.sub(r"^```.*?^```$", "", text(name), flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`([^`]+)`", prose):
            if re.match(r"wsgateway [a-z]+ .|(\.venv/bin/)?python -m tests\.", code):
                yield " ".join(code.split())


def test_bash_can_read_every_command() -> None:
    for command in ALL:
        done = subprocess.run(["bash", "-n", "-c", command.line], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_every_command_of_ours_has_the_options_that_it_is_given() -> None:
    lines = [command.line for command in ALL] + list(in_words())
    of_ours = [part for line in lines for part in line.split(" && ") if re.match(r"([\w./]*/)?wsgateway ", part)]
    assert len(of_ours) > 15
    for line in of_ours:
        _, name, *arguments = shlex.split(line)
        with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(io.StringIO()) as printed:
            main([name, "--help"])
        assert ended.value.code == 0, line
        for argument in arguments:
            assert not argument.startswith("--") or f"{argument} " in printed.getvalue().replace("\n", " "), line


def test_every_program_of_the_tests_is_there() -> None:
    programs = {line.split()[2] for line in in_words() if "python -m" in line}
    assert programs >= {"tests.load", "tests.documents"}
    for name in programs:
        assert (
            ROOT.joinpath(*name.split("."), "__main__.py").exists()
            or ROOT.joinpath(*name.split(".")).with_suffix(".py").exists()
        ), name


def test_every_extra_that_pip_is_told_exists() -> None:
    declared = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", declared, re.MULTILINE))
    named = {extra for name in NAMES for several in re.findall(r"(?:wsgateway|\.)\[([\w,]+)\]", text(name))
             for extra in several.split(",")}  # fmt: skip
    assert named >= {"http2", "re2", "srv"}
    assert named <= extras
