"""What a probe is asked for: an address, and the headers that go with it, checked for what can be sent at all."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from wsgateway.dialects import Offer
from wsgateway.dialects.upgrade import is_plain
from wsgateway.errors import WsgatewayError
from wsgateway.wire.repair import is_token

_PORTS = {"ws": 80, "wss": 443}
# What a handshake says itself: two of them would be refused.
_OURS = ("host", "origin", "upgrade", "connection", "content-length", "transfer-encoding")


class ProbeError(WsgatewayError):
    """What is asked of a probe makes no sense: an address that is none."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to connect, and what to offer there."""

    host: str
    port: int
    offer: Offer


def destination(
    url: str, origin: str | None, subprotocols: tuple[str, ...], headers: tuple[tuple[str, str], ...]
) -> Destination:
    """Reads ws:// or wss://HOST[:PORT][/PATH][?QUERY]. Raises ProbeError for what cannot be sent."""
    parts, port = _split(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    target = f"{path}?{quote(parts.query, safe='/?%:@!$&()*+,;=~-._')}" if parts.query else path
    host = parts.netloc.rpartition("@")[2]
    if origin is None:
        origin = f"{'https' if parts.scheme == 'wss' else 'http'}://{host}"
    _check_plain([("the host", host), ("the origin", origin)])
    for name in subprotocols:
        if not is_token(name):
            raise ProbeError(f"the subprotocol {name!r} is not a token")
    for name, value in headers:
        if not is_token(name) or not is_plain(value):
            raise ProbeError(f"the header '{name}: {value}' holds something else than printable ASCII")
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
    try:
        parts = urlsplit(url)
        port = parts.port
        if port == 0:
            raise ValueError("nobody listens on port 0")
    except ValueError as error:
        raise ProbeError(f"{url!r} is not an address: {error}") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ProbeError(f"{url!r} is not an address of the form ws://HOST[:PORT][/PATH], or wss://")
    return parts, port or _PORTS[parts.scheme]


def _check_plain(values: Iterable[tuple[str, str]]) -> None:
    for what, value in values:
        if not is_plain(value) or " " in value:
            raise ProbeError(f"{what} {value!r} holds something else than printable ASCII")
