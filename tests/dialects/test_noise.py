"""Anything may come in: what comes out are events, heads and documented errors, the same however it was cut."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsgateway.dialects import DIALECTS, Answer, Limits, Offer
from wsgateway.dialects.frames import FrameRules
from wsgateway.errors import HandshakeError, ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.heads import HeadLimits, Request, RequestHead, Response, ResponseHead

from .feeding import (
    Heard,
    binary,
    byte_by_byte,
    decoder_of,
    encoder_of,
    frame,
    hear,
    other,
    text,
    walk,
    walker_of,
)
from .opening import LIMITS, head_of, open_up, read_request, seeded
from .vectors import vectors

QUICK = settings(max_examples=60, deadline=None, database=None)
EVERY_DECODER = pytest.mark.parametrize(("name", "role"), [(name, role) for name in DIALECTS for role in Role])
EVERY_WALKER = pytest.mark.parametrize(
    ("name", "role"), [(name, role) for name, each in DIALECTS.items() if each.framing.walker for role in Role]
)
TIGHT = Limits(message_bytes=40, fragments=3)


def pieces_of(data: bytes, marks: list[int]) -> list[bytes]:
    """The data, cut at the marks (modulo its length)."""
    places = sorted(mark % (len(data) + 1) for mark in marks)
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)], strict=True)]


MARKS = st.lists(st.integers(0, 2**16), max_size=12)
# Frames of all kinds, right ones and nearly right ones, and what is between frames of hixie.
KNOWN = st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88])
ANY_FIRST = st.one_of(KNOWN, KNOWN, KNOWN, st.integers(0, 255))
PAYLOADS = st.binary(max_size=60) | st.sampled_from(
    [b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"x" * 125, b"x" * 126]
)
SIZES = st.sampled_from([0, 0, 0, 0, 0, 0, 2, 8])
DELIMITED = st.sampled_from(
    [b"\x00hello\xff", b"\x00", b"\xff", b"\xff\x00", b"\x80\x03abc", b"\x80\x80", b"\x01.\xff"]
)


def noise(masked: bool) -> st.SearchStrategy[bytes]:
    """Frames that have a mask, or none, and now and then something else between them."""
    frames = st.builds(frame, ANY_FIRST, PAYLOADS, st.just(masked), SIZES)
    return st.lists(st.one_of(frames, frames, frames, DELIMITED, st.binary(max_size=12)), max_size=12).map(b"".join)


NOISE = st.booleans().flatmap(noise)


def one_frame(masked: bool) -> st.SearchStrategy[bytes]:
    return st.builds(frame, ANY_FIRST, PAYLOADS, st.just(masked), SIZES) | st.just(b"\x00hello\xff")


@EVERY_DECODER
@QUICK
@given(data=NOISE, marks=MARKS, limits=st.sampled_from([TIGHT, Limits()]))
def test_any_bytes_give_the_same_events_and_the_same_fault_however_they_are_cut(
    name: str, role: Role, data: bytes, marks: list[int], limits: Limits
) -> None:
    """`hear` catches ProtocolError alone: any other error fails the test."""
    heard = hear(decoder_of(name, role, limits), [data])
    for pieces in (byte_by_byte(data), pieces_of(data, marks)):
        again = hear(decoder_of(name, role, limits), pieces)
        assert (again.events, again.fault) == (heard.events, heard.fault)
        if heard.fault is None:
            assert again.unfinished == heard.unfinished
        if again.unfinished is not None:
            assert len(again.unfinished.data) <= limits.message_bytes


@EVERY_DECODER
@QUICK
@given(data=NOISE)
def test_the_end_of_any_stream_is_a_goodbye_or_a_loss(name: str, role: Role, data: bytes) -> None:
    decoder = decoder_of(name, role)
    heard = hear(decoder, [data])
    if heard.fault is not None or any(isinstance(event, Close) for event in heard.events):
        return
    try:
        ending: Close | int = decoder.finish()
    except ProtocolError as lost:
        ending = lost.close_code
    assert ending in (Close(), 1006)


@EVERY_DECODER
@QUICK
@given(before=NOISE, data=st.booleans().flatmap(one_frame) | NOISE, limits=st.sampled_from([TIGHT, Limits()]))
def test_a_whole_message_is_what_would_have_been_heard(
    name: str, role: Role, before: bytes, data: bytes, limits: Limits
) -> None:
    decoder, twin = decoder_of(name, role, limits), decoder_of(name, role, limits)
    if not data or hear(decoder, [before]).fault is not None:
        return
    hear(twin, [before])
    payload = decoder.whole(data)
    if payload is not None:
        assert hear(twin, [data]) == Heard([text(payload)])
    # Either nothing was taken, or all of it: from here on both say the same.
    again = [data, data] if payload is None else [data]
    assert hear(decoder, again) == hear(twin, [data] if payload is not None else again)


@EVERY_WALKER
@QUICK
@given(data=NOISE, marks=MARKS, limits=st.sampled_from([TIGHT, Limits()]), compressed=st.booleans())
def test_a_walker_passes_the_same_bytes_on_however_they_are_cut(
    name: str, role: Role, data: bytes, marks: list[int], limits: Limits, compressed: bool
) -> None:
    passed = walk(walker_of(name, role, limits, compressed), [data])
    assert data.startswith(passed.forward)
    for pieces in (byte_by_byte(data), pieces_of(data, marks)):
        assert walk(walker_of(name, role, limits, compressed), pieces) == passed


@EVERY_WALKER
@QUICK
@given(data=NOISE, limits=st.sampled_from([TIGHT, Limits()]))
def test_a_walker_and_a_decoder_agree(name: str, role: Role, data: bytes, limits: Limits) -> None:
    passed = walk(walker_of(name, role, limits), [data])
    heard = hear(decoder_of(name, role, limits), [data])
    closes = [event for event in heard.events if isinstance(event, Close)]
    assert passed.ending == (closes[0] if closes else heard.fault)
    # What went on is what was good: a decoder behind the walker hears the same, and no fault.
    assert hear(decoder_of(name, role, limits), [passed.forward]) == Heard(heard.events, heard.unfinished)


# -- what is kept ----------------------------------------------------------------------------------------------

# A frame's head and a control frame's payload; then the key of the frame that is under way.
MOST_KEPT = 139 + 4


def kept_bytes(thing: object) -> int:
    """How many bytes of a peer an object of ours holds on to, and those that it is made of."""
    if isinstance(thing, bytes | bytearray | memoryview):
        return len(thing)
    if isinstance(thing, list | tuple | set | dict):
        assert sys.getsizeof(thing) < 1000, "a container that grows"
        return sum(map(kept_bytes, thing))
    if isinstance(thing, FrameRules | Limits) or not type(thing).__module__.startswith("wsgateway.dialects"):
        return 0  # what all connections share, and what is not ours
    names = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    return sum(kept_bytes(getattr(thing, name, None)) for name in [*names, *getattr(thing, "__dict__", {})])


LONG = b"x" * 10_000
BIG = frame(0x82, b"")[:1] + bytes([127]) + (2**40).to_bytes(8, "big")
MASKED_BIG = BIG[:1] + bytes([0xFF]) + BIG[2:] + b"key!"
ENDLESS = {
    "text without an end": [b"\0", *[LONG] * 20],
    "a reserved frame without an end": [b"\x01", *[LONG] * 20],
    "a length without an end": [b"\x80"] * 300,
    "a length that is never filled": [b"\x80\x84\x80\x00", *[LONG[:100]] * 200],
    "messages without an end": [b"\0" + LONG] * 20,
    "a frame that is never filled": [BIG, *[LONG] * 20],
    "a masked frame that is never filled": [MASKED_BIG, *[LONG] * 20],
    "fragments": [frame(0x01, b"-"), *[frame(0x00, b"-" * 100)] * 200],
    "masked fragments": [frame(0x01, b"-", True), *[frame(0x00, b"-" * 100, True)] * 200],
    "half of the longest ping": byte_by_byte(frame(0x89, b"p" * 125)[:-1]),
    "half of the longest masked ping": byte_by_byte(frame(0x89, b"p" * 125, True)[:-1]),
    "half of the longest ping, its length in 8 bytes": byte_by_byte(frame(0x89, b"p" * 125, True, 8)[:-1]),
    "half a head": byte_by_byte(frame(0x81, b"p" * 65536, True)[:13]),
    "pings": [frame(0x89, b"p" * 125)] * 200,
    "masked pings": [frame(0x89, b"p" * 125, True)] * 200,
    "all that follows a close": [frame(0x88), *[LONG] * 20],
    "all that follows a masked close": [frame(0x88, b"", True), *[LONG] * 20],
    "all that follows a hixie close": [b"\xff\x00", *[LONG] * 20],
}


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS.keys())
@EVERY_DECODER
def test_a_decoder_keeps_little_of_what_never_ends(name: str, role: Role, pieces: list[bytes]) -> None:
    decoder = decoder_of(name, role, Limits(2**60, 2**60))
    for piece in pieces:
        if hear(decoder, [piece]).fault is not None:
            return
        assert kept_bytes(decoder) <= MOST_KEPT


@pytest.mark.parametrize("pieces", ENDLESS.values(), ids=ENDLESS.keys())
@EVERY_WALKER
def test_a_walker_keeps_little_of_what_never_ends(name: str, role: Role, pieces: list[bytes]) -> None:
    walker = walker_of(name, role, Limits(2**60, 2**60))
    for piece in pieces:
        if walk(walker, [piece]).ending is not None:
            return
        assert kept_bytes(walker) <= MOST_KEPT


@EVERY_DECODER
@QUICK
@given(data=NOISE, marks=MARKS)
def test_a_decoder_keeps_little_of_any_bytes(name: str, role: Role, data: bytes, marks: list[int]) -> None:
    decoder = decoder_of(name, role)
    for piece in pieces_of(data, marks):
        if hear(decoder, [piece]).fault is not None:
            return
        assert kept_bytes(decoder) <= MOST_KEPT


def test_what_is_kept_is_counted() -> None:
    """So that the tests above cannot pass by finding nothing."""
    decoder = decoder_of("rfc6455", Role.SERVER)
    assert hear(decoder, [frame(0x89, b"p" * 125, masked=True)[:-1]]) == Heard()
    assert 130 <= kept_bytes(decoder) <= MOST_KEPT


# -- what is valid arrives -------------------------------------------------------------------------------------

CONTROLS = st.builds(Ping, st.binary(max_size=125)) | st.builds(Pong, st.binary(max_size=125))


@st.composite
def messages(draw: st.DrawFn, with_binary: bool, with_ping: bool) -> list[Event]:
    """The events of one message, with control frames between its fragments."""
    kind = draw(st.sampled_from(list(Kind))) if with_binary else Kind.TEXT
    data = draw(st.binary(max_size=300)) if kind is Kind.BINARY else draw(st.text(max_size=150)).encode()
    pieces = pieces_of(data, draw(st.lists(st.integers(0, 400), max_size=3)))
    events: list[Event] = []
    for at, piece in enumerate(pieces):
        events += draw(st.lists(CONTROLS, max_size=1)) if with_ping else []
        events.append(Fragment(kind, piece, at == len(pieces) - 1))
    return events


def joined(events: list[Event]) -> list[Event]:
    """The same with every message whole, where it ends."""
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
@given(data=st.data(), marks=MARKS, seed=st.integers(0, 100))
def test_any_valid_conversation_arrives(
    name: str, role: Role, data: st.DataObject, marks: list[int], seed: int
) -> None:
    framing = DIALECTS[name].framing
    several = data.draw(st.lists(messages(framing.carries_binary, framing.carries_ping), max_size=4))
    said = [event for message in several for event in message]
    goodbye: list[Event] = []
    if framing.has_close:
        codes = st.sampled_from(sorted(framing.close_codes)) if framing.close_codes else st.nothing()
        goodbye = data.draw(st.lists(st.just(Close()) | st.builds(Close, codes, st.text(max_size=30)), max_size=1))
    draw = seeded(seed)
    mask_keys: Iterator[bytes] = iter(lambda: draw(4), b"")
    encoder = encoder_of(name, other(role), mask_keys)
    wire = b"".join(map(encoder.send, said + goodbye))
    assert hear(decoder_of(name, role), pieces_of(wire, marks)) == Heard(joined(said) + goodbye)
    if framing.walker is not None:
        passed = walk(walker_of(name, role), pieces_of(wire, marks))
        assert passed.forward == wire
        assert passed.ending == (goodbye[0] if goodbye else None)
        assert passed.messages == len(several)


# -- heads -----------------------------------------------------------------------------------------------------

STARTS = st.sampled_from(
    [
        "GET /chat HTTP/1.1",
        "GET /caf\xc3\xa9 HTTP/1.1",
        "GET /\xff HTTP/1.1",
        "POST / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET /",
    ]
)
NAMES = st.sampled_from(
    [
        "Host", "Origin", "Upgrade", "Connection", "Cookie", "Content-Length", "Transfer-Encoding",
        "WebSocket-Protocol", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Key1", "Sec-WebSocket-Key2",
        "Sec-WebSocket-Draft", "Sec-WebSocket-Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X\xff",
        "",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        "example.com", "http://example.com", "http://example.com ", " null", "websocket", "WebSocket ", "Upgrade", "8",
        "keep-alive, Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13", "8", "7", "0", "4 @1  46546xW%0l 1 5", " !0", "  ",
        "chat", "chat, superchat", "chat superchat ", "permessage-deflate; x=1", "\t", "\x01", "\x7f", "\xe9", "a\tb",
        "chunked",
    ]
)  # fmt: skip
ANY_TEXT = st.text(st.characters(max_codepoint=255), max_size=20)
HEADERS = st.builds("{}: {}".format, NAMES, VALUES | ANY_TEXT) | ANY_TEXT
# Requests that are all right but for some lines.
BASES = [
    ["Host: example.com", "Upgrade: WebSocket", "Connection: Upgrade", "Origin: http://example.com"],
    ["Host: example.com", "Upgrade: WebSocket", "Connection: Upgrade"],
    [
        "Host: example.com", "Upgrade: WebSocket", "Connection: Upgrade", "Origin: http://example.com",
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
    ],
    [
        "Host: example.com", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 8",
    ],
    [
        "Host: example.com", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ],
    [],
]  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = list(draw(st.sampled_from(BASES)))
    for extra in draw(st.lists(HEADERS, max_size=3)):
        lines.insert(draw(st.integers(0, len(lines))), extra)
    if lines and draw(st.booleans()):
        del lines[draw(st.integers(0, len(lines) - 1))]
    return head_of(*lines, start=draw(STARTS)) + draw(st.binary(max_size=16))


class Read(NamedTuple):
    """What came of a head, to compare."""

    request: tuple[object, ...] | None
    refused: tuple[str, int] | None


def read_in(pieces: list[bytes]) -> Read:
    head = RequestHead(LIMITS)
    try:
        for piece in pieces:
            if (request := head.receive(piece)) is not None:
                return Read(shown(request), None)
    except HandshakeError as error:
        return Read(None, (str(error), error.status))
    return Read(None, None)


def shown(request: Request) -> tuple[object, ...]:
    raw = [request.headers.raw(name) for name, _ in request.headers if len(request.headers.every(name)) == 1]
    return (request.method, request.target, request.sent_target, list(request.headers), raw)


@settings(QUICK, max_examples=200)
@given(data=heads() | st.binary(max_size=200), marks=MARKS)
def test_any_head_of_a_request_is_read_the_same_however_it_is_cut(data: bytes, marks: list[int]) -> None:
    outcome = read_in([data])
    assert outcome.refused is None or outcome.refused[1] in (400, 431)
    assert read_in(byte_by_byte(data)) == outcome
    assert read_in(pieces_of(data, marks)) == outcome


def answer_to(data: bytes, subprotocol: str | None) -> tuple[Offer, bytes] | HandshakeError:
    """What a request offers and the head that answers it, or why it is refused."""
    try:
        opened = open_up(data)
        return opened.answering.offer, opened.head.switch(opened.answering.accept(Answer(subprotocol)))
    except HandshakeError as error:
        return error


@settings(QUICK, max_examples=400)
@given(data=heads(), offered=st.sampled_from([None, "chat"]))
@example(data=head_of(*BASES[0][:3], "Origin: http://example.com "), offered=None)
@example(data=head_of(*BASES[0][:3], "Origin:  http://example.com"), offered=None)
@example(data=head_of(*BASES[0], "WebSocket-Protocol: chat "), offered="chat")
@example(data=head_of(*BASES[2], "Sec-WebSocket-Protocol:  chat"), offered="chat")
def test_any_request_is_answered_or_refused(data: bytes, offered: str | None) -> None:
    """Also when another server is asked the same: nothing escapes but HandshakeError."""
    answered = answer_to(data, offered)
    if isinstance(answered, HandshakeError):
        assert answered.status in (400, 405, 426, 431, 502)
        return
    offer, reply = answered
    assert reply.startswith(b"HTTP/1.1 101 ")
    assert reply.endswith(b"\r\n\r\n")
    assert b"\r\n\r\n" not in reply[:-4]
    for other_dialect in DIALECTS.values():
        asking = other_dialect.handshake.asking(offer, seeded())
        assert ResponseHead(LIMITS).request(asking.request).startswith(b"GET ")


A_REQUEST = vectors("handshake_request", "ok")[0].wire


@dataclass(frozen=True)
class Replied:
    response: tuple[object, ...] | None
    refused: int | None


def asked() -> ResponseHead:
    """A head that waits for the response to its request."""
    head = ResponseHead(HeadLimits(head_bytes=2000))
    head.request(read_request(A_REQUEST))
    return head


def reply_in(pieces: list[bytes]) -> Replied:
    head = asked()
    try:
        for piece in filter(None, pieces):  # no bytes are the end of the stream
            if (response := head.receive(piece)) is not None:
                return Replied(parts(response), None)
    except HandshakeError as error:
        return Replied(None, error.status)
    return Replied(None, None)


def parts(response: Response) -> tuple[object, ...]:
    return (response.status, response.reason, list(response.headers))


REPLY_STARTS = st.sampled_from(
    ["HTTP/1.1 101 Switching Protocols", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x", "HTTP/1.1 404 Not Found", "FOO"]
)
REPLIES = st.builds(lambda start, lines: head_of(*lines, start=start), REPLY_STARTS, st.lists(HEADERS, max_size=4))


@settings(QUICK, max_examples=200)
@given(data=REPLIES | st.binary(max_size=200), marks=MARKS)
def test_any_head_of_a_response_is_read_the_same_however_it_is_cut(data: bytes, marks: list[int]) -> None:
    outcome = reply_in([data])
    assert outcome.refused in (None, 502)
    assert reply_in(pieces_of(data, marks)) == outcome


@settings(QUICK, max_examples=200)
@given(data=REPLIES, proof=st.binary(max_size=16), name=st.sampled_from(list(DIALECTS)))
def test_any_response_is_an_answer_or_refused(data: bytes, proof: bytes, name: str) -> None:
    asking = DIALECTS[name].handshake.asking(open_up(A_REQUEST).answering.offer, seeded())
    head = ResponseHead(LIMITS)
    head.request(asking.request)
    status = 502
    try:
        response = head.receive(data)
        if response is not None and response.status == 101:
            asking.check(response, proof)
    except HandshakeError as error:
        status = error.status
    assert status == 502


def test_the_noise_is_not_all_refused() -> None:
    """So that the tests above cannot pass by never getting far."""
    assert [text(b"hello")] == hear(decoder_of("hixie-76", Role.SERVER), [b"\x00hello\xff"]).events
    assert [binary(b"x")] == hear(decoder_of("rfc6455", Role.CLIENT), [frame(0x82, b"x")]).events
    names = [open_up(head_of(*base)).dialect.name for base in (BASES[0], *BASES[2:5])]
    assert names == ["hixie-75", "hixie-76", "hybi-08", "rfc6455"]
