"""The lines of a transcript, compared literally: people read them, and scripts may."""

import pytest

from tests.dialects.families import FACTS, Family
from wsgateway.dialects import DIALECTS, Role
from wsgateway.dialects.base import CHALLENGE, PROOF
from wsgateway.trace.transcript import Direction, Line, exchange_lines, frame_lines, hexadecimal

from .probing import written


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", ""),
        (b"\x00Hello\xff", "00 48 65 6c 6c 6f ff"),
        (bytes(range(24)), "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17"),
        (bytes(range(25)), "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 ... (25 bytes)"),
        (bytes(70000), "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ... (70000 bytes)"),
    ],
)
def test_bytes_are_shown_to_a_bound(data: bytes, shown: str) -> None:
    assert hexadecimal(data) == shown


NOTES = {"host": "where it goes", "x": "what no control may change: \x1b[2J", PROOF: "right"}
EXCHANGES: dict[str, tuple[Direction, bytes, list[str]]] = {
    "a request": (
        ">",
        b"GET / HTTP/1.1\r\nHOST: a\r\nOther: b\r\n\r\n",
        ["> GET / HTTP/1.1", "> HOST: a | where it goes", "> Other: b", ">"],
    ),
    "a request with a challenge that has no note": (
        ">",
        b"GET / HTTP/1.1\r\n\r\n^n:ds[4U",
        ["> GET / HTTP/1.1", ">", "> 5e 6e 3a 64 73 5b 34 55 | the challenge: 8 bytes"],
    ),
    "an answer": (
        "<",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        ["< HTTP/1.1 101 Switching Protocols", "< Upgrade: websocket", "<"],
    ),
    "an answer with a proof": (
        "<",
        b"HTTP/1.1 101 a\r\n\r\n8jKS'y:G*Co,Wxa-",
        ["< HTTP/1.1 101 a", "<", "< 38 6a 4b 53 27 79 3a 47 2a 43 6f 2c 57 78 61 2d | the proof: right"],
    ),
    "a refusal": (
        "<",
        b"HTTP/1.1 403 Forbidden\r\n\r\n no\n",
        ["< HTTP/1.1 403 Forbidden", "<", "< 20 6e 6f 0a | 4 bytes, a body: no"],
    ),
    "a refusal of two lines, which is one": (
        "<",
        b"HTTP/1.1 403 Forbidden\r\n\r\na\nb\xff",
        ["< HTTP/1.1 403 Forbidden", "<", "< 61 0a 62 ff | 4 bytes, a body: a\\nb\ufffd"],
    ),
    "what is not ASCII": (
        "<",
        b"HTTP/1.1 101 caf\xc3\xa9\r\nY: \xff\r\n\r\n",
        ["< HTTP/1.1 101 caf\u00e9", "< Y: \\xff", "<"],
    ),
    # What moves the cursor could write lines that were never said.
    "controls, and what turns the direction of writing": (
        "<",
        b"HTTP/1.1 101 \x1b[2J\r\nX: \xc2\x9b2J\xe2\x80\xae\r\n\r\n",
        [
            "< HTTP/1.1 101 \\x1b[2J",
            "< X: \\x9b2J\\u202e | what no control may change: \\x1b[2J",
            "<",
        ],
    ),
    "nothing": ("<", b"", []),
}


@pytest.mark.parametrize(("direction", "data", "shown"), EXCHANGES.values(), ids=EXCHANGES)
def test_a_handshake_is_shown_line_by_line(direction: Direction, data: bytes, shown: list[str]) -> None:
    behind = CHALLENGE if direction == ">" else PROOF
    assert [written(line) for line in exchange_lines(direction, data, behind, NOTES)] == shown


def test_a_head_without_an_end_has_no_empty_line() -> None:
    lines = exchange_lines("<", b"SSH-2.0-OpenSSH_9.2\r\n", PROOF, {})
    assert [written(line) for line in lines] == ["< SSH-2.0-OpenSSH_9.2"]


def test_a_body_is_shown_to_a_bound() -> None:
    *_, body = exchange_lines("<", b"HTTP/1.1 403 no\r\n\r\n" + b"x" * 1000, PROOF, {})
    assert body.meaning == f"1000 bytes, a body: {'x' * 200}"
    assert body.text.endswith(" ... (1000 bytes)")


def test_a_meaning_is_shown_to_a_bound() -> None:
    dissector = DIALECTS["rfc6455"].framing.dissector(Role.CLIENT)
    *_, line = frame_lines("<", b"\x81\x7e\x00\xc8" + b"x" * 200, dissector)
    assert line.meaning == f"payload: '{'x' * 150}..."
    assert line.text == "78 " * 17 + "78 ... (200 bytes)"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_control_character_in_a_frame_does_not_reach_the_terminal(dialect: str) -> None:
    framing = DIALECTS[dialect].framing
    said = {
        Family.HIXIE: b"\x00\x1b[2J\xc2\x9b\xff",
        Family.MORE: b"\x04\x06\x1b[2J\xc2\x9b",
        Family.COVERED: b"\x84\x06\x1b[2J\xc2\x9b",
        Family.FRAMES: b"\x81\x06\x1b[2J\xc2\x9b",
    }[FACTS[dialect].family]
    shown = "".join(map(str, frame_lines("<", said, framing.dissector(Role.CLIENT))))
    assert shown.isprintable()
    assert "\\x1b[2J\\x9b" in shown


def test_the_meaning_of_a_line_is_in_a_column_of_its_own() -> None:
    assert str(Line(">", "ff 00", "close, no code")) == "> ff 00" + " " * 67 + " close, no code"
    assert str(Line("=", "the server closed the connection")) == "= the server closed the connection"
    assert str(Line("<", "")) == "<"
