"""Sessions in which nothing happens: which side is pinged, which session is ended, and after which time.

The clock jumps when every task waits, so that a minute takes no time. The engine checks a session once a second: due
actions happen within that time, and no test requires a more precise time.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from tests.masks import masked
from tests.peers import Peer
from tests.relay.awaited import relay
from wsgateway.errors import ProtocolError, Reason
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.engine import Ended
from wsgateway.relay.timer import RelayTimeouts, SessionTimer

from .sessions import Session, settled
from .stage import HELLO, MASKED_HELLO, Stage, both_sides, chosen, clog

PINGING = RelayTimeouts(ping=30, pong=20)
# The ping to each side, and its answer; the key of the masks is 37 FA 21 3D.
TO_CLIENT = b"\x89\x09wsgateway"
FROM_CLIENT = bytes.fromhex("8a 89 37fa213d 4089465c439f565c4e")
TO_UPSTREAM_HEAD = b"\x89\x89"
FROM_UPSTREAM = b"\x8a\x09wsgateway"


class Watched:
    """A session that the engine checks, and how it ended."""

    def __init__(self, stage: Stage, session: Session, relay_timeouts: RelayTimeouts) -> None:
        self.stage = stage
        self.session = session
        self.ended: Ended | None = None
        self.seconds = 0.0
        self._relay_timeouts = relay_timeouts
        self._over = trio.Event()

    async def run(self) -> None:
        begun = trio.current_time()
        self.ended = await relay(self.stage.engine, self.session.client, self.session.upstream, self._relay_timeouts)
        self.seconds = trio.current_time() - begun
        self._over.set()

    async def end(self) -> Ended:
        await self._over.wait()
        assert self.ended is not None
        return self.ended


@asynccontextmanager
async def patiently() -> AsyncIterator[Stage]:
    """Run a stage for a test that may take hours of the test's clock."""
    with ExitStack() as sessions, trio.fail_after(10_000):
        async with trio.open_nursery() as nursery:
            yield Stage(nursery, sessions)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def watched(
    relay_timeouts: RelayTimeouts, client: str = "rfc6455", upstream: str = "rfc6455", **options: bool
) -> AsyncIterator[Watched]:
    async with patiently() as stage:
        watching = Watched(stage, stage.session(client, upstream, **options), relay_timeouts)
        stage.nursery.start_soon(watching.run)
        yield watching


def fault(ended: Ended, source: Endpoint) -> str:
    """Return the recorded fault of a side; it counts as disconnected, as if its connection had been cut."""
    assert ended.source is source
    assert isinstance(ended.ending, ProtocolError)
    assert ended.ending.close_code == 1006
    return str(ended.ending)


async def ponging(peer: Peer, answer: bytes, size: int) -> None:
    """Answer all pings, which have the same size as pongs; pings of the other side are passed on, too."""
    while True:
        if (await peer.exactly(size))[0] == 0x89:
            await peer.send(answer)


# -- pings -------------------------------------------------------------------------------------------------------


async def test_a_silent_side_is_sent_a_ping(autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        begun = trio.current_time()
        assert await watching.session.at_client.exactly(11) == TO_CLIENT
        assert 30 <= trio.current_time() - begun <= 32
        assert await watching.session.at_upstream.frame() == (0x89, b"wsgateway")


@pytest.mark.parametrize(
    ("dialect", "asked"),
    [
        ("hybi-01", b"\x02\x09wsgateway"),
        ("hybi-03", b"\x02\x09wsgateway"),
        ("hybi-04", b"\x82\x09wsgateway"),
        ("hybi-06", b"\x82\x09wsgateway"),
        ("hybi-07", b"\x89\x09wsgateway"),
    ],
)
async def test_a_client_is_sent_a_ping_of_its_own_dialect(
    dialect: str, asked: bytes, autojump_clock: MockClock
) -> None:
    async with watched(PINGING, dialect) as watching:
        assert await watching.session.at_client.exactly(11) == asked


async def test_a_ping_to_an_upstream_is_masked(autojump_clock: MockClock) -> None:
    async with watched(PINGING, "hixie-76") as watching:
        asked = await watching.session.at_upstream.exactly(15)
        assert asked[:2] == TO_UPSTREAM_HEAD
        key, payload = asked[2:6], asked[6:]
        assert masked(payload, key) == b"wsgateway"


@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76"])
async def test_a_side_without_pings_is_not_pinged_and_not_ended(dialect: str, autojump_clock: MockClock) -> None:
    async with watched(PINGING, dialect, dialect) as watching:
        await trio.sleep(200)
        assert watching.ended is None
        await watching.session.at_client.send(b"\x00Hello\xff")
        # The first bytes that each side gets.
        assert await watching.session.at_upstream.once() == b"\x00Hello\xff"
        await watching.session.at_upstream.send(b"\x00back\xff")
        assert await watching.session.at_client.once() == b"\x00back\xff"


async def test_a_side_that_answers_stays(autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        pair = watching.session
        watching.stage.nursery.start_soon(ponging, pair.at_client, FROM_CLIENT, 11)
        watching.stage.nursery.start_soon(ponging, pair.at_upstream, FROM_UPSTREAM, 15)
        await trio.sleep(200)
        assert watching.ended is None


@both_sides
async def test_a_side_that_does_not_answer_counts_as_disconnected(side: str, autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        pair = watching.session
        endpoint, _, other = chosen(pair, side)
        if other is pair.at_client:
            watching.stage.nursery.start_soon(ponging, other, FROM_CLIENT, 11)
        else:
            watching.stage.nursery.start_soon(ponging, other, FROM_UPSTREAM, 15)
        ended = await watching.end()
        assert fault(ended, endpoint) == "no answer to a ping within 20 s"
        assert 50 <= watching.seconds <= 53


async def test_any_bytes_of_a_side_count_as_an_answer(autojump_clock: MockClock) -> None:
    async with watched(PINGING, upstream="hixie-76") as watching:
        for _ in range(5):
            assert await watching.session.at_client.exactly(11) == TO_CLIENT
            await watching.session.at_client.send(MASKED_HELLO[:3])
            assert await watching.session.at_client.exactly(11) == TO_CLIENT
            await watching.session.at_client.send(MASKED_HELLO[3:])
        assert watching.ended is None


async def test_a_side_that_sends_is_not_pinged(autojump_clock: MockClock) -> None:
    async with watched(PINGING, upstream="hixie-76") as watching:
        for _ in range(10):
            await watching.session.at_client.send(MASKED_HELLO)
            await trio.sleep(20)
        await watching.session.at_upstream.send(b"\x00Hello\xff")
        assert await watching.session.at_client.once() == HELLO


async def test_no_ping_is_sent_inside_a_frame_that_is_streamed(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(ping=30, pong=1000)) as watching:
        pair = watching.session
        await pair.at_upstream.send(HELLO[:4])
        await trio.sleep(100)
        # A ping would become a part of the text.
        assert await pair.at_client.once() == HELLO[:4]


async def test_a_ping_is_sent_while_a_frame_is_held(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(ping=30, pong=1000), upstream="hybi-06") as watching:
        pair = watching.session
        await pair.at_upstream.send(b"\x84\x05He")
        await trio.sleep(100)
        assert await pair.at_client.once() == TO_CLIENT


@pytest.mark.parametrize("upstream", ["rfc6455", "hybi-08"])
async def test_a_ping_during_a_frame_is_sent_after_it(upstream: str, autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(ping=30, pong=1000), upstream=upstream) as watching:
        pair = watching.session
        await pair.at_upstream.send(HELLO[:4])
        await trio.sleep(100)
        await pair.at_upstream.send(HELLO[4:])
        assert await pair.at_client.exactly(len(HELLO) + 11) == HELLO + TO_CLIENT


async def test_a_ping_is_sent_between_the_fragments_of_a_message(autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        await watching.session.at_upstream.send(b"\x01\x02He")
        assert await watching.session.at_client.exactly(15) == b"\x01\x02He" + TO_CLIENT


async def test_a_side_that_is_not_read_is_not_pinged(autojump_clock: MockClock) -> None:
    async with watched(PINGING, "hixie-76") as watching:
        pair = watching.session
        clog(pair.client.sock)
        await pair.at_upstream.send(HELLO)  # its backlog: the upstream is not read
        await trio.sleep(200)
        assert watching.ended is None
        assert pair.client.backlog == b"\x00Hello\xff"
        with trio.move_on_after(1) as waited:
            await pair.at_upstream.once()
        assert waited.cancelled_caught


async def test_a_side_that_is_not_read_because_of_a_rate_is_not_pinged(autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        pair = watching.session
        watching.stage.nursery.start_soon(ponging, pair.at_upstream, FROM_UPSTREAM, len(FROM_CLIENT))
        await settled()
        watching.stage.engine.pause(pair.client, 200)
        with trio.move_on_after(199) as waited:
            while True:
                assert await pair.at_client.exactly(len(FROM_UPSTREAM)) == FROM_UPSTREAM
        assert waited.cancelled_caught
        assert watching.ended is None


# -- bounds ------------------------------------------------------------------------------------------------------


@both_sides
async def test_a_side_that_takes_nothing_counts_as_disconnected(side: str, autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(send=30)) as watching:
        endpoint, _, other = chosen(watching.session, side)
        clog(endpoint.sock)
        await other.send(HELLO if side == "client" else MASKED_HELLO)
        assert fault(await watching.end(), endpoint) == "takes nothing of what it is sent for 30 s"
        assert 30 <= watching.seconds <= 33


async def test_a_session_without_messages_ends(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60)) as watching:
        ended = await watching.end()
        assert (ended.source, ended.ending) == (None, ServerClose(Reason.IDLE_TIMEOUT, "no message for 60 s"))
        assert 60 <= watching.seconds <= 62


async def test_a_message_either_way_keeps_a_session(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60)) as watching:
        for _ in range(5):
            await trio.sleep(50)
            await watching.session.at_client.send(MASKED_HELLO)
            await trio.sleep(50)
            await watching.session.at_upstream.send(HELLO)
        assert watching.ended is None
        await watching.end()
        assert 560 <= watching.seconds <= 562


async def test_pings_and_pongs_are_no_messages(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60, ping=10, pong=20)) as watching:
        pair = watching.session
        watching.stage.nursery.start_soon(ponging, pair.at_client, FROM_CLIENT, 11)
        watching.stage.nursery.start_soon(ponging, pair.at_upstream, FROM_UPSTREAM, 15)
        assert (await watching.end()).ending == ServerClose(Reason.IDLE_TIMEOUT, "no message for 60 s")
        assert 60 <= watching.seconds <= 62


# RFC 6455, 5.5.2: a ping "app" with the mask key of 5.7, and without; and a pong without a ping before it.
@pytest.mark.parametrize("upstream", ["rfc6455", "hixie-76", "hybi-06"])
@pytest.mark.parametrize("sign", ["89 83 37fa213d 568a51", "8a 83 37fa213d 568a51"], ids=["ping", "pong"])
async def test_a_ping_of_an_application_keeps_a_session(sign: str, upstream: str, autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60), upstream=upstream) as watching:
        for _ in range(5):
            await trio.sleep(50)
            await watching.session.at_client.send(bytes.fromhex(sign))
        assert watching.ended is None
        assert (await watching.end()).ending == ServerClose(Reason.IDLE_TIMEOUT, "no message for 60 s")
        assert 310 <= watching.seconds <= 312


@pytest.mark.parametrize("dialect", ["rfc6455", "hixie-76"])
async def test_a_message_that_is_long_under_way_keeps_a_session(dialect: str, autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60), dialect, dialect) as watching:
        begin = b"\x00" if dialect == "hixie-76" else b"\x81\x7d"
        await watching.session.at_upstream.send(begin)
        for _ in range(20):
            await watching.session.at_upstream.send(b"x")
            await trio.sleep(10)
        assert watching.ended is None


async def test_half_a_message_does_not_keep_a_session(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=60)) as watching:
        await watching.session.at_client.send(MASKED_HELLO[:8])
        assert (await watching.end()).ending == ServerClose(Reason.IDLE_TIMEOUT, "no message for 60 s")


async def test_a_session_ends_at_its_lifetime_whatever_is_sent(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(lifetime=300, idle=60)) as watching:
        while watching.ended is None:
            await watching.session.at_client.send(MASKED_HELLO)
            await trio.sleep(10)
        ended = await watching.end()
        assert (ended.source, ended.ending) == (None, ServerClose(Reason.LIFETIME_OVER, "older than 300 s"))
        assert 300 <= watching.seconds <= 302


EXACT = {
    "idle": (RelayTimeouts(idle=60), ServerClose(Reason.IDLE_TIMEOUT, "no message for 60 s")),
    "lifetime": (RelayTimeouts(lifetime=60), ServerClose(Reason.LIFETIME_OVER, "older than 60 s")),
}


@pytest.mark.parametrize(("relay_timeouts", "close"), EXACT.values(), ids=EXACT)
async def test_the_first_check_ends_a_session_whose_time_is_over_and_no_earlier_one_does(
    relay_timeouts: RelayTimeouts, close: ServerClose
) -> None:
    async with patiently() as stage:
        for seconds, ended in ((59.9, None), (60.0, Ended(None, close))):
            session = stage.session("rfc6455", "rfc6455")
            timer = SessionTimer(session.client, session.upstream, relay_timeouts, 1000.0)
            assert timer.check(1000.0 + seconds, stage.engine.mask_keys, lambda *_: None) == ended


# -- the list of those that are looked at --------------------------------------------------------------------------


async def test_a_session_without_timeouts_is_not_checked(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(pong=20)) as watching:
        await trio.sleep(100)
        assert watching.ended is None
        assert not watching.stage.engine.timers


async def test_a_session_that_has_ended_is_not_checked(autojump_clock: MockClock) -> None:
    async with watched(PINGING) as watching:
        await trio.sleep(5)
        assert len(watching.stage.engine.timers) == 1
        await watching.session.at_client.close()
        await watching.end()
        await trio.sleep(2)
        assert not watching.stage.engine.timers


async def test_a_bug_in_a_check_ends_its_own_session_and_no_other(autojump_clock: MockClock) -> None:
    def broken() -> int:
        raise RuntimeError("a bug")

    async with patiently() as stage:
        bad, good = stage.session(), Watched(stage, stage.session(), RelayTimeouts(lifetime=100))
        bad.client.translator = SimpleNamespace(messages=0, heartbeats=0, plan=None, unfinished=broken, inside=broken)
        stage.nursery.start_soon(good.run)
        with pytest.raises(RuntimeError, match="a bug"):
            await relay(stage.engine, bad.client, bad.upstream, PINGING)
        assert (await good.end()).ending == ServerClose(Reason.LIFETIME_OVER, "older than 100 s")


async def test_each_of_many_sessions_is_checked(autojump_clock: MockClock) -> None:
    async with patiently() as stage:
        many = [Watched(stage, stage.session(), RelayTimeouts(lifetime=10 + number)) for number in range(20)]
        for each in many:
            stage.nursery.start_soon(each.run)
        for number, each in enumerate(many):
            assert (await each.end()).ending == ServerClose(Reason.LIFETIME_OVER, f"older than {10 + number} s")
            assert 10 + number <= each.seconds <= 12 + number
        await trio.sleep(2)
        assert not stage.engine.timers


async def test_timers_are_checked_in_eight_parts_each_second(autojump_clock: MockClock) -> None:
    async with watched(RelayTimeouts(idle=600)) as watching:
        looks = list[float]()
        watching.stage.engine.late = lambda _: looks.append(trio.current_time())
        await trio.sleep(10)
        assert (len(looks) >= 79, {later - look for look, later in pairwise(looks)}) == (True, {0.125})


async def test_a_timer_goes_on_from_the_state_of_both_sides(autojump_clock: MockClock) -> None:
    async with patiently() as stage:
        sides = stage.session("rfc6455", "rfc6455")
        later = SessionTimer(sides.client, sides.upstream, PINGING, 500.0)
        state = later.state(510.0)
        state = replace(state, client=replace(state.client, heard=5.0), upstream=replace(state.upstream, heard=7.0))
        assert (later.resume(state, 1000.0), later.state(1000.0)) == (None, state)
