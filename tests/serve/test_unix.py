"""Listeners on Unix sockets: their files, who may connect, and how such clients are identified."""

import errno
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.heads import head_of, switching, values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, OPENINGS, RFC6455, Opening, Session
from tests.peers import Peer
from tests.processes import GatewayProcess
from tests.support import Running, Upstream, configuration, serving_text
from wsgateway.errors import SettingsError
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import UnixAddress

MODERN = BY_DIALECT["rfc6455"]
PROXY_V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
PROXY_V2 = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c c0000207 c6336401 1267 01bb")
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ws.sock"


def bound_to(path: Path, upstream: Upstream, **options: str) -> str:
    """Return the configuration of a gateway that listens on this Unix socket."""
    return configuration(upstream.port, **options).replace("127.0.0.1:0", f"unix:{path}")


def opened_and_closed(path: Path) -> None:
    """Leave the file of a socket, as a stopped gateway does."""
    [sock] = listen(UnixAddress(str(path)))
    sock.close()


def refused(path: Path) -> str:
    """Return the error if it is not possible to listen on this."""
    with pytest.raises(SettingsError) as caught:
        listen(UnixAddress(str(path)))
    message = str(caught.value)
    assert message.startswith(f"unix:{path}: cannot listen: ")
    return message.removeprefix(f"unix:{path}: cannot listen: ")


# -- the file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_the_user_and_the_group_may_connect_whatever_the_umask(umask: int, path: Path) -> None:
    before = os.umask(umask)
    try:
        opened_and_closed(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_socket_file_without_a_listener_is_replaced(path: Path) -> None:
    for _ in range(3):
        opened_and_closed(path)
        assert stat.S_ISSOCK(path.stat().st_mode)


def test_a_socket_file_with_a_listener_is_kept(path: Path) -> None:
    [first] = listen(UnixAddress(str(path)))
    with first, socket.socket(socket.AF_UNIX) as client:
        assert refused(path) == "Address already in use"
        client.connect(str(path))


def test_a_socket_file_with_a_listener_that_does_not_accept_is_kept(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as client:
        busy.bind(str(path))
        busy.listen(0)
        client.connect(str(path))  # the one that may wait
        assert refused(path) == "Address already in use"


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_a_file_that_is_no_socket_is_kept(kind: str, path: Path) -> None:
    match kind:
        case "file":
            path.write_text("precious")
        case "link":
            path.symlink_to("/etc/passwd")
        case "directory":
            path.mkdir()
    before = path.lstat()
    assert refused(path) == "there is a file of this name that is no socket"
    assert path.lstat() == before


def test_a_directory_that_is_not_there_is_a_problem_that_names_the_address(tmp_path: Path) -> None:
    assert refused(tmp_path / "none" / "ws.sock") == "No such file or directory"


def test_a_path_that_is_too_long_is_a_problem_that_names_the_address(tmp_path: Path) -> None:
    assert refused(tmp_path / ("x" * 108)) == "AF_UNIX path too long"


def test_a_gateway_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    # The path is relative to the file.
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        text = configuration(upstream.getsockname()[1]).replace("127.0.0.1:0", "unix:ws.sock")
        for _ in range(2):
            with GatewayProcess(tmp_path / "gateway.yaml", text) as gateway:
                gateway.find_line(rf"event=listening .*address=unix:{tmp_path}/ws\.sock$")
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(tmp_path / "ws.sock"))
                    client.sendall(MODERN.request)
                    behind, _ = upstream.accept()
                    with behind:
                        behind.sendall(switching(behind.recv(65536)))
                        assert client.recv(65536) == MODERN.reply
                        gateway.signal(signal.SIGKILL)
                        assert gateway.wait() == -signal.SIGKILL


# -- the clients -----------------------------------------------------------------------------------------------


async def served(gateway: Running, upstream: Upstream, client: Peer, name: str) -> bytes:
    """Check that a client has a session, and is known by this name; return the upstream's request."""
    behind, request = await upstream.agree()
    assert await client.head() == MODERN.reply
    await client.send(MODERN.hello)
    assert await behind.frame() == (0x81, b"Hello")
    await client.close()
    await behind.close()
    assert (await gateway.lines.line("session"))["client"] == name
    return request


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_every_dialect_has_its_session(opening: Opening, path: Path) -> None:
    async with Upstream() as upstream, serving_text(bound_to(path, upstream)) as gateway:
        client = await gateway.connect_unix(path, opening.request)
        behind, _ = await upstream.agree()
        await Session(opening, client, behind, await opening.accepted(client)).works()


async def test_a_client_over_tls_has_its_session(path: Path, authority: Authority) -> None:
    file = authority.issue("localhost")
    listener = f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}"
    async with Upstream() as upstream, serving_text(bound_to(path, upstream, listener=listener)) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN.request, path=path)
        request = await served(gateway, upstream, client, "unix")
        assert values(request, "x-forwarded-proto") == ["https"]


async def test_a_client_for_whom_the_kernel_has_no_memory_costs_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exhausted:
        """An epoll object with no room for more watches, as when the machine's limit is reached."""

        def register(self, fd: int, events: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with Upstream() as upstream, serving_text(bound_to(path, upstream)) as gateway:
        with monkeypatch.context() as full:
            full.setattr(gateway.service._gateway.engine.watches, "_epoll", Exhausted())
            assert await (await gateway.connect_unix(path)).rest() == b""
        assert (await gateway.lines.line("cannot serve"))["client"] == "unix"
        await served(gateway, upstream, await gateway.connect_unix(path, MODERN.request), "unix")


async def test_a_client_that_no_proxy_names_has_no_address(path: Path) -> None:
    async with (
        Upstream() as upstream,
        serving_text(bound_to(path, upstream, route='headers: {set: {X-Who: "{client_ip}"}}')) as gateway,
    ):
        said = head_of("GET /chat HTTP/1.1", *RFC6455, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
        request = await served(gateway, upstream, await gateway.connect_unix(path, said), "unix")
        assert values(request, "x-forwarded-for") == ["unknown"]
        assert values(request, "x-who") == ["unknown"]
        assert values(request, "x-forwarded-proto") == ["http"]


@pytest.mark.parametrize(
    "said", ["X-Forwarded-For: 198.51.100.9, 192.0.2.7", 'Forwarded: for=198.51.100.9, for="192.0.2.7:4711"']
)
async def test_a_client_is_the_one_that_its_proxy_names_if_the_proxy_is_trusted(said: str, path: Path) -> None:
    async with (
        Upstream() as upstream,
        serving_text(bound_to(path, upstream, listener="forwarded: {trusted: [unix]}")) as gateway,
    ):
        client = await gateway.connect_unix(path, head_of("GET /chat HTTP/1.1", *RFC6455, said))
        request = await served(gateway, upstream, client, "unix")
        assert values(request, "x-forwarded-for") == ["192.0.2.7"]


@pytest.mark.parametrize("header", [PROXY_V1, PROXY_V2], ids=["v1", "v2"])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in pieces"])
async def test_a_client_is_the_one_that_the_proxy_protocol_names(header: bytes, pieces: bool, path: Path) -> None:
    listener = "proxy_protocol: {accept: required, trusted: [unix]}"
    async with Upstream() as upstream, serving_text(bound_to(path, upstream, listener=listener)) as gateway:
        parts = [header[at : at + 1] for at in range(len(header))] if pieces else [header]
        client = await gateway.connect_unix(path, *parts, MODERN.request)
        request = await served(gateway, upstream, client, "192.0.2.7:4711")
        assert values(request, "x-forwarded-for") == ["192.0.2.7"]


async def test_a_header_of_the_proxy_protocol_does_not_count_where_unix_is_not_trusted(path: Path) -> None:
    listener = 'proxy_protocol: {accept: optional, trusted: ["0.0.0.0/0", "::/0"]}'
    async with Upstream() as upstream, serving_text(bound_to(path, upstream, listener=listener)) as gateway:
        client = await gateway.connect_unix(path, PROXY_V1 + MODERN.request)
        assert await client.rest() == b""
        why = "a header of the PROXY protocol, from an address that is not trusted with it"
        assert (await gateway.lines.line("refused"))["why"] == why


async def test_a_header_that_comes_in_part_waits_for_the_rest_or_its_time(
    path: Path, autojump_clock: MockClock
) -> None:
    # The kernel reports such a socket as readable all the time.
    listener = "proxy_protocol: {accept: required, trusted: [unix]}"
    options = {"listener": listener, "timeouts": "handshake: 200ms"}
    async with Upstream() as upstream, serving_text(bound_to(path, upstream, **options)) as gateway:
        client = await gateway.connect_unix(path, PROXY_V1[:-1])
        assert (await client.head()).startswith(b"HTTP/1.1 408 ")


async def test_limits_for_an_address_do_not_count_clients_without_one(path: Path) -> None:
    options = {"listener": "max_connections_per_ip: 1, max_connections: 3", "limits": "handshake_rate: 1/h"}
    async with Upstream() as upstream, serving_text(bound_to(path, upstream, **options)) as gateway:
        for _ in range(3):
            client = await gateway.connect_unix(path, MODERN.request)
            await upstream.agree()
            assert await client.head() == MODERN.reply
        beyond = await gateway.connect_unix(path)
        assert (await beyond.head()).startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize(("version", "expected"), [("v1", b"PROXY UNKNOWN\r\n"), ("v2", LOCAL)])
async def test_the_upstream_gets_a_proxy_header_without_addresses(version: str, expected: bytes, path: Path) -> None:
    async with (
        Upstream() as upstream,
        serving_text(bound_to(path, upstream, behind=f"send_proxy_protocol: {version}")) as gateway,
    ):
        await gateway.connect_unix(path, MODERN.request)
        behind = await upstream.accept()
        assert await behind.exactly(len(expected)) == expected
        assert (await behind.head()).startswith(b"GET /chat HTTP/1.1\r\n")
