"""HTTP/2 with programs that others wrote: a page and its WebSocket in Chromium on one connection, and curl."""

import hashlib
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.net.certificates import Authority, authority

from .conftest import running
from .pages import Pages
from .programs import CHROMIUM_OPTIONS, PATIENCE_SECONDS, Program, tool
from .scenario import BINARIES, BURST, TEXTS
from .servers import Gateway, Upstream

__all__ = ["authority"]

CONFIGURATION = """\
version: 1
listeners:
  - bind: ["127.0.0.1:0"]
    tls: {{certificates: [{{certificate: {file}, private_key: {file}}}], http2: {{mode: offer}}}}
routes:
  - match: {{path: {{prefix: /}}, upgrade: true}}
    upstream: echo
  - match: {{path: {{prefix: /}}}}
    http_upstream: pages
upstreams:
  echo: {{targets: [{{url: "ws://127.0.0.1:{echo}"}}]}}
  pages: {{targets: [{{url: "http://127.0.0.1:{pages}"}}]}}
"""
LARGE = bytes(range(256)) * 40_000


@pytest.mark.parametrize("upstream", ["websockets"], ids="to-{}".format, indirect=True)
def test_a_page_and_its_websocket_come_on_one_connection(
    upstream: Upstream, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    browser = tool("chromium")
    folder = tmp_path_factory.mktemp("h2")  # in which it has a socket, whose name must not be long
    with Pages() as pages:
        port = int(pages.origin.rpartition(":")[2])
        text = CONFIGURATION.format(file=authority.issue("localhost"), echo=upstream.port, pages=port)
        with (
            running(text, folder) as gateway,
            Program(
                browser,
                *CHROMIUM_OPTIONS,
                "--ignore-certificate-errors",  # of an authority that nobody knows
                f"--user-data-dir={folder}",
                f"https://localhost:{gateway.port}/chromium.html",
                environment={"TMPDIR": str(folder)},
            ) as program,
        ):
            seen = pages.play("echo", f"wss://localhost:{gateway.port}/echo", program)
            assert seen == {
                "errors": [],
                "echoes": dict.fromkeys([*TEXTS, *BINARIES], "same"),
                "burst": BURST,
                "close": {"code": 1000, "reason": "done"},
            }
    [session] = [line for line in gateway.log if "event=session" in line]
    page = next(line for line in gateway.log if "event=http" in line and "path=/chromium.html" in line)
    for line in (session, page):
        assert " http=2 " in line
    assert client(session) == client(page), "on two connections"
    assert session.endswith(" by=client reason=closed why=\"close 1000 'done'\"\n")


def client(line: str) -> str:
    """Return the client of a line of the log."""
    return line.partition(" client=")[2].split()[0]


class _Keeper(BaseHTTPRequestHandler):
    """Answer GET with a large body, and POST with the size and the hash of its body."""

    def do_GET(self) -> None:
        self.answer(LARGE)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(data).hexdigest().encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


@pytest.fixture(scope="module")
def keeper(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Yield a gateway in front of it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Keeper) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        text = CONFIGURATION.format(file=authority.issue("localhost"), echo=1, pages=server.server_port)
        try:
            with running(text, tmp_path_factory.mktemp("keeper")) as gateway:
                yield gateway
        finally:
            server.shutdown()
            thread.join()


def curl(authority: Authority, *options: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Return what curl prints; on its standard error, the version of HTTP."""
    program = tool("curl")
    if b"HTTP2" not in subprocess.run([program, "--version"], capture_output=True, check=True).stdout:
        pytest.skip("this curl knows no HTTP/2")
    return subprocess.run(
        [
            program,
            *["-sSf", "--http2", "--noproxy", "*", "-w", "%{stderr}%{http_version}"],
            "--cacert",
            authority.file,
            *options,
        ],
        input=data,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )


def test_curl_gets_a_large_body(keeper: Gateway, authority: Authority) -> None:
    done = curl(authority, f"https://localhost:{keeper.port}/")
    assert (done.stdout, done.stderr) == (LARGE, b"2")


def test_curl_posts_a_large_body(keeper: Gateway, authority: Authority) -> None:
    done = curl(authority, "--data-binary", "@-", f"https://localhost:{keeper.port}/", data=LARGE)
    assert (done.stdout, done.stderr) == (hashlib.sha256(LARGE).hexdigest().encode(), b"2")


def test_curl_asks_for_many_things_at_once(keeper: Gateway, authority: Authority) -> None:
    options = ("--parallel", "--output", "/dev/null", "-w", "%{http_version}")  # beside which it tells its progress
    assert curl(authority, *options, f"https://localhost:{keeper.port}/[1-20]").stdout == b"2" * 20
