"""The index of routes: it finds the same route as a look at one after the other, in as many steps for thousands."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.steps import steps
from wsgateway.dialects import Headers, Request
from wsgateway.errors import HttpRefusal
from wsgateway.policy.routes import RouteIndex, RouteQuery, mismatches, route_query
from wsgateway.settings.routes import Match, PathMatch, Route

from .contexts import UPSTREAM

# -- the same route --------------------------------------------------------------------------------------------------


def one_after_the_other(routes: list[Route], query: RouteQuery) -> Route | None:
    """Return the first route that matches."""
    return next((route for route in routes if not any(mismatches(route.match, query))), None)


def found(routes: list[Route], query: RouteQuery) -> Route | None:
    try:
        return RouteIndex(routes).decide(query)
    except HttpRefusal:
        return None


def some(strategy: st.SearchStrategy[str], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


# Few and short parts, so that many of them are equal, or begin or end as others do.
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "", "*", "."]), max_size=4).map(lambda parts: "/" + "/".join(parts))
NAMES = st.lists(st.sampled_from(["a", "b", "ab", "*", ""]), min_size=1, max_size=4).map(".".join)
PATH_MATCHES = st.one_of(
    PATHS.map(lambda path: PathMatch(prefix=path)),
    PATHS.map(lambda path: PathMatch(exact=path)),
    st.sampled_from(["/a.*", "/(a|b)", ".*b", "/a/b/?", ""]).map(lambda text: PathMatch(regex=re.compile(text))),
)
MATCHES = st.builds(
    Match,
    path=PATH_MATCHES,
    hosts=some(NAMES | NAMES.map("*.{}".format), 3),
    subprotocols=some(st.sampled_from("xy")),
    headers=st.dictionaries(st.sampled_from(["X-A", "x-b"]), st.sampled_from(["1", "*"])).map(
        lambda headers: tuple(headers.items())
    ),
    listeners=some(st.sampled_from(["public", "inner"])),
    upgrade=st.sampled_from([None, None, True, False]),
)
# Most have nothing but a path and hosts, or hardly any request would match.
ROUTES = st.lists(st.one_of(st.builds(Match, path=PATH_MATCHES, hosts=some(NAMES)), MATCHES), max_size=12).map(
    lambda matches: [Route(name=str(at), match=match, upstream=UPSTREAM) for at, match in enumerate(matches)]
)
QUERIES = st.builds(
    RouteQuery,
    listener=st.sampled_from(["public", "inner"]),
    host=st.builds("{}{}".format, NAMES, st.sampled_from(["", "", ":80", "."])),
    path=PATHS | st.just(""),
    upgrade=st.booleans(),
    headers=st.lists(
        st.sampled_from([("X-A", "1"), ("X-B", "2"), ("Sec-WebSocket-Protocol", "x"), ("WebSocket-Protocol", "y")])
    ).map(Headers),
)


@given(ROUTES, QUERIES)
def test_it_finds_the_route_that_a_look_at_one_after_the_other_finds(routes: list[Route], query: RouteQuery) -> None:
    assert found(routes, query) is one_after_the_other(routes, query)


def by_path(*matches: PathMatch) -> list[Route]:
    return [Route(name=str(at), match=Match(path=path), upstream=UPSTREAM) for at, path in enumerate(matches)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b", "0"),  # the prefix stands before the exact path
        ("/a/x", "0"),
        ("/c", "2"),  # the expression stands before the prefix that is longer
        ("/cd/e", "2"),
        ("/x", "4"),
    ],
)
def test_the_first_in_the_file_wins_and_not_the_longest(path: str, name: str) -> None:
    routes = by_path(
        PathMatch(prefix="/a"),
        PathMatch(exact="/a/b"),
        PathMatch(regex=re.compile("/c.*")),
        PathMatch(prefix="/cd/e"),
        PathMatch(prefix="/"),
    )
    assert RouteIndex(routes).decide(RouteQuery("public", "h", path, True, Headers([]))).name == name


def test_a_route_of_several_hosts_is_found_by_each() -> None:
    hosts = ("a.example", "*.a.example", "*.example", "a.example")
    routes = [Route(name="all", match=Match(path=PathMatch(prefix="/"), hosts=hosts), upstream=UPSTREAM)]
    for host in ("a.example", "b.a.example", "c.b.a.example:80", "B.EXAMPLE.", ".b.example"):
        assert RouteIndex(routes).decide(route_query(Request("/", Headers([])), "public", host)).name == "all"
    assert found(routes, route_query(Request("/", Headers([])), "public", "example")) is None


# -- in as many steps ------------------------------------------------------------------------------------------------

KINDS = {
    "exact": ("", PathMatch(exact="/app-{}"), "/app-{}"),
    "prefix": ("", PathMatch(prefix="/app-{}"), "/app-{}/room/1"),
    "below": ("", PathMatch(prefix="/v1/{}/chat"), "/v1/{}/chat"),
    "host": ("h{}.example.com", PathMatch(prefix="/"), "/x"),
    "wildcard": ("*.h{}.example.com", PathMatch(prefix="/"), "/x"),
}


def numbered(path: PathMatch, number: int) -> PathMatch:
    return PathMatch(exact=path.exact and path.exact.format(number), prefix=path.prefix and path.prefix.format(number))


def steps_to_the_last(count: int, host: str, path: PathMatch, target: str) -> int:
    """Return how many lines run to find the last of so many routes."""
    numbers = range(10000, 10000 + count)  # of as many digits
    routes = [
        Route(
            name=str(at),
            match=Match(path=numbered(path, at), hosts=(host.format(at),) if host else ()),
            upstream=UPSTREAM,
        )
        for at in numbers
    ]
    index, asked = RouteIndex(routes), host.format(numbers[-1]).replace("*", "a") or "example.com"
    query = RouteQuery("public", asked, target.format(numbers[-1]), True, Headers([]))
    assert index.decide(query) is routes[-1]
    assert list(index.candidates(query)) == [count - 1]
    return steps(lambda: index.decide(query))


@pytest.mark.parametrize(("host", "path", "target"), KINDS.values(), ids=KINDS)
def test_the_last_of_thousands_takes_as_many_steps_as_the_last_of_ten(host: str, path: PathMatch, target: str) -> None:
    assert steps_to_the_last(5000, host, path, target) == steps_to_the_last(10, host, path, target)


@pytest.mark.parametrize(
    ("host", "path"), [("a." * 4000, "/"), ("a", "/x" * 4000), ("." * 8000, "/x"), ("a." * 4000, "/x" * 4000)]
)
def test_a_long_host_or_path_is_not_looked_up_beyond_what_routes_have(host: str, path: str) -> None:
    index = RouteIndex([Route(name="a", match=Match(path=PathMatch(prefix="/a"), hosts=("*.a.b",)), upstream=UPSTREAM)])
    query = RouteQuery("public", host, path, True, Headers([]))
    assert list(index.candidates(query)) == []
    assert steps(lambda: index.candidates(query)) < 60
