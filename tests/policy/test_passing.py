"""What an upstream is told: the request as the route rewrites it, and who the client is."""

from dataclasses import replace
from typing import Any

import pytest

from wsgateway.dialects import DIALECTS, Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.policy.passing import (
    Visit,
    location_secure,
    rewritten,
    upstream_headers,
    upstream_host,
    upstream_offer,
)
from wsgateway.settings.model import HeaderRules, LocationScheme, Match, PathMatch, Rewrite, Route, Target, Upstream

UPSTREAM = Upstream("behind", (Target("10.0.1.11", 9000, "ws://10.0.1.11:9000"),))
ROUTE = Route("chat", Match(path=PathMatch(prefix="/")), UPSTREAM)
IDENTITY = Identity("192.0.2.1", True, "ws.example.com")
VISIT = Visit(IDENTITY, "hixie-76", "public")
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
    ],
)
def test_a_path_is_rewritten_by_whole_segments_and_keeps_its_query(
    strip: str, add: str, target: str, expected: str
) -> None:
    assert rewritten(Rewrite(strip, add), target) == expected


# -- the host --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("preserve", Target("a", 9000, ""), "ws.example.com:8443"),
        ("target", Target("a", 9000, ""), "a:9000"),
        ("target", Target("a", 80, ""), "a"),
        ("target", Target("a", 443, ""), "a:443"),
        ("target", Target("a", 443, "", "wss"), "a"),
        ("target", Target("a", 80, "", "wss"), "a:80"),
        ("target", Target("a", 443, "", "https"), "a"),
        ("target", Target("::1", 80, "", "http"), "[::1]"),
        ("target", Target("::1", 9000, ""), "[::1]:9000"),
        ("inner.example:81", Target("a", 9000, ""), "inner.example:81"),
    ],
)
def test_the_host_is_the_clients_or_the_targets_or_what_the_operator_says(
    host: str, target: Target, expected: str
) -> None:
    assert upstream_host(replace(UPSTREAM, host=host), target, "ws.example.com:8443") == expected


# -- headers ---------------------------------------------------------------------------------------------------


def test_an_upstream_is_told_who_connected_and_as_what() -> None:
    assert upstream_headers(ROUTE, [("Cookie", "a=b")], VISIT) == (("Cookie", "a=b"), *TOLD)


def test_an_upstream_is_told_of_the_proxies_in_between() -> None:
    visit = replace(VISIT, identity=Identity("192.0.2.1", False, "h", ("10.0.0.2", "10.0.0.1")))
    assert upstream_headers(ROUTE, [], visit)[:3] == (
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "h"),
    )


def test_plain_http_has_no_dialect() -> None:
    assert upstream_headers(ROUTE, [], replace(VISIT, dialect="http")) == tuple(TOLD[:3])


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "x-forwarded-for",
        "X_Forwarded_For",
        "X-Forwarded_For",
        "X-FORWARDED-PROTO",
        "X-Forwarded-Port",
        "X-Forwarded-Client-Cert",
        "Forwarded",
        "X-Real-IP",
        "X_Real_Ip",
        "X-WebSocket-Dialect",
        "x_websocket_dialect",
    ],
)
def test_what_a_client_says_of_itself_does_not_pass_however_it_is_spelt(name: str) -> None:
    assert upstream_headers(ROUTE, [(name, "evil"), ("A", "b")], VISIT) == (("A", "b"), *TOLD)


@pytest.mark.parametrize("name", ["X-Forwarded", "X-Forward-For", "X-Real-IPs", "Not-Forwarded", "Forwarded-By"])
def test_what_only_resembles_it_passes(name: str) -> None:
    assert upstream_headers(ROUTE, [(name, "x")], VISIT) == ((name, "x"), *TOLD)


def ruled(*headers: tuple[str, str], **rules: Any) -> list[tuple[str, str]]:
    """What a route with rules makes of headers, without what each upstream is told."""
    made = upstream_headers(replace(ROUTE, headers=HeaderRules(**rules)), headers, VISIT)
    return [item for item in made if item not in TOLD]


def test_a_header_that_is_set_stands_in_the_place_of_the_clients() -> None:
    sent = [("X-A", "1"), ("x-a", "2"), ("X_A", "3"), ("X-B", "4")]
    assert ruled(*sent, set=(("X-A", "ours"),)) == [("X-B", "4"), ("X-A", "ours")]


def test_a_header_may_be_set_twice() -> None:
    assert ruled(set=(("X-A", "1"), ("x-a", "2"))) == [("X-A", "1"), ("x-a", "2")]


def test_a_header_that_is_removed_is_gone_however_it_is_spelt() -> None:
    assert ruled(("Cookie", "a"), ("COOKIE", "b"), ("X_User", "c"), ("A", "d"), remove=("cookie", "x-user")) == [
        ("A", "d")
    ]


def test_a_header_that_is_removed_and_set_is_set() -> None:
    assert ruled(("X-A", "1"), set=(("X-A", "2"),), remove=("x-a",)) == [("X-A", "2")]


def test_the_facts_are_filled_in() -> None:
    value = "{client_ip} by {listener} and {route} in {dialect}{dialect}"
    assert ruled(set=(("X-A", value),)) == [("X-A", "192.0.2.1 by public and chat in hixie-76hixie-76")]


def test_a_route_has_the_last_word_on_what_upstreams_are_told() -> None:
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


def test_what_is_translated_cannot_be_compressed() -> None:
    text_only = replace(ROUTE, text_only=(DIALECTS["hybi-07"], DIALECTS["rfc6455"]))
    visit = replace(VISIT, dialect="rfc6455")
    assert upstream_offer(text_only, UPSTREAM, UPSTREAM.targets[0], OFFER, visit).extensions == ()
    assert upstream_offer(
        text_only, UPSTREAM, UPSTREAM.targets[0], OFFER, replace(VISIT, dialect="hybi-08")
    ).extensions == ("permessage-deflate",)
    assert (
        upstream_offer(replace(ROUTE, extensions="none"), UPSTREAM, UPSTREAM.targets[0], OFFER, visit).extensions == ()
    )


@pytest.mark.parametrize(
    ("scheme", "plain", "encrypted"), [("auto", False, True), ("ws", False, False), ("wss", True, True)]
)
def test_the_address_that_is_repeated_is_as_the_client_came_unless_the_route_knows_better(
    scheme: LocationScheme, plain: bool, encrypted: bool
) -> None:
    route = replace(ROUTE, location_scheme=scheme)
    assert location_secure(route, replace(IDENTITY, secure=False)) is plain
    assert location_secure(route, IDENTITY) is encrypted
