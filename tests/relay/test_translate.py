"""One direction of a session, in the bytes of the drafts: what arrives, what leaves, and how it ends.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D. "Hello" is 48 65 6C 6C 6F, and masked 7F 9F 4D 51 58.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.dialects.feeding import CUTS, byte_by_byte, cut_at_random, frame
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.wire.events import Close, Role

from .passing import Ending, Passed, direction, ending_of, put_through

HIXIE = ("hixie-75", "hixie-76")
HYBI = ("hybi-07", "hybi-08")
FRAMES = (*HYBI, "rfc6455")
RFC = ("rfc6455",)
CLIENT, UPSTREAM = Role.SERVER, Role.CLIENT  # whom the bytes come from, said by the part that we play towards it

every_cut = pytest.mark.parametrize("cut", CUTS)
both_roles = pytest.mark.parametrize("role", [CLIENT, UPSTREAM], ids=["from a client", "from an upstream"])


@dataclass(frozen=True)
class Row:
    """One read from each of some dialects, on its way to each of others that have other frames."""

    why: str
    role: Role
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    received: str
    forward: str
    reply: str = ""
    ending: Ending = None


ROWS = [
    # -- text between 00 and FF becomes frames (hixie-76, 5.3; RFC 6455, 5.7) --------------------------------------
    Row("text", CLIENT, HIXIE, FRAMES, "00 48656c6c6f ff", "81 85 37fa213d 7f9f4d5158"),
    Row("text", UPSTREAM, HIXIE, FRAMES, "00 48656c6c6f ff", "81 05 48656c6c6f"),
    Row("an empty text", CLIENT, HIXIE, FRAMES, "00 ff", "81 80 37fa213d"),
    Row("an empty text", UPSTREAM, HIXIE, FRAMES, "00 ff", "81 00"),
    Row("a text of NULs", UPSTREAM, HIXIE, FRAMES, "00 0000 ff", "81 02 0000"),
    Row("two texts in one read", CLIENT, HIXIE, FRAMES, "00 6f6e65 ff 00 74776f ff",
        "81 83 37fa213d 589444  81 83 37fa213d 438d4e"),
    Row("the beginning of a text", CLIENT, HIXIE, FRAMES, "00 48656c", "01 83 37fa213d 7f9f4d"),
    Row("a text and the beginning of one", UPSTREAM, HIXIE, FRAMES, "00 6f6e65 ff 00 7477", "81 03 6f6e65  01 02 7477"),
    Row("several scripts", UPSTREAM, HIXIE, FRAMES, "00 c3bc e282ac f09f9880 ff", "81 09 c3bc e282ac f09f9880"),
    # WebKit of 2011 sends the lone surrogate U+D800 so: one U+FFFD for each byte that is not UTF-8.
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
    # RFC 6455, 5.5.3: of several pings the newest may be the only one that is answered.
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
    Row("a Close that all know", UPSTREAM, RFC, HYBI, "88 05 03e9 627965", "88 05 03e9 627965",
        ending=Close(1001, "bye")),
    Row("a Close that all know", CLIENT, RFC, HYBI, "88 85 37fa213d 3413434452", "88 85 37fa213d 3413434452",
        ending=Close(1001, "bye")),
    Row("a Close that the drafts do not know", UPSTREAM, RFC, HYBI, "88 06 03f3 6f6f7073", "88 00",
        ending=Close(1011, "oops")),
    Row("a Close that the drafts do not know", CLIENT, RFC, HYBI, "88 82 37fa213d 3409", "88 80 37fa213d",
        ending=Close(1011)),
    Row("a Close of an application", UPSTREAM, RFC, HYBI, "88 02 0fa0", "88 02 0fa0", ending=Close(4000)),
    Row("a Close", CLIENT, HYBI, RFC, "88 82 37fa213d 3410", "88 82 37fa213d 3410", ending=Close(1002)),
    Row("a Close without a code", UPSTREAM, HYBI, RFC, "88 00", "88 00", ending=Close()),
    # -- between the drafts and RFC 6455 ---------------------------------------------------------------------------
    Row("text", CLIENT, HYBI, RFC, "81 85 37fa213d 7f9f4d5158", "81 85 37fa213d 7f9f4d5158"),
    Row("binary", UPSTREAM, RFC, HYBI, "82 05 48656c6c6f", "82 05 48656c6c6f"),
    Row("a ping", UPSTREAM, RFC, HYBI, "89 05 48656c6c6f", "89 05 48656c6c6f"),
    Row("a pong", CLIENT, HYBI, RFC, "8a 85 37fa213d 7f9f4d5158", "8a 85 37fa213d 7f9f4d5158"),
    Row("fragments with a ping between", UPSTREAM, HYBI, RFC, "01 03 48656c 89 00 80 02 6c6f",
        "01 03 48656c 89 00 80 02 6c6f"),
    Row("the beginning of a frame", UPSTREAM, RFC, HYBI, "82 05 48656c", "02 03 48656c"),
    # RFC 6455, 5.2: the drafts do not say that a length is written in its shortest form.
    Row("a long length", UPSTREAM, HYBI, RFC, "81 7e 0005 48656c6c6f", "81 05 48656c6c6f"),
    Row("a very long length", CLIENT, HYBI, RFC, "81 ff 0000000000000005 37fa213d 7f9f4d5158",
        "81 85 37fa213d 7f9f4d5158"),
    Row("a long length", UPSTREAM, RFC, HYBI, "81 03 6f6e65 81 7e 0005 48656c6c6f", "81 03 6f6e65", ending=1002),
]  # fmt: skip


def named(row: Row, source: str, target: str) -> str:
    return f"{row.why} from {source} {'client' if row.role is CLIENT else 'upstream'} to {target}"


@pytest.mark.parametrize(
    ("row", "source", "target"),
    [
        pytest.param(row, source, target, id=named(row, source, target))
        for row in ROWS
        for source in row.sources
        for target in row.targets
    ],
)
def test_one_read_leaves_in_one_write(row: Row, source: str, target: str) -> None:
    passed = put_through(direction(source, target, row.role), [bytes.fromhex(row.received)])
    assert passed == Passed([bytes.fromhex(row.forward)], bytes.fromhex(row.reply), row.ending)


# Where a message is one frame, however many pieces it came in, the cuts cannot be seen.
JOINED = [row for row in ROWS if not isinstance(row.ending, int) and row.why != "two pings in one read"]


@every_cut
@pytest.mark.parametrize(
    ("row", "source", "target"),
    [
        pytest.param(row, source, target, id=named(row, source, target))
        for row in JOINED
        for source in row.sources
        for target in row.targets
        if target in HIXIE
    ],
)
def test_towards_hixie_the_same_bytes_leave_however_they_came(
    row: Row, source: str, target: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    passed = put_through(direction(source, target, row.role), cut(bytes.fromhex(row.received)))
    assert (passed.forward, passed.reply, passed.ending) == (
        bytes.fromhex(row.forward),
        bytes.fromhex(row.reply),
        row.ending,
    )


# -- a message streams: what is here leaves ---------------------------------------------------------------------


@pytest.mark.parametrize("source", FRAMES)
@pytest.mark.parametrize("target", HIXIE)
def test_fragments_leave_as_they_come_and_as_one_frame(source: str, target: str) -> None:
    fragments = ["01 03 48656c", "00 02 6c6f", "00 01", "20", "80 03 796f75", "81 01 78"]
    passed = put_through(direction(source, target, UPSTREAM), map(bytes.fromhex, fragments))
    assert passed.steps == [b"\x00Hel", b"lo", b"", b" ", b"you\xff", b"\x00x\xff"]


@pytest.mark.parametrize("target", FRAMES)
def test_a_text_of_hixie_leaves_in_fragments_as_it_comes(target: str) -> None:
    pieces = [b"\x00Hel", b"lo", b"\xff\x00", b"x\xff"]
    passed = put_through(direction("hixie-76", target, UPSTREAM), pieces)
    assert passed.steps == [b"\x01\x03Hel", b"\x00\x02lo", b"\x80\x00\x01\x00", b"\x80\x01x"]


@pytest.mark.parametrize("target", FRAMES)
def test_each_fragment_has_a_mask_of_its_own_towards_an_upstream(target: str) -> None:
    passed = put_through(direction("hixie-76", target, CLIENT), [b"\x00Hel", b"lo\xff"])
    assert passed.steps == [bytes.fromhex("01 83 37fa213d 7f9f4d"), bytes.fromhex("80 82 37fa213d 5b95")]


@pytest.mark.parametrize(("source", "target"), [("rfc6455", "hybi-08"), ("hybi-07", "rfc6455")])
def test_a_frame_that_comes_in_pieces_leaves_in_fragments(source: str, target: str) -> None:
    # The key of the drafts' example, and another behind an odd number of bytes: the pieces are unmasked in step.
    received = bytes.fromhex("82 85 37fa213d 7f9f4d5158")
    pieces = [received[:7], received[7:9], received[9:]]
    passed = put_through(direction(source, target, CLIENT), pieces)
    assert passed.steps == [
        bytes.fromhex("02 81 37fa213d 7f"),
        bytes.fromhex("00 82 37fa213d 5296"),
        bytes.fromhex("80 82 37fa213d 5b95"),
    ]


def test_a_character_that_is_cut_is_held_back_towards_hixie() -> None:
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM), byte_by_byte(bytes.fromhex("81 04 61 e282ac")))
    assert passed.steps == [b"", b"", b"\x00a", b"", b"", b"\xe2\x82\xac\xff"]


# Reads that would be whole messages if nothing had come before, and what comes of both.
LOOK_WHOLE = [
    ("hixie-76", "00 48", "00 61 ff", "01 01 48 80 02 00 61", None),  # a NUL in a text
    ("hixie-76", "80", "00 61 ff", "", None),  # a frame without a meaning, of 0 bytes; the rest of one
    ("hixie-76", "01 48", "00 61 ff", "", None),
    ("rfc6455", "01 03 48656c", "81 02 6c6f", "01 03 48656c", 1002),
    ("rfc6455", "82 05 48", "81 02 6c6f", "02 01 48 80 04 81 02 6c6f", None),
    ("rfc6455", "89 04", "81 02 6c6f", "89 04 81 02 6c6f", None),
    ("rfc6455", "81", "01 61", "81 01 61", None),
    ("hybi-08", "01 03 48656c", "81 02 6c6f", "01 03 48656c", 1002),
    ("hybi-08", "81 04", "81 02 6c6f", "81 04 81 02 6c6f", None),
]


@pytest.mark.parametrize(("source", "before", "received", "forward", "ending"), LOOK_WHOLE)
def test_a_read_is_only_a_message_if_nothing_is_under_way(
    source: str, before: str, received: str, forward: str, ending: Ending
) -> None:
    target = "hybi-08" if source == "rfc6455" else "rfc6455"
    passed = put_through(direction(source, target, UPSTREAM), map(bytes.fromhex, [before, received]))
    assert (passed.forward, passed.ending) == (bytes.fromhex(forward), ending)


@pytest.mark.parametrize(("source", "target"), [(source, target) for source in DIALECTS for target in DIALECTS])
def test_an_empty_read_changes_nothing(source: str, target: str) -> None:
    pieces = [b"", b"\x00on", b"", b"e\xff", b""] if source in HIXIE else [b"", b"\x81\x03on", b"", b"e", b""]
    undisturbed = put_through(direction(source, target, UPSTREAM), [piece for piece in pieces if piece])
    passed = put_through(direction(source, target, UPSTREAM), pieces)
    assert [step for step in passed.steps if step] == undisturbed.steps


# -- broken text ------------------------------------------------------------------------------------------------

BROKEN_IN_FRAGMENTS = {
    "a character that another fragment does not end": "01 01 e2  80 01 41",
    "half a character in the last fragment": "01 01 41  80 02 e282",
    "a surrogate in two fragments": "01 01 ed  80 02 a080",
    "FF in the last fragment": "01 01 41  80 01 ff",
    "FF in a fragment behind a ping": "01 01 41  89 00  00 01 ff  80 00",
}


@every_cut
@pytest.mark.parametrize("source", FRAMES)
@pytest.mark.parametrize("target", HIXIE)
@pytest.mark.parametrize("received", BROKEN_IN_FRAGMENTS.values(), ids=BROKEN_IN_FRAGMENTS.keys())
def test_text_that_breaks_in_a_later_fragment_is_never_finished(
    received: str, target: str, source: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    broken = direction(source, target, UPSTREAM)
    passed = put_through(broken, cut(bytes.fromhex(received)))
    assert passed.ending == 1007
    assert passed.forward in (b"\x00", b"\x00A")
    assert broken.unfinished() is None


def test_the_text_of_frames_is_not_looked_at_on_its_way_to_frames() -> None:
    passed = put_through(direction("hybi-08", "rfc6455", UPSTREAM), [b"\x81\x03a\xffb"])
    assert passed == Passed([b"\x81\x03a\xffb"])


@pytest.mark.parametrize("target", FRAMES)
def test_a_lone_surrogate_is_repaired_byte_by_byte_too(target: str) -> None:
    passed = put_through(direction("hixie-76", target, UPSTREAM), byte_by_byte(bytes.fromhex("00 eda080 ff")))
    payload = b"".join(step[2:] for step in passed.steps)
    assert payload == b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"


# -- a Close ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", FRAMES)
@pytest.mark.parametrize("target", HIXIE)
def test_a_close_inside_a_message_of_hixie_is_not_sent(source: str, target: str) -> None:
    # In hixie FF 00 would end the text, and leave a stray 00 behind it.
    inside = direction(source, target, UPSTREAM)
    passed = put_through(inside, [bytes.fromhex("01 03 48656c 88 02 03e8")])
    assert passed == Passed([b"\x00Hel"], ending=Close(1000))
    assert inside.unfinished() is None


@pytest.mark.parametrize(("source", "target"), [("hybi-08", "rfc6455"), ("rfc6455", "hybi-07")])
def test_a_close_may_stand_between_fragments(source: str, target: str) -> None:
    between = direction(source, target, UPSTREAM)
    received = bytes.fromhex("01 03 48656c 88 02 03e8")
    assert put_through(between, [received]) == Passed([received], ending=Close(1000))
    assert between.unfinished() == 0


# RFC 6455, 7.4.1 and 7.4.2.
UNSENDABLE = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]


@both_roles
@pytest.mark.parametrize("code", UNSENDABLE)
@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", FRAMES)
def test_a_close_code_that_may_not_be_sent_never_leaves(source: str, target: str, code: int, role: Role) -> None:
    masked = role is CLIENT
    close = frame(0x88, code.to_bytes(2, "big") + b"bye", masked)
    passed = put_through(direction(source, target, role), [close])
    assert passed == Passed([b""], ending=1002)


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", FRAMES)
def test_what_stands_before_a_bad_close_is_passed_on(source: str, target: str) -> None:
    passed = put_through(direction(source, target, UPSTREAM), [bytes.fromhex("81 03 6f6e65 88 02 03ee")])
    assert passed == Passed([b"\x00one\xff" if target in HIXIE else b"\x81\x03one"], ending=1002)


KNOWN_BY_DRAFTS = [1000, 1001, 1002, 1003, 3000, 4000, 4999]
NEW_IN_THE_RFC = [1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]


@pytest.mark.parametrize("code", KNOWN_BY_DRAFTS + NEW_IN_THE_RFC)
@pytest.mark.parametrize("target", HYBI)
def test_a_code_that_a_draft_does_not_have_is_left_out_with_its_reason(target: str, code: int) -> None:
    close = b"\x88\x05" + code.to_bytes(2, "big") + b"bye"
    passed = put_through(direction("rfc6455", target, UPSTREAM), [close])
    assert passed == Passed([close if code in KNOWN_BY_DRAFTS else b"\x88\x00"], ending=Close(code, "bye"))


# -- the end of the stream --------------------------------------------------------------------------------------

# What the target gets for an end between frames: the goodbye of hixie clients that know no other.
GOODBYES = [
    (CLIENT, "hixie-75", "hixie-76", "ff00"),
    (CLIENT, "hixie-75", "hixie-75", ""),
    (CLIENT, "hixie-75", "rfc6455", "88 80 37fa213d"),
    (CLIENT, "hixie-75", "hybi-08", "88 80 37fa213d"),
    (UPSTREAM, "hixie-75", "hybi-07", "88 00"),
    (CLIENT, "hixie-76", "hixie-75", ""),
    (CLIENT, "hixie-76", "hixie-76", "ff00"),
    (CLIENT, "hixie-76", "rfc6455", "88 80 37fa213d"),
    (UPSTREAM, "hixie-76", "rfc6455", "88 00"),
]


@pytest.mark.parametrize("before", ["", "00 48656c6c6f ff", "80 02 6161", "01 61 ff"])
@pytest.mark.parametrize(("role", "source", "target", "forward"), GOODBYES)
def test_the_end_of_a_hixie_stream_is_a_goodbye(
    role: Role, source: str, target: str, forward: str, before: str
) -> None:
    ended = direction(source, target, role)
    ended.feed(bytes.fromhex(before))
    step = ended.finish()
    assert (step.forward, step.reply, step.ending) == (bytes.fromhex(forward), b"", Close())


@pytest.mark.parametrize("before", ["00", "00 48656c6c6f", "00 61 ff 00", "80", "80 02 61", "01 61", "ff"])
@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", HIXIE)
def test_the_end_of_a_hixie_stream_inside_a_frame_is_a_fault(source: str, target: str, before: str) -> None:
    ended = direction(source, target, CLIENT)
    ended.feed(bytes.fromhex(before))
    step = ended.finish()
    assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", 1006)


@pytest.mark.parametrize("before", ["", "81 01 61", "81", "81 05 61", "01 01 61", "89 05 61"])
@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", FRAMES)
def test_the_end_of_a_stream_of_frames_is_a_fault(source: str, target: str, before: str) -> None:
    ended = direction(source, target, UPSTREAM)
    ended.feed(bytes.fromhex(before))
    step = ended.finish()
    assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", 1006)


# -- limits: what breaks them never leaves ----------------------------------------------------------------------

TOO_BIG = [
    # limits, source, bytes, what a side with frames gets, and a hixie one
    (Limits(message_bytes=3), "hixie-76", "00 6f6e65 ff 00 66697665 ff", "81 03 6f6e65", "00 6f6e65 ff"),
    (Limits(message_bytes=3), "hixie-76", "00 6f6e65 ff 00 66697665", "81 03 6f6e65", "00 6f6e65 ff"),
    (Limits(message_bytes=3), "hixie-75", "00 6f6e65 ff 80 04", "81 03 6f6e65", "00 6f6e65 ff"),
    (Limits(message_bytes=3), "rfc6455", "81 03 6f6e65 81 04 66697665", "81 03 6f6e65", "00 6f6e65 ff"),
    (Limits(message_bytes=3), "hybi-08", "81 03 6f6e65 81 04", "81 03 6f6e65", "00 6f6e65 ff"),
    (Limits(message_bytes=3), "rfc6455", "01 02 6f6e 80 02 6565", "01 02 6f6e", "00 6f6e"),
    (Limits(message_bytes=3), "hybi-07", "01 03 6f6e65 00 00 80 01", "01 03 6f6e65 00 00", "00 6f6e65"),
    (Limits(message_bytes=3), "rfc6455", "81 7f 7fffffffffffffff", "", ""),
    (Limits(fragments=2), "rfc6455", "01 01 61 00 01 62 80 01 63", "01 01 61 00 01 62", "00 6162"),
    (Limits(fragments=2), "hybi-08", "01 00 89 00 00 00 80 00", "01 00 89 00 00 00", "00"),
]


@pytest.mark.parametrize(
    ("target", "limits", "source", "received", "forward"),
    [
        (target, limits, source, received, to_hixie if target in HIXIE else to_frames)
        for limits, source, received, to_frames, to_hixie in TOO_BIG
        for target in DIALECTS
    ],
)
def test_a_message_beyond_the_limits_leaves_only_as_far_as_it_is_within(
    target: str, limits: Limits, source: str, received: str, forward: str
) -> None:
    # The head of a frame that goes too far may be all that is here of it.
    passed = put_through(direction(source, target, UPSTREAM, limits), [bytes.fromhex(received)])
    assert (passed.forward, passed.ending) == (bytes.fromhex(forward), 1009)


@every_cut
@pytest.mark.parametrize(("source", "target"), [(s, t) for s in DIALECTS for t in DIALECTS])
def test_messages_at_the_limit_pass(source: str, target: str, cut: Callable[[bytes], list[bytes]]) -> None:
    three = b"\x00one\xff" if source in HIXIE else b"\x81\x03one"
    limited = direction(source, target, UPSTREAM, Limits(message_bytes=3))
    passed = put_through(limited, cut(three * 3))
    assert passed.ending is None
    assert limited.messages == 3


# -- frames of the same kind ------------------------------------------------------------------------------------

SAME_FRAMES = [("rfc6455", "rfc6455"), ("hybi-07", "hybi-07"), ("hybi-07", "hybi-08"), ("hybi-08", "hybi-07")]
# Every frame with a key of its own; ours would all be 37 FA 21 3D.
CONVERSATION = bytes.fromhex(
    "81 85 01020304 49676f686e"  # "Hello"
    "01 83 ffffffff b79a93"  # "Hel"
    "89 80 deadbeef"
    "8a 81 00000000 70"
    "80 82 a5a5a5a5 c9ca"  # "lo"
    "82 84 37fa213d 37fa213d"  # four zeros
    "82 fe 0080 00000000" + "ff" * 128 + "88 85 0a0b0c0d 09e3 6e746f"  # 1000 "bye"
)


@every_cut
@pytest.mark.parametrize(("source", "target"), SAME_FRAMES)
def test_frames_of_the_same_kind_pass_as_they_are_with_their_masks(
    source: str, target: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    same = direction(source, target, CLIENT)
    passed = put_through(same, cut(CONVERSATION))
    assert (passed.forward, passed.reply, passed.ending) == (CONVERSATION, b"", Close(1000, "bye"))
    assert same.messages == 4
    assert same.unfinished() == 0


@pytest.mark.parametrize(("source", "target"), SAME_FRAMES)
def test_what_stands_behind_a_close_is_not_passed_on(source: str, target: str) -> None:
    passed = put_through(direction(source, target, UPSTREAM), [bytes.fromhex("88 02 03e8 81 03 6f6e65")])
    assert passed == Passed([bytes.fromhex("88 02 03e8")], ending=Close(1000))


def test_a_compressed_message_passes_where_a_compression_was_agreed() -> None:
    # RFC 7692, 7.2.3.1 and 7.2.3.2: "Hello", whole and in two fragments.
    received = bytes.fromhex("c1 07 f248cdc9c90700  41 03 f248cd  80 04 c9c90700")
    assert put_through(direction("rfc6455", "rfc6455", UPSTREAM, compressed=True), [received]) == Passed([received])


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", FRAMES)
def test_a_compressed_message_is_refused_where_none_was_agreed(source: str, target: str) -> None:
    passed = put_through(direction(source, target, UPSTREAM), [bytes.fromhex("c1 07 f248cdc9c90700")])
    assert passed == Passed([b""], ending=1002)


# -- what the target lacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), SAME_FRAMES)
def test_frames_that_pass_as_they_are_lack_the_rest_of_the_last(source: str, target: str) -> None:
    same = direction(source, target, UPSTREAM)
    lacking = []
    for byte in byte_by_byte(bytes.fromhex("81 03 6f6e65 01 00 89 01 70 80 01 61")):
        same.feed(byte)
        lacking.append(same.unfinished())
    # A control frame is passed on whole, and a head is not passed on before it is whole.
    assert lacking == [0, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("source", "target"), [("hixie-76", "rfc6455"), ("rfc6455", "hybi-08"), ("hybi-07", "rfc6455")]
)
def test_frames_that_we_write_are_always_whole(source: str, target: str) -> None:
    written = direction(source, target, UPSTREAM)
    for piece in byte_by_byte(b"\x00one\xff\x00t" if source in HIXIE else b"\x01\x03one\x80\x02t"):
        written.feed(piece)
        assert written.unfinished() == 0


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", HIXIE)
def test_nobody_knows_how_much_a_text_of_hixie_lacks(source: str, target: str) -> None:
    begun = direction(source, target, UPSTREAM)
    assert begun.unfinished() == 0
    begun.feed(b"\x00on" if source in HIXIE else b"\x01\x02on")
    assert begun.unfinished() is None
    begun.feed(b"e\xff" if source in HIXIE else b"\x80\x01e")
    assert begun.unfinished() == 0


@pytest.mark.parametrize(("source", "target"), [(source, target) for source in DIALECTS for target in DIALECTS])
def test_a_message_counts_once_it_has_gone_through_whole(source: str, target: str) -> None:
    counted = direction(source, target, UPSTREAM)
    first, second = (b"\x00on", b"e\xff") if source in HIXIE else (b"\x81\x03on", b"e")
    assert counted.messages == 0
    counted.feed(first)
    assert counted.messages == 0
    counted.feed(second)
    assert counted.messages == 1


# -- the same, whatever the cut ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_ping_is_answered_wherever_it_is_cut(seed: int) -> None:
    received = bytes.fromhex("01 03 48656c 89 05 48656c6c6f 80 02 6c6f")
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM), cut_at_random(received, seed))
    assert (passed.forward, passed.reply) == (b"\x00Hello\xff", bytes.fromhex("8a 85 37fa213d 7f9f4d5158"))
