"""What C takes of the bytes of a side, and what it leaves to Python.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

from itertools import repeat

import pytest

from tests.cases import cases
from tests.dialects.vectors import MASK_KEY
from tests.relay.passing import CLIENT, UPSTREAM, USUAL, by, side
from wsgateway import native
from wsgateway.dialects.base import Layout, Limits, Plan
from wsgateway.native import Lane
from wsgateway.relay.translate import TranslationOptions, translator

pytestmark = pytest.mark.skipif(native.step is None, reason="needs the module in C: apt install gcc libpython3-dev")

MASKED_HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
HIXIE, HYBI, RFC = "hixie-76", "hybi-08", "rfc6455"


def lane(source: str, target: str, options: TranslationOptions = USUAL) -> Lane:
    """Return the lane from a client of one dialect to an upstream of the other."""
    made = translator(side(source, CLIENT), side(target, UPSTREAM), options, repeat(MASK_KEY))
    assert made.plan is not None
    equipped = Lane()
    equipped.equip(0, 0, made.plan)
    return equipped


def limited(message_bytes: int) -> TranslationOptions:
    return TranslationOptions(Limits(message_bytes=message_bytes))


@cases(
    ("source", "target", "data", "taken", "forward"),
    [
        # Whole messages, as many as there are.
        (RFC, RFC, MASKED_HELLO, 11, MASKED_HELLO),
        (RFC, RFC, MASKED_HELLO * 3, 33, MASKED_HELLO * 3),
        (HIXIE, RFC, b"\x00Hello\xff", 7, MASKED_HELLO),
        (HIXIE, RFC, b"\x00Hello\xff" * 2, 14, MASKED_HELLO * 2),
        (RFC, HIXIE, MASKED_HELLO, 11, b"\x00Hello\xff"),
        (HIXIE, HIXIE, b"\x00Hello\xff", 7, b"\x00Hello\xff"),
        (HYBI, RFC, MASKED_HELLO, 11, MASKED_HELLO),
        (HIXIE, RFC, b"\x00\xff", 2, bytes.fromhex("81 80 37fa213d")),
        # The euro sign is UTF-8.
        (RFC, HIXIE, bytes.fromhex("81 83 00000000 e282ac"), 9, b"\x00\xe2\x82\xac\xff"),
        # A walk takes the beginning of a message, too.
        (RFC, RFC, MASKED_HELLO[:6], 6, MASKED_HELLO[:6]),
        (RFC, RFC, MASKED_HELLO[:10], 10, MASKED_HELLO[:10]),
        (RFC, RFC, MASKED_HELLO[:5], 0, b""),
        (HIXIE, RFC, b"\x00Hello", 0, b""),
        (RFC, HIXIE, MASKED_HELLO[:10], 0, b""),
        # Binary messages have no place in hixie.
        (RFC, RFC, b"\x82" + MASKED_HELLO[1:], 11, b"\x82" + MASKED_HELLO[1:]),
        (RFC, HIXIE, b"\x82" + MASKED_HELLO[1:], 0, b""),
        # Where something else follows, that is left.
        (HIXIE, RFC, b"\x00Hello\xff\xff\x00", 7, MASKED_HELLO),
        (HIXIE, RFC, b"\x00Hello\xff\x00", 7, MASKED_HELLO),
        (RFC, RFC, MASKED_HELLO + bytes.fromhex("89 80 00000000"), 11, MASKED_HELLO),
        (RFC, HIXIE, MASKED_HELLO + bytes.fromhex("81 82 00000000 c0af"), 11, b"\x00Hello\xff"),
    ],
)
def test_c_takes_whole_messages(source: str, target: str, data: bytes, taken: int, forward: bytes) -> None:
    assert lane(source, target).pass_on(data, repeat(MASK_KEY)) == (taken, forward)


def test_every_whole_message_is_counted() -> None:
    for source, data in ((RFC, MASKED_HELLO), (HIXIE, b"\x00Hello\xff")):
        counting = lane(source, RFC)
        counting.pass_on(data * 3, repeat(MASK_KEY))
        assert counting.passed == 3


@pytest.mark.parametrize("at", range(17))
def test_text_that_is_not_utf_8_is_left_wherever_it_is_broken(at: int) -> None:
    text = b"x" * at + b"\xbf" + b"x" * (16 - at)
    assert lane(HIXIE, RFC).pass_on(b"\x00" + text + b"\xff", repeat(MASK_KEY)) == (0, b"")


@cases(
    "data",
    [
        bytes.fromhex("01 85 37fa213d 7f9f4d5158"),  # the first fragment of a text
        bytes.fromhex("80 85 37fa213d 7f9f4d5158"),  # a continuation
        bytes.fromhex("88 80 37fa213d"),  # a Close
        bytes.fromhex("89 80 37fa213d"),  # a ping
        bytes.fromhex("83 80 37fa213d"),  # an opcode that there is not
        bytes.fromhex("c1 80 37fa213d"),  # a reserved bit
        b"\x81\x05Hello",  # no mask
        bytes.fromhex("81 fe 0005 37fa213d 7f9f4d5158"),  # a length of 5 in two bytes
        bytes.fromhex("81 fe 007d 37fa213d") + bytes(125),  # of 125
        bytes.fromhex("81 ff 000000000000ffff 37fa213d") + bytes(65535),  # of 65535 in eight
        bytes.fromhex("81 ff 0000000000000005 37fa213d 7f9f4d5158"),  # in eight
        bytes.fromhex("81 ff ffffffffffffffff 37fa213d 7f9f4d5158"),  # more than there can be
        bytes.fromhex("81 ff 7fffffffffffffff 37fa213d 7f9f4d5158"),  # more than is allowed
        b"\x81",
        b"",
    ],
)
@pytest.mark.parametrize("target", [RFC, HIXIE])
def test_c_leaves_what_is_not_usual(target: str, data: bytes) -> None:
    assert lane(RFC, target).pass_on(data, repeat(MASK_KEY)) == (0, b"")


@pytest.mark.parametrize(("length", "taken"), [(99, True), (100, True), (101, False)])
def test_a_message_beyond_the_limit_is_left(length: int, taken: bool) -> None:
    text = b"x" * length
    for source, data in ((HIXIE, b"\x00" + text + b"\xff"), (RFC, bytes((0x81, 0x80 | length)) + bytes(4) + text)):
        assert bool(lane(source, RFC, limited(100)).pass_on(data, repeat(MASK_KEY))[0]) is taken


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70000])
def test_messages_of_any_length_pass(length: int) -> None:
    head = bytes((0x81,)) + (
        bytes((0x80 | length,))
        if length < 126
        else b"\xfe" + length.to_bytes(2, "big")
        if length < 65536
        else b"\xff" + length.to_bytes(8, "big")
    )
    text = b"a" * length
    plain = head + bytes(4) + text
    assert lane(RFC, HIXIE).pass_on(plain, repeat(MASK_KEY)) == (len(plain), b"\x00" + text + b"\xff")
    assert lane(HIXIE, RFC).pass_on(b"\x00" + text + b"\xff", repeat(bytes(4))) == (length + 2, plain)
    assert lane(RFC, RFC).pass_on(plain, repeat(MASK_KEY)) == (len(plain), plain)


def test_a_walk_counts_a_message_at_its_end_and_knows_how_much_is_left() -> None:
    walking = lane(RFC, RFC)
    for size, left, passed in ((6, 5, 0), (2, 3, 0), (3, 0, 1)):
        assert walking.pass_on(MASKED_HELLO[:6] if size == 6 else bytes(size), repeat(b""))[0] == size
        assert (walking.left, walking.passed) == (left, passed)


def test_a_compressed_message_passes_where_that_was_agreed() -> None:
    compressed = b"\xc1" + MASKED_HELLO[1:]
    walking = lane(RFC, RFC, TranslationOptions(compressed=True))
    assert walking.pass_on(compressed + MASKED_HELLO, repeat(b"")) == (22, compressed + MASKED_HELLO)


def test_text_between_dialects_that_do_not_check_it_passes_as_it_is() -> None:
    broken = bytes.fromhex("81 81 00000000 fe")
    assert lane(HYBI, RFC).pass_on(broken, repeat(bytes(4))) == (7, broken)


def test_what_is_converted_is_left() -> None:
    made = translator(side(HIXIE, CLIENT), side(RFC, UPSTREAM), by("base64", "base64"), repeat(MASK_KEY))
    assert made.plan is None


@pytest.mark.parametrize("name", ["hybi-04", "hybi-05", "hybi-06"])
def test_frames_that_a_mask_covers_are_left(name: str) -> None:
    made = translator(side(name, CLIENT), side(RFC, UPSTREAM), TranslationOptions(), repeat(MASK_KEY))
    assert made.plan is None
    walker = translator(side(name, CLIENT), side(name, UPSTREAM), TranslationOptions(), repeat(MASK_KEY))
    assert walker.plan is None


def test_what_must_be_joined_is_left() -> None:
    made = translator(side(RFC, CLIENT), side(RFC, UPSTREAM, joins=True), TranslationOptions(), repeat(MASK_KEY))
    assert made.plan is None


def test_an_error_of_the_mask_keys_is_raised() -> None:
    with pytest.raises(RuntimeError, match="no more mask keys"):
        lane(HIXIE, RFC).pass_on(b"\x00Hello\xff", iter(()))
    with pytest.raises(ValueError, match="a mask key of 3 bytes, they have 4"):
        lane(HIXIE, RFC).pass_on(b"\x00Hello\xff", iter([b"abc"]))
    with pytest.raises(TypeError):
        lane(HIXIE, RFC).pass_on(b"\x00Hello\xff", iter(["abcd"]))  # type: ignore[list-item]


def test_a_plan_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError):
        Lane().equip(0, 0, ())
    layout = Layout(0x81, 0x82, True)
    Lane().equip(0, 0, Plan(True, 0, False, layout, layout, 100))
