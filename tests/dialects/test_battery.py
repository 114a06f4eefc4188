"""Tests for the framing of every dialect, in both roles, through the interfaces of `dialects.base` alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Framing, Limits, Side
from wsgateway.dialects.base import Decoder, Encoder
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Ping, Pong, Role
from wsgateway.wire.masking import xor_mask

from .feeding import CUTS, GENEROUS, Heard, binary, hear, other, text
from .layouts import LAYOUTS, Masked
from .vectors import SECRET


def keys() -> Iterator[bytes]:
    """Yield mask keys, each different from the others."""
    return ((number % 2**32).to_bytes(4, "big") for number in count(0x37FA213D, 0x01030507))


@dataclass(frozen=True)
class Wire:
    """One direction of a connection: what we write as `sender`, we read in the other role."""

    framing: Framing
    sender: Role

    def encoder(self) -> Encoder:
        return self.framing.encoder(self.sender, keys(), SECRET)

    def decoder(self, limits: Limits = GENEROUS) -> Decoder:
        return self.framing.decoder(other(self.sender), limits, SECRET)

    def write(self, *events: Event) -> bytes:
        encoder = self.encoder()
        return b"".join(map(encoder.send, events))

    def read(self, data: bytes, cut: Callable[[bytes], list[bytes]] = CUTS[0], limits: Limits = GENEROUS) -> Heard:
        return hear(self.decoder(limits), cut(data))

    def message(self, data: bytes) -> Fragment:
        """Return a message of the kind that needs no UTF-8, if the dialect has that kind."""
        return binary(data) if self.framing.carries_binary else text(data)


MASK_IN_PYTHON = "masks in Python"


def directions() -> Iterator[tuple[str, Role, str]]:
    """Return every dialect in both roles.

    Masks are made by the module in C if it is there, and also by the code for hosts that do not have it.
    """
    for name in DIALECTS:
        yield from ((name, role, "") for role in Role)
        if name in LAYOUTS and LAYOUTS[name].masked is not Masked.NOTHING:
            yield name, Role.CLIENT, MASK_IN_PYTHON


@pytest.fixture(params=directions(), ids=lambda each: f"{each[0]}-{each[1].value}{each[2] and '-' + each[2]}")
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Wire:
    name, sender, mask = request.param
    if mask == MASK_IN_PYTHON:
        for module in ("wire.masking", "dialects.frames", "dialects.framing"):
            monkeypatch.setattr(f"wsgateway.{module}.apply_mask", xor_mask)
    return Wire(DIALECTS[name].framing, sender)


TEXTS = {
    "empty": "",
    "short": "Hello",
    "multibyte": "\u20ac\U0001f600\u00fc",
    "of NULs": "a\0b\0",
    "of 125 bytes": "a" * 125,
    "of 126 bytes": "a" * 126,
    "of 127 bytes": "a" * 127,
    "of 65535 bytes": "a" * 65535,
    "of 65536 bytes": "a" * 65536,
    "of a MiB": "\u00e9" * (512 * 1024),
    "of a MiB and odd": "\u20ac" * (350 * 1000 + 1),
}


@cases("message", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_arrives_as_it_was_sent(wire: Wire, message: str) -> None:
    heard = wire.read(wire.write(text(message)))
    assert heard == Heard([text(message)])


@cases("size", [0, 1, 4, 125, 126, 127, 65535, 65536, 1024 * 1024])
def test_a_binary_message_arrives_as_it_was_sent(wire: Wire, size: int) -> None:
    message = binary((bytes(range(256)) * (size // 256 + 1))[:size])
    if not wire.framing.carries_binary:
        with pytest.raises(ValueError, match="binary"):
            wire.write(message)
        return
    assert wire.read(wire.write(message)) == Heard([message])


@cases("cut", CUTS)
def test_fragments_arrive_as_one_message(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    # The euro sign is cut in two, and a fragment may be empty, also the last one.
    sent = [
        text(b"", False),
        text(b"10 \xe2", False),
        text(b"\x82\xac" + b"!" * 300, False),
        text(b"", True),
        text("x"),
    ]
    assert wire.read(wire.write(*sent), cut) == Heard([text("10 \u20ac" + "!" * 300), text("x")])


@cases("cut", CUTS)
def test_many_messages_arrive_in_their_order(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    sent: list[Event] = [text("n" * (number % 140)) for number in range(300)]
    assert wire.read(wire.write(*sent), cut) == Heard(sent)


def test_the_received_part_of_an_unfinished_message_comes_out(wire: Wire) -> None:
    unfinished = wire.read(wire.write(text("a" * 1000))[:500]).unfinished
    assert unfinished is not None
    assert 500 - 14 <= len(unfinished.data) < 500  # a head takes 14 bytes at most


@cases("message", TEXTS.values(), ids=TEXTS.keys())
def test_a_whole_text_is_written_and_read_as_any_other(wire: Wire, message: str) -> None:
    encoder = wire.encoder()
    data = encoder.whole(message.encode())
    assert data == wire.write(text(message))
    decoder = wire.decoder()
    payload = decoder.whole(data)
    if payload is None:
        assert len(message) > 65535, "messages that fit into a read are taken"
        assert hear(decoder, [data]) == Heard([text(message)])
    else:
        assert payload == message.encode()
    assert hear(decoder, [wire.write(text("next"))]) == Heard([text("next")])


@cases("before", [b"", b"x", bytearray(b"held"), bytearray(200), b"y" * 65535], ids=len)
@cases("data", ["", "z", "a" * 70000], ids=len)
def test_held_bytes_come_before_the_data_of_a_fragment(wire: Wire, before: bytes, data: str) -> None:
    whole = before.decode() + data
    for final in (True, False):
        assert wire.encoder().send(text(data, final), before) == wire.write(text(whole, final))
    # If the frame's length is known, the frame goes on after it.
    rest = Fragment(text("").kind, b"rest")
    begun = Fragment(rest.kind, data.encode(), False, 4, True)
    encoder = wire.encoder()
    assert encoder.send(begun, before) + encoder.send(rest) == wire.write(text(whole + "rest"))


def test_held_bytes_must_not_end_a_text_either(wire: Wire) -> None:
    if not wire.framing.delimits_text:
        return
    with pytest.raises(ValueError, match="FF byte"):
        wire.encoder().send(text("b"), b"a\xff")


def test_only_one_whole_text_is_a_whole_text(wire: Wire) -> None:
    one = wire.write(text("one"))
    not_one = [one[:-1], one + one, one + one[:1], one[:1], wire.write(text("o", False)), wire.write(Close())]
    if wire.framing.carries_binary:
        not_one += [wire.write(wire.message(b"one")), wire.write(Ping(b"one")), wire.write(Close(1000, "one"))]
    for data in filter(None, not_one):
        decoder = wire.decoder()
        assert decoder.whole(data) is None
        assert decoder.whole(one) == b"one", "nothing was taken"


def test_a_text_inside_another_message_or_frame_is_not_whole(wire: Wire) -> None:
    one = wire.write(text("one"))
    for before in (one[:-1], one[:1], wire.write(text("begun", False))):
        decoder = wire.decoder()
        hear(decoder, [before])
        assert decoder.whole(one) is None


def test_a_whole_text_beyond_the_limit_is_left_to_receive(wire: Wire) -> None:
    for size in (11, 125):
        decoder = wire.decoder(Limits(message_bytes=10))
        data = wire.write(text("a" * size))
        assert decoder.whole(data) is None
        assert hear(decoder, [data]) == Heard(fault=1009)


def test_no_bytes_are_no_whole_text(wire: Wire) -> None:
    assert wire.decoder().whole(b"") is None


def test_after_a_close_no_text_is_whole(wire: Wire) -> None:
    if not wire.framing.has_close:
        return
    decoder = wire.decoder()
    hear(decoder, [wire.write(Close())])
    assert decoder.whole(wire.write(text("late"))) is None


def test_a_whole_text_with_an_ff_byte_is_not_written(wire: Wire) -> None:
    if not wire.framing.delimits_text:
        return
    with pytest.raises(ValueError, match="FF byte"):
        wire.encoder().whole(b"a\xffb")


@cases("cut", CUTS)
@cases("control", [Ping(b""), Ping(b"\0" * 125), Pong(b""), Pong(b"p" * 125)], ids=str)
def test_a_control_frame_arrives_between_fragments(
    wire: Wire, control: Ping | Pong, cut: Callable[[bytes], list[bytes]]
) -> None:
    if not wire.framing.carries_ping:
        with pytest.raises(ValueError, match="no frame"):
            wire.write(control)
        return
    heard = wire.read(wire.write(control, text("Hel", False), control, text("lo"), control), cut)
    assert heard == Heard([control, control, text("Hello"), control])


@cases("cut", CUTS)
def test_after_a_close_no_event_is_read(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    behind = [b"", wire.write(text("late"), Close()), b"\xff" * 300, b"\0" * 300, bytes(range(256))]
    for rest in behind:
        heard = wire.read(wire.write(text("last"), Close()) + rest, cut)
        if wire.framing.has_close:
            assert heard == Heard([text("last"), Close()])
        else:
            assert heard.events[0] == text("last")
            assert Close() not in heard.events


def test_after_a_close_later_reads_are_ignored(wire: Wire) -> None:
    if not wire.framing.has_close:
        assert wire.write(Close()) == b""
        return
    decoder = wire.decoder()
    assert hear(decoder, [wire.write(Close())]).events == [Close()]
    assert hear(decoder, [wire.write(text("late")), b"\xff", b"\0" * 5000, b""]) == Heard()


@cases("code", [*range(990, 1020), 2999, 3000, 4000, 4999, 5000])
def test_a_close_code_travels_where_the_dialect_has_it(wire: Wire, code: int) -> None:
    data = wire.write(Close(code, "bye"))
    if not wire.framing.has_close:
        assert data == b""
    elif code in wire.framing.close_codes:
        assert wire.read(data) == Heard([Close(code, "bye")])
    else:
        assert data == wire.write(Close())
        assert wire.read(data) == Heard([Close()])


def test_codes_that_must_not_be_sent_are_in_no_dialect(wire: Wire) -> None:
    assert wire.framing.close_codes.isdisjoint({*range(1000), 1004, 1005, 1006, 1015, *range(1016, 3000), 5000})


def test_a_long_reason_is_cut_between_characters(wire: Wire) -> None:
    if not wire.framing.close_codes:
        return
    # 41 euro signs are 123 bytes, the longest reason; with one letter before them there is room for 40.
    assert wire.read(wire.write(Close(1000, "\u20ac" * 41))).events == [Close(1000, "\u20ac" * 41)]
    assert wire.read(wire.write(Close(1000, "x" + "\u20ac" * 41))).events == [Close(1000, "x" + "\u20ac" * 40)]


def test_a_stream_that_ends_without_a_close(wire: Wire) -> None:
    """It is a close in dialects whose clients have no other; in the others it never is."""
    decoder = wire.decoder()
    hear(decoder, [wire.write(text("last"))])
    if not wire.framing.answers_close:
        assert decoder.finish() == Close()
        return
    with pytest.raises(ProtocolError, match="without a Close") as lost:
        decoder.finish()
    assert lost.value.close_code == 1006


def test_a_stream_that_ends_inside_a_frame_is_a_fault(wire: Wire) -> None:
    decoder = wire.decoder()
    hear(decoder, [wire.write(text("last"))[:-1]])
    with pytest.raises(ProtocolError) as lost:
        decoder.finish()
    assert lost.value.close_code == 1006


def test_a_side_reads_and_writes_as_its_framing_does(wire: Wire) -> None:
    events: list[Event] = [text("Hello"), text("\u20ac"), Close()]
    assert b"".join(map(Side(wire.framing, wire.sender, SECRET).encoder(keys()).send, events)) == wire.write(*events)
    reading = Side(wire.framing, other(wire.sender), SECRET).decoder(Limits(message_bytes=5))
    assert hear(reading, [wire.write(text("Hello"), text("Hello!"))]) == Heard([text("Hello")], fault=1009)


def test_a_side_is_text_only_if_its_framing_or_its_peer_has_no_binary(wire: Wire) -> None:
    assert Side(wire.framing, wire.sender).text_only is not wire.framing.carries_binary
    assert Side(wire.framing, wire.sender, takes_binary=False).text_only


# -- limits ----------------------------------------------------------------------------------------------------


@cases("cut", CUTS)
@cases("limit", [0, 1, 125, 126, 1000])
def test_a_message_may_be_as_long_as_the_limit(wire: Wire, limit: int, cut: Callable[[bytes], list[bytes]]) -> None:
    message = wire.message(b"a" * limit)
    data = wire.write(message, message)
    assert wire.read(data, cut, Limits(message_bytes=limit)) == Heard([message, message])


@cases("cut", CUTS)
@cases("limit", [0, 1, 125, 126, 1000])
def test_a_message_beyond_the_limit_is_too_big(wire: Wire, limit: int, cut: Callable[[bytes], list[bytes]]) -> None:
    good, bad = wire.message(b"a" * limit), wire.message(b"b" * (limit + 1))
    heard = wire.read(wire.write(good, bad, good), cut, Limits(message_bytes=limit))
    assert (heard.events, heard.fault) == ([good], 1009)
    if heard.unfinished is not None:
        assert len(heard.unfinished.data) <= limit


@cases("limit", [65535, 65536, 1024 * 1024])
def test_a_message_that_is_too_long_yields_nothing_if_it_comes_in_one_read(wire: Wire, limit: int) -> None:
    good, bad = wire.message(b"a" * limit), wire.message(b"b" * (limit + 1))
    assert wire.read(wire.write(good, good), limits=Limits(message_bytes=limit)) == Heard([good, good])
    assert wire.read(wire.write(good, bad), limits=Limits(message_bytes=limit)) == Heard([good], fault=1009)


@cases("cut", CUTS)
def test_a_message_in_fragments_counts_as_one(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    fragments = [text("a" * 50, False), text("b" * 50, False), text("c", True)]
    data = wire.write(text("good"), *fragments)
    assert wire.read(data, cut, Limits(message_bytes=101)).fault is None
    heard = wire.read(data, cut, Limits(message_bytes=100))
    assert (heard.events, heard.fault) == ([text("good")], 1009)
    if heard.unfinished is not None:
        assert (b"a" * 50 + b"b" * 50).startswith(heard.unfinished.data)


@cases("cut", CUTS)
def test_each_message_counts_from_its_own_beginning(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    in_pieces = [text("a" * 50, False), text("b" * 40, False), text("c" * 10)]
    limits = Limits(message_bytes=100, fragments=3)
    said = [text("a" * 50 + "b" * 40 + "c" * 10), text("d" * 100)]
    assert wire.read(wire.write(*in_pieces, text("d" * 100)) * 3, cut, limits) == Heard(said * 3)


@cases("cut", CUTS)
def test_a_message_may_have_as_many_fragments_as_the_limit(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    def in_pieces(number: int) -> bytes:
        return wire.write(*[text("-", final=at == number) for at in range(1, number + 1)], text("next"))

    limits = Limits(fragments=5)
    assert wire.read(in_pieces(5), cut, limits) == Heard([text("-----"), text("next")])
    heard = wire.read(in_pieces(6), cut, limits)
    if wire.framing.delimits_text:  # a message is one frame there, however it was sent
        assert heard == Heard([text("------"), text("next")])
    else:
        assert heard == Heard([], text("-----", False), 1009)


def test_events_before_a_fault_come_out(wire: Wire) -> None:
    limits = Limits(message_bytes=10)
    decoder = wire.decoder(limits)
    arriving = decoder.receive(wire.write(text("one"), text("two"), text("b" * 11)))
    assert next(arriving) == text("one")
    assert next(arriving) == text("two")
    with pytest.raises(ProtocolError):
        next(arriving)
