"""Colours in what commands print: where there is a terminal, and the environment does not say otherwise."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PATIENCE_SECONDS, configuration
from wsgateway.commands import painted

RED, YELLOW, GREEN, END = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "on_terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_the_terminal_and_the_environment_decide(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], on_terminal: bool, elsewhere: bool
) -> None:
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (painted("a", "red", Terminal()) == f"{RED}a{END}") is on_terminal
    assert (painted("a", "red", io.StringIO()) == f"{RED}a{END}") is elsewhere


def test_each_line_has_its_colour_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert painted("a\nb", "green", io.StringIO()) == f"{GREEN}a{END}\n{GREEN}b{END}"


def on_a_terminal(*arguments: str) -> str:
    """Return what a command prints to a terminal that is its standard output and standard error."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "wsgateway", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    try:
        subprocess.run(
            command,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm"},
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        return os.read(ours, 65536).decode().replace("\r\n", "\n")
    finally:
        os.close(theirs)
        os.close(ours)


def test_problems_warnings_and_results_have_their_colours(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(configuration(9))
    said = on_a_terminal("check", str(file))
    assert said.startswith(f"{YELLOW}warning:{END} routes[0] all: hixie-75 and hixie-76 ")
    assert said.endswith(f"\n{file}: {GREEN}valid{END}\n")
    file.write_text("version: 2\n")
    lines = on_a_terminal("check", str(file)).splitlines()
    assert lines
    assert all(line.startswith(f"{RED}{file}:1:") and line.endswith(END) for line in lines)
