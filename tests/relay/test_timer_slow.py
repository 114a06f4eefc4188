"""Sessions with slow readers: a reader that takes something from time to time stays, one that takes nothing does not.

The test sets the figures of the reader's kernel, second by second: how much it has taken, and how much was sent. A real
kernel is in the tests of `net.outgoing`.
"""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from trio.testing import MockClock

from wsgateway.errors import ProtocolError
from wsgateway.relay.endpoint import Ended, Endpoint
from wsgateway.relay.timer import RelayTimeouts, SessionTimer

from .sessions import session, settled
from .stage import HELLO, MASKED_HELLO, both_sides, chosen
from .test_timer import Watched, fault, patiently

PATIENCE = RelayTimeouts(send=30, ping=30, pong=20)
PING_BYTES = 11


@dataclass
class Sent:
    """The progress of a connection: how many bytes were sent, and how many of them its peer has taken."""

    sent: int = 0
    taken: int = 0
    looks: int = 0

    def progress(self) -> tuple[int, bool]:
        self.looks += 1
        return self.taken, self.taken < self.sent

    def sent_total(self) -> int:
        return self.sent


@dataclass
class Looking:
    """A session timer that is called once a second, for a session that no engine moves."""

    timer: SessionTimer
    endpoint: Endpoint
    """the side that reads"""
    figures: Sent
    now: float = 0.0
    pinged: list[float] = field(default_factory=list)

    def second(self) -> Ended | None:
        self.now += 1
        # The other side is never silent.
        self.endpoint.peer.received += 1
        return self.timer.check(self.now, iter([b"mask"] * 99), self._ping)

    def _ping(self, endpoint: Endpoint, data: bytes) -> None:
        if endpoint is self.endpoint:
            self.pinged.append(self.now)
            self.figures.sent += PING_BYTES
            if endpoint.backlog:
                endpoint.backlog += data

    def until_ended(self, most: float = 1000) -> Ended:
        while self.now < most:
            ended = self.second()
            if ended is not None:
                return ended
        raise AssertionError(f"not ended after {most} s")


@pytest.fixture(params=["client", "upstream"])
async def looking(request: pytest.FixtureRequest) -> AsyncIterator[Looking]:
    with session() as pair:
        endpoint, _, _ = chosen(pair, request.param)
        figures, other = Sent(), Sent()
        endpoint.outgoing, endpoint.peer.outgoing = figures, other
        yield Looking(SessionTimer(pair.client, pair.upstream, PATIENCE, 0.0), endpoint, figures)


# -- pings that wait ---------------------------------------------------------------------------------------------


async def test_a_stopped_peer_with_nothing_queued_counts_as_disconnected_though_its_kernel_takes_the_ping(
    looking: Looking,
) -> None:
    looking.figures.taken = looking.figures.sent = 5000
    while not looking.pinged:
        assert looking.second() is None
    looking.figures.taken = looking.figures.sent
    assert fault(looking.until_ended(), looking.endpoint) == "no answer to a ping within 20 s"
    assert (looking.pinged, looking.now) == ([30.0], 50.0)


async def test_a_stopped_peer_counts_as_disconnected_though_its_kernel_takes_all_bytes_after_the_ping(
    looking: Looking,
) -> None:
    while looking.second() is None:
        looking.figures.sent += 1000
        looking.figures.taken = looking.figures.sent
    assert looking.now == 50


async def test_a_slow_reader_has_time_to_reach_its_ping(looking: Looking) -> None:
    looking.figures.sent = 1_000_000
    while looking.figures.taken < 990_000:
        for _ in range(19):
            assert looking.second() is None
        looking.figures.taken += 90_000
    assert looking.now > 200
    # It has the ping now, and 20 s for an answer, whatever comes after the ping.
    looking.figures.taken = 1_000_000 + PING_BYTES
    looking.figures.sent += 1_000_000
    assert looking.second() is None
    begun = looking.now
    while looking.second() is None:
        looking.figures.taken += 1000
    assert looking.now - begun == 20


async def test_a_reader_that_stops_before_its_ping_counts_as_disconnected_20_seconds_later(looking: Looking) -> None:
    looking.figures.sent = 1_000_000
    while looking.now < 100:
        looking.figures.taken += 1000
        assert looking.second() is None
    begun = looking.now
    assert fault(looking.until_ended(), looking.endpoint) == "no answer to a ping within 20 s"
    assert looking.now - begun == 20


async def test_a_ping_may_wait_in_our_backlog_first(looking: Looking) -> None:
    looking.figures.sent, looking.endpoint.backlog = 1_000_000, b"x" * 1000
    while not looking.pinged:
        looking.figures.taken += 1000
        assert looking.second() is None
    for _ in range(100):
        looking.figures.taken += 1000
        # The newest bytes in the backlog were read after the ping: the other side is read only when it is sent.
        looking.endpoint.peer.received -= 1
        assert looking.second() is None
    looking.endpoint.backlog = b""
    looking.figures.sent += 1000
    while looking.figures.taken < looking.figures.sent:
        looking.figures.taken += 10_000
        assert looking.second() is None
    begun = looking.now
    assert looking.until_ended().source is looking.endpoint
    assert looking.now - begun == 20


async def test_any_bytes_count_as_an_answer_wherever_the_ping_is(looking: Looking) -> None:
    looking.figures.sent = 1_000_000
    for _ in range(200):
        if looking.now % 40 == 39:
            looking.endpoint.received += 1
        looking.figures.taken += 100
        assert looking.second() is None


# -- who takes nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backlog", [b"", b"x"], ids=["in the kernel", "with a backlog"])
async def test_a_reader_that_takes_nothing_counts_as_disconnected_in_time(looking: Looking, backlog: bytes) -> None:
    looking.figures.sent, looking.endpoint.backlog = 1000, backlog
    while looking.second() is None:
        looking.endpoint.received += 1  # it still sends
    assert looking.now == 30


@pytest.mark.parametrize("backlog", [b"", b"x"], ids=["in the kernel", "with a backlog"])
async def test_a_reader_that_takes_something_every_29_seconds_stays(looking: Looking, backlog: bytes) -> None:
    looking.figures.sent, looking.endpoint.backlog = 1_000_000, backlog
    for second in range(1, 300):
        looking.endpoint.received += 1
        if second % 29 == 0:
            looking.figures.taken += 1
        assert looking.second() is None


async def test_a_reader_that_has_taken_all_stays(looking: Looking) -> None:
    looking.figures.sent = looking.figures.taken = 1000
    for _ in range(300):
        looking.endpoint.received += 1
        assert looking.second() is None


# -- where no kernel says what was taken ---------------------------------------------------------------------------


async def test_the_progress_of_our_socket_counts_if_no_other_is_known(looking: Looking) -> None:
    looking.endpoint.outgoing = None
    looking.endpoint.backlog = b"x" * 1000
    while looking.endpoint.backlog:
        for _ in range(19):
            looking.endpoint.peer.received -= 1  # it is not read while there is a backlog
            assert looking.second() is None
        looking.endpoint.backlog = looking.endpoint.backlog[100:]
    assert looking.pinged == [30.0]
    begun = looking.now
    ended = looking.until_ended()
    assert isinstance(ended.ending, ProtocolError)
    assert looking.now - begun <= 21


# -- what it costs -----------------------------------------------------------------------------------------------


async def test_a_session_in_which_nothing_happens_costs_no_look_at_the_kernel(looking: Looking) -> None:
    figures = looking.figures
    for _ in range(20):
        looking.endpoint.peer.received -= 1
        looking.second()
    assert figures.looks == 0
    looking.second()  # some bytes have come for it
    assert figures.looks == 1
    looking.endpoint.peer.received -= 1
    looking.second()
    assert figures.looks == 1


@both_sides
async def test_the_engine_checks_slow_readers_too(side: str, autojump_clock: MockClock) -> None:
    async with patiently() as stage:
        pair = stage.session(tcp=True)
        endpoint, reader, other = chosen(pair, side)
        reader.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        watching = Watched(stage, pair, RelayTimeouts(send=30))
        stage.nursery.start_soon(watching.run)
        await other.send((HELLO if side == "client" else MASKED_HELLO) * 20_000)
        await settled()
        assert not endpoint.backlog
        assert fault(await watching.end(), endpoint) == "takes nothing of what it is sent for 30 s"


@both_sides
async def test_a_stopped_process_counts_as_disconnected_though_its_kernel_acknowledges_the_ping(
    side: str, autojump_clock: MockClock
) -> None:
    # The other side has no pings, and sends nothing.
    other = {"upstream": "hixie-76"} if side == "client" else {"client": "hixie-76"}
    async with patiently() as stage:
        pair = stage.session(tcp=True, **other)
        watching = Watched(stage, pair, PATIENCE)
        stage.nursery.start_soon(watching.run)
        endpoint, _, _ = chosen(pair, side)
        assert fault(await watching.end(), endpoint) == "no answer to a ping within 20 s"
        assert 50 <= watching.seconds <= 53
