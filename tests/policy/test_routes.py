"""The choice of a route: the first whose conditions are all true, in whatever form the client writes its path."""

import re
from typing import Any

import pytest

from wsgateway.dialects import Headers, Request
from wsgateway.errors import HttpRefusal
from wsgateway.policy.routes import RouteIndex, RouteQuery, host_matches, mismatches, route_query
from wsgateway.settings.basics import Url
from wsgateway.settings.routes import Match, PathMatch, Route
from wsgateway.settings.upstreams import Target, Upstream

UPSTREAM = Upstream((Target(Url("127.0.0.1", 9, "ws://127.0.0.1:9")),), name="behind")


def what(target: str = "/", host: str = "example.com", listener: str = "public", **headers: str) -> RouteQuery:
    """Return the query of a client's WebSocket request; underscores in names of headers are hyphens."""
    items = [("Upgrade", "websocket"), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return route_query(Request(target, Headers(items)), listener, host)


ROUTES = (
    Route(name="exact", match=Match(path=PathMatch(exact="/chat")), upstream=UPSTREAM),
    Route(name="deep", match=Match(path=PathMatch(prefix="/chat/room")), upstream=UPSTREAM),
    Route(name="chat", match=Match(path=PathMatch(prefix="/chat")), upstream=UPSTREAM),
    Route(name="slash", match=Match(path=PathMatch(prefix="/news/")), upstream=UPSTREAM),
    Route(name="encoded", match=Match(path=PathMatch(prefix="/caf%C3%A9")), upstream=UPSTREAM),
)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/chat", "exact"),
        ("/chat?a=/b", "exact"),
        ("/chat?", "exact"),
        ("/chat/", "chat"),
        ("/chat/room", "deep"),
        ("/chat/room/1?x", "deep"),
        ("/chat/rooms", "chat"),
        ("/chat/a", "chat"),
        ("/chat//a", "chat"),
        ("/news", "slash"),
        ("/news/", "slash"),
        ("/news/today", "slash"),
        ("/caf%C3%A9/x", "encoded"),
        # In the form in which servers read them, so that no other spelling of a path avoids its route.
        ("/caf%c3%a9", "encoded"),
        ("/%63hat", "exact"),
        ("//chat", "exact"),
        ("/chat//room", "deep"),
        ("/ch%61t/ro%6Fm/%31", "deep"),
    ],
)
def test_the_first_route_that_matches_is_taken(target: str, name: str) -> None:
    assert RouteIndex(ROUTES).decide(what(target)).name == name


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/chatter",
        "/Chat",
        "/c",
        "/x/chat",
        "/newspaper",
        "/?/chat",
        "/%2563hat",  # no character is decoded twice
        "/chat%2Froom",  # an encoded slash is not a slash
    ],
)
def test_a_target_that_no_route_matches_is_404(target: str) -> None:
    with pytest.raises(HttpRefusal) as caught:
        RouteIndex(ROUTES).decide(what(target))
    assert caught.value.status == 404
    assert str(caught.value) == "nothing is served under this address"


def test_a_route_for_the_root_matches_everything() -> None:
    routes = [*ROUTES, Route(name="rest", match=Match(path=PathMatch(prefix="/")), upstream=UPSTREAM)]
    for target in "/", "/chatter", "//", "/?x":
        assert RouteIndex(routes).decide(what(target)).name == "rest"


# -- what a match looks at -------------------------------------------------------------------------------------


def wrong(request: RouteQuery, path: PathMatch | None = None, **match: Any) -> list[str]:
    """Return the properties of a request that a match does not accept."""
    return list(mismatches(Match(path=path or PathMatch(prefix="/"), **match), request))


@pytest.mark.parametrize("target", ["/room/1", "/room/42", "/room/42?x=/y"])
def test_a_regular_expression_must_match_the_whole_path(target: str) -> None:
    assert wrong(what(target), PathMatch(regex=re.compile("/room/[0-9]+"))) == []


@pytest.mark.parametrize("target", ["/room/", "/room/1/", "/room/1x", "/x/room/1", "/Room/1", "/room/1%0A"])
def test_a_regular_expression_that_matches_a_part_of_a_path_is_no_match(target: str) -> None:
    assert wrong(what(target), PathMatch(regex=re.compile("/room/[0-9]+"))) == [f"the path {target}"]
    assert wrong(what("/ab"), PathMatch(regex=re.compile("/a|/b"))) == ["the path /ab"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("example.com", "example.com"),
        ("Example.COM:8080", "example.com"),
        ("example.com.", "example.com"),
        ("example.com.:80", "example.com"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("[::1]", "::1"),
        ("[::1]:80", "::1"),
        ("[2001:DB8::1]:80", "2001:db8::1"),
        ("8080", "8080"),
        ("", ""),
    ],
)
def test_a_host_is_compared_by_its_name_alone(host: str, name: str) -> None:
    assert what(host=host).hostname == name
    assert wrong(what(host=host), hosts=("other.example", name)) == []
    assert wrong(what(host=host), hosts=("other.example",)) == [f"the host {name}"]


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("example.com", "example.com", True),
        ("example.com", "a.example.com", False),
        ("example.com", "example.com.evil", False),
        ("example.com", "", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "b.a.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("*.example.com", "a.example.com.evil", False),
        ("*.example.com", "", False),
        ("::1", "::1", True),
        ("::1", "::2", False),
    ],
)
def test_a_star_stands_for_every_name_below_and_not_for_the_name_itself(
    pattern: str, host: str, expected: bool
) -> None:
    assert host_matches(pattern, host) is expected


def test_one_of_the_subprotocols_must_be_offered() -> None:
    wanted: dict[str, Any] = {"subprotocols": ("chat", "v2.chat")}
    assert wrong(what(Sec_WebSocket_Protocol="superchat, v2.chat"), **wanted) == []
    assert wrong(what(WebSocket_Protocol="chat"), **wanted) == []
    assert wrong(what(Sec_WebSocket_Protocol="superchat, CHAT"), **wanted) == ["the subprotocols superchat, CHAT"]
    assert wrong(what(), **wanted) == ["the subprotocols none"]


def test_every_header_must_be_there_with_its_value() -> None:
    wanted: dict[str, Any] = {"headers": (("X-A", "1"), ("x-b", "*"))}
    assert wrong(what(X_A="1", X_B="anything"), **wanted) == []
    assert wrong(what(x_a="1", X_B=""), **wanted) == []
    assert wrong(what(X_A="1"), **wanted) == ["the header x-b"]
    assert wrong(what(X_A="2", X_B="b"), **wanted) == ["the header X-A"]
    assert wrong(what(), **wanted) == ["the header X-A", "the header x-b"]


def test_a_repeated_header_has_both_values() -> None:
    request = RouteQuery("public", "h", "/", True, Headers([("X-A", "2"), ("X-A", "1")]))
    assert wrong(request, headers=(("X-A", "1"),)) == []
    assert wrong(request, headers=(("X-A", "2, 1"),)) == ["the header X-A"]


def test_the_listener_of_the_connection_must_be_one_of_those_named() -> None:
    assert wrong(what(listener="inner"), listeners=("public", "inner")) == []
    assert wrong(what(listener="other"), listeners=("public", "inner")) == ["the listener other"]


def test_a_route_may_be_for_websocket_alone_or_for_plain_http_alone() -> None:
    plain = route_query(Request("/", Headers([])), "public", "h")
    assert wrong(what(), upgrade=True) == wrong(plain, upgrade=False) == []
    assert wrong(what()) == wrong(plain) == []
    assert wrong(plain, upgrade=True) == ["a request without an upgrade"]
    assert wrong(what(), upgrade=False) == ["a request with an upgrade"]


def test_every_mismatch_is_named() -> None:
    assert wrong(
        what("/x"),
        PathMatch(exact="/"),
        hosts=("a",),
        listeners=("a",),
        upgrade=False,
        subprotocols=("a",),
        headers=(("A", "*"),),
    ) == [
        "the path /x",
        "the host example.com",
        "the listener public",
        "a request with an upgrade",
        "the subprotocols none",
        "the header A",
    ]
