"""The heads of HTTP/1.1: valid names and hosts, headers, and our responses."""

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, Names, Response, plain_name
from wsgateway.wire.repair import is_host, is_token
from wsgateway.wire.request_head import RequestHead

from .heads import LIMITS, SAMPLE, TLS_CLIENT_HELLO, head_of, padded

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
        with pytest.raises(HttpRefusal, match="2 Cookie headers, at most one") as several:
            find("Cookie")
        assert several.value.status == 400


def test_another_value_for_a_name_leaves_all_others_as_they_are() -> None:
    headers = Headers([("Host", "a"), ("X", "b"), ("HOST", "c")], raw=[" a ", " b ", "c"]).replaced("host", "d")
    assert list(headers) == [("Host", "d"), ("X", "b"), ("HOST", "d")]
    assert (headers.raw("X"), headers.every("Host")) == (" b ", ["d", "d"])


def test_the_raw_value_of_a_header_of_ours_is_its_value() -> None:
    assert Headers([("Host", "a")]).raw("Host") == "a"


def test_a_list_may_be_spread_over_several_headers() -> None:
    assert HEADERS.listed("Connection") == ["keep-alive", "Upgrade", "TE", "x"]
    assert HEADERS.tokens("Connection") == {"keep-alive", "upgrade", "te", "x"}
    assert HEADERS.listed("Host") == []
    assert HEADERS.tokens("Host") == set()


def test_a_name_that_is_no_token_is_found_by_nobody() -> None:
    headers = Headers([("X Y", "1"), ("", "2"), ("Host", "a")])
    assert not headers.are_named
    assert "X Y" not in headers
    assert headers.every("Host") == ["a"]
    assert Headers([("Host", "a")]).are_named


def test_what_is_made_of_a_name_is_kept_for_a_bounded_number_of_short_names() -> None:
    made: list[str] = []
    names = Names(lambda name: made.append(name) or name.upper())
    assert [names.of("a"), names.of("a"), names.of("b")] == ["A", "A", "B"]
    assert made == ["a", "b"]
    for name in [*map(str, range(1000)), "x" * 16_000, "x" * 16_000]:
        assert names.of(name) == name.upper()
        assert len(names) <= 256
    assert made[-2:] == ["x" * 16_000] * 2


def test_names_are_compared_as_cgi_and_wsgi_do() -> None:
    assert plain_name("X_Forwarded_For") == plain_name("x-forwarded-for") == "x-forwarded-for"


# -- what we answer --------------------------------------------------------------------------------------------


def server_handshake(data: bytes = SAMPLE) -> RequestHead:
    head = RequestHead(LIMITS)
    assert head.receive(data) is not None
    return head


def test_a_101_is_written_as_it_is_given() -> None:
    response = Response(101, "Web Socket Protocol Handshake", Headers([("upgrade", "WebSocket"), ("X-y", "\xc3\xa9")]))
    assert server_handshake().switch(response) == (
        b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nupgrade: WebSocket\r\nX-y: \xc3\xa9\r\n\r\n"
    )


REFUSAL = Response(403, "Forbidden", Headers([("Content-Length", "2"), ("Connection", "close")]))


def test_a_refusal_is_a_head_and_a_body() -> None:
    head = server_handshake()
    assert head.respond(REFUSAL) == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    assert head.body(b"no") == b"no"
    assert head.end() == b""


def test_a_body_of_unknown_length_is_chunked() -> None:
    head = server_handshake()
    head.respond(Response(502, "Bad Gateway", Headers([("Transfer-Encoding", "chunked")])))
    assert head.body(b"so ") + head.body(b"") + head.body(b"sorry") == b"3\r\nso \r\n5\r\nsorry\r\n"
    assert head.end() == b"0\r\n\r\n"


def test_the_answer_to_head_has_no_body() -> None:
    head = server_handshake(head_of(start=b"HEAD / HTTP/1.1"))
    assert head.respond(REFUSAL).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert head.body(b"no") == b""
    assert head.end() == b""


@cases("data", [head_of(host=None), padded(20_000), TLS_CLIENT_HELLO, head_of(start=b"GET / HTTP/1.0")])
def test_a_head_that_was_refused_can_be_answered(data: bytes) -> None:
    head = RequestHead(LIMITS)
    with pytest.raises(HttpRefusal):
        head.receive(data)
    answer = head.respond(REFUSAL)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert head.body(b"no") + head.end() == b"no"


def test_a_response_has_no_headers_unless_they_are_given() -> None:
    assert list(Response(200, "OK").headers) == []
