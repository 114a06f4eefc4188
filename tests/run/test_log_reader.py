"""A gateway whose log is not read: sessions, admin pages and signals work, and lost lines are counted and reported."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.openings import BY_DIALECT
from tests.processes import PATIENCE_SECONDS, gateway_command, session

from .gateways import PLAIN, whole

MODERN = BY_DIALECT["rfc6455"]
# What is refused without an upstream: a line of the log each.
# More lines of 150 bytes than a pipe (64 KiB) and the smallest queue (64 KiB) hold together.
ENOUGH = 1500


@dataclass
class Reader:
    """A reader of the log of a gateway, which may pause."""

    fd: int
    text: str = ""
    reads: threading.Event = field(default_factory=threading.Event)
    news: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        while self.reads.wait() and (data := os.read(self.fd, 65536)):
            with self.news:
                self.text += data.decode()
                self.news.notify_all()

    def find(self, pattern: str) -> str:
        """Wait for a line. Return the first group of the pattern."""
        with self.news:
            assert self.news.wait_for(lambda: re.search(pattern, self.text), PATIENCE_SECONDS), self.text
            found = re.search(pattern, self.text)
            assert found
            return found[1]


@contextmanager
def gateway(file: Path, upstream: int) -> Iterator[tuple[subprocess.Popen[bytes], Reader]]:
    """Yield a gateway with a small queue, and the reader of its log."""
    file.write_text(whole(upstream, shutdown="drain: 1s, spread: none") + "logging: {queue: 64KiB}\n")
    reader, writer = os.pipe()
    process = subprocess.Popen(gateway_command("run", file), stderr=writer, start_new_session=True)
    os.close(writer)
    log = Reader(reader)
    log.reads.set()
    thread = threading.Thread(target=log.run)
    thread.start()
    try:
        yield process, log
    finally:
        log.reads.set()
        process.kill()
        process.wait()
        thread.join(PATIENCE_SECONDS)  # the workers drain, and then the pipe has an end
        os.close(reader)


def ask(address: str, path: str) -> str:
    with urlopen(f"http://{address}{path}", timeout=PATIENCE_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def status(address: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ask(address, "/status"))
    return told


def test_a_log_reader_that_reads_nothing_stops_no_session(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as upstream,
        gateway(tmp_path / "gateway.yaml", upstream.getsockname()[1]) as (process, log),
    ):
        port = int(log.find(r"event=listening .*127\.0\.0\.1:(\d+)\n"))
        admin = log.find(r'event="admin pages" address=(\S+)\n')
        with session(("127.0.0.1", port), upstream, MODERN) as (client, behind):
            log.reads.clear()
            for _ in range(ENOUGH):
                with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as other:
                    other.sendall(PLAIN)
                    assert other.recv(65536).startswith(b"HTTP/1.1 426 ")
            # The session goes on, and so do the admin pages.
            client.sendall(MODERN.hello)
            assert behind.recv(65536)
            lost = status(admin)["gateway"]["log_lines_dropped"]
            assert lost > 0
            assert f"wsgateway_log_lines_dropped_total {lost:.1f}\n" in ask(admin, "/metrics")
            # When it is read again, the log says what is missing.
            log.reads.set()
            assert int(log.find(r'event="log lines dropped" lines=(\d+)\n')) == lost
            log.reads.clear()
        # And the gateway can be stopped.
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
