"""The progress of what a stream of HTTP/2 sends, derived from its connection, which carries other streams, too."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from wsgateway.serve.stream import StreamOutgoing


@dataclass
class Connection:
    """The figures of the client's kernel, set by the test."""

    sent: int = 0
    taken: int = 0

    def progress(self) -> tuple[int, bool]:
        return self.taken, self.taken < self.sent

    def sent_total(self) -> int:
        return self.sent


@dataclass
class Carried:
    """A stream: the bytes that have come to it, and those that were passed on. Its session is at the other end."""

    ours: socket.socket
    received: int = 0
    passed: int = 0
    connection: Connection = field(default_factory=Connection)

    def passes(self, size: int, on_the_wire: int) -> None:
        self.received += size
        self.passed += size
        self.connection.sent += on_the_wire


@pytest.fixture
def carried() -> Iterator[tuple[Carried, StreamOutgoing, socket.socket]]:
    ours, session = socket.socketpair()
    with ours, session:
        stream = Carried(ours)
        yield stream, StreamOutgoing(stream, stream.connection), session


Fixture = tuple[Carried, StreamOutgoing, socket.socket]


def test_nothing_is_on_its_way_at_first(carried: Fixture) -> None:
    _, found, _ = carried
    assert (found.progress(), found.sent_total()) == ((0, False), 0)


def test_bytes_of_the_session_are_on_their_way_at_first(carried: Fixture) -> None:
    _, found, session = carried
    session.send(b"hello")
    assert (found.progress(), found.sent_total()) == ((0, True), 5)


def test_it_is_taken_as_the_client_takes_the_bytes_of_the_connection(carried: Fixture) -> None:
    stream, found, _ = carried
    stream.passes(1000, on_the_wire=1200)
    assert found.progress() == (0, True)
    stream.connection.taken = 600
    assert found.progress() == (500, True)
    stream.connection.taken = 1200
    assert found.progress() == (1000, False)


def test_bytes_after_a_mark_do_not_count_before_it(carried: Fixture) -> None:
    stream, found, _ = carried
    stream.passes(1000, on_the_wire=1000)
    found.progress()
    stream.passes(1000, on_the_wire=1000)
    stream.connection.taken = 1000
    assert found.progress() == (1000, True)
    stream.connection.taken = 1500
    assert found.progress() == (1500, True)
    stream.connection.taken = 2000
    assert found.progress() == (2000, False)


def test_data_for_other_streams_is_no_progress_of_a_stream_without_a_window(carried: Fixture) -> None:
    stream, found, session = carried
    stream.passes(1000, on_the_wire=1000)
    found.progress()
    stream.connection.taken = 1000
    session.send(b"for which there is no window")
    before = found.progress()
    for _ in range(10):
        stream.connection.sent += 1000
        found.progress()
        stream.connection.taken += 900
        assert found.progress() == before == (1000, True)


def test_figures_only_grow(carried: Fixture) -> None:
    stream, found, session = carried
    last = 0
    for number in range(200):
        stream.passes(number % 7 * 100, on_the_wire=number % 5 * 130)
        session.send(b"x")
        stream.connection.taken = min(stream.connection.sent, stream.connection.taken + number % 11 * 40)
        taken, queued = found.progress()
        assert last <= taken <= stream.passed <= found.sent_total()
        assert queued
        last = taken


def test_the_progress_of_a_closed_stream_can_be_read(carried: Fixture) -> None:
    stream, found, session = carried
    session.send(b"hello")
    stream.ours.close()
    assert (found.progress(), found.sent_total()) == ((0, False), 0)
