"""Frames that are passed on unchanged: the same bytes, within the limits, and no bytes after a fault."""

from collections.abc import Callable

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Role

from .feeding import CUTS, Passed, walk, walker_of
from .layouts import LAYOUTS, has_walker, with_layout

EVERY = cases(("name", "role"), with_layout(has_walker))
EVERY_CUT = cases("cut", CUTS)


def conversation(name: str, role: Role) -> bytes:
    """Draw messages of all lengths, whole and in fragments, with control frames between."""
    return LAYOUTS[name].said(
        role,
        ("text", True, b""),
        ("binary", True, b"x" * 126),
        ("text", False, b"Hel"),
        ("ping", True, b"p" * 125),
        ("more", False, b"l" * 300),
        ("pong", True, b""),
        ("more", True, b"o"),
        ("text", True, b"y" * (65536 if role is Role.CLIENT else 1000)),
        ("ping", True, b""),
    )


def goodbye(name: str, role: Role) -> tuple[bytes, Close]:
    """Return a Close with a code and a reason, if the dialect has them."""
    payload, close = (b"\x03\xe9bye", Close(1001, "bye")) if DIALECTS[name].framing.close_codes else (b"", Close())
    return LAYOUTS[name].said(role, ("close", True, payload)), close


def framed(name: str, role: Role, opcode: str, payload: bytes, final: bool = True) -> bytes:
    return LAYOUTS[name].said(role, (opcode, final, payload))


@EVERY_CUT
@EVERY
def test_frames_are_passed_on_unchanged(name: str, role: Role, cut: Callable[[bytes], list[bytes]]) -> None:
    data = conversation(name, role)
    walker = walker_of(name, role)
    assert walk(walker, cut(data)) == Passed(data, messages=4)
    closing, close = goodbye(name, role)
    passed = walk(walker, cut(closing + b"what comes behind a Close"))
    assert (passed.forward, passed.ending) == (closing, close)


@EVERY
@cases("payload", [b"", b"Hello", b"x" * 125, b"x" * 126, b"x" * 65535, b"x" * 65536], ids=len)
@cases("opcode", ["text", "binary"])
def test_a_message_that_is_read_at_once_is_passed_on_at_once(
    name: str, role: Role, opcode: str, payload: bytes
) -> None:
    walker = walker_of(name, role)
    data = framed(name, role, opcode, payload)
    for number in (1, 2):
        assert walk(walker, [data]) == Passed(data, messages=number)


@EVERY
def test_payload_is_passed_on_as_soon_as_it_is_here(name: str, role: Role) -> None:
    walker = walker_of(name, role)
    data = framed(name, role, "binary", b"x" * 1000)
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
def test_a_message_counts_when_all_of_it_has_been_passed_on(name: str, role: Role) -> None:
    walker = walker_of(name, role)
    data = framed(name, role, "binary", b"x" * 1000)
    walker.feed(data[:500])
    assert walker.messages == 0
    walker.feed(data[500:])
    assert walker.messages == 1
    walker.feed(framed(name, role, "text", b"Hel", final=False))
    assert walker.messages == 1
    walker.feed(framed(name, role, "more", b""))
    assert walker.messages == 2


@EVERY
@cases("opcode", ["close", "ping", "pong"])
def test_a_control_frame_is_held_back_until_it_is_whole(name: str, role: Role, opcode: str) -> None:
    walker = walker_of(name, role)
    data = framed(name, role, opcode, b"\x03\xe8" + b"x" * 100)
    for at in range(len(data) - 1):
        step = walker.feed(data[at : at + 1])
        assert (step.forward, step.ending) == (b"", None)
        assert walker.unfinished() == 0
    assert walker.feed(data[-1:]).forward == data


@EVERY_CUT
@EVERY
def test_limits_hold_before_bytes_are_sent(name: str, role: Role, cut: Callable[[bytes], list[bytes]]) -> None:
    def walked(data: bytes) -> Passed:
        return walk(walker_of(name, role, Limits(message_bytes=100, fragments=2)), cut(data))

    whole = framed(name, role, "binary", b"x" * 100)
    assert walked(whole) == Passed(whole, messages=1)
    assert walked(whole + framed(name, role, "binary", b"x" * 101)) == Passed(whole, 1009, 1)
    begun = whole + LAYOUTS[name].said(role, ("binary", False, b"x" * 60), ("ping", True, b"p"))
    assert walked(begun + framed(name, role, "more", b"x" * 40)).messages == 2
    assert walked(begun + framed(name, role, "more", b"x" * 41)) == Passed(begun, 1009, 1)
    two = begun + framed(name, role, "more", b"", final=False)
    assert walked(two + framed(name, role, "more", b"")) == Passed(two, 1009, 1)


# -- compression (RFC 7692, 6) ---------------------------------------------------------------------------------

# The only dialect in which compression can be agreed.
BOTH = cases("role", Role)


def reserving(role: Role, *frames: tuple[str, bool, int, bytes]) -> bytes:
    """Return frames with reserved bits."""
    layout = LAYOUTS["rfc6455"]
    return b"".join(
        layout.to(role, layout.first(opcode, final, reserved), payload) for opcode, final, reserved, payload in frames
    )


@EVERY_CUT
@BOTH
def test_rsv1_is_passed_on_if_compression_was_agreed(role: Role, cut: Callable[[bytes], list[bytes]]) -> None:
    """It stands on the first frame of a message; a message without it is not compressed."""
    data = reserving(
        role,
        ("text", True, 0x40, b"whole"),
        ("text", False, 0x40, b"be"),
        ("ping", True, 0, b"p"),
        ("more", False, 0, b"gu"),
        ("more", True, 0, b"n"),
        ("text", True, 0, b"plain"),
        ("binary", True, 0x40, b""),
    )
    assert walk(walker_of("rfc6455", role, compressed=True), cut(data)) == Passed(data, messages=4)
    assert walk(walker_of("rfc6455", role, compressed=False), cut(data)) == Passed(ending=1002)


@BOTH
@cases(
    ("opcode", "final", "reserved"),
    [
        ("more", True, 0x40),
        ("more", False, 0x40),
        ("ping", True, 0x40),
        ("pong", True, 0x40),
        ("close", True, 0x40),
        ("more", True, 0x20),
        ("more", True, 0x10),
    ],
)
def test_rsv1_is_refused_on_other_frames(role: Role, opcode: str, final: bool, reserved: int) -> None:
    good = reserving(role, ("text", False, 0x40, b"be"))
    data = good + reserving(role, (opcode, final, reserved, b""))
    assert walk(walker_of("rfc6455", role, compressed=True), [data]) == Passed(good, 1002)


@BOTH
@cases("reserved", [0x20, 0x10, 0x60, 0x70])
def test_other_reserved_bits_are_always_refused(role: Role, reserved: int) -> None:
    data = reserving(role, ("text", True, reserved, b"x"))
    assert walk(walker_of("rfc6455", role, compressed=True), [data]) == Passed(ending=1002)


# -- the end, and who has a walker -----------------------------------------------------------------------------


@EVERY
@cases("cut_at", [0, 1, 20])
def test_a_stream_that_ends_without_a_close_is_a_fault(name: str, role: Role, cut_at: int) -> None:
    walker = walker_of(name, role)
    walker.feed(framed(name, role, "binary", b"x" * 100)[:cut_at])
    step = walker.finish()
    assert (step.forward, step.reply) == (b"", b"")
    assert isinstance(step.ending, ProtocolError)
    assert step.ending.close_code == 1006


def test_frames_are_walked_unless_they_must_be_decoded() -> None:
    """Frames of hixie, which state no length, and frames with masks of one connection alone, as in draft 04."""
    assert {name for name in DIALECTS if not has_walker(name)} == {
        name for name in DIALECTS if name not in LAYOUTS or LAYOUTS[name].needs_secret
    }
    assert not has_walker("hybi-04")


def test_drafts_with_the_same_frames_share_a_framing_so_that_frames_pass_between_them() -> None:
    first = DIALECTS["hybi-01"].framing
    assert DIALECTS["hybi-02"].framing is first
    assert DIALECTS["hybi-03"].framing is first


@cases(
    ("one", "other"), [("hybi-05", "hybi-06"), ("hybi-06", "hybi-07"), ("hybi-07", "hybi-08"), ("hybi-08", "rfc6455")]
)
def test_drafts_whose_closes_differ_share_none(one: str, other: str) -> None:
    assert DIALECTS[one].framing is not DIALECTS[other].framing
