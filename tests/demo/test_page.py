"""The page in a real browser."""

import os
import re
import subprocess

import pytest
import trio

from tests.e2e.programs import CHROMIUM_OPTIONS, tool
from wsgateway.demo.program import Demo
from wsgateway.dialects import DIALECTS

# The browser's own clock leaps when the page waits for nothing but time: these are two rounds of probes.
VIRTUAL_MILLISECONDS = 5000
OPTIONS = [*CHROMIUM_OPTIONS, f"--virtual-time-budget={VIRTUAL_MILLISECONDS}", "--dump-dom"]


async def test_a_browser_chats_and_sees_every_dialect_accepted(
    demo: Demo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("chromium")  # a short name: that of a socket goes behind it
    command = [tool("chromium"), *OPTIONS, f"--user-data-dir={folder}", f"http://{demo.gateway}/"]
    environment = {**os.environ, "TMPDIR": str(folder)}  # where it leaves things behind
    result = await trio.run_process(command, capture_stdout=True, stderr=subprocess.DEVNULL, env=environment)
    page = result.stdout.decode()
    assert re.search(r'id="connection"[^>]* data-state="connected">connected as guest-\d+ \(rfc6455\)<', page)
    rows = re.findall(r'<tr [^>]*data-dialect="([^"]*)" data-gateway="([^"]*)" data-directly="([^"]*)"', page)
    today = ("hybi-08", "rfc6455")
    assert rows == [(name, "accepted", "accepted" if name in today else "refused") for name in DIALECTS]
    assert f">accepted: 2 of {len(DIALECTS)} directly, {len(DIALECTS)} of {len(DIALECTS)} through the gateway<" in page
    assert "GET /echo HTTP/1.1" in page  # a transcript
    assert re.search(
        r'<pre id="own-file"[^>]*># yaml[^<]*\n    targets: \[{url: "ws://127.0.0.1:9000"}\]\n</pre>', page
    )
