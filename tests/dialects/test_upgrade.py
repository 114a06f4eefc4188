"""The headers that every upgrade must have or must not have, and those that go end to end."""

from dataclasses import replace

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS
from wsgateway.dialects.upgrade import check_switch, check_upgrade, end_to_end, visible_subprotocols
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, Request
from wsgateway.wire.oddities import Oddities, Oddity

from .opening import STRICT, head_of, open_up, refusal, request_of

GOOD = {"Host": "example.com", "Upgrade": "websocket", "Connection": "Upgrade"}


def changed(target: str = "/chat", method: str = "GET", **headers: str | None) -> Request:
    """Return a valid request with changes; an underscore stands for a hyphen, None removes a header."""
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    items = [(name, value) for name, value in (GOOD | new).items() if value is not None]
    return request_of(*items, target=target, method=method)


@cases(
    "request_",
    [
        changed(),
        changed(Upgrade="WebSocket"),
        changed(Upgrade="WEBSOCKET"),
        changed(Connection="upgrade"),
        changed(Connection="keep-alive, Upgrade"),  # all Firefoxes
        changed(Connection="Upgrade,keep-alive"),
        changed(Content_Length="0"),
        changed(Content_Length="8", Sec_WebSocket_Key1="1 ", Sec_WebSocket_Key2="1 "),  # Perl's Protocol::WebSocket
        changed(Host="[::1]:8080"),
        changed(Origin="null"),
        changed(Origin="http://example.com:8080"),
        changed("/"),
        changed("/?"),
        changed("//double?a=/b&c=%00"),
        changed("/a..b/.c/d./...?e=/../f"),
    ],
)
def test_an_upgrade(request_: Request) -> None:
    check_upgrade(request_)


REFUSED: list[tuple[Request, int, str]] = [
    (changed(Upgrade=None), 426, "no Upgrade"),
    (changed(Upgrade=""), 426, "no Upgrade"),
    (changed(Upgrade="h2c"), 426, "Upgrade is 'h2c'"),
    (changed(Upgrade="h2c, websocket/13"), 426, "only 'websocket'"),
    (changed(Upgrade="websocket/13"), 426, "only 'websocket'"),
    (changed(Connection=None), 400, "without 'Connection: Upgrade'"),
    (changed(Connection="keep-alive"), 400, "without 'Connection: Upgrade'"),
    (changed(Connection="upgraded"), 400, "without 'Connection: Upgrade'"),
    (changed(method="POST"), 405, "an upgrade by POST"),
    (changed(method="HEAD"), 405, "an upgrade by HEAD"),
    (changed(method="get"), 405, "an upgrade by get"),
    (changed(Transfer_Encoding="chunked"), 400, "Transfer-Encoding"),
    (changed(Transfer_Encoding=""), 400, "Transfer-Encoding"),
    (changed(Content_Length="5"), 400, "a body of 5 bytes"),
    (changed(Content_Length="8"), 400, "a body of 8 bytes"),
    (changed(Content_Length="9", Sec_WebSocket_Key1="1 ", Sec_WebSocket_Key2="1 "), 400, "a body of 9 bytes"),
    (changed(Host=None), 400, "Host"),
    (changed(Host=""), 400, "Host"),
    (changed(Host="a/b"), 400, "Host"),
    (changed(Host="user@a"), 400, "Host"),
    (changed(Host="a, b"), 400, "Host"),
    (changed(Host="a b"), 400, "Host"),
    (changed(Host="caf\xe9"), 400, "Host"),
    (changed(Host="example.com::"), 400, "Host"),
    (changed(Host="example.com:80:"), 400, "Host"),
    (changed(Host=":80"), 400, "Host"),
    (changed(Host="fe80::1%eth0"), 400, "Host"),  # a zone has a meaning on its sender's machine only
    (changed(Origin="http://a http://b"), 400, "Origin"),
    (changed(Origin="http://caf\xe9"), 400, "Origin"),
    (changed(Origin="http://a\x01"), 400, "Origin"),
    (changed(Origin="http://a\tb"), 400, "Origin"),
    # If an absolute-form target named another authority than Host, the two ends could disagree about it.
    (changed("http://example.com/chat"), 400, "target"),
    (changed("ws://other.example.com/chat"), 400, "target"),
    (changed("example.com:80"), 400, "target"),
    (changed("*"), 400, "target"),
    (changed(""), 400, "target"),
    (changed("/chat#top"), 400, "target"),
    # A server that resolves the dots could leave the path by which the route was chosen.
    (changed("/.."), 400, "a segment that is . or .."),
    (changed("/chat/../admin"), 400, "a segment that is . or .."),
    (changed("/chat/./x"), 400, "a segment that is . or .."),
    (changed("/chat/%2e%2E/admin?x=1"), 400, "a segment that is . or .."),
    (changed("/chat%2f..%5cadmin"), 400, "a segment that is . or .."),
    (changed("/chat\\..\\admin"), 400, "a segment that is . or .."),
]


@cases(("request_", "status", "said"), REFUSED)
def test_no_upgrade(request_: Request, status: int, said: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        check_upgrade(request_)
    assert said in str(refused.value)
    assert refused.value.status == status


@cases("name", ["Host", "Origin", "Content-Length"])
def test_what_must_stand_once_stands_once(name: str) -> None:
    twice = request_of(*(GOOD | {"Origin": "null", "Content-Length": "0"}).items(), (name.lower(), "x"))
    with pytest.raises(HttpRefusal, match=f"2 {name} headers"):
        check_upgrade(twice)


LISTS = {
    "beside another": [("Upgrade", "websocket, h2c")],
    "behind another": [("Upgrade", "h2c, WebSocket")],
    "twice": [("Upgrade", "websocket, websocket")],
    "in two headers": [("Upgrade", "websocket"), ("upgrade", "websocket")],
    "in two headers, among others": [("Upgrade", "h2c"), ("Upgrade", "websocket")],
}


@cases("lines", LISTS.values(), LISTS)
def test_websocket_may_stand_in_a_list_where_that_is_allowed(lines: list[tuple[str, str]]) -> None:
    rest = [("Host", "example.com"), ("Connection", "Upgrade")]
    request = request_of(*rest, *lines)
    check_upgrade(request)
    assert request.oddities.needed == (Oddity.UPGRADE_LIST,)
    with pytest.raises(HttpRefusal, match="only 'websocket' is possible") as refused:
        check_upgrade(replace(request, oddities=Oddities(STRICT)))
    assert (refused.value.status, "upgrade-list" in refused.value.remark) == (426, True)


def test_a_refusal_says_what_is_needed() -> None:
    for request, header in (
        (changed(Upgrade=None), "Upgrade"),
        (changed(Upgrade="x"), "Upgrade"),
        (changed(method="PUT"), "Allow"),
    ):
        with pytest.raises(HttpRefusal) as refused:
            check_upgrade(request)
        assert dict(refused.value.headers) == {header: {"Upgrade": "websocket", "Allow": "GET"}[header]}


@cases(("sent", "good"), [("/caf\xc3\xa9", True), ("/\xff", False), ("/\xed\xa0\x80", False), ("/\xc3", False)])
def test_a_target_that_is_not_ascii_is_utf_8(sent: str, good: bool) -> None:
    """A WebKit compares the returned Location as text, and could not read one that is not UTF-8 (H27)."""
    data = head_of(*[f"{name}: {value}" for name, value in GOOD.items()], "Origin: null", start=f"GET {sent} HTTP/1.1")
    refused = refusal(data)
    if good:
        assert refused is None
    else:
        assert refused is not None
        assert (str(refused), refused.status) == ("the target is not UTF-8", 400)


VERSIONS = [dialect.handshake.version for dialect in DIALECTS.values() if dialect.handshake.version is not None]


@cases("version", VERSIONS)
def test_only_dialects_with_two_keys_have_8_bytes_behind_their_head(version: int) -> None:
    """Requests are smuggled in a body that the upstream sees and the gateway does not."""
    lines = [*[f"{name}: {value}" for name, value in GOOD.items()], f"Sec-WebSocket-Version: {version}"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key1: 1 ", "Sec-WebSocket-Key2: 1 "]
    assert open_up(head_of(*lines)).dialect.handshake.version == version
    refused = refusal(head_of(*lines, "Content-Length: 8"))
    assert refused is not None
    assert refused.status == 400


# -- end to end ------------------------------------------------------------------------------------------------


def test_headers_that_concern_the_other_end_go_end_to_end() -> None:
    kept = (("Cookie", "a=1"), ("User-Agent", "x"), ("Authorization", "Basic eA=="), ("cookie", "b=2"), ("X-Y", "z"))
    assert end_to_end(Headers(kept)) == kept


@cases(
    "name",
    [
        # RFC 9110, 7.6.1
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade",
        # what is made anew on each side
        "Content-Length", "Host", "Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Key1", "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Origin", "Sec-WebSocket-Accept",
        "Sec-WebSocket-Draft", "Sec-WebSocket-Nonce",
        "WebSocket-Protocol", "WebSocket-Origin", "WebSocket-Location",
    ],
)  # fmt: skip
def test_headers_that_concern_this_hop_or_the_handshake_do_not(name: str) -> None:
    for each in (name, name.lower(), name.upper()):
        assert end_to_end(Headers([(each, "x"), ("Cookie", "a=1")])) == (("Cookie", "a=1"),)


def test_what_connection_names_stays_here() -> None:
    headers = Headers([("Connection", "Upgrade, X-Secret"), ("x-secret", "1"), ("X-Public", "2"), ("X-Empty", "")])
    assert end_to_end(headers) == (("X-Public", "2"),)


# -- subprotocols and switches ---------------------------------------------------------------------------------


@cases(
    ("names", "visible"),
    [
        ([], ()),
        (["chat", "superchat"], ("chat", "superchat")),
        (["chat", "Chat", "chat"], ("chat", "Chat")),
        (["chat superchat", "", "a/b", "ok"], ("a/b", "ok")),
    ],
)
def test_subprotocols_of_hixie_are_visible_names_each_once(names: list[str], visible: tuple[str, ...]) -> None:
    assert visible_subprotocols(names) == visible


@cases(
    ("upgrade", "connection"),
    [("websocket", "Upgrade"), ("WebSocket", "upgrade"), ("WEBSOCKET", "keep-alive, Upgrade")],
)
def test_a_switch(upgrade: str, connection: str) -> None:
    check_switch(Headers([("Upgrade", upgrade), ("Connection", connection)]))


@cases(
    ("headers", "said"),
    [
        ([], "101 with Upgrade ''"),
        ([("Connection", "Upgrade")], "101 with Upgrade ''"),
        ([("Upgrade", "h2c"), ("Connection", "Upgrade")], "101 with Upgrade 'h2c'"),
        ([("Upgrade", "websocket, h2c"), ("Connection", "Upgrade")], "'websocket, h2c'"),
        ([("Upgrade", "websocket")], "101 without 'Connection: Upgrade'"),
        ([("Upgrade", "websocket"), ("Connection", "close")], "101 without 'Connection: Upgrade'"),
    ],
)
def test_no_switch(headers: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        check_switch(Headers(headers))
    assert said in str(refused.value)
    assert refused.value.status == 502
