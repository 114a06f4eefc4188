"""The page in a real browser."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import trio

from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS

# The browser's own clock leaps when the page waits for nothing but time: these are two rounds of probes.
VIRTUAL_MILLISECONDS = 5000
OPTIONS = [
    "--headless",
    "--no-sandbox",  # which needs rights that containers do not have; it sees no page but ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--virtual-time-budget={VIRTUAL_MILLISECONDS}",
    "--dump-dom",
]


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is missing: apt install chromium")
    return found


async def test_a_browser_chats_and_sees_every_dialect_accepted(demo: Demo, chromium: str, tmp_path: Path) -> None:
    command = [chromium, *OPTIONS, f"--user-data-dir={tmp_path}", f"http://{demo.page}/"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # where it leaves things behind
    result = await trio.run_process(command, capture_stdout=True, stderr=subprocess.DEVNULL, env=environment)
    page = result.stdout.decode()
    assert re.search(r'id="connection"[^>]* data-state="connected">connected as guest-\d+ \(rfc6455\)<', page)
    rows = dict(re.findall(r'<tr [^>]*data-dialect="([^"]*)" data-status="([^"]*)"', page))
    assert rows == dict.fromkeys(DIALECTS, "accepted")
    assert f">all {len(DIALECTS)} accepted<" in page
    assert "GET /echo HTTP/1.1" in page  # a transcript
