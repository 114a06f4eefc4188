"""HTTP/2 header lists, converted to HTTP/1.1 requests and from HTTP/1.1 responses."""

from itertools import pairwise

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from wsgateway.errors import HttpRefusal, ProtocolError
from wsgateway.wire.heads import Headers, HeadLimits, Request, Response
from wsgateway.wire.http2 import FrameHeads, HeaderList, headers_of, is_websocket, request_of
from wsgateway.wire.oddities import DEFAULT, Oddities, Oddity, Tolerance
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PSEUDO: HeaderList = [
    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.com"), (b":path", b"/a?b"),
]  # fmt: skip
CONNECT: HeaderList = [
    (b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":authority", b"example.com"),
    (b":path", b"/chat"), (b"sec-websocket-version", b"13"),
]  # fmt: skip


def with_value(name: bytes, value: bytes) -> HeaderList:
    """Return the usual request with another value of this pseudo-header."""
    return [(each, value if each == name else usual) for each, usual in PSEUDO]


def asked(headers: HeaderList, ended: bool = True, tolerance: Tolerance = DEFAULT["client"]) -> Request:
    return request_of(headers, ended, bytes, Oddities(tolerance))


def lines(request: Request) -> list[tuple[str, str]]:
    return list(request.headers)


# -- requests ------------------------------------------------------------------------------------------------------


def test_a_request_without_a_body() -> None:
    request = asked([*PSEUDO, (b"accept", b"*/*"), (b"te", b"trailers")])
    assert (request.method, request.target, request.version) == ("GET", "/a?b", "1.1")
    assert lines(request) == [("Host", "example.com"), ("accept", "*/*"), ("Connection", "close")]


def test_a_request_with_a_body_of_a_length_that_is_known() -> None:
    request = asked([*PSEUDO, (b"content-length", b"5")], ended=False)
    assert lines(request) == [("Host", "example.com"), ("content-length", "5"), ("Connection", "close")]


def test_a_request_with_a_body_of_a_length_that_nobody_knows() -> None:
    request = asked(PSEUDO, ended=False)
    assert lines(request) == [("Host", "example.com"), ("Transfer-Encoding", "chunked"), ("Connection", "close")]


def test_a_length_of_nothing_is_nothing() -> None:
    assert ("content-length", "0") in lines(asked([*PSEUDO, (b"content-length", b"0")]))


def test_host_replaces_a_missing_authority() -> None:
    request = asked([*PSEUDO[:2], PSEUDO[3], (b"host", b"other.example")])
    assert lines(request) == [("Host", "other.example"), ("Connection", "close")]


def test_a_websocket_is_an_upgrade_with_a_key_of_ours() -> None:
    more = [
        (b"sec-websocket-key", b"theirs"),
        (b"sec-websocket-protocol", b"chat"),
        (b"origin", b"https://example.com"),
    ]
    request = asked([*CONNECT, *more], ended=False)
    assert (request.method, request.target) == ("GET", "/chat")
    assert lines(request) == [
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
        ("origin", "https://example.com"),
    ]


def test_a_websocket_is_a_connect_with_its_protocol() -> None:
    assert is_websocket(CONNECT)
    assert not is_websocket(PSEUDO)
    assert not is_websocket([*PSEUDO, (b":protocol", b"websocket")])
    assert not is_websocket([(b":method", b"CONNECT"), (b":protocol", b"connect-udp")])


REFUSED: list[tuple[HeaderList, int, str]] = [
    ([(b":method", b"CONNECT"), (b":authority", b"a:1")], 501, "CONNECT is for WebSocket alone, not 'a tunnel'"),
    ([CONNECT[0], (b":protocol", b"bytes"), *CONNECT[2:]], 501, "CONNECT is for WebSocket alone, not 'bytes'"),
    (CONNECT[:-1], 400, "Sec-WebSocket-Version must be 13 over HTTP/2"),
    ([*CONNECT, CONNECT[-1]], 400, "Sec-WebSocket-Version must be 13 over HTTP/2"),
    ([*CONNECT[:-1], (b"sec-websocket-version", b"8")], 400, "Sec-WebSocket-Version must be 13 over HTTP/2"),
    ([*CONNECT, (b"content-length", b"0")], 400, "Content-Length with a WebSocket"),
    (with_value(b":method", b"G T"), 400, "malformed request: a method, path or scheme that is none"),
    (with_value(b":path", b"/a b"), 400, "malformed request: a method, path or scheme that is none"),
    (with_value(b":path", b"/\r\nx: y"), 400, "malformed request: a method, path or scheme that is none"),
    (with_value(b":scheme", b"ftp"), 400, "malformed request: a method, path or scheme that is none"),
    (with_value(b":authority", b"a\r\nb"), 400, "Host is not a host with an optional port"),
    (with_value(b":authority", b""), 400, "Host is not a host with an optional port"),
    (with_value(b":authority", b"user@example.com"), 400, "Host is not a host with an optional port"),
    ([*PSEUDO, (b"x:y", b"1")], 400, "malformed request: a header without a proper name"),
    ([*PSEUDO, (b"x y", b"1")], 400, "malformed request: a header without a proper name"),
    ([*PSEUDO, (b"", b"1")], 400, "malformed request: a header without a proper name"),
    *(
        ([*PSEUDO, (b"x", value)], 400, "malformed request: a control character inside a line, as CR, LF or NUL")
        for value in (b"a\rb", b"a\nb", b"a\0b")
    ),
    *(
        ([*PSEUDO, (name, b"a\x1bb")], 400, "malformed request: a control character inside a line, as CR, LF or NUL")
        for name in (b"origin", b"sec-websocket-protocol", b"x-forwarded-for", b"forwarded", b"content-length", b"host")
    ),
    ([*PSEUDO, (b"connection", b"close")], 400, "connection in a request of HTTP/2"),
    ([*PSEUDO, (b"transfer-encoding", b"chunked")], 400, "transfer-encoding in a request of HTTP/2"),
    ([*PSEUDO, (b"upgrade", b"websocket")], 400, "upgrade in a request of HTTP/2"),
    ([*PSEUDO, (b"keep-alive", b"5")], 400, "keep-alive in a request of HTTP/2"),
    ([*PSEUDO, (b"proxy-connection", b"close")], 400, "proxy-connection in a request of HTTP/2"),
    ([*PSEUDO, (b"te", b"gzip")], 400, "te in a request of HTTP/2"),
    ([*PSEUDO, (b"content-length", b"5")], 400, "malformed request: Content-Length, and no body"),
    ([*PSEUDO, (b"content-length", b"+0")], 400, "malformed request: Content-Length is not one number"),
    ([*PSEUDO, (b"content-length", b"0, 0")], 400, "malformed request: Content-Length is not one number"),
    (
        [*PSEUDO, (b"content-length", b"0"), (b"content-length", b"00")],
        400,
        "malformed request: Content-Length is not one number",
    ),
]


@pytest.mark.parametrize(("headers", "status", "why"), REFUSED)
def test_an_ambiguous_request_is_refused(headers: HeaderList, status: int, why: str) -> None:
    with pytest.raises(HttpRefusal) as caught:
        asked(headers)
    assert (caught.value.status, str(caught.value)) == (status, why)


ODD: dict[str, tuple[HeaderList, str, Oddity]] = {
    "a control in a value": ([*PSEUDO, (b"cookie", b"a=\x1bb\x7f")], "a=b", Oddity.HEADER_CONTROLS),
    "UTF-8 in the path": (with_value(b":path", b"/\xc3\xa4"), "/%C3%A4", Oddity.RAW_TARGET),
    "an authority with an empty port": (with_value(b":authority", b"example.com:"), "example.com:", Oddity.HOST_FORM),
    "an IPv6 address without brackets": (with_value(b":authority", b"::1"), "[::1]", Oddity.HOST_FORM),
}


@pytest.mark.parametrize(("headers", "becomes", "oddity"), ODD.values(), ids=ODD)
def test_oddities_are_repaired_if_they_are_allowed(headers: HeaderList, becomes: str, oddity: Oddity) -> None:
    request = asked(headers)
    assert becomes in (request.target, *(value for _, value in request.headers))
    assert request.oddities.needed == (oddity,)
    with pytest.raises(HttpRefusal) as caught:
        asked(headers, tolerance=frozenset())
    assert caught.value.status == 400
    assert str(oddity) in caught.value.remark


def test_the_refusal_of_another_version_names_ours() -> None:
    with pytest.raises(HttpRefusal) as caught:
        asked(CONNECT[:-1])
    assert caught.value.headers == (("Sec-WebSocket-Version", "13"),)


def some(characters: str) -> st.SearchStrategy[bytes]:
    """Return header lists of which most are valid."""
    return st.text(characters, min_size=1, max_size=5).map(lambda text: text.encode("latin-1"))


names = st.one_of(st.sampled_from([b"content-length", b"te", b"cookie", b"expect", b"host"]), some("abc-_:"))
values = st.one_of(st.sampled_from([b"", b"0", b"5", b"trailers", b"100-continue"]), some("abc-_,; \t\v\x85\xe4\n"))


@given(some("GET:-"), some("/ab%?#.\t"), some("ab.:1 @"), st.lists(st.tuples(names, values)), st.booleans())
def test_any_accepted_header_list_is_one_request_of_http_1(
    method: bytes, path: bytes, authority: bytes, headers: HeaderList, ended: bool
) -> None:
    pseudo = [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path)]
    ordinary = [(name, value) for name, value in headers if not name.startswith(b":")]
    try:
        request = asked([*pseudo, *ordinary], ended)
    except HttpRefusal:
        return
    written = ResponseHead().head(request)
    head = RequestHead(HeadLimits(headers=200))
    read = head.receive(written)
    assert read is not None
    assert (read.method, read.target, lines(read), head.rest) == (request.method, request.target, lines(request), b"")


# -- responses -----------------------------------------------------------------------------------------------------


def test_a_101_is_a_200_without_its_proof() -> None:
    headers = Headers(
        [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK="),
            ("Sec-WebSocket-Protocol", "chat"), ("Set-Cookie", "a=\xe4"),
        ]
    )  # fmt: skip
    assert headers_of(Response(101, "Switching Protocols", headers)) == [
        (b":status", b"200"),
        (b"sec-websocket-protocol", b"chat"),
        (b"set-cookie", b"a=\xe4"),
    ]


def test_any_other_response_loses_what_is_for_one_hop() -> None:
    headers = Headers(
        [
            ("Content-Length", "2"), ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "5"),
            ("X-End", "2"), ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("Proxy-Connection", "x"),
        ]
    )  # fmt: skip
    assert headers_of(Response(426, "Upgrade Required", headers)) == [
        (b":status", b"426"),
        (b"content-length", b"2"),
        (b"x-end", b"2"),
    ]


# -- frames --------------------------------------------------------------------------------------------------------

LARGEST = DataFrame(1, data=bytes(16384)).serialize()
GOOD = PREFACE + PingFrame(opaque_data=bytes(8)).serialize() + LARGEST + DataFrame(3).serialize()


@given(st.lists(st.integers(0, len(GOOD)), max_size=20))
def test_a_frame_that_is_too_large_is_known_by_its_head_wherever_it_is_cut(cuts: list[int]) -> None:
    data = GOOD + bytes.fromhex("004001 00 00 00000001")
    edges = sorted({0, *cuts, len(GOOD)})
    heads = FrameHeads(settings_sent=1)
    for begin, end in pairwise(edges):
        heads.look(data[begin:end])
    for byte in data[len(GOOD) : -1]:
        heads.look(bytes([byte]))
    with pytest.raises(ProtocolError, match=r"^a frame of 16385 bytes, at most 16384 are allowed$"):
        heads.look(data[-1:])


def costly(*frames: Frame, sent: tuple[int, ...] = ()) -> int:
    """Return how many of these frames are counted after the preface; `sent` are the sizes of our DATA frames."""
    heads = FrameHeads(settings_sent=1)
    for size in sent:
        heads.sent(size)
    return sum(heads.look(bytes([byte])) for byte in PREFACE + b"".join(frame.serialize() for frame in frames))


@pytest.mark.parametrize(
    "frame",
    [
        DataFrame(1),
        PingFrame(opaque_data=bytes(8)),
        PingFrame(opaque_data=bytes(8), flags=["ACK"]),
        PriorityFrame(1, stream_weight=1),
        RstStreamFrame(1),
        SettingsFrame(),
        ExtensionFrame(0x10, 0),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_without_content_is_counted(frame: Frame) -> None:
    assert costly(frame, frame) == 2


def test_frames_of_a_request_are_not_counted() -> None:
    ending = DataFrame(1, flags=["END_STREAM"])
    assert costly(HeadersFrame(1, b"x"), ContinuationFrame(1, b"y"), DataFrame(1, b"z"), ending, GoAwayFrame(0)) == 0


def test_each_of_our_settings_is_acknowledged_once() -> None:
    assert costly(*[SettingsFrame(flags=["ACK"])] * 3) == 2


def test_window_updates_that_match_sent_bytes_are_not_counted() -> None:
    updates = [WindowUpdateFrame(1, window_increment=1)] * 350
    assert costly(*updates) == 250
    # Each DATA frame allows two, for its stream and for the connection; and each 1024 bytes allow one.
    assert costly(*updates, sent=(10,)) == 248
    assert costly(*updates, sent=(16384,) * 10) == 70
