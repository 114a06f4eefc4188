"""Whether a page may connect: by the Origin that its browser says."""

import re
from urllib.parse import urlsplit

from wsgateway.policy.routes import host_matches
from wsgateway.settings.routing import Origins

# What stands in no origin, but would let the end of one look like a host that is allowed.
_JUNK = re.compile(r"[^!-~]|[@,\\]")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_allowed(origins: Origins, origin: str | None) -> bool:
    """Takes the value of Origin as it was sent, None if there was none."""
    if origin is None:
        return origins.missing == "allow"
    if origin == "null":
        return origins.opaque == "allow"
    return any(_matches(pattern, origin) for pattern in origins.allow)


def _matches(pattern: str, origin: str) -> bool:
    if pattern == "*":
        return True
    wanted, given = _split(pattern), _split(origin)
    if wanted is None or given is None:
        return False
    (scheme, host, port), (given_scheme, given_host, given_port) = wanted, given
    return (scheme, port) == (given_scheme, given_port) and host_matches(host, given_host)


def _split(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port, in lower case; the port of the scheme if none is said. None: it is no such thing."""
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    if _JUNK.search(origin) or not parts.scheme or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname or "", port if port is not None else _PORTS.get(parts.scheme)
