"""Frames with a head, in all drafts that have them: what is refused with which code, and the limits of a frame."""

from collections.abc import Callable

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.wire.events import Event, Ping, Role

from .feeding import CUTS, GENEROUS, Heard, Passed, binary, decoder_of, hear, text, walk, walker_of
from .layouts import LAYOUTS, Masked, has_walker, with_layout

EVERY = cases(("name", "role"), with_layout())
EVERY_CUT = cases("cut", CUTS)
OPCODES = ["text", "binary", "more", "ping", "pong", "close"]


def check(name: str, role: Role, pieces: list[bytes], heard: Heard, passed: Passed, limits: Limits = GENEROUS) -> None:
    """Check the events of a decoder, and that a walker, if the dialect has one, passes the same bytes on."""
    assert hear(decoder_of(name, role, limits), pieces) == heard
    if has_walker(name):
        assert walk(walker_of(name, role, limits), pieces) == passed


# Faults of a frame (with the section of RFC 6455): its opcode, whether it ends its message, its reserved bits, and its
# payload.
FAULTS: dict[str, tuple[str, bool, int, bytes]] = {
    "RSV1 (5.2)": ("text", True, 0x40, b"x"),
    "RSV2 (5.2)": ("text", True, 0x20, b"x"),
    "RSV3 (5.2)": ("binary", True, 0x10, b"x"),
    "all reserved bits (5.2)": ("binary", True, 0x70, b"x"),
    "RSV1 on a first fragment (5.2)": ("text", False, 0x40, b"x"),
    "RSV1 on a ping (5.2)": ("ping", True, 0x40, b"x"),
    "RSV2 on a Close (5.2)": ("close", True, 0x20, b""),
    "a ping in fragments (5.5)": ("ping", False, 0, b"x"),
    "a pong in fragments (5.5)": ("pong", False, 0, b""),
    "a Close in fragments (5.5)": ("close", False, 0, b""),
    "a ping of 126 bytes (5.5)": ("ping", True, 0, b"x" * 126),
    "a pong of 65536 bytes (5.5)": ("pong", True, 0, b"x" * 65536),
    "a Close of 126 bytes (5.5)": ("close", True, 0, b"\x03\xe8" + b"x" * 124),
    "a continuation of nothing (5.4)": ("more", True, 0, b"x"),
    "a first fragment that continues nothing (5.4)": ("more", False, 0, b"x"),
}


@EVERY
@cases(("opcode", "final", "reserved", "payload"), FAULTS.values(), ids=FAULTS.keys())
def test_a_frame_against_the_rules_is_a_fault(
    name: str, role: Role, opcode: str, final: bool, reserved: int, payload: bytes
) -> None:
    layout = LAYOUTS[name]
    good = layout.said(role, ("text", True, b"good"), ("ping", True, b"p"))
    data = good + layout.to(role, layout.first(opcode, final, reserved), payload)
    for cut in CUTS:
        check(name, role, cut(data), Heard([text("good"), Ping(b"p")], fault=1002), Passed(good, 1002, 1))


@EVERY
@cases("final", [True, False])
def test_an_opcode_that_is_reserved_is_a_fault(name: str, role: Role, final: bool) -> None:
    layout = LAYOUTS[name]
    reserved = set(range(16)) - set(layout.numbers.values())
    assert len(reserved) == 10
    for number in reserved:
        data = layout.to(role, layout.first(number, final), b"x")
        for cut in CUTS:
            check(name, role, cut(data), Heard(fault=1002), Passed(ending=1002))


@EVERY_CUT
@EVERY
@cases("opcode", OPCODES)
def test_a_client_masks_the_payload_and_a_server_does_not(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], opcode: str
) -> None:
    """In drafts with a bit for the mask (5.1). In the others the same bit is reserved."""
    layout = LAYOUTS[name]
    if layout.masked is Masked.PAYLOAD:
        data = layout.to(Role.CLIENT if role is Role.SERVER else Role.SERVER, layout.first(opcode))
    else:
        data = bytes([layout.first(opcode), 0x80])
        if layout.masked is Masked.FRAME and role is Role.SERVER:
            data = layout.cover(data)
    check(name, role, cut(data), Heard(fault=1002), Passed(ending=1002))


@EVERY_CUT
@EVERY
@cases("final", [True, False])
@cases("opcode", ["text", "binary"])
def test_a_message_inside_another_is_a_fault(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], opcode: str, final: bool
) -> None:
    layout = LAYOUTS[name]
    good = layout.said(role, ("text", False, b"begun"))
    data = good + layout.said(role, (opcode, final, b"x"))
    check(name, role, cut(data), Heard([], text("begun", final=False), 1002), Passed(good, 1002))


@EVERY
def test_a_message_may_follow_another_that_was_in_fragments(name: str, role: Role) -> None:
    data = LAYOUTS[name].said(
        role,
        ("text", False, b"a"),
        ("more", True, b"b"),
        ("binary", True, b"c"),
        ("binary", False, b""),
        ("more", False, b""),
        ("more", True, b"d"),
        ("text", True, b""),
    )
    said: list[Event] = [text("ab"), binary(b"c"), binary(b"d"), text("")]
    check(name, role, [data], Heard(said), Passed(data, messages=4))


@EVERY
def test_broken_text_comes_out_as_it_came(name: str, role: Role) -> None:
    """The translator repairs or refuses it."""
    data = LAYOUTS[name].said(role, ("text", True, b"\xed\xa0\x80x"))
    check(name, role, [data], Heard([text(b"\xed\xa0\x80x")]), Passed(data, messages=1))


def test_before_draft_07_broken_text_is_repaired_and_from_then_on_refused() -> None:
    """pywebsocket of that time repaired it; 07 requires that the connection fails."""
    order = list(DIALECTS)
    repairing = [name for name in order if DIALECTS[name].framing.repairs_text]
    assert repairing == order[: order.index("hybi-07")]


# -- lengths (5.2) ---------------------------------------------------------------------------------------------


@EVERY_CUT
@EVERY
@cases(("size", "length"), [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65535)])
def test_only_the_rfc_insists_on_the_shortest_length(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], size: int, length: int
) -> None:
    layout = LAYOUTS[name]
    data = layout.to(role, layout.first("binary"), b"x" * length, size)
    if length > 1000:
        cut = CUTS[0]
    if name == "rfc6455":
        check(name, role, cut(data), Heard(fault=1002), Passed(ending=1002))
    else:
        check(name, role, cut(data), Heard([binary(b"x" * length)]), Passed(data, messages=1))


@EVERY
@cases("opcode", ["close", "ping", "pong"])
def test_a_control_frame_may_have_a_long_length_in_the_drafts(name: str, role: Role, opcode: str) -> None:
    layout = LAYOUTS[name]
    data = layout.to(role, layout.first(opcode), b"\x03\xe8" + b"x" * 123, 8)
    for cut in CUTS:
        heard = hear(decoder_of(name, role), cut(data))
        assert (heard.fault, len(heard.events)) == ((1002, 0) if name == "rfc6455" else (None, 1))


def long_head(name: str, role: Role, length: int) -> tuple[bytes, bytes]:
    """Return the head of a binary frame with its length in 8 bytes, and 55 bytes of its payload."""
    layout = LAYOUTS[name]
    masks = role is Role.SERVER
    bit = 0x80 if masks and layout.masked is Masked.PAYLOAD else 0
    head = bytes([layout.first("binary"), bit | 127]) + length.to_bytes(8, "big") + (bytes(4) if bit else b"")
    data = head + b"not a frame" * 5
    if masks and layout.masked is Masked.FRAME:
        data = layout.cover(data)
    return data[:-55], data[-55:]


@EVERY
@cases("length", [2**63, 2**63 + 1, 2**64 - 1])
def test_a_length_with_its_top_bit_set_is_a_fault(name: str, role: Role, length: int) -> None:
    head, _ = long_head(name, role, length)
    check(name, role, [head], Heard(fault=1002), Passed(ending=1002), Limits(2**70, 1))


@EVERY_CUT
@EVERY
@cases("length", [2**31, 2**32, 2**32 + 5, 2**63 - 1])
def test_a_length_of_2_to_the_32_is_not_cut_short(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], length: int
) -> None:
    """websocket-ruby kept only the low 4 bytes of 8, and read the rest of the payload as frames."""
    head, payload = long_head(name, role, length)
    heard = Heard([], binary(b"not a frame" * 5, final=False))
    passed = Passed(head + payload, unfinished=length - 55)
    check(name, role, cut(head + payload), heard, passed, Limits(2**63, 1))
    assert hear(decoder_of(name, role), cut(head + payload)) == Heard(fault=1009)
