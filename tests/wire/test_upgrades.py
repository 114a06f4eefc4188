"""Upgrades and their 101s: h11 is not asked for them, and it is for everything else."""

import h11
import pytest

from tests.cases import cases
from tests.dialects.vectors import vectors
from tests.steps import steps
from wsgateway.wire.heads import Headers, HeadLimits, Request, Response
from wsgateway.wire.oddities import EVERY, Oddities
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

from .heads import LIMITS, head_of, pieces_of

UPGRADE = (b"Upgrade: websocket", b"Connection: Upgrade")
ITEMS = [("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("X-Name", "\xe9")]
ASKED = Request("/chat?x=1", Headers(ITEMS))
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: a=1\r\n\r\n"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[h11.Connection]:
    """The connections of h11 that are made."""
    several: list[h11.Connection] = []

    class Noted(h11.Connection):
        def __init__(self, *arguments: object, **more: object) -> None:
            super().__init__(*arguments, **more)  # type: ignore[arg-type]
            several.append(self)

    monkeypatch.setattr(h11, "Connection", Noted)
    return several


def opened(data: bytes) -> RequestHead:
    head = RequestHead(LIMITS, True, Oddities(EVERY["client"]), lambda: "192.0.2.1")
    assert head.receive(data) is not None
    return head


def asked() -> ResponseHead:
    head = ResponseHead(LIMITS)
    head.request(ASKED)
    return head


# -- without h11 -------------------------------------------------------------------------------------------------


def test_no_request_of_any_dialect_and_no_101_needs_h11(made: list[h11.Connection]) -> None:
    requests = vectors("handshake_request", "ok")
    assert len({each.dialect for each in requests}) == 11
    for each in requests:
        assert opened(each.wire).switch(Response(101, "x", Headers(ITEMS[1:]))).startswith(b"HTTP/1.1 101 x\r\n")
    for each in vectors("handshake_response", "ok"):
        response = asked().receive(each.wire)
        assert response is not None
        assert response.status == 101, each.id
    assert made == []


@cases(
    "data",
    [
        b"\r\n" + head_of(*UPGRADE),
        head_of(*UPGRADE).replace(b"\r\n", b"\n"),
        head_of(*UPGRADE, host=None),
        head_of(*UPGRADE, b"Cookie: a\x01b"),
        head_of(*UPGRADE, start=b"GET ws://example.com/caf\xc3\xa9 HTTP/1.0"),
        # Perl's Protocol::WebSocket announces the bytes of a challenge.
        head_of(*UPGRADE, b"Content-Length: 8") + b"^n:ds[4U",
    ],
)
def test_an_upgrade_with_an_oddity_does_not_need_h11(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h11, "Connection", None)
        head = opened(data)
        assert head.switch(Response(101, "x")) == b"HTTP/1.1 101 x\r\n\r\n"


@cases("size", range(1, len(SWITCH)))
def test_a_101_does_not_need_h11_however_it_is_cut(size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(h11, "Connection", None)
        head = asked()
        *first, last = pieces_of(SWITCH, size)
        for piece in first:
            assert head.receive(piece) is None
        response = head.receive(last + b"\x81\x05Hello")
        assert response is not None
        assert list(response.headers) == [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Set-Cookie", "a=1")]
        assert head.rest == b"\x81\x05Hello"


@cases("line", [b"X-%d: 1", b"X: %d", b"Cookie: a=%d"])
def test_a_head_takes_steps_in_proportion_to_its_size(line: bytes) -> None:
    def took(count: int) -> int:
        data = head_of(*UPGRADE, *[line % number for number in range(count)])
        return steps(lambda: RequestHead(HeadLimits(10**6, 10**6)).receive(data))

    took(10)
    assert took(4000) < 5 * took(1000)


# -- with h11 ----------------------------------------------------------------------------------------------------


@cases("lines", [[], [b"Upgrade: h2c"], [b"Content-Length: 5"]])
def test_a_request_that_is_no_upgrade_is_read_by_h11(lines: list[bytes]) -> None:
    assert opened(head_of(*lines)).http.their_state in (h11.DONE, h11.SEND_BODY, h11.MIGHT_SWITCH_PROTOCOL)


def test_an_upgrade_that_is_refused_is_read_by_h11_then(made: list[h11.Connection]) -> None:
    head = opened(head_of(*UPGRADE))
    assert made == []
    # The length is not known, so h11 adds that it ends in chunks: it knows that the client speaks HTTP/1.1.
    assert head.respond(Response(403, "Forbidden")) == b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert head.body(b"no") + head.end() == b"2\r\nno\r\n0\r\n\r\n"
    assert len(made) == 1


def test_an_upgrade_of_http_1_0_is_refused_without_chunks() -> None:
    head = opened(head_of(*UPGRADE, start=b"GET / HTTP/1.0"))
    assert head.respond(Response(403, "Forbidden")) == b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"
    assert head.body(b"no") + head.end() == b"no"


def test_nothing_is_answered_after_a_101() -> None:
    head = opened(head_of(*UPGRADE))
    head.switch(Response(101, "x"))
    with pytest.raises(AssertionError, match="a 101 is the end of HTTP"):
        head.respond(Response(403, "Forbidden"))


def test_another_interim_response_to_an_upgrade_is_written_by_h11() -> None:
    head = opened(head_of(*UPGRADE))
    assert head.switch(Response(103, "Early Hints")) == b"HTTP/1.1 103 Early Hints\r\n\r\n"
    assert head.switch(Response(101, "x")) == b"HTTP/1.1 101 x\r\n\r\n"


LATER = {
    "a refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403),
    "a 101 after a 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCH, 101),
    "no reason": (SWITCH.replace(b" Switching Protocols", b""), 101),
    "HTTP/1.0": (SWITCH.replace(b"HTTP/1.1", b"HTTP/1.0"), 101),
    "line feeds alone": (SWITCH.replace(b"\r\n", b"\n"), 101),
    "a folded line": (SWITCH.replace(b"a=1", b"a=\r\n 1"), 101),
    "a control character": (SWITCH.replace(b"a=1", b"a=\x011"), 101),
    "a length": (SWITCH.replace(b"Set-Cookie: a=1", b"Content-Length: 0"), 101),
}


@cases(("data", "status"), LATER.values(), LATER)
@cases("size", [1, 7, 1000])
def test_what_is_no_usual_101_is_read_by_h11_from_its_first_byte_on(data: bytes, status: int, size: int) -> None:
    head = asked()
    several = pieces_of(data, size)
    response = None
    while response is None:
        response = head.receive(several.pop(0))
    assert response.status == status
    rest = b"".join(several)
    if status == 403:
        body = head.first_body()
        assert body + (head.body(rest) if rest else b"") == b"no"
        assert head.ended
    else:
        assert head.rest == rest == b""


# -- what cannot be written --------------------------------------------------------------------------------------

INJECTED = [
    ("X", "a\r\nY: b"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\0"), ("X\r\nY", "a"), ("X: a\r\nY", "b"), ("", "a"),
    ("X Y", "a"), ("X", " a"), ("X", "a "), ("X:", "a"),
]  # fmt: skip


@cases("item", INJECTED)
def test_nothing_is_written_that_would_be_read_as_another_head(item: tuple[str, str]) -> None:
    with pytest.raises(h11.LocalProtocolError):
        opened(head_of(*UPGRADE)).switch(Response(101, "x", Headers([item])))
    with pytest.raises(h11.LocalProtocolError):
        ResponseHead(LIMITS).request(Request("/", Headers([*ITEMS, item])))


@cases("target", ["", "/a b", "/\r\nX: 1", "/\x7f", "/ HTTP/1.1\r\nX: 1\r\n\r\nGET /"])
def test_no_target_is_written_that_would_be_read_as_another_head(target: str) -> None:
    with pytest.raises(h11.LocalProtocolError):
        ResponseHead(LIMITS).request(Request(target, Headers(ITEMS)))
