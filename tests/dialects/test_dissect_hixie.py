"""Dissectors of hixie: every byte has a meaning, in texts and outside of them; the meanings are compared literally."""

import pytest

from wsgateway.dialects import DIALECTS, Role

from .dissecting import dissected, lines, table, wire_of

CLIENT, SERVER = Role.CLIENT, Role.SERVER

BYTES = {
    "texts": """
        00                       a text begins
        48 65 6c 6c 6f           text 'Hello'
        ff                       the text ends
        00                       a text begins
        ff                       the text ends
        00                       a text begins
        00 68 c3 a9              text '\\x00hé'
        ff                       the text ends
        """,
    "reserved frames": """
        01        a reserved frame begins
        41 00     in a reserved frame, up to FF
        ff        the reserved frame ends
        7f        a reserved frame begins
        ff        the reserved frame ends
        00        a text begins
        ff        the text ends
        """,
    "frames that have a length": """
        80        a frame that has a length
        03        its length
        00 ff 80  in the bytes of such a frame
        fe        a frame that has a length
        80 80 01  its length
        41        in the bytes of such a frame
        81        a frame that has a length
        00        a length of 0
        ff        a frame that has a length
        01        its length
        00        in the bytes of such a frame
        00        a text begins
        ff        the text ends
        """,
}


@pytest.mark.parametrize("name", ["hixie-75", "hixie-76"])
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("said", BYTES.values(), ids=BYTES)
def test_bytes_of_hixie_are_explained(name: str, role: Role, said: str) -> None:
    assert lines(dissected(name, role, [wire_of(said)])) == table(said)


@pytest.mark.parametrize("role", Role)
def test_ff_00_is_the_closing_frame_of_76_alone(role: Role) -> None:
    begins = ("ff", "a frame that has a length")
    assert lines(dissected("hixie-75", role, [b"\xff\x00"])) == [begins, ("00", "a length of 0")]
    assert lines(dissected("hixie-76", role, [b"\xff\x00"])) == [
        begins,
        ("00", "a length of 0: FF 00 is the closing frame"),
    ]


def test_bytes_after_the_closing_frame_of_76_have_no_meaning() -> None:
    [*_, last] = lines(dissected("hixie-76", CLIENT, [b"\xff\x00", b"\x00hi\xff"]))
    assert last == ("00 68 69 ff", "after the closing frame")


def test_a_text_of_hixie_that_comes_in_pieces_is_shown_in_pieces() -> None:
    assert lines(dissected("hixie-75", CLIENT, [b"\x00He", b"l", b"lo\xff"])) == [
        ("00", "a text begins"),
        ("48 65", "text 'He'"),
        ("6c", "text 'l'"),
        ("6c 6f", "text 'lo'"),
        ("ff", "the text ends"),
    ]


@pytest.mark.parametrize("name", ["hixie-75", "hixie-76"])
@pytest.mark.parametrize(
    "said",
    [
        """
        0d  an empty line after the handshake, if LF follows; else a reserved frame begins
        0a  the empty line ends
        00  a text begins
        """,
        """
        0d  an empty line after the handshake, if LF follows; else a reserved frame begins
        ff  the reserved frame ends
        00  a text begins
        """,
        """
        0d     an empty line after the handshake, if LF follows; else a reserved frame begins
        41 0a  in a reserved frame, up to FF
        ff     the reserved frame ends
        """,
    ],
    ids=["an empty line", "a reserved frame without bytes", "a reserved frame"],
)
def test_a_cr_behind_the_handshake_of_a_server_begins_a_line_or_a_reserved_frame(name: str, said: str) -> None:
    assert lines(dissected(name, CLIENT, [wire_of(said)])) == table(said)


def test_a_length_without_an_end_says_so_once() -> None:
    assert lines(dissected("hixie-76", CLIENT, [b"\x80" + b"\xff" * 12, b"\x00hi\xff"])) == [
        ("80", "a frame that has a length"),
        ("ff ff ff", "its length"),
        ("ff ff ff ff ff ff ff ff ff", "frame of 268435455 bytes or more, limit 16777216"),
        ("00 68 69 ff", "frame of 268435455 bytes or more, limit 16777216"),
    ]


@pytest.mark.parametrize("name", ["hixie-75", "hixie-76"])
def test_the_end_of_a_stream_of_hixie_adds_no_part(name: str) -> None:
    for begun in (b"\x00Hel", b"\xff", b"\x80\x05"):
        dissector = DIALECTS[name].framing.dissector(SERVER)
        assert b"".join(part.data for part in dissector.feed(begun)) == begun
        assert list(dissector.finish()) == []
