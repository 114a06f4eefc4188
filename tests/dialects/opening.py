"""The steps of opening a connection, in the order in which a session takes them, for tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests import heads
from wsgateway.dialects import Answer, Dialect, ServerHandshake, recognise
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, HeadLimits, Request
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import DEFAULT, Oddities, Tolerance
from wsgateway.wire.request_head import RequestHead

LIMITS = HeadLimits()
STRICT: Tolerance = frozenset()
# The replies to the drafts' own requests (hixie-75, 1.2; hixie-76, 1.2, with its proof).
SAMPLE_REPLY_75 = (
    b"HTTP/1.1 101 Web Socket Protocol Handshake\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Connection: Upgrade\r\n"
    b"WebSocket-Origin: http://example.com\r\n"
    b"WebSocket-Location: ws://example.com/demo\r\n"
    b"WebSocket-Protocol: sample\r\n"
    b"\r\n"
)
SAMPLE_REPLY_76 = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: http://example.com\r\n"
    b"Sec-WebSocket-Location: ws://example.com/demo\r\n"
    b"Sec-WebSocket-Protocol: sample\r\n"
    b"\r\n"
    b"8jKS'y:G*Co,Wxa-"
)


@dataclass
class Opened:
    """A client's handshake up to its Offer."""

    head: RequestHead
    request: Request
    dialect: Dialect
    server_handshake: ServerHandshake

    def reply(self, answer: Answer) -> bytes:
        """Return our whole answer: the head, and the proof if there is one."""
        head = self.head.switch(self.server_handshake.accept(answer))
        return head + self.server_handshake.proof(self.head.rest[: self.server_handshake.challenge_bytes])


def open_up(data: bytes, entropy: Entropy | None = None, tolerance: Tolerance = DEFAULT["client"]) -> Opened:
    """Read a client's whole handshake. Raise HttpRefusal if one of the steps does."""
    head = RequestHead(LIMITS, oddities=Oddities(tolerance))
    request = head.receive(data)
    assert request is not None, "the head is not whole"
    dialect = recognise(request)
    return Opened(head, request, dialect, dialect.handshake.server(request, entropy or seeded()))


def refusal(data: bytes, tolerance: Tolerance = DEFAULT["client"]) -> HttpRefusal | None:
    """Return the text of the refusal of a client's whole handshake; None if it is accepted."""
    try:
        open_up(data, tolerance=tolerance)
    except HttpRefusal as error:
        return error
    return None


def head_of(*lines: str, start: str = "GET /chat HTTP/1.1") -> bytes:
    """Return a head of these header lines, text of bytes (Latin-1)."""
    return heads.head_of(start, *lines)


def request_of(*headers: tuple[str, str], target: str = "/chat", method: str = "GET") -> Request:
    return Request(target, Headers(headers), method)


def seeded(seed: int = 1) -> Entropy:
    """Return entropy that is the same every time."""
    return Random(seed).randbytes


def scripted(*draws: int | bytes) -> Entropy:
    """Return entropy that gives these values, one for each call; a number in as many bytes as are requested."""
    script: Iterator[int | bytes] = iter(draws)

    def draw(size: int) -> bytes:
        value = next(script)
        data = value if isinstance(value, bytes) else value.to_bytes(size, "big")
        assert len(data) == size
        return data

    return draw


def challenge_draws(*keys: str, challenge: bytes) -> Entropy:
    """Return entropy that makes hixie-76 keys with the numbers of these keys, and this challenge.

    A key is drawn as in section 4.1: the number of spaces, the number, the amount of noise (one character here, in
    front), the positions of the spaces (after the first character).
    """
    draws: list[int | bytes] = []
    for key in keys:
        spaces = key.count(" ")
        number = int("".join(filter(str.isdigit, key))) // spaces
        draws += [spaces - 1, number, 0, 0, 0, *[0] * spaces]
    return scripted(*draws, challenge)
