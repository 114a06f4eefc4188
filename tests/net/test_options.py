"""The options of TCP sockets, as the kernel has them."""

import socket
from collections.abc import Iterator

import pytest

from wsgateway.net.options import (
    Keepalive,
    keepalive,
    limit_unacknowledged,
    set_keepalive,
    set_listener_options,
)

_OPTIONS = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as each:
        yield each


def kept(sock: socket.socket) -> tuple[int, ...]:
    """Return whether a socket has a keepalive, the seconds until the first probe and between two, and their number."""
    values = (sock.getsockopt(socket.IPPROTO_TCP, option) for option in _OPTIONS)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *values


@pytest.mark.parametrize(
    ("silence_seconds", "send_seconds", "wanted"),
    [
        (30.0, 30.0, Keepalive(30, 3)),
        (0.2, 0.5, Keepalive(1, 1)),
        (40_000.0, 10_000.0, Keepalive(32767, 127)),  # the most that Linux takes
        (None, 30.0, None),
    ],
)
def test_a_keepalive_is_within_what_linux_allows(
    silence_seconds: float | None, send_seconds: float, wanted: Keepalive | None, sock: socket.socket
) -> None:
    assert keepalive(silence_seconds, send_seconds) == wanted
    set_keepalive(sock, wanted)
    if wanted is not None:
        assert kept(sock) == (1, wanted.idle_seconds, 10, wanted.probes)


def test_a_keepalive_can_be_changed_and_switched_off(sock: socket.socket) -> None:
    first, second = Keepalive(30, 3), Keepalive(40, 4)
    set_keepalive(sock, first)
    set_keepalive(sock, second, first)
    assert kept(sock) == (1, 40, 10, 4)
    set_keepalive(sock, None, second)
    assert kept(sock)[0] == 0


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [(0.0001, 1), (30.0, 30_000), (25 * 86400.0, 2**31 - 1)],  # `timeouts.send` may be 25d
)
def test_the_time_for_unacknowledged_bytes_is_within_what_linux_allows(
    seconds: float, milliseconds: int, sock: socket.socket
) -> None:
    limit_unacknowledged(sock, seconds)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == milliseconds


def test_a_connection_has_the_options_of_the_socket_at_which_it_was_accepted(sock: socket.socket) -> None:
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    set_listener_options(sock, Keepalive(50, 5))
    with socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert kept(accepted) == (1, 50, 10, 5)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    set_listener_options(sock, None)
    with socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert kept(accepted)[0] == 0


def test_a_unix_socket_has_no_options_of_tcp() -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        set_listener_options(sock, Keepalive(50, 5))
        set_keepalive(sock, Keepalive(50, 5))
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
