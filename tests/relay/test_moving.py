"""A living session moves from one engine to another, as bytes: its peers notice nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from itertools import repeat

import outcome
import pytest
import trio
from trio.testing import MockClock

from tests.dialects.feeding import frame
from tests.dialects.vectors import MASK_KEY
from tests.net.certificates import Authority
from tests.peers import Peer
from wsgateway.dialects import Limits
from wsgateway.errors import ProtocolError, Reason, RecordError
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.engine import Ended, Engine
from wsgateway.relay.moving import Bounds, catch_up, endpoints, suspend
from wsgateway.relay.record import RelayState, from_bytes, to_bytes
from wsgateway.relay.timer import FOR_EVER, RelayTimeouts
from wsgateway.relay.translate import TranslationOptions
from wsgateway.trace.tap import tap, untap
from wsgateway.wire.events import Close
from wsgateway.wire.oddities import Oddity

from .passing import CLIENT, UPSTREAM, USUAL
from .sessions import Session, session, settled
from .spelling import said, told
from .stage import HELLO, MASKED_HELLO, Stage, both_sides, chosen, clog, staged, unclog
from .test_engine_tls import secure

PAIRS = [
    ("hixie-76", "rfc6455"), ("rfc6455", "rfc6455"), ("rfc6455", "hixie-75"), ("hybi-05", "hybi-08"),
    ("hybi-04", "hybi-04"), ("hybi-06", "hybi-06"),
]  # fmt: skip


class Movers:
    """Two engines, and a session that is moved between them."""

    def __init__(self, stage: Stage, session: Session, relay_timeouts: RelayTimeouts = FOR_EVER) -> None:
        self.session = session
        self.bounds = Bounds()
        self.here, self.there = stage.engine, Engine(repeat(MASK_KEY))
        self.ends: list[outcome.Outcome[Ended]] = []
        self._over = trio.Event()
        self._relay_timeouts = relay_timeouts
        stage.nursery.start_soon(self.there.run)
        self.here.start(session.client, session.upstream, self._ended, relay_timeouts)

    def _ended(self, result: outcome.Outcome[Ended]) -> None:
        self.ends.append(result)
        self._over.set()

    def move(self) -> RelayState:
        """Move the session to the other engine, and return its state."""
        before = self.session.client
        data = to_bytes(suspend(self.here, before, USUAL))
        before.forget_peer()
        self.here, self.there = self.there, self.here
        return self.go_on(data)

    def go_on(self, data: bytes) -> RelayState:
        state = from_bytes(RelayState, data)
        socks = self.session.client.sock, self.session.upstream.sock
        client, upstream = endpoints(state, socks, self.bounds, repeat(MASK_KEY))
        self.session.client, self.session.upstream = client, upstream
        self.here.start(client, upstream, self._ended, self._relay_timeouts)
        catch_up(self.here, client, state)
        return state

    async def end(self) -> Ended:
        """Return the end of the relay, when there is one."""
        await self._over.wait()
        return self.ends[0].unwrap()


@asynccontextmanager
async def moving(client: str = "rfc6455", upstream: str = "rfc6455", **options: object) -> AsyncIterator[Movers]:
    async with staged() as stage:
        yield Movers(stage, stage.session(client, upstream, **options))


# -- bytes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_a_session_that_moves_after_every_byte_passes_all_of_them_on(client: str, upstream: str) -> None:
    text = "\u20ac 1".encode()
    words = ("text", b"Hello"), ("begin", text[:3]), ("end", text[3:]), ("text", b"")
    async with moving(client, upstream) as movers:
        session = movers.session
        for role, dialect, target, source, other in (
            (CLIENT, client, upstream, session.at_client, session.at_upstream),
            (UPSTREAM, upstream, client, session.at_upstream, session.at_client),
        ):
            # Both texts are of one frame where the target has no other, or the dialect of both is the same.
            expected = told(target, UPSTREAM if role is CLIENT else CLIENT, *_joined(words, dialect, target))
            for byte in said(dialect, role, *words):
                await source.send(bytes([byte]))
                await settled()
                movers.move()
            assert await other.exactly(len(expected)) == expected
        assert (movers.session.client.messages, movers.session.upstream.messages) == (3, 3)
        assert not movers.ends


def _joined(words: tuple[tuple[str, bytes], ...], source: str, target: str) -> tuple[tuple[str, bytes], ...]:
    """Return the words as hixie has them, which has no fragments, if one of the two is hixie."""
    if "hixie" not in source + target:
        return words
    return words[0], ("text", words[1][1] + words[2][1]), words[3]


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
async def test_nothing_is_lost_or_doubled_while_both_sides_stream(client: str, upstream: str) -> None:
    texts = [("text", b"%d " % number * (1 + number * 7919 % 3000)) for number in range(150)]
    async with moving(client, upstream) as movers:
        session = movers.session

        async def stream(source: Peer, data: bytes) -> None:
            for at in range(0, len(data), 10_007):
                await source.send(data[at : at + 10_007])

        async def expect(target: Peer, data: bytes) -> None:
            assert await target.exactly(len(data)) == data

        async with trio.open_nursery() as peers:
            peers.start_soon(stream, session.at_client, said(client, CLIENT, *texts))
            peers.start_soon(stream, session.at_upstream, said(upstream, UPSTREAM, *texts))
            peers.start_soon(expect, session.at_upstream, told(upstream, UPSTREAM, *texts))
            peers.start_soon(expect, session.at_client, told(client, CLIENT, *texts))
            while movers.session.client.messages + movers.session.upstream.messages < 2 * len(texts):
                movers.move()
                for _ in range(3):
                    await trio.lowlevel.checkpoint()
        assert not movers.ends


@both_sides
async def test_what_could_not_be_sent_is_sent_after_the_move(side: str) -> None:
    async with moving("hixie-76", "hixie-76") as movers:
        endpoint, peer, other = chosen(movers.session, side)
        clog(endpoint.peer.sock)
        await peer.send(b"\x00Hello\xff")
        await settled()
        state = movers.move()
        waits = state.upstream if side == "client" else state.client
        assert waits.endpoint.backlog == b"\x00Hello\xff"
        await peer.send(b"\x00again\xff")
        await settled()
        assert await unclog(other, 13) == b"Hello\xff\x00again\xff"
        assert not movers.ends


async def test_a_pong_that_waits_behind_other_bytes_is_sent_after_the_move() -> None:
    async with moving("rfc6455", "hixie-76") as movers:
        clog(movers.session.client.sock)
        await movers.session.at_upstream.send(b"\x00Hello\xff")
        await settled()
        await movers.session.at_client.send(bytes.fromhex("89 81 37fa213d 47"))
        await settled()
        assert movers.move().client.endpoint.reply == b"\x8a\x01p"
        assert await unclog(movers.session.at_client, 10) == HELLO + b"\x8a\x01p"


async def test_counts_go_on() -> None:
    async with moving() as movers:
        for number in range(1, 4):
            await movers.session.at_client.send(MASKED_HELLO)
            await movers.session.at_upstream.exactly(11)
            await movers.session.at_upstream.send(HELLO * 2)
            await movers.session.at_client.exactly(14)
            movers.move()
            client, upstream = movers.session.client, movers.session.upstream
            assert (client.received, client.messages) == (11 * number, number)
            assert (upstream.received, upstream.messages) == (14 * number, 2 * number)


async def test_the_engine_that_is_left_has_nothing_more_of_the_session() -> None:
    async with moving() as movers:
        movers.move()
        assert (len(movers.there), len(movers.here)) == (0, 1)
        await movers.session.at_client.close()
        ended = await movers.end()
        assert ended.source is movers.session.client
        assert len(movers.ends) == 1


async def test_a_limit_holds_across_the_move() -> None:
    async with moving() as movers:
        movers.bounds = Bounds(Limits(message_bytes=1000))
        await movers.session.at_upstream.send(frame(0x01, bytes(600)))
        await movers.session.at_client.exactly(604)
        movers.move()
        await movers.session.at_upstream.send(frame(0x80, bytes(401)))
        ending = (await movers.end()).ending
        assert isinstance(ending, ProtocolError)
        assert str(ending) == "message of 1001 bytes or more, limit 1000"


async def test_compressed_messages_pass_after_the_move() -> None:
    async with moving(options=TranslationOptions(compressed=True)) as movers:
        movers.move()
        await movers.session.at_upstream.send(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")  # RFC 7692, 7.2.3.1
        assert await movers.session.at_client.exactly(9) == b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
        assert not movers.ends


async def test_what_is_held_back_counts_in_the_other_engine() -> None:
    async with moving("hixie-76", "rfc6455") as movers:
        await movers.session.at_client.send(b"\x00" + b"h" * 100)
        await settled()
        movers.move()
        assert (movers.there.join_memory.held_bytes, movers.here.join_memory.held_bytes) == (0, 100)
        await movers.session.at_client.send(b"\xff")
        assert await movers.session.at_upstream.frame() == (0x81, b"h" * 100)
        assert movers.here.join_memory.held_bytes == 0


async def test_the_oddities_of_a_peer_are_known_after_the_move() -> None:
    async with moving("hixie-76", "rfc6455") as movers:
        movers.session.client.side.oddities.note(Oddity.NO_ORIGIN)
        await movers.session.at_client.send(b"\x80\x01x")
        await settled()
        movers.move()
        oddities = movers.session.client.side.oddities
        assert (oddities.needed, oddities.passed_over) == ((Oddity.NO_ORIGIN,), 1)


async def test_a_session_that_has_moved_ends_as_any_other() -> None:
    async with moving("hixie-76", "rfc6455") as movers:
        movers.move()
        await movers.session.at_client.send(b"\xff\x00")
        ended = await movers.end()
        assert (ended.source, ended.ending) == (movers.session.client, Close())
        assert await movers.session.at_upstream.frame() == (0x88, b"")


# -- times ------------------------------------------------------------------------------------------------------

PINGING = RelayTimeouts(ping=30, pong=20, idle=600, lifetime=3600)
TO_CLIENT = b"\x89\x09wsgateway"


async def close(several: ExitStack) -> None:
    several.close()


async def live(made: Session, seconds: float, relay_timeouts: RelayTimeouts) -> bytes:
    """Have a session live for so long, and return its record."""
    engine = Engine(repeat(MASK_KEY))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        engine.start(made.client, made.upstream, lambda result: None, relay_timeouts)
        await trio.sleep(seconds)
        nursery.cancel_scope.cancel()
    return to_bytes(suspend(engine, made.client, USUAL))


async def live_on(
    made: Session, data: bytes, relay_timeouts: RelayTimeouts, scene: Callable[[Session], Awaitable[None]]
) -> tuple[float, Ended | None]:
    """Go on with a session, and return when it has ended, by the clock of this run, and how; None: not in the scene."""
    engine, ends = Engine(repeat(MASK_KEY)), list[outcome.Outcome[Ended]]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)

        def ended(result: outcome.Outcome[Ended]) -> None:
            ends.append(result)
            nursery.cancel_scope.cancel()

        state = from_bytes(RelayState, data)
        client, upstream = endpoints(state, (made.client.sock, made.upstream.sock), Bounds(), repeat(MASK_KEY))
        engine.start(client, upstream, ended, relay_timeouts)
        catch_up(engine, client, state)
        await scene(made)
        nursery.cancel_scope.cancel()
    return trio.current_time(), ends[0].unwrap() if ends else None


def under_two_clocks(
    scene: Callable[[Session], Awaitable[None]], before: float, relay_timeouts: RelayTimeouts = PINGING
) -> tuple[float, Ended | None]:
    """Have a session move after so many seconds, to where the time is another one, and play a scene there."""
    sessions = ExitStack()
    made = sessions.enter_context(session())
    try:
        data = trio.run(live, made, before, relay_timeouts, clock=MockClock(autojump_threshold=0))
        return trio.run(live_on, made, data, relay_timeouts, scene, clock=MockClock(autojump_threshold=0))
    finally:
        trio.run(close, sessions)  # sockets of Trio can be closed only where it runs


async def silence(made: Session) -> None:
    await trio.sleep_forever()


def test_a_side_that_was_silent_before_the_move_is_pinged_at_its_time() -> None:
    async def pinged(made: Session) -> None:
        assert await made.at_client.exactly(11) == TO_CLIENT
        assert 9 <= trio.current_time() <= 12

    assert under_two_clocks(pinged, before=20)[1] is None


def test_a_ping_that_waits_for_its_answer_goes_on_to_wait() -> None:
    seconds, ended = under_two_clocks(silence, before=42)
    assert ended is not None
    assert str(ended.ending) == "no answer to a ping within 20 s"
    assert 7 <= seconds <= 12


def test_a_session_gets_no_longer_life_by_a_move() -> None:
    async def talk(made: Session) -> None:
        while True:
            await made.at_client.send(MASKED_HELLO)
            await made.at_upstream.send(HELLO)
            await trio.sleep(10)

    timeouts = RelayTimeouts(lifetime=100)
    seconds, ended = under_two_clocks(talk, 60, timeouts)
    assert ended is not None
    assert ended.ending == ServerClose(Reason.LIFETIME_OVER, "older than 100 s")
    assert 39 <= seconds <= 42


def test_a_session_that_was_idle_before_the_move_ends_at_its_time() -> None:
    seconds, ended = under_two_clocks(silence, 60, RelayTimeouts(idle=100))
    assert ended is not None
    assert ended.ending == ServerClose(Reason.IDLE_TIMEOUT, "no message for 100 s")
    assert 39 <= seconds <= 42


async def test_a_reader_that_was_stuck_before_the_move_is_given_up_at_its_time(autojump_clock: MockClock) -> None:
    async with staged() as stage:
        movers = Movers(stage, stage.session(), RelayTimeouts(send=25))
        clog(movers.session.client.sock)
        await movers.session.at_upstream.send(HELLO)
        await trio.sleep(15)
        movers.move()
        ended = await movers.end()
        assert str(ended.ending) == "takes nothing of what it is sent for 25 s"
        assert 24 <= trio.current_time() <= 28


async def test_a_side_that_is_left_unread_is_left_so_for_the_rest_of_the_time(autojump_clock: MockClock) -> None:
    async with moving() as movers:
        movers.here.pause(movers.session.client, 20)
        await movers.session.at_client.send(MASKED_HELLO)
        await trio.sleep(12)
        assert movers.move().client.paused == 8
        await movers.session.at_upstream.exactly(11)
        assert 19 <= trio.current_time() <= 22


# -- sessions without a record ----------------------------------------------------------------------------------


async def test_a_session_over_tls_has_no_record_and_goes_on(authority: Authority) -> None:
    async with secure(authority, "upstream") as (stage, pair):
        stage.relay(pair)
        await settled()
        with pytest.raises(RecordError, match="the upstream has TLS, whose state is out of reach; only plain sockets"):
            suspend(stage.engine, pair.client, USUAL)
        await pair.at_client.send(MASKED_HELLO)
        assert await pair.at_upstream.exactly(11) == MASKED_HELLO


async def test_a_session_that_is_traced_has_no_record() -> None:
    async with moving() as movers:
        tap(movers.session.client.sock, lambda data: None, lambda data: None)
        with pytest.raises(RecordError, match="the client has a trace, whose state is out of reach; only plain"):
            movers.move()
        untap(movers.session.client.sock)
        movers.move()


async def test_a_session_that_has_ended_has_no_record() -> None:
    async with moving() as movers:
        movers.here.close(movers.session.client, ServerClose(Reason.IDLE_TIMEOUT, "for a test"))
        with pytest.raises(RecordError, match="the relay has ended, and its closing handshake is for the process that"):
            suspend(movers.here, movers.session.client, USUAL)
        assert (await movers.end()).source is None


async def test_a_side_with_unknown_frames_is_refused() -> None:
    async with moving() as movers:
        state = suspend(movers.here, movers.session.client, USUAL)
        unknown = replace(state, upstream=replace(state.upstream, framing="hybi-09"))
        with pytest.raises(RecordError, match="a side with the frames of 'hybi-09'; known are hixie-75, hixie-76, "):
            movers.go_on(to_bytes(unknown))
