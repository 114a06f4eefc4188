"""The demo as a program, from the command line to its end."""

import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from wsgateway.cli import main
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import Address

from .conftest import LOOPBACK, PATIENCE_SECONDS
from .fetching import fetch

COMMAND = (sys.executable, "-m", "wsgateway", "demo", "--port", "0")


@asynccontextmanager
async def started() -> AsyncIterator[tuple[trio.Process, str]]:
    """Yield the process of a demo and what it has printed."""
    process = await trio.lowlevel.open_process(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None, "it was opened as a pipe"
    assert process.stderr is not None, "it was opened as a pipe"
    async with process.stdout as output, process.stderr as errors:
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                text = ""
                while text.count("\n") < 6:
                    piece = await output.receive_some()
                    assert piece, f"ended with {text!r} and {await errors.receive_some()!r}"
                    text += piece.decode()
                yield process, text
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_demo_prints_where_the_page_is_and_a_signal_ends_it_with_status_0(number: signal.Signals) -> None:
    async with started() as (process, text):
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\n", text)
        assert found is not None
        assert re.search(r"wsgateway probe ws://127\.0\.0\.1:\d+/echo --dialect hixie-76 --send hello --trace\n", text)
        response = await fetch(Address("127.0.0.1", int(found[1])), "/")
        assert response.status == 200
        process.send_signal(number)
        assert await process.wait() == 0
        assert process.stderr is not None, "it was opened as a pipe"
        assert await process.stderr.receive_some() == b""


def test_a_port_that_is_taken_is_reported_in_one_line_and_is_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    (listener,) = listen(LOOPBACK)
    with listener:
        port = listener.getsockname()[1]
        assert main(["demo", "--port", str(port)]) == 1
    assert capfd.readouterr().err == f"127.0.0.1:{port}: cannot listen: Address already in use\n"


def test_the_port_of_an_echo_that_is_taken_is_one_line_and_a_fault(capfd: pytest.CaptureFixture[str]) -> None:
    (listener,) = listen(LOOPBACK)
    with listener:
        port = listener.getsockname()[1]
        assert main(["demo", "--echo", str(port)]) == 1
    assert capfd.readouterr() == ("", f"127.0.0.1:{port}: cannot listen: Address already in use\n")


@pytest.mark.parametrize("port", ["65536", "-1", "http", ""])
def test_a_value_that_is_no_port_is_wrong_usage(port: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", f"--port={port}"])
    assert caught.value.code == 2
    assert f"{port!r} is not a port; write a number from 0 to 65535" in capfd.readouterr().err
