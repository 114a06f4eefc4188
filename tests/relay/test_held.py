"""What is held back of messages until they are whole, when a rule is broken in the middle, and by many at once."""

import base64
from dataclasses import dataclass
from itertools import repeat

import outcome
import pytest

from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import Limits
from wsgateway.errors import ProtocolError
from wsgateway.relay.engine import Ended
from wsgateway.relay.moving import catch_up, endpoints, suspend
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.binary import BinaryRule

from .passing import CLIENT, UPSTREAM, direction
from .sessions import Session, settled
from .spelling import said, told
from .stage import Stage, staged
from .test_moving import moving

PLAIN, BASE64 = BinaryRule(), BinaryRule("base64", "base64")


@dataclass(frozen=True)
class Cut:
    """A message of an upstream that breaks a rule when some of it is held back for the client."""

    client: str
    upstream: str
    begin: bytes
    """what the upstream says before"""
    wrong: bytes
    """what breaks the rule"""
    code: int
    held: int
    """how many bytes are held back of `begin`"""
    left: bytes = b""
    """what leaves for the client, before or after"""
    inside: bool = False
    """whether that ends inside a frame"""
    joins: bool = False
    binary: BinaryRule = PLAIN
    join_bytes: int = 65536

    @property
    def options(self) -> TranslationOptions:
        return TranslationOptions(Limits(8, 2, self.join_bytes), self.binary, "close")


CUTS = {
    "a text of hixie beyond the size": Cut("rfc6455", "hixie-76", b"\x00Hello", b" more\xff", 1009, 5),
    "what is joined, beyond the size": Cut("rfc6455", "rfc6455", b"\x01\x05Hello", b"\x80\x05", 1009, 5, joins=True),
    "what is joined, in too many fragments": Cut(
        "rfc6455", "rfc6455", b"\x01\x01H\x00\x01e", b"\x80\x01y", 1009, 2, joins=True
    ),
    "for hixie, in too many fragments": Cut("hixie-76", "rfc6455", b"\x01\x01H\x00\x01e", b"\x80\x01y", 1009, 2),
    "what is joined, beyond what is held": Cut(
        "rfc6455", "rfc6455", b"\x01\x04Hell", b"\x80\x01o", 1009, 4, joins=True, join_bytes=4
    ),
    "a text of hixie that is no UTF-8": Cut("rfc6455", "hixie-76", b"\x00Hel\xc3", b"(\xff", 1007, 4),
    "for hixie, no UTF-8": Cut("hixie-76", "rfc6455", b"\x01\x04Hel\xc3", b"\x80\x01(", 1007, 4),
    "for hixie, a reserved opcode": Cut("hixie-75", "rfc6455", b"\x01\x05Hello", b"\x83\x00", 1002, 5),
    "binary as base64 beyond the size": Cut(
        "hixie-76", "rfc6455", b"\x02\x06abcdef", b"\x80\x03ghi", 1009, 8, binary=BASE64
    ),
    "binary as base64, and a text in it": Cut(
        "hixie-76", "rfc6455", b"\x02\x03abc", b"\x81\x00", 1002, 4, binary=BASE64
    ),
    "base64 that is none": Cut("rfc6455", "hixie-76", b"\x00bGll", b"Z3!=\xff", 1007, 3, binary=BASE64),
    # What is longer than may be held has left in fragments, or as a frame of hixie that is never finished.
    "in fragments already": Cut(
        "rfc6455", "hixie-76", b"\x00Hello", b" more\xff", 1009, 0, b"\x01\x04Hell", join_bytes=4
    ),
    "inside a text of hixie": Cut(
        "hixie-76", "rfc6455", b"\x01\x05Hello", b"\x80\x05", 1009, 0, b"\x00Hello", inside=True, join_bytes=4
    ),
    "binary inside a text of hixie": Cut(
        "hixie-76", "rfc6455", b"\x02\x06abcdef", b"\x80\x03", 1009, 0, b"\x00YWJjZGVm", True, False, BASE64, 4
    ),
}


@pytest.mark.parametrize("before", [False, True], ids=["", "behind one that is whole"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_held_bytes_are_dropped_when_their_message_breaks_a_rule(cut: Cut, before: bool) -> None:
    """Nothing more of the message leaves, the messages before it do, and what others hold still counts alone."""
    async with staged() as stage:
        other = stage.session("rfc6455", "hixie-76")
        stage.relay(other)
        await other.at_upstream.send(b"\x00Hel")
        await settled()
        session = stage.session(cut.client, cut.upstream, options=cut.options, joins=cut.joins)
        relay = stage.relay(session)
        if before:
            await session.at_upstream.send(said(cut.upstream, UPSTREAM, ("text", b"YQ==")))
            # Text of hixie may be binary in base64.
            decoded = cut.binary is BASE64 and cut.upstream == "hixie-76"
            whole = told(cut.client, CLIENT, ("binary", b"a") if decoded else ("text", b"YQ=="))
            assert await session.at_client.exactly(len(whole)) == whole
        await session.at_upstream.send(cut.begin)
        await settled()
        assert (session.upstream.held, stage.engine.join_memory.held_bytes) == (cut.held, cut.held + 3)
        await session.at_upstream.send(cut.wrong)
        ended = await relay.ended()
        assert isinstance(ended.ending, ProtocolError)
        assert (ended.source, ended.ending.close_code) == (session.upstream, cut.code)
        assert session.upstream.translator.inside() is cut.inside
        # No byte of it would be sent if memory were short, but for hixie the beginning of a frame.
        assert (session.upstream.translator.release() or b"") in (b"", b"\x00")
        assert stage.engine.join_memory.held_bytes == 3
        assert session.client.backlog == b""
        session.client.sock.close()
        assert await session.at_client.rest() == cut.left
        await other.at_upstream.send(b"lo\xff")
        assert await other.at_client.exactly(7) == b"\x81\x05Hello"
        assert stage.engine.join_memory.held_bytes == 0


# A text of hixie, in the pieces in which it comes, and the fragments that leave for each where nothing is held back.
CHARACTERS = {
    "two bytes": (["ab\u00e9", "c"], [b"ab", b"\xc3\xa9", b"c"]),
    "three bytes": (["ab\u20ac", "c"], [b"ab", b"\xe2\x82\xac", b"c"]),
    "four bytes": (["ab\U0001f600", "c"], [b"ab", b"\xf0\x9f\x98\x80", b"c"]),
    "one byte at a time": (["a", "b", "c"], [b"a", b"b", b"c"]),
    "one character at a time": (["\u20ac", "\u20ac", "a"], [b"\xe2\x82\xac", b"\xe2\x82\xac", b"a"]),
}


@pytest.mark.parametrize(("pieces", "fragments"), CHARACTERS.values(), ids=CHARACTERS)
def test_no_fragment_of_ours_ends_inside_a_character(pieces: list[str], fragments: list[bytes]) -> None:
    passing = direction("hixie-76", "rfc6455", UPSTREAM, TranslationOptions(Limits(join_bytes=0)))
    said = [b"\x00" + pieces[0].encode(), *(each.encode() for each in pieces[1:])]
    left = [passing.feed(each).forward for each in said]
    expected = [bytes([len(each)]) + each for each in fragments]
    assert b"".join(left) + passing.feed(b"\xff").forward == (
        b"\x01" + b"\x00".join(expected[:-1]) + b"\x80" + expected[-1]
    )


# -- binary, by many sessions at the bound -------------------------------------------------------------------------

MANY = 40
# Each session says so many bytes of its own in base64, of which so much is held back before the last of it comes.
SIZE, HELD = 300, 240


def said_by(number: int) -> bytes:
    return bytes([number]) * SIZE


async def many(stage: Stage, client: str = "hixie-76", upstream: str = "rfc6455") -> list[Session]:
    """Return sessions whose clients say binary in base64, the one after the other, and have all said most of it."""
    options = TranslationOptions(binary=BASE64)
    sessions = [stage.session(client, upstream, options=options) for _ in range(MANY)]
    for number, each in enumerate(sessions):
        stage.relay(each)
        await each.at_client.send(b"\x00" + base64.b64encode(said_by(number)[:HELD]))
        await settled()
        assert stage.engine.join_memory.held_bytes <= stage.engine.join_memory.most_bytes
    return sessions


async def binary_of(session: Session) -> tuple[int, bytes]:
    """Return in how many frames the next message came to an upstream, and the message."""
    frames = [await session.at_upstream.frame()]
    while not frames[-1][0] & 0x80:
        frames.append(await session.at_upstream.frame())
    opcodes = [first & 0x7F for first, _ in frames]
    assert opcodes == [2, *[0] * (len(frames) - 1)]
    return len(frames), b"".join(payload for _, payload in frames)


async def test_binary_of_many_sessions_at_the_limit_arrives_whole_at_the_right_upstreams() -> None:
    async with staged() as stage:
        # Ten have room. The others are no worse off than in fragments, the oldest of them first.
        stage.engine.join_memory.most_bytes = 10 * HELD
        sessions = await many(stage)
        assert stage.engine.join_memory.held_bytes == 10 * HELD
        assert [each.client.held for each in sessions] == [0] * (MANY - 10) + [HELD] * 10
        for number, each in enumerate(sessions):
            await each.at_client.send(base64.b64encode(said_by(number)[HELD:]) + b"\xff")
            assert await binary_of(each) == (2 if number < MANY - 10 else 1, said_by(number))
        assert stage.engine.join_memory.held_bytes == 0
        # They are as before: what they say now is held again.
        await sessions[0].at_client.send(b"\x00" + base64.b64encode(said_by(0)[:HELD]))
        await settled()
        assert stage.engine.join_memory.held_bytes == HELD
        await sessions[0].at_client.send(base64.b64encode(said_by(0)[HELD:]) + b"\xff")
        assert await binary_of(sessions[0]) == (1, said_by(0))


async def test_exactly_as_much_as_may_be_held_is_held() -> None:
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = MANY * HELD
        sessions = await many(stage)
        assert [each.client.held for each in sessions] == [HELD] * MANY
        await sessions[-1].at_client.send(base64.b64encode(b"abc"))
        await settled()
        # 3 bytes more than there is room for: one message, the oldest, lets go.
        assert [each.client.held for each in sessions] == [0] + [HELD] * (MANY - 2) + [HELD + 3]


async def test_binary_that_must_be_one_frame_is_refused_at_the_limit_without_harm_to_others() -> None:
    """Frames of sessions that join them may not leave in parts: who comes when there is no room is told so."""
    async with staged() as stage:
        stage.engine.join_memory.most_bytes = 10 * HELD
        sessions = [stage.session(joins=True) for _ in range(MANY)]
        relays = [stage.relay(each) for each in sessions]
        head = b"\x02\x7e" + HELD.to_bytes(2)
        for number, each in enumerate(sessions):
            await each.at_upstream.send(head + said_by(number)[:HELD])
            await settled()
        assert [relay.over for relay in relays] == [False] * 10 + [True] * (MANY - 10)
        for relay in relays[10:]:
            ending = (await relay.ended()).ending
            assert isinstance(ending, ProtocolError)
            assert ending.close_code == 1013
        assert stage.engine.join_memory.held_bytes == 10 * HELD
        for number, each in enumerate(sessions[:10]):
            await each.at_upstream.send(said("rfc6455", UPSTREAM, ("end", said_by(number)[HELD:])))
            assert await each.at_client.exactly(4 + SIZE) == b"\x82\x7e" + SIZE.to_bytes(2) + said_by(number)
        assert stage.engine.join_memory.held_bytes == 0


async def test_nothing_is_held_for_a_session_that_cannot_go_on() -> None:
    async with moving("hixie-76", "rfc6455") as movers:
        await movers.session.at_client.send(b"\x00" + b"h" * 100)
        await settled()
        state = suspend(movers.here, movers.session.client, TranslationOptions())
        sock = movers.session.client.sock
        client, upstream = endpoints(state, (sock, sock), movers.bounds, repeat(MASK_KEY))
        ends: list[outcome.Outcome[Ended]] = []
        movers.there.start(client, upstream, ends.append)
        catch_up(movers.there, client, state)
        await settled()
        assert isinstance(ends[0], outcome.Error)  # one socket for both sides is a bug
        assert movers.there.join_memory.held_bytes == 0
