"""A socket that shows its bytes is in all else the socket that it was."""

import gc
import socket
import ssl
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.net.certificates import Authority
from wsgateway.trace.tap import LEAST_AT_ONCE_BYTES, tap, untap


class Seen:
    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.sent: list[bytes] = []


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def pair(seen: Seen) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        tap(ours, seen.received.append, seen.sent.append)
        yield ours, theirs


def test_what_comes_and_goes_is_shown(pair: tuple[socket.socket, socket.socket], seen: Seen) -> None:
    ours, theirs = pair
    theirs.send(b"to us")
    assert ours.recv(3) == b"to "
    assert ours.recv(100) == b"us"
    assert ours.send(memoryview(b"from us")) == 7
    assert theirs.recv(100) == b"from us"
    theirs.close()
    assert ours.recv(1) == b""
    assert (seen.received, seen.sent) == ([b"to ", b"us", b""], [b"from us"])


def test_only_what_the_kernel_took_is_shown_as_sent(pair: tuple[socket.socket, socket.socket], seen: Seen) -> None:
    ours, _ = pair
    size = 0
    with suppress(BlockingIOError):
        while True:
            size += ours.send(bytes(100_000))
    assert sum(map(len, seen.sent)) == size


def test_few_bytes_are_received_at_once(pair: tuple[socket.socket, socket.socket], seen: Seen) -> None:
    ours, theirs = pair
    theirs.send(bytes(LEAST_AT_ONCE_BYTES + 1))
    assert [len(ours.recv(65536)) for _ in range(2)] == [LEAST_AT_ONCE_BYTES, 1]
    assert [len(each) for each in seen.received] == [LEAST_AT_ONCE_BYTES, 1]


def test_few_bytes_are_received_at_once_over_tls(seen: Seen, authority: Authority) -> None:
    plain, theirs = socket.socketpair()
    server, client = authority.server, authority.client()
    with (
        server.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as ours,
        client.wrap_socket(theirs, server_hostname="localhost", do_handshake_on_connect=False) as theirs,
    ):
        for sock in (ours, theirs):
            sock.setblocking(False)
        for sock in (theirs, ours, theirs, ours):
            with suppress(ssl.SSLWantReadError):
                sock.do_handshake()
        tap(ours, seen.received.append, seen.sent.append)
        theirs.send(bytes(LEAST_AT_ONCE_BYTES + 1))
        assert [len(ours.recv(65536)) for _ in range(2)] == [LEAST_AT_ONCE_BYTES, 1]
        assert [len(each) for each in seen.received] == [LEAST_AT_ONCE_BYTES, 1]


def test_a_look_at_bytes_that_stay_is_not_shown(pair: tuple[socket.socket, socket.socket], seen: Seen) -> None:
    ours, theirs = pair
    theirs.send(b"a")
    assert ours.recv(1, socket.MSG_PEEK) == b"a"
    assert ours.recv(1) == b"a"
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    assert seen.received == [b"a"]


def test_it_is_the_same_socket_of_another_class(pair: tuple[socket.socket, socket.socket], seen: Seen) -> None:
    ours, theirs = pair
    assert isinstance(ours, socket.socket)
    assert type(ours) is not socket.socket
    untap(ours)
    assert type(ours) is socket.socket
    theirs.send(b"later")
    assert ours.recv(5) == b"later"
    assert seen.received == []


def test_nothing_is_kept_of_a_socket_that_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        tap(ours, print, print)
        ours.close()
        kept = weakref.ref(ours)
        del ours
        gc.collect()
        assert kept() is None
