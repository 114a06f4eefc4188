"""The bytes of one direction, as people read them."""

import pytest

from tests.openings import BY_DIALECT, CHALLENGE, OPENINGS, PROOF, Opening, every_dialect
from wsgateway.dialects import DIALECTS, Role
from wsgateway.dialects.base import Dissector
from wsgateway.trace.reading import MOST_KEPT_BYTES, Piece, Reading

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
MODERN = DIALECTS["rfc6455"].framing


def frames(name: str = "rfc6455", role: Role = Role.SERVER) -> Dissector:
    return DIALECTS[name].framing.dissector(role)


def shown(pieces: list[Piece]) -> list[str]:
    return [str(line) for piece in pieces for line in piece.lines]


def established(payload_bytes: int) -> Reading:
    reading = Reading(">", payload_bytes)
    reading.feed(HEAD)
    reading.begin_frames(frames(), b"", "the challenge")
    return reading


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_a_head_is_shown_when_it_is_whole(cut: int) -> None:
    reading = Reading(">", 0)
    assert reading.feed(HEAD[:cut]) == []
    assert shown(reading.feed(HEAD[cut:])) == ["> GET / HTTP/1.1", "> Host: a", ">"]


def test_a_secret_is_neither_in_the_lines_nor_in_the_bytes() -> None:
    reading = Reading(">", 1000, ["token"])
    pieces = reading.feed(b"GET /?token=abc HTTP/1.1\r\nCookie: def\r\n\r\n")
    assert [piece.data for piece in pieces] == [b"GET /?token=*** HTTP/1.1\r\nCookie: ***\r\n\r\n"]
    assert shown(pieces) == ["> GET /?token=*** HTTP/1.1", "> Cookie: ***", ">"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /?token=abc HTTP/1.1\nCookie: def\n\n",
        b"\r\n\r\nGET /?token=abc HTTP/1.1\r\nCookie: def\r\n\r\n",
        b"\n\nGET /?token=abc HTTP/1.1\r\nCookie: def\r\n\r\n",
        b"GET /?token=abc HTTP/1.1\r\nCookie: def\r\nA: " + b"b" * MOST_KEPT_BYTES + b"\r\n\r\n",
    ],
    ids=["bare LF", "empty lines", "bare empty lines", "more than is kept"],
)
def test_no_secret_is_shown_or_recorded_of_a_head_that_is_odd(head: bytes) -> None:
    reading = Reading(">", 1000, ["token"])
    pieces = [piece for at in range(0, len(head), 11) for piece in reading.feed(head[at : at + 11])]
    pieces += reading.begin_frames(frames("hixie-76"), b"", "the challenge")
    data = b"".join(piece.data for piece in pieces)
    assert b"GET /?token=*** HTTP/1.1" in data
    assert not [secret for secret in ("abc", "def") if secret.encode() in data or secret in str(shown(pieces))]
    assert shown(pieces)[:2] == ["> GET /?token=*** HTTP/1.1", "> Cookie: ***"]


def test_no_secret_is_recorded_of_a_head_that_breaks_off() -> None:
    reading = Reading(">", 1000, ["token"])
    assert reading.feed(b"GET /?token=abc HTTP/1.1\r\nCookie: def") == []
    [piece] = reading.finish()
    assert piece.data == b"GET /?token=*** HTTP/1.1\r\nCookie: ***"


def test_interim_responses_come_before_the_answer() -> None:
    reading = Reading("<", 0)
    pieces = reading.feed(b"HTTP/1.1 103 A\r\n\r\nHTTP/1.1 101 B\r\n\r\n")
    assert shown(pieces) == ["< HTTP/1.1 103 A", "<", "< HTTP/1.1 101 B", "<"]


def test_the_body_of_a_refusal_is_counted_and_not_shown() -> None:
    reading = Reading("<", 1000)
    reading.feed(b"HTTP/1.1 403 Forbidden\r\n\r\nno entry: HTTP/1.1 101 A\r\n\r\nB")
    [piece] = reading.finish()
    assert (piece.belongs_to, piece.lines[0].text, piece.lines[0].meaning) == ("rest", "", "29 bytes, a body")


def test_what_comes_between_head_and_frames_is_the_challenge() -> None:
    reading = Reading(">", 100)
    reading.feed(BY_DIALECT["hixie-76"].request + b"\x00Hello")
    pieces = reading.begin_frames(frames("hixie-76"), b"\x00Hello", "the challenge")
    assert [(piece.belongs_to, piece.data) for piece in pieces] == [("proof", CHALLENGE), ("frames", b"\x00Hello")]
    assert "the challenge" in shown(pieces)[0]
    assert "text 'Hello'" in shown(pieces)[-1]


def test_the_proof_is_told_from_frames_that_came_with_it() -> None:
    reading = Reading("<", 100)
    reading.feed(b"HTTP/1.1 101 A\r\n\r\n" + PROOF + b"\x00\xff")
    pieces = reading.begin_frames(frames("hixie-76", Role.CLIENT), b"\x00\xff", "the proof")
    assert [(piece.belongs_to, piece.data) for piece in pieces] == [("proof", PROOF), ("frames", b"\x00\xff")]


@every_dialect
def test_no_payload_is_shown_unless_it_is_wanted(opening: Opening) -> None:
    reading = Reading("<", 0)
    reading.begin_frames(frames(opening.dialect, Role.CLIENT), b"", "the proof")
    lines = shown(reading.feed(opening.hello_back))
    assert not any("Hello" in line or "48 65" in line for line in lines)
    assert any("5 bytes" in line for line in lines)


@every_dialect
def test_payload_is_shown_up_to_a_bound(opening: Opening) -> None:
    reading = Reading("<", 4)
    reading.begin_frames(frames(opening.dialect, Role.CLIENT), b"", "the proof")
    lines = shown(reading.feed(opening.hello_back))
    assert any("48 65 6c 6c" in line for line in lines)
    assert not any("6c 6f" in line or "Hello" in line for line in lines)


def test_payload_within_the_bound_is_shown_with_its_text() -> None:
    assert any("'Hello'" in line for line in shown(established(5).feed(BY_DIALECT["rfc6455"].hello)))


@pytest.mark.parametrize(
    "data",
    [
        b"\x83\x05secret",  # no such opcode
        b"\x00\xff\xffsecret",  # after a closing frame
        b"\x81\x85",  # a head that is cut
        b"\xff\x05secret",  # a reserved frame of hixie
    ],
)
@pytest.mark.parametrize("opening", OPENINGS, ids=str)
def test_bytes_that_break_the_rules_are_not_shown_either(data: bytes, opening: Opening) -> None:
    for role in Role:
        reading = Reading(">", 0)
        reading.begin_frames(frames(opening.dialect, role), b"", "")
        lines = shown([*reading.feed(data), *reading.finish()])
        assert lines
        assert not any("secret" in line or "73 65" in line for line in lines)


def test_the_code_of_a_close_is_shown() -> None:
    assert "1001" in shown(established(0).feed(bytes.fromhex("88 82 00000000 03e9")))[-1]


def test_the_reason_of_a_close_is_shown_only_if_payload_is() -> None:
    with_reason = bytes.fromhex("88 88 00000000 03e9") + b"secret"
    line = shown(established(0).feed(with_reason))[-1]
    assert line.endswith("payload: 1001")
    assert "73 65" not in line
    assert "1001 'secret'" in shown(established(8).feed(with_reason))[-1]


@pytest.mark.parametrize("name", ["hybi-04", "hybi-05"])
def test_what_a_close_of_a_draft_without_codes_says_is_not_shown(name: str) -> None:
    reading = Reading("<", 0)
    reading.begin_frames(frames(name, Role.CLIENT), b"", "")
    lines = shown(reading.feed(bytes.fromhex("81 06") + b"secret"))
    assert not any("secret" in line or "73 65" in line for line in lines)


def test_a_connection_without_an_end_of_its_head_is_bounded() -> None:
    reading = Reading(">", 0)
    for _ in range(100):
        reading.feed(b"a" * 65536)
    [piece] = reading.finish()
    assert len(piece.data) == MOST_KEPT_BYTES
    assert piece.lines[0].meaning == f"{MOST_KEPT_BYTES} bytes, a head that is not whole"
