"""Which route an offer takes."""

from collections.abc import Iterable

from wsgateway.dialects import Offer
from wsgateway.errors import HandshakeError
from wsgateway.settings.model import Route


def decide(routes: Iterable[Route], offer: Offer) -> Route:
    """The first route that matches an offer. Raises HandshakeError (404) if none does."""
    path = offer.target.partition("?")[0]
    for route in routes:
        if route.match.matches(path):
            return route
    raise HandshakeError("nothing is served under this path", 404)
