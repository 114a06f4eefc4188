"""Any head as input: the result is an offer and an answer, or a documented error, however it was cut."""

from dataclasses import dataclass
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.wire.cutting import cut
from tests.wire.heads import read
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import HeadLimits, Request, Response
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

from .feeding import byte_by_byte
from .opening import LIMITS, head_of, open_up, seeded
from .vectors import vectors

QUICK = settings(max_examples=200, database=None)
MARKS = st.lists(st.integers(0, 2**16), max_size=12)
STARTS = st.sampled_from(
    [
        "GET /chat HTTP/1.1",
        "GET /caf\xc3\xa9 HTTP/1.1",
        "GET /\xff HTTP/1.1",
        "POST / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET /",
    ]
)
NAMES = st.sampled_from(
    [
        "Host", "Origin", "Upgrade", "Connection", "Cookie", "Content-Length", "Transfer-Encoding",
        "WebSocket-Protocol", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Key1", "Sec-WebSocket-Key2",
        "Sec-WebSocket-Draft", "Sec-WebSocket-Nonce", "Sec-WebSocket-Origin", "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions", "X\xff", "",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        "example.com", "http://example.com", "http://example.com ", " null", "websocket", "WebSocket ", "Upgrade",
        "keep-alive, Upgrade", "dGhlIHNhbXBsZSBub25jZQ==", "13", "8", "8", "7", "6", "4", "3", "1", "0",
        "4 @1  46546xW%0l 1 5", " !0", "  ", "chat", "chat, superchat", "chat superchat ", "chunked",
        "permessage-deflate; x=1", "\t", "\x01", "\x7f", "\xe9", "a\tb",
    ]
)  # fmt: skip
ANY_TEXT = st.text(st.characters(max_codepoint=255), max_size=20)
HEADERS = st.builds("{}: {}".format, NAMES, VALUES | ANY_TEXT) | ANY_TEXT
# The requests of other implementations, one for each dialect; and one without a line that some dialects need.
FIRST = {request.dialect: request.wire for request in reversed(vectors("handshake_request", "ok"))}
BASES = [
    *[data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:] for data in FIRST.values()],
    ["Host: example.com", "Upgrade: WebSocket", "Connection: Upgrade"],
    [],
]
BARE = BASES[-2]
TWO_KEYS = ["Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00"]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = list(draw(st.sampled_from(BASES)))
    for extra in draw(st.lists(HEADERS, max_size=3)):
        lines.insert(draw(st.integers(0, len(lines))), extra)
    if lines and draw(st.booleans()):
        del lines[draw(st.integers(0, len(lines) - 1))]
    return head_of(*lines, start=draw(STARTS)) + draw(st.binary(max_size=16))


class Read(NamedTuple):
    """The result of a head, in a form that can be compared."""

    request: tuple[object, ...] | None
    refused: tuple[str, int] | None


def read_in(pieces: list[bytes]) -> Read:
    head = RequestHead(LIMITS)
    try:
        for piece in pieces:
            if (request := head.receive(piece)) is not None:
                return Read(shown(request), None)
    except HttpRefusal as error:
        return Read(None, (str(error), error.status))
    return Read(None, None)


def shown(request: Request) -> tuple[object, ...]:
    raw = [request.headers.raw(name) for name, _ in request.headers if len(request.headers.every(name)) == 1]
    return (request.method, request.target, request.sent_target, list(request.headers), raw)


@QUICK
@given(data=heads() | st.binary(max_size=200), marks=MARKS)
@example(data=b"\x16\0", marks=[])
def test_any_head_of_a_request_is_read_the_same_however_it_is_cut(data: bytes, marks: list[int]) -> None:
    outcome = read_in([data])
    assert outcome.refused is None or outcome.refused[1] in (400, 431)
    assert read_in(byte_by_byte(data)) == outcome
    assert read_in(cut(data, marks)) == outcome


def answer_to(data: bytes, subprotocol: str | None) -> tuple[Offer, bytes] | HttpRefusal:
    """Return the offer of a request and the head of the answer, or the text of the refusal."""
    try:
        opened = open_up(data)
        return opened.server_handshake.offer, opened.head.switch(opened.server_handshake.accept(Answer(subprotocol)))
    except HttpRefusal as error:
        return error


@settings(QUICK, max_examples=400)
@given(data=heads(), offered=st.sampled_from([None, "chat"]))
@example(data=head_of(*BARE, "Origin: http://example.com "), offered=None)
@example(data=head_of(*BARE, "Origin:  http://example.com"), offered=None)
@example(data=head_of(*BARE, "Origin: null", "WebSocket-Protocol: chat "), offered="chat")
@example(data=head_of(*BARE, "Origin: null", *TWO_KEYS, "Sec-WebSocket-Protocol:  chat"), offered="chat")
def test_any_request_is_answered_or_refused(data: bytes, offered: str | None) -> None:
    """Only HttpRefusal is raised, also if another server's handshake reads the same request."""
    answered = answer_to(data, offered)
    if isinstance(answered, HttpRefusal):
        assert answered.status in (400, 405, 426, 431, 502)
        return
    offer, reply = answered
    assert reply.startswith(b"HTTP/1.1 101 ")
    assert reply.endswith(b"\r\n\r\n")
    assert b"\r\n\r\n" not in reply[:-4]
    for other_dialect in DIALECTS.values():
        client_handshake = other_dialect.handshake.client(offer, seeded())
        assert ResponseHead(LIMITS).request(client_handshake.request).startswith(b"GET ")


A_REQUEST = vectors("handshake_request", "ok")[0].wire


@dataclass(frozen=True)
class Replied:
    response: tuple[object, ...] | None
    refused: int | None


def asked() -> ResponseHead:
    """Return a head that waits for the response to its request."""
    head = ResponseHead(HeadLimits(head_bytes=2000))
    head.request(read(A_REQUEST))
    return head


def reply_in(pieces: list[bytes]) -> Replied:
    head = asked()
    try:
        for piece in filter(None, pieces):  # no bytes mean the end of the stream
            if (response := head.receive(piece)) is not None:
                return Replied(parts(response), None)
    except HttpRefusal as error:
        return Replied(None, error.status)
    return Replied(None, None)


def parts(response: Response) -> tuple[object, ...]:
    return (response.status, response.reason, list(response.headers))


REPLY_STARTS = st.sampled_from(
    ["HTTP/1.1 101 Switching Protocols", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x", "HTTP/1.1 404 Not Found", "FOO"]
)
REPLIES = st.builds(lambda start, lines: head_of(*lines, start=start), REPLY_STARTS, st.lists(HEADERS, max_size=4))


@QUICK
@given(data=REPLIES | st.binary(max_size=200), marks=MARKS)
@example(data=b"H\0", marks=[1])
def test_any_head_of_a_response_is_read_the_same_however_it_is_cut(data: bytes, marks: list[int]) -> None:
    outcome = reply_in([data])
    assert outcome.refused in (None, 502)
    assert reply_in(cut(data, marks)) == outcome


@QUICK
@given(data=REPLIES, proof=st.binary(max_size=16), name=st.sampled_from(list(DIALECTS)))
def test_any_response_is_an_answer_or_refused(data: bytes, proof: bytes, name: str) -> None:
    client_handshake = DIALECTS[name].handshake.client(open_up(A_REQUEST).server_handshake.offer, seeded())
    head = ResponseHead(LIMITS)
    head.request(client_handshake.request)
    status = 502
    try:
        response = head.receive(data)
        if response is not None and response.status == 101:
            client_handshake.check(response, proof)
    except HttpRefusal as error:
        status = error.status
    assert status == 502


def test_the_noise_is_not_all_refused() -> None:
    """Without this, the tests above could pass because all input fails early."""
    assert {open_up(head_of(*base)).dialect.name for base in BASES[:-2]} == set(DIALECTS)
