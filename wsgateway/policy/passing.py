"""What passes a gateway beside the messages: a client's request as an upstream gets it, and the answer to it as the
client gets it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wsgateway.dialects import Answer, Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.settings.basics import UNIX
from wsgateway.settings.model import Route, Target, Upstream
from wsgateway.settings.routing import HeaderRules, Rewrite
from wsgateway.wire.paths import normalised, rest_after

# What says who the client is. Ours alone reaches an upstream, also where ours has none of a name.
_OURS = frozenset(
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-websocket-dialect"]
)
# What else proxies say of a client: who has logged in, and where it asked.
_OF_PROXIES = "x-forwarded-"
# CGI makes HTTP_PROXY of it, which programs take for their own setting (httpoxy, CVE-2016-5385).
_HTTPOXY = "proxy"

# RFC 7239, 6: for an address that nobody knows.
_UNKNOWN = "unknown"

# Text-only clients of websockify, as noVNC of 2011 to 2015, call their messages base64. Those who convert that know
# binary alone.
_BASE64 = {"base64": "binary"}

Items = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HeaderContext:
    """A client on its way to an upstream."""

    identity: Identity
    dialect: str
    """http, for plain requests"""
    listener: str
    text_only: bool = False
    """whether its messages are text alone, in both directions"""


def upstream_offer(
    route: Route, upstream: Upstream, target: Target, offer: Offer, header_context: HeaderContext
) -> Offer:
    """Return the client's offer as a target of an upstream gets it.

    No extension is offered where messages are translated or joined, and where a route keeps but the handshake.
    """
    joined = route.joins or upstream.joins
    whole = route.extensions == "forward" and not (header_context.text_only or joined) and route.headers.keep is None
    renames = _renames(route, upstream, header_context)
    return replace(
        offer,
        target=rewritten(route.rewrite, offer.target),
        host=upstream_host(upstream, target, offer.host),
        origin=_origin(route, offer.origin, header_context),
        subprotocols=tuple(dict.fromkeys(renames.get(name, name) for name in offer.subprotocols)),
        extensions=offer.extensions if whole else (),
        headers=tuple(
            item for item in upstream_headers(route, offer.headers, header_context) if _plain(item[0]) != "origin"
        ),
        secure=target.secure,
    )


def client_answer(
    route: Route, upstream: Upstream, answer: Answer, offer: Offer, header_context: HeaderContext
) -> Answer:
    """Return an upstream's answer to a client's offer as the client gets it.

    The subprotocol bears the name that the client offered. The address that the oldest dialects repeat is the client's
    own: scheme, host and port as it used them, in front of all proxies that are trusted.
    """
    secure = location_secure(route, header_context.identity)
    return replace(
        answer,
        subprotocol=_offered_name(_renames(route, upstream, header_context), answer.subprotocol, offer, header_context),
        secure=secure,
        host=header_context.identity.authority(secure),
        unprefixed=route.unprefixed_headers,
    )


def _renames(route: Route, upstream: Upstream, header_context: HeaderContext) -> Mapping[str, str]:
    """Return what subprotocols are called towards an upstream, by the client's names for them."""
    if route.subprotocols is not None:
        return dict(route.subprotocols)
    converted = header_context.text_only and upstream.dialect.framing.carries_binary
    base64 = (route.binary.encode, route.binary.decode) == ("base64", "base64")
    return _BASE64 if converted and base64 else {}


def _offered_name(
    renames: Mapping[str, str], chosen: str | None, offer: Offer, header_context: HeaderContext
) -> str | None:
    """Return the client's name for the subprotocol that an upstream chose; None if it chose none."""
    names = [name for name in offer.subprotocols if renames.get(name, name) == chosen]
    # Whoever offers both names gets the one that the upstream said, but a client with text alone is not told binary.
    if chosen in names and not header_context.text_only:
        return chosen
    return next((name for name in names if name != chosen), chosen)


def _origin(route: Route, origin: str | None, header_context: HeaderContext) -> str | None:
    """Return the Origin as an upstream gets it. It belongs to the handshake: no `keep` leaves it out."""
    rules = route.headers
    own = [value for name, value in rules.set if _plain(name) == "origin"]
    if own:
        return _filled(own[-1], route, header_context)
    return None if "origin" in rules.remove else origin


def rewritten(rewrite: Rewrite, target: str) -> str:
    """Return a path and query as the upstream gets it. A prefix that is not there is not taken away."""
    path, mark, query = target.partition("?")
    if rewrite.path == "normalised":
        path = normalised(path)
    stem = rewrite.strip_prefix.rstrip("/")
    rest = rest_after(path, stem) if stem else None
    if rest is not None:
        path = rest or "/"
    return rewrite.add_prefix.rstrip("/") + path + mark + query


def upstream_host(upstream: Upstream, target: Target, host: str) -> str:
    """The Host that an upstream gets for the one that the client has sent."""
    return {"preserve": host, "target": target.authority}.get(upstream.host, upstream.host)


def upstream_headers(route: Route, headers: Iterable[tuple[str, str]], header_context: HeaderContext) -> Items:
    """Return the client's end-to-end headers as an upstream gets them: who connected, and as what, and the route's own.

    Where the route has `keep`, nothing but what that names, and the route's own.
    """
    identity, rules = header_context.identity, route.headers
    told = [
        ("X-Forwarded-For", ", ".join((_ip(identity), *(proxy for proxy in identity.chain if proxy != UNIX)))),
        ("X-Forwarded-Proto", "https" if identity.secure else "http"),
        ("X-Forwarded-Host", identity.host),
    ]
    if header_context.dialect != "http":
        told.append(("X-WebSocket-Dialect", header_context.dialect))
    own = [(name, _filled(value, route, header_context)) for name, value in rules.set]
    replaced = {_plain(name) for name, _ in own}
    sent = [(name, value) for name, value in headers if _is_passed(name, rules, identity)]
    passed = [
        (name, value)
        for name, value in (*sent, *told)
        if (plain := _plain(name)) not in replaced
        and not _is_named(plain, rules.remove)
        and (rules.keep is None or _is_named(plain, rules.keep))
    ]
    return (*passed, *own)


def _is_passed(name: str, rules: HeaderRules, identity: Identity) -> bool:
    """Whether a header of a client may go on at all. What `keep` and `remove` say is another question.

    Names with underscores may not: CGI and WSGI take X_User for X-User, which a proxy may have checked.
    """
    plain = _plain(name)
    if ("_" in name or plain == _HTTPOXY) and name.lower() not in rules.underscores:
        return False
    return plain not in _OURS and (identity.trusted or not plain.startswith(_OF_PROXIES))


def _filled(value: str, route: Route, header_context: HeaderContext) -> str:
    """Return the value of a header that a route sets, its placeholders filled in."""
    return value.format_map(
        {
            "dialect": header_context.dialect,
            "client_ip": _ip(header_context.identity),
            "listener": header_context.listener,
            "route": route.name,
        }
    )


def _ip(identity: Identity) -> str:
    return _UNKNOWN if identity.ip == UNIX else identity.ip


def _is_named(plain: str, patterns: Iterable[str]) -> bool:
    """Whether a header, as `_plain` gives it, is one of those named, or begins as one of them that ends in a star."""
    return any(
        plain.startswith(_plain(each)[:-1]) if each.endswith("*") else plain == _plain(each) for each in patterns
    )


def _plain(name: str) -> str:
    """The name of a header in the one spelling in which names are compared."""
    return name.lower().replace("_", "-")


def location_secure(route: Route, identity: Identity) -> bool:
    """Whether the address that the oldest dialects repeat begins with wss."""
    return identity.secure if route.location_scheme == "auto" else route.location_scheme == "wss"
