"""Whether a route lets a client in, and what it is told if not: `CHECKS`, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.dialects import Dialect
from wsgateway.dialects.upgrade import UPGRADE_NEEDED
from wsgateway.errors import HttpRefusal
from wsgateway.policy.origins import origin_allowed
from wsgateway.settings.model import Route


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """A client that asks for WebSocket, as checks see it."""

    dialect: Dialect
    origin: str | None


Check = Callable[[Route, ClientFacts], HttpRefusal | None]


def admit(route: Route, facts: ClientFacts) -> None:
    """Raises HttpRefusal with what the first check says that lets the client not in."""
    for _, error in results(route, facts):
        if error is not None:
            raise error


def results(route: Route, facts: ClientFacts) -> Iterator[tuple[str, HttpRefusal | None]]:
    """Every check by its name, and what the client would be told; None: it passes."""
    for name, check in CHECKS.items():
        yield name, check(route, facts)


def _leads_to_websocket(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    if route.upstream is not None:
        return None
    return HttpRefusal("there is no WebSocket under this address", 404, kind="route")


def _dialect(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    """A client that named a version is told which would do (426; RFC 6455, 4.4); one of a dialect without versions
    knows no such answer (400)."""
    dialect = facts.dialect
    if dialect in route.dialects:
        return None
    accepted = ", ".join(each.name for each in route.dialects)
    why = f"{dialect.name} is not accepted here, only {accepted}"
    numbers = [each.handshake.version for each in route.dialects if each.handshake.version is not None]
    if dialect.handshake.version is None or not numbers:
        return HttpRefusal(why, kind="dialect")
    versions = ", ".join(str(number) for number in sorted(numbers, reverse=True))
    return HttpRefusal(why, 426, (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", versions)), kind="dialect")


def _origin(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    if origin_allowed(route.origins, facts.origin):
        return None
    said = "a client without Origin" if facts.origin is None else f"the Origin {facts.origin!r}"
    return HttpRefusal(f"{said} is not allowed here", 403, kind="origin")


CHECKS: dict[str, Check] = {"upstream": _leads_to_websocket, "dialect": _dialect, "origin": _origin}
