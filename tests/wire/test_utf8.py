"""Text that arrives in pieces, checked or repaired."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgateway.errors import ProtocolError
from wsgateway.wire.utf8 import Utf8Check, Utf8Repair

from .cutting import cut

QUICK = settings(max_examples=200, database=None)


def through(text: Utf8Check | Utf8Repair, pieces: list[bytes]) -> bytes:
    """Feed one message, and return the result."""
    return b"".join([text.feed(piece, at == len(pieces) - 1) for at, piece in enumerate(pieces)])


GOOD = {
    "nothing": "",
    "ASCII": "48656c6c6f",
    "NUL": "00 61 00",
    "two to four bytes": "c3bc e282ac f09f9880",
    "the first and last of each length": "7f c280 dfbf e0a080 efbfbf f0908080 f48fbfbf",
    "around the surrogates": "ed9fbf ee8080",
    "a byte order mark": "efbbbf 61",
    "noncharacters": "efbfbe efbfbf",
}
# The right column follows WHATWG and Unicode (3.9: a U+FFFD for each maximal subpart).
BAD = {
    "a byte that is never there": ("61 ff 62", "a\ufffdb"),
    "a continuation alone": ("61 80 62", "a\ufffdb"),
    "an overlong NUL": ("c080", "\ufffd\ufffd"),
    "an overlong slash": ("e080af", "\ufffd\ufffd\ufffd"),
    "a lone surrogate, as a WebKit of 2011 sends it": ("eda080 78", "\ufffd\ufffd\ufffdx"),
    "beyond 10FFFF": ("f4908080", "\ufffd\ufffd\ufffd\ufffd"),
    "cut before a letter": ("e282 78", "\ufffdx"),
    "cut at the end": ("78 f09f98", "x\ufffd"),
    "C3 without its second": ("c328", "\ufffd("),
}


@pytest.mark.parametrize("text", [Utf8Check(), Utf8Repair()], ids=["checked", "repaired"])
@pytest.mark.parametrize("message", [bytes.fromhex(data) for data in GOOD.values()], ids=GOOD.keys())
def test_utf_8_stays_unchanged(text: Utf8Check | Utf8Repair, message: bytes) -> None:
    assert text.feed(message, final=True) == message
    assert through(text, [message[at : at + 1] for at in range(len(message))] + [b""]) == message


@pytest.mark.parametrize(("data", "repaired"), BAD.values(), ids=BAD.keys())
def test_broken_utf_8_is_repaired_in_dialects_whose_regular_clients_send_it(data: str, repaired: str) -> None:
    message = bytes.fromhex(data)
    text = Utf8Repair()
    assert text.feed(message, final=True).decode() == repaired
    assert through(text, [message[at : at + 1] for at in range(len(message))]).decode() == repaired


@pytest.mark.parametrize("data", [data for data, _ in BAD.values()], ids=BAD.keys())
def test_broken_utf_8_is_a_fault_everywhere_else(data: str) -> None:
    with pytest.raises(ProtocolError, match="not UTF-8") as fault:
        Utf8Check().feed(bytes.fromhex(data), final=True)
    assert fault.value.close_code == 1007


def test_an_unfinished_character_passes_in_parts_where_it_is_only_checked() -> None:
    text = Utf8Check()
    assert text.feed(b"a\xf0\x9f\x98", final=False) == b"a\xf0\x9f\x98"
    assert text.feed(b"\x80b", final=True) == b"\x80b"


def test_how_long_a_text_becomes_is_known_unless_it_is_repaired() -> None:
    assert Utf8Check().length(7, final=False) == 7
    repaired: int | None = Utf8Repair().length(7, final=False)
    assert repaired is None


def test_an_unfinished_character_waits_for_its_end_where_it_may_be_repaired() -> None:
    text = Utf8Repair()
    assert text.feed(b"a\xf0\x9f\x98", final=False) == b"a"
    assert text.feed(b"", final=False) == b""
    assert text.feed(b"\x80b", final=True) == b"\xf0\x9f\x98\x80b"


def test_a_broken_message_is_refused_as_soon_as_no_further_bytes_can_make_it_valid() -> None:
    text = Utf8Check()
    assert text.feed(b"a\xe2", final=False) == b"a\xe2"
    with pytest.raises(ProtocolError):
        text.feed(b"x", final=False)


def test_one_message_has_no_effect_on_the_next() -> None:
    text = Utf8Repair()
    assert text.feed(b"\xe2\x82", final=True) == "\ufffd".encode()
    assert text.feed(b"\xac", final=True) == "\ufffd".encode()
    assert text.feed("\u20ac".encode(), final=True) == "\u20ac".encode()
    assert text.feed(b"plain", final=True) == b"plain"


# Bytes that are likely to begin, to continue or to break a character.
PIECES = st.text(max_size=3).map(str.encode) | st.binary(max_size=3)
BYTES = st.lists(PIECES | st.sampled_from([b"\xed\xa0\x80", b"\xf0\x9f", b"\xe2\x82", b"\xc3"])).map(b"".join)
MARKS = st.lists(st.integers(0, 200), max_size=8)


@QUICK
@given(data=BYTES, marks=MARKS)
def test_any_bytes_are_repaired_as_python_repairs_the_whole(data: bytes, marks: list[int]) -> None:
    assert through(Utf8Repair(), cut(data, marks)) == data.decode(errors="replace").encode()


@QUICK
@given(data=BYTES, marks=MARKS)
def test_any_bytes_are_judged_as_python_judges_the_whole(data: bytes, marks: list[int]) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ProtocolError):
            through(Utf8Check(), cut(data, marks))
    else:
        assert through(Utf8Check(), cut(data, marks)) == data


@QUICK
@given(text=st.text(max_size=30), marks=MARKS)
def test_never_more_than_three_bytes_are_held_back(text: str, marks: list[int]) -> None:
    repair = Utf8Repair()
    fed = came = 0
    for piece in cut(text.encode(), marks):
        fed += len(piece)
        came += len(repair.feed(piece, final=False))
        assert fed - 3 <= came <= fed
