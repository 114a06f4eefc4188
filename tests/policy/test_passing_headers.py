"""The headers of a request for an upstream: those of the client that pass, of the route, and about the client."""

from dataclasses import replace
from typing import Any

import pytest

from wsgateway.policy.forwarded import Identity
from wsgateway.policy.passing import upstream_headers
from wsgateway.settings.routes import HeaderRules

from .contexts import CONTEXT, IDENTITY, ROUTE, TOLD


def test_an_upstream_gets_the_address_and_the_dialect_of_the_client() -> None:
    assert upstream_headers(ROUTE, [("Cookie", "a=b")], CONTEXT) == (("Cookie", "a=b"), *TOLD)


def test_an_upstream_gets_the_addresses_of_the_proxies_in_between() -> None:
    context = replace(CONTEXT, identity=Identity("192.0.2.1", False, "h", ("10.0.0.2", "10.0.0.1")))
    assert upstream_headers(ROUTE, [], context)[:3] == (
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.2, 10.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "h"),
    )


def test_plain_http_has_no_dialect() -> None:
    assert upstream_headers(ROUTE, [], replace(CONTEXT, dialect="http")) == tuple(TOLD[:3])


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
    context = replace(CONTEXT, identity=replace(IDENTITY, trusted=trusted))
    listed = replace(ROUTE, headers=HeaderRules(underscores=(name.lower(),)))
    for route in (ROUTE, listed):
        assert upstream_headers(route, [(name, "evil"), ("A", "b")], context) == (("A", "b"), *TOLD)


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
    trusted = replace(CONTEXT, identity=replace(IDENTITY, trusted=True))
    assert upstream_headers(ROUTE, [(name, "x"), (name, "y")], trusted) == ((name, "x"), (name, "y"), *TOLD)
    assert upstream_headers(ROUTE, [(name, "evil"), ("A", "b")], CONTEXT) == (("A", "b"), *TOLD)
    ruled_out = replace(ROUTE, headers=HeaderRules(remove=("x-forwarded-*",)))
    assert upstream_headers(ruled_out, [(name, "x")], trusted) == (TOLD[3],)


UNDERSCORES = ["Sec_WebSocket_Key", "Sec_WebSocket-Origin", "WebSocket_Protocol", "X_User", "_", "Proxy", "PROXY"]


@pytest.mark.parametrize("name", UNDERSCORES)
@pytest.mark.parametrize("trusted", [False, True])
def test_a_name_with_an_underscore_passes_if_the_route_names_it(name: str, trusted: bool) -> None:
    context = replace(CONTEXT, identity=replace(IDENTITY, trusted=trusted))
    sent = [(name, "a"), ("B", "c")]
    for listed in ((), ("x_other", "sec-websocket-key", "x-user")):
        route = replace(ROUTE, headers=HeaderRules(underscores=listed))
        assert upstream_headers(route, sent, context) == (("B", "c"), *TOLD)
    route = replace(ROUTE, headers=HeaderRules(underscores=(name.lower(),)))
    assert upstream_headers(route, sent, context) == ((name, "a"), ("B", "c"), *TOLD)


def test_naming_an_underscore_header_does_not_make_its_sender_trusted() -> None:
    route = replace(ROUTE, headers=HeaderRules(underscores=("x_forwarded_user",)))
    assert upstream_headers(route, [("X_Forwarded_User", "evil")], CONTEXT) == tuple(TOLD)
    trusted = replace(CONTEXT, identity=replace(IDENTITY, trusted=True))
    assert upstream_headers(route, [("X_Forwarded_User", "u")], trusted) == (("X_Forwarded_User", "u"), *TOLD)


def test_a_route_may_set_any_header() -> None:
    rules = (("Proxy", "a"), ("X_User", "b"), ("X-Forwarded-User", "c"))
    assert ruled(("X_User", "evil"), ("X-Forwarded-User", "evil"), set=rules) == [*rules]


@pytest.mark.parametrize("name", ["X-Forwarded", "X-Forward-For", "X-Real-IPs", "Not-Forwarded", "Forwarded-By"])
def test_a_header_that_only_resembles_one_passes(name: str) -> None:
    assert upstream_headers(ROUTE, [(name, "x")], CONTEXT) == ((name, "x"), *TOLD)


def ruled(*headers: tuple[str, str], **rules: Any) -> list[tuple[str, str]]:
    """Return the headers that result from a route with rules, without those about the client."""
    made = upstream_headers(replace(ROUTE, headers=HeaderRules(**rules)), headers, CONTEXT)
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
    return upstream_headers(replace(ROUTE, headers=HeaderRules(**rules)), headers, CONTEXT)


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
    assert upstream_headers(route, [], CONTEXT) == (*TOLD[1:3], ("X-Forwarded-For", "hidden"))
