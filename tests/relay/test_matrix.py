"""Every dialect of a client with every dialect of an upstream: the same texts arrive, and pings are answered.

Binary messages are in `test_matrix_binary`, the ends of sessions in `test_matrix_endings`.
"""

from itertools import cycle, product

from tests.dialects.feeding import CUTS, Heard, byte_by_byte, cut_at_random, other, text, whole
from wsgateway.wire.events import Ping, Pong

from .passing import put_through
from .ways import (
    SECRETS,
    Arrived,
    Way,
    arrived,
    cuts,
    every_way,
    everywhere,
    keys,
    read_by_read,
    ways,
)

where_the_source_has_ping = ways(lambda source, target: source.carries_ping)

BOUNDARIES = [0, 1, 125, 126, 127, 65535, 65536]  # of the three forms of a length in frames
RANDOM_CUTS = range(3)
MIB = 1024 * 1024
MULTIBYTE = "Gr\u00fc\u00dfe \u2014 \u20ac 5 \U0001f600 \u0441\u0432\u0435\u0442 \u4e16\u754c \ufffd \0 \U0010ffff"


# -- text -------------------------------------------------------------------------------------------------------


@every_way
def test_a_text_of_any_length_arrives(way: Way) -> None:
    for size in BOUNDARIES:
        message = text(b"t" * size)
        received = way.write(message)
        for pieces in (whole(received), *(cut_at_random(received, seed) for seed in RANDOM_CUTS)):
            assert way.pass_on(pieces) == arrived(message)


@every_way
def test_a_short_text_arrives_byte_by_byte(way: Way) -> None:
    for size in (0, 1, 125, 126, 127):
        message = text(b"t" * size)
        assert way.pass_on(byte_by_byte(way.write(message))) == arrived(message)


@every_way
def test_a_short_text_arrives_wherever_it_is_cut(way: Way) -> None:
    message = text("\u20ac, \U0001f600")
    for pieces in everywhere(way.write(message)):
        assert way.pass_on(pieces) == arrived(message)


@every_way
def test_a_text_of_a_mib_arrives(way: Way) -> None:
    # Characters of 3 bytes, and 1 byte more, so that reads cut it inside characters.
    message = text("\u20ac" * (MIB // 3) + "!")
    assert len(message.data) == MIB
    assert way.pass_on(read_by_read(way.write(message))) == arrived(message)


@every_way
def test_a_text_in_several_scripts_arrives(way: Way) -> None:
    for pieces in cuts(way.write(text(MULTIBYTE))):
        assert way.pass_on(pieces) == arrived(text(MULTIBYTE))


@every_way
def test_a_message_in_fragments_arrives_as_one(way: Way) -> None:
    data = MULTIBYTE.encode()
    each_byte = [text(bytes([byte]), final=False) for byte in data]
    empty_ones = [text(b"", final=False), text(data, final=False), text(b"", final=False), text(b"")]
    for fragments in ([*each_byte, text(b"")], empty_ones):
        received = way.write(text("before"), *fragments, text("behind"))
        for pieces in cuts(received):
            assert way.pass_on(pieces) == arrived(text("before"), text(data), text("behind"))


@every_way
def test_a_burst_of_messages_arrives_in_order(way: Way) -> None:
    lengths = cycle([0, 1, 5, 62, 63, 64])  # on both sides of the short frames
    burst = [text(f"{at}: " + "\u00fc" * length) for at, length in zip(range(150), lengths, strict=False)]
    for pieces in (whole(way.write(*burst)), cut_at_random(way.write(*burst))):
        assert way.pass_on(pieces) == arrived(*burst)
    assert way.pass_on(byte_by_byte(way.write(*burst[:20]))) == arrived(*burst[:20])


@every_way
def test_a_burst_in_one_read_is_one_write_of_whole_frames(way: Way) -> None:
    burst = [text(str(number)) for number in range(50)]
    passed = put_through(way.translator(), [way.write(*burst)])
    assert len(passed.steps) == 1
    encoder = way.target.framing.encoder(other(way.role), keys(), SECRETS[other(way.role)])
    assert len(passed.forward) == sum(len(encoder.send(message)) for message in burst)


@every_way
def test_messages_are_counted(way: Way) -> None:
    events = [text("one"), text("t", final=False), text("wo"), text(""), text("unfinished", final=False)]
    for pieces in cuts(way.write(*events)):
        counted = way.translator()
        put_through(counted, pieces)
        assert counted.messages == 3


@every_way
def test_the_received_part_of_a_text_is_passed_on_or_held(way: Way) -> None:
    begun = way.translator().feed(way.write(text("h" * 1000))[:500])
    heard = way.read([begun.forward])
    assert heard.events == []
    source, target = way.source.framing, way.target.framing
    if not way.is_walked and (source.repairs_text or target.delimits_text):
        assert heard.unfinished is None
        assert 490 < begun.held < 500
    else:
        assert heard.unfinished is not None
        # The longest head is one with a mask, of 8 bytes.
        assert 490 < len(heard.unfinished.data) < 500
        assert begun.held == 0


# -- ping and pong ----------------------------------------------------------------------------------------------

PAYLOADS = [b"", b"p", bytes(range(125))]


@where_the_source_has_ping
def test_a_ping_arrives_or_is_answered(way: Way) -> None:
    for payload, cut in product(PAYLOADS, CUTS):
        received = cut(way.write(text("Hel", final=False), Ping(payload), text("lo")))
        if way.target.framing.carries_ping:
            assert way.pass_on(received) == arrived(Ping(payload), text("Hello"))
        else:
            assert way.pass_on(received) == Arrived(Heard([text("Hello")]), [Pong(payload)], None)


@where_the_source_has_ping
def test_a_pong_arrives_or_is_dropped(way: Way) -> None:
    for payload, cut in product(PAYLOADS, CUTS):
        received = cut(way.write(text("Hel", final=False), Pong(payload), text("lo")))
        pong = [Pong(payload)] if way.target.framing.carries_ping else []
        assert way.pass_on(received) == arrived(*pong, text("Hello"))


@where_the_source_has_ping
def test_control_frames_arrive_or_are_answered_wherever_they_are_cut(way: Way) -> None:
    for pieces in everywhere(way.write(Ping(b"one"), Pong(b"two"), text("Hello"))):
        if way.target.framing.carries_ping:
            assert way.pass_on(pieces) == arrived(Ping(b"one"), Pong(b"two"), text("Hello"))
        else:
            assert way.pass_on(pieces) == Arrived(Heard([text("Hello")]), [Pong(b"one")], None)
