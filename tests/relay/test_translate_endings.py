"""The ends of one direction of a session, in bytes of the drafts: faults, a Close, the end of the stream, limits."""

from collections.abc import Callable

from tests.cases import cases
from tests.dialects.families import COVERED, FACTS, FRAMES, HIXIE, LATER, MORE, WITH_CODES, close_payload
from tests.dialects.feeding import CUTS, byte_by_byte, other
from tests.dialects.layouts import LAYOUTS
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, Passed, direction, ending_of, put_through
from .rows import both_roles, from_each_of
from .spelling import Word, said, told

every_cut = cases("cut", CUTS)


# -- broken text ------------------------------------------------------------------------------------------------

BROKEN_IN_FRAGMENTS = {
    "a character that another fragment does not end": "01 01 e2  80 01 41",
    "half a character in the last fragment": "01 01 41  80 02 e282",
    "a surrogate in two fragments": "01 01 ed  80 02 a080",
    "FF in the last fragment": "01 01 41  80 01 ff",
    "FF in a fragment behind a ping": "01 01 41  89 00  00 01 ff  80 00",
}


@every_cut
@cases("source", FRAMES)
@cases("target", HIXIE)
@cases("received", BROKEN_IN_FRAGMENTS.values(), ids=BROKEN_IN_FRAGMENTS.keys())
def test_text_that_breaks_in_a_later_fragment_is_never_finished(
    received: str, target: str, source: str, cut: Callable[[bytes], list[bytes]]
) -> None:
    broken = direction(source, target, UPSTREAM)
    passed = put_through(broken, cut(bytes.fromhex(received)))
    assert (passed.forward, passed.ending, broken.inside()) == (b"", 1007, False)
    unheld = direction(source, target, UPSTREAM, TranslationOptions(Limits(join_bytes=0)))
    passed = put_through(unheld, cut(bytes.fromhex(received)))
    assert passed.ending == 1007
    # Only as far as it may still become UTF-8.
    assert passed.forward in (b"\x00", b"\x00\xe2", b"\x00\xed", b"\x00\xed\xa0", b"\x00A", b"\x00A\xe2")
    assert unheld.inside()


def test_text_between_dialects_with_frames_is_not_checked() -> None:
    passed = put_through(direction("hybi-08", "rfc6455", UPSTREAM), [b"\x81\x03a\xffb"])
    assert passed == Passed([b"\x81\x03a\xffb"])


@cases("target", FRAMES)
def test_a_lone_surrogate_is_repaired_byte_by_byte_too(target: str) -> None:
    passed = put_through(direction("hixie-76", target, UPSTREAM), byte_by_byte(bytes.fromhex("00 eda080 ff")))
    payload = b"".join(step[2:] for step in passed.steps)
    assert payload == b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"


# -- a Close ----------------------------------------------------------------------------------------------------


@cases("source", FRAMES)
@cases("target", HIXIE)
def test_a_close_inside_a_frame_of_hixie_is_not_sent(source: str, target: str) -> None:
    # In hixie FF 00 would end the text, and its 00 would begin another.
    inside = direction(source, target, UPSTREAM, TranslationOptions(Limits(join_bytes=0)))
    passed = put_through(inside, [bytes.fromhex("01 03 48656c 88 02 03e8")])
    assert passed == Passed([b"\x00Hel"], ending=Close(1000))
    assert inside.inside()


@cases("source", FRAMES)
@cases("target", HIXIE)
def test_a_close_replaces_a_held_message(source: str, target: str) -> None:
    held = direction(source, target, UPSTREAM)
    passed = put_through(held, [bytes.fromhex("01 03 48656c 88 02 03e8")])
    assert passed == Passed([told(target, CLIENT, ("close", b""))], ending=Close(1000))


@cases(("source", "target"), [("hybi-08", "rfc6455"), ("rfc6455", "hybi-07")])
def test_a_close_may_stand_between_fragments(source: str, target: str) -> None:
    between = direction(source, target, UPSTREAM)
    received = bytes.fromhex("01 03 48656c 88 02 03e8")
    assert put_through(between, [received]) == Passed([received], ending=Close(1000))
    assert between.unfinished() == 0
    assert not between.inside()


# RFC 6455, 7.4.1 and 7.4.2. Drafts 06 to 10 use 1004 for what became 1009.
UNSENDABLE = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]


@both_roles
@from_each_of(WITH_CODES)
def test_a_close_code_that_must_not_be_sent_is_never_sent(source: str, target: str, role: Role) -> None:
    for code in UNSENDABLE:
        if code == 1004 and source != "rfc6455":
            continue
        close = said(source, role, ("close", code.to_bytes(2, "big") + b"bye"))
        assert put_through(direction(source, target, role), [close]) == Passed([b""], ending=1002), code


@from_each_of(WITH_CODES)
def test_bytes_before_an_invalid_close_are_passed_on(source: str, target: str) -> None:
    received = said(source, UPSTREAM, ("text", b"one"), ("close", b"\x03\xee"))
    passed = put_through(direction(source, target, UPSTREAM), [received])
    assert passed == Passed([told(target, CLIENT, ("text", b"one"))], ending=1002)


def close_of(dialect: str, role: Role, code: int, reason: bytes) -> bytes:
    """Return the payload of this Close from a side with this role."""
    return close_payload(dialect, code, reason, by_client=role is Role.CLIENT)


@both_roles
@from_each_of(("rfc6455",))
def test_a_code_that_a_draft_does_not_have_is_left_out_with_its_reason(source: str, target: str, role: Role) -> None:
    for code in sorted(FACTS["rfc6455"].codes):
        received = said(source, role, ("close", code.to_bytes(2, "big") + b"bye"))
        forward = told(target, other(role), ("close", close_of(target, other(role), code, b"bye")))
        passed = put_through(direction(source, target, role), [received])
        assert passed == Passed([forward], ending=Close(code, "bye")), code


@both_roles
@from_each_of(("hybi-06", *LATER))
def test_the_codes_of_a_draft_are_those_of_the_standard_but_one(source: str, target: str, role: Role) -> None:
    for code in sorted(FACTS[source].codes):
        received = said(source, role, ("close", close_of(source, other(role), code, b"bye")))
        forward = told(target, other(role), ("close", close_of(target, other(role), code, b"bye")))
        passed = put_through(direction(source, target, role), [received])
        assert passed == Passed([forward], ending=Close(code, "bye")), code


@both_roles
@from_each_of((*MORE, "hybi-04", "hybi-05"))
def test_a_close_of_drafts_without_codes_has_none_elsewhere(source: str, target: str, role: Role) -> None:
    received = said(source, role, ("close", close_of(source, other(role), 1000, b"")))
    forward = told(target, other(role), ("close", close_of(target, other(role), 0, b"")))
    assert put_through(direction(source, target, role), [received]) == Passed([forward], ending=Close())


# -- the end of the stream --------------------------------------------------------------------------------------

# What the target gets for an end between frames: the close of hixie clients, which have no other.
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


@cases("before", ["", "00 48656c6c6f ff", "80 02 6161", "01 61 ff"])
@cases(("role", "source", "target", "forward"), GOODBYES)
def test_the_end_of_a_hixie_stream_is_a_close(role: Role, source: str, target: str, forward: str, before: str) -> None:
    ended = direction(source, target, role)
    ended.feed(bytes.fromhex(before))
    step = ended.finish()
    assert (step.forward, step.reply, step.ending) == (bytes.fromhex(forward), b"", Close())


@cases("before", ["00", "00 48656c6c6f", "00 61 ff 00", "80", "80 02 61", "01 61", "ff"])
@cases("target", DIALECTS)
@cases("source", HIXIE)
def test_the_end_of_a_hixie_stream_inside_a_frame_is_a_fault(source: str, target: str, before: str) -> None:
    ended = direction(source, target, CLIENT)
    ended.feed(bytes.fromhex(before))
    step = ended.finish()
    assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", 1006)


ALL_WORDS: list[Word] = [("text", b"a"), ("begin", b"b"), ("ping", b"one"), ("more", b""), ("end", b"c"), ("pong", b"")]


@both_roles
@from_each_of((*MORE, *COVERED, *FRAMES))
def test_the_end_of_a_stream_of_frames_is_a_fault_wherever_it_is(source: str, target: str, role: Role) -> None:
    received = said(source, role, *ALL_WORDS)
    for at in range(len(received) + 1):
        ended = direction(source, target, role)
        ended.feed(received[:at])
        step = ended.finish()
        assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", 1006)


# -- limits: what breaks them never leaves ----------------------------------------------------------------------


def head_of(dialect: str, size: int) -> bytes:
    """Return the head of a whole text, from an upstream, without its payload."""
    return told(dialect, CLIENT, ("text", bytes(size)))[:-size]


TOO_BIG_HIXIE: list[tuple[str, bytes, list[Word]]] = [
    ("hixie-76", b"\x00one\xff\x00five\xff", [("text", b"one")]),
    ("hixie-76", b"\x00one\xff\x00five", [("text", b"one")]),
    ("hixie-75", b"\x00one\xff\x80\x04", [("text", b"one")]),
]
# Even if only the head of a frame that exceeds a limit has come.
TOO_BIG: list[tuple[Limits, list[Word], int, list[Word]]] = [
    (Limits(message_bytes=3), [("text", b"one"), ("text", b"five")], 0, [("text", b"one")]),
    (Limits(message_bytes=3), [("text", b"one")], 4, [("text", b"one")]),
    (Limits(message_bytes=3), [("begin", b"on"), ("end", b"ee")], 0, [("begin", b"on")]),
    (Limits(message_bytes=3), [("begin", b"one"), ("more", b""), ("end", b"!")], 0, [("begin", b"one"), ("more", b"")]),
    (Limits(message_bytes=3), [], 1000, []),
    (Limits(message_bytes=3), [], 70000, []),
    (Limits(fragments=2), [("begin", b"a"), ("more", b"b"), ("end", b"c")], 0, [("begin", b"a"), ("more", b"b")]),
    (Limits(fragments=2), [("begin", b""), ("more", b""), ("end", b"")], 0, [("begin", b""), ("more", b"")]),
]


@from_each_of((*MORE, *COVERED, *FRAMES))
def test_only_the_part_of_a_message_within_the_limits_is_sent(source: str, target: str) -> None:
    for limits, words, size, within in TOO_BIG:
        received = said(source, UPSTREAM, *words) + (head_of(source, size) if size else b"")
        passed = put_through(direction(source, target, UPSTREAM, TranslationOptions(limits)), [received])
        # In hixie a message is one frame, which is held until it is complete.
        whole = [word for word in within if target not in HIXIE or word[0] == "text"]
        assert (passed.forward, passed.ending) == (told(target, CLIENT, *whole), 1009), words


@cases("target", DIALECTS)
def test_a_length_of_all_bits_but_the_first_is_only_too_big(target: str) -> None:
    passed = put_through(direction("rfc6455", target, UPSTREAM), [bytes.fromhex("81 7f 7fffffffffffffff")])
    assert passed == Passed([b""], ending=1009)


@cases("target", DIALECTS)
@cases(("source", "received", "within"), TOO_BIG_HIXIE)
def test_a_text_of_hixie_beyond_the_limits_is_not_sent(
    source: str, received: bytes, within: list[Word], target: str
) -> None:
    passed = put_through(direction(source, target, UPSTREAM, TranslationOptions(Limits(message_bytes=3))), [received])
    assert (passed.forward, passed.ending) == (told(target, CLIENT, *within), 1009)


@both_roles
@from_each_of(tuple(DIALECTS))
def test_messages_at_the_limit_pass(source: str, target: str, role: Role) -> None:
    for cut in CUTS:
        limited = direction(source, target, role, TranslationOptions(Limits(message_bytes=3)))
        passed = put_through(limited, cut(said(source, role, ("text", b"one")) * 3))
        assert passed.ending is None
        assert limited.messages == 3


# -- compression ------------------------------------------------------------------------------------------------


@from_each_of((*MORE, *COVERED, *FRAMES))
def test_a_compressed_message_is_refused_if_compression_was_not_agreed(source: str, target: str) -> None:
    first = LAYOUTS[source].first("text", reserved=0x40)
    received = bytes([first]) + bytes.fromhex("07 f248cdc9c90700")
    assert put_through(direction(source, target, UPSTREAM), [received]) == Passed([b""], ending=1002)
