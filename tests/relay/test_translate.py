"""One direction of a session, in the bytes of the drafts: text and control frames, and how they are streamed.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D. "Hello" is 48 65 6C 6C 6F, and masked 7F 9F 4D 51 58.
"""

from collections.abc import Callable

from tests.cases import cases
from tests.dialects.families import FRAMES, HIXIE, LATER, RFC
from tests.dialects.feeding import CUTS, byte_by_byte, cut_at_random
from wsgateway.dialects import DIALECTS
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, Ending, direction, put_through
from .rows import Row, each_of
from .spelling import said

every_cut = cases("cut", CUTS)

ROWS = [
    # -- text between 00 and FF becomes frames (hixie-76, 5.3; RFC 6455, 5.7) --------------------------------------
    Row("text", CLIENT, HIXIE, FRAMES, "00 48656c6c6f ff", "81 85 37fa213d 7f9f4d5158"),
    Row("text", UPSTREAM, HIXIE, FRAMES, "00 48656c6c6f ff", "81 05 48656c6c6f"),
    Row("an empty text", CLIENT, HIXIE, FRAMES, "00 ff", "81 80 37fa213d"),
    Row("an empty text", UPSTREAM, HIXIE, FRAMES, "00 ff", "81 00"),
    Row("a text of NULs", UPSTREAM, HIXIE, FRAMES, "00 0000 ff", "81 02 0000"),
    Row("two texts in one read", CLIENT, HIXIE, FRAMES, "00 6f6e65 ff 00 74776f ff",
        "81 83 37fa213d 589444  81 83 37fa213d 438d4e"),
    Row("the beginning of a text", CLIENT, HIXIE, FRAMES, "00 48656c", ""),
    Row("a text and the beginning of one", UPSTREAM, HIXIE, FRAMES, "00 6f6e65 ff 00 7477", "81 03 6f6e65"),
    Row("several scripts", UPSTREAM, HIXIE, FRAMES, "00 c3bc e282ac f09f9880 ff", "81 09 c3bc e282ac f09f9880"),
    # A WebKit of 2011 sends the lone surrogate U+D800 so: a U+FFFD for each byte that is not UTF-8.
    Row("a lone surrogate", CLIENT, HIXIE, FRAMES, "00 eda080 ff", "81 89 37fa213d d8459cd28847ce828a"),
    Row("a lone surrogate", UPSTREAM, HIXIE, FRAMES, "00 61 eda080 62 ff", "81 0b 61 efbfbd efbfbd efbfbd 62"),
    Row("Latin-1", UPSTREAM, HIXIE, FRAMES, "00 63 e9 ff", "81 04 63 efbfbd"),
    Row("half a character at the end", UPSTREAM, HIXIE, FRAMES, "00 e282 ff 00 ac ff", "81 03 efbfbd  81 03 efbfbd"),
    Row("frames without a meaning", CLIENT, HIXIE, FRAMES, "80 03 00ffff  01 6162 ff  ff 01 00  00 6f6e65 ff",
        "81 83 37fa213d 589444"),
    # -- what hixie says goodbye with ------------------------------------------------------------------------------
    Row("a Close", CLIENT, ("hixie-76",), FRAMES, "00 6f6e65 ff ff00", "81 83 37fa213d 589444  88 80 37fa213d",
        ending=Close()),
    Row("a Close", UPSTREAM, ("hixie-76",), FRAMES, "ff00", "88 00", ending=Close()),
    Row("what hixie-76 calls a Close", CLIENT, ("hixie-75",), FRAMES, "ff00 00 6f6e65 ff", "81 83 37fa213d 589444"),
    # -- between the hixie drafts ----------------------------------------------------------------------------------
    Row("text", CLIENT, ("hixie-75",), ("hixie-76",), "00 48656c6c6f ff", "00 48656c6c6f ff"),
    Row("text", UPSTREAM, ("hixie-76",), ("hixie-75",), "00 48656c6c6f ff", "00 48656c6c6f ff"),
    Row("a lone surrogate", CLIENT, HIXIE, HIXIE, "00 eda080 ff", "00 efbfbd efbfbd efbfbd ff"),
    Row("frames without a meaning", CLIENT, HIXIE, HIXIE, "80 01 61  01 61 ff  00 62 ff", "00 62 ff"),
    Row("a Close", CLIENT, ("hixie-76",), ("hixie-75",), "ff00", "", ending=Close()),
    Row("a Close", CLIENT, ("hixie-76",), ("hixie-76",), "ff00", "ff00", ending=Close()),
    Row("what hixie-76 calls a Close", CLIENT, ("hixie-75",), ("hixie-76",), "ff00 00 62 ff", "00 62 ff"),
    # -- frames become text between 00 and FF ----------------------------------------------------------------------
    Row("text", CLIENT, FRAMES, HIXIE, "81 85 37fa213d 7f9f4d5158", "00 48656c6c6f ff"),
    Row("text", UPSTREAM, FRAMES, HIXIE, "81 05 48656c6c6f", "00 48656c6c6f ff"),
    Row("an empty text", CLIENT, FRAMES, HIXIE, "81 80 37fa213d", "00 ff"),
    Row("an empty text", UPSTREAM, FRAMES, HIXIE, "81 00", "00 ff"),
    Row("a text of NULs", UPSTREAM, FRAMES, HIXIE, "81 02 0000", "00 0000 ff"),
    Row("two texts in one read", UPSTREAM, FRAMES, HIXIE, "81 03 6f6e65 81 03 74776f", "00 6f6e65 ff 00 74776f ff"),
    Row("fragments", CLIENT, FRAMES, HIXIE, "01 83 37fa213d 7f9f4d  80 82 37fa213d 5b95", "00 48656c6c6f ff"),
    Row("fragments", UPSTREAM, FRAMES, HIXIE, "01 03 48656c  00 00  80 02 6c6f", "00 48656c6c6f ff"),
    Row("empty fragments", UPSTREAM, FRAMES, HIXIE, "01 00  00 00  80 00", "00 ff"),
    Row("a character in two fragments", UPSTREAM, FRAMES, HIXIE, "01 01 e2  80 02 82ac", "00 e282ac ff"),
    Row("a character in three fragments", CLIENT, FRAMES, HIXIE,
        "01 81 37fa213d d5  00 80 37fa213d  80 82 37fa213d b556", "00 e282ac ff"),
    # -- a ping, to a side without ping ----------------------------------------------------------------------------
    Row("a ping", CLIENT, FRAMES, HIXIE, "89 85 37fa213d 7f9f4d5158", "", reply="8a 05 48656c6c6f"),
    Row("a ping", UPSTREAM, FRAMES, HIXIE, "89 05 48656c6c6f", "", reply="8a 85 37fa213d 7f9f4d5158"),
    Row("an empty ping", UPSTREAM, FRAMES, HIXIE, "89 00", "", reply="8a 80 37fa213d"),
    # RFC 6455, 5.5.3: of several pings only the newest needs an answer.
    Row("two pings in one read", CLIENT, FRAMES, HIXIE, "89 83 37fa213d 589444  89 83 37fa213d 438d4e", "",
        reply="8a 03 74776f"),
    Row("a ping between fragments", UPSTREAM, FRAMES, HIXIE, "01 03 48656c  89 01 70  80 02 6c6f", "00 48656c6c6f ff",
        reply="8a 81 37fa213d 47"),
    Row("a pong", CLIENT, FRAMES, HIXIE, "8a 85 37fa213d 7f9f4d5158", ""),
    Row("a pong between fragments", UPSTREAM, FRAMES, HIXIE, "01 03 48656c  8a 01 70  80 02 6c6f", "00 48656c6c6f ff"),
    # -- binary, to a side without binary (RFC 6455, 7.4.1) --------------------------------------------------------
    Row("binary", CLIENT, FRAMES, HIXIE, "82 85 37fa213d 7f9f4d5158", "", ending=1003),
    Row("binary behind a text", UPSTREAM, FRAMES, HIXIE, "81 03 6f6e65 82 01 00 81 03 74776f", "00 6f6e65 ff",
        ending=1003),
    Row("binary in fragments", UPSTREAM, FRAMES, HIXIE, "02 00  80 00", "", ending=1003),
    Row("a ping, and binary behind it", UPSTREAM, FRAMES, HIXIE, "89 01 70 82 00", "", reply="8a 81 37fa213d 47",
        ending=1003),
    # -- broken text, to hixie: a stray FF would forge a frame -----------------------------------------------------
    Row("FF in a text", UPSTREAM, FRAMES, HIXIE, "81 03 61 ff 62", "", ending=1007),
    Row("a forged frame in a text", UPSTREAM, FRAMES, HIXIE, "81 06 61 ff 00 62 ff 00", "", ending=1007),
    Row("FF in a text", CLIENT, FRAMES, HIXIE, "81 83 37fa213d 589444  81 81 37fa213d c8", "00 6f6e65 ff", ending=1007),
    Row("a lone surrogate", UPSTREAM, FRAMES, HIXIE, "81 03 eda080", "", ending=1007),
    Row("half a character at the end", UPSTREAM, FRAMES, HIXIE, "81 02 e282", "", ending=1007),
    Row("an overlong slash", UPSTREAM, FRAMES, HIXIE, "81 02 c0af", "", ending=1007),
    Row("more than U+10FFFF", UPSTREAM, FRAMES, HIXIE, "81 04 f4908080", "", ending=1007),
    # -- a Close with a code, to a side without codes, or with fewer -----------------------------------------------
    Row("a Close", CLIENT, FRAMES, ("hixie-76",), "88 82 37fa213d 3412", "ff00", ending=Close(1000)),
    Row("a Close", CLIENT, FRAMES, ("hixie-75",), "88 82 37fa213d 3412", "", ending=Close(1000)),
    Row("a Close with a reason", UPSTREAM, FRAMES, ("hixie-76",), "88 05 03e9 627965", "ff00",
        ending=Close(1001, "bye")),
    Row("a Close without a code", UPSTREAM, FRAMES, ("hixie-76",), "88 00", "ff00", ending=Close()),
    Row("a text and a Close", UPSTREAM, FRAMES, ("hixie-76",), "81 03 6f6e65 88 00 81 03 74776f", "00 6f6e65 ff ff00",
        ending=Close()),
    Row("a text and a Close", UPSTREAM, FRAMES, ("hixie-75",), "81 03 6f6e65 88 00 81 03 74776f", "00 6f6e65 ff",
        ending=Close()),
    Row("a Close that all know", UPSTREAM, RFC, LATER, "88 05 03e9 627965", "88 05 03e9 627965",
        ending=Close(1001, "bye")),
    Row("a Close that all know", CLIENT, RFC, LATER, "88 85 37fa213d 3413434452", "88 85 37fa213d 3413434452",
        ending=Close(1001, "bye")),
    Row("a Close that the drafts do not know", UPSTREAM, RFC, LATER, "88 06 03f4 6f6f7073", "88 00",
        ending=Close(1012, "oops")),
    Row("a Close that the drafts do not know", CLIENT, RFC, LATER, "88 82 37fa213d 340e", "88 80 37fa213d",
        ending=Close(1012)),
    Row("a Close of an application", UPSTREAM, RFC, LATER, "88 02 0fa0", "88 02 0fa0", ending=Close(4000)),
    Row("a Close", CLIENT, LATER, RFC, "88 82 37fa213d 3410", "88 82 37fa213d 3410", ending=Close(1002)),
    Row("a Close without a code", UPSTREAM, LATER, RFC, "88 00", "88 00", ending=Close()),
    # -- between the drafts and RFC 6455 ---------------------------------------------------------------------------
    Row("text", CLIENT, LATER, RFC, "81 85 37fa213d 7f9f4d5158", "81 85 37fa213d 7f9f4d5158"),
    Row("binary", UPSTREAM, RFC, LATER, "82 05 48656c6c6f", "82 05 48656c6c6f"),
    Row("a ping", UPSTREAM, RFC, LATER, "89 05 48656c6c6f", "89 05 48656c6c6f"),
    Row("a pong", CLIENT, LATER, RFC, "8a 85 37fa213d 7f9f4d5158", "8a 85 37fa213d 7f9f4d5158"),
    Row("fragments with a ping between", UPSTREAM, LATER, RFC, "01 03 48656c 89 00 80 02 6c6f",
        "01 03 48656c 89 00 80 02 6c6f"),
    Row("the beginning of a frame", UPSTREAM, RFC, LATER, "82 05 48656c", "82 05 48656c"),
    Row("the head of a frame", UPSTREAM, RFC, LATER, "82 05", "82 05"),
    Row("the head of a frame that others follow", UPSTREAM, RFC, LATER, "02 05 48", "02 05 48"),
    # RFC 6455, 5.2: the drafts do not require that a length is written in its shortest form.
    Row("a long length", UPSTREAM, LATER, RFC, "81 7e 0005 48656c6c6f", "81 05 48656c6c6f"),
    Row("a very long length", CLIENT, LATER, RFC, "81 ff 0000000000000005 37fa213d 7f9f4d5158",
        "81 85 37fa213d 7f9f4d5158"),
    Row("a long length", UPSTREAM, RFC, LATER, "81 03 6f6e65 81 7e 0005 48656c6c6f", "81 03 6f6e65", ending=1002),
]  # fmt: skip


@each_of(ROWS)
def test_one_read_is_sent_in_one_write(row: Row, source: str, target: str) -> None:
    row.check(source, target)


# Where a message is one frame, however many pieces it came in, the cuts are not visible.
JOINED = [row for row in ROWS if not isinstance(row.ending, int) and row.why != "two pings in one read"]


@every_cut
@each_of(JOINED, targets=HIXIE)
def test_towards_hixie_the_same_bytes_are_sent_however_they_came(
    row: Row, source: str, target: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    passed = put_through(direction(source, target, row.role), cut(bytes.fromhex(row.received)))
    assert (passed.forward, passed.reply, passed.ending) == (
        bytes.fromhex(row.forward),
        bytes.fromhex(row.reply),
        row.ending,
    )


# -- a frame that comes in pieces is one frame -------------------------------------------------------------------


@cases("source", FRAMES)
@cases("target", HIXIE)
def test_fragments_are_sent_as_one_frame_in_one_write(source: str, target: str) -> None:
    fragments = ["01 03 48656c", "00 02 6c6f", "00 01", "20", "80 03 796f75", "81 01 78"]
    passed = put_through(direction(source, target, UPSTREAM), map(bytes.fromhex, fragments))
    assert passed.steps == [b"", b"", b"", b"", b"\x00Hello you\xff", b"\x00x\xff"]


@cases("target", FRAMES)
def test_a_text_of_hixie_is_sent_when_it_is_complete(target: str) -> None:
    pieces = [b"\x00Hel", b"lo", b"\xff\x00", b"x\xff"]
    passed = put_through(direction("hixie-76", target, UPSTREAM), pieces)
    assert passed.steps == [b"", b"", b"\x81\x05Hello", b"\x81\x01x"]


@cases("target", FRAMES)
def test_a_text_of_hixie_has_one_mask_towards_an_upstream(target: str) -> None:
    passed = put_through(direction("hixie-76", target, CLIENT), [b"\x00Hel", b"lo\xff"])
    assert passed.steps == [b"", bytes.fromhex("81 85 37fa213d 7f9f4d5158")]


@cases(("source", "target"), [("rfc6455", "hybi-08"), ("hybi-07", "rfc6455")])
def test_a_frame_that_comes_in_pieces_is_sent_as_one_frame_in_pieces(source: str, target: str) -> None:
    # Each piece is unmasked and masked again.
    received = bytes.fromhex("82 85 37fa213d 7f9f4d5158")
    pieces = [received[:7], received[7:9], received[9:]]
    passed = put_through(direction(source, target, CLIENT), pieces)
    assert passed.steps == [
        bytes.fromhex("82 85 37fa213d 7f"),
        bytes.fromhex("9f4d"),
        bytes.fromhex("5158"),
    ]


def test_a_text_is_held_back_towards_hixie_until_it_is_whole() -> None:
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM), byte_by_byte(bytes.fromhex("81 04 61 e282ac")))
    assert passed.steps == [*[b""] * 5, b"\x00a\xe2\x82\xac\xff"]


# Reads that would be whole messages if nothing had come before, and the result of both.
LOOK_WHOLE = [
    (UPSTREAM, "hixie-76", "00 48", "00 61 ff", "81 03 48 00 61", None),  # a NUL in a text
    (UPSTREAM, "hixie-76", "80", "00 61 ff", "", None),  # a frame without a meaning, of 0 bytes; the rest of one
    (UPSTREAM, "hixie-76", "01 48", "00 61 ff", "", None),
    (UPSTREAM, "hybi-01", "84 03 48656c", "04 02 6c6f", "01 03 48656c", 1002),
    (UPSTREAM, "hybi-01", "05 05 48", "04 02 6c6f", "82 05 48 04 02 6c6f", None),
    (UPSTREAM, "hybi-03", "02 04", "04 02 6c6f", "89 04 04 02 6c6f", None),
    (CLIENT, "hybi-04", "37fa213d 86437dc939", "37fa213d 06457dc9392a52", "01 83 37fa213d 7f9f4d", 1002),
    (CLIENT, "hybi-04", "37fa213d 074b", "37fa213d 06457dc9392a52", "82 8b 37fa213d 35ac55460c197ea3d82b65", None),
    (CLIENT, "hybi-05", "37fa213d 33f969585b", "37fa213d b3ff69585b964e", "01 83 37fa213d 7f9f4d", 1002),
    (CLIENT, "hybi-05", "37fa213d b2f1", "37fa213d b3ff69585b964e", "82 8b 37fa213d 213d37faa5387f9f4d5158", None),
    (CLIENT, "hybi-06", "37fa213d b3", "ff69585b964e", "81 85 37fa213d 7f9f4d5158", None),
    (UPSTREAM, "hybi-08", "01 03 48656c", "81 02 6c6f", "01 03 48656c", 1002),
    (UPSTREAM, "hybi-08", "81 04", "81 02 6c6f", "81 04 81 02 6c6f", None),
    (UPSTREAM, "rfc6455", "01 03 48656c", "81 02 6c6f", "01 03 48656c", 1002),
    (UPSTREAM, "rfc6455", "82 05 48", "81 02 6c6f", "82 05 48 81 02 6c6f", None),
    (UPSTREAM, "rfc6455", "89 04", "81 02 6c6f", "89 04 81 02 6c6f", None),
    (UPSTREAM, "rfc6455", "81", "01 61", "81 01 61", None),
]


@cases(("role", "source", "before", "received", "forward", "ending"), LOOK_WHOLE)
def test_a_read_is_a_whole_message_only_if_no_message_is_unfinished(
    role: Role, source: str, before: str, received: str, forward: str, ending: Ending
) -> None:
    target = "hybi-08" if source == "rfc6455" else "rfc6455"
    passed = put_through(direction(source, target, role), map(bytes.fromhex, [before, received]))
    assert (passed.forward, passed.ending) == (bytes.fromhex(forward), ending)


@cases(("source", "target"), [(source, target) for source in DIALECTS for target in DIALECTS])
def test_an_empty_read_changes_nothing(source: str, target: str) -> None:
    received = said(source, CLIENT, ("text", b"one"))
    first, second = received[:-1], received[-1:]
    undisturbed = put_through(direction(source, target, CLIENT), [first, second])
    passed = put_through(direction(source, target, CLIENT), [b"", first, b"", second, b""])
    assert [step for step in passed.steps if step] == [step for step in undisturbed.steps if step]


# -- the same, whatever the cut ---------------------------------------------------------------------------------


@cases("seed", range(20))
def test_a_ping_is_answered_wherever_it_is_cut(seed: int) -> None:
    received = bytes.fromhex("01 03 48656c 89 05 48656c6c6f 80 02 6c6f")
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM), cut_at_random(received, seed))
    assert (passed.forward, passed.reply) == (b"\x00Hello\xff", bytes.fromhex("8a 85 37fa213d 7f9f4d5158"))
