"""The choice of a route: a request takes the first one whose conditions are all true."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wsgateway.dialects import Headers, Request
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.settings.routes import Match, Route
from wsgateway.wire.heads import requests_websocket
from wsgateway.wire.paths import normalised


@dataclass(frozen=True, slots=True)
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
    return RouteQuery(listener, host, path, requests_websocket(request), request.headers)


def decide(routes: Iterable[Route], query: RouteQuery) -> Route:
    """Return the first route that matches. Raise HttpRefusal (404) if none does."""
    for route in routes:
        if next(mismatches(route.match, query), None) is None:
            return route
    raise HttpRefusal(Reason.ROUTE_MISSING, "nothing is served under this address")


def mismatches(match: Match, query: RouteQuery) -> Iterator[str]:
    """Yield the properties of a request that a route does not match; nothing if it matches."""
    if not match.path.matches(query.path):
        yield f"the path {query.path}"
    if match.hosts and not any(host_matches(pattern, query.hostname) for pattern in match.hosts):
        yield f"the host {query.hostname}"
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
