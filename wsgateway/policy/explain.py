"""Why a request would go where it would go, in words."""

from collections.abc import Iterator

from wsgateway.errors import HttpRefusal
from wsgateway.policy.checks import ClientFacts, results
from wsgateway.policy.routes import RouteQuery, mismatches
from wsgateway.settings.model import Route, Settings, Target, Upstream
from wsgateway.wire.paths import check_path


def explain(settings: Settings, what: RouteQuery, facts: ClientFacts) -> Iterator[str]:
    """The routes in their order up to the one that takes the request, what its checks say, and where it leads."""
    refusal = _refusal(what)
    if refusal is not None:
        yield f"no route is asked: {refusal.status}, {refusal}"
        return
    for number, route in enumerate(settings.routes):
        wrong = list(mismatches(route.match, what))
        if wrong:
            yield f"routes[{number}] {route.name}: no, it does not take {', nor '.join(wrong)}"
            continue
        yield f"routes[{number}] {route.name}: yes"
        yield from _websocket(route, facts) if what.upgrade else _http(route)
        return
    yield "no route takes it: 404"


def allowed(settings: Settings, what: RouteQuery, facts: ClientFacts) -> bool:
    """Whether the request would reach an upstream."""
    if _refusal(what) is not None:
        return False
    for route in settings.routes:
        if not any(mismatches(route.match, what)):
            passed = all(error is None for _, error in results(route, facts))
            return passed if what.upgrade else route.http_upstream is not None
    return False


def _refusal(what: RouteQuery) -> HttpRefusal | None:
    """What a request is told before any route is asked."""
    try:
        check_path(what.path)
    except HttpRefusal as error:
        return error
    return None


def _websocket(route: Route, facts: ClientFacts) -> Iterator[str]:
    for name, error in results(route, facts):
        more = _of_null(route, facts, error is None) if name == "origin" else ""
        yield f"  {name}: {'good' if error is None else f'{error.status}, {error}'}{more}"
    if route.upstream is not None:
        yield _destination(route.upstream, f" in {route.upstream.dialect.name}")


def _of_null(route: Route, facts: ClientFacts, good: bool) -> str:
    """What to think of for a page whose Origin is null, if there is anything."""
    if facts.origin != "null" or "*" in route.origins.allow:
        return ""
    if good:
        return "; so may every page, by a sandboxed frame: see origins.opaque"
    return (
        "; pages from file://, as those of kiosks, need origins.opaque: allow, which also lets every page in, by a"
        " sandboxed frame"
    )


def _http(route: Route) -> Iterator[str]:
    if route.http_upstream is None:
        yield "  plain HTTP: 426, there is no http_upstream"
    else:
        yield _destination(route.http_upstream, "")


def _destination(upstream: Upstream, how: str) -> str:
    targets = ", ".join(map(_told, upstream.targets))
    balanced = f", by {upstream.balance}" if len(upstream.targets) > 1 else ""
    return f"  upstream {upstream.name}: {targets}{how}{balanced}"


def _told(target: Target) -> str:
    """A target, and what is not usual about it."""
    facts = [
        *(["backup"] if target.backup else []),
        *(["by SRV records"] if target.srv else []),
        *([f"weight {target.weight}"] if target.weight != 1 else []),
        *([f"TLS profile {target.tls.profile}"] if target.tls.profile != "intermediate" else []),
        *(["known by its pin"] if target.tls.pins else []),
        *(["asked for by no name"] if target.tls.nameless else []),
    ]
    return target.url + (f" ({', '.join(facts)})" if facts else "")
