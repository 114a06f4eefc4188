"""Binary messages as text and back, cut in any way."""

import base64
import binascii

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsgateway.errors import ProtocolError
from wsgateway.wire.binary import BinaryRule, Converter, Decode, Encode, from_text, to_text

from .cutting import cut

QUICK = settings(max_examples=150, database=None)
FORMS: list[Decode] = ["base64", "latin-1", "hex"]
EVERY_FORM = pytest.mark.parametrize("form", FORMS)


def through(converter: Converter, pieces: list[bytes]) -> bytes:
    """Feed one message to a converter, and return the result."""
    return b"".join([converter.feed(piece, at == len(pieces) - 1) for at, piece in enumerate(pieces)])


def outcome(form: Decode, pieces: list[bytes]) -> bytes | int:
    """Return the binary form of a text, or the close code of its fault."""
    try:
        return through(decoding(form), pieces)
    except ProtocolError as fault:
        return fault.close_code


def decoding(form: Decode) -> Converter:
    converter = from_text(form)
    assert converter is not None
    return converter


# Bytes, and the same in base64, as characters (in UTF-8) and in hexadecimal; written by hand.
EXAMPLES: dict[str, tuple[bytes, bytes, bytes, bytes]] = {
    "nothing": (b"", b"", b"", b""),
    "NUL": (b"\0", b"AA==", b"\0", b"00"),
    "two bytes": (b"\x01\x02", b"AQI=", b"\x01\x02", b"0102"),
    "three bytes": (b"\x7f\x80\xff", b"f4D/", b"\x7f\xc2\x80\xc3\xbf", b"7f80ff"),
    "the last two of the alphabet": (b"\xfb\xef\xff", b"++//", b"\xc3\xbb\xc3\xaf\xc3\xbf", b"fbefff"),
    # RFC 4648, 10.
    "f": (b"f", b"Zg==", b"f", b"66"),
    "fo": (b"fo", b"Zm8=", b"fo", b"666f"),
    "foo": (b"foo", b"Zm9v", b"foo", b"666f6f"),
    "foob": (b"foob", b"Zm9vYg==", b"foob", b"666f6f62"),
    "fooba": (b"fooba", b"Zm9vYmE=", b"fooba", b"666f6f6261"),
    "foobar": (b"foobar", b"Zm9vYmFy", b"foobar", b"666f6f626172"),
}
PAIRS = [
    pytest.param(form, data, texts[at], id=f"{form}-{name}")
    for name, (data, *texts) in EXAMPLES.items()
    for at, form in enumerate(FORMS)
]


def every_cut(data: bytes) -> list[list[bytes]]:
    """Return the data whole, byte by byte, in two pieces at each place, and with empty pieces around it."""
    single = [data[at : at + 1] for at in range(len(data))]
    halves = [[data[:at], data[at:]] for at in range(len(data) + 1)]
    return [[data], [*single, b""], [b"", *single], *halves, [b"", data, b"", b""]]


@pytest.mark.parametrize(("form", "data", "text"), PAIRS)
def test_binary_is_written_as_text(form: Encode, data: bytes, text: bytes) -> None:
    for pieces in every_cut(data):
        assert through(to_text(form), pieces) == text


@pytest.mark.parametrize(("form", "data", "text"), PAIRS)
def test_text_is_read_as_binary(form: Decode, data: bytes, text: bytes) -> None:
    for pieces in every_cut(text):
        assert through(decoding(form), pieces) == data


DATA = st.binary(max_size=200)
MARKS = st.lists(st.integers(0, 500), max_size=8)


def written(form: Decode, data: bytes) -> bytes:
    """Return the text that other modules of Python write for the data."""
    if form == "base64":
        return base64.b64encode(data)
    return binascii.hexlify(data) if form == "hex" else "".join(map(chr, data)).encode()


@EVERY_FORM
@QUICK
@given(data=DATA, marks=MARKS)
def test_any_bytes_are_written_the_same_however_they_are_cut(form: Encode, data: bytes, marks: list[int]) -> None:
    assert form != "reject"
    assert through(to_text(form), cut(data, marks)) == written(form, data)


@EVERY_FORM
@QUICK
@given(data=DATA, marks=MARKS)
def test_any_text_of_a_form_is_read_the_same_however_it_is_cut(form: Decode, data: bytes, marks: list[int]) -> None:
    text = written(form, data)
    assert through(decoding(form), [*cut(text, marks), b""]) == data


@pytest.mark.parametrize("form", ["base64", "hex"])
@QUICK
@given(data=DATA, marks=MARKS)
def test_the_length_of_a_text_is_known_before_it_is_here(form: Encode, data: bytes, marks: list[int]) -> None:
    converter, left, told = to_text(form), len(data), 0
    size = len(base64.b64encode(data) if form == "base64" else data.hex())
    for piece in cut(data, marks):
        assert told + (converter.length(left, final=True) or 0) == size
        left -= len(piece)
        told += len(converter.feed(piece, not left))


@QUICK
@given(data=DATA, marks=MARKS)
def test_the_length_of_the_bytes_of_a_hex_text_is_known_before_it_is_here(data: bytes, marks: list[int]) -> None:
    converter, left, read = decoding("hex"), 2 * len(data), 0
    for piece in cut(written("hex", data), marks):
        assert read + (converter.length(left, final=True) or 0) == len(data)
        left -= len(piece)
        read += len(converter.feed(piece, not left))


def test_a_length_that_depends_on_the_bytes_is_none() -> None:
    assert to_text("latin-1").length(3, final=True) is None
    assert decoding("latin-1").length(4, final=True) is None
    assert decoding("base64").length(4, final=True) is None


def test_half_a_byte_too_many_is_refused_at_the_head() -> None:
    assert decoding("hex").length(3, final=False) == 1
    with pytest.raises(ProtocolError, match="not hex") as fault:
        decoding("hex").length(3, final=True)
    assert fault.value.close_code == 1007


@QUICK
@given(data=DATA)
def test_a_digit_may_be_of_either_case(data: bytes) -> None:
    assert through(decoding("hex"), [binascii.hexlify(data).upper()]) == data


# Texts that nearly have one of the forms, and texts that have none.
NEARLY = st.lists(
    st.sampled_from(
        [b"QQ==", b"QUI=", b"QUJD", b"=", b"==", b"A", b"4", b"41", b"\n", b" ", b"-", b"\xc3\xa9", b"\xe2\x82\xac"]
    )
).map(b"".join)


@pytest.mark.parametrize("form", ["base64", "hex"])
@QUICK
@given(text=NEARLY | st.binary(max_size=12), marks=MARKS)
@example(text=b"QQ==QUJD", marks=[4])
@example(text=b"QQ==\n", marks=[4])
@example(text=b"QQ==", marks=[3, 3])
@example(text=b"QUJD=", marks=[4])
def test_a_text_is_right_or_wrong_however_it_is_cut(form: Decode, text: bytes, marks: list[int]) -> None:
    whole = outcome(form, [text])
    assert whole == 1007 or isinstance(whole, bytes)
    assert outcome(form, cut(text, marks)) == whole
    assert outcome(form, [text[at : at + 1] for at in range(len(text))] + [b""]) == whole


# -- what is wrong ---------------------------------------------------------------------------------------------

WRONG: list[tuple[Decode, str, bytes]] = [
    ("base64", "a character alone", b"Q"),
    ("base64", "without its padding", b"QQ"),
    ("base64", "half of its padding", b"QQ="),
    ("base64", "a padding too many", b"QQ==="),
    ("base64", "padding behind a text that needs none", b"QUJD="),
    ("base64", "two of it", b"QUJD=="),
    ("base64", "four of it", b"QUJD===="),
    ("base64", "padding alone", b"===="),
    ("base64", "padding in front", b"=QQ="),
    ("base64", "padding in the middle of four", b"Q=Q="),
    ("base64", "padding in the middle", b"QQ==QUJD"),
    ("base64", "two texts in one", b"QUI=QUI="),
    ("base64", "a line feed in the middle", b"QUJD\nQUJD"),
    ("base64", "a line feed at the end", b"QUJD\n"),
    ("base64", "a space", b"QUJD QUJD"),
    ("base64", "the alphabet for URLs", b"-_-_"),
    ("base64", "what is not ASCII", "QUJ\u00e9".encode()),
    ("base64", "another padding", b"QQ**"),
    ("hex", "half a byte", b"4"),
    ("hex", "a byte and a half", b"414"),
    ("hex", "no digit", b"4g"),
    ("hex", "a space", b"41 42"),
    ("hex", "a prefix", b"0x41"),
    ("hex", "a line feed at the end", b"41\n"),
    ("hex", "what is not ASCII", "\uff14\uff11".encode()),
    ("latin-1", "a euro sign", "a\u20ac".encode()),
    ("latin-1", "the character behind the last", "\u0100".encode()),
    ("latin-1", "no UTF-8", b"a\xff"),
    ("latin-1", "half a character", b"a\xc3"),
]


@pytest.mark.parametrize(("form", "text"), [pytest.param(form, text, id=f"{form}-{why}") for form, why, text in WRONG])
def test_text_that_is_not_of_its_form_is_a_fault(form: Decode, text: bytes) -> None:
    """1007: the data does not fit the agreed type of the message (RFC 6455, 7.4.1)."""
    for pieces in ([text], [text, b""], [text[:4], text[4:]], [text[at : at + 1] for at in range(len(text))] + [b""]):
        with pytest.raises(ProtocolError, match=f"text that is not {form}") as fault:
            through(decoding(form), pieces)
        assert fault.value.close_code == 1007


@pytest.mark.parametrize("rest", [b"Q", b"QUJD", b"=", b"\n", b"===="])
def test_padding_ends_a_text_also_where_the_rest_of_it_comes_later(rest: bytes) -> None:
    for first in (b"QQ==", b"QUJDQUI="):
        converter = decoding("base64")
        converter.feed(first, final=False)
        assert converter.feed(b"", final=False) == b""
        with pytest.raises(ProtocolError, match="not base64"):
            converter.feed(rest, final=False)


@EVERY_FORM
def test_the_text_of_an_error_does_not_contain_the_message(form: Decode) -> None:
    """The text may be secret, and the error's text is logged."""
    with pytest.raises(ProtocolError) as fault:
        through(decoding(form), ["pass\u0100word".encode()])
    assert str(fault.value) == f"text that is not {form}"
    assert fault.value.__cause__ is None


# -- one message after another ---------------------------------------------------------------------------------


@EVERY_FORM
def test_one_message_has_no_effect_on_the_next(form: Decode) -> None:
    """Also after padding, and after a message that ended with an incomplete group."""
    there, back = to_text(form), decoding(form)  # type: ignore[arg-type]
    for message in (b"f", b"", b"fo", b"foo", b"\xff", b"foob"):
        text = written(form, message)
        assert through(there, [message[:1], message[1:]]) == text
        assert back.feed(text, final=True) == message
        assert through(back, [text, b""]) == message


def test_as_much_as_can_be_converted_comes_out_at_once() -> None:
    writing, reading = to_text("base64"), decoding("base64")
    assert [writing.feed(piece, False) for piece in (b"f", b"o", b"o", b"bar!")] == [b"", b"", b"Zm9v", b"YmFy"]
    assert writing.feed(b"", True) == b"IQ=="
    assert [reading.feed(piece, False) for piece in (b"Zm", b"9", b"vYmFyI", b"Q=")] == [b"", b"", b"foobar", b""]
    assert reading.feed(b"=", True) == b"!"
    writing, reading = to_text("hex"), decoding("hex")
    assert [writing.feed(piece, False) for piece in (b"f", b"oo")] == [b"66", b"6f6f"]
    assert [reading.feed(piece, False) for piece in (b"6", b"66f6", b"f")] == [b"", b"fo", b"o"]
    writing, reading = to_text("latin-1"), decoding("latin-1")
    assert [writing.feed(piece, False) for piece in (b"f", b"\xff")] == [b"f", b"\xc3\xbf"]
    assert [reading.feed(piece, False) for piece in (b"f", b"\xc3\xbf")] == [b"f", b"\xff"]


@pytest.mark.parametrize("size", [65536, 70_001])
@EVERY_FORM
def test_a_long_message_is_converted_too(form: Decode, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    text = written(form, data)
    assert through(to_text(form), [data[:1000], data[1000:]]) == text  # type: ignore[arg-type]
    assert through(decoding(form), [text]) == data


# -- the rule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_rejected_binary_is_an_unsupported_data_fault(data: bytes, final: bool) -> None:
    with pytest.raises(ProtocolError, match="binary message to a side that has only text") as fault:
        to_text("reject").feed(data, final)
    assert fault.value.close_code == 1003


def test_text_stays_text_if_nothing_is_decoded() -> None:
    assert from_text("none") is None


def test_unless_a_rule_says_otherwise_binary_is_rejected_and_text_stays_text() -> None:
    assert BinaryRule() == BinaryRule(encode="reject", decode="none")
