"""Plain HTTP that is passed on: which requests, with which headers, and how a body is read."""

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.exchange import (
    RequestBody,
    body_headers,
    checked,
    passed_on,
    request_headers,
)
from wsgateway.wire.heads import Headers, Request, Response, requests_websocket
from wsgateway.wire.request_head import RequestHead

from .heads import head_of, pieces_of


def opened(data: bytes) -> tuple[RequestHead, Request]:
    head = RequestHead(plain=True)
    request = head.receive(data)
    assert request is not None, "the head is not whole"
    return head, request


def beginning(start: bytes, *lines: bytes, host: bytes | None = b"Host: example.com") -> bytes:
    return head_of(*lines, start=start, host=host)


def starting(start: bytes, *lines: bytes, host: bytes | None = b"Host: example.com") -> Request:
    return opened(beginning(start, *lines, host=host))[1]


# -- which requests ----------------------------------------------------------------------------------------------


@cases(
    ("upgrade", "asks"),
    [
        (b"websocket", True),
        (b"WebSocket", True),
        (b"websocket/13", True),
        (b"h2c, WebSocket", True),
        (b"h2c", False),
        (b"TLS/1.0", False),
        (b"websockets", False),
        (b"", False),
    ],
)
def test_a_request_is_for_websocket_if_upgrade_names_it(upgrade: bytes, asks: bool) -> None:
    assert requests_websocket(starting(b"GET / HTTP/1.1", b"Upgrade: " + upgrade).headers) is asks


@cases(
    ("sent", "target"),
    [
        (b"/", "/"),
        (b"/a/b?c=/../d", "/a/b?c=/../d"),
        (b"/a..b/.c/d./...", "/a..b/.c/d./..."),
        (b"http://example.com", "/"),
        (b"HTTP://EXAMPLE.com/a?b", "/a?b"),
        (b"https://example.com?b", "/?b"),
    ],
)
def test_a_target_is_passed_on_as_path_and_query(sent: bytes, target: str) -> None:
    assert checked(starting(b"GET " + sent + b" HTTP/1.1")).target == target


@cases("start", [b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"PURGE / HTTP/1.1", b"GET / HTTP/1.0"])
def test_a_request_that_can_be_read_in_one_way_is_as_it_came(start: bytes) -> None:
    request = starting(start, b"Content-Length: 0", b"Expect: 100-continue")
    assert checked(request) is request


def test_a_body_in_chunks_may_come_by_http_1_1() -> None:
    request = starting(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked")
    assert checked(request) is request


def test_http_1_0_needs_no_host_and_its_expect_is_ignored() -> None:
    request = starting(b"GET / HTTP/1.0", b"Expect: something", host=None)
    assert checked(request) is request


REFUSED = {
    "a tunnel": (beginning(b"CONNECT example.com:443 HTTP/1.1"), 501, "CONNECT is not passed on"),
    "an echo": (beginning(b"TRACE / HTTP/1.1"), 501, "TRACE is not passed on"),
    "chunks in 1.0": (
        beginning(b"POST / HTTP/1.0", b"Transfer-Encoding: chunked"),
        400,
        "Transfer-Encoding in HTTP/1.0",
    ),
    "two lengths of two kinds": (
        beginning(b"POST / HTTP/1.1", b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        400,
        "Transfer-Encoding and Content-Length",
    ),
    "an empty Host": (beginning(b"GET / HTTP/1.1", host=b"Host: "), 400, "Host is not a host"),
    "a Host with a path": (beginning(b"GET / HTTP/1.1", host=b"Host: a/b"), 400, "Host is not a host"),
    "a Host with a path in 1.0": (beginning(b"GET / HTTP/1.0", host=b"Host: a/b"), 400, "Host is not a host"),
    "another host": (beginning(b"GET http://example.org/ HTTP/1.1"), 400, "the target names another host than Host"),
    "no Host but in the target": (
        beginning(b"GET http://a/ HTTP/1.0", host=None),
        400,
        "the target names another host",
    ),
    "an asterisk": (beginning(b"OPTIONS * HTTP/1.1"), 400, "not a path"),
    "a name": (beginning(b"GET example.com HTTP/1.1"), 400, "not a path"),
    "another scheme": (beginning(b"GET ftp://example.com/ HTTP/1.1"), 400, "not a path"),
    "a fragment": (beginning(b"GET /a#b HTTP/1.1"), 400, "not a path"),
    "a fragment of an address": (beginning(b"GET http://example.com/a#b HTTP/1.1"), 400, "not a path"),
    "two dots": (beginning(b"GET /a/../b HTTP/1.1"), 400, "a segment that is . or .."),
    "a dot at the end": (beginning(b"GET /a/. HTTP/1.1"), 400, "a segment that is . or .."),
    "encoded dots": (beginning(b"GET /a/%2E%2e/b HTTP/1.1"), 400, "a segment that is . or .."),
    "encoded slashes": (beginning(b"GET /a%2f..%5Cb HTTP/1.1"), 400, "a segment that is . or .."),
    "dots of an address": (beginning(b"GET http://example.com/.. HTTP/1.1"), 400, "a segment that is . or .."),
    "an expectation": (beginning(b"GET / HTTP/1.1", b"Expect: 200-ok"), 417, "Expect is something else"),
    "two expectations": (beginning(b"GET / HTTP/1.1", b"Expect: 100-continue, x"), 417, "Expect is something else"),
}


@cases(("data", "status", "said"), REFUSED.values(), REFUSED)
def test_a_request_that_could_be_read_in_two_ways_is_refused(data: bytes, status: int, said: str) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        checked(opened(data)[1])
    assert refusal.value.status == status
    assert said in str(refusal.value)


# -- which headers -----------------------------------------------------------------------------------------------

OF_ONE_HOP = [
    ("Connection", "keep-alive, X-Named, content-length"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Authorization", "Basic eA=="),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Trailer", "X-Sum"),
    ("Transfer-Encoding", "chunked"),
    ("transfer_encoding", "chunked"),
    ("Upgrade", "h2c"),
    ("X-Named", "1"),
    ("x-named", "2"),
]
FOR_ALL = [("Cookie", "a=1"), ("X-Other", ""), ("cookie", "b=2"), ("Via", "1.1 a")]


def test_a_request_loses_headers_of_one_hop_of_its_body_and_of_the_gateway() -> None:
    ours = [("Host", "example.com"), ("Expect", "100-continue"), ("Content-Length", "5"), ("Content_Length", "6")]
    headers = Headers([*FOR_ALL[:2], *OF_ONE_HOP, *ours, *FOR_ALL[2:]])
    assert request_headers(headers) == tuple(FOR_ALL)


@cases(
    ("lines", "items"),
    [
        ([], ()),
        ([b"Content-Length: 5"], (("Content-Length", "5"),)),
        ([b"Content-Length: 005, 005"], (("Content-Length", "5"),)),
        ([b"Transfer-Encoding: chunked"], (("Transfer-Encoding", "chunked"),)),
        (
            [b"Content-Length: 5", b"Expect: 100-continue"],
            (("Content-Length", "5"), ("Expect", "100-continue")),
        ),
        (
            [b"Expect: 100-continue", b"Transfer-Encoding: Chunked"],
            (("Transfer-Encoding", "chunked"), ("Expect", "100-continue")),
        ),
    ],
)
def test_a_body_is_announced_as_it_comes(lines: list[bytes], items: tuple[tuple[str, str], ...]) -> None:
    head, request = opened(head_of(*lines, start=b"POST / HTTP/1.1"))
    assert body_headers(request, RequestBody(head, request)) == items


def test_a_client_whose_body_is_here_does_not_wait_for_a_100() -> None:
    head, request = opened(head_of(b"Content-Length: 2", b"Expect: 100-continue", start=b"POST / HTTP/1.1") + b"Hi")
    body = RequestBody(head, request)
    assert (body.first, body.waits, body.ended) == (b"Hi", False, True)
    assert body_headers(request, body) == (("Content-Length", "2"),)


def test_a_response_loses_headers_of_one_hop_and_gets_those_of_the_gateway() -> None:
    # A length that counts stays where it stood, also if Connection names it.
    some = [*OF_ONE_HOP[:7], *OF_ONE_HOP[9:]]
    response = Response(200, "OK", Headers([FOR_ALL[0], *some, ("Content-Length", "5"), *FOR_ALL[1:]]))
    passed = passed_on(response, [("Connection", "close")])
    assert (passed.status, passed.reason) == (200, "OK")
    assert list(passed.headers) == [FOR_ALL[0], ("Content-Length", "5"), *FOR_ALL[1:], ("Connection", "close")]


@cases(
    ("status", "headers"),
    [
        (103, [("Content-Length", "5")]),
        (204, [("Content-Length", "0")]),
        (200, [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]),
        (304, [("content_length", "5"), ("Transfer-Encoding", "chunked")]),
    ],
)
def test_a_length_that_does_not_count_is_not_passed_on(status: int, headers: list[tuple[str, str]]) -> None:
    assert list(passed_on(Response(status, "", Headers(headers))).headers) == []


@cases("status", [200, 206, 304, 404])
def test_a_length_that_counts_is_passed_on(status: int) -> None:
    assert list(passed_on(Response(status, "", Headers([("Content-Length", "5")]))).headers) == [
        ("Content-Length", "5")
    ]


# -- the body ----------------------------------------------------------------------------------------------------

WITH_LENGTH = head_of(b"Content-Length: 5", start=b"POST / HTTP/1.1")
IN_CHUNKS = head_of(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1")
BODIES = {
    "none": (head_of(), b""),
    "with a length": (WITH_LENGTH + b"Hello", b"Hello"),
    "in chunks": (IN_CHUNKS + b"2\r\nHe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", b"Hello"),
    "with trailers": (IN_CHUNKS + b"05\r\nHello\r\n0\r\nX-Sum: 1\r\n\r\n", b"Hello"),
    "of no chunk": (IN_CHUNKS + b"0\r\n\r\n", b""),
}


def read_body(pieces: list[bytes]) -> tuple[bytes, RequestBody]:
    """Return all of the body in these pieces; the first piece contains the whole head."""
    body = RequestBody(*opened(pieces[0]))
    return body.first + b"".join(body.receive(piece) for piece in pieces[1:] if not body.ended), body


@cases(("data", "said"), BODIES.values(), BODIES)
@cases("behind", [b"", b"GET / HTTP/1.1\r\n", b"\r\n\r\n"])
def test_a_body_is_read_and_the_bytes_after_it_are_kept(data: bytes, said: bytes, behind: bytes) -> None:
    got, body = read_body([data + behind])
    assert (got, body.ended, body.rest) == (said, True, behind)


@cases(("data", "said"), BODIES.values(), BODIES)
@cases("size", range(1, 8))
def test_a_body_may_come_in_pieces(data: bytes, said: bytes, size: int) -> None:
    head, end, rest = data.partition(b"\r\n\r\n")
    got, body = read_body([head + end, *pieces_of(rest, size)])
    assert (got, body.ended, body.rest) == (said, True, b"")


@cases(("data", "said"), [case for name, case in BODIES.items() if name not in ("none", "of no chunk")])
def test_a_body_has_not_ended_before_its_last_byte(data: bytes, said: bytes) -> None:
    got, body = read_body([data[:-1]])
    assert not body.ended
    assert said.startswith(got)


MALFORMED = {
    "no size": b"\r\n",
    "no number": b"x\r\n",
    "a chunk that is too long": b"2\r\nHello\r\n0\r\n\r\n",
    "line feeds alone behind the last chunk": b"5\r\nHello\r\n0\r\n\n",
    "line feeds alone behind trailers": b"5\r\nHello\r\n0\r\nX: 1\n\n",
    "a line feed alone behind no trailers": b"0\r\n\n",
}


@cases("data", MALFORMED.values(), MALFORMED)
@cases("size", [1, 2, 3, 100])
def test_a_malformed_body_is_refused_however_it_is_cut(data: bytes, size: int) -> None:
    with pytest.raises(HttpRefusal, match="malformed request") as refusal:
        read_body([IN_CHUNKS, *pieces_of(data, size)])
    assert refusal.value.status == 400


@cases(
    ("lines", "behind", "answer", "reusable"),
    [
        ([], b"", [], True),
        ([b"Content-Length: 2"], b"Hi", [], True),
        ([b"Content-Length: 2"], b"H", [], False),
        ([b"Connection: close"], b"", [], False),
        ([], b"", [("Connection", "close")], False),
    ],
)
def test_a_connection_can_be_used_again_if_both_messages_are_complete_and_neither_closes_it(
    lines: list[bytes], behind: bytes, answer: list[tuple[str, str]], reusable: bool
) -> None:
    head, request = opened(head_of(*lines) + behind)
    RequestBody(head, request)
    head.respond(Response(200, "OK", Headers([("Content-Length", "2"), *answer])))
    assert not head.reusable
    head.body(b"ok")
    head.end()
    assert head.reusable is reusable
