"""The sides of sessions that are not read for some time."""

from wsgateway.relay.endpoint import Endpoint


class Pauses:
    """The sides whose reading pauses, with the end of each pause."""

    def __init__(self) -> None:
        self._until: dict[Endpoint, float] = {}

    def add(self, endpoint: Endpoint, until: float) -> None:
        """Leave a side unread until a time, in place of its pause until now."""
        self._until[endpoint] = until

    def remaining(self, endpoint: Endpoint, now: float) -> float:
        """Return for how many seconds a side is still left unread."""
        return max(0.0, self._until.get(endpoint, now) - now)

    def over(self, now: float) -> list[Endpoint]:
        """Return the sides whose pause is over, and forget them, and all whose relay has ended."""
        relayed = {endpoint: until for endpoint, until in self._until.items() if endpoint.on_end is not None}
        self._until = {endpoint: until for endpoint, until in relayed.items() if until > now}
        return [endpoint for endpoint, until in relayed.items() if until <= now]
