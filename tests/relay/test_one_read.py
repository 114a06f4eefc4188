"""A message that is read at once: it leaves as one that comes in pieces, and costs the same up to 64 KiB."""

from collections.abc import Iterator
from itertools import islice, product

import pytest

from tests.cases import cases
from tests.dialects.feeding import other
from tests.dialects.layouts import LAYOUTS, Masked, has_walker
from tests.steps import steps
from wsgateway.dialects import Limits
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Role

from .passing import Passed, direction, put_through
from .spelling import said, told
from .ways import DISTINCT, everywhere

NAMES = [dialect.name for dialect in DISTINCT]
PAIRS = list(product(NAMES, NAMES, Role))
every_pair = cases(("source", "target", "role"), PAIRS, ids=str)
# Where a length is written in another way, and where a frame no longer fits into a read.
SMALL = (0, 1, 124, 125, 126, 127, 128, 300)
LARGE = (65_535, 65_536)
CONTENTS = {"ascii": b"a", "accents": "\u00e9a".encode(), "wide": "\u20ac".encode()}
# No text is sent in fragments because it is long.
JOINED = TranslationOptions(Limits(join_bytes=2**20))


def text_of(size: int, content: bytes) -> bytes:
    """Return a text of so many bytes; it begins with letters if characters do not fit."""
    return b"x" * (size % len(content)) + content * (size // len(content))


def some_cuts(data: bytes) -> Iterator[list[bytes]]:
    """Return the bytes cut once: within the head, in the middle, and before the end."""
    for at in {*range(1, min(len(data), 15)), len(data) // 2, len(data) - 1} - {0}:
        yield [data[:at], data[at:]]


def passed(source: str, target: str, role: Role, pieces: list[bytes], options: TranslationOptions = JOINED) -> Passed:
    """Return what becomes of these pieces, and of a message behind them, which shows whether something is kept."""
    behind = said(source, role, ("text", b"behind"))
    found = put_through(direction(source, target, role, options), [*pieces, behind])
    return Passed([found.forward], found.reply, found.ending)


@every_pair
def test_a_text_that_is_read_at_once_leaves_as_one_that_is_cut_anywhere(source: str, target: str, role: Role) -> None:
    for content, size in [*product(CONTENTS, SMALL), *(("ascii", size) for size in LARGE)]:
        payload = text_of(size, CONTENTS[content])
        data = said(source, role, ("text", payload))
        expected = Passed([told(target, other(role), ("text", payload), ("text", b"behind"))])
        assert passed(source, target, role, [data]) == expected, (content, size)
        cuts = everywhere(data) if (content, size) == ("accents", 126) else some_cuts(data)
        for pieces in islice(cuts, 0, None, 5 if size in LARGE else 1):
            assert passed(source, target, role, pieces) == expected, (content, size, len(pieces[0]))


@every_pair
@cases("broken", [b"\xc3", b"\xed\xa0\x80"], ids=bytes.hex)
def test_a_broken_text_is_refused_or_repaired_however_it_is_read(
    source: str, target: str, role: Role, broken: bytes
) -> None:
    for size in (0, 125, 300):
        data = said(source, role, ("text", b"a" * size + broken))
        whole = passed(source, target, role, [data])
        assert whole.ending in (None, 1007)
        for pieces in some_cuts(data):
            assert passed(source, target, role, pieces).ending == whole.ending
            if whole.ending is None:
                assert passed(source, target, role, pieces) == whole


@cases(("source", "target", "role"), [pair for pair in PAIRS if pair[0] in LAYOUTS], ids=str)
def test_a_length_that_could_be_written_shorter_counts_as_when_it_is_cut(source: str, target: str, role: Role) -> None:
    layout = LAYOUTS[source]
    for written, payload in product((2, 8), (0, 1, 124, 125, 126, 127)):
        data = layout.to(role, layout.first("text"), b"a" * payload, written)
        whole = passed(source, target, role, [data])
        for pieces in some_cuts(data):
            assert passed(source, target, role, pieces) == whole, (written, payload)
        too_long = written == 8 or payload < 126
        assert whole.ending == (1002 if too_long and source == "rfc6455" else None)


@cases(("source", "target", "role"), [pair for pair in PAIRS if pair[0] in LAYOUTS], ids=str)
def test_a_length_in_8_bytes_is_not_taken_for_one_in_2(source: str, target: str, role: Role) -> None:
    layout = LAYOUTS[source]
    masks = layout.masked if role is Role.SERVER else Masked.NOTHING
    for size in (126, 300):
        # Two of the eight bytes would be the length of what is here. Together they say that a million TiB follow.
        second, rest = (0xFF, b"\0" * (4 + size)) if masks is Masked.PAYLOAD else (0x7F, b"\0" * size)
        data = bytes((layout.first("text"), second)) + size.to_bytes(2, "big") + rest
        found = passed(source, target, role, [layout.cover(data) if masks is Masked.FRAME else data])
        assert (found.forward, found.ending) == (b"", 1009)


@every_pair
def test_no_message_beyond_the_limit_is_passed_on_because_it_is_read_at_once(
    source: str, target: str, role: Role
) -> None:
    for limit in (40, 125, 126, 127, 300):
        options = TranslationOptions(Limits(message_bytes=limit, join_bytes=2**20))
        fits, exceeds = (said(source, role, ("text", b"a" * size)) for size in (limit, limit + 1))
        assert passed(source, target, role, [fits], options).ending is None
        found = passed(source, target, role, [exceeds], options)
        assert (found.forward, found.ending) == (b"", 1009), limit


@every_pair
def test_two_messages_or_half_of_one_are_not_taken_for_one(source: str, target: str, role: Role) -> None:
    for size in (0, 5, 125, 126, 300):
        one = said(source, role, ("text", b"a" * size))
        expected = told(target, other(role), ("text", b"a" * size), ("text", b"a" * size), ("text", b"behind"))
        assert passed(source, target, role, [one + one]).forward == expected
        assert passed(source, target, role, [one + one[:2], one[2:]]).forward == expected
        assert passed(source, target, role, [one[:-1], one[-1:] + one]).forward == expected


@pytest.mark.parametrize("content", [b"a", "\u00e9".encode()], ids=["ascii", "accents"])
@cases(("source", "target", "role"), PAIRS, ids=str)
def test_a_text_of_60000_bytes_takes_hardly_more_steps_than_a_short_one(
    source: str, target: str, role: Role, content: bytes
) -> None:
    def needed(size: int) -> int:
        data = said(source, role, ("text", text_of(size, content)))
        translator = direction(source, target, role, JOINED)
        translator.feed(data)
        return steps(lambda: translator.feed(data))

    few = needed(100)
    assert all(needed(size) <= few + 12 for size in (126, 60_000)), (few, needed(126), needed(60_000))


@cases(("source", "target", "role"), [pair for pair in PAIRS if pair[0] == pair[1] and has_walker(pair[0])], ids=str)
def test_so_does_a_binary_message_that_passes_unchanged(source: str, target: str, role: Role) -> None:
    def needed(size: int) -> int:
        data = said(source, role, ("binary", b"\xff" * size))
        translator = direction(source, target, role, JOINED)
        assert translator.feed(data).forward[-size:] == told(target, other(role), ("binary", b"\xff" * size))[-size:]
        return steps(lambda: translator.feed(data))

    assert all(needed(size) <= needed(100) + 6 for size in (126, 60_000))
