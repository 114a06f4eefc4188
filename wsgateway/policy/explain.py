"""Explanations for people: which route a request takes, and why."""

from collections.abc import Iterator

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.policy.checks import ClientFacts, results
from wsgateway.policy.routes import RouteIndex, RouteQuery, mismatches
from wsgateway.settings.routes import Route
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.settings.whole import Settings
from wsgateway.wire.paths import check_path


def explain(settings: Settings, query: RouteQuery, facts: ClientFacts) -> Iterator[str]:
    """Yield lines about the routes in order, up to the one that matches: its admission checks, and its destination."""
    refusal = _refusal(query)
    if refusal is not None:
        yield f"refused before any route: {_told(refusal)}"
        yield f"  {refusal.reason.cure}"
        return
    for number, route in enumerate(settings.routes):
        wrong = list(mismatches(route.match, query))
        if wrong:
            yield f"routes[{number}] {route.name}: no match for {', '.join(wrong)}"
            continue
        yield f"routes[{number}] {route.name}: match"
        yield from _websocket(route, facts) if query.upgrade else _http(route)
        return
    yield f"no route matches: {Reason.ROUTE_MISSING.code} {Reason.ROUTE_MISSING}"


def allowed(settings: Settings, query: RouteQuery, facts: ClientFacts) -> bool:
    """Return whether the request would reach an upstream."""
    if _refusal(query) is not None:
        return False
    try:
        route = RouteIndex(settings.routes).decide(query)
    except HttpRefusal:
        return False
    passed = all(error is None for _, error in results(route, facts))
    return passed if query.upgrade else route.http_upstream is not None


def _refusal(query: RouteQuery) -> HttpRefusal | None:
    """Return the refusal of a request before any route is tried; None if there is none."""
    try:
        check_path(query.path)
    except HttpRefusal as error:
        return error
    return None


def _told(error: HttpRefusal) -> str:
    """Return the status, the reason and the facts of a refusal."""
    return f"{error.status} {error.reason}, {error}"


def _websocket(route: Route, facts: ClientFacts) -> Iterator[str]:
    for name, error in results(route, facts):
        more = _of_null(route, facts, error is None) if name == "origin" else ""
        yield f"  {name}: {'ok' if error is None else _told(error)}{more}"
        if error is not None:
            yield f"    {error.reason.cure}"
    if route.upstream is not None:
        yield _destination(route.upstream, f" in {route.upstream.dialect.name}")


def _of_null(route: Route, facts: ClientFacts, good: bool) -> str:
    """Return a hint for a page whose Origin is null; an empty text if there is nothing to say."""
    if facts.origin != "null" or "*" in route.origins.allow:
        return ""
    if good:
        return "; every page may do the same in a sandboxed frame: see origins.opaque"
    return (
        "; pages from file://, as in kiosks, need origins.opaque: allow, which also allows every page in a sandboxed"
        " frame"
    )


def _http(route: Route) -> Iterator[str]:
    if route.http_upstream is None:
        missing = HttpRefusal(Reason.UPGRADE_MISSING, "there is no http_upstream")
        yield f"  plain HTTP: {_told(missing)}"
    else:
        yield _destination(route.http_upstream, "")


def _destination(upstream: Upstream, how: str) -> str:
    targets = ", ".join(map(_described, upstream.targets))
    balanced = f", by {upstream.balance}" if len(upstream.targets) > 1 else ""
    return f"  upstream {upstream.name}: {targets}{how}{balanced}"


def _described(target: Target) -> str:
    """Return a target's URL with its unusual settings."""
    facts = [
        *(["backup"] if target.backup else []),
        *(["by SRV records"] if target.srv else []),
        *([f"weight {target.weight}"] if target.weight != 1 else []),
        *([f"TLS profile {target.tls.profile}"] if target.tls.profile != "intermediate" else []),
        *(["verified by its pin"] if target.tls.pin else []),
        *(["no server name"] if target.tls.nameless else []),
    ]
    return target.url.text + (f" ({', '.join(facts)})" if facts else "")
