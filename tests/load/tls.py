"""What TLS costs: the gateway and nginx in front of the same upstream, with the same certificate, one after the other.

What counts is the CPU time of their processes, which the clients here and the upstream have no part in. Compare the two
within one run; another machine, or another moment, has other figures.
"""

import select
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.e2e.programs import Program, tool
from tests.e2e.proxies import identity
from tests.openings import BY_DIALECT
from tests.support import configuration

from .echo import MASKED, MESSAGE
from .process import cpu_seconds, gateway

MODERN = BY_DIALECT["rfc6455"]
CONNECTIONS = 100
ECHO_SECONDS = 2.0
CONNECTS = 1000
CALLERS = 25

_NGINX = """\
daemon off;
error_log stderr notice;
user {user} {group};
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
access_log off;
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    location / {{
        proxy_pass http://127.0.0.1:{upstream};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }}
}}
}}
"""


@dataclass(frozen=True)
class Subject:
    """A process to be measured."""

    port: int
    pid: int


@dataclass(frozen=True)
class Figures:
    """CPU in microseconds, of the gateway and of nginx."""

    echo: tuple[float, float]
    """for the round trip of a message of 64 bytes"""
    connect: tuple[float, float]
    """for a connection with its handshakes, and its end"""

    def __str__(self) -> str:
        return "\n".join(
            f"{what:8} gateway {ours:7.1f} us, nginx {theirs:7.1f} us: {ours / theirs:.2f} times as much"
            for what, (ours, theirs) in (("echo", self.echo), ("connect", self.connect))
        )


def tls(folder: Path, rounds: int) -> Figures:
    """Measure both in turns, so many times. Return the medians."""
    authority = trustme.CA()
    certificate = folder / "certificate.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with Program(sys.executable, "-m", "tests.load.echo") as echo:
        upstream = int(echo.find_line(r"^(\d+)$")[1])
        listener = (
            f"tls: {{profile: modern, certificates: [{{certificate: {certificate}, private_key: {certificate}}}]}}"
        )
        with (
            gateway(folder, configuration(upstream, listener=listener)) as (port, process),
            _nginx(folder, certificate, upstream) as theirs,
        ):
            subjects = Subject(port, process.worker_pid), theirs

            def median(measure: Callable[[Subject, ssl.SSLContext], float]) -> tuple[float, float]:
                taken = [[measure(subject, context) for subject in subjects] for _ in range(rounds)]
                ours, others = zip(*taken, strict=True)
                return statistics.median(ours), statistics.median(others)

            return Figures(median(_echo), median(_connect))


@contextmanager
def _nginx(folder: Path, certificate: Path, upstream: int) -> Iterator[Subject]:
    with socket.create_server(("127.0.0.1", 0)) as here:
        port = here.getsockname()[1]
        (folder / "nginx").write_text(
            _NGINX.format(folder=folder, port=port, certificate=certificate, upstream=upstream, **identity())
        )
        command = [tool("nginx"), "-p", str(folder), "-c", str(folder / "nginx"), "-e", "stderr"]
        with Program(*command, environment={"NGINX": f"{here.fileno()};"}, descriptors=[here.fileno()]) as program:
            yield Subject(port, int(program.find_line(r"start worker process (\d+)$")[1]))


def _opened(subject: Subject, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", subject.port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock = context.wrap_socket(plain, server_hostname="localhost")
    sock.sendall(MODERN.request)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 "), head
    assert sock.version() == "TLSv1.3"
    return sock


def _echo(subject: Subject, context: ssl.SSLContext) -> float:
    """Return the CPU for a round trip, with as many connections as CONNECTIONS, and one message on its way in each."""
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        socks = {sock.fileno(): sock for sock in (_opened(subject, context) for _ in range(CONNECTIONS))}
        for number, sock in socks.items():
            stack.enter_context(sock)
            sock.setblocking(False)
            poll.register(number, select.EPOLLIN)
            sock.sendall(MASKED)
        trips = 0
        before, begun = cpu_seconds(subject.pid), time.monotonic()
        while time.monotonic() - begun < ECHO_SECONDS:
            for number, _ in poll.poll(1):
                sock = socks[number]
                try:
                    data = sock.recv(4096)
                except ssl.SSLWantReadError:  # a session ticket
                    continue
                assert data == MESSAGE
                trips += 1
                sock.send(MASKED)
        return (cpu_seconds(subject.pid) - before) / trips * 1e6


def _connect(subject: Subject, context: ssl.SSLContext) -> float:
    """Return the CPU for a connection: TCP, TLS without resumption, WebSocket, and its end; several at a time."""
    before = cpu_seconds(subject.pid)
    with ThreadPoolExecutor(CALLERS) as callers:
        for each in [callers.submit(_opened, subject, context) for _ in range(CONNECTS)]:
            each.result().close()
    return (cpu_seconds(subject.pid) - before) / CONNECTS * 1e6
