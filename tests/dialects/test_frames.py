"""The frames of RFC 6455, section 5: what is refused, with which code, and what a walker passes on."""

from collections.abc import Callable

import pytest

from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.frames import read_close, write_close
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import DRAFT_CODES, RFC6455_CODES
from wsgateway.wire.events import Close, Event, Ping, Pong, Role

from .feeding import CUTS, GENEROUS, Heard, Passed, binary, byte_by_byte, decoder_of, frame, hear, text, walk, walker_of

ON_FRAMES = ["hybi-07", "hybi-08", "rfc6455"]
EVERY = pytest.mark.parametrize(("name", "role"), [(name, role) for name in ON_FRAMES for role in Role])
EVERY_CUT = pytest.mark.parametrize("cut", CUTS)

# What is wrong with a frame (RFC 6455), its first byte, its payload, and the code for it (7.4.1).
FAULTS: dict[str, tuple[int, bytes, int]] = {
    "RSV1 (5.2)": (0xC1, b"x", 1002),
    "RSV2 (5.2)": (0xA1, b"x", 1002),
    "RSV3 (5.2)": (0x91, b"x", 1002),
    "all reserved bits (5.2)": (0xF2, b"x", 1002),
    "RSV1 on a ping (5.2)": (0xC9, b"x", 1002),
    "RSV2 on a Close (5.2)": (0xA8, b"", 1002),
    **{f"opcode {number:X} (5.2)": (0x80 | number, b"x", 1002) for number in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "opcode 3, not final (5.2)": (0x03, b"x", 1002),
    "a ping in fragments (5.5)": (0x09, b"x", 1002),
    "a pong in fragments (5.5)": (0x0A, b"", 1002),
    "a Close in fragments (5.5)": (0x08, b"", 1002),
    "a ping of 126 bytes (5.5)": (0x89, b"x" * 126, 1002),
    "a pong of 65536 bytes (5.5)": (0x8A, b"x" * 65536, 1002),
    "a Close of 126 bytes (5.5)": (0x88, b"\x03\xe8" + b"x" * 124, 1002),
    "a continuation of nothing (5.4)": (0x80, b"x", 1002),
    "a first fragment that continues nothing (5.4)": (0x00, b"x", 1002),
    "a Close with half a code (5.5.1)": (0x88, b"\x03", 1002),
    "a Close with code 0 (7.4.2)": (0x88, b"\0\0", 1002),
    "a Close with code 999 (7.4.2)": (0x88, (999).to_bytes(2, "big"), 1002),
    "a Close with code 1004 (7.4.1)": (0x88, (1004).to_bytes(2, "big"), 1002),
    "a Close with code 1005 (7.4.1)": (0x88, (1005).to_bytes(2, "big"), 1002),
    "a Close with code 1006 (7.4.1)": (0x88, (1006).to_bytes(2, "big") + b"bye", 1002),
    "a Close with code 1015 (7.4.1)": (0x88, (1015).to_bytes(2, "big"), 1002),
    "a Close with code 2000 (7.4.2)": (0x88, (2000).to_bytes(2, "big"), 1002),
    "a Close with code 5000 (7.4.2)": (0x88, (5000).to_bytes(2, "big"), 1002),
    "a Close with code 65535 (7.4.2)": (0x88, b"\xff\xff", 1002),
    "a reason that is not UTF-8 (5.5.1)": (0x88, b"\x03\xe8\xff", 1007),
    "a reason with a lone surrogate (5.5.1)": (0x88, b"\x03\xe8\xed\xa0\x80", 1007),
    "a reason that ends inside a character (5.5.1)": (0x88, b"\x03\xe8\xe2\x82", 1007),
}


def masked(role: Role) -> bool:
    """Whether the frames that come to us, who play that role, have a mask (5.1)."""
    return role is Role.SERVER


@EVERY
@pytest.mark.parametrize(("first", "payload", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_frame_against_the_rules_is_a_fault(name: str, role: Role, first: int, payload: bytes, code: int) -> None:
    good = frame(0x81, b"good", masked(role)) + frame(0x89, b"p", masked(role))
    data = good + frame(first, payload, masked(role))
    for cut in CUTS:
        assert hear(decoder_of(name, role), cut(data)) == Heard([text("good"), Ping(b"p")], fault=code)
        assert walk(walker_of(name, role), cut(data)) == Passed(good, code, 1)


@EVERY_CUT
@EVERY
@pytest.mark.parametrize("first", [0x81, 0x82, 0x01, 0x88, 0x89, 0x8A])
def test_a_client_masks_and_a_server_does_not(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], first: int
) -> None:
    data = frame(first, masked=not masked(role))
    assert hear(decoder_of(name, role), cut(data)) == Heard(fault=1002)
    assert walk(walker_of(name, role), cut(data)) == Passed(ending=1002)


@EVERY_CUT
@EVERY
@pytest.mark.parametrize("first", [0x81, 0x01, 0x82, 0x02])
def test_a_message_inside_another_is_a_fault(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], first: int
) -> None:
    good = frame(0x01, b"begun", masked(role))
    data = good + frame(first, b"x", masked(role))
    assert hear(decoder_of(name, role), cut(data)) == Heard([], text("begun", final=False), 1002)
    assert walk(walker_of(name, role), cut(data)) == Passed(good, 1002)


@EVERY
def test_a_message_may_follow_another_that_was_in_fragments(name: str, role: Role) -> None:
    parts = [(0x01, b"a"), (0x80, b"b"), (0x82, b"c"), (0x02, b""), (0x00, b""), (0x80, b"d"), (0x81, b"")]
    data = b"".join(frame(first, payload, masked(role)) for first, payload in parts)
    said: list[Event] = [text("ab"), binary(b"c"), binary(b"d"), text("")]
    assert hear(decoder_of(name, role), [data]) == Heard(said)
    assert walk(walker_of(name, role), [data]) == Passed(data, messages=4)


# -- lengths (5.2) ---------------------------------------------------------------------------------------------


@EVERY_CUT
@EVERY
@pytest.mark.parametrize(("size", "length"), [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65535)])
def test_only_the_rfc_insists_on_the_shortest_length(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], size: int, length: int
) -> None:
    data = frame(0x82, b"x" * length, masked(role), size)
    if length > 1000:
        cut = CUTS[0]
    if name == "rfc6455":
        assert hear(decoder_of(name, role), cut(data)) == Heard(fault=1002)
        assert walk(walker_of(name, role), cut(data)) == Passed(ending=1002)
    else:
        assert hear(decoder_of(name, role), cut(data)) == Heard([binary(b"x" * length)])
        assert walk(walker_of(name, role), cut(data)) == Passed(data, messages=1)


@EVERY
@pytest.mark.parametrize("first", [0x88, 0x89, 0x8A])
def test_a_control_frame_may_have_a_long_length_in_the_drafts(name: str, role: Role, first: int) -> None:
    data = frame(first, b"\x03\xe8" + b"x" * 123, masked(role), 8)
    heard = hear(decoder_of(name, role), byte_by_byte(data))
    assert (heard.fault, len(heard.events)) == ((1002, 0) if name == "rfc6455" else (None, 1))


@EVERY
@pytest.mark.parametrize("length", [2**63, 2**63 + 1, 2**64 - 1])
def test_a_length_with_its_top_bit_set_is_a_fault(name: str, role: Role, length: int) -> None:
    data = bytes([0x82, 0x7F | (0x80 if masked(role) else 0)]) + length.to_bytes(8, "big") + b"key!"
    assert hear(decoder_of(name, role, Limits(2**70, 1)), [data]) == Heard(fault=1002)


@EVERY_CUT
@EVERY
@pytest.mark.parametrize("length", [2**31, 2**32, 2**32 + 5, 2**63 - 1])
def test_a_length_of_2_to_the_32_is_not_cut_short(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], length: int
) -> None:
    """websocket-ruby kept the low 4 bytes of 8; what followed was taken for frames."""
    head = bytes([0x82, 0x7F | (0x80 if masked(role) else 0)]) + length.to_bytes(8, "big")
    key = bytes(4) if masked(role) else b""
    data = head + key + frame(0x81, b"not a frame") * 10
    heard = hear(decoder_of(name, role, Limits(2**63, 1)), cut(data))
    assert heard == Heard([], binary(frame(0x81, b"not a frame") * 10, final=False))
    assert hear(decoder_of(name, role), cut(data)) == Heard(fault=1009)
    passed = walk(walker_of(name, role, Limits(2**63, 1)), cut(data))
    assert (passed.forward, passed.ending) == (data, None)
    assert passed.unfinished == length - 130


# -- Close -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        (b"", Close()),
        (b"\x03\xe8", Close(1000)),
        (b"\x03\xe9bye", Close(1001, "bye")),
        (b"\x03\xef\xe2\x82\xac", Close(1007, "\u20ac")),
        (b"\x03\xf6" + b"x" * 123, Close(1014, "x" * 123)),
        (b"\x0b\xb8", Close(3000)),
        (b"\x13\x87", Close(4999)),
    ],
)
def test_a_close_is_read(payload: bytes, close: Close) -> None:
    assert read_close(payload) == close
    assert write_close(close, RFC6455_CODES) == payload


@pytest.mark.parametrize(
    ("close", "by_the_rfc", "by_the_drafts"),
    [
        (Close(1011, "oops"), b"\x03\xf3oops", b""),
        (Close(1006, "gone"), b"", b""),
        (Close(1005), b"", b""),
        (Close(1004), b"", b""),
        (Close(1015), b"", b""),
        (Close(None, "a reason alone"), b"", b""),
        (Close(4000, "\u20ac" * 42), b"\x0f\xa0" + b"\xe2\x82\xac" * 41, b"\x0f\xa0" + b"\xe2\x82\xac" * 41),
    ],
)
def test_a_close_is_written_as_far_as_the_draft_has_the_code(
    close: Close, by_the_rfc: bytes, by_the_drafts: bytes
) -> None:
    assert write_close(close, RFC6455_CODES) == by_the_rfc
    assert write_close(close, DRAFT_CODES) == by_the_drafts


@EVERY
def test_codes_of_the_rfc_are_understood_in_the_drafts_too(name: str, role: Role) -> None:
    data = frame(0x88, (1011).to_bytes(2, "big") + b"oops", masked(role))
    assert hear(decoder_of(name, role), [data]) == Heard([Close(1011, "oops")])


# -- walkers ---------------------------------------------------------------------------------------------------


def conversation(role: Role) -> bytes:
    """Messages of all lengths, whole and in fragments, with control frames between."""
    parts = [
        (0x81, b""),
        (0x82, b"x" * 126),
        (0x01, b"Hel"),
        (0x89, b"p" * 125),
        (0x00, b"l" * 300),
        (0x8A, b""),
        (0x80, b"o"),
        (0x81, b"y" * (65536 if role is Role.CLIENT else 1000)),
        (0x89, b""),
    ]
    return b"".join(frame(first, payload, masked(role)) for first, payload in parts)


@EVERY_CUT
@EVERY
def test_frames_are_passed_on_unchanged(name: str, role: Role, cut: Callable[[bytes], list[bytes]]) -> None:
    data = conversation(role)
    walker = walker_of(name, role)
    assert walk(walker, cut(data)) == Passed(data, messages=4)
    goodbye = frame(0x88, b"\x03\xe9bye", masked(role))
    passed = walk(walker, cut(goodbye + b"what comes behind a Close"))
    assert (passed.forward, passed.ending) == (goodbye, Close(1001, "bye"))


@EVERY
def test_payload_is_passed_on_as_soon_as_it_is_here(name: str, role: Role) -> None:
    walker = walker_of(name, role)
    data = frame(0x82, b"x" * 1000, masked(role))
    head = len(data) - 1000
    assert walker.feed(data[: head - 1]).forward == b""
    assert walker.feed(data[head - 1 : head]).forward == data[:head]
    assert walker.unfinished() == 1000
    assert walker.feed(data[head : head + 10]).forward == data[head : head + 10]
    assert walker.unfinished() == 990
    assert walker.feed(b"").forward == b""
    assert walker.unfinished() == 990
    assert walker.feed(data[head + 10 :]).forward == data[head + 10 :]
    assert walker.unfinished() == 0


@EVERY
def test_a_message_counts_once_it_has_gone_through_whole(name: str, role: Role) -> None:
    walker = walker_of(name, role)
    data = frame(0x82, b"x" * 1000, masked(role))
    walker.feed(data[:500])
    assert walker.messages == 0
    walker.feed(data[500:])
    assert walker.messages == 1
    walker.feed(frame(0x01, b"Hel", masked(role)))
    assert walker.messages == 1
    walker.feed(frame(0x80, b"", masked(role)))
    assert walker.messages == 2


@EVERY
@pytest.mark.parametrize("first", [0x88, 0x89, 0x8A])
def test_a_control_frame_is_held_back_until_it_is_whole(name: str, role: Role, first: int) -> None:
    walker = walker_of(name, role)
    data = frame(first, b"\x03\xe8" + b"x" * 100, masked(role))
    for at in range(len(data) - 1):
        step = walker.feed(data[at : at + 1])
        assert (step.forward, step.ending) == (b"", None)
        assert walker.unfinished() == 0
    assert walker.feed(data[-1:]).forward == data


@EVERY_CUT
@EVERY
def test_limits_hold_before_bytes_leave(name: str, role: Role, cut: Callable[[bytes], list[bytes]]) -> None:
    whole = frame(0x82, b"x" * 100, masked(role))
    limits = Limits(message_bytes=100, fragments=2)
    assert walk(walker_of(name, role, limits), cut(whole)) == Passed(whole, messages=1)
    too_long = whole + frame(0x82, b"x" * 101, masked(role))
    assert walk(walker_of(name, role, limits), cut(too_long)) == Passed(whole, 1009, 1)
    begun = whole + frame(0x02, b"x" * 60, masked(role)) + frame(0x89, b"p", masked(role))
    assert walk(walker_of(name, role, limits), cut(begun + frame(0x80, b"x" * 40, masked(role)))).messages == 2
    assert walk(walker_of(name, role, limits), cut(begun + frame(0x80, b"x" * 41, masked(role)))) == Passed(
        begun, 1009, 1
    )
    two = begun + frame(0x00, b"", masked(role))
    assert walk(walker_of(name, role, limits), cut(two + frame(0x80, b"", masked(role)))) == Passed(two, 1009, 1)


@EVERY_CUT
@EVERY
def test_rsv1_is_passed_on_where_a_compression_was_agreed(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]]
) -> None:
    """RFC 7692, 6: on the first frame of a message; a message without it is not compressed."""
    parts = [(0xC1, b"whole"), (0x41, b"be"), (0x89, b"p"), (0x00, b"gu"), (0x80, b"n"), (0x81, b"plain"), (0xC2, b"")]
    data = b"".join(frame(first, payload, masked(role)) for first, payload in parts)
    assert walk(walker_of(name, role, compressed=True), cut(data)) == Passed(data, messages=4)
    assert walk(walker_of(name, role, compressed=False), cut(data)) == Passed(ending=1002)


@EVERY
@pytest.mark.parametrize("first", [0xC0, 0x40, 0xC9, 0xCA, 0xC8, 0xA0, 0x90])
def test_rsv1_stands_on_no_other_frame(name: str, role: Role, first: int) -> None:
    good = frame(0x41, b"be", masked(role))
    data = good + frame(first, b"", masked(role))
    assert walk(walker_of(name, role, compressed=True), [data]) == Passed(good, 1002)


@EVERY
@pytest.mark.parametrize("first", [0xA1, 0x91, 0xE1, 0xF2])
def test_other_reserved_bits_are_passed_on_never(name: str, role: Role, first: int) -> None:
    assert walk(walker_of(name, role, compressed=True), [frame(first, b"x", masked(role))]) == Passed(ending=1002)


@EVERY
@pytest.mark.parametrize("cut_at", [0, 1, 20])
def test_a_stream_that_ends_without_a_close_is_a_loss(name: str, role: Role, cut_at: int) -> None:
    walker = walker_of(name, role)
    walker.feed(frame(0x82, b"x" * 100, masked(role))[:cut_at])
    step = walker.finish()
    assert (step.forward, step.reply) == (b"", b"")
    assert isinstance(step.ending, ProtocolError)
    assert step.ending.close_code == 1006


def test_frames_of_hixie_have_no_walker() -> None:
    assert [name for name in DIALECTS if DIALECTS[name].framing.walker is None] == ["hixie-75", "hixie-76"]


def test_drafts_with_the_same_frames_share_a_framing_so_that_frames_pass_between_them() -> None:
    assert DIALECTS["hybi-07"].framing is DIALECTS["hybi-08"].framing
    assert DIALECTS["hybi-08"].framing is not DIALECTS["rfc6455"].framing


def test_a_pong_is_a_pong() -> None:
    assert hear(decoder_of("rfc6455", Role.CLIENT, GENEROUS), [bytes.fromhex("8a0548656c6c6f")]).events == [
        Pong(b"Hello")
    ]
