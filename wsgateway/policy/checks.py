"""The admission checks of a route: whether it accepts a client, and the refusal if not. `CHECKS` has them in order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.dialects import Dialect
from wsgateway.dialects.upgrade import UPGRADE_NEEDED
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.policy.origins import origin_allowed
from wsgateway.settings.routes import Route


@dataclass(slots=True)
class ClientFacts:
    """The facts about a client that admission checks use."""

    dialect: Dialect
    origin: str | None


Check = Callable[[Route, ClientFacts], HttpRefusal | None]


def admit(route: Route, facts: ClientFacts) -> None:
    """Raise the HttpRefusal of the first admission check that the client does not pass."""
    for check in CHECKS.values():
        error = check(route, facts)
        if error is not None:
            raise error


def results(route: Route, facts: ClientFacts) -> Iterator[tuple[str, HttpRefusal | None]]:
    """Yield the name of every admission check with its refusal; None if the client passes it."""
    for name, check in CHECKS.items():
        yield name, check(route, facts)


def _leads_to_websocket(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    if route.upstream is not None:
        return None
    return HttpRefusal(Reason.WEBSOCKET_MISSING, "there is no WebSocket under this address")


def _dialect(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    """Return the refusal of a dialect that is not accepted.

    A client that sent a version is told the accepted versions (426; RFC 6455, 4.4). A dialect without versions has no
    such answer (400).
    """
    dialect = facts.dialect
    if dialect in route.dialects:
        return None
    accepted = ", ".join(each.name for each in route.dialects)
    why = f"{dialect.name} is not accepted here, only {accepted}"
    numbers = [each.handshake.version for each in route.dialects if each.handshake.version is not None]
    if dialect.handshake.version is None or not numbers:
        return HttpRefusal(Reason.DIALECT_REFUSED, why, status=400)
    versions = ", ".join(str(number) for number in sorted(numbers, reverse=True))
    return HttpRefusal(Reason.DIALECT_REFUSED, why, (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", versions)))


def _origin(route: Route, facts: ClientFacts) -> HttpRefusal | None:
    if origin_allowed(route.origins, facts.origin):
        return None
    seen = "a client without Origin" if facts.origin is None else f"the Origin {facts.origin!r}"
    return HttpRefusal(Reason.ORIGIN_REFUSED, f"{seen} is not allowed here")


CHECKS: dict[str, Check] = {"upstream": _leads_to_websocket, "dialect": _dialect, "origin": _origin}
