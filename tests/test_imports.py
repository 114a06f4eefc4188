"""What a process imports: time before it does anything, and memory as long as it lives."""

import subprocess
import sys
from pathlib import Path

import pytest

from wsgateway.cli import COMMANDS, main
from wsgateway.native import ENGINE

COMMAND_MODULES = Path(__file__).parent.parent / "wsgateway" / "commands"


def imported(code: str) -> set[str]:
    """Return the names of the modules that a new process of Python has after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_a_question_that_needs_no_command_imports_none(arguments: list[str]) -> None:
    code = f"from wsgateway.cli import main\ntry: main({arguments})\nexcept SystemExit: pass"
    modules = imported(code)
    in_c = {"wsgateway.native._step"} if ENGINE == "C" else set()
    assert {name for name in modules if name.startswith("wsgateway.")} == {
        "wsgateway.cli",
        "wsgateway.commands",
        "wsgateway.errors",
        "wsgateway.errors.reasons",
        "wsgateway.native",
        *in_c,
        "wsgateway.observe",
        "wsgateway.observe.writer",
        "wsgateway.version",
    }
    assert not modules & {"trio", "ssl", "yaml", "json", "asyncio", "email"}


def test_a_command_imports_no_other() -> None:
    code = "from wsgateway.cli import main\nmain(['example'])"
    assert {name for name in imported(code) if name.startswith("wsgateway.commands.")} == {"wsgateway.commands.example"}


def test_every_command_has_its_module_and_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    defining = {
        file.stem.replace("_", "-") for file in COMMAND_MODULES.glob("*.py") if "\ndef define(" in file.read_text()
    }
    assert COMMANDS.keys() == defining
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: wsgateway {name} ")
