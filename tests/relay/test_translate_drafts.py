"""The hybi drafts 01 to 06 in bytes of other implementations, and every dialect on its way to every other.

Frames with a mask have the key 37 FA 21 3D. In draft 04 the mask is made of that key and a secret of the connection, by
SHA-1: the mask of our upstream's frames, for its own secret, begins with 6A 03 16 92 D7 9F A3.
"""

from tests.cases import cases
from tests.dialects.families import COVERED, FRAMES, HIXIE, LATER, MORE, RFC
from tests.dialects.feeding import other
from wsgateway.dialects import DIALECTS
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, Passed, direction, put_through
from .rows import Row, both_roles, each_of, from_each_of
from .spelling import Word, said, told

# The drafts whose mask is the key itself.
SAME_KEY = ("hybi-05", "hybi-06")

ROWS = [
    # -- 01 to 03: the first bit says that more comes, and there are other numbers ---------------------------------
    Row("text", CLIENT, MORE, FRAMES, "04 05 48656c6c6f", "81 85 37fa213d 7f9f4d5158"),
    Row("text", UPSTREAM, FRAMES, MORE, "81 05 48656c6c6f", "04 05 48656c6c6f"),
    Row("text", CLIENT, MORE, MORE, "04 05 48656c6c6f", "04 05 48656c6c6f"),
    Row("text", CLIENT, HIXIE, MORE, "00 48656c6c6f ff", "04 05 48656c6c6f"),
    Row("text", CLIENT, MORE, HIXIE, "04 05 48656c6c6f", "00 48656c6c6f ff"),
    Row("an empty text", UPSTREAM, RFC, MORE, "81 00", "04 00"),
    Row("binary", UPSTREAM, FRAMES, MORE, "82 04 00ff807f", "05 04 00ff807f"),
    Row("binary", CLIENT, MORE, RFC, "05 05 48656c6c6f", "82 85 37fa213d 7f9f4d5158"),
    Row("binary", CLIENT, MORE, HIXIE, "05 00", "", ending=1003),
    Row("fragments", UPSTREAM, MORE, FRAMES, "84 03 48656c  80 00  00 02 6c6f", "01 03 48656c  00 00  80 02 6c6f"),
    Row("fragments", UPSTREAM, FRAMES, MORE, "01 03 48656c  00 00  80 02 6c6f", "84 03 48656c  80 00  00 02 6c6f"),
    Row("fragments", CLIENT, MORE, HIXIE, "84 03 48656c  00 02 6c6f", "00 48656c6c6f ff"),
    Row("a ping", CLIENT, MORE, RFC, "02 05 48656c6c6f", "89 85 37fa213d 7f9f4d5158"),
    Row("a ping", UPSTREAM, FRAMES, MORE, "89 05 48656c6c6f", "02 05 48656c6c6f"),
    Row("a ping", CLIENT, MORE, HIXIE, "02 05 48656c6c6f", "", reply="03 05 48656c6c6f"),
    Row("a pong", UPSTREAM, FRAMES, MORE, "8a 05 48656c6c6f", "03 05 48656c6c6f"),
    Row("a pong", CLIENT, MORE, HIXIE, "03 05 48656c6c6f", ""),
    Row("a Close", CLIENT, MORE, RFC, "01 00", "88 80 37fa213d", ending=Close()),
    Row("a Close", UPSTREAM, MORE, ("hixie-76",), "01 00", "ff00", ending=Close()),
    Row("a Close with a body that means nothing", UPSTREAM, MORE, RFC, "01 02 03e8", "88 00", ending=Close()),
    Row("a Close with a code", UPSTREAM, FRAMES, MORE, "88 05 03e9 627965", "01 00", ending=Close(1001, "bye")),
    # Lengths need not be written in their shortest form.
    Row("a long length", UPSTREAM, MORE, RFC, "04 7e 0005 48656c6c6f", "81 05 48656c6c6f"),
    Row("a lone surrogate", UPSTREAM, MORE, FRAMES, "04 03 eda080", "81 09 efbfbd efbfbd efbfbd"),
    Row("a lone surrogate", CLIENT, MORE, HIXIE, "04 03 eda080", "00 efbfbd efbfbd efbfbd ff"),
    Row("a lone surrogate", UPSTREAM, MORE, MORE, "04 03 eda080", "04 03 eda080"),
    # -- 04 to 06 from an upstream: the first bit is that of the standard, the numbers are not ---------------------
    Row("text", UPSTREAM, COVERED, FRAMES, "84 05 48656c6c6f", "81 05 48656c6c6f"),
    Row("text", UPSTREAM, FRAMES, COVERED, "81 05 48656c6c6f", "84 05 48656c6c6f"),
    Row("text", UPSTREAM, MORE, COVERED, "04 05 48656c6c6f", "84 05 48656c6c6f"),
    Row("text", UPSTREAM, COVERED, COVERED, "84 05 48656c6c6f", "84 05 48656c6c6f"),
    Row("fragments", UPSTREAM, COVERED, MORE, "04 03 48656c  80 02 6c6f", "84 03 48656c  00 02 6c6f"),
    Row("fragments", UPSTREAM, MORE, COVERED, "84 03 48656c  00 02 6c6f", "04 03 48656c  80 02 6c6f"),
    Row("fragments", UPSTREAM, COVERED, HIXIE, "04 03 48656c  80 02 6c6f", "00 48656c6c6f ff"),
    Row("binary", UPSTREAM, COVERED, RFC, "85 04 00ff807f", "82 04 00ff807f"),
    Row("a ping", UPSTREAM, COVERED, FRAMES, "82 05 48656c6c6f", "89 05 48656c6c6f"),
    Row("a pong", UPSTREAM, FRAMES, COVERED, "8a 05 48656c6c6f", "83 05 48656c6c6f"),
    Row("a Close", UPSTREAM, COVERED, RFC, "81 00", "88 00", ending=Close()),
    Row("a lone surrogate", UPSTREAM, COVERED, RFC, "84 03 eda080", "81 09 efbfbd efbfbd efbfbd"),
    Row("a Close with a code", UPSTREAM, FRAMES, ("hybi-04",), "88 05 03e9 627965", "81 00", ending=Close(1001, "bye")),
    Row("a Close with a body that means nothing", UPSTREAM, ("hybi-04",), RFC, "81 02 03e8", "88 00", ending=Close()),
    # -- 04: a mask of the frame's own 4 bytes and the connection's secret ------------------------------------------
    Row("text", CLIENT, ("hybi-04",), RFC, "37fa213d 06457dc9392a52", "81 85 37fa213d 7f9f4d5158"),
    Row("text", CLIENT, ("hybi-04",), HIXIE, "37fa213d 06457dc9392a52", "00 48656c6c6f ff"),
    Row("text", CLIENT, RFC, ("hybi-04",), "81 85 37fa213d 7f9f4d5158", "37fa213d ee065ef7bbf3cc"),
    Row("text", CLIENT, ("hybi-04",), ("hybi-04",), "37fa213d 06457dc9392a52", "37fa213d ee065ef7bbf3cc"),
    Row("binary", CLIENT, ("hybi-04",), ("hybi-04",), "37fa213d 07457dc9392a52", "37fa213d ef065ef7bbf3cc"),
    Row("a ping", CLIENT, ("hybi-04",), ("hybi-04",), "37fa213d 00457dc9392a52", "37fa213d e8065ef7bbf3cc"),
    Row("fragments", CLIENT, MORE, ("hybi-04",), "84 03 48656c  00 02 6c6f",
        "37fa213d 6e005ef7bb  37fa213d ea017afd"),
    Row("a ping", CLIENT, ("hybi-04",), HIXIE, "37fa213d 00457dc9392a52", "", reply="83 05 48656c6c6f"),
    Row("a ping", UPSTREAM, ("hybi-04",), HIXIE, "82 05 48656c6c6f", "", reply="37fa213d e9065ef7bbf3cc"),
    Row("a Close", CLIENT, ("hybi-04",), ("hybi-04",), "37fa213d 0340", "37fa213d eb03", ending=Close()),
    Row("a lone surrogate", CLIENT, ("hybi-04",), ("hybi-04",), "37fa213d 0643d80cd5",
        "37fa213d ee0af92d6a701cf723ca78"),
    # -- 05 and 06: a mask of 4 bytes, over all of the frame --------------------------------------------------------
    Row("text", CLIENT, SAME_KEY, RFC, "37fa213d b3ff69585b964e", "81 85 37fa213d 7f9f4d5158"),
    Row("text", CLIENT, RFC, SAME_KEY, "81 85 37fa213d 7f9f4d5158", "37fa213d b3ff69585b964e"),
    Row("text", CLIENT, SAME_KEY, HIXIE, "00000100 840549656c6c6e", "00 48656c6c6f ff"),
    Row("text", CLIENT, ("hybi-05",), ("hybi-06",), "00000100 840549656c6c6e", "37fa213d b3ff69585b964e"),
    Row("text", CLIENT, ("hybi-05",), ("hybi-05",), "00000100 840549656c6c6e", "00000100 840549656c6c6e"),
    Row("binary", CLIENT, RFC, SAME_KEY, "82 85 37fa213d 7f9f4d5158", "37fa213d b2ff69585b964e"),
    Row("fragments", CLIENT, MORE, SAME_KEY, "84 03 48656c  00 02 6c6f", "37fa213d 33f969585b  37fa213d b7f84d52"),
    Row("a ping", CLIENT, SAME_KEY, HIXIE, "37fa213d b5ff69585b964e", "", reply="83 05 48656c6c6f"),
    Row("a ping", UPSTREAM, SAME_KEY, HIXIE, "82 05 48656c6c6f", "", reply="37fa213d b4ff69585b964e"),
    Row("a lone surrogate", CLIENT, ("hybi-05",), ("hybi-06",), "37fa213d b3f9cc9db7",
        "37fa213d b3f3ce828a159e80d8459c"),
    # -- 05: a Close says who began, C or S ------------------------------------------------------------------------
    Row("a Close", CLIENT, ("hybi-05",), RFC, "37fa213d b6fb62", "88 80 37fa213d", ending=Close()),
    Row("a Close", CLIENT, RFC, ("hybi-05",), "88 82 37fa213d 3412", "37fa213d b6fb62", ending=Close(1000)),
    Row("a Close", UPSTREAM, ("hybi-05",), RFC, "81 01 53", "88 00", ending=Close()),
    Row("a Close", UPSTREAM, RFC, ("hybi-05",), "88 00", "81 01 53", ending=Close()),
    Row("a Close", UPSTREAM, ("hybi-05",), ("hixie-76",), "81 01 53", "ff00", ending=Close()),
    Row("a Close", UPSTREAM, ("hybi-05",), ("hybi-05",), "81 01 53", "81 01 53", ending=Close()),
    # -- from 06 on: a Close has a code, and what is 1009 from 07 on was 1004 ----------------------------------
    Row("a Close", UPSTREAM, ("hybi-06",), RFC, "81 05 03e9 627965", "88 05 03e9 627965", ending=Close(1001, "bye")),
    Row("a Close", UPSTREAM, RFC, ("hybi-06",), "88 05 03e9 627965", "81 05 03e9 627965", ending=Close(1001, "bye")),
    Row("a Close", CLIENT, RFC, ("hybi-06",), "88 82 37fa213d 3412", "37fa213d b6f822d5", ending=Close(1000)),
    Row("too big", UPSTREAM, RFC, ("hybi-06",), "88 02 03f1", "81 02 03ec", ending=Close(1009)),
    Row("too big", UPSTREAM, RFC, LATER, "88 02 03f1", "88 02 03f1", ending=Close(1009)),
    Row("too big", UPSTREAM, ("hybi-06",), RFC, "81 02 03ec", "88 02 03f1", ending=Close(1009)),
    Row("too big", UPSTREAM, ("hybi-06",), LATER, "81 02 03ec", "88 02 03f1", ending=Close(1009)),
    # Drafts 07 to 10 list 1004, 11 and 12 list 1009, and all say version 7 or 8.
    Row("too big", UPSTREAM, LATER, RFC, "88 02 03ec", "88 02 03f1", ending=Close(1009)),
    Row("too big", UPSTREAM, LATER, RFC, "88 02 03f1", "88 02 03f1", ending=Close(1009)),
    Row("too big", UPSTREAM, LATER, ("hybi-06",), "88 02 03f1", "81 02 03ec", ending=Close(1009)),
    Row("too big", CLIENT, LATER, RFC, "88 82 37fa213d 340b", "88 82 37fa213d 340b", ending=Close(1009)),
    Row("too big", CLIENT, LATER, RFC, "88 82 37fa213d 3416", "88 82 37fa213d 340b", ending=Close(1009)),
    Row("too big", CLIENT, ("hybi-06",), RFC, "37fa213d b6f822d1", "88 82 37fa213d 340b", ending=Close(1009)),
    Row("too big", UPSTREAM, LATER, ("hixie-76",), "88 02 03ec", "ff00", ending=Close(1009)),
    Row("text that is broken", UPSTREAM, RFC, ("hybi-08",), "88 02 03ef", "88 02 03ef", ending=Close(1007)),
    Row("text that is broken", UPSTREAM, RFC, ("hybi-07",), "88 02 03ef", "88 00", ending=Close(1007)),
    Row("text that is broken", UPSTREAM, RFC, ("hybi-06",), "88 02 03ef", "81 00", ending=Close(1007)),
    Row("a fault of the server", UPSTREAM, RFC, LATER, "88 02 03f3", "88 02 03f3", ending=Close(1011)),
    Row("a rule of the server", UPSTREAM, RFC, LATER, "88 02 03f0", "88 02 03f0", ending=Close(1008)),
    Row("a restart", UPSTREAM, RFC, LATER, "88 02 03f4", "88 00", ending=Close(1012)),
    Row("a Close of an application", UPSTREAM, RFC, ("hybi-06",), "88 02 0fa0", "81 00", ending=Close(4000)),
    # A draft that lists fewer codes is no reason to refuse codes that were defined later.
    Row("a code of the standard", UPSTREAM, ("hybi-06",), RFC, "81 02 03f3", "88 02 03f3", ending=Close(1011)),
    Row("a code that is none", UPSTREAM, ("hybi-06",), RFC, "81 02 03ed", "", ending=1002),
    Row("half a code", UPSTREAM, ("hybi-06",), RFC, "81 01 03", "", ending=1002),
    # -- what none of them may say ---------------------------------------------------------------------------------
    Row("an opcode of the standard", UPSTREAM, (*MORE, *COVERED), RFC, "88 00", "", ending=1002),
    Row("a reserved bit before the length", UPSTREAM, MORE, RFC, "04 85 48656c6c6f", "", ending=1002),
    Row("a reserved bit before the length", UPSTREAM, COVERED, RFC, "84 85 48656c6c6f", "", ending=1002),
]  # fmt: skip


@each_of(ROWS)
def test_one_read_is_sent_in_one_write(row: Row, source: str, target: str) -> None:
    row.check(source, target)


BROKEN = {**dict.fromkeys(MORE, "04 03 6f6e65 04 03 eda080"), **dict.fromkeys(COVERED, "84 03 6f6e65 84 03 eda080")}


@cases(("source", "received"), BROKEN.items(), ids=BROKEN)
def test_broken_text_may_be_refused_instead_of_repaired(source: str, received: str) -> None:
    strict = direction(source, "rfc6455", UPSTREAM, TranslationOptions(invalid_utf8="close"))
    assert put_through(strict, [bytes.fromhex(received)]) == Passed([bytes.fromhex("81 03 6f6e65")], ending=1007)


# -- every dialect with every other ------------------------------------------------------------------------------

TEXTS: list[Word] = [("text", b"Hello"), ("text", b""), ("text", b"\0"), ("text", b"a" * 126), ("text", b"b" * 65536)]
FRAGMENTS: list[Word] = [("begin", b"Hel"), ("ping", b"one"), ("more", b""), ("pong", b"two"), ("end", b"lo")]
BINARY: list[Word] = [("binary", b"\xff\x00"), ("begin binary", b"\x80"), ("end", b"\x81"), ("text", b"behind")]
WITH_HEADS = [name for name in DIALECTS if name not in HIXIE]


@from_each_of(DIALECTS)
@both_roles
def test_texts_are_sent_in_frames_of_the_target(source: str, target: str, role: Role) -> None:
    passed = put_through(direction(source, target, role), [said(source, role, *TEXTS)])
    assert passed == Passed([told(target, other(role), *TEXTS)])


@from_each_of(HIXIE)
@both_roles
def test_a_text_that_comes_in_pieces_is_sent_in_one_frame_of_the_target(source: str, target: str, role: Role) -> None:
    pieces: list[Word] = [("begin", b"Hel"), ("more", b"l"), ("end", b"o")]
    passed = put_through(direction(source, target, role), [said(source, role, piece) for piece in pieces])
    assert passed.steps == [b"", b"", told(target, other(role), ("text", b"Hello"))]


@from_each_of(WITH_HEADS)
@both_roles
def test_fragments_and_control_frames_are_sent_in_frames_of_the_target(source: str, target: str, role: Role) -> None:
    passed = put_through(direction(source, target, role), [said(source, role, *FRAGMENTS)])
    if target in HIXIE:
        answer = told(source, role, ("pong", b"one"))
        assert passed == Passed([told(target, other(role), ("text", b"Hello"))], answer)
    else:
        assert passed == Passed([told(target, other(role), *FRAGMENTS)])


@from_each_of(WITH_HEADS)
@both_roles
def test_binary_is_sent_in_frames_of_the_target(source: str, target: str, role: Role) -> None:
    passed = put_through(direction(source, target, role), [said(source, role, *TEXTS[:1], *BINARY)])
    if target in HIXIE:
        assert passed == Passed([told(target, other(role), *TEXTS[:1])], ending=1003)
    else:
        assert passed == Passed([told(target, other(role), *TEXTS[:1], *BINARY)])
