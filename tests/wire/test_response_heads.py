"""Requests of ours, and their responses: what is read in any pieces, and what is refused."""

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, HeadLimits, Request, Response
from wsgateway.wire.response_head import ResponseHead

from .heads import LIMITS, feed, pieces_of

# -- responses -------------------------------------------------------------------------------------------------

ASKED = Request(
    "/chat?x=1",
    Headers([("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-Name", "\xe9")]),
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: a=1\r\n\r\n"


def asked(limits: HeadLimits = LIMITS) -> ResponseHead:
    head = ResponseHead(limits)
    head.request(ASKED)
    return head


def test_a_request_is_written_as_it_is_given() -> None:
    assert ResponseHead(LIMITS).request(ASKED) == (
        b"GET /chat?x=1 HTTP/1.1\r\n"
        b"Host: example.com\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"X-Name: \xe9\r\n"
        b"\r\n"
    )


def test_a_body_is_written_as_its_head_announces_it() -> None:
    head = ResponseHead(LIMITS)
    chunked = Request("/", Headers([("Host", "a"), ("Transfer-Encoding", "chunked")]), method="POST")
    assert head.head(chunked) == b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert head.send(b"Hello") + head.send(b"!") + head.end() == b"5\r\nHello\r\n1\r\n!\r\n0\r\n\r\n"


def check_switch(response: Response | None) -> None:
    assert response is not None
    assert (response.status, response.reason) == (101, "Switching Protocols")
    assert list(response.headers) == [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Set-Cookie", "a=1")]


@cases("at", range(1, len(SWITCH)))
def test_a_101_may_be_cut_anywhere(at: int) -> None:
    head = asked()
    assert head.receive(SWITCH[:at]) is None
    check_switch(head.receive(SWITCH[at:]))
    assert head.rest == b""


@cases("rest", [b"\x81\x05Hello", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\0" * 50_000])
def test_frames_behind_a_101_are_kept_to_the_byte(rest: bytes) -> None:
    head = asked()
    check_switch(head.receive(SWITCH + rest))
    assert head.rest == rest


@cases(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_other_interim_responses_are_skipped(interim: bytes) -> None:
    check_switch(asked().receive(interim + SWITCH))
    head = asked()
    feed(head, pieces_of(interim))
    check_switch(head.receive(SWITCH))


@cases("start", [b"HTTP/1.1 101 ", b"HTTP/1.1 101", b"HTTP/1.1 101 Web Socket Protocol Handshake"])
def test_any_reason_phrase_is_read(start: bytes) -> None:
    response = asked().receive(start + b"\r\nUpgrade: websocket\r\n\r\n")
    assert response is not None
    assert response.status == 101


def body_of(head: ResponseHead, pieces: list[bytes]) -> bytes:
    """Return the body, read piece by piece until it has ended."""
    body = head.first_body()
    for piece in pieces:
        assert not head.ended
        body += head.body(piece)
    return body


LENGTH = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n"
CHUNKED = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 403 Forbidden\r\n\r\n"
REFUSALS = {
    "by its length": (LENGTH, b"not today", []),
    "by its length, cut": (LENGTH, b"not", [b" to", b"day"]),
    "in chunks": (CHUNKED, b"4\r\nnot \r\n5\r\ntoday\r\n0\r\n\r\n", []),
    "in chunks, cut": (CHUNKED, b"4\r\nn", [b"ot \r", b"\n5\r\ntoday\r\n0\r\nTrailer: x\r\n", b"\r\n"]),
    "until the end of the stream": (UNTIL_CLOSE, b"not", [b" today", b""]),
}


@cases(("start", "first", "later"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refusal_is_read_with_its_body(start: bytes, first: bytes, later: list[bytes]) -> None:
    head = asked()
    response = head.receive(start + first)
    assert response is not None
    assert (response.status, response.reason) == (403, "Forbidden")
    assert body_of(head, later) == b"not today"
    assert head.ended


@cases(
    ("start", "pieces"),
    [
        (LENGTH, [b"not", b""]),  # the stream ends before the body does
        (CHUNKED, [b"4\r\nnot \r\n", b""]),
        (CHUNKED, [b"x\r\n"]),
    ],
)
def test_a_body_that_is_cut_short_or_malformed_is_a_fault(start: bytes, pieces: list[bytes]) -> None:
    head = asked()
    assert head.receive(start) is not None
    with pytest.raises(HttpRefusal, match="malformed response") as fault:
        body_of(head, pieces)
    assert fault.value.status == 502


MALFORMED_RESPONSES = {
    "garbage": b"\x81\x05Hello\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 0101 x\r\n\r\n",
    "a NUL": SWITCH.replace(b"a=1", b"a=\0"),
    "a name that is no token": SWITCH.replace(b"Set-Cookie", b"Set Cookie"),
    "a carriage return in a value": SWITCH.replace(b"a=1", b"a=\r1"),
    "TLS": b"\x15\x03\x01\x00\x02\x02\x0a",
}


@cases("data", MALFORMED_RESPONSES.values(), ids=MALFORMED_RESPONSES.keys())
def test_a_malformed_response_is_a_fault(data: bytes) -> None:
    head = asked()
    with pytest.raises(HttpRefusal, match="malformed response") as fault:
        feed(head, [data, b""])  # if the bytes are too few to decide, the end of the stream decides
    assert fault.value.status == 502


@cases("data", [b"", SWITCH[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_stream_that_ends_before_the_response_does_is_a_fault(data: bytes) -> None:
    head = asked()
    if data:
        assert head.receive(data) is None
    with pytest.raises(HttpRefusal, match="malformed response") as fault:
        head.receive(b"")
    assert fault.value.status == 502


def test_an_error_text_repeats_no_bytes_of_the_server() -> None:
    head = asked()
    with pytest.raises(HttpRefusal) as fault:
        head.receive(SWITCH.replace(b"a=1", b"secret\0"))
    assert "secret" not in str(fault.value)


def test_a_response_may_have_100_headers_and_no_more() -> None:
    response = asked().receive(SWITCH.replace(b"\r\n\r\n", b"\r\n" + b"X: 1\r\n" * 97 + b"\r\n"))
    assert response is not None
    assert len(response.headers) == 100
    with pytest.raises(HttpRefusal, match="101 headers, at most 100 are allowed") as fault:
        asked().receive(SWITCH.replace(b"\r\n\r\n", b"\r\n" + b"X: 1\r\n" * 98 + b"\r\n"))
    assert fault.value.status == 502


def long_switch(size: int) -> bytes:
    """Return a 101 of that many bytes, with the blank line."""
    return SWITCH.replace(b"a=1", b"a=1" + b"x" * (size - len(SWITCH)))


@cases("pieces", [1, 2, 7, 1000])
def test_the_head_of_a_response_may_have_16_kib_however_it_comes(pieces: int) -> None:
    data = long_switch(16 * 1024)
    *first, last = pieces_of(data, -(-len(data) // pieces))
    head = asked()
    feed(head, first)
    response = head.receive(last)
    assert response is not None
    assert response.status == 101


@cases("pieces", [1, 2, 7, 17, 1000])  # with 17 the first 16 pieces have exactly the allowed size
def test_a_larger_head_of_a_response_is_too_large_however_it_comes(pieces: int) -> None:
    data = long_switch(17 * 1024)
    with pytest.raises(HttpRefusal, match="larger than 16384 bytes") as fault:
        feed(asked(), pieces_of(data, -(-len(data) // pieces)))
    assert fault.value.status == 502
