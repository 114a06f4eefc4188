"""Sockets that systemd has opened and passes to a gateway process, as sd_listen_fds(3) says."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.programs import PATIENCE_SECONDS
from tests.processes import GatewayProcess
from tests.support import configuration
from wsgateway.errors import SettingsError
from wsgateway.run.systemd import listening_sockets

from .gateways import PLAIN

PUBLIC = configuration(9).replace('"127.0.0.1:0"', '"systemd:public"')


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """Yield three sockets that systemd has opened."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


def calling(sock: socket.socket) -> socket.socket:
    """Return a client of one of them that has sent a request."""
    client = socket.create_connection(sock.getsockname(), PATIENCE_SECONDS)
    client.sendall(PLAIN)
    return client


def check_served(client: socket.socket) -> None:
    with client:
        assert client.recv(4096).startswith(b"HTTP/1.1 426 ")


def test_sockets_are_found_by_name_and_those_of_one_name_together(file: Path, sockets: list[socket.socket]) -> None:
    one, two, other = sockets
    text = PUBLIC.replace("defaults:", '  - {name: more, bind: ["systemd:more"]}\ndefaults:')
    with GatewayProcess(file, text, passed=[("public", one), ("more", other), ("public", two)]) as process:
        for name, sock in (("public", one), ("public", two), ("more", other)):
            port = sock.getsockname()[1]
            process.find_line(rf"event=listening listener={name} address=127\.0\.0\.1:{port}$")
        for sock in sockets:
            check_served(calling(sock))
        assert process.stop() == 0


def test_an_ipv4_client_of_a_socket_for_both_families_is_an_ipv4_client(file: Path) -> None:
    # systemd.socket(5): with BindIPv6Only=default, `ListenStream=8080` takes IPv4 clients as mapped IPv6 addresses.
    sock = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    text = PUBLIC.replace('bind: ["systemd:public"]', 'bind: ["systemd:public"], forwarded: {trusted: ["127.0.0.1"]}')
    with sock, GatewayProcess(file, text, passed=[("public", sock)]) as process:
        process.find_line("event=listening ")
        with socket.create_connection(("127.0.0.1", sock.getsockname()[1]), PATIENCE_SECONDS) as client:
            client.sendall(PLAIN.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"))
            check_served(client)
        process.find_line(
            r"event=refused client=127\.0\.0\.1:[0-9]+ listener=public host=a path=/ forwarded_for=192\.0\.2\.7 "
        )


def test_clients_that_wait_at_a_socket_of_systemd_are_served_by_the_next_gateway(
    file: Path, sockets: list[socket.socket]
) -> None:
    passed = [("public", sockets[0])]
    with GatewayProcess(file, PUBLIC, passed=passed) as process:
        process.find_line("event=listening ")
        assert process.stop() == 0
    waiting = calling(sockets[0])
    with GatewayProcess(file, PUBLIC, passed=passed):
        check_served(waiting)


def test_a_socket_of_systemd_is_still_open_after_a_reload(file: Path, sockets: list[socket.socket]) -> None:
    with GatewayProcess(file, configuration(9), passed=[("public", sockets[0])]) as process:
        process.find_line("event=listening ")
        file.write_text(PUBLIC)
        process.signal(signal.SIGHUP)
        process.find_line("event=reloaded")
        check_served(calling(sockets[0]))


@pytest.mark.parametrize(
    ("environment", "passed"),
    [
        ({}, "it has passed on other, unknown"),
        ({"LISTEN_PID": "1"}, "it has passed on none"),
        ({"LISTEN_FDS": "1"}, "it has passed on other"),
    ],
    ids=["by other names", "for another process", "fewer than there are"],
)
def test_a_socket_name_that_systemd_does_not_have_is_reported_with_those_that_it_has(
    file: Path, sockets: list[socket.socket], environment: dict[str, str], passed: str
) -> None:
    there = [("other", sockets[0]), ("", sockets[1])]
    with GatewayProcess(file, PUBLIC, environment, there) as process:
        process.find_line(f"^systemd:public: systemd has no socket of this name for us; {passed}$")
        assert process.wait() == 1


def test_a_passed_socket_that_is_no_stream_is_reported_with_its_name(file: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        with GatewayProcess(file, PUBLIC, passed=[("public", sock)]) as process:
            process.find_line(
                r"^systemd:public: it is no stream that listens; ListenStream= makes one, with Accept=no$"
            )
            assert process.wait() == 1


def test_a_passed_socket_that_does_not_listen_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    fd = socket.socket().detach()
    monkeypatch.setattr("wsgateway.run.systemd._FIRST_FD", fd)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(SettingsError, match="it is no stream that listens"):
        listening_sockets()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
