"""The units for systemd, held against what systemd itself thinks of them, and what the rest of the project says."""

import re
import subprocess
from pathlib import Path

from tests.e2e.programs import PATIENCE_SECONDS, tool
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


def test_the_socket_has_the_name_by_which_the_example_of_its_comment_binds_it() -> None:
    text = SOCKET.read_text()
    [name] = re.findall(r"^FileDescriptorName=(.+)$", text, re.MULTILINE)
    [bind] = re.findall(r"`(bind: .+?)`", text)
    small = (ROOT / "config" / "minimal.yaml").read_text()
    [listener] = parse(re.sub(r"bind: .+", bind, small), "f.yaml").listeners
    assert listener.bind == (SystemdSocket(name),)
