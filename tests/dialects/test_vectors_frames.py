"""Frames of other implementations: read in four ways, written byte for byte, and wrong ones refused."""

from collections.abc import Callable
from itertools import repeat

from tests.cases import cases
from wsgateway.dialects import DIALECTS
from wsgateway.wire.events import Close, Event, Ping, Pong

from .feeding import Heard, binary, byte_by_byte, cut_at_random, decoder_of, encoder_of, hear, text, whole
from .layouts import LAYOUTS, Masked
from .vectors import MASK_KEY, Vector, distinct, vectors

# The meaning of a Close is in its name, because some producers do not say what they put into it.
CLOSES = {"close_empty": Close(), "close_1000": Close(1000), "close_1001_bye": Close(1001, "bye")}
# Except where the producer left something out or added something.
OTHER_CLOSES: dict[str, list[Event]] = {
    "draft 75 has no closing handshake": [],
    "no close codes before draft 06": [Close()],
    "other implementations put 'S'": [Close()],
    "library turns a close without code into code 1000": [Close(1000)],
}
FRAGMENTED: dict[str, list[Event]] = {
    "text_fragmented_Hel_lo": [text("Hel", final=False), text("lo")],
    "text_fragmented_Hel_ping_lo": [text("Hel", final=False), Ping(b"p"), text("lo")],
}


def expected(vector: Vector) -> list[Event]:
    """Return the events in a vector, in whole messages."""
    match vector.type:
        case "close" if vector.status_reason:
            return next(events for why, events in OTHER_CLOSES.items() if vector.status_reason.startswith(why))
        case "close" if vector.dialect == "hixie-76":
            return [Close()]
        case "close" if vector.name in CLOSES:
            return [CLOSES[vector.name]]
        case "close":
            return [Close(int.from_bytes(vector.payload, "big"))]
        case "ping":
            return [Ping(vector.payload)]
        case "pong":
            return [Pong(vector.payload)]
        case "binary":
            return [binary(vector.payload)]
    between: list[Event] = [Ping(b"p")] if vector.name == "text_fragmented_Hel_ping_lo" else []
    return [*between, text(vector.payload)]


UNDERSTOOD = cases("vector", distinct(vectors("frame", "ok", "deviation")), ids=str)


def test_every_dialect_has_frames_of_others_in_both_directions() -> None:
    shown = {(vector.dialect, vector.sender) for vector in vectors("frame", "ok")}
    assert {name for name, _ in shown} == set(DIALECTS)
    assert len(shown) == 2 * len(DIALECTS)


@UNDERSTOOD
def test_a_frame_is_understood_whole(vector: Vector) -> None:
    heard = hear(decoder_of(vector.dialect, vector.receiver), whole(vector.wire))
    assert heard == Heard(expected(vector)), vector.status_reason


@UNDERSTOOD
def test_a_frame_is_understood_byte_by_byte(vector: Vector) -> None:
    # The middle of a long vector comes in one piece: single bytes would show no more, and take seconds.
    begin, middle, end = vector.wire[:300], vector.wire[300:-300], vector.wire[300:][-300:]
    pieces = [*byte_by_byte(begin), *filter(None, [middle]), *byte_by_byte(end)]
    assert b"".join(pieces) == vector.wire
    heard = hear(decoder_of(vector.dialect, vector.receiver), pieces)
    assert heard == Heard(expected(vector)), vector.status_reason


@UNDERSTOOD
def test_a_frame_is_understood_cut_at_random(vector: Vector) -> None:
    for seed in range(5):
        heard = hear(decoder_of(vector.dialect, vector.receiver), cut_at_random(vector.wire, seed))
        assert heard == Heard(expected(vector)), seed


def more(vector: Vector) -> bytes:
    """Return a text that follows the vector."""
    layout = LAYOUTS.get(vector.dialect)
    return b"\x00more\xff" if layout is None else layout.to(vector.receiver, layout.first("text"), b"more")


@UNDERSTOOD
def test_a_frame_is_understood_with_another_behind_it(vector: Vector) -> None:
    heard = hear(decoder_of(vector.dialect, vector.receiver), whole(vector.wire + more(vector)))
    events = expected(vector)
    said_goodbye = any(isinstance(event, Close) for event in events)
    assert heard == Heard(events + ([] if said_goodbye else [text("more")]))


def mask_key(vector: Vector) -> bytes:
    """Return the key that the producer used; if all of the frame is masked, the key in front of it."""
    layout = LAYOUTS.get(vector.dialect)
    return vector.wire[:4] if layout is not None and layout.masked is Masked.FRAME else MASK_KEY


@cases("vector", distinct(vectors("frame", "ok")), ids=str)
def test_our_frame_is_the_same_to_the_byte(vector: Vector) -> None:
    encoder = encoder_of(vector.dialect, vector.sender, repeat(mask_key(vector)))
    events = FRAGMENTED.get(vector.name) or expected(vector)
    assert b"".join(map(encoder.send, events)) == vector.wire


@cases("vector", [each for each in distinct(vectors("frame", "ok")) if each.dialect in LAYOUTS], ids=str)
def test_the_frames_that_other_tests_make_are_the_same_to_the_byte(vector: Vector) -> None:
    """Without this, those tests could pass on frames that only we would write."""
    if vector.name in FRAGMENTED or mask_key(vector) != MASK_KEY:
        return
    layout = LAYOUTS[vector.dialect]
    close = expected(vector)[0]
    payload = vector.payload
    if isinstance(close, Close):  # some of the vectors do not say what they carry
        payload = b"" if close.code is None else close.code.to_bytes(2, "big") + close.reason.encode()
        if vector.dialect == "hybi-05":
            payload = b"S"
    assert layout.to(vector.receiver, layout.first(vector.type), payload) == vector.wire


# -- wrong ones ------------------------------------------------------------------------------------------------

# Protocol::WebSocket writes what hixie cannot express as if it were text. The bytes decide: an FF in the payload ends
# the text, and the rest is a frame that begins with 80 and announces 127 bytes.
AS_TEXT = {
    "binary": ("0000ff 80 7f ff", text(b"\0")),
    "ping_empty": ("00ff", text("")),
    "ping_hello": ("0048656c6c6fff", text("Hello")),
    "pong_hello": ("0048656c6c6fff", text("Hello")),
}


def as_text(vector: Vector) -> Heard:
    wire, event = AS_TEXT[vector.name]
    assert vector.wire == bytes.fromhex(wire)
    return Heard([event])


def as_its_payload(vector: Vector) -> Heard:
    """Return key-mask-04 as it is read: although its mask is wrong."""
    return Heard([Pong(vector.payload) if vector.name.startswith("lws_pong") else text(vector.payload.decode())])


def is_a_fault(vector: Vector) -> Heard:
    return Heard(fault=1002)


# websocket-ruby leaves the code out and keeps the reason. Where a Close has no code the payload has no meaning; in 06
# the first two letters of the reason are the code 25209.
WITHOUT_CODE = {
    ("close_1000", "hybi-06"): Heard([Close()]),
    ("close_1001_bye", "hybi-06"): Heard(fault=1002),
}


def without_code(vector: Vector) -> Heard:
    return WITHOUT_CODE.get((vector.name, vector.dialect), Heard([Close()]))


# What we read from a frame, by the reason why it is wrong.
WRONG: dict[str, Callable[[Vector], Heard]] = {
    "not representable in hixie framing": as_text,
    # A continuation without a message; a reserved bit before the length; an opcode F.
    "library keeps hixie 00..FF framing": is_a_fault,
    "library ignores Sec-WebSocket-Draft and keeps hixie framing": is_a_fault,
    "library drops the 2-byte code": without_code,
    # If the frame has no mask, or another one, unmasking makes noise of it.
    "library does not mask client frames in draft 04": is_a_fault,
    "this libwebsockets revision XORs with the 20-byte connection key itself": as_its_payload,
    "library uses the draft-07 layout": is_a_fault,
}


@cases("cut", [whole, byte_by_byte])
@cases("vector", distinct(vectors("frame", "wrong")), ids=str)
def test_a_wrong_frame_is_a_fault_or_is_read_as_what_its_bytes_say(
    vector: Vector, cut: Callable[[bytes], list[bytes]]
) -> None:
    said = [outcome for why, outcome in WRONG.items() if vector.status_reason.startswith(why)]
    assert len(said) == 1, f"no word, or two, on what to make of this: {vector.status_reason}"
    outcome = said[0](vector)
    # Some faults only show after more than one short frame: a masked head, a long length.
    times = 8 if outcome.fault else 1
    decoder = decoder_of(vector.dialect, vector.receiver, secret=vector.secret)
    assert hear(decoder, cut(vector.wire * times)) == outcome, vector.status_reason


@cases("vector", [each for each in vectors("frame", "wrong") if each.wire[-3:] == b"\x80\x7f\xff"], ids=str)
def test_the_end_of_a_binary_frame_that_was_written_as_text_is_passed_over(vector: Vector) -> None:
    """One of the 127 announced bytes has come; the frame ends with the other 126."""
    decoder = decoder_of(vector.dialect, vector.receiver)
    assert hear(decoder, [vector.wire]) == Heard([text(b"\0")])
    assert hear(decoder, [b"\xff" * 126 + b"\x00more\xff"]) == Heard([text("more")])
