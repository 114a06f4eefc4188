"""Whether a route lets a client in, and what it is told if not: `CHECKS`, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.dialects import Dialect
from wsgateway.dialects.upgrade import UPGRADE_NEEDED
from wsgateway.errors import HandshakeError
from wsgateway.policy.origins import origin_allowed
from wsgateway.settings.model import Route


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that asks for WebSocket, as checks see it."""

    dialect: Dialect
    origin: str | None


Check = Callable[[Route, Visitor], HandshakeError | None]


def admit(route: Route, visitor: Visitor) -> None:
    """Raises HandshakeError with what the first check says that lets the client not in."""
    for _, error in results(route, visitor):
        if error is not None:
            raise error


def results(route: Route, visitor: Visitor) -> Iterator[tuple[str, HandshakeError | None]]:
    """Every check by its name, and what the client would be told; None: it passes."""
    for name, check in CHECKS.items():
        yield name, check(route, visitor)


def _leads_to_websocket(route: Route, visitor: Visitor) -> HandshakeError | None:
    if route.upstream is not None:
        return None
    return HandshakeError("there is no WebSocket under this address", 404, kind="route")


def _dialect(route: Route, visitor: Visitor) -> HandshakeError | None:
    """A client that named a version is told which would do (426; RFC 6455, 4.4); one of a dialect without versions
    knows no such answer (400)."""
    dialect = visitor.dialect
    if dialect in route.dialects:
        return None
    accepted = ", ".join(each.name for each in route.dialects)
    why = f"{dialect.name} is not accepted here, only {accepted}"
    numbers = [each.handshake.version for each in route.dialects if each.handshake.version is not None]
    if dialect.handshake.version is None or not numbers:
        return HandshakeError(why, kind="dialect")
    versions = ", ".join(str(number) for number in sorted(numbers, reverse=True))
    return HandshakeError(why, 426, (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", versions)), kind="dialect")


def _origin(route: Route, visitor: Visitor) -> HandshakeError | None:
    if origin_allowed(route.origins, visitor.origin):
        return None
    said = "a client without Origin" if visitor.origin is None else f"the Origin {visitor.origin!r}"
    return HandshakeError(f"{said} is not allowed here", 403, kind="origin")


CHECKS: dict[str, Check] = {"upstream": _leads_to_websocket, "dialect": _dialect, "origin": _origin}
