"""HTTP/1.1 requests: what is read in any pieces, and what is refused."""

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import HeadLimits, Request
from wsgateway.wire.request_head import RequestHead

from .heads import CHALLENGE, LIMITS, SAMPLE, TLS_CLIENT_HELLO, cuts_of, feed, head_of, padded, pieces_of, read, refused

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
def test_bytes_after_the_head_are_kept(rest: bytes) -> None:
    head = RequestHead(LIMITS)
    assert head.receive(SAMPLE + rest) is not None
    assert head.rest == rest


def test_values_are_text_of_their_bytes() -> None:
    request = read(head_of(b"X-Name: caf\xc3\xa9 \xff"))
    assert request.headers.one("X-Name") == "caf\xc3\xa9 \xff"


@cases("value", [b"", b" ", b"\t \t"])
def test_a_value_may_be_empty(value: bytes) -> None:
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
        (b"/chat#top", "/chat#top"),
        (b"*", "*"),
        # experiment T10: a WebKit of 2010 sends UTF-8 unencoded
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

PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, 3.4

MALFORMED = {
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a\n\r\n\r\n", "a line feed without a carriage return"),
    "one line feed alone": (head_of(b"A: 1\nB: 2"), "a line feed without a carriage return"),
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
    "a control in a value that is read": (head_of(b"Origin: 1\x0b2"), "malformed request"),
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
    "five empty lines first": (b"\r\n" * 5 + head_of(), "more than 4 empty lines"),
    "a CR alone first": (b"\r" + head_of(), "not HTTP"),
    "an LF alone first": (b"\n" + head_of(), "not HTTP"),
    "an empty line before TLS": (b"\r\n" + TLS_CLIENT_HELLO, "looks like TLS"),
    "PROXY, version 2": (PROXY_V2, "not HTTP"),
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
    with pytest.raises(HttpRefusal) as refusal:
        feed(head, pieces_of(data))
    assert said in str(refusal.value)


def test_a_proxy_header_is_named_if_enough_of_it_is_here() -> None:
    # A NUL alone may be anything.
    assert "looks like the PROXY protocol" in str(refused(PROXY_V2))
    assert str(refused(PROXY_V2[:5])) == "this is not HTTP"


def test_the_text_of_a_refusal_repeats_no_bytes_of_the_client() -> None:
    assert "secret" not in str(refused(head_of(b"Origin: secret\x0b")))
    assert "secret" not in str(refused(head_of(start=b"GET /secret HTTP/1.1 x")))


@cases("lines", [[b"Content-Length: 8"] * 2, [b"Content-Length: 8", b"X: 1", b"content-length: 8"]])
def test_a_repeated_header_does_not_change_the_values_of_others(lines: list[bytes]) -> None:
    """h11 removes the second of two equal lengths: such a head is refused, or both stay, with their own values."""
    try:
        headers = read(head_of(*lines, b"Sec-WebSocket-Key1:  !0", b"Origin: null")).headers
    except HttpRefusal:
        return
    assert headers.raw("Sec-WebSocket-Key1") == " !0"
    assert headers.raw("Origin") == "null"


# -- limits ----------------------------------------------------------------------------------------------------


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
        with pytest.raises(HttpRefusal, match="larger than 16384 bytes") as refusal:
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
