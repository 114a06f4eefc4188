"""The choice of a route: a request takes the first one whose conditions are all true.

Hosts and paths are looked up in an index, so that a request costs the same with thousands of routes. What it finds is
tried one after the other, in the order of the file: routes with the same host and path, and regular expressions.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge

from wsgateway.dialects import Headers, Request
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.settings.routes import Match, PathMatch, Route
from wsgateway.wire.heads import requests_websocket
from wsgateway.wire.paths import normalised


@dataclass(slots=True)
class RouteQuery:
    """The properties of a request by which a route is chosen."""

    listener: str
    """the listener of the connection"""
    host: str
    """the requested host, with or without a port"""
    path: str
    """the path without the query, normalised: see `wsgateway.wire.paths`"""
    upgrade: bool
    """whether the request is for WebSocket"""
    headers: Headers

    @property
    def hostname(self) -> str:
        """The host without its port, in lower case, IPv6 without brackets."""
        name, colon, port = self.host.lower().rpartition(":")
        return (name if colon and (port.isdigit() or not port) else self.host.lower()).strip("[]").rstrip(".")

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, with the header of any dialect."""
        return [*self.headers.listed("Sec-WebSocket-Protocol"), *self.headers.listed("WebSocket-Protocol")]


def route_query(request: Request, listener: str, host: str) -> RouteQuery:
    """Return the properties of a request for the choice of a route; `host` is what counts as its Host."""
    path = normalised(request.target.partition("?")[0])
    return RouteQuery(listener, host, path, requests_websocket(request.headers), request.headers)


@dataclass(slots=True)
class _Paths:
    """The routes for one pattern of hosts, by their paths: their numbers in the order of the file."""

    exact: dict[str | None, list[int]] = field(default_factory=dict)
    prefixes: dict[str, list[int]] = field(default_factory=dict)
    """by the prefix without a slash at its end"""
    regexes: list[int] = field(default_factory=list)

    def add(self, number: int, path: PathMatch) -> None:
        """Add a route, whose number is higher than those before it."""
        if path.regex is not None:
            self.regexes.append(number)
        elif path.prefix is not None:
            self.prefixes.setdefault(path.stem, []).append(number)
        else:
            self.exact.setdefault(path.exact, []).append(number)

    def found(self, path: str, stems: Iterable[str]) -> Iterator[list[int]]:
        """Yield the routes that a path may take; `stems` are all prefixes that it has, without a slash at the end."""
        if path in self.exact:
            yield self.exact[path]
        for stem in stems:
            if stem in self.prefixes:
                yield self.prefixes[stem]
        if self.regexes:
            yield self.regexes


class RouteIndex:
    """The routes of a configuration, by hosts and by paths."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._of_any_host = _Paths()
        self._of_hosts: dict[str, _Paths] = {}
        self._longest_prefix = self._longest_host = 0
        for number, route in enumerate(routes):
            path, hosts = route.match.path, route.match.hosts
            if path.prefix is not None:
                self._longest_prefix = max(self._longest_prefix, len(path.stem))
            for host in hosts:
                self._longest_host = max(self._longest_host, len(host))
                self._of_hosts.setdefault(host, _Paths()).add(number, path)
            if not hosts:
                self._of_any_host.add(number, path)

    def decide(self, query: RouteQuery) -> Route:
        """Return the first route that matches. Raise HttpRefusal (404) if none does."""
        for number in self.candidates(query):
            route = self._routes[number]
            path = route.match.path
            if (path.regex is None or path.matches(query.path)) and next(_others(route.match, query), None) is None:
                return route
        raise HttpRefusal(Reason.ROUTE_MISSING, "nothing is served under this address")

    def candidates(self, query: RouteQuery) -> Iterable[int]:
        """Return the numbers, from 0, of all routes whose host and path match, in order; some of them twice.

        Regular expressions are not tried: all of them are among the candidates.
        """
        stems = list(_beginnings(query.path, self._longest_prefix))
        found = [numbers for paths in self._of_host(query.hostname) for numbers in paths.found(query.path, stems)]
        return found[0] if len(found) == 1 else merge(*found)

    def _of_host(self, host: str) -> Iterator[_Paths]:
        """Yield the routes for a host: those for any, for itself, and for all below a name that it is below."""
        yield self._of_any_host
        if host in self._of_hosts:
            yield self._of_hosts[host]
        at = host.find(".", max(1, len(host) + 1 - self._longest_host))
        while at > 0:
            pattern = "*" + host[at:]
            if pattern in self._of_hosts:
                yield self._of_hosts[pattern]
            at = host.find(".", at + 1)


def _beginnings(path: str, longest: int) -> Iterator[str]:
    """Yield a path, and what is before each of its slashes, up to a length: what can be a prefix of it."""
    at = path.find("/")
    while 0 <= at <= longest:
        yield path[:at]
        at = path.find("/", at + 1)
    if len(path) <= longest:
        yield path


def mismatches(match: Match, query: RouteQuery) -> Iterator[str]:
    """Yield the properties of a request that a route does not match; nothing if it matches."""
    if not match.path.matches(query.path):
        yield f"the path {query.path}"
    if match.hosts and not any(host_matches(pattern, query.hostname) for pattern in match.hosts):
        yield f"the host {query.hostname}"
    yield from _others(match, query)


def _others(match: Match, query: RouteQuery) -> Iterator[str]:
    """Yield what `mismatches` does, but for host and path."""
    if match.listeners and query.listener not in match.listeners:
        yield f"the listener {query.listener}"
    if match.upgrade is not None and match.upgrade is not query.upgrade:
        yield "a request with an upgrade" if query.upgrade else "a request without an upgrade"
    if match.subprotocols and not set(match.subprotocols) & set(query.subprotocols):
        yield f"the subprotocols {', '.join(query.subprotocols) or 'none'}"
    for name, value in match.headers:
        values = query.headers.sent(name)  # with control characters: X-Role: ad\x01min is not admin
        if not values or (value != "*" and value not in values):
            yield f"the header {name}"


def host_matches(pattern: str, host: str) -> bool:
    """Return whether a host equals the pattern, or is below it if the pattern is *.NAME. Both are in lower case."""
    return host.endswith(pattern[1:]) and len(host) >= len(pattern) if pattern.startswith("*.") else host == pattern
