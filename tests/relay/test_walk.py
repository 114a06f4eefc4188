"""Frames that pass unchanged, because both sides have the same; and the bytes of a frame that are still to come."""

from collections.abc import Callable
from itertools import product

from tests.cases import cases
from tests.dialects.families import FRAMES, HIXIE, MORE
from tests.dialects.feeding import CUTS, byte_by_byte
from tests.dialects.vectors import Vector, vectors
from wsgateway.dialects import DIALECTS
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, Passed, direction, put_through
from .rows import both_roles
from .spelling import Word, said

# The drafts 01 to 03 have the same frames; a mask of 04 is valid on its own connection only.
SAME_FRAMES = [
    *product(MORE, repeat=2),
    *((name, name) for name in ("hybi-05", "hybi-06", *FRAMES)),
]
same_frames = cases(("source", "target"), SAME_FRAMES)
every_cut = cases("cut", CUTS)

# Every frame has another key; the gateway's would all be 37 FA 21 3D.
CONVERSATION = bytes.fromhex(
    "81 85 01020304 49676f686e"  # "Hello"
    "01 83 ffffffff b79a93"  # "Hel"
    "89 80 deadbeef"
    "8a 81 00000000 70"
    "80 82 a5a5a5a5 c9ca"  # "lo"
    "82 84 37fa213d 37fa213d"  # four zeros
    "82 fe 0080 00000000" + "ff" * 128 + "88 85 0a0b0c0d 09e3 6e746f"  # 1000 "bye"
)
# The same bytes for 06, where a mask also covers the head.
COVERED_CONVERSATION = bytes.fromhex(
    "01020304 8507 4b616d6e6c"  # "Hello", of which 84 05 is masked by 01 02
    "ffffffff fbfc b79a93"  # "Hel"
    "deadbeef 5cad"
    "00000000 8301 70"
    "a5a5a5a5 25a7 c9ca"  # "lo"
    "37fa213d b2fe 213d37fa"  # four zeros
    "00000000 857e0080" + "ff" * 128 + "0a0b0c0d 8b0e 0fe5687269"  # 1000 "bye"
)


@every_cut
@cases("dialect", FRAMES)
def test_frames_of_the_same_kind_pass_as_they_are_with_their_masks(
    dialect: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    same = direction(dialect, dialect, CLIENT)
    passed = put_through(same, cut(CONVERSATION))
    assert (passed.forward, passed.reply, passed.ending) == (CONVERSATION, b"", Close(1000, "bye"))
    assert same.messages == 4
    assert same.unfinished() == 0


@every_cut
def test_masks_that_cover_all_of_a_frame_pass_as_they_are_too(cut: Callable[[bytes], list[bytes]]) -> None:
    same = direction("hybi-06", "hybi-06", CLIENT)
    passed = put_through(same, cut(COVERED_CONVERSATION))
    assert (passed.forward, passed.reply, passed.ending) == (COVERED_CONVERSATION, b"", Close(1000, "bye"))
    assert same.messages == 4
    assert same.unfinished() == 0


# libwebsockets uses another key for each frame.
LIBWEBSOCKETS = [each for each in vectors("frame", "ok") if each.name.startswith("lws_text")]


@every_cut
@cases("vector", LIBWEBSOCKETS, ids=str)
def test_a_frame_of_another_implementation_passes_as_it_is(vector: Vector, cut: Callable[[bytes], list[bytes]]) -> None:
    same = direction(vector.dialect, vector.dialect, CLIENT)
    assert put_through(same, cut(vector.wire)).forward == vector.wire
    assert same.messages == 1


WORDS: list[Word] = [("text", b"a\xffb"), ("begin", b"Hel"), ("ping", b"one"), ("pong", b""), ("end", b"lo")]


@same_frames
@both_roles
def test_the_text_of_unchanged_frames_is_not_checked(source: str, target: str, role: Role) -> None:
    received = said(source, role, *WORDS)
    for cut in CUTS:
        assert put_through(direction(source, target, role), cut(received)).forward == received


@same_frames
@both_roles
def test_bytes_after_a_close_are_not_passed_on(source: str, target: str, role: Role) -> None:
    close = said(source, role, ("close", b""))
    passed = put_through(direction(source, target, role), [close + said(source, role, ("text", b"too late"))])
    assert passed == Passed([close], ending=Close())


@same_frames
def test_a_close_may_stand_between_fragments(source: str, target: str) -> None:
    received = said(source, UPSTREAM, ("begin", b"Hel"), ("close", b""))
    between = direction(source, target, UPSTREAM)
    assert put_through(between, [received]) == Passed([received], ending=Close())
    assert between.unfinished() == 0


def test_a_compressed_message_passes_if_compression_was_agreed() -> None:
    # RFC 7692, 7.2.3.1 and 7.2.3.2: "Hello", whole and in two fragments.
    received = bytes.fromhex("c1 07 f248cdc9c90700  41 03 f248cd  80 04 c9c90700")
    compressed = direction("rfc6455", "rfc6455", UPSTREAM, TranslationOptions(compressed=True))
    assert put_through(compressed, [received]) == Passed([received])


# -- what the target lacks --------------------------------------------------------------------------------------


@same_frames
def test_of_unchanged_frames_the_rest_of_the_last_is_unfinished(source: str, target: str) -> None:
    same = direction(source, target, UPSTREAM)
    lacking = []
    words: list[Word] = [("text", b"one"), ("begin", b""), ("ping", b"p"), ("end", b"a")]
    for byte in byte_by_byte(said(source, UPSTREAM, *words)):
        same.feed(byte)
        lacking.append(same.unfinished())
    # A control frame is passed on whole, and no part of a head before the whole head is here.
    assert lacking == [0, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]


@cases("dialect", ["hybi-05", "hybi-06"])
def test_of_covered_frames_the_rest_of_the_last_is_unfinished(dialect: str) -> None:
    same = direction(dialect, dialect, CLIENT)
    lacking = []
    for byte in byte_by_byte(said(dialect, CLIENT, ("text", b"one"), ("ping", b"p"), ("begin", b"a"))):
        same.feed(byte)
        lacking.append(same.unfinished())
    assert lacking == [*[0] * 5, 3, 2, 1, 0, *[0] * 7, *[0] * 5, 1, 0]


# -- what the source owes ----------------------------------------------------------------------------------------

# All ways whose source has frames with a length.
MEASURED = [(source, target) for source, target in product(DIALECTS, DIALECTS) if source not in HIXIE]


@both_roles
@cases(("source", "target"), MEASURED)
def test_the_unfinished_bytes_of_a_frame_are_known_from_its_head_on(source: str, target: str, role: Role) -> None:
    owing = direction(source, target, role)
    owed = []
    for byte in byte_by_byte(said(source, role, ("text", b"one"), ("ping", b"p"), ("text", b""))):
        owing.feed(byte)
        owed.append(owing.unfinished())
    head = len(said(source, role, ("text", b"")))
    assert owed == [*[0] * (head - 1), 3, 2, 1, 0, *[0] * (2 * head + 1)]


@both_roles
@cases(("source", "target"), MEASURED)
def test_between_fragments_nothing_is_unfinished_unless_they_become_one_frame(
    source: str, target: str, role: Role
) -> None:
    owing = direction(source, target, role)
    first, last = said(source, role, ("begin", b"ab")), said(source, role, ("end", b"c"))
    between = None if target in HIXIE else 0
    owed = []
    for piece in (first[:-1], first[-1:], said(source, role, ("ping", b"p")), last[:-1], last[-1:]):
        owing.feed(piece)
        owed.append(owing.unfinished())
    assert owed == [None if target in HIXIE else 1, between, between, 1, 0]


@both_roles
@cases("source", HIXIE)
@cases("target", DIALECTS)
def test_the_unfinished_bytes_of_a_text_of_hixie_are_not_known(source: str, target: str, role: Role) -> None:
    owing = direction(source, target, role)
    owed = []
    for byte in byte_by_byte(b"\x00on\xff\x00\xff\x80\x01a"):
        owing.feed(byte)
        owed.append(owing.unfinished())
    # A frame without a meaning is not passed on.
    assert owed == [None, None, None, 0, None, 0, 0, 0, 0]


@both_roles
@cases(("source", "target"), list(product(DIALECTS, DIALECTS)))
def test_a_message_counts_when_all_of_it_has_been_passed_on(source: str, target: str, role: Role) -> None:
    counted = direction(source, target, role)
    received = said(source, role, ("text", b"one"))
    assert counted.messages == 0
    counted.feed(received[:-1])
    assert counted.messages == 0
    counted.feed(received[-1:])
    assert counted.messages == 1
    counted.feed(received)
    assert counted.messages == 2
