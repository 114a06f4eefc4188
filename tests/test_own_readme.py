"""What the README of the tests says: its commands, folders and helpers are there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.programs import PATIENCE_SECONDS

TESTS = Path(__file__).parent
ROOT = TESTS.parent
README = (TESTS / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]
# A module and what it is given, for all commands but those of the shell.
GIVEN = [
    (command[2], command[3:]) if command[1] == "-m" else ("pytest", command[1:])
    for command in COMMANDS
    if command[0].startswith(".venv/")
]


def test_each_command_is_a_program_that_is_there_and_names_files_that_are_there() -> None:
    beside_us = Path(sys.executable).parent
    for program, *arguments in COMMANDS:
        found = beside_us / Path(program).name if program.startswith(".venv/bin/") else ROOT / program
        assert found.exists(), program
        for argument in arguments:
            if argument.startswith("tests/"):
                assert (ROOT / argument).exists(), argument


@pytest.mark.parametrize("module", sorted({module for module, _ in GIVEN if module != "pytest"}))
def test_each_module_that_is_run_knows_what_it_is_given(module: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=True,
    ).stdout
    words = {word for each, arguments in GIVEN if each == module for word in arguments}
    options = {word for word in words if word.startswith("-")}
    kinds = {word for word in words - options if not word.isdecimal()}
    assert {word for word in options | kinds if not re.search(rf"(?<![\w-]){word}\b", told)} == set()


def test_each_folder_and_each_helper_is_there() -> None:
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert {name for name in named if not (TESTS / name).exists()} == set()
    folders = {file.parent.name for file in TESTS.glob("*/__init__.py")} | {"fresh"}
    assert folders - named == set()
    assert {file.name for file in TESTS.glob("[!t_]*.py")} - named == {"conftest.py"}
