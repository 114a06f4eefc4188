"""The request for an upstream: rewritten by the route, with headers about the client."""

from dataclasses import replace
from typing import Any

import pytest

from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.policy.passing import (
    HeaderContext,
    client_answer,
    location_secure,
    rewritten,
    upstream_headers,
    upstream_host,
    upstream_offer,
)
from wsgateway.settings.basics import Url
from wsgateway.settings.defaults import LocationScheme
from wsgateway.settings.routes import HeaderRules, Match, PathMatch, Rewrite, Route
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.wire.binary import BinaryRule

UPSTREAM = Upstream((Target(Url("10.0.1.11", 9000, "ws://10.0.1.11:9000")),), name="behind")
ROUTE = Route(name="chat", match=Match(path=PathMatch(prefix="/")), upstream=UPSTREAM)
IDENTITY = Identity("192.0.2.1", True, "ws.example.com")
VISIT = HeaderContext(IDENTITY, "hixie-76", "public")
TOLD = [
    ("X-Forwarded-For", "192.0.2.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "ws.example.com"),
    ("X-WebSocket-Dialect", "hixie-76"),
]

# -- the path --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strip", "add", "target", "expected"),
    [
        ("", "", "/chat?a=/b", "/chat?a=/b"),
        ("/chat", "", "/chat/room", "/room"),
        ("/chat/", "", "/chat/room", "/room"),
        ("/chat", "", "/chat", "/"),
        ("/chat", "", "/chat/", "/"),
        ("/chat", "", "/chat?x=/chat", "/?x=/chat"),
        ("/chat", "", "/chat/?", "/?"),
        ("/chat", "", "/chat/chat", "/chat"),
        ("/chat", "", "/chatter", "/chatter"),
        ("/chat", "", "/x/chat", "/x/chat"),
        ("/chat", "", "/?/chat", "/?/chat"),
        ("/a/b", "", "/a/b/c", "/c"),
        ("/", "", "/chat", "/chat"),
        ("", "/v1", "/chat", "/v1/chat"),
        ("", "/v1/", "/chat?x", "/v1/chat?x"),
        ("", "/", "/chat", "/chat"),
        ("", "/v1", "/", "/v1/"),
        ("/chat", "/v1", "/chat/room?x", "/v1/room?x"),
        ("/chat", "/v1", "/chat", "/v1/"),
        ("/chat", "/v1", "/news", "/v1/news"),
        # The rest stays as it was sent.
        ("/chat", "", "/%63hat/r%6Fom", "/r%6Fom"),
        ("/chat", "", "//chat//room?//", "//room?//"),
        ("/chat", "/v1", "//ch%61t", "/v1/"),
        ("", "/v1", "//%63hat", "/v1//%63hat"),
    ],
)
def test_a_path_is_rewritten_by_whole_segments_and_keeps_its_query(
    strip: str, add: str, target: str, expected: str
) -> None:
    assert rewritten(Rewrite(strip, add), target) == expected


@pytest.mark.parametrize(
    ("strip", "add", "target", "expected"),
    [
        ("", "", "//%63hat//r%6F%2fom?%61//b", "/chat/ro%2Fom?%61//b"),
        ("/chat", "", "//%63hat//r%6Fom", "/room"),
        ("/chat", "/v1", "//%63hat", "/v1/"),
    ],
)
def test_a_path_may_be_passed_on_in_normalised_form(strip: str, add: str, target: str, expected: str) -> None:
    assert rewritten(Rewrite(strip, add, "normalised"), target) == expected


# -- the host --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("preserve", Target(Url("a", 9000, "")), "ws.example.com:8443"),
        ("target", Target(Url("a", 9000, "")), "a:9000"),
        ("target", Target(Url("a", 80, "")), "a"),
        ("target", Target(Url("a", 443, "")), "a:443"),
        ("target", Target(Url("a", 443, "", "wss")), "a"),
        ("target", Target(Url("a", 80, "", "wss")), "a:80"),
        ("target", Target(Url("a", 443, "", "https")), "a"),
        ("target", Target(Url("::1", 80, "", "http")), "[::1]"),
        ("target", Target(Url("::1", 9000, "")), "[::1]:9000"),
        ("inner.example:81", Target(Url("a", 9000, "")), "inner.example:81"),
    ],
)
def test_the_host_is_that_of_the_client_of_the_target_or_of_the_settings(
    host: str, target: Target, expected: str
) -> None:
    assert upstream_host(replace(UPSTREAM, host=host), target, "ws.example.com:8443") == expected


# -- headers ---------------------------------------------------------------------------------------------------


def test_an_upstream_gets_the_address_and_the_dialect_of_the_client() -> None:
    assert upstream_headers(ROUTE, [("Cookie", "a=b")], VISIT) == (("Cookie", "a=b"), *TOLD)


def test_an_upstream_gets_the_addresses_of_the_proxies_in_between() -> None:
    header_context = replace(VISIT, identity=Identity("192.0.2.1", False, "h", ("10.0.0.2", "10.0.0.1")))
    assert upstream_headers(ROUTE, [], header_context)[:3] == (
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "h"),
    )


def test_plain_http_has_no_dialect() -> None:
    assert upstream_headers(ROUTE, [], replace(VISIT, dialect="http")) == tuple(TOLD[:3])


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "x-forwarded-for",
        "X_Forwarded_For",
        "X-Forwarded_For",
        "X-FORWARDED-PROTO",
        "X-Forwarded-Host",
        "Forwarded",
        "X-Real-IP",
        "X_Real_Ip",
        "X-WebSocket-Dialect",
        "x_websocket_dialect",
    ],
)
def test_the_gateways_own_headers_pass_from_no_client_however_they_are_spelt(name: str, trusted: bool) -> None:
    header_context = replace(VISIT, identity=replace(IDENTITY, trusted=trusted))
    listed = replace(ROUTE, headers=HeaderRules(underscores=(name.lower(),)))
    for route in (ROUTE, listed):
        assert upstream_headers(route, [(name, "evil"), ("A", "b")], header_context) == (("A", "b"), *TOLD)


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-User",
        "x-forwarded-email",
        "X-Forwarded-Groups",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token",
        "X-FORWARDED-PORT",
        "X-Forwarded-Prefix",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-Ssl",
        "X-Forwarded-",
    ],
)
def test_other_headers_about_a_client_pass_from_trusted_proxies_only(name: str) -> None:
    trusted = replace(VISIT, identity=replace(IDENTITY, trusted=True))
    assert upstream_headers(ROUTE, [(name, "x"), (name, "y")], trusted) == ((name, "x"), (name, "y"), *TOLD)
    assert upstream_headers(ROUTE, [(name, "evil"), ("A", "b")], VISIT) == (("A", "b"), *TOLD)
    ruled_out = replace(ROUTE, headers=HeaderRules(remove=("x-forwarded-*",)))
    assert upstream_headers(ruled_out, [(name, "x")], trusted) == (TOLD[3],)


UNDERSCORES = ["Sec_WebSocket_Key", "Sec_WebSocket-Origin", "WebSocket_Protocol", "X_User", "_", "Proxy", "PROXY"]


@pytest.mark.parametrize("name", UNDERSCORES)
@pytest.mark.parametrize("trusted", [False, True])
def test_a_name_with_an_underscore_passes_if_the_route_names_it(name: str, trusted: bool) -> None:
    header_context = replace(VISIT, identity=replace(IDENTITY, trusted=trusted))
    sent = [(name, "a"), ("B", "c")]
    for listed in ((), ("x_other", "sec-websocket-key", "x-user")):
        route = replace(ROUTE, headers=HeaderRules(underscores=listed))
        assert upstream_headers(route, sent, header_context) == (("B", "c"), *TOLD)
    route = replace(ROUTE, headers=HeaderRules(underscores=(name.lower(),)))
    assert upstream_headers(route, sent, header_context) == ((name, "a"), ("B", "c"), *TOLD)


def test_naming_an_underscore_header_does_not_make_its_sender_trusted() -> None:
    route = replace(ROUTE, headers=HeaderRules(underscores=("x_forwarded_user",)))
    assert upstream_headers(route, [("X_Forwarded_User", "evil")], VISIT) == tuple(TOLD)
    trusted = replace(VISIT, identity=replace(IDENTITY, trusted=True))
    assert upstream_headers(route, [("X_Forwarded_User", "u")], trusted) == (("X_Forwarded_User", "u"), *TOLD)


def test_a_route_may_set_any_header() -> None:
    rules = (("Proxy", "a"), ("X_User", "b"), ("X-Forwarded-User", "c"))
    assert ruled(("X_User", "evil"), ("X-Forwarded-User", "evil"), set=rules) == [*rules]


@pytest.mark.parametrize("name", ["X-Forwarded", "X-Forward-For", "X-Real-IPs", "Not-Forwarded", "Forwarded-By"])
def test_a_header_that_only_resembles_one_passes(name: str) -> None:
    assert upstream_headers(ROUTE, [(name, "x")], VISIT) == ((name, "x"), *TOLD)


def ruled(*headers: tuple[str, str], **rules: Any) -> list[tuple[str, str]]:
    """Return the headers that result from a route with rules, without those about the client."""
    made = upstream_headers(replace(ROUTE, headers=HeaderRules(**rules)), headers, VISIT)
    return [item for item in made if item not in TOLD]


def test_a_header_that_is_set_replaces_the_clients() -> None:
    sent = [("X-A", "1"), ("x-a", "2"), ("X_A", "3"), ("X-B", "4")]
    assert ruled(*sent, set=(("X-A", "ours"),)) == [("X-B", "4"), ("X-A", "ours")]


def test_a_header_may_be_set_twice() -> None:
    assert ruled(set=(("X-A", "1"), ("x-a", "2"))) == [("X-A", "1"), ("x-a", "2")]


def test_a_header_that_is_removed_is_gone_however_it_is_spelt() -> None:
    assert ruled(("Cookie", "a"), ("COOKIE", "b"), ("X-User", "c"), ("A", "d"), remove=("cookie", "x_user")) == [
        ("A", "d")
    ]


def test_a_header_that_is_removed_and_set_is_set() -> None:
    assert ruled(("X-A", "1"), set=(("X-A", "2"),), remove=("x-a",)) == [("X-A", "2")]


@pytest.mark.parametrize(
    ("remove", "left"),
    [
        (("sec-fetch-*",), ["Sec-GPC", "Cookie", "Cookie2"]),
        (("SEC-*",), ["Cookie", "Cookie2"]),
        (("cookie*",), ["Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-GPC"]),
        (("sec-fetch-mode*",), ["Sec-Fetch-Dest", "Sec-GPC", "Cookie", "Cookie2"]),
        (("sec-fetch",), ["Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-GPC", "Cookie", "Cookie2"]),
    ],
)
def test_a_name_that_ends_in_a_star_removes_all_that_begin_so(remove: tuple[str, ...], left: list[str]) -> None:
    sent = [(name, "x") for name in ("Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-GPC", "Cookie", "Cookie2")]
    assert [name for name, _ in ruled(*sent, remove=remove)] == left


def passed(*headers: tuple[str, str], **rules: Any) -> tuple[tuple[str, str], ...]:
    """Return the headers that result from a route with rules, with those about the client."""
    return upstream_headers(replace(ROUTE, headers=HeaderRules(**rules)), headers, VISIT)


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ((), ()),
        (("cookie",), (("COOKIE", "a"), ("Cookie", "b"))),
        (("x-forwarded-for",), TOLD[:1]),
        (("x-forwarded-*",), TOLD[:3]),
        (("X_WebSocket_Dialect", "authorization"), (("Authorization", "c"), TOLD[3])),
        (("sec-*",), (("Sec-Fetch-Mode", "d"),)),
        (("x-nobody",), ()),
    ],
)
def test_a_route_with_keep_passes_only_the_headers_that_it_names(
    keep: tuple[str, ...], expected: tuple[tuple[str, str], ...]
) -> None:
    sent = [("COOKIE", "a"), ("Cookie", "b"), ("Authorization", "c"), ("Sec-Fetch-Mode", "d"), ("User-Agent", "e")]
    assert passed(*sent, ("X-Forwarded-For", "evil"), keep=keep) == tuple(expected)


def test_keep_does_not_affect_headers_that_are_set_and_remove_wins_over_keep() -> None:
    rules = {"set": (("X-A", "ours"),), "remove": ("cookie",), "keep": ("x-a", "cookie", "user-agent")}
    assert passed(("X-A", "theirs"), ("Cookie", "c"), ("User-Agent", "u"), **rules) == (
        ("User-Agent", "u"),
        ("X-A", "ours"),
    )


def test_the_placeholders_are_filled_in() -> None:
    value = "{client_ip} by {listener} and {route} in {dialect}{dialect}"
    assert ruled(set=(("X-A", value),)) == [("X-A", "192.0.2.1 by public and chat in hixie-76hixie-76")]


def test_the_rules_of_a_route_also_change_the_headers_of_the_gateway() -> None:
    route = replace(ROUTE, headers=HeaderRules((("X-Forwarded-For", "hidden"),), ("x-websocket-dialect",)))
    assert upstream_headers(route, [], VISIT) == (*TOLD[1:3], ("X-Forwarded-For", "hidden"))


# -- the offer -------------------------------------------------------------------------------------------------

OFFER = Offer(
    "/chat/room?x", "ws.example.com", "http://page", ("a", "b"), ("permessage-deflate",), (("Cookie", "c"),), True
)


def test_an_offer_is_rewritten_and_all_else_of_it_stays() -> None:
    upstream = replace(UPSTREAM, host="target")
    route = replace(ROUTE, rewrite=Rewrite("/chat", "/v1"))
    assert upstream_offer(route, upstream, upstream.targets[0], OFFER, VISIT) == Offer(
        "/v1/room?x",
        "10.0.1.11:9000",
        "http://page",
        ("a", "b"),
        ("permessage-deflate",),
        (("Cookie", "c"), *TOLD),
        secure=False,  # as the target is
    )


def test_translated_messages_cannot_be_compressed() -> None:
    target = UPSTREAM.targets[0]
    assert upstream_offer(ROUTE, UPSTREAM, target, OFFER, VISIT).extensions == ("permessage-deflate",)
    assert upstream_offer(ROUTE, UPSTREAM, target, OFFER, replace(VISIT, text_only=True)).extensions == ()
    none = replace(ROUTE, extensions="none")
    assert upstream_offer(none, UPSTREAM, target, OFFER, VISIT).extensions == ()


def test_joined_messages_cannot_be_compressed() -> None:
    target = UPSTREAM.targets[0]
    for route, upstream in [
        (replace(ROUTE, fragments="join"), UPSTREAM),
        (ROUTE, replace(UPSTREAM, fragments="join")),
    ]:
        assert upstream_offer(route, upstream, target, OFFER, VISIT).extensions == ()


@pytest.mark.parametrize(
    ("rules", "sent", "expected"),
    [
        (HeaderRules(), "http://page", "http://page"),
        (HeaderRules(), None, None),
        (HeaderRules(remove=("origin",)), "http://page", None),
        (HeaderRules(set=(("ORIGIN", "http://{client_ip}"),)), "http://page", "http://192.0.2.1"),
        (HeaderRules(set=(("Origin", "http://ours"),), remove=("origin",)), None, "http://ours"),
        # Origin is a part of the handshake.
        (HeaderRules(keep=()), "http://page", "http://page"),
    ],
)
def test_the_origin_is_a_header_that_a_route_may_set_and_remove(
    rules: HeaderRules, sent: str | None, expected: str | None
) -> None:
    offer = upstream_offer(
        replace(ROUTE, headers=rules), UPSTREAM, UPSTREAM.targets[0], replace(OFFER, origin=sent), VISIT
    )
    assert offer.origin == expected
    assert "origin" not in [name.lower() for name, _ in offer.headers]


def test_an_offer_of_the_handshake_alone_has_no_header_and_no_extension() -> None:
    route = replace(ROUTE, headers=HeaderRules(keep=()))
    offer = upstream_offer(route, UPSTREAM, UPSTREAM.targets[0], OFFER, VISIT)
    assert (offer.headers, offer.extensions) == ((), ())
    assert (offer.target, offer.host, offer.origin, offer.subprotocols) == (
        "/chat/room?x",
        "ws.example.com",
        "http://page",
        ("a", "b"),
    )


# -- subprotocols ----------------------------------------------------------------------------------------------

BASE64 = BinaryRule("base64", "base64")
TEXT_ONLY = replace(VISIT, text_only=True)


def named(
    route: Route, offered: str, chosen: str | None, header_context: HeaderContext = VISIT
) -> tuple[str, str | None]:
    """Return the names offered to the upstream, and the name sent to the client when the upstream chooses one."""
    offer = replace(OFFER, subprotocols=tuple(offered.split()))
    told = client_answer(route, UPSTREAM, Answer(chosen), offer, header_context)
    return " ".join(
        upstream_offer(route, UPSTREAM, UPSTREAM.targets[0], offer, header_context).subprotocols
    ), told.subprotocol


@pytest.mark.parametrize(
    ("renames", "offered", "asked", "chosen", "told"),
    [
        ((), "a b", "a b", "b", "b"),
        ((), "a b", "a b", None, None),
        ((("a", "x"),), "a b", "x b", "x", "a"),
        ((("a", "x"),), "a b", "x b", "b", "b"),
        ((("a", "x"),), "a b", "x b", None, None),
        ((("a", "x"),), "b", "b", "b", "b"),
        ((("a", "x"),), "", "", None, None),
        # Renamed to a name that is offered too: it is offered once, in the first place, and answered by that name.
        ((("a", "x"),), "a b x", "x b", "x", "x"),
        ((("a", "x"),), "x b a", "x b", "x", "x"),
        # Two names become one: the client gets the one that it prefers.
        ((("a", "x"), ("b", "x")), "b a", "x", "x", "b"),
        # Two names are swapped.
        ((("a", "b"), ("b", "a")), "a b", "b a", "a", "b"),
        # No name is renamed twice.
        ((("a", "b"), ("b", "c")), "a", "b", "b", "a"),
        ((("A", "x"),), "a", "a", "a", "a"),
    ],
)
def test_a_subprotocol_is_renamed_on_its_way_and_back(
    renames: tuple[tuple[str, str], ...], offered: str, asked: str, chosen: str | None, told: str | None
) -> None:
    assert named(replace(ROUTE, subprotocols=renames), offered, chosen) == (asked, told)


@pytest.mark.parametrize(
    ("offered", "asked", "told"),
    [
        ("base64", "binary", "base64"),
        ("binary", "binary", "binary"),
        ("binary base64", "binary", "base64"),
        ("base64 binary", "binary", "base64"),
        ("chat base64", "chat binary", "base64"),
    ],
)
def test_base64_is_offered_as_binary_by_a_route_that_converts_it(offered: str, asked: str, told: str) -> None:
    assert named(replace(ROUTE, binary=BASE64), offered, "binary", TEXT_ONLY) == (asked, told)


def test_a_client_with_binary_messages_keeps_both_names() -> None:
    assert named(replace(ROUTE, binary=BASE64), "binary base64", "binary") == ("binary base64", "binary")
    assert named(replace(ROUTE, binary=BASE64), "binary base64", "base64") == ("binary base64", "base64")


@pytest.mark.parametrize(
    "route",
    [
        ROUTE,
        replace(ROUTE, binary=BinaryRule("base64", "none")),
        replace(ROUTE, binary=BinaryRule("base64", "hex")),
        replace(ROUTE, binary=BinaryRule("hex", "hex")),
        replace(ROUTE, binary=BASE64, subprotocols=()),
        replace(ROUTE, binary=BASE64, subprotocols=(("chat", "binary"),)),
    ],
)
def test_base64_stays_base64_elsewhere_and_with_names_of_the_routes_own(route: Route) -> None:
    assert named(route, "base64", "base64", TEXT_ONLY) == ("base64", "base64")


def test_base64_stays_base64_for_an_upstream_that_has_no_binary_messages_itself() -> None:
    old = replace(UPSTREAM, dialect=DIALECTS["hixie-76"])
    route = replace(ROUTE, binary=BASE64)
    offer = replace(OFFER, subprotocols=("base64",))
    assert upstream_offer(route, old, old.targets[0], offer, TEXT_ONLY).subprotocols == ("base64",)
    assert client_answer(route, old, Answer("base64"), offer, TEXT_ONLY).subprotocol == "base64"


# -- the answer ------------------------------------------------------------------------------------------------


def test_an_answer_names_the_address_that_the_client_used() -> None:
    header_context = replace(VISIT, identity=replace(IDENTITY, trusted=True, host="public.example", port=8443))
    answer = Answer("a", ("permessage-deflate",), (("Set-Cookie", "c=d"),))
    assert client_answer(ROUTE, UPSTREAM, answer, OFFER, header_context) == replace(
        answer, secure=True, host="public.example:8443"
    )
    assert client_answer(replace(ROUTE, unprefixed_headers=True), UPSTREAM, answer, OFFER, header_context).unprefixed


def test_the_default_port_of_the_repeated_scheme_is_left_out() -> None:
    header_context = replace(VISIT, identity=replace(IDENTITY, trusted=True, secure=False, port=443))
    for scheme, host in (("auto", "ws.example.com:443"), ("wss", "ws.example.com")):
        route = replace(ROUTE, location_scheme=scheme)
        assert client_answer(route, UPSTREAM, Answer(), OFFER, header_context).host == host


@pytest.mark.parametrize(
    ("scheme", "plain", "encrypted"), [("auto", False, True), ("ws", False, False), ("wss", True, True)]
)
def test_the_repeated_address_has_the_clients_scheme_unless_the_route_sets_it(
    scheme: LocationScheme, plain: bool, encrypted: bool
) -> None:
    route = replace(ROUTE, location_scheme=scheme)
    assert location_secure(route, replace(IDENTITY, secure=False)) is plain
    assert location_secure(route, IDENTITY) is encrypted
