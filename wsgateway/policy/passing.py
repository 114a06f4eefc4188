"""The changes to requests and answers on their way: the request for an upstream, and the answer for the client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wsgateway.dialects import Answer, Offer
from wsgateway.policy.forwarded import Identity
from wsgateway.settings.basics import UNIX
from wsgateway.settings.routes import HeaderRules, Rewrite, Route
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.wire.exchange import Items
from wsgateway.wire.heads import Names, plain_name
from wsgateway.wire.paths import normalised, rest_after

# Headers that identify the client. An upstream gets only the gateway's own, also for names that the gateway leaves out.
_OURS = frozenset(
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-websocket-dialect"]
)
# Other headers of proxies about a client: its user, and the address that it requested.
_OF_PROXIES = "x-forwarded-"
# CGI turns this header into HTTP_PROXY, which programs read as a setting of their own (httpoxy, CVE-2016-5385).
_HTTPOXY = "proxy"

# RFC 7239, 6: for an address that is not known.
_UNKNOWN = "unknown"

# Text-only clients of websockify, such as noVNC of 2011 to 2015, offer base64. Servers that get their messages
# converted know only binary.
_BASE64 = {"base64": "binary"}


@dataclass(slots=True)
class HeaderContext:
    """The facts about a client that the headers for an upstream contain."""

    identity: Identity
    dialect: str
    """the name of its dialect; http for plain requests"""
    listener: str
    text_only: bool = False
    """whether only text is possible in its messages, in both directions"""


def upstream_offer(
    route: Route, upstream: Upstream, target: Target, offer: Offer, header_context: HeaderContext
) -> Offer:
    """Return the client's offer as a target of an upstream gets it.

    No extension is offered if messages are translated or joined, or if the route has `keep`.
    """
    joined = route.joins or upstream.joins
    whole = route.extensions == "forward" and not (header_context.text_only or joined) and route.headers.keep is None
    renames = _renames(route, upstream, header_context)
    return Offer(
        target=rewritten(route.rewrite, offer.target),
        host=upstream_host(upstream, target, offer.host),
        origin=_origin(route, offer.origin, header_context),
        subprotocols=tuple(dict.fromkeys([renames.get(name, name) for name in offer.subprotocols])),
        extensions=offer.extensions if whole else (),
        headers=tuple(
            [item for item in upstream_headers(route, offer.headers, header_context) if plain_name(item[0]) != "origin"]
        ),
        secure=target.url.secure,
    )


def client_answer(
    route: Route, upstream: Upstream, answer: Answer, offer: Offer, header_context: HeaderContext
) -> Answer:
    """Return an upstream's answer to an offer as the client gets it.

    The subprotocol has the name that the client offered. The address that the oldest dialects repeat is the client's
    own: scheme, host and port as the client used them, outside of all trusted proxies.
    """
    secure = location_secure(route, header_context.identity)
    return Answer(
        subprotocol=_offered_name(_renames(route, upstream, header_context), answer.subprotocol, offer, header_context),
        extensions=answer.extensions,
        headers=answer.headers,
        secure=secure,
        host=header_context.identity.authority(secure),
        unprefixed=route.unprefixed_headers,
    )


def _renames(route: Route, upstream: Upstream, header_context: HeaderContext) -> Mapping[str, str]:
    """Return the upstream's names of subprotocols, by the client's names."""
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
    # A client that offers both names gets the upstream's name. A client with only text never gets the name binary.
    if chosen in names and not header_context.text_only:
        return chosen
    return next((name for name in names if name != chosen), chosen)


def _origin(route: Route, origin: str | None, header_context: HeaderContext) -> str | None:
    """Return the Origin as an upstream gets it. It is a part of the handshake, which `keep` does not remove."""
    rules = route.headers
    own = [value for name, value in rules.set if plain_name(name) == "origin"]
    if own:
        return _filled(own[-1], route, header_context)
    return None if "origin" in rules.remove else origin


def rewritten(rewrite: Rewrite, target: str) -> str:
    """Return a path and query as the upstream gets it. A prefix is removed only if the path has it."""
    path, mark, query = target.partition("?")
    if rewrite.path == "normalised":
        path = normalised(path)
    stem = (rewrite.strip_prefix or "").rstrip("/")
    rest = rest_after(path, stem) if stem else None
    if rest is not None:
        path = rest or "/"
    return (rewrite.add_prefix or "").rstrip("/") + path + mark + query


def upstream_host(upstream: Upstream, target: Target, host: str) -> str:
    """Return the Host for an upstream, given the Host that the client sent."""
    if upstream.host == "preserve":
        return host
    return target.url.authority if upstream.host == "target" else upstream.host


def upstream_headers(route: Route, headers: Iterable[tuple[str, str]], header_context: HeaderContext) -> Items:
    """Return the headers for an upstream: the client's end-to-end headers, those about the client, and the route's own.

    With `keep`, the first two are reduced to the names in it.
    """
    identity, rules = header_context.identity, route.headers
    forwarded = [
        ("X-Forwarded-For", ", ".join((_ip(identity), *(proxy for proxy in identity.chain if proxy != UNIX)))),
        ("X-Forwarded-Proto", "https" if identity.secure else "http"),
        ("X-Forwarded-Host", identity.host),
    ]
    if header_context.dialect != "http":
        forwarded.append(("X-WebSocket-Dialect", header_context.dialect))
    own = [(name, _filled(value, route, header_context)) for name, value in rules.set]
    replaced = {plain_name(name) for name, _ in own}
    sent = [item for item in headers if _is_ordinary(item[0]) or _is_passed(item[0], rules, identity)]
    if not (own or rules.remove) and rules.keep is None:
        return (*sent, *forwarded)
    passed = [
        item
        for item in (*sent, *forwarded)
        if (plain := plain_name(item[0])) not in replaced
        and not _is_named(plain, rules.remove)
        and (rules.keep is None or _is_named(plain, rules.keep))
    ]
    return (*passed, *own)


def _ordinary(name: str) -> bool:
    """Return whether a header of a client may be passed on, whatever the rules and whoever the client is."""
    plain = plain_name(name)
    return "_" not in name and plain != _HTTPOXY and plain not in _OURS and not plain.startswith(_OF_PROXIES)


_is_ordinary = Names(_ordinary).of


def _is_passed(name: str, rules: HeaderRules, identity: Identity) -> bool:
    """Return whether a header of a client may be passed on at all; `keep` and `remove` are checked elsewhere.

    Names with underscores may not: CGI and WSGI read X_User as X-User, which a proxy may have checked.
    """
    plain = plain_name(name)
    if ("_" in name or plain == _HTTPOXY) and name.lower() not in rules.underscores:
        return False
    return plain not in _OURS and (identity.trusted or not plain.startswith(_OF_PROXIES))


def _filled(value: str, route: Route, header_context: HeaderContext) -> str:
    """Return the value of a header that a route sets, with its placeholders filled in."""
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
    """Return whether a header, by its `plain_name`, equals a name, or begins with a name that ends in a star."""
    return any(
        plain.startswith(plain_name(each)[:-1]) if each.endswith("*") else plain == plain_name(each)
        for each in patterns
    )


def location_secure(route: Route, identity: Identity) -> bool:
    """Return whether the address that the oldest dialects repeat begins with wss."""
    return identity.secure if route.location_scheme == "auto" else route.location_scheme == "wss"
