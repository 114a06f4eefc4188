"""Turns in C over socket pairs: what is read and sent, and what goes to Python."""

import errno
import os
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import pytest

from tests.dialects.vectors import MASK_KEY
from tests.relay.passing import CLIENT, UPSTREAM, side
from wsgateway import native
from wsgateway.native import BROKEN, BYTES, FAILED, MOST_READY, OTHER, READY, SHORT, Turn
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.translate import TranslationOptions, translator

pytestmark = pytest.mark.skipif(native.step is None, reason="needs the module in C: apt install gcc libpython3-dev")

READ_BYTES, SMALL_BYTES = 1000, 100
MASKED_HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
HELLO = b"\x81\x05Hello"


@dataclass
class Stage:
    """A session, the other ends of its sockets, and its turns."""

    client: Endpoint
    upstream: Endpoint
    at_client: socket.socket
    at_upstream: socket.socket
    epoll: select.epoll
    keys: Iterator[bytes]
    lanes: dict[int, Endpoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client.meet(self.upstream)
        for endpoint in (self.client, self.upstream):
            assert endpoint.translator.plan is not None
            endpoint.equip(endpoint.sock.fileno(), endpoint.peer.sock.fileno(), endpoint.translator.plan)
            endpoint.open = True
            self.lanes[endpoint.sock.fileno()] = endpoint
            self.epoll.register(endpoint.sock.fileno(), select.EPOLLIN)
        self.turn = Turn(self.epoll, self.lanes, self.keys, READ_BYTES, SMALL_BYTES)
        for endpoint in (self.client, self.upstream):
            endpoint.read_bytes = READ_BYTES


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def staged(
    resources: ExitStack,
    client: str = "hixie-76",
    upstream: str = "rfc6455",
    keys: Iterator[bytes] | None = None,
) -> Stage:
    """Return a stage whose sockets are closed at the end."""
    pairs = [socket.socketpair() for _ in range(2)]
    keys = repeat(MASK_KEY) if keys is None else keys
    for sock in (sock for pair in pairs for sock in pair):
        sock.setblocking(False)
        resources.callback(sock.close)
    (near_client, at_client), (near_upstream, at_upstream) = pairs
    ours, theirs = side(client, CLIENT), side(upstream, UPSTREAM)
    options = TranslationOptions()
    epoll = resources.enter_context(select.epoll())
    return Stage(
        Endpoint(near_client, ours, translator(ours, theirs, options, keys)),
        Endpoint(near_upstream, theirs, translator(theirs, ours, options, keys)),
        at_client,
        at_upstream,
        epoll,
        keys,
    )


def test_both_sides_are_read_and_sent_to_in_one_turn(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.at_client.send(b"\x00Hello\xff")
    stage.at_upstream.send(HELLO)
    assert stage.turn.take() == []
    assert stage.at_upstream.recv(100) == MASKED_HELLO
    assert stage.at_client.recv(100) == b"\x00Hello\xff"
    assert (stage.client.received, stage.client.messages) == (7, 1)
    assert (stage.upstream.received, stage.upstream.messages) == (7, 1)
    assert stage.turn.take() == []


def test_large_data_is_sent_too(resources: ExitStack) -> None:
    stage = staged(resources)
    text = b"\x00" + b"x" * (READ_BYTES - 2) + b"\xff"
    stage.at_client.send(text * 2)
    assert stage.turn.take() == []
    assert len(stage.at_upstream.recv(10_000)) == len(text) - 2 + 8
    assert stage.turn.take() == []
    assert stage.client.received == 2 * READ_BYTES


def test_what_is_no_whole_message_is_returned_after_what_is(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.at_client.send(b"\x00Hello\xff\x00Hel")
    assert stage.turn.take() == [(BYTES, stage.client, b"\x00Hel")]
    assert stage.at_upstream.recv(100) == MASKED_HELLO
    assert (stage.client.received, stage.client.messages) == (11, 1)


def test_a_side_that_is_not_open_is_not_read(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.client.open = False
    stage.at_client.send(b"\x00Hello\xff")
    assert stage.turn.take() == [(READY, stage.client, select.EPOLLIN)]
    stage.client.open = True
    assert stage.turn.take() == []
    assert stage.at_upstream.recv(100) == MASKED_HELLO


def test_the_end_of_a_stream_is_left_to_be_read(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.at_client.shutdown(socket.SHUT_WR)
    assert stage.turn.take() == [(READY, stage.client, select.EPOLLIN)]
    assert stage.client.sock.recv(1) == b""


def test_a_connection_that_is_cut_is_left(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.at_client.close()
    assert stage.turn.take() == [(READY, stage.client, select.EPOLLIN | select.EPOLLHUP)]


def test_an_error_of_a_read_is_returned(resources: ExitStack) -> None:
    stage = staged(resources)
    # A listening socket is readable when somebody connects, and cannot be read.
    listening = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
    resources.enter_context(socket.create_connection(listening.getsockname()))
    stage.epoll.register(listening.fileno(), select.EPOLLIN)
    stage.lanes[listening.fileno()] = stage.client
    [(what, endpoint, error)] = stage.turn.take()
    assert (what, endpoint, error.errno) == (FAILED, stage.client, errno.ENOTCONN)


def test_what_a_send_does_not_accept_comes_first(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.upstream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    filled = 0
    try:
        while True:
            filled += stage.upstream.sock.send(bytes(64))
    except BlockingIOError:
        pass
    stage.at_client.send(b"\x00Hello\xff\x00Hel")
    assert stage.turn.take() == [(SHORT, stage.upstream, MASKED_HELLO), (BYTES, stage.client, b"\x00Hel")]


def test_a_receiver_that_is_disconnected_is_no_error(resources: ExitStack) -> None:
    stage = staged(resources)
    stage.epoll.unregister(stage.upstream.sock.fileno())
    stage.at_upstream.close()
    stage.at_client.send(b"\x00Hello\xff")
    assert stage.turn.take() == []


def test_a_bug_of_the_mask_keys_costs_one_session(resources: ExitStack) -> None:
    def keys() -> Iterator[bytes]:
        raise LookupError("a bug")
        yield b""

    stage = staged(resources, keys=keys())
    stage.at_client.send(b"\x00Hello\xff")
    stage.at_upstream.send(HELLO)
    [(what, endpoint, bug)] = stage.turn.take()
    assert (what, endpoint, str(bug)) == (BROKEN, stage.client, "a bug")
    assert stage.at_client.recv(100) == b"\x00Hello\xff"


def test_a_walker_knows_how_much_of_its_frame_is_left(resources: ExitStack) -> None:
    stage = staged(resources, "rfc6455", "rfc6455")
    stage.at_client.send(MASKED_HELLO[:8])
    assert stage.turn.take() == []
    assert stage.client.translator.unfinished() == 3
    assert stage.client.translator.inside()
    stage.at_client.send(MASKED_HELLO[8:])
    assert stage.turn.take() == []
    assert stage.client.translator.unfinished() == 0
    assert stage.at_upstream.recv(100) == MASKED_HELLO
    assert stage.client.messages == 1


def test_a_descriptor_without_a_session_is_returned(resources: ExitStack) -> None:
    stage = staged(resources)
    one, other = (resources.enter_context(sock) for sock in socket.socketpair())
    stage.epoll.register(one.fileno(), select.EPOLLIN)
    other.send(b"x")
    assert stage.turn.take() == [(OTHER, None, one.fileno())]


@pytest.mark.parametrize("turn_type", [Turn, native._Turn], ids=["C", "Python"])
def test_a_turn_is_full_when_more_may_be_ready(turn_type: type[Any], resources: ExitStack) -> None:
    epoll = resources.enter_context(select.epoll())
    turn = turn_type(epoll, {}, repeat(MASK_KEY), READ_BYTES, SMALL_BYTES)
    assert (turn.full, turn.take(), turn.full) == (False, [], False)
    bells = [os.eventfd(1) for _ in range(MOST_READY + 1)]
    for bell in bells:
        resources.callback(os.close, bell)
    for bell in bells[:-2]:
        epoll.register(bell, select.EPOLLIN)
    assert (len(turn.take()), turn.full) == (MOST_READY - 1, False)
    epoll.register(bells[-2], select.EPOLLIN)
    assert (len(turn.take()), turn.full) == (MOST_READY, True)
    epoll.register(bells[-1], select.EPOLLIN)
    assert (len(turn.take()), turn.full) == (MOST_READY, True)


def test_reads_that_hold_thousands_of_messages_become_smaller_and_grow_again(resources: ExitStack) -> None:
    stage = staged(resources)
    turn = Turn(stage.epoll, stage.lanes, stage.keys, 16384, SMALL_BYTES)
    stage.client.read_bytes = 16384
    sizes = []
    for data in (b"\x00\xff" * 5000, *(b"\x00" + b"x" * (size - 2) + b"\xff" for size in (2500, 5000, 100, 10_000))):
        stage.at_client.send(data)
        assert turn.take() == []
        sizes.append(stage.client.read_bytes)
    assert sizes == [2500, 5000, 10_000, 10_000, 16384]


@pytest.mark.parametrize("sizes", [(0, 100), (100, 0), (-1, 1)])
def test_sizes_of_nothing_are_refused(sizes: tuple[int, int]) -> None:
    with select.epoll() as epoll, pytest.raises(ValueError, match="sizes above 0"):
        Turn(epoll, {}, repeat(MASK_KEY), *sizes)


def test_parts_of_other_kinds_are_refused() -> None:
    parts: list[Any] = [(3.5, {}, repeat(b"")), (0, [], repeat(b"")), (0, {}, b"")]
    for part in parts:
        with pytest.raises((TypeError, ValueError)):
            Turn(*part, 100, 100)


# What must be done before C may read a side again.
WAITS = {
    "it has ended": ("client", "on_end", None),
    "it is paused": ("client", "paused", True),
    "data waits for the other side": ("upstream", "backlog", b"x"),
    "a reply waits for the other side": ("upstream", "reply", b"x"),
}


@pytest.mark.parametrize(("name", "attribute", "value"), WAITS.values(), ids=WAITS)
def test_a_side_is_open_for_c_if_there_is_nothing_to_wait_for(
    resources: ExitStack, name: str, attribute: str, value: Any
) -> None:
    stage = staged(resources)
    stage.client.on_end = stage.upstream.on_end = lambda outcome: None
    stage.client.reopen()
    assert stage.client.open
    setattr(getattr(stage, name), attribute, value)
    stage.client.reopen()
    assert not stage.client.open
