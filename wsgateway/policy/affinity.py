"""The hash key of a request, by which an upstream sends related requests to the same target."""

from collections.abc import Callable
from urllib.parse import parse_qsl

from wsgateway.dialects import Request
from wsgateway.settings.basics import UNIX, Balance, HashSource


def affinity(balance: Balance, request: Request, ip: str) -> str | None:
    """Return the hash key of a request from this address; None if no hash is used, or the request has no key."""
    if balance.method != "hash":
        return None
    if balance.path is not None:
        found = balance.path.search(request.target.partition("?")[0])
        return None if found is None else found.group(1)
    return _SOURCES[balance.source](request, balance.name, ip)


def _ip(request: Request, name: str, ip: str) -> str | None:
    return None if ip == UNIX else ip


def _cookie(request: Request, name: str, ip: str) -> str | None:
    for line in request.headers.every("Cookie"):
        for pair in line.split(";"):
            each, equals, value = pair.strip().partition("=")
            if equals and each == name:
                return value
    return None


def _header(request: Request, name: str, ip: str) -> str | None:
    return next(iter(request.headers.every(name)), None)


def _query(request: Request, name: str, ip: str) -> str | None:
    pairs = parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    return next((value for each, value in pairs if each == name), None)


_SOURCES: dict[HashSource, Callable[[Request, str, str], str | None]] = {
    "ip": _ip,
    "cookie": _cookie,
    "header": _header,
    "query": _query,
}
