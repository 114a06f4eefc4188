"""The bytes that decoders and walkers keep: an incomplete head, an incomplete control frame, and no more than that."""

import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases
from tests.wire.cutting import cut
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.frames import FrameRules
from wsgateway.wire.events import Role

from .feeding import Heard, byte_by_byte, decoder_of, hear, walk, walker_of
from .layouts import LAYOUTS, Masked, has_walker
from .test_noise import EVERY_DECODER, EVERY_WALKER, MARKS, noise
from .vectors import SECRET

ENDLESS = Limits(2**60, 2**60)


def most_kept(name: str) -> int:
    """Return the largest number of bytes that may be kept.

    They are a frame's head and a control frame's payload; the key of the current frame; and for drafts that mask whole
    frames the secret, from which draft 04 makes the key.
    """
    covers = name in LAYOUTS and LAYOUTS[name].masked is Masked.FRAME
    return 139 + (20 + len(SECRET) if covers else 4)


def kept_bytes(thing: object) -> int:
    """Return how many bytes of a peer an object of ours keeps, in itself and in its attributes."""
    if isinstance(thing, bytes | bytearray | memoryview):
        return len(thing)
    if isinstance(thing, list | tuple | set | dict):
        assert sys.getsizeof(thing) < 1000, "a container that grows"
        return sum(map(kept_bytes, thing))
    if isinstance(thing, FrameRules | Limits) or not type(thing).__module__.startswith("wsgateway.dialects"):
        return 0  # shared by all connections, or not ours
    names = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    return sum(kept_bytes(getattr(thing, name, None)) for name in [*names, *getattr(thing, "__dict__", {})])


LONG = b"x" * 10_000
# Frames of hixie that never end; for frames with a head they are noise.
DELIMITED: dict[str, list[bytes]] = {
    "text without an end": [b"\0", *[LONG] * 20],
    "a reserved frame without an end": [b"\x01", *[LONG] * 20],
    "a length without an end": [b"\x80"] * 300,
    "a length that is never filled": [b"\x80\x84\x80\x00", *[LONG[:100]] * 200],
    "messages without an end": [b"\0" + LONG] * 20,
    "all that follows a hixie close": [b"\xff\x00", *[LONG] * 20],
}


def never_filled(name: str, role: Role) -> bytes:
    """Return the head of a frame of 2^40 bytes."""
    layout = LAYOUTS[name]
    masked = role is Role.SERVER
    bit = 0x80 if masked and layout.masked is Masked.PAYLOAD else 0
    head = bytes([layout.first("binary"), bit | 127]) + (2**40).to_bytes(8, "big") + (b"key!" if bit else b"")
    return layout.cover(head) if masked and layout.masked is Masked.FRAME else head


def framed(name: str, role: Role) -> dict[str, list[bytes]]:
    """Return the same input in the frames of a peer; `role` is ours."""
    layout = LAYOUTS[name]
    ping = layout.said(role, ("ping", True, b"p" * 125))
    long_ping = layout.to(role, layout.first("ping"), b"p" * 125, 8)
    return {
        "a frame that is never filled": [never_filled(name, role), *[LONG] * 20],
        "a head byte by byte": byte_by_byte(never_filled(name, role)),
        "fragments": [
            layout.said(role, ("text", False, b"-")),
            *[layout.said(role, ("more", False, b"-" * 100))] * 200,
        ],
        "half of the longest ping": byte_by_byte(ping[:-1]),
        "half of the longest ping, its length in 8 bytes": byte_by_byte(long_ping[:-1]),
        "pings": [ping] * 200,
        "all that follows a close": [layout.said(role, ("close", True, b"")), *[LONG] * 20],
    }


CASES = {
    f"{name}-{role.value}-{what}": (name, role, pieces)
    for name in DIALECTS
    for role in Role
    for what, pieces in (DELIMITED | (framed(name, role) if name in LAYOUTS else {})).items()
}
WALKED = {what: case for what, case in CASES.items() if has_walker(case[0])}


@cases(("name", "role", "pieces"), CASES.values(), CASES)
def test_a_decoder_keeps_little_of_what_never_ends(name: str, role: Role, pieces: list[bytes]) -> None:
    decoder = decoder_of(name, role, ENDLESS)
    for piece in pieces:
        if hear(decoder, [piece]).fault is not None:
            return
        assert kept_bytes(decoder) <= most_kept(name)


@cases(("name", "role", "pieces"), WALKED.values(), WALKED)
def test_a_walker_keeps_little_of_what_never_ends(name: str, role: Role, pieces: list[bytes]) -> None:
    walker = walker_of(name, role, ENDLESS)
    for piece in pieces:
        if walk(walker, [piece]).ending is not None:
            return
        assert kept_bytes(walker) <= most_kept(name)


QUICK = settings(max_examples=40, database=None)


@EVERY_DECODER
@QUICK
@given(source=st.data(), marks=MARKS)
def test_a_decoder_keeps_little_of_any_bytes(name: str, role: Role, source: st.DataObject, marks: list[int]) -> None:
    decoder = decoder_of(name, role)
    for piece in cut(source.draw(noise(name, role)), marks):
        if hear(decoder, [piece]).fault is not None:
            return
        assert kept_bytes(decoder) <= most_kept(name)


@EVERY_WALKER
def test_what_is_kept_is_counted(name: str, role: Role) -> None:
    """Without this, the tests above could pass because nothing is counted."""
    ping = LAYOUTS[name].said(role, ("ping", True, b"p" * 125))[:-1]
    decoder, walker = decoder_of(name, role), walker_of(name, role)
    assert hear(decoder, [ping]) == Heard()
    assert walk(walker, [ping]).forward == b""
    assert len(ping) <= kept_bytes(decoder) <= most_kept(name)
    assert len(ping) <= kept_bytes(walker) <= most_kept(name)
