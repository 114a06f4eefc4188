"""Binary messages between every two dialects, by every rule: unchanged, as text, as binary again, or refused.

A side has only text if its dialect has no binary, or if its clients are configured to have none. The expected messages
are made here with Python's own base64, chr and hex.
"""

import base64
from collections.abc import Callable, Iterator
from itertools import product
from typing import get_args

from tests.cases import cases
from tests.dialects.feeding import Heard, binary, byte_by_byte, cut_at_random, text, whole
from wsgateway.wire.binary import Decode, Encode
from wsgateway.wire.events import Fragment, Ping, Pong, Role

from .passing import by, put_through
from .ways import DISTINCT, Arrived, Way, arrived, everywhere, parametrized, read_by_read

WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "latin-1": lambda data: "".join(map(chr, data)).encode(),
    "hex": lambda data: data.hex().encode(),
}
every_form = cases("form", WRITTEN)
every_encode = cases("encode", get_args(Encode))
every_decode = cases("decode", get_args(Decode))

# Each dialect as it is, and as one whose clients cannot take binary messages.
SIDES = [(dialect, takes) for dialect in DISTINCT for takes in (True, False) if takes or dialect.framing.carries_binary]
WAYS = [
    Way(source, target, role, source_takes, target_takes)
    for (source, source_takes), (target, target_takes), role in product(SIDES, SIDES, Role)
]


def has_binary(way: Way) -> tuple[bool, bool]:
    """Return whether the source and the target have binary messages."""
    return (
        way.source_takes_binary and way.source.framing.carries_binary,
        way.target_takes_binary and way.target.framing.carries_binary,
    )


where_both_have_binary = parametrized(way for way in WAYS if has_binary(way) == (True, True))
where_the_target_has_text_alone = parametrized(way for way in WAYS if has_binary(way) == (True, False))
where_the_source_has_text_alone = parametrized(way for way in WAYS if has_binary(way) == (False, True))
where_both_have_text_alone = parametrized(way for way in WAYS if has_binary(way) == (False, False))
where_somebody_has_text_alone = parametrized(way for way in WAYS if has_binary(way) != (True, True))


def some(size: int) -> bytes:
    """Return so many bytes, of all values."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


# Sizes around the groups of base64, around the forms of a length, and their sizes as text.
SIZES = [0, 1, 2, 3, 4, 62, 63, 93, 94, 95, 125, 126, 127, 256, 65536]
ALL_BYTES = some(256)


def few_cuts(data: bytes) -> Iterator[list[bytes]]:
    yield whole(data)
    yield read_by_read(data)
    yield cut_at_random(data, len(data))


# -- both sides have binary messages ----------------------------------------------------------------------------


@where_both_have_binary
def test_binary_arrives_as_it_is_whatever_the_rule(way: Way) -> None:
    options = by("hex", "hex")
    for size in SIZES:
        received = way.write(text("before"), binary(some(size)), text("behind"))
        for pieces in few_cuts(received):
            assert way.pass_on(pieces, options) == arrived(text("before"), binary(some(size)), text("behind"))


@where_both_have_binary
def test_binary_arrives_as_it_is_wherever_it_is_cut(way: Way) -> None:
    received = way.write(binary(b"\xff\x00", final=False), Ping(b"p"), binary(b"\x80"), text("behind"))
    for pieces in [*everywhere(received), byte_by_byte(received)]:
        assert way.pass_on(pieces) == arrived(Ping(b"p"), binary(b"\xff\x00\x80"), text("behind"))


# -- binary, to a side with text alone ---------------------------------------------------------------------------


@where_the_target_has_text_alone
def test_binary_is_refused_if_there_is_no_rule(way: Way) -> None:
    for message in ([binary(b"")], [binary(ALL_BYTES)], [binary(b"a", final=False), binary(b"b")]):
        received = way.write(text("before"), *message, text("too late"))
        for pieces in (whole(received), byte_by_byte(received)):
            assert way.pass_on(pieces) == Arrived(Heard([text("before")]), [], 1003)


@where_the_target_has_text_alone
@every_form
def test_binary_arrives_as_text(way: Way, form: Encode) -> None:
    for size in SIZES:
        received = way.write(text("before"), binary(some(size)), text("behind"))
        expected = arrived(text("before"), text(WRITTEN[form](some(size))), text("behind"))
        for pieces in few_cuts(received):
            assert way.pass_on(pieces, by(form)) == expected


@where_the_target_has_text_alone
@every_form
def test_binary_arrives_as_text_wherever_it_is_cut(way: Way, form: Encode) -> None:
    received = way.write(binary(b"\x00\x7f\x80\xff", final=False), binary(b""), text("Hi"), binary(b"\xe2"))
    expected = arrived(text(WRITTEN[form](b"\x00\x7f\x80\xff")), text("Hi"), text(WRITTEN[form](b"\xe2")))
    for pieces in [*everywhere(received), byte_by_byte(received)]:
        assert way.pass_on(pieces, by(form)) == expected


@where_the_target_has_text_alone
@every_form
def test_binary_in_fragments_arrives_as_one_text(way: Way, form: Encode) -> None:
    fragments = [binary(bytes([byte]), final=False) for byte in ALL_BYTES]
    received = way.write(*fragments[:100], Ping(b"p"), *fragments[100:], binary(b""), text("behind"))
    message = [text(WRITTEN[form](ALL_BYTES)), text("behind")]
    for pieces in (whole(received), cut_at_random(received), byte_by_byte(received)):
        if way.target.framing.carries_ping:
            assert way.pass_on(pieces, by(form)) == arrived(Ping(b"p"), *message)
        else:
            assert way.pass_on(pieces, by(form)) == Arrived(Heard([*message]), [Pong(b"p")], None)


@where_the_target_has_text_alone
@every_form
def test_a_fragment_is_sent_when_it_is_complete(way: Way, form: Encode) -> None:
    """Then at most two of three bytes are kept back, unless the message is sent as one frame."""
    begun = way.translator(by(form)).feed(way.write(binary(ALL_BYTES, final=False)))
    heard = way.read([begun.forward])
    assert heard.events == []
    if way.target.framing.delimits_text:
        assert heard.unfinished is None
        assert begun.held == len(WRITTEN[form](ALL_BYTES[:255] if form == "base64" else ALL_BYTES))
        return
    assert isinstance(heard.unfinished, Fragment)
    assert heard.unfinished.data == WRITTEN[form](ALL_BYTES[:255] if form == "base64" else ALL_BYTES)


# -- text, from a side with text alone ---------------------------------------------------------------------------


@where_the_source_has_text_alone
@every_encode
def test_text_stays_text_if_there_is_no_rule(way: Way, encode: Encode) -> None:
    received = way.write(text("SGk="), text("\u00fc"), text(""))
    for pieces in (whole(received), byte_by_byte(received)):
        assert way.pass_on(pieces, by(encode)) == arrived(text("SGk="), text("\u00fc"), text(""))


@where_the_source_has_text_alone
@every_form
def test_text_arrives_as_binary(way: Way, form: Decode) -> None:
    for size in SIZES:
        received = way.write(text(WRITTEN[form](b"before")), text(WRITTEN[form](some(size))))
        for pieces in few_cuts(received):
            assert way.pass_on(pieces, by(decode=form)) == arrived(binary(b"before"), binary(some(size)))


@where_the_source_has_text_alone
@every_form
def test_text_arrives_as_binary_wherever_it_is_cut(way: Way, form: Decode) -> None:
    written = WRITTEN[form](b"\x00\x7f\x80\xff")
    received = way.write(text(written), text(""), text(written))
    expected = arrived(binary(b"\x00\x7f\x80\xff"), binary(b""), binary(b"\x00\x7f\x80\xff"))
    for pieces in [*everywhere(received), byte_by_byte(received)]:
        assert way.pass_on(pieces, by(decode=form)) == expected


@where_the_source_has_text_alone
def test_both_cases_of_hex_are_read(way: Way) -> None:
    assert way.pass_on([way.write(text("00fFFf"))], by(decode="hex")) == arrived(binary(b"\x00\xff\xff"))


NO_FORM = {
    "base64": [b"A", b"ABC", b"ABCDE", b"A===", b"=", b"====", b"AB==AB==", b"AB=C", b"AB C", b"ABCD\n", b"-_AB",
               "ABC\u00e9".encode()],
    "latin-1": ["\u0100".encode(), "a\u20ac".encode(), "\ufffd".encode()],
    "hex": [b"0", b"000", b"0x00", b"0g", b"00 00", b"00\n", "\u06610".encode(), "\uff10\uff10".encode()],
}  # fmt: skip


@where_the_source_has_text_alone
@every_form
def test_text_that_does_not_have_the_form_is_refused_wherever_it_is_cut(way: Way, form: Decode) -> None:
    for wrong in NO_FORM[form]:
        received = way.write(text(WRITTEN[form](b"before")), text(wrong), text(""))
        for pieces in [whole(received), *everywhere(received), byte_by_byte(received)]:
            passed = way.pass_on(pieces, by(decode=form))
            assert (passed.heard.events, passed.answered, passed.ending) == ([binary(b"before")], [], 1007), (
                wrong,
                pieces,
            )


# -- both sides have text alone ----------------------------------------------------------------------------------


@where_both_have_text_alone
@every_decode
def test_text_stays_text_between_sides_that_have_only_text(way: Way, decode: Decode) -> None:
    received = way.write(text("SGk="), text("\u00fc"))
    for pieces in (whole(received), byte_by_byte(received)):
        assert way.pass_on(pieces, by("base64", decode)) == arrived(text("SGk="), text("\u00fc"))


# -- what is the same with binary and without --------------------------------------------------------------------


@where_somebody_has_text_alone
def test_messages_are_counted_by_any_rule(way: Way) -> None:
    counted = way.translator(by("hex", "hex"))
    put_through(counted, [way.write(text("00"), text("0", final=False), text("0"), text("", final=False))])
    assert counted.messages == 2
