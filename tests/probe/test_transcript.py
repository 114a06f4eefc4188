"""What a probe shows: literally, since people read it and scripts may."""

from typing import Literal

import pytest

from wsgateway.probe.transcript import Line, describe, exchange_lines, hexadecimal
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong


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


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Fragment(Kind.TEXT, b"Hello", True), 'text "Hello"'),
        (Fragment(Kind.TEXT, b"", True), 'text ""'),
        (Fragment(Kind.TEXT, b"Hel", False), 'text "Hel" (to be continued)'),
        (Fragment(Kind.TEXT, "h\u00e9".encode()[:2], False), 'text "h\ufffd" (to be continued)'),
        (Fragment(Kind.TEXT, b"x" * 60, True), 'text "' + "x" * 60 + '"'),
        (Fragment(Kind.TEXT, b"x" * 61, True), 'text "' + "x" * 60 + '..."'),
        (Fragment(Kind.BINARY, b"Hello", True), "binary, 5 bytes"),
        (Fragment(Kind.BINARY, b"Hel", False), "binary, 3 bytes (to be continued)"),
        (Ping(b"abc"), "ping, 3 bytes"),
        (Pong(), "pong, 0 bytes"),
        (Close(), "close, no code"),
        (Close(1001), "close, 1001"),
        (Close(1001, "bye"), "close, 1001 'bye'"),
    ],
)
def test_an_event_is_said_in_words(event: Event, words: str) -> None:
    assert describe(event) == words


@pytest.mark.parametrize(
    ("direction", "data", "lines"),
    [
        (
            ">",
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n^n:ds[4U",
            ["> GET / HTTP/1.1", "> Host: a", ">", f"> {'5e 6e 3a 64 73 5b 34 55':<72} 8 bytes, the proof"],
        ),
        (
            "<",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
            ["< HTTP/1.1 101 Switching Protocols", "< Upgrade: websocket", "<"],
        ),
        (
            "<",
            b"HTTP/1.1 403 Forbidden\r\n\r\nno\n",
            ["< HTTP/1.1 403 Forbidden", "<", f"< {'6e 6f 0a':<72} 3 bytes, a body: no"],
        ),
        ("<", b"HTTP/1.1 101 caf\xc3\xa9\r\nX: \xff\r\n\r\n", ["< HTTP/1.1 101 caf\u00e9", "< X: \\xff", "<"]),
        ("<", b"", []),
    ],
)
def test_a_handshake_is_shown_line_by_line(direction: Literal[">", "<"], data: bytes, lines: list[str]) -> None:
    assert [str(line) for line in exchange_lines(direction, data, "the proof")] == lines


def test_a_control_that_a_server_says_does_not_reach_the_terminal() -> None:
    # What moves the cursor could write lines that were never said.
    [line, _] = exchange_lines("<", b"HTTP/1.1 101 \x1b[2J\r\n\r\n", "the proof")
    assert "\x1b" not in str(line)
    assert "\x1b" not in describe(Fragment(Kind.TEXT, b"\x1b[2J", True))
    assert "\x1b" not in describe(Close(1000, "\x1b[2J"))


def test_a_line_has_its_meaning_in_a_column_of_its_own() -> None:
    assert str(Line(">", "ff 00", "close, no code")) == "> ff 00" + " " * 67 + " close, no code"
    assert str(Line("=", "the server closed the connection")) == "= the server closed the connection"
