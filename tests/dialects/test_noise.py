"""Any frames as input: the output is events and documented errors, the same however the bytes were cut."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.cutting import cut
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role

from .feeding import (
    Heard,
    binary,
    byte_by_byte,
    decoder_of,
    encoder_of,
    hear,
    other,
    text,
    walk,
    walker_of,
)
from .layouts import LAYOUTS, has_walker
from .opening import seeded

QUICK = settings(max_examples=30, database=None)
EVERY_DECODER = pytest.mark.parametrize(("name", "role"), [(name, role) for name in DIALECTS for role in Role])
EVERY_WALKER = pytest.mark.parametrize(
    ("name", "role"), [(name, role) for name in DIALECTS if has_walker(name) for role in Role]
)
TIGHT = Limits(message_bytes=40, fragments=3)
LIMITS = st.sampled_from([TIGHT, Limits(message_bytes=126, fragments=3), Limits()])
MARKS = st.lists(st.integers(0, 2**16), max_size=12)

PAYLOADS = st.binary(max_size=60) | st.sampled_from(
    [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"x" * 125, b"x" * 126, b"x" * 127, b"x" * 1000]
)
SIZES = st.sampled_from([0, 0, 0, 0, 0, 0, 2, 8])
DELIMITED = st.sampled_from(
    [b"\x00hello\xff", b"\x00", b"\xff", b"\xff\x00", b"\x80\x03abc", b"\x80\x80", b"\x01.\xff"]
)


@cache
def frames(name: str, role: Role) -> st.SearchStrategy[bytes]:
    """Draw valid and nearly valid frames of all kinds from a peer; `role` is ours. For hixie they are of RFC 6455."""
    layout = LAYOUTS.get(name, LAYOUTS["rfc6455"])
    known = st.sampled_from([layout.first(opcode, final) for opcode in layout.numbers for final in (True, False)])
    firsts = st.one_of(known, known, known, st.integers(0, 255))
    roles = st.sampled_from([role, role, role, role, role, role, role, other(role)])
    return st.builds(layout.to, roles, firsts, PAYLOADS, SIZES)


@cache
def noise(name: str, role: Role) -> st.SearchStrategy[bytes]:
    """Draw several such frames in a row, with some other bytes between them."""
    some, rest = frames(name, role), st.one_of(DELIMITED, st.binary(max_size=12))
    mixed = st.one_of(DELIMITED, DELIMITED, some, rest) if name not in LAYOUTS else st.one_of(some, some, some, rest)
    return st.lists(mixed, max_size=12).map(b"".join)


@cache
def one_frame(name: str, role: Role) -> st.SearchStrategy[bytes]:
    return frames(name, role) | st.just(b"\x00hello\xff")


# hypothesis runs over every dialect in both roles; `source` draws the input for each.


@EVERY_DECODER
@QUICK
@given(source=st.data(), marks=MARKS, limits=LIMITS)
def test_any_bytes_give_the_same_events_and_the_same_fault_however_they_are_cut(
    name: str, role: Role, source: st.DataObject, marks: list[int], limits: Limits
) -> None:
    """`hear` catches ProtocolError alone: any other error fails the test."""
    data = source.draw(noise(name, role))
    heard = hear(decoder_of(name, role, limits), [data])
    for pieces in (byte_by_byte(data), cut(data, marks)):
        again = hear(decoder_of(name, role, limits), pieces)
        assert (again.events, again.fault) == (heard.events, heard.fault)
        if heard.fault is None:
            assert again.unfinished == heard.unfinished
        if again.unfinished is not None:
            assert len(again.unfinished.data) <= limits.message_bytes


@EVERY_DECODER
@QUICK
@given(source=st.data())
def test_the_end_of_any_stream_is_a_close_or_a_fault(name: str, role: Role, source: st.DataObject) -> None:
    decoder = decoder_of(name, role)
    heard = hear(decoder, [source.draw(noise(name, role))])
    if heard.fault is not None or any(isinstance(event, Close) for event in heard.events):
        return
    try:
        ending: Close | int = decoder.finish()
    except ProtocolError as lost:
        ending = lost.close_code
    assert ending in (Close(), 1006)


@EVERY_DECODER
@QUICK
@given(source=st.data(), limits=LIMITS)
def test_a_whole_message_is_the_one_that_a_decoder_yields(
    name: str, role: Role, source: st.DataObject, limits: Limits
) -> None:
    decoder, twin = decoder_of(name, role, limits), decoder_of(name, role, limits)
    before = source.draw(noise(name, role))
    data = source.draw(one_frame(name, role) | noise(name, role))
    if not data or hear(decoder, [before]).fault is not None:
        return
    hear(twin, [before])
    payload = decoder.whole(data)
    if payload is not None:
        assert hear(twin, [data]) == Heard([text(payload)])
    # Either nothing was taken or all of it, so both agree from here on.
    again = [data, data] if payload is None else [data]
    assert hear(decoder, again) == hear(twin, [data] if payload is not None else again)


@EVERY_WALKER
@QUICK
@given(source=st.data(), marks=MARKS, limits=LIMITS, compressed=st.booleans())
def test_a_walker_passes_the_same_bytes_on_however_they_are_cut(
    name: str, role: Role, source: st.DataObject, marks: list[int], limits: Limits, compressed: bool
) -> None:
    data = source.draw(noise(name, role))
    passed = walk(walker_of(name, role, limits, compressed), [data])
    assert data.startswith(passed.forward)
    for pieces in (byte_by_byte(data), cut(data, marks)):
        assert walk(walker_of(name, role, limits, compressed), pieces) == passed


@EVERY_WALKER
@QUICK
@given(source=st.data(), limits=LIMITS)
def test_a_walker_and_a_decoder_agree(name: str, role: Role, source: st.DataObject, limits: Limits) -> None:
    data = source.draw(noise(name, role))
    passed = walk(walker_of(name, role, limits), [data])
    heard = hear(decoder_of(name, role, limits), [data])
    closes = [event for event in heard.events if isinstance(event, Close)]
    assert passed.ending == (closes[0] if closes else heard.fault)
    # Only valid bytes were passed on: a decoder after the walker yields the same events, and no fault.
    assert hear(decoder_of(name, role, limits), [passed.forward]) == Heard(heard.events, heard.unfinished)


# -- what is valid arrives -------------------------------------------------------------------------------------

CONTROLS = st.builds(Ping, st.binary(max_size=125)) | st.builds(Pong, st.binary(max_size=125))


@st.composite
def messages(draw: st.DrawFn, with_binary: bool, with_ping: bool) -> list[Event]:
    """Draw the events of one message, with control frames between its fragments."""
    kind = draw(st.sampled_from(list(Kind))) if with_binary else Kind.TEXT
    data = draw(st.binary(max_size=300)) if kind is Kind.BINARY else draw(st.text(max_size=150)).encode()
    pieces = cut(data, draw(st.lists(st.integers(0, 400), max_size=3)))
    events: list[Event] = []
    for at, piece in enumerate(pieces):
        events += draw(st.lists(CONTROLS, max_size=1)) if with_ping else []
        events.append(Fragment(kind, piece, at == len(pieces) - 1))
    return events


def joined(events: list[Event]) -> list[Event]:
    """Return the same with every message whole, where it ends."""
    result: list[Event] = []
    data = b""
    for event in events:
        if isinstance(event, Fragment):
            data += event.data
            if event.final:
                result.append(Fragment(event.kind, data, True))
                data = b""
        else:
            result.append(event)
    return result


@EVERY_DECODER
@QUICK
@given(source=st.data(), marks=MARKS, seed=st.integers(0, 100))
def test_any_valid_conversation_arrives(
    name: str, role: Role, source: st.DataObject, marks: list[int], seed: int
) -> None:
    framing = DIALECTS[name].framing
    several = source.draw(st.lists(messages(framing.carries_binary, framing.carries_ping), max_size=4))
    said = [event for message in several for event in message]
    goodbye: list[Event] = []
    if framing.has_close:
        codes = st.sampled_from(sorted(framing.close_codes)) if framing.close_codes else st.nothing()
        goodbye = source.draw(st.lists(st.just(Close()) | st.builds(Close, codes, st.text(max_size=30)), max_size=1))
    draw = seeded(seed)
    mask_keys: Iterator[bytes] = iter(lambda: draw(4), b"")
    encoder = encoder_of(name, other(role), mask_keys)
    wire = b"".join(map(encoder.send, said + goodbye))
    assert hear(decoder_of(name, role), cut(wire, marks)) == Heard(joined(said) + goodbye)
    if has_walker(name):
        passed = walk(walker_of(name, role), cut(wire, marks))
        assert passed.forward == wire
        assert passed.ending == (goodbye[0] if goodbye else None)
        assert passed.messages == len(several)


@EVERY_DECODER
def test_the_noise_is_not_all_refused(name: str, role: Role) -> None:
    """Without this, the tests above could pass because all input fails early."""
    layout = LAYOUTS.get(name)
    if layout is None:
        assert hear(decoder_of(name, role), [b"\x00hello\xff"]) == Heard([text("hello")])
        return
    data = layout.to(role, layout.first("text"), b"hello") + layout.to(role, layout.first("binary"), b"x", 0)
    assert hear(decoder_of(name, role), [data]) == Heard([text("hello"), binary(b"x")])
