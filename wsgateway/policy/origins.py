"""The check of Origin: whether the page that a browser names there may connect."""

import re
from urllib.parse import urlsplit

from wsgateway.policy.routes import host_matches
from wsgateway.settings.defaults import Origins

# Characters that no origin contains, but with which its end could look like an allowed host.
_JUNK = re.compile(r"[^!-~]|[@,\\]")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin_allowed(origins: Origins, origin: str | None) -> bool:
    """Return whether the value of Origin, as it was sent, is allowed; None if there was no Origin."""
    if origin is None:
        return origins.missing == "allow"
    if origin == "null":
        return origins.opaque_allowed
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
    """Return scheme, host and port, in lower case, with the default port of the scheme; None if it is no origin."""
    try:
        parts = urlsplit(origin.lower())
        port = parts.port
    except ValueError:
        return None
    if _JUNK.search(origin) or not parts.scheme or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname or "", port if port is not None else _PORTS.get(parts.scheme)
