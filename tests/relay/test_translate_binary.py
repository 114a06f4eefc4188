"""Binary messages to and from a side that has only text, in bytes: what is sent for each read."""

from dataclasses import replace

from tests.cases import cases
from tests.dialects.families import HIXIE, NAMES
from tests.dialects.feeding import byte_by_byte, other
from wsgateway.dialects import Limits
from wsgateway.relay.translate import translator
from wsgateway.wire.binary import Decode, Encode
from wsgateway.wire.events import Close, Role

from .passing import CLIENT, UPSTREAM, Passed, by, direction, put_through, side
from .spelling import Word, said, told

# -- binary as text ---------------------------------------------------------------------------------------------

# The text of a message of 4 bytes, 00 7F 80 FF, for each rule.
WRITTEN: dict[Encode, str] = {
    "base64": "00 41482b412f773d3d ff",  # AH+A/w==
    "latin-1": "00 00 7f c280 c3bf ff",
    "hex": "00 3030376638306666 ff",
}


@cases(("encode", "forward"), WRITTEN.items())
def test_binary_is_sent_as_one_text(encode: Encode, forward: str) -> None:
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM, by(encode)), [bytes.fromhex("82 04 007f80ff")])
    assert passed == Passed([bytes.fromhex(forward)])


def test_base64_is_sent_as_one_text_in_whatever_pieces_it_came() -> None:
    streamed = direction("rfc6455", "hixie-76", UPSTREAM, by("base64"))
    passed = put_through(streamed, byte_by_byte(b"\x02\x04lieg\x80\x01t\x82\x01M"))
    # RFC 4648, 4: "lie" is bGll, "gt" is Z3Q=, and "M" is TQ==.
    assert [step for step in passed.steps if step] == [b"\x00bGllZ3Q=\xff", b"\x00TQ==\xff"]
    assert streamed.messages == 2


def test_latin_1_and_hex_are_sent_when_they_are_complete() -> None:
    received = [b"\x02\x02\x00\xff", b"\x00\x00", b"\x80\x01a"]
    passed = put_through(direction("rfc6455", "hixie-75", UPSTREAM, by("latin-1")), received)
    assert passed.steps == [b"", b"", b"\x00\x00\xc3\xbfa\xff"]
    passed = put_through(direction("rfc6455", "hixie-75", UPSTREAM, by("hex")), received)
    assert passed.steps == [b"", b"", b"\x0000ff61\xff"]


@cases("encode", WRITTEN)
def test_a_binary_message_cut_short_is_never_finished(encode: Encode) -> None:
    cut = direction("rfc6455", "hixie-76", UPSTREAM, by(encode))
    assert put_through(cut, [b"\x02\x03abc\x88\x00"]) == Passed([b"\xff\x00"], ending=Close())
    unheld = direction("rfc6455", "hixie-76", UPSTREAM, replace(by(encode), limits=Limits(join_bytes=0)))
    passed = put_through(unheld, [b"\x02\x03abc\x88\x00"])
    assert passed.ending == Close()
    assert passed.forward in (b"\x00YWJj", b"\x00abc", b"\x00616263")
    assert unheld.inside()


def test_a_limit_counts_the_bytes_that_come_and_not_their_text() -> None:
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM, by("hex")), [b"\x82\x7f" + (2**24).to_bytes(8)])
    assert passed == Passed([b""])
    passed = put_through(direction("rfc6455", "hixie-76", UPSTREAM, by("hex")), [b"\x82\x7f" + (2**24 + 1).to_bytes(8)])
    assert passed == Passed([b""], ending=1009)


# -- text as binary ---------------------------------------------------------------------------------------------

READ: dict[Decode, str] = {
    "base64": "00 41482b412f773d3d ff",
    "latin-1": "00 00 7f c280 c3bf ff",
    "hex": "00 3030376638304646 ff",
}


@cases(("decode", "received"), READ.items())
def test_text_is_sent_as_one_binary_message(decode: Decode, received: str) -> None:
    decoded = direction("hixie-76", "rfc6455", UPSTREAM, by(decode=decode))
    assert put_through(decoded, [bytes.fromhex(received)]) == Passed([bytes.fromhex("82 04 007f80ff")])


def test_base64_becomes_one_binary_frame() -> None:
    streamed = direction("hixie-76", "rfc6455", UPSTREAM, by(decode="base64"))
    passed = put_through(streamed, byte_by_byte(b"\x00bGllZ3Q=\xff\x00\xff"))
    assert [step for step in passed.steps if step] == [b"\x82\x05liegt", b"\x82\x00"]
    assert streamed.messages == 2


# Python's own base64 accepts these, if they come in one piece.
TOO_MUCH_PADDING = [b"QUJD=", b"QUJD==", b"QUJD====", b"QQ==="]


@cases("wrong", TOO_MUCH_PADDING)
def test_needless_padding_is_refused_however_it_comes(wrong: bytes) -> None:
    received = b"\x00" + wrong + b"\xff"
    for at in range(len(received)):
        decoded = direction("hixie-76", "rfc6455", UPSTREAM, by(decode="base64"))
        assert put_through(decoded, [received[:at], received[at:]]).ending == 1007, at


def test_text_that_is_repaired_is_no_binary_message() -> None:
    for decode in READ:
        passed = put_through(direction("hixie-76", "rfc6455", UPSTREAM, by(decode=decode)), [b"\x00\xed\xa0\x80\xff"])
        assert passed == Passed([b""], ending=1007)


# -- dialects that have binary messages, and clients that cannot take them ---------------------------------------


@cases("dialect", [name for name in NAMES if name not in HIXIE])
@cases("role", [CLIENT, UPSTREAM], ids=["from a client", "from an upstream"])
def test_frames_of_the_same_kind_are_translated_where_one_side_takes_no_binary(dialect: str, role: Role) -> None:
    """In one direction binary becomes text, in the other text becomes binary; pings and all else pass unchanged."""
    options = by("hex", "hex")
    keys = iter([bytes.fromhex("37fa213d")] * 10)
    words: list[Word] = [("ping", b"p"), ("text", b"00fF"), ("pong", b"")]
    restricted = side(dialect, role, takes_binary=False), side(dialect, other(role))
    passed = put_through(translator(*restricted, options, keys), [said(dialect, role, *words)])
    assert passed == Passed([told(dialect, other(role), ("ping", b"p"), ("binary", b"\x00\xff"), ("pong", b""))])

    words = [("ping", b"p"), ("binary", b"\x00\xff"), ("text", b"t")]
    restricted = side(dialect, role), side(dialect, other(role), takes_binary=False)
    passed = put_through(translator(*restricted, options, keys), [said(dialect, role, *words)])
    assert passed == Passed([told(dialect, other(role), ("ping", b"p"), ("text", b"00ff"), ("text", b"t"))])
