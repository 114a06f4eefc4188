"""The fixtures of the end-to-end tests: upstreams, a gateway in front of each, and clients, all started once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.net.certificates import Authority, authority, fingerprint

from .clients import Chromium, Client, Node, OldNode, PhantomJS, Websockets
from .ends import Library, Server
from .libraries import KINDS
from .meetings import Meetings, configuration
from .pages import Pages
from .programs import CHROMIUM_OPTIONS, PATIENCE_SECONDS, PEERS, Program, tool
from .servers import CONFIGURATION, Gateway, Upstream

__all__ = ["authority"]


@pytest.fixture(scope="session", params=["ws", "websockets"], ids="to-{}".format)
def upstream(request: pytest.FixtureRequest) -> Iterator[Upstream]:
    if request.param == "ws":
        tool("ws")
        command = (tool("node"), PEERS / "upstream_ws.js")
    else:
        command = (sys.executable, PEERS / "upstream_websockets.py")
    with Program(*command) as program:
        yield Upstream(program)


@pytest.fixture(scope="session")
def running_gateway(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(CONFIGURATION.format(port=upstream.port), tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@contextmanager
def running(configuration: str, folder: Path) -> Iterator[Gateway]:
    """Yield a gateway, which must end with status 0 and without a bug."""
    file = folder / "wsgateway.yaml"
    file.write_text(configuration)
    with Program(sys.executable, "-m", "wsgateway", "run", file) as program:
        yield Gateway(program)
        code = program.stop()
        assert code == 0, f"exit code {code} at SIGTERM: {program}"
        assert "Traceback" not in str(program), f"a fault of ours: {program}"


@contextmanager
def showing_its_log(gateway: Gateway) -> Iterator[None]:
    """Print what the gateway logs meanwhile: pytest shows it if the test fails."""
    before = len(gateway.log)
    yield
    sys.stdout.writelines(gateway.log[before:])


@pytest.fixture
def gateway(running_gateway: Gateway) -> Iterator[Gateway]:
    with showing_its_log(running_gateway):
        yield running_gateway


@pytest.fixture(scope="session")
def libraries() -> Iterator[dict[str, Library]]:
    """Yield the libraries that are installed; they start at the same time."""
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(Library(*kind.command)) for name, kind in KINDS.items() if kind.installed()
        }
        for library in started.values():
            library.settle()
        yield started


@pytest.fixture(scope="session")
def all_meetings(libraries: dict[str, Library], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meetings]:
    with Server() as modern, running(configuration(libraries, modern), tmp_path_factory.mktemp("meetings")) as gateway:
        yield Meetings(gateway, libraries, modern)


@pytest.fixture
def meetings(all_meetings: Meetings) -> Iterator[Meetings]:
    with showing_its_log(all_meetings.gateway):
        yield all_meetings


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    with Pages() as pages:
        yield pages


@pytest.fixture(scope="session")
def phantomjs(pages: Pages, tmp_path_factory: pytest.TempPathFactory) -> Client:
    executable = tool("phantomjs")
    tool("fontconfig")
    library = tmp_path_factory.mktemp("phantomjs") / "no_openssl.so"
    compile_ = [tool("cc"), "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, PEERS / "no_openssl.c", "-ldl"]
    subprocess.run(compile_, check=True, timeout=PATIENCE_SECONDS)
    return PhantomJS(executable, library, pages)


@pytest.fixture(scope="session")
def ws_old() -> Client:
    tool("ws-old")
    return OldNode(tool("node"))


@pytest.fixture(scope="session")
def ws() -> Client:
    tool("ws")
    return Node(tool("node"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Path:
    """Return a certificate for a gateway on loopback that Chromium trusts."""
    return authority.issue("127.0.0.1")


@pytest.fixture(scope="session")
def chromium(pages: Pages, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("chromium")
    # It leaves things behind in TMPDIR.
    with Program(
        tool("chromium"),
        *CHROMIUM_OPTIONS,
        f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}",
        f"--user-data-dir={folder}",
        f"{pages.origin}/chromium.html",
        environment={"TMPDIR": str(folder)},
    ) as browser:
        yield Chromium(browser, pages)


@pytest.fixture(scope="session")
def websockets() -> Client:
    return Websockets()


@pytest.fixture(params=["phantomjs", "ws_old", "ws", "chromium", "websockets"])
def client(request: pytest.FixtureRequest) -> Client:
    found: Client = request.getfixturevalue(request.param)
    return found
