"""The ends of sessions between every two dialects: with a Close, without one, and with broken text."""

from itertools import product
from typing import get_args

from tests.dialects.families import FACTS, WITH_CODES
from tests.dialects.feeding import CUTS, Heard, cut_at_random, text, whole
from wsgateway.dialects import Framing
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Close, Event, Fragment, Kind
from wsgateway.wire.utf8 import InvalidUtf8

from .passing import ending_of, put_through
from .ways import NO_CLOSE, Arrived, Way, arrived, cuts, every_way, everywhere, ways

where_the_source_has_close = ways(lambda source, target: source.has_close)
where_the_source_has_codes = ways(lambda source, target: bool(source.close_codes))
where_text_may_be_broken = ways(lambda source, target: source.repairs_text)
where_text_may_not_be_broken = ways(lambda source, target: not source.repairs_text)

CODES = sorted(FACTS["rfc6455"].codes)


def as_heard(close: Close, framing: Framing, known: frozenset[int]) -> list[Event]:
    """Return a Close as such a side reads it: without a code, unless the side has this code."""
    if not framing.has_close:
        return []
    return [close if close.code in known else Close()]


# -- close ------------------------------------------------------------------------------------------------------


@where_the_source_has_close
def test_a_close_without_a_code_stays_without_one(way: Way) -> None:
    received = way.write(text("last"), Close()) + way.write(text("too late"))
    expected = Arrived(Heard([text("last"), *as_heard(Close(), way.target.framing, frozenset())]), [], Close())
    for pieces in [*cuts(received), *everywhere(received)]:
        assert way.pass_on(pieces) == expected


@where_the_source_has_codes
def test_a_close_keeps_its_code_if_both_dialects_have_it(way: Way) -> None:
    source, target = FACTS[way.source.name].codes, FACTS[way.target.name].codes
    for code in CODES:
        close = Close(code, "au revoir")
        [said] = as_heard(close, way.source.framing, source)
        heard = as_heard(close, way.target.framing, source & target)
        for pieces in cuts(way.write(text("last"), close)):
            assert way.pass_on(pieces) == Arrived(Heard([text("last"), *heard]), [], said)


@where_the_source_has_codes
def test_too_big_is_sent_in_every_dialect_that_has_it(way: Way) -> None:
    """1009, or 1004 as draft 06 calls it, in all dialects with codes."""
    passed = way.pass_on([way.write(Close(1009, "too big"))])
    assert passed.ending == Close(1009, "too big")
    if way.target.name in WITH_CODES:
        assert passed.heard.events == [Close(1009, "too big")]
    else:
        assert passed.heard.events == ([] if way.target.name == "hixie-75" else [Close()])


@ways(lambda source, target: source.has_close and not source.delimits_text)
def test_a_close_inside_a_message_passes_where_it_cannot_be_read_as_text(way: Way) -> None:
    received = way.write(text("Hel", final=False), Close())
    for cut in CUTS:
        passed = way.pass_on(cut(received))
        assert passed.ending == Close()
        if way.target.framing.delimits_text:  # the beginning of the message is held
            assert passed.heard == Heard(as_heard(Close(), way.target.framing, frozenset()))
        else:
            assert passed.heard == Heard([Close()], text("Hel", final=False))


# -- the end of the stream --------------------------------------------------------------------------------------


@every_way
def test_a_stream_that_ends_between_messages(way: Way) -> None:
    """It is a close in dialects whose clients have no other (the same that do not answer one)."""
    for before in ([], [text("last")]):
        ended = way.translator()
        begun = ended.feed(way.write(*before))
        step = ended.finish()
        assert step.reply == b""
        heard = way.read([begun.forward, step.forward])
        if way.source.framing.answers_close:
            assert ending_of(step.ending) == NO_CLOSE
            assert heard == Heard([*before])
        else:
            assert step.ending == Close()
            assert heard == Heard([*before, *as_heard(Close(), way.target.framing, frozenset())])


@every_way
def test_a_stream_that_ends_inside_a_frame_leaves_its_message_unfinished(way: Way) -> None:
    before, last = way.write(text("whole")), way.write(text("cut off"))
    for at in range(1, len(last)):
        for pieces in (whole(before + last[:at]), cut_at_random(before + last[:at])):
            ended = way.translator()
            passed = put_through(ended, pieces)
            step = ended.finish()
            assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", NO_CLOSE)
            heard = way.read(passed.steps)
            assert heard.events == [text("whole")]
            assert heard.unfinished is None or b"cut off".startswith(heard.unfinished.data)


@ways(lambda source, target: source.answers_close)
def test_a_stream_that_ends_between_fragments_leaves_their_message_unfinished(way: Way) -> None:
    ended = way.translator()
    begun = ended.feed(way.write(text("Hel", final=False)))
    step = ended.finish()
    assert (step.forward, step.reply, ending_of(step.ending)) == (b"", b"", NO_CLOSE)
    assert way.read([begun.forward]) == Heard([], None if way.target.framing.delimits_text else text("Hel", False))


# -- broken text ------------------------------------------------------------------------------------------------

# Broken UTF-8, and its repaired form: a U+FFFD for each longest part of a character, or else for each byte (the Unicode
# standard, 3.9).
BROKEN = {
    "FF alone": (b"a\xff\xfeb", "a\ufffd\ufffdb"),
    "a lone surrogate of WebKit": (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    "Latin-1": (b"caf\xe9 \xfc", "caf\ufffd \ufffd"),
    "half a character at the end": (b"\xe2\x82\xac\xf0\x9f\x98", "\u20ac\ufffd"),
    "half a character in the middle": (b"\xe2\x82 \xe2\x82\xac", "\ufffd \u20ac"),
    "an overlong slash": (b"\xc0\xaf", "\ufffd\ufffd"),
    "beyond U+10FFFF": (b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),
}


def messages_with(fault: str, way: Way) -> tuple[list[Event], bytes, str]:
    """Return texts of which one is broken; the broken one; and the same texts, repaired."""
    broken, repaired = BROKEN[fault]
    if way.source.framing.delimits_text:
        broken = broken.replace(b"\xff", b"\xfe")  # FF would end the text
    return [text("before"), text(broken), text("behind")], broken, repaired


@where_text_may_be_broken
def test_broken_text_is_repaired_from_dialects_whose_clients_send_it(way: Way) -> None:
    for fault, cut in product(BROKEN, CUTS):
        events, broken, repaired = messages_with(fault, way)
        # Frames that pass unchanged are checked by their reader, which such dialects require.
        expected = broken if way.is_walked else repaired.encode()
        passed = way.pass_on(cut(way.write(*events)))
        assert passed == arrived(text("before"), text(expected), text("behind")), fault


@where_text_may_be_broken
def test_broken_text_ends_a_session_that_may_not_repair_it(way: Way) -> None:
    for fault, cut in product(BROKEN, CUTS):
        events, broken, _ = messages_with(fault, way)
        passed = way.pass_on(cut(way.write(*events)), TranslationOptions(invalid_utf8="close"))
        if way.is_walked:
            assert passed == arrived(text("before"), text(broken), text("behind"))
            continue
        assert (passed.heard.events, passed.ending) == ([text("before")], 1007), fault


@where_text_may_not_be_broken
def test_broken_text_of_later_dialects_is_never_repaired(way: Way) -> None:
    """The readers of such frames refuse it themselves; in hixie it could look like the end of a text."""
    for fault, cut, invalid_utf8 in product(BROKEN, CUTS, get_args(InvalidUtf8)):
        events, broken, _ = messages_with(fault, way)
        passed = way.pass_on(cut(way.write(*events)), TranslationOptions(invalid_utf8=invalid_utf8))
        if way.target.framing.delimits_text:
            assert (passed.heard.events, passed.ending) == ([text("before")], 1007), fault
        else:
            assert passed == arrived(text("before"), text(broken), text("behind")), fault


@ways(lambda source, target: source.repairs_text and source.carries_ping)
def test_text_that_breaks_between_fragments_is_repaired_as_if_it_were_whole(way: Way) -> None:
    fragments = [Fragment(Kind.TEXT, part, False) for part in (b"\xe2", b"", b"\x82", b"A\xed", b"\xa0\x80\xf0")]
    received = way.write(*fragments, text(b""), text("behind"))
    joined = b"\xe2\x82A\xed\xa0\x80\xf0" if way.is_walked else "\ufffdA\ufffd\ufffd\ufffd\ufffd".encode()
    for pieces in cuts(received):
        assert way.pass_on(pieces) == arrived(text(joined), text("behind"))
