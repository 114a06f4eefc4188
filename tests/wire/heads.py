"""Heads that several tests share, and functions that feed them."""

import random

import pytest

from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import HeadLimits, Request
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

LIMITS = HeadLimits()
# draft-hixie-thewebsocketprotocol-76, 1.2, with two more headers to tell trimmed values and raw ones apart.
SAMPLE = (
    b"GET /demo HTTP/1.1\r\n"
    b"Host: example.com\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
    b"Sec-WebSocket-Protocol: sample\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Sec-WebSocket-Key1:  4 @1  46546xW%0l 1 5 \r\n"
    b"X-Empty:\r\n"
    b"Origin: http://example.com\r\n"
    b"\r\n"
)
CHALLENGE = b"^n:ds[4U"
TLS_CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 32


def head_of(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes | None = b"Host: example.com") -> bytes:
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


def read(data: bytes, limits: HeadLimits = LIMITS) -> Request:
    request = RequestHead(limits).receive(data)
    assert request is not None, "the head is not whole"
    return request


def feed(head: RequestHead | ResponseHead, pieces: list[bytes]) -> None:
    """Feed pieces of which none completes the head."""
    for piece in pieces:
        assert head.receive(piece) is None


def pieces_of(data: bytes, size: int = 1) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def refused(data: bytes, limits: HeadLimits = LIMITS) -> HttpRefusal:
    with pytest.raises(HttpRefusal) as refusal:
        RequestHead(limits).receive(data)
    return refusal.value


def padded(size: int) -> bytes:
    """Return a head of that many bytes, with the blank line."""
    empty = head_of(b"X: ")
    return head_of(b"X: " + b"x" * (size - len(empty)))


def cuts_of(data: bytes) -> list[list[bytes]]:
    chance = random.Random(1)
    marks = sorted(chance.randrange(len(data)) for _ in range(10))
    return [
        [data],
        [data[:-1], data[-1:]],
        [data[:16383], data[16383:]],
        [data[start:stop] for start, stop in zip([0, *marks], [*marks, len(data)], strict=True)],
        pieces_of(data),
    ]
