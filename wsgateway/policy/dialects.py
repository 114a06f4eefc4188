"""Whether a route accepts a client's dialect, and what it is told if not."""

from wsgateway.dialects import Dialect
from wsgateway.dialects.upgrade import UPGRADE_NEEDED
from wsgateway.errors import HandshakeError
from wsgateway.settings.model import Route


def check_dialect(route: Route, dialect: Dialect) -> None:
    """Raises HandshakeError unless the route accepts the dialect.

    A client that named a version is told which would do (426; RFC 6455, 4.4); one of a dialect without versions knows
    no such answer (400).
    """
    if dialect in route.dialects:
        return
    accepted = ", ".join(each.name for each in route.dialects)
    why = f"{dialect.name} is not accepted here, only {accepted}"
    numbers = [each.handshake.version for each in route.dialects if each.handshake.version is not None]
    if dialect.handshake.version is None or not numbers:
        raise HandshakeError(why)
    versions = ", ".join(str(number) for number in sorted(numbers, reverse=True))
    raise HandshakeError(why, 426, (*UPGRADE_NEEDED, ("Sec-WebSocket-Version", versions)))
