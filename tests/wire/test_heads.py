"""The heads of HTTP/1.1: what is read, however it is cut, what is refused, and what is written."""

import random

import pytest

from tests.cases import cases
from wsgateway.errors import HandshakeError
from wsgateway.wire.heads import Headers, HeadLimits, Request, RequestHead, Response, ResponseHead, is_host, is_token

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


def head_of(*lines: bytes, start: bytes = b"GET / HTTP/1.1", host: bytes | None = b"Host: example.com") -> bytes:
    return b"\r\n".join([start, *([host] if host else []), *lines, b"", b""])


def read(data: bytes, limits: HeadLimits = LIMITS) -> Request:
    request = RequestHead(limits).receive(data)
    assert request is not None, "the head is not whole"
    return request


def feed(head: RequestHead | ResponseHead, pieces: list[bytes]) -> None:
    """Feeds pieces none of which ends the head."""
    for piece in pieces:
        assert head.receive(piece) is None


def pieces_of(data: bytes, size: int = 1) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def refused(data: bytes, limits: HeadLimits = LIMITS) -> HandshakeError:
    with pytest.raises(HandshakeError) as refusal:
        RequestHead(limits).receive(data)
    return refusal.value


# -- tokens and hosts ------------------------------------------------------------------------------------------


@cases("text", ["chat", "v2.chat", "!#$%&'*+-.^_`|~09azAZ"])
def test_a_token(text: str) -> None:
    assert is_token(text)


@cases("text", ["", "a b", "a,b", "a/b", "a:b", "a\n", "caf\xe9", '"a"', "a\0", "a\t"])
def test_no_token(text: str) -> None:
    assert not is_token(text)


@cases("text", ["a", "example.com", "example.com:8080", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443"])
def test_a_host(text: str) -> None:
    assert is_host(text)


@cases(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:b",
        "a:123456",
        "a b",
        " a",
        "a ",
        "a/b",
        "u@a",
        "a\n",
        "[::1",
        "[]",
        "[g]",
        "::1",
        "a,b:1:2",
        "\xe9",
    ],
)
def test_no_host(text: str) -> None:
    assert not is_host(text)


# -- headers ---------------------------------------------------------------------------------------------------

HEADERS = Headers(
    [("Connection", "keep-alive, Upgrade"), ("Cookie", "a=1"), ("connection", ",TE ,, x"), ("Cookie", "b=2")]
)


def test_headers_are_found_in_any_case_and_keep_their_order_and_spelling() -> None:
    assert next(iter(HEADERS)) == ("Connection", "keep-alive, Upgrade")
    assert len(HEADERS) == 4
    assert "COOKIE" in HEADERS
    assert "Host" not in HEADERS
    assert HEADERS.index("cookie") == 1
    assert HEADERS.index("Host") is None
    assert HEADERS.every("cookie") == ["a=1", "b=2"]
    assert HEADERS.every("Host") == []


def test_one_header_is_one() -> None:
    headers = Headers([("Host", "a"), ("Cookie", "1"), ("COOKIE", "2")], raw=["a ", "1", "2"])
    assert headers.one("host") == "a"
    assert headers.raw("host") == "a "
    assert headers.one("Origin") is None
    assert headers.raw("Origin") is None
    for find in (headers.one, headers.raw):
        with pytest.raises(HandshakeError, match="2 Cookie headers, at most one") as several:
            find("Cookie")
        assert several.value.status == 400


def test_headers_that_we_make_ourselves_are_raw_as_they_are() -> None:
    assert Headers([("Host", "a")]).raw("Host") == "a"


def test_a_list_may_be_spread_over_several_headers() -> None:
    assert HEADERS.listed("Connection") == ["keep-alive", "Upgrade", "TE", "x"]
    assert HEADERS.tokens("Connection") == {"keep-alive", "upgrade", "te", "x"}
    assert HEADERS.listed("Host") == []
    assert HEADERS.tokens("Host") == set()


# -- requests that are read ------------------------------------------------------------------------------------


def check_sample(request: Request) -> None:
    assert (request.method, request.target, request.sent_target) == ("GET", "/demo", "/demo")
    assert [name for name, _ in request.headers] == [
        "Host",
        "Connection",
        "Sec-WebSocket-Key2",
        "Sec-WebSocket-Protocol",
        "Upgrade",
        "Sec-WebSocket-Key1",
        "X-Empty",
        "Origin",
    ]
    assert request.headers.one("Sec-WebSocket-Key1") == "4 @1  46546xW%0l 1 5"
    assert request.headers.raw("Sec-WebSocket-Key1") == " 4 @1  46546xW%0l 1 5 "
    assert request.headers.raw("Sec-WebSocket-Key2") == "12998 5 Y3 1  .P00"
    assert request.headers.raw("X-Empty") == ""


@cases("at", range(1, len(SAMPLE)))
def test_a_head_may_be_cut_anywhere(at: int) -> None:
    head = RequestHead(LIMITS)
    assert head.receive(SAMPLE[:at]) is None
    request = head.receive(SAMPLE[at:] + CHALLENGE)
    assert request is not None
    check_sample(request)
    assert head.rest == CHALLENGE


def test_a_head_may_come_byte_by_byte() -> None:
    head = RequestHead(LIMITS)
    feed(head, pieces_of(SAMPLE[:-1]))
    request = head.receive(b"\n")
    assert request is not None
    check_sample(request)
    assert head.rest == b""


def test_a_head_may_come_with_empty_reads() -> None:
    head = RequestHead(LIMITS)
    assert head.receive(b"") is None
    assert head.receive(SAMPLE[:20]) is None
    assert head.receive(b"") is None
    assert head.receive(SAMPLE[20:]) is not None


@cases(
    "rest", [b"\r\n\r\n\r\n\r\n", b"a\r\n\r\nb\r\n", b"\0 \t\xff\xfe\r\n ", b"GET / HT", b"\r", bytes(range(256)) * 400]
)
def test_what_follows_the_head_is_kept_to_the_byte(rest: bytes) -> None:
    head = RequestHead(LIMITS)
    assert head.receive(SAMPLE + rest) is not None
    assert head.rest == rest


def test_values_are_text_of_their_bytes() -> None:
    request = read(head_of(b"X-Name: caf\xc3\xa9 \xff"))
    assert request.headers.one("X-Name") == "caf\xc3\xa9 \xff"


@cases("value", [b"", b" ", b"\t \t"])
def test_a_value_may_be_nothing(value: bytes) -> None:
    request = read(head_of(b"X-Name:" + value, b"X-Next: 1"))
    assert request.headers.one("X-Name") == ""
    assert request.headers.raw("X-Name") == value.decode().removeprefix(" ")
    assert request.headers.raw("X-Next") == "1"


@cases(
    ("sent", "target"),
    [
        (b"/", "/"),
        (b"/?", "/?"),
        (b"/a%20b?q=%C3%A9", "/a%20b?q=%C3%A9"),
        (b"http://example.com/chat", "http://example.com/chat"),
        (b"/chat#top", "/chat#top"),
        (b"*", "*"),
        # experiment T10: a WebKit of 2010 sends UTF-8 as it is
        (b"/caf\xc3\xa9/\xc3\xa9?q=a%20b", "/caf%C3%A9/%C3%A9?q=a%20b"),
        (b"/\xff\xfe", "/%FF%FE"),
    ],
)
def test_a_target_is_percent_encoded_and_kept_as_it_was_sent(sent: bytes, target: str) -> None:
    request = read(head_of(start=b"GET " + sent + b" HTTP/1.1"))
    assert request.target == target
    assert request.sent_target.encode("latin-1") == sent
    assert request.raw_target == (b"" if target.encode() == sent else sent)


def test_only_the_target_is_percent_encoded_if_its_bytes_stand_elsewhere_too() -> None:
    request = read(head_of(b"X-Name: /\xe9", start=b"GET /\xe9 HTTP/1.1"))
    assert (request.target, request.headers.one("X-Name")) == ("/%E9", "/\xe9")


@cases("method", ["POST", "HEAD", "OPTIONS", "PURGE"])
def test_other_methods_are_read_so_that_they_can_be_answered(method: str) -> None:
    assert read(head_of(start=method.encode() + b" / HTTP/1.1")).method == method


def test_a_body_is_not_part_of_the_head() -> None:
    head = RequestHead(LIMITS)
    request = head.receive(head_of(b"Content-Length: 5", start=b"POST / HTTP/1.1") + b"hello")
    assert request is not None
    assert request.headers.one("Content-Length") == "5"
    assert head.rest == b"hello"


# -- requests that are refused ---------------------------------------------------------------------------------

TLS_CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 32
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4

MALFORMED = {
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a\n\r\n\r\n", "CR, LF or NUL"),
    "one line feed alone": (head_of(b"A: 1\nB: 2"), "CR, LF or NUL"),
    "a carriage return alone": (head_of(b"A: 1\rB: 2"), "CR, LF or NUL"),
    "a carriage return at the end of a line": (head_of(b"A: 1\r"), "CR, LF or NUL"),
    "a NUL in a value": (head_of(b"A: 1\0"), "CR, LF or NUL"),
    "a NUL in the request line": (head_of(start=b"GET /\0 HTTP/1.1"), "CR, LF or NUL"),
    "a folded line": (head_of(b"A: 1", b" 2"), "without a proper name"),
    "a line folded by a tab": (head_of(b"A: 1", b"\t2: 3"), "without a proper name"),
    "a space before the colon": (head_of(b"A : 1"), "without a proper name"),
    "a space before the name": (head_of(b" A: 1"), "without a proper name"),
    "no name": (head_of(b": 1"), "without a proper name"),
    "no colon": (head_of(b"A"), "without a proper name"),
    "a name that is no token": (head_of(b"A\xc3\xa9: 1"), "without a proper name"),
    "no Host": (head_of(host=None), "malformed request"),
    "two Hosts": (head_of(b"Host: example.com"), "malformed request"),
    "a control in a value": (head_of(b"A: 1\x0b2"), "malformed request"),
    "no version": (head_of(start=b"GET /"), "malformed request"),
    "no target": (head_of(start=b"GET"), "malformed request"),
    "two spaces": (head_of(start=b"GET  / HTTP/1.1"), "malformed request"),
    "a space in the target": (head_of(start=b"GET /a b HTTP/1.1"), "malformed request"),
    "a space behind the version": (head_of(start=b"GET / HTTP/1.1 "), "malformed request"),
    "no HTTP": (head_of(start=b"GET / FTP/1.1"), "malformed request"),
    "a method that is no token": (head_of(start=b"G\xc3\xa9T /\xc3\xa9 HTTP/1.1"), "malformed request"),
    "HTTP/1.0": (head_of(start=b"GET / HTTP/1.0"), "HTTP/1.0 cannot be upgraded"),
    "HTTP/2": (HTTP2_PREFACE, "HTTP/2.0 cannot be upgraded"),
    "HTTP/0.9": (b"GET /\r\n\r\n", "malformed request"),
    "TLS": (TLS_CLIENT_HELLO, "looks like TLS"),
    "an empty line first": (b"\r\n" + head_of(), "not HTTP"),
    "garbage": (b"\x80\x03abc", "not HTTP"),
    "a policy request of Flash": (b"<policy-file-request/>\0", "not HTTP"),
    "two lengths": (head_of(b"Content-Length: 5", b"Content-Length: 6"), "malformed request"),
    "a length that is no number": (head_of(b"Content-Length: 0x5"), "malformed request"),
    "a transfer coding that nobody knows": (head_of(b"Transfer-Encoding: gzip"), "malformed request"),
    "two transfer codings": (
        head_of(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        "malformed request",
    ),
}


@cases(("data", "said"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_head_is_refused(data: bytes, said: str) -> None:
    refusal = refused(data)
    assert said in str(refusal)
    assert refusal.status == 400


@cases(("data", "said"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_head_is_refused_for_the_same_reason_byte_by_byte(data: bytes, said: str) -> None:
    head = RequestHead(LIMITS)
    with pytest.raises(HandshakeError) as refusal:
        feed(head, pieces_of(data))
    assert said in str(refusal.value)


def test_a_refusal_repeats_nothing_that_the_client_sent() -> None:
    assert "secret" not in str(refused(head_of(b"Cookie: secret\x0b")))
    assert "secret" not in str(refused(head_of(start=b"GET /secret HTTP/1.1 x")))


@cases("lines", [[b"Content-Length: 8"] * 2, [b"Content-Length: 8", b"X: 1", b"content-length: 8"]])
def test_a_header_that_is_repeated_moves_no_other_value(lines: list[bytes]) -> None:
    """h11 leaves the second of two equal lengths out: refused, or both there, but never one value for another."""
    try:
        headers = read(head_of(*lines, b"Sec-WebSocket-Key1:  !0", b"Origin: null")).headers
    except HandshakeError:
        return
    assert headers.raw("Sec-WebSocket-Key1") == " !0"
    assert headers.raw("Origin") == "null"


# -- limits ----------------------------------------------------------------------------------------------------


def padded(size: int) -> bytes:
    """A head of that many bytes, with the blank line."""
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


def test_a_head_may_have_16_kib() -> None:
    data = padded(16 * 1024)
    assert len(data) == 16 * 1024
    for pieces in cuts_of(data):
        head = RequestHead(LIMITS)
        feed(head, pieces[:-1])
        assert head.receive(pieces[-1] + b"x" * 100_000) is not None
        assert head.rest == b"x" * 100_000


@cases("data", [padded(16 * 1024 + 1), padded(16 * 1024 + 1)[:-1], padded(100_000)[:-4], b"G" * 16384])
def test_a_head_of_more_is_too_large(data: bytes) -> None:
    for pieces in cuts_of(data):
        head = RequestHead(LIMITS)
        with pytest.raises(HandshakeError, match="larger than 16384 bytes") as refusal:
            feed(head, pieces)
        assert refusal.value.status == 431


@cases("size", [100, 500])
def test_the_size_of_a_head_is_a_setting(size: int) -> None:
    limits = HeadLimits(head_bytes=size)
    assert read(padded(size), limits)
    assert f"larger than {size} bytes" in str(refused(padded(size + 1), limits))


def test_a_head_may_have_100_headers_and_no_more() -> None:
    assert len(read(head_of(*[b"X: 1"] * 99)).headers) == 100
    refusal = refused(head_of(*[b"X: 1"] * 100))
    assert (str(refusal), refusal.status) == ("101 headers, at most 100 are allowed", 431)


# -- what we answer --------------------------------------------------------------------------------------------


def answering(data: bytes = SAMPLE) -> RequestHead:
    head = RequestHead(LIMITS)
    assert head.receive(data) is not None
    return head


def test_a_101_is_written_as_it_is_given() -> None:
    response = Response(101, "Web Socket Protocol Handshake", Headers([("upgrade", "WebSocket"), ("X-y", "\xc3\xa9")]))
    assert answering().switch(response) == (
        b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nupgrade: WebSocket\r\nX-y: \xc3\xa9\r\n\r\n"
    )


REFUSAL = Response(403, "Forbidden", Headers([("Content-Length", "2"), ("Connection", "close")]))


def test_a_refusal_is_a_head_and_a_body() -> None:
    head = answering()
    assert head.respond(REFUSAL) == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    assert head.body(b"no") == b"no"
    assert head.end() == b""


def test_a_body_of_unknown_length_is_chunked() -> None:
    head = answering()
    head.respond(Response(502, "Bad Gateway", Headers([("Transfer-Encoding", "chunked")])))
    assert head.body(b"so ") + head.body(b"") + head.body(b"sorry") == b"3\r\nso \r\n5\r\nsorry\r\n"
    assert head.end() == b"0\r\n\r\n"


def test_the_answer_to_head_has_no_body() -> None:
    head = answering(head_of(start=b"HEAD / HTTP/1.1"))
    assert head.respond(REFUSAL).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert head.body(b"no") == b""
    assert head.end() == b""


@cases("data", [head_of(host=None), padded(20_000), TLS_CLIENT_HELLO, head_of(start=b"GET / HTTP/1.0")])
def test_a_head_that_was_refused_can_be_answered(data: bytes) -> None:
    head = RequestHead(LIMITS)
    with pytest.raises(HandshakeError):
        head.receive(data)
    answer = head.respond(REFUSAL)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert head.body(b"no") + head.end() == b"no"


def test_a_response_has_no_headers_unless_they_are_given() -> None:
    assert list(Response(200, "OK").headers) == []


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
def test_other_interim_responses_are_passed_over(interim: bytes) -> None:
    check_switch(asked().receive(interim + SWITCH))
    head = asked()
    feed(head, pieces_of(interim))
    check_switch(head.receive(SWITCH))


@cases("start", [b"HTTP/1.1 101 ", b"HTTP/1.1 101", b"HTTP/1.1 101 Web Socket Protocol Handshake"])
def test_the_reason_is_read_and_matters_not(start: bytes) -> None:
    response = asked().receive(start + b"\r\nUpgrade: websocket\r\n\r\n")
    assert response is not None
    assert response.status == 101


def body_of(head: ResponseHead, pieces: list[bytes]) -> bytes:
    """The body, piece by piece until it has ended."""
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
    with pytest.raises(HandshakeError, match="malformed response") as fault:
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
    with pytest.raises(HandshakeError, match="malformed response") as fault:
        feed(head, [data, b""])  # if it was not enough to tell, the end of the stream is
    assert fault.value.status == 502


@cases("data", [b"", SWITCH[:-1], b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_stream_that_ends_before_the_response_does_is_a_fault(data: bytes) -> None:
    head = asked()
    if data:
        assert head.receive(data) is None
    with pytest.raises(HandshakeError, match="malformed response") as fault:
        head.receive(b"")
    assert fault.value.status == 502


def test_a_fault_repeats_nothing_that_the_server_sent() -> None:
    head = asked()
    with pytest.raises(HandshakeError) as fault:
        head.receive(SWITCH.replace(b"a=1", b"secret\0"))
    assert "secret" not in str(fault.value)


def test_a_response_may_have_100_headers_and_no_more() -> None:
    response = asked().receive(SWITCH.replace(b"\r\n\r\n", b"\r\n" + b"X: 1\r\n" * 97 + b"\r\n"))
    assert response is not None
    assert len(response.headers) == 100
    with pytest.raises(HandshakeError, match="101 headers, at most 100 are allowed") as fault:
        asked().receive(SWITCH.replace(b"\r\n\r\n", b"\r\n" + b"X: 1\r\n" * 98 + b"\r\n"))
    assert fault.value.status == 502


def long_switch(size: int) -> bytes:
    """A 101 of that many bytes, with the blank line."""
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


@cases("pieces", [1, 2, 7, 17, 1000])  # 17: the first 16 are just what is allowed
def test_the_head_of_a_response_is_too_large_beyond_that_however_it_comes(pieces: int) -> None:
    data = long_switch(17 * 1024)
    with pytest.raises(HandshakeError, match="larger than 16384 bytes") as fault:
        feed(asked(), pieces_of(data, -(-len(data) // pieces)))
    assert fault.value.status == 502
