"""Every dialect of a client with every dialect of an upstream, in both directions: the same messages arrive.

A side says something in its own frames, the translator passes it on in the other's, and what leaves is read by that
side's own decoder. The bytes themselves are compared in `test_translate` and, for each dialect, in `tests.dialects`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, cycle

import pytest

from tests.dialects.feeding import CUTS, GENEROUS, Heard, binary, byte_by_byte, cut_at_random, hear, other, text, whole
from wsgateway.dialects import DIALECTS, Dialect
from wsgateway.dialects.base import Framing, Translator
from wsgateway.relay.translate import translator
from wsgateway.wire.events import Close, Event, Fragment, Ping, Pong, Role

from .passing import Ending, ending_of, put_through

NO_CLOSE = 1006
READ_BYTES = 64 * 1024
RANDOM_CUTS = range(3)


def keys() -> Iterator[bytes]:
    """Mask keys, each another one."""
    return ((number & 0xFFFFFFFF).to_bytes(4, "big") for number in count(0x37FA213D, 0x01030507))


@dataclass(frozen=True)
class Way:
    """One direction through the gateway."""

    source: Dialect
    target: Dialect
    role: Role
    """what we play towards the source; its own role is the other one, which we play towards the target"""

    def __str__(self) -> str:
        who = "client" if self.role is Role.SERVER else "upstream"
        return f"{self.source.name} {who} to {self.target.name}"

    def write(self, *events: Event) -> bytes:
        """What the source sends to say this."""
        encoder = self.source.framing.encoder(other(self.role), keys())
        return b"".join(map(encoder.send, events))

    def translator(self) -> Translator:
        return translator(self.source.framing, self.target.framing, self.role, GENEROUS, keys())

    def pass_on(self, pieces: Iterable[bytes]) -> "Arrived":
        passed = put_through(self.translator(), pieces)
        # The answer comes back to the source, from us.
        answer = hear(self.source.framing.decoder(other(self.role), GENEROUS), [passed.reply])
        return Arrived(self.read(passed.steps), answer.events, passed.ending)

    def read(self, steps: Iterable[bytes]) -> Heard:
        """What the target makes of our bytes."""
        return hear(self.target.framing.decoder(self.role, GENEROUS), steps)


@dataclass
class Arrived:
    """What became of some bytes."""

    heard: Heard
    """by the target"""
    answered: list[Event]
    """to the source"""
    ending: Ending


def arrived(*events: Event) -> Arrived:
    """All is well: the target heard this, and nothing else happened."""
    return Arrived(Heard(list(events)), [], None)


WAYS = [Way(source, target, role) for source in DIALECTS.values() for target in DIALECTS.values() for role in Role]


def ways(condition: Callable[[Framing, Framing], bool] = lambda source, target: True) -> pytest.MarkDecorator:
    """All directions between framings for which this holds."""
    return pytest.mark.parametrize(
        "way", [way for way in WAYS if condition(way.source.framing, way.target.framing)], ids=str
    )


every_way = ways()
where_the_source_has_ping = ways(lambda source, target: source.carries_ping)
where_the_source_has_binary = ways(lambda source, target: source.carries_binary)
where_the_source_has_close = ways(lambda source, target: source.has_close)
where_the_source_has_codes = ways(lambda source, target: bool(source.close_codes))
every_cut = pytest.mark.parametrize("cut", CUTS)

BOUNDARIES = [0, 1, 125, 126, 127, 65535, 65536]  # of the three forms of a length in frames
MIB = 1024 * 1024
MULTIBYTE = "Gr\u00fc\u00dfe \u2014 \u20ac 5 \U0001f600 \u0441\u0432\u0435\u0442 \u4e16\u754c \ufffd \0 \U0010ffff"


def read_by_read(data: bytes) -> list[bytes]:
    """As the engine reads what comes fast."""
    return [data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES)]


# -- text -------------------------------------------------------------------------------------------------------


@every_way
@pytest.mark.parametrize("size", BOUNDARIES)
def test_a_text_of_any_length_arrives(way: Way, size: int) -> None:
    message = text(b"t" * size)
    for pieces in (whole(way.write(message)), *(cut_at_random(way.write(message), seed) for seed in RANDOM_CUTS)):
        assert way.pass_on(pieces) == arrived(message)


@every_way
@pytest.mark.parametrize("size", [size for size in BOUNDARIES if size < 1000])
def test_a_short_text_arrives_byte_by_byte(way: Way, size: int) -> None:
    message = text(b"t" * size)
    assert way.pass_on(bytes([byte]) for byte in way.write(message)) == arrived(message)


@every_way
@pytest.mark.parametrize("cut", [whole, read_by_read, cut_at_random])
def test_a_text_of_a_mib_arrives(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    # Of 3 bytes a character and 1 over, so that reads cut it inside characters.
    message = text("\u20ac" * (MIB // 3) + "!")
    assert len(message.data) == MIB
    assert way.pass_on(cut(way.write(message))) == arrived(message)


@every_way
@every_cut
def test_a_text_in_several_scripts_arrives(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    assert way.pass_on(cut(way.write(text(MULTIBYTE)))) == arrived(text(MULTIBYTE))


@every_way
@every_cut
def test_a_message_in_fragments_arrives_as_one(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    data = MULTIBYTE.encode()
    each_byte = [text(bytes([byte]), final=False) for byte in data]
    empty_ones = [text(b"", final=False), text(data, final=False), text(b"", final=False), text(b"")]
    for fragments in ([*each_byte, text(b"")], empty_ones):
        received = way.write(text("before"), *fragments, text("behind"))
        assert way.pass_on(cut(received)) == arrived(text("before"), text(data), text("behind"))


@every_way
@every_cut
def test_a_burst_of_messages_arrives_in_order(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    lengths = [0, 1, 5, 62, 63, 64] if cut is byte_by_byte else range(150)  # on both sides of the short frames
    burst = [
        text(f"{number}: " + "\u00fc" * length) for number, length in zip(range(200), cycle(lengths), strict=False)
    ]
    assert way.pass_on(cut(way.write(*burst))) == arrived(*burst)


@every_way
def test_a_burst_in_one_read_is_one_write_of_whole_frames(way: Way) -> None:
    burst = [text(str(number)) for number in range(200)]
    passed = put_through(way.translator(), [way.write(*burst)])
    assert len(passed.steps) == 1
    encoder = way.target.framing.encoder(other(way.role), keys())
    assert len(passed.forward) == sum(len(encoder.send(message)) for message in burst)


@every_way
@every_cut
def test_messages_are_counted(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    counted = way.translator()
    events = [text("one"), text("t", final=False), text("wo"), text(""), text("unfinished", final=False)]
    put_through(counted, cut(way.write(*events)))
    assert counted.messages == 3


# -- binary -----------------------------------------------------------------------------------------------------


@where_the_source_has_binary
@pytest.mark.parametrize("size", [*BOUNDARIES, MIB])
def test_a_binary_message_arrives_where_there_are_any(way: Way, size: int) -> None:
    message = binary((bytes(range(256)) * (size // 256 + 1))[:size])
    received = way.write(text("before"), message, text("behind"))
    for pieces in (whole(received), read_by_read(received), cut_at_random(received, 1)):
        if way.target.framing.carries_binary:
            assert way.pass_on(pieces) == arrived(text("before"), message, text("behind"))
        else:
            assert way.pass_on(pieces) == Arrived(Heard([text("before")]), [], 1003)


# -- ping and pong ----------------------------------------------------------------------------------------------


@where_the_source_has_ping
@every_cut
@pytest.mark.parametrize("payload", [b"", b"p", bytes(range(125))], ids=len)
def test_a_ping_arrives_or_is_answered(way: Way, payload: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    received = way.write(text("Hel", final=False), Ping(payload), text("lo"))
    if way.target.framing.carries_ping:
        assert way.pass_on(cut(received)) == arrived(Ping(payload), text("Hello"))
    else:
        assert way.pass_on(cut(received)) == Arrived(Heard([text("Hello")]), [Pong(payload)], None)


@where_the_source_has_ping
@every_cut
@pytest.mark.parametrize("payload", [b"", b"p", bytes(range(125))], ids=len)
def test_a_pong_arrives_or_is_dropped(way: Way, payload: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    received = way.write(text("Hel", final=False), Pong(payload), text("lo"))
    if way.target.framing.carries_ping:
        assert way.pass_on(cut(received)) == arrived(Pong(payload), text("Hello"))
    else:
        assert way.pass_on(cut(received)) == arrived(text("Hello"))


# -- close ------------------------------------------------------------------------------------------------------


def as_heard(close: Close, *framings: Framing) -> list[Event]:
    """A Close once all of these have said it: nothing, or with a code only if all of them have it."""
    if not all(framing.has_close for framing in framings):
        return []
    return [close if all(close.code in framing.close_codes for framing in framings) else Close()]


@where_the_source_has_close
@every_cut
def test_a_close_without_a_code_stays_without_one(way: Way, cut: Callable[[bytes], list[bytes]]) -> None:
    received = way.write(text("last"), Close()) + way.write(text("too late"))
    arrived = way.pass_on(cut(received))
    assert arrived == Arrived(Heard([text("last"), *as_heard(Close(), way.target.framing)]), [], Close())


@where_the_source_has_codes
@every_cut
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1009, 1011, 1014, 3000, 4999])
def test_a_close_with_a_code_keeps_it_where_both_have_it(
    way: Way, code: int, cut: Callable[[bytes], list[bytes]]
) -> None:
    close, framings = Close(code, "au revoir"), (way.source.framing, way.target.framing)
    [said] = as_heard(close, way.source.framing)
    assert isinstance(said, Close)
    arrived = way.pass_on(cut(way.write(text("last"), close)))
    assert arrived == Arrived(Heard([text("last"), *as_heard(close, *framings)]), [], said)


@every_way
def test_a_stream_that_ends_between_messages(way: Way) -> None:
    """Is a goodbye of dialects whose clients know no other (they are those that do not answer one either)."""
    ended = way.translator()
    begun = ended.feed(way.write(text("last")))
    step = ended.finish()
    heard = way.read([begun.forward, step.forward])
    if way.source.framing.answers_close:
        assert ending_of(step.ending) == NO_CLOSE
        assert heard == Heard([text("last")])
    else:
        assert step.ending == Close()
        assert heard == Heard([text("last"), *as_heard(Close(), way.target.framing)])


@every_way
def test_a_stream_that_ends_inside_a_frame_leaves_its_message_unfinished(way: Way) -> None:
    ended = way.translator()
    begun = ended.feed(way.write(text("whole")) + way.write(text("cut off"))[:-1])
    step = ended.finish()
    assert ending_of(step.ending) == NO_CLOSE
    assert step.forward == b""
    heard = way.read([begun.forward])
    assert heard.events == [text("whole")]
    assert heard.unfinished is not None
    assert b"cut off".startswith(heard.unfinished.data)


@every_way
def test_a_frame_that_is_here_in_part_is_passed_on_in_part(way: Way) -> None:
    begun = way.translator().feed(way.write(text("h" * 1000))[:500])
    heard = way.read([begun.forward])
    assert heard.events == []
    assert isinstance(heard.unfinished, Fragment)
    assert 480 <= len(heard.unfinished.data) < 500
