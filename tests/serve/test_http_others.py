"""Plain HTTP between other programs: Python's client and server, h11, curl, and nginx on either side."""

import http.client
import http.server
import os
import random
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h11
import pytest
import trio

from tests.e2e.programs import tool
from tests.processes import GatewayProcess
from tests.serve.exchanging import http_configuration, serving_http

MIB = 1 << 20
MANY_BYTES = 100 * MIB
GROWTH_BYTES = 32 * MIB
BLOCK = bytes(range(256)) * 256


# -- Python's own ------------------------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """A server: GET /NUMBER returns so many bytes, PUT counts the bytes that it gets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        left = int(self.path[1:])
        self.send_response(200)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left and self.command == "GET":
            left -= self.wfile.write(BLOCK[: min(left, len(BLOCK))])

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self) -> None:
        text = f"{sum(self._pieces())} {self.headers['Expect']}".encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _pieces(self) -> Iterator[int]:
        if self.headers["Transfer-Encoding"] != "chunked":
            yield from self._read(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield from self._read(size)
            assert self.rfile.readline() == b"\r\n"
        assert self.rfile.readline() == b"\r\n"

    def _read(self, left: int) -> Iterator[int]:
        while left:
            data = self.rfile.read(min(left, len(BLOCK)))
            assert data, "ended before its end"
            left -= len(data)
            yield len(data)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        pass


@contextmanager
def python_server() -> Iterator[int]:
    """Run Python's own server; return its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, str]]:
    """A gateway in a process of its own before Python's server, and HOST:PORT of it."""
    with python_server() as port, gateway_before(port, tmp_path_factory.mktemp("site")) as (gateway, address):
        yield gateway, address


@contextmanager
def gateway_before(port: int, folder: Path) -> Iterator[tuple[GatewayProcess, str]]:
    """Run a gateway in a process of its own; return its HOST:PORT."""
    with GatewayProcess(folder / "gateway.yaml", http_configuration(port)) as gateway:
        host, own = gateway.address()
        yield gateway, f"{host}:{own}"


def test_pythons_client_sends_many_requests_on_one_connection(site: tuple[GatewayProcess, str]) -> None:
    _, address = site
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.connect()
    own = connection.sock.getsockname()
    for method, path, body, expected in [
        ("GET", "/1000000", None, 1_000_000),
        ("HEAD", "/1000000", None, 0),
        ("PUT", "/", b"x" * 100_000, b"100000 None"),
        ("PUT", "/", iter([b"x" * 70_000, b"y", b"z" * 30_000]), b"100001 None"),
        ("GET", "/0", None, 0),
        ("PUT", "/", b"", b"0 None"),
    ]:
        connection.request(method, path, body, encode_chunked=not isinstance(body, bytes | None))
        answer = connection.getresponse()
        data = answer.read()
        assert data == expected if isinstance(expected, bytes) else len(data) == expected
        assert connection.sock.getsockname() == own
    connection.close()


def test_urllib_gets_the_files_that_it_requests(site: tuple[GatewayProcess, str]) -> None:
    _, address = site
    with urllib.request.urlopen(f"http://{address}/100000", timeout=20) as answer:
        assert answer.read() == (BLOCK * 2)[:100_000]
    request = urllib.request.Request(f"http://{address}/", b"x" * 1000, method="PUT")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert (answer.status, answer.read()) == (201, b"1000 None")


# -- curl --------------------------------------------------------------------------------------------------------


def curl(*arguments: str | Path) -> str:
    """Return the output of curl; its transcript comes first."""
    command = (tool("curl"), "-sS", "--max-time", "60", "--noproxy", "*", *arguments)
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=90)
    return done.stderr + done.stdout


def resident_bytes(gateway: GatewayProcess) -> int:
    """Return the most memory that the process has had which serves."""
    status = Path(f"/proc/{gateway.worker_pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("way", ["down", "down to HTTP/1.0", "up", "up in chunks"])
def test_100_mib_pass_in_bounded_memory(site: tuple[GatewayProcess, str], tmp_path: Path, way: str) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(MANY_BYTES)
    count = ("-o", "/dev/null", "-w", "%{size_download}")
    gateway, address = site
    # The most from now on: other tests have used the same process.
    Path(f"/proc/{gateway.worker_pid}/clear_refs").write_text("5")
    before = resident_bytes(gateway)
    match way:
        case "down":
            assert curl(f"http://{address}/{MANY_BYTES}", *count) == str(MANY_BYTES)
        case "down to HTTP/1.0":
            assert curl("-0", f"http://{address}/{MANY_BYTES}", *count) == str(MANY_BYTES)
        case "up":
            said = curl("-v", "-T", big, f"http://{address}/")
            assert "> Expect: 100-continue" in said
            assert "< HTTP/1.1 100 Continue" in said
            assert said.endswith(f"{MANY_BYTES} 100-continue")
        case _:
            said = curl("-H", "Transfer-Encoding: chunked", "-H", "Expect:", "-T", big, f"http://{address}/")
            assert said == f"{MANY_BYTES} None"
    assert resident_bytes(gateway) - before < GROWTH_BYTES
    big.unlink()


def test_curl_requests_http_2_and_gets_an_answer_by_http_1_1(site: tuple[GatewayProcess, str]) -> None:
    _, address = site
    said = curl("--http2", "-v", "-o", "/dev/null", f"http://{address}/5", "-o", "/dev/null", f"http://{address}/6")
    assert "> Upgrade: h2c" in said
    assert said.count("< HTTP/1.1 200 OK") == 2
    assert "Re-using existing connection" in said


# -- nginx -------------------------------------------------------------------------------------------------------

NGINX = """\
user root; daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
  access_log off; default_type text/plain;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  {http}
}}
"""
SERVER = "server { listen 127.0.0.1:PORT; client_max_body_size 1m; root %s; gzip on; gzip_min_length 1; }"
FRONT = """
  upstream gateway { server %s; keepalive 4; }
  server { listen 127.0.0.1:PORT; client_max_body_size 0; location / {
    proxy_pass http://gateway; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; } }
"""


@contextmanager
def nginx(folder: Path, text: str) -> Iterator[int]:
    """Run nginx with this text in its http section, where PORT stands for its port; return the port.

    nginx cannot report a port that the system chose, so it takes over a socket, as a new nginx does from the old one.
    """
    file = folder / "nginx.conf"
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        file.write_text(NGINX.format(folder=folder, http=text.replace("PORT", str(port))))
        command = [tool("nginx"), "-c", file, "-e", folder / "errors"]
        inherited = {"env": {**os.environ, "NGINX": f"{sock.fileno()};"}, "pass_fds": [sock.fileno()]}
        process = subprocess.Popen(command, start_new_session=True, **inherited)
    with process:
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


def test_nginx_as_an_upstream_serves_files_and_refuses_a_body_early(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "text").write_bytes(b"0123456789" * 100_000)
    with (tmp_path / "big").open("wb") as file:
        file.truncate(MANY_BYTES)
    with nginx(tmp_path, SERVER % site) as port, gateway_before(port, tmp_path) as (_, address):
        url = f"http://{address}/text"
        assert len(curl(url)) == 1_000_000
        assert curl("--compressed", url) == "0123456789" * 100_000  # in chunks
        assert curl("-0", "--compressed", url) == "0123456789" * 100_000
        assert curl("-r", "3-5", "-w", "%{http_code}", url) == "345206"
        head = curl("-I", url)
        assert head.startswith("HTTP/1.1 200 OK")
        tag = head.split("ETag: ")[1].split()[0]
        assert curl("-H", f"If-None-Match: {tag}", "-w", "%{http_code}", url) == "304"
        said = curl("-w", "%{http_code}", "-H", "Expect:", "-T", tmp_path / "big", "-o", "/dev/null", url)
        assert said.endswith("413")
        assert curl("-w", "%{http_code}", "-T", tmp_path / "big", "-o", "/dev/null", url).endswith("413")


def test_nginx_before_us_keeps_its_connections(tmp_path: Path) -> None:
    with python_server() as behind, gateway_before(behind, tmp_path) as (gateway, address):
        with nginx(tmp_path, FRONT % address) as port:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            for size in (0, 5, 100_000, 1_000_000):
                connection.request("GET", f"/{size}")
                assert len(connection.getresponse().read()) == size
                connection.request("PUT", "/", iter([b"x" * size, b"y"]), encode_chunked=True)
                assert connection.getresponse().read() == f"{size + 1} None".encode()
            connection.close()
        gateway.stop()
    clients = [line.split("client=")[1].split()[0] for line in gateway.output if "event=http" in line]
    assert len(clients) == 8
    assert len(set(clients)) == 1


# -- h11 ---------------------------------------------------------------------------------------------------------


async def h11_server(stream: trio.SocketStream) -> None:
    """Send each body back, in pieces of other sizes, while it is still being read."""
    chance = random.Random(1)
    connection = h11.Connection(h11.SERVER)
    events: list[h11.Event] = []
    while not events or not isinstance(events[-1], h11.EndOfMessage):
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(chance.choice([1, 100, 65536])))
            continue
        assert isinstance(event, h11.Event)
        events.append(event)
    body = b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))
    length = [("Content-Length", str(len(body)))] if chance.random() < 0.5 else []
    await stream.send_all(connection.send(h11.Response(status_code=200, headers=length)))
    while body:
        size = chance.randrange(1, 20_000)
        await stream.send_all(connection.send(h11.Data(data=body[:size])))
        body = body[size:]
    await stream.send_all(connection.send(h11.EndOfMessage()))
    await stream.aclose()


async def test_bodies_of_any_size_come_back_however_they_are_cut() -> None:
    chance = random.Random(2)
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with serving_http(listener.socket.getsockname()[1]) as gateway:
        gateway.nursery.start_soon(trio.serve_listeners, h11_server, [listener])
        client = await gateway.connect()
        connection = h11.Connection(h11.CLIENT)
        for _ in range(60):
            body = chance.randbytes(chance.choice([0, 1, 5, 1000, 16_384, 65_536, 200_000]))
            framing = ("Transfer-Encoding", "chunked") if chance.random() < 0.5 else ("Content-Length", str(len(body)))
            request = h11.Request(method="POST", target="/", headers=[("Host", "a"), framing])
            data, left = connection.send(request) or b"", body
            while left:
                size = chance.randrange(1, 70_000)
                data += connection.send(h11.Data(data=left[:size])) or b""
                left = left[size:]
            data += connection.send(h11.EndOfMessage()) or b""
            while data:
                size = chance.choice([1, 17, 1000, 50_000])
                await client.send(data[:size])
                data = data[size:]
            echo = b""
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    connection.receive_data(await client.once())
                elif isinstance(event, h11.Data):
                    echo += event.data
            assert echo == body
            connection.start_next_cycle()
        await client.close()
        await gateway.lines.line("disconnected")
        assert len(gateway.lines.every("http")) == 60
