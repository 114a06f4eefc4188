"""What is measured: the gateway, and what else can stand in its place."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.programs import MODULES, Program, which
from tests.e2e.proxies import identity
from tests.load.process import gateway, tree

PEERS = Path(__file__).parent / "peers"
ANY_DIALECT = ("rfc6455", "hixie-76")
# What a gateway needs that the others have no limits for.
_CONFIGURATION = """\
version: 1
workers: {workers}
listeners:
  - {{bind: ["127.0.0.1:0"], max_connections: 9500, max_connections_per_ip: 9500}}
defaults:
  keepalive: {{interval: none}}
  timeouts: {{handshake: 5m, connect: 1m}}
routes:
{routes}
upstreams:
  echo: {{targets: [{{url: "ws://127.0.0.1:{upstream}"}}]}}
"""
_ROUTE = "  - {{name: {name}, match: {{path: {{prefix: {path}}}}}, upstream: echo}}"


@dataclass(frozen=True)
class Subject:
    """A running program that passes WebSocket on to the upstream."""

    name: str
    port: int
    pid: int
    """of its first process; it may have more"""
    dialects: tuple[str, ...] = ANY_DIALECT
    """what its clients may speak, of those that are measured"""

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return tree(self.pid)


Start = Callable[[Path, int, int], AbstractContextManager[Subject]]
"""starts a subject; takes a folder, the port of the upstream, and the number of its workers"""


def routes(others: int = 0) -> str:
    """Return routes for a configuration: one for all paths, behind so many that do not match."""
    names = [(f"route-{number}", f"/other-{number}") for number in range(others)]
    return "\n".join(_ROUTE.format(name=name, path=path).replace("{{", "{") for name, path in [*names, ("all", "/")])


@contextmanager
def wsgateway(folder: Path, upstream: int, workers: int = 1, others: int = 0) -> Iterator[Subject]:
    """Yield a gateway, with so many routes that do not match."""
    text = _CONFIGURATION.format(workers=workers, upstream=upstream, routes=routes(others))
    with gateway(folder, text) as (port, process):
        yield Subject("wsgateway", port, process.pid)


@contextmanager
def nginx(folder: Path, upstream: int, workers: int = 1) -> Iterator[Subject]:
    """Yield nginx. Its clients speak RFC 6455 alone."""
    with _listening() as sock:
        settings = folder / "nginx.conf"
        port = sock.getsockname()[1]
        text = (PEERS / "nginx.conf").read_text()
        settings.write_text(text.format(folder=folder, port=port, upstream=upstream, workers=workers, **identity()))
        command = [str(which("nginx")), "-p", str(folder), "-c", str(settings), "-e", "stderr"]
        environment = {"NGINX": f"{sock.fileno()};"}
        with Program(*command, environment=environment, descriptors=[sock.fileno()]) as program:
            program.find_line("start worker process")
            yield Subject("nginx", port, program.pid, ("rfc6455",))


@contextmanager
def haproxy(folder: Path, upstream: int, workers: int = 1) -> Iterator[Subject]:
    """Yield HAProxy with one thread. Its clients speak RFC 6455 alone."""
    with _listening() as sock:
        settings = folder / "haproxy.cfg"
        settings.write_text((PEERS / "haproxy.cfg").read_text().format(number=sock.fileno(), upstream=upstream))
        with Program(str(which("haproxy")), "-db", "-f", settings, descriptors=[sock.fileno()]) as program:
            yield Subject("HAProxy", sock.getsockname()[1], program.pid, ("rfc6455",))


@contextmanager
def faye(folder: Path, upstream: int, workers: int = 1) -> Iterator[Subject]:
    """Yield a proxy on websocket-driver, of Node."""
    with Program(str(which("node")), PEERS / "faye.js", MODULES, str(upstream)) as program:
        yield Subject("faye", _port_of(program), program.pid)


@contextmanager
def em_websocket(folder: Path, upstream: int, workers: int = 1) -> Iterator[Subject]:
    """Yield a proxy on em-websocket, of Ruby."""
    with Program(str(which("ruby")), PEERS / "em_websocket.rb", str(upstream)) as program:
        yield Subject("em-websocket", _port_of(program), program.pid)


def _port_of(program: Program) -> int:
    return int(program.find_line(r"^listening (\d+)$")[1])


@contextmanager
def _listening() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(4096)
        sock.setblocking(False)  # as a server expects it of a socket of its own
        yield sock


SUBJECTS: dict[str, tuple[str, Start]] = {
    "wsgateway": ("cc", wsgateway),
    "nginx": ("nginx", nginx),
    "HAProxy": ("haproxy", haproxy),
    "faye": ("node", faye),
    "em-websocket": ("ruby", em_websocket),
}
"""by name: the program that must be installed, and how it is started"""
# Compared with these, in this order: the first one that a dialect has.
BASES = ("nginx", "faye")


@contextmanager
def started(names: list[str], folder: Path, upstream: int) -> Iterator[list[Subject]]:
    """Start those of the subjects that are installed, each with a folder of its own; say which are not."""
    with ExitStack() as stack:
        running = []
        for name in names:
            program, start = SUBJECTS[name]
            own = folder / name
            own.mkdir()
            if which(program) is None:
                print(f"{name} is left out: {program} is missing")
                continue
            try:
                running.append(stack.enter_context(start(own, upstream, 1)))
            except AssertionError as error:  # such as a library that is missing
                print(f"{name} is left out: {str(error).splitlines()[-1]}")
        yield running
