"""The clients: each plays a scenario at an address, and returns what it has seen (see scenario.py)."""

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from websockets.sync.client import connect

from . import scenario as script
from .pages import COOKIE, Pages
from .programs import PATIENCE_SECONDS, PEERS, Program
from .scenario import Seen

APP_ORIGIN = "http://app.test"
MESSAGE_BYTES = 16 * 1024 * 1024


class Client(ABC):
    """A client program that others wrote, and what it can do."""

    dialect = "rfc6455"
    sends_binary = True
    tells_codes = True
    """whether its close event has a code and a reason"""
    cookie = COOKIE
    origin = APP_ORIGIN

    @abstractmethod
    def play(self, scenario: str, url: str) -> Seen:
        """Play a scenario to its end, on a new connection."""


class PhantomJS(Client):
    """WebKit 534.34, which closes without a closing frame and has no codes."""

    dialect = "hixie-76"
    sends_binary = False
    tells_codes = False

    def __init__(self, executable: str, no_openssl: Path, pages: Pages) -> None:
        self._executable = executable
        self._environment = {"LD_PRELOAD": str(no_openssl)}
        self.origin = pages.origin

    def play(self, scenario: str, url: str) -> Seen:
        page = f"{self.origin}/phantom.html"
        return _report(self._executable, PEERS / "phantom.js", page, url, scenario, environment=self._environment)


class OldNode(Client):
    """ws 0.4.32."""

    dialect = "hybi-08"

    def __init__(self, node: str) -> None:
        self._node = node

    def play(self, scenario: str, url: str) -> Seen:
        program = PEERS / "ws_old.js"
        return _report(self._node, "--no-deprecation", program, url, scenario, self.cookie, self.origin)


class Node(Client):
    """ws 8."""

    def __init__(self, node: str) -> None:
        self._node = node

    def play(self, scenario: str, url: str) -> Seen:
        return _report(self._node, PEERS / "ws.js", url, scenario, self.cookie, self.origin)


class Chromium(Client):
    """A page in a browser that is running already."""

    def __init__(self, browser: Program, pages: Pages) -> None:
        self._browser = browser
        self._pages = pages
        self.origin = pages.origin

    def play(self, scenario: str, url: str) -> Seen:
        return self._pages.play(scenario, url, self._browser)


class Websockets(Client):
    """`websockets`, in this process."""

    def play(self, scenario: str, url: str) -> Seen:
        headers = {"Cookie": self.cookie}
        with connect(
            url, origin=self.origin, additional_headers=headers, max_size=MESSAGE_BYTES, proxy=None
        ) as connection:
            return script.play(scenario, connection)


def _report(*command: str | Path, environment: Mapping[str, str] | None = None) -> Seen:
    """Return what a program prints as JSON before it ends by itself. Raise if it fails or does not end."""
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr}{done.stdout}"
    return json.loads(done.stdout)
