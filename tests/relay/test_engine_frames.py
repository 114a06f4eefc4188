"""The gateway's own frames stay out of unfinished frames; held messages are limited for all sessions together."""

import random

import pytest

from wsgateway.dialects import Limits
from wsgateway.dialects.base import Step
from wsgateway.errors import ProtocolError
from wsgateway.relay.engine import Ended
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close

from .sessions import settled
from .stage import KIB, say_at_once, staged

# "p" with the key of the drafts' example: a ping from a client, and the pong for an upstream.
PING = bytes.fromhex("89 81 37fa213d 47")
PONG = b"\x8a\x01p"


async def test_a_reply_waits_until_the_current_frame_has_ended() -> None:
    """The gateway answers the client's ping, because its upstream has none; a text to the upstream is unfinished."""
    async with staged() as stage:
        session = stage.session("rfc6455", "hixie-76", options=TranslationOptions(Limits(join_bytes=0)))
        # A text of hixie is sent in fragments here, so that no frame is unfinished between two of them.
        stage.relay(session)
        await session.at_upstream.send(b"\x00Hello")
        await settled()
        await session.at_client.send(PING)
        assert await session.at_client.exactly(6) == b"\x01\x04Hell"
        assert await session.at_client.exactly(3) == PONG
        await session.at_upstream.send(b"\xff")
        assert await session.at_client.exactly(3) == b"\x80\x01o"


async def test_a_reply_does_not_enter_a_frame_that_comes_in_pieces() -> None:
    async with staged() as stage:
        session = stage.session("hixie-76", "rfc6455", options=TranslationOptions(Limits(join_bytes=0)))
        stage.relay(session)
        # The upstream sends a ping inside a fragmented text, which is streamed to the client as one frame. The answer
        # goes to the upstream at once: the client sends nothing, so no frame to the upstream is unfinished.
        await session.at_upstream.send(b"\x01\x03Hel", b"\x89\x01p")
        assert await session.at_client.exactly(4) == b"\x00Hel"
        assert await session.at_upstream.exactly(7) == bytes.fromhex("8a 81 37fa213d 47")
        await session.at_upstream.send(b"\x80\x02lo")
        assert await session.at_client.exactly(3) == b"lo\xff"


class Fours:
    """Translates frames of four bytes between dialects that there are not: it answers a ping itself."""

    messages = heartbeats = 0
    plan = None

    def __init__(self) -> None:
        self._part = 0

    def feed(self, data: bytes) -> Step:
        if data == b"ping":
            return Step(b"", b"pong")
        self._part = (self._part + len(data)) % 4
        return Step(data)

    def finish(self) -> Step:
        return Step(b"", ending=Close())

    def unfinished(self) -> int:
        return 0

    def inside(self) -> bool:
        return self._part != 0

    def release(self) -> None:
        return None


async def test_a_reply_is_sent_after_the_frame_for_which_it_waits() -> None:
    # With the dialects that there are, what replies does not know the lengths of frames.
    async with staged() as stage:
        session = stage.session()
        session.client.translator, session.upstream.translator = Fours(), Fours()
        stage.relay(session)
        await session.at_upstream.send(b"ab")
        assert await session.at_client.exactly(2) == b"ab"
        await session.at_client.send(b"ping")
        await settled()
        await session.at_upstream.send(b"c")
        assert await session.at_client.exactly(1) == b"c"
        await settled()
        await session.at_upstream.send(b"d")
        assert await session.at_client.exactly(5) == b"dpong"


# -- all sessions together -----------------------------------------------------------------------------------------


async def test_when_memory_is_full_the_message_held_longest_is_sent_in_fragments() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 25
        sessions = [stage.session("rfc6455", "hixie-76") for _ in range(3)]
        for session in sessions:
            stage.relay(session)
            await session.at_upstream.send(b"\x00" + b"x" * 10)
            await settled()
        oldest, *others = sessions
        assert await oldest.at_client.exactly(11) == b"\x01\x09" + b"x" * 9
        assert stage.engine.join_memory.held_bytes == 20
        for session in sessions:
            await session.at_upstream.send(b"y\xff")
        assert await oldest.at_client.exactly(4) == b"\x80\x02xy"
        for session in others:
            assert await session.at_client.exactly(13) == b"\x81\x0b" + b"x" * 10 + b"y"
        assert stage.engine.join_memory.held_bytes == 0


async def test_a_side_with_a_new_held_message_is_no_longer_the_oldest() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 25
        first, second, third = (stage.session("rfc6455", "hixie-76") for _ in range(3))
        for session in (first, second, third):
            stage.relay(session)
        for session in (first, second):
            await session.at_upstream.send(b"\x00" + b"x" * 10)
            await settled()
        await first.at_upstream.send(b"\xff\x00" + b"z" * 10)
        assert await first.at_client.exactly(12) == b"\x81\x0a" + b"x" * 10
        await third.at_upstream.send(b"\x00" + b"x" * 10)
        assert await second.at_client.exactly(11) == b"\x01\x09" + b"x" * 9


async def test_released_bytes_are_sent_after_those_of_the_same_turn() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 15
        sessions = [stage.session("rfc6455", "hixie-76") for _ in range(2)]
        for session in sessions:
            stage.relay(session)
        await settled()
        # The loop reads both in one turn, and the session that it reads first has to release its message.
        for session in sessions:
            say_at_once(session.at_upstream, b"\x00Hi\xff\x00" + b"x" * 10)
        for session in sessions:
            assert await session.at_client.exactly(4) == b"\x81\x02Hi"
        assert sorted(session.upstream.held for session in sessions) == [0, 10]


async def test_a_text_for_hixie_is_streamed_when_memory_is_full() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 3
        session = stage.session("hixie-76", "rfc6455")
        stage.relay(session)
        await session.at_upstream.send(b"\x81\x06Hell")
        assert await session.at_client.exactly(5) == b"\x00Hell"
        await session.at_upstream.send(b"o!")
        assert await session.at_client.exactly(3) == b"o!\xff"


async def test_a_message_that_must_be_one_frame_is_refused_when_memory_is_full() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 3
        session = stage.session(joins=True)
        relay = stage.relay(session)
        await session.at_upstream.send(b"\x01\x04Hell")
        ended = await relay.ended()
        assert isinstance(ended, Ended)
        assert ended.source is session.upstream
        assert isinstance(ended.ending, ProtocolError)
        assert ended.ending.close_code == 1013
        assert "4 bytes of messages are held back, the bound is 3" in str(ended.ending)


async def test_a_side_that_can_release_bytes_is_not_ended_for_those_of_others() -> None:
    async with staged() as stage:
        joined, other = stage.session(joins=True), stage.session("rfc6455", "hixie-76")
        stage.relay(joined)
        relay = stage.relay(other)
        await joined.at_upstream.send(b"\x01\x04Hell")
        await settled()
        stage.engine.join_memory.most_bytes = 3  # as after a reload with a lower limit
        await other.at_upstream.send(b"\x00Hello")
        assert await other.at_client.exactly(6) == b"\x01\x04Hell"
        await other.at_upstream.send(b"\xff")
        assert await other.at_client.exactly(3) == b"\x80\x01o"
        assert not relay.over
        await joined.at_upstream.send(b"\x80\x01o")
        assert await joined.at_client.exactly(7) == b"\x81\x05Hello"


async def test_held_bytes_of_an_ended_session_do_not_count() -> None:
    async with staged() as stage:
        session = stage.session("rfc6455", "hixie-76")
        relay = stage.relay(session)
        await session.at_upstream.send(b"\x00" + b"x" * KIB)
        await settled()
        assert stage.engine.join_memory.held_bytes == KIB
        await session.at_client.send_eof()
        await relay.ended()
        assert stage.engine.join_memory.held_bytes == 0


@pytest.mark.parametrize("seed", range(8))
async def test_no_held_bytes_are_counted_after_any_end_of_sessions(seed: int) -> None:
    """Let sessions send pieces of messages at random, and end in the middle of them."""
    chance = random.Random(seed)
    pieces = [b"\x00", b"x" * 40, b"\xff", b"\xe2\x82", b"\xff\x00yy", b"\xff\x00"]
    frames = [b"\x01\x03abc", b"\x00\x02de", b"\x89\x00", b"\x80\x01f", b"\x82\x02gh", b"\x81\x7e\x00\x7fij"]
    async with staged() as stage:
        join_memory = stage.engine.join_memory
        join_memory.most_bytes = 300
        for _ in range(6):
            joined = chance.random() < 0.5
            sessions = [
                stage.session("rfc6455", "rfc6455" if joined else "hixie-76", joins=joined)
                for _ in range(chance.randint(2, 12))
            ]
            relays = [stage.relay(session) for session in sessions]
            for _ in range(60):
                session = chance.choice(sessions)
                if session.upstream.on_end is not None:
                    await session.at_upstream.send(chance.choice(frames if joined else pieces))
                await settled()
                sides = [side for session in sessions for side in (session.client, session.upstream)]
                assert sum(side.held for side in sides) == join_memory.held_bytes
                assert all(side.on_end is not None for side in sides if side.held)
                assert join_memory.held_bytes <= join_memory.most_bytes
            for session, relay in zip(sessions, relays, strict=True):
                if relay.over:
                    continue
                match chance.randrange(3):
                    case 0:
                        await session.at_client.close()
                    case 1:
                        await session.at_upstream.close()
                    case _:
                        relay.scope.cancel()
            await settled()
            assert join_memory.held_bytes == 0
            assert not list(join_memory.make_room())
