"""The units for systemd, held against what systemd itself thinks of them, and what the rest of the project says."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.programs import PATIENCE_SECONDS, tool
from wsgateway.cli import BROKEN_FILE, main
from wsgateway.run.requests import DIRECTORY
from wsgateway.settings.basics import SystemdSocket
from wsgateway.settings.load import parse

ROOT = Path(__file__).parent.parent
SERVICE, SOCKET = (ROOT / "config" / f"wsgateway.{kind}" for kind in ("service", "socket"))
# Of 10; what most services get is more than 9.
MOST_EXPOSED = 1.5


def test_the_service_is_hardly_exposed() -> None:
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=true", "--no-pager", SERVICE],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    level = re.search(r"Overall exposure level for wsgateway\.service: (\d+\.\d+) ", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED


def test_a_file_that_is_broken_is_not_started_again() -> None:
    [status] = re.findall(r"^RestartPreventExitStatus=(.+)$", SERVICE.read_text(), re.MULTILINE)
    assert int(status) == BROKEN_FILE


def test_a_reload_is_a_command_of_ours_for_the_file_that_is_run() -> None:
    text = SERVICE.read_text()
    [start], [again] = (re.findall(rf"^Exec{what}=(.+)$", text, re.MULTILINE) for what in ("Start", "Reload"))
    assert again == start.replace(" run ", " reload ")
    # Where both look for the control socket, if the file names none.
    [directory] = re.findall(r"^RuntimeDirectory=(.+)$", text, re.MULTILINE)
    assert f"/run/{directory}" == DIRECTORY


def test_the_socket_has_the_name_by_which_the_example_of_its_comment_binds_it() -> None:
    text = SOCKET.read_text()
    [name] = re.findall(r"^FileDescriptorName=(.+)$", text, re.MULTILINE)
    [bind] = re.findall(r"`(bind: .+?)`", text)
    small = (ROOT / "config" / "minimal.yaml").read_text()
    [listener] = parse(re.sub(r"bind: .+", bind, small), "f.yaml").listeners
    assert listener.bind == (SystemdSocket(name),)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["wsgateway.service", "wsgateway.socket", "certbot-deploy"]),
        (["--for", "monitoring"], ["prometheus-rules.yml", "grafana.json"]),
    ],
    ids=["systemd", "monitoring"],
)
def test_the_command_writes_the_files_of_the_repository_and_says_what_it_did(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], names: list[str]
) -> None:
    for before, did in ((None, "written"), ("", "unchanged"), ("an older version", "replaced")):
        for name in names:
            if before:
                (tmp_path / name).write_text(before)
        assert main(["units", *options, str(tmp_path)]) == 0
        assert capfd.readouterr() == ("".join(f"{tmp_path / name}: {did}\n" for name in names), "")
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
        for name in names:
            assert (tmp_path / name).read_bytes() == (ROOT / "config" / name).read_bytes()
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / name, ROOT / "config" / name)]
            assert modes[0] == (0o755 if name == "certbot-deploy" else 0o644)
            assert modes[0] & 0o100 == modes[1] & 0o100  # of the rest Git keeps nothing


def test_a_directory_that_is_missing_is_a_fault_with_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none"
    assert main(["units", str(missing)]) == 1
    assert capfd.readouterr() == (
        "",
        f"{missing}/wsgateway.service: cannot be written: No such file or directory\n",
    )
