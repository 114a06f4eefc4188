"""Which route a request takes: the first of which all is true."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wsgateway.dialects import Headers, Request
from wsgateway.errors import HttpRefusal
from wsgateway.settings.model import Route
from wsgateway.settings.routing import Match
from wsgateway.wire.heads import requests_websocket
from wsgateway.wire.paths import normalised


@dataclass(frozen=True, slots=True)
class RouteQuery:
    """What a route looks at."""

    listener: str
    """by which the client came"""
    host: str
    """for which it asked, with a port or without"""
    path: str
    """without the query, normalised: see `wsgateway.wire.paths`"""
    upgrade: bool
    """whether it asks for WebSocket"""
    headers: Headers

    @property
    def hostname(self) -> str:
        """The host without its port, in lower case, IPv6 without brackets."""
        name, colon, port = self.host.lower().rpartition(":")
        return (name if colon and (port.isdigit() or not port) else self.host.lower()).strip("[]").rstrip(".")

    @property
    def subprotocols(self) -> list[str]:
        """What the client offers, whatever its dialect calls it."""
        return [*self.headers.listed("Sec-WebSocket-Protocol"), *self.headers.listed("WebSocket-Protocol")]


def asked(request: Request, listener: str, host: str) -> RouteQuery:
    """What a request asks for; `host` is what counts as its Host."""
    path = normalised(request.target.partition("?")[0])
    return RouteQuery(listener, host, path, requests_websocket(request), request.headers)


def decide(routes: Iterable[Route], what: RouteQuery) -> Route:
    """The first route that matches. Raises HttpRefusal (404) if none does."""
    for route in routes:
        if next(mismatches(route.match, what), None) is None:
            return route
    raise HttpRefusal("nothing is served under this address", 404, kind="route")


def mismatches(match: Match, what: RouteQuery) -> Iterator[str]:
    """Why a route does not take a request: nothing, if it does."""
    if not match.path.matches(what.path):
        yield f"the path {what.path}"
    if match.hosts and not any(host_matches(pattern, what.hostname) for pattern in match.hosts):
        yield f"the host {what.hostname}"
    if match.listeners and what.listener not in match.listeners:
        yield f"the listener {what.listener}"
    if match.upgrade is not None and match.upgrade is not what.upgrade:
        yield "the upgrade" if what.upgrade else "no upgrade"
    if match.subprotocols and not set(match.subprotocols) & set(what.subprotocols):
        yield f"the subprotocols {', '.join(what.subprotocols) or 'none'}"
    for name, value in match.headers:
        values = what.headers.sent(name)  # with control characters: X-Role: ad\x01min is not admin
        if not values or (value != "*" and value not in values):
            yield f"the header {name}"


def host_matches(pattern: str, host: str) -> bool:
    """Whether a host is the pattern, or below it if that is *.NAME. Both in lower case."""
    return host.endswith(pattern[1:]) and len(host) >= len(pattern) if pattern.startswith("*.") else host == pattern
