"""What an upstream is told of a client: its request as the route rewrites it, and who it is."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from wsgateway.dialects import Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.settings.basics import UNIX
from wsgateway.settings.model import Rewrite, Route, Target, Upstream

# What says who the client is. Ours alone reaches an upstream, whichever way a client spells it: CGI and WSGI take
# X_Forwarded_For for X-Forwarded-For.
_FORWARDED = re.compile(r"forwarded|x-forwarded-.*|x-real-ip|x-websocket-dialect")

# RFC 7239, 6: for an address that nobody knows.
_UNKNOWN = "unknown"

Items = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """A client on its way to an upstream."""

    identity: Identity
    dialect: str
    """http, for plain requests"""
    listener: str


def upstream_offer(route: Route, upstream: Upstream, target: Target, offer: Offer, visit: Visit) -> Offer:
    """The client's offer, as a target of an upstream gets it. What is translated cannot be compressed."""
    text_only = visit.dialect in (each.name for each in route.text_only)
    return replace(
        offer,
        target=rewritten(route.rewrite, offer.target),
        host=upstream_host(upstream, target, offer.host),
        extensions=offer.extensions if route.extensions == "forward" and not text_only else (),
        headers=upstream_headers(route, offer.headers, visit),
        secure=target.secure,
    )


def rewritten(rewrite: Rewrite, target: str) -> str:
    """A path and query, as the upstream gets it. A prefix that is not there is not taken away."""
    path, mark, query = target.partition("?")
    stem = rewrite.strip_prefix.rstrip("/")
    if stem and (path == stem or path.startswith(stem + "/")):
        path = path[len(stem) :] or "/"
    return rewrite.add_prefix.rstrip("/") + path + mark + query


def upstream_host(upstream: Upstream, target: Target, host: str) -> str:
    """The Host that an upstream gets for the one that the client has sent."""
    return {"preserve": host, "target": target.authority}.get(upstream.host, upstream.host)


def upstream_headers(route: Route, headers: Iterable[tuple[str, str]], visit: Visit) -> Items:
    """The client's end-to-end headers, as an upstream gets them: who connected, and as what, and the route's own."""
    identity = visit.identity
    ip = _UNKNOWN if identity.ip == UNIX else identity.ip
    told = [
        ("X-Forwarded-For", ", ".join((ip, *(proxy for proxy in identity.chain if proxy != UNIX)))),
        ("X-Forwarded-Proto", "https" if identity.secure else "http"),
        ("X-Forwarded-Host", identity.host),
    ]
    if visit.dialect != "http":
        told.append(("X-WebSocket-Dialect", visit.dialect))
    facts = {
        "dialect": visit.dialect,
        "client_ip": ip,
        "listener": visit.listener,
        "route": route.name,
    }
    own = [(name, value.format_map(facts)) for name, value in route.headers.set]
    dropped = {_plain(name) for name in (*route.headers.remove, *(name for name, _ in own))}
    kept = [(name, value) for name, value in headers if not _FORWARDED.fullmatch(_plain(name))]
    return (*((name, value) for name, value in (*kept, *told) if _plain(name) not in dropped), *own)


def _plain(name: str) -> str:
    """The name of a header in the one spelling in which names are compared."""
    return name.lower().replace("_", "-")


def location_secure(route: Route, identity: Identity) -> bool:
    """Whether the address that the oldest dialects repeat begins with wss."""
    return identity.secure if route.location_scheme == "auto" else route.location_scheme == "wss"
