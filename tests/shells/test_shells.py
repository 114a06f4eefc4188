"""Completions for shells, in a real bash, and the manual page: both are made of the parser."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.programs import tool
from tests.support import PATIENCE_SECONDS
from wsgateway.cli import COMMANDS, main, parser_of
from wsgateway.commands import completion
from wsgateway.commands.completion import FILES
from wsgateway.shells import MANUAL
from wsgateway.shells.manual import manual

pytest.importorskip("shtab", reason="needs shtab: pip install -e '.[test]'")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    command = [sys.executable, "-m", "wsgateway.shells", str(folder)]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)
    return folder


def completed(made: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of these words."""
    script = f"""
        source {made / FILES["bash"]}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1}
        $(complete -p wsgateway | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    command = [tool("bash"), "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS, cwd=made)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_commands_and_their_options_are_completed(made: Path) -> None:
    assert completed(made, "wsgateway", "") >= COMMANDS.keys()
    assert completed(made, "wsgateway", "sch") == {"schema"}
    assert completed(made, "wsgateway", "check", "--") == {"--help", "--strict", "--json"}
    assert completed(made, "wsgateway", "explain", "--dialect", "hixie") == {"hixie-75", "hixie-76"}


def test_names_of_files_are_completed(made: Path) -> None:
    (made / "wsgateway.yaml").write_text("")
    assert completed(made, "wsgateway", "run", "wsg") == {"wsgateway.yaml"}
    assert completed(made, "wsgateway", "units", "sh") == {"share"}


@pytest.mark.parametrize("shell", FILES)
def test_every_shell_has_a_file_with_every_command(made: Path, shell: str) -> None:
    text = (made / FILES[shell]).read_text()
    assert {name for name in COMMANDS if name not in text} == set()


def test_the_manual_has_every_command_and_every_option(made: Path) -> None:
    text = (made / MANUAL).read_text()
    assert text == manual(parser_of(COMMANDS))
    assert re.findall(r"^\.SS (.*)$", text, re.MULTILINE) == list(COMMANDS)
    assert "\\fB\\-\\-strict\\fR\ntake warnings for errors: exit status 1\n" in text
    assert "the dialect to speak, or a range as hybi\\-01..08" in text
    assert "%(" not in text


def test_no_line_of_the_manual_is_taken_for_a_request_of_troff(made: Path) -> None:
    requests = {line.split()[0] for line in (made / MANUAL).read_text().splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".I"}


@pytest.mark.parametrize("shell", FILES)
def test_the_command_prints_what_was_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shell: str
) -> None:
    (tmp_path / "file").write_text("complete\n")
    monkeypatch.setattr(completion, "installed", {FILES[shell]: tmp_path / "file"}.get)
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == "complete\n"


def test_without_an_installed_file_the_command_fails_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "installed", lambda _: None)
    assert main(["completion", "bash"]) == 1
    assert capsys.readouterr() == ("", f"{completion.MISSING}\n")


def test_this_installation_has_the_files(made: Path) -> None:
    for name in (*FILES.values(), MANUAL):
        found = completion.installed(name)
        if found is None:
            pytest.skip("was installed before there were completions: pip install -e '.[test]'")
        assert found.stat().st_size > 1000
