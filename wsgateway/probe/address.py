"""The address of a probe and its headers, checked so that they can be sent."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from wsgateway.dialects import Offer
from wsgateway.dialects.upgrade import is_plain
from wsgateway.errors import ProbeError
from wsgateway.wire.repair import is_token

_TOKEN = "which has letters, digits and !#$%&'*+-.^_`|~ alone"
_PORTS = {"ws": 80, "wss": 443}
# The handshake sends these itself, and servers refuse two of them.
_OURS = ("host", "origin", "upgrade", "connection", "content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Destination:
    """The address to connect to, and the offer to send."""

    host: str
    port: int
    offer: Offer


def destination(
    url: str, origin: str | None, subprotocols: tuple[str, ...], headers: tuple[tuple[str, str], ...]
) -> Destination:
    """Return the destination of ws:// or wss://HOST[:PORT][/PATH][?QUERY]. Raise ProbeError if it cannot be sent."""
    parts, port = _split(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    target = f"{path}?{quote(parts.query, safe='/?%:@!$&()*+,;=~-._')}" if parts.query else path
    host = parts.netloc.rpartition("@")[2]
    if origin is None:
        origin = f"{'https' if parts.scheme == 'wss' else 'http'}://{host}"
    _check_plain([("the host", host), ("the origin", origin)])
    for name in subprotocols:
        if not is_token(name):
            raise ProbeError(f"the subprotocol {name!r} is not a token, {_TOKEN}")
    for name, value in headers:
        if not is_token(name):
            raise ProbeError(f"{name!r} is no name of a header, {_TOKEN}")
        if not is_plain(value):
            raise ProbeError(f"the value {value!r} of the header {name} has other characters than printable ASCII")
        if name.lower() in _OURS or name.lower().startswith(("sec-websocket-", "websocket-")):
            raise ProbeError(f"the header {name} is part of the handshake, and made by the probe")
    assert parts.hostname is not None, "checked above"
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise ProbeError(f"the host cannot be sent: {error}") from None
    return Destination(
        parts.hostname, port, Offer(target, host, origin, subprotocols, (), headers, parts.scheme == "wss")
    )


def _split(url: str) -> tuple[SplitResult, int]:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname and parts.port != 0:
            return parts, parts.port or _PORTS[parts.scheme]
    form = "ws://HOST[:PORT][/PATH], or wss://"
    raise ProbeError(f"{url!r} is not an address of the form {form}; PORT is from 1 to 65535")


def _check_plain(values: Iterable[tuple[str, str]]) -> None:
    for what, value in values:
        if not is_plain(value) or " " in value:
            raise ProbeError(f"{what} {value!r} has a space, or other characters than printable ASCII")
