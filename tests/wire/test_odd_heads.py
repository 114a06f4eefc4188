"""The oddities of request heads: each is served if it is allowed and refused if it is not, in any pieces.

Each case names the clients that sent it.
"""

from dataclasses import dataclass, field

import pytest

from tests.cases import cases
from wsgateway.errors import HttpRefusal
from wsgateway.wire import incoming
from wsgateway.wire.heads import Request
from wsgateway.wire.oddities import EVERY, Oddities, Oddity, Tolerance
from wsgateway.wire.request_head import RequestHead

from .heads import LIMITS, head_of, pieces_of

ALL = EVERY["client"]
NONE: Tolerance = frozenset()
UPGRADE = (b"Upgrade: websocket", b"Connection: Upgrade")


def upgrade(
    *lines: bytes, target: bytes = b"/chat", version: bytes = b"HTTP/1.1", host: bytes | None = b"example.com"
) -> bytes:
    named = None if host is None else b"Host: " + host
    return head_of(*UPGRADE, *lines, start=b"GET " + target + b" " + version, host=named)


def reading(tolerance: Tolerance, plain: bool = True) -> RequestHead:
    return RequestHead(LIMITS, plain, Oddities(tolerance), lambda: "192.0.2.1:8080")


def read(data: bytes, tolerance: Tolerance = ALL) -> Request:
    request = reading(tolerance).receive(data)
    assert request is not None, "the head is not whole"
    return request


def refusal_of(head: RequestHead, pieces: list[bytes]) -> HttpRefusal:
    """Return the text of the refusal of one of the pieces."""
    try:
        for piece in pieces:
            assert head.receive(piece) is None
    except HttpRefusal as error:
        return error
    raise AssertionError("nothing is refused")


@dataclass(frozen=True)
class Odd:
    """A head, and the request that is read from it if its oddities are allowed."""

    data: bytes
    needed: tuple[Oddity, ...]
    target: str = "/chat"
    host: str = "example.com"
    raw_target: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


ABSOLUTE, EMPTY, RAW = (Oddity.ABSOLUTE_TARGET,), (Oddity.EMPTY_LINES,), (Oddity.RAW_TARGET,)
CONTROLS, FORM, BARE = (Oddity.HEADER_CONTROLS,), (Oddity.HOST_FORM,), (Oddity.BARE_LF,)
NO_HOST = (Oddity.NO_HOST,)
OWN = "192.0.2.1:8080"

ODD = {
    # igrigorik/em-websocket#73, housleyjk/ws-rs#1, netty/netty#9206, zaphoyd/websocketpp#582
    "no port in Host (em-websocket#73)": Odd(
        upgrade(target=b"ws://0.0.0.0:8080", host=b"0.0.0.0"), ABSOLUTE, target="/", host="0.0.0.0:8080"
    ),
    "a port in both (ws-rs#1)": Odd(
        upgrade(target=b"ws://localhost:80/foo", host=b"localhost:80"), ABSOLUTE, "/foo", "localhost:80"
    ),
    "a query (netty#9206)": Odd(upgrade(target=b"http://example.com/chat?x=1"), ABSOLUTE, target="/chat?x=1"),
    "a query and no path": Odd(upgrade(target=b"wss://example.com?x=1"), ABSOLUTE, target="/?x=1"),
    "https in capitals": Odd(upgrade(target=b"HTTPS://EXAMPLE.com/chat"), ABSOLUTE),
    "another port in Host": Odd(
        upgrade(target=b"ws://example.com:81/chat", host=b"example.com:82"), ABSOLUTE, host="example.com:81"
    ),
    "a port in Host alone": Odd(upgrade(target=b"ws://example.com/chat", host=b"example.com:82"), ABSOLUTE),
    "an IPv6 address": Odd(upgrade(target=b"ws://[::1]:80/chat", host=b"[::1]"), ABSOLUTE, host="[::1]:80"),
    "an absolute target of a plain request": Odd(
        head_of(start=b"POST http://example.com:81/chat HTTP/1.1"), ABSOLUTE, host="example.com:81"
    ),
    "an absolute target of HTTP/1.0": Odd(head_of(start=b"GET ws://example.com/chat HTTP/1.0"), ABSOLUTE),
    # dotnet/aspnetcore#43228, yegor256/takes#1582, seanmonstar/httparse#11
    "an empty line first": Odd(b"\r\n" + upgrade(), EMPTY),
    "four empty lines first": Odd(b"\r\n" * 4 + upgrade(), EMPTY),
    "an empty line before a plain request": Odd(b"\r\n" + head_of(start=b"GET /chat HTTP/1.1"), EMPTY),
    # WebKits of 2010; gimite/web-socket-js of 2012 to 2015 in version 13; TooTallNate/Java-WebSocket#1123
    "UTF-8 in the target": Odd(
        upgrade(target=b"/caf\xc3\xa9"), RAW, target="/caf%C3%A9", raw_target=b"/caf\xc3\xa9"
    ),
    "UTF-8 in the target of a plain request": Odd(
        head_of(start=b"GET /a?n=Jos\xc3\xa9 HTTP/1.1"), RAW, target="/a?n=Jos%C3%A9", raw_target=b"/a?n=Jos\xc3\xa9"
    ),
    "UTF-8 in an absolute target": Odd(
        upgrade(target=b"ws://example.com/caf\xc3\xa9"),
        (*RAW, *ABSOLUTE),
        target="/caf%C3%A9",
        raw_target=b"/caf\xc3\xa9",
    ),
    # lysine-dev/okhttp#2939, jchristn/WatsonWebsocket#119: cookies of Incapsula
    **{
        f"{byte!r} in a cookie": Odd(upgrade(b"Cookie: a=V" + byte + b"x"), CONTROLS, headers={"Cookie": "a=Vx"})
        for byte in (b"\x01", b"\x0b", b"\x1b", b"\x1f", b"\x7f")
    },
    "controls alone": Odd(upgrade(b"User-Agent: \x01 \x02"), CONTROLS, headers={"User-Agent": ""}),
    "a control in a plain request": Odd(
        head_of(b"User-Agent:\x08x", start=b"GET /chat HTTP/1.1"), CONTROLS, headers={"User-Agent": "x"}
    ),
    # rack/rack-test#9, Codeception/Codeception#608; theturtle32/WebSocket-Node#303
    "a colon without a port": Odd(upgrade(host=b"example.com:"), FORM, host="example.com:"),
    "a colon behind brackets": Odd(upgrade(host=b"[::1]:"), FORM, host="[::1]:"),
    "IPv6 without brackets": Odd(upgrade(host=b"fe80::204:3dff:fe00:1d97"), FORM, host="[fe80::204:3dff:fe00:1d97]"),
    "IPv4 in IPv6 without brackets": Odd(upgrade(host=b"::ffff:192.0.2.1"), FORM, host="[::ffff:192.0.2.1]"),
    "a colon in a target": Odd(
        upgrade(target=b"ws://example.com:/chat"), (*ABSOLUTE, *FORM), host="example.com:"
    ),
    # hand-written clients of small devices
    "line feeds alone": Odd(upgrade().replace(b"\r\n", b"\n"), BARE),
    "one line feed alone": Odd(upgrade().replace(b"\r\n", b"\n", 1), BARE),
    "line feeds alone and no body": Odd(upgrade(b"Content-Length: 0").replace(b"\r\n", b"\n"), BARE),
    "a blank line of a line feed alone": Odd(upgrade()[:-2] + b"\n", BARE),
    "a line feed alone before the blank line": Odd(upgrade()[:-4] + b"\n\r\n", BARE),
    "no Host": Odd(upgrade(host=None), NO_HOST, host=OWN),
    "no Host in HTTP/1.0": Odd(upgrade(host=None, version=b"HTTP/1.0"), NO_HOST, host=OWN),
    "no Host but in the target": Odd(
        upgrade(target=b"ws://a:1/chat", host=None), (*NO_HOST, *ABSOLUTE), host="a:1"
    ),
    "all at once": Odd(
        b"\r\n\r\n"
        + upgrade(b"Cookie: \x01", target=b"ws://[::1]:/\xc3\xa9", host=b"::1").replace(b"\r\n", b"\n"),
        (*EMPTY, *BARE, *CONTROLS, *RAW, *FORM, *ABSOLUTE),
        target="/%C3%A9",
        raw_target=b"/\xc3\xa9",
        host="[::1]:",
    ),
}  # fmt: skip

every_odd = cases("odd", ODD.values(), ODD)


def check(odd: Odd, head: RequestHead, request: Request) -> None:
    assert (request.target, request.raw_target) == (odd.target, odd.raw_target)
    assert request.headers.every("Host") == [odd.host]
    assert {name: request.headers.one(name) for name in odd.headers} == odd.headers
    assert set(head.oddities.needed) == set(odd.needed)
    assert request.oddities is head.oddities


@every_odd
def test_an_odd_head_is_read_if_it_is_allowed(odd: Odd) -> None:
    head = reading(ALL)
    request = head.receive(odd.data + b"\n\r\n\0rest")
    assert request is not None
    check(odd, head, request)
    assert head.rest == b"\n\r\n\0rest"


@every_odd
def test_an_odd_head_is_read_however_it_is_cut(odd: Odd) -> None:
    for at in range(1, len(odd.data)):
        head = reading(ALL)
        assert head.receive(odd.data[:at]) is None
        request = head.receive(odd.data[at:])
        assert request is not None
        check(odd, head, request)
    head = reading(ALL)
    for byte in pieces_of(odd.data[:-1]):
        assert head.receive(byte) is None
    request = head.receive(odd.data[-1:])
    assert request is not None
    check(odd, head, request)


@every_odd
def test_an_odd_head_is_refused_if_one_of_its_oddities_is_not_allowed(odd: Odd) -> None:
    for missing in odd.needed:
        with pytest.raises(HttpRefusal) as refused:
            reading(ALL - {missing}).receive(odd.data)
        assert refused.value.status == 400
        assert refused.value.remark == f"listeners[].tolerance: {missing} would allow it"


@every_odd
def test_an_odd_head_is_refused_however_it_is_cut(odd: Odd) -> None:
    assert refusal_of(reading(NONE), pieces_of(odd.data)).status == 400


def test_an_ordinary_head_shows_no_oddity() -> None:
    for data in (upgrade(), upgrade(host=b"example.com:80"), upgrade(host=b"[::1]:80"), upgrade(b"A: \t1\t2")):
        assert read(data, NONE).oddities.needed == ()


# -- refused under every setting ---------------------------------------------------------------------------------

ALWAYS_REFUSED = {
    "another name in the target": upgrade(target=b"ws://example.org/chat"),
    "a name below in the target": upgrade(target=b"ws://www.example.com/chat"),
    "a user in the target": upgrade(target=b"ws://user@example.com/chat"),
    "a user in the target and no Host": upgrade(target=b"ws://user@example.com/chat", host=None),
    "a user in both": upgrade(target=b"ws://user@example.com/chat", host=b"user@example.com"),
    "nobody in the target": upgrade(target=b"ws:///chat"),
    "a port of the target that is too long": upgrade(target=b"ws://example.com:123456/chat"),
    "IPv6 without brackets in the target": upgrade(target=b"ws://::1/chat", host=b"::1"),
    "five empty lines first": b"\r\n" * 5 + upgrade(),
    "PROXY, version 2, where it is not taken": b"\r\n\r\n\0\r\nQUIT\n" + upgrade(),
    "an LF first": b"\n" + upgrade(),
    "a NUL in a cookie": upgrade(b"Cookie: a\0b"),
    "a CR in a cookie": upgrade(b"Cookie: a\rb"),
    **{
        f"a control in {name}": upgrade(name.encode() + b": a\x01b")
        for name in (
            "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-Anything", "Forwarded", "X-Forwarded-For",
            "X-Forwarded-Anything", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect",
            "Content_Length", "X_Forwarded_For", "WebSocket-Protocol",
        )
    },
    "a control in Host": upgrade(host=b"example.com\x01"),
    "a control in a name": upgrade(b"Coo\x01kie: a"),
    "a control in the target": upgrade(target=b"/a\x01b"),
    "a folded line": upgrade(b"Cookie: a", b" b"),
    "a line folded behind a line feed alone": upgrade(b"Cookie: a\n b"),
    "a space before a colon": upgrade(b"Cookie : a"),
    "two Hosts": upgrade(b"Host: example.com"),
    "two Hosts and a target that names one": upgrade(b"Host: example.org", target=b"ws://example.com/chat"),
    "a plain request with line feeds alone": head_of().replace(b"\r\n", b"\n"),
    "a plain request with one line feed alone": head_of(b"A: 1\nB: 2"),
    "an upgrade to something else with line feeds alone": head_of(b"Upgrade: h2c").replace(b"\r\n", b"\n"),
    "a body with line feeds alone": upgrade(b"Content-Length: 5").replace(b"\r\n", b"\n") + b"hello",
    "8 bytes with line feeds alone": upgrade(b"Content-Length: 8", b"Sec-WebSocket-Key1: 1 ").replace(b"\r\n", b"\n"),
    "chunks with line feeds alone": upgrade(b"Transfer-Encoding: chunked").replace(b"\r\n", b"\n"),
    "a CR at the end of a line": upgrade(b"Cookie: a").replace(b"\r\n", b"\n").replace(b" a\n", b" a\r\r\n"),
    "a plain request without Host": head_of(host=None),
    "HTTP/2.0": upgrade(version=b"HTTP/2.0"),
    "HTTP/0.9": upgrade(version=b"HTTP/0.9"),
}  # fmt: skip


@cases("data", ALWAYS_REFUSED.values(), ALWAYS_REFUSED)
@cases("size", [1, 7, 1000])
def test_a_malformed_head_is_refused_whatever_is_allowed(data: bytes, size: int) -> None:
    assert refusal_of(reading(ALL), pieces_of(data, size)).status == 400


# -- as soon as it is seen ---------------------------------------------------------------------------------------


@cases("at", range(1, 4))
def test_a_line_feed_alone_is_refused_as_soon_as_it_is_seen(at: int) -> None:
    """A server that waited for CR LF CR LF would wait until its timeout."""
    data = b"GET / HTTP/1.1\r\nHost: example.com\n"
    head = reading(ALL - {Oddity.BARE_LF})
    assert head.receive(data[:-at]) is None
    with pytest.raises(HttpRefusal, match="a line feed without a carriage return"):
        head.receive(data[-at:])


def test_a_line_feed_after_a_carriage_return_of_an_earlier_read_is_not_alone() -> None:
    head = reading(NONE)
    for piece in (b"GET / HTTP/1.1\r", b"\nHost: a\r", b"\n", b"\r"):
        assert head.receive(piece) is None
    assert head.receive(b"\n\n") is not None
    assert head.rest == b"\n"


def test_of_a_head_with_line_feeds_alone_each_byte_is_looked_at_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    looked, pattern = list[int](), incoming._BARE_END

    class Counting:
        def search(self, data: bytes, at: int = 0) -> object:
            looked.append(len(data) - at)
            return pattern.search(data, at)

    monkeypatch.setattr(incoming, "_BARE_END", Counting())
    head = reading(ALL)
    for piece in pieces_of(upgrade(b"A: " + b"a" * 500).replace(b"\r\n", b"\n"), 1):
        result = head.receive(piece)
    assert result is not None
    assert max(looked[1:]) == 4


def test_the_first_empty_line_is_refused_at_once_where_none_is_allowed() -> None:
    head = reading(NONE)
    assert head.receive(b"\r") is None
    with pytest.raises(HttpRefusal, match="begins with an empty line"):
        head.receive(b"\n")


def test_empty_lines_before_a_request_are_no_part_of_it() -> None:
    head = reading(ALL)
    assert head.receive(b"\r\n\r\n\r") is None
    assert not head.begun
    assert head.receive(b"\nG") is None
    assert head.begun


@cases("data", [b"\r\n" * 4 + b"GET / HTTP/1.1\n" + b"A: 1\n" * 4000, b"GET / HTTP/1.1\n" + b"A" * 16384])
def test_the_limit_of_a_head_holds_with_line_feeds_alone(data: bytes) -> None:
    for size in (997, len(data)):
        refused = refusal_of(reading(ALL), pieces_of(data, size))
        assert "larger than 16384 bytes" in str(refused)
        assert refused.status == 431


# -- what is kept ------------------------------------------------------------------------------------------------


def test_a_route_compares_the_header_as_it_was_sent() -> None:
    headers = read(upgrade(b"X-Role: ad\x01min")).headers
    assert (headers.every("X-Role"), headers.sent("x-role")) == (["admin"], ["ad\x01min"])


def test_a_key_is_kept_as_it_was_sent_beside_a_repaired_value() -> None:
    headers = read(upgrade(b"Cookie: \x01", b"Sec-WebSocket-Key1:  !0", target=b"ws://example.com/")).headers
    assert headers.raw("Sec-WebSocket-Key1") == " !0"


def test_a_library_can_leave_the_oddities_out() -> None:
    head = RequestHead()
    request = head.receive(b"\r\n" + upgrade(target=b"ws://example.com/chat"))
    assert request is not None
    assert request.oddities.needed == (Oddity.EMPTY_LINES, Oddity.ABSOLUTE_TARGET)
    with pytest.raises(HttpRefusal, match="no Host"):
        RequestHead().receive(upgrade(host=None))


def test_an_upgrade_by_http_1_0_is_read_if_allowed() -> None:
    data = upgrade(version=b"HTTP/1.0")
    request = reading(ALL, plain=False).receive(data)
    assert request is not None
    assert (request.version, request.oddities.needed) == ("1.0", (Oddity.HTTP_1_0,))
    with pytest.raises(HttpRefusal, match=r"HTTP/1.0 cannot be upgraded") as refused:
        reading(NONE, plain=False).receive(data)
    assert "http-1.0" in refused.value.remark


def test_a_substituted_host_does_not_count_among_the_headers_of_the_client() -> None:
    more = [b"A: 1"] * (LIMITS.headers - len(UPGRADE))
    assert len(read(upgrade(*more, host=None)).headers) == LIMITS.headers + 1
    refused = refusal_of(reading(ALL), [upgrade(*more, b"A: 2", host=None)])
    assert (str(refused), refused.status) == ("101 headers, at most 100 are allowed", 431)


def test_a_listener_without_an_address_cannot_substitute_a_host() -> None:
    with pytest.raises(HttpRefusal, match="Unix socket"):
        RequestHead(oddities=Oddities(ALL)).receive(upgrade(host=None))
