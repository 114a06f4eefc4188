"""The memory for held messages of all sessions of a process, and the choice of what is released when it is full.

A message that must be complete before it is sent is held by its translator (see `messages`). Here the held bytes are
counted. When all together exceed the limit, the messages that have been held longest are sent in fragments.
"""

import sys
from collections.abc import Iterator

from wsgateway.errors import ProtocolError, Reason
from wsgateway.relay.endpoint import Endpoint


class JoinMemory:
    """A counter of held bytes, with a limit."""

    def __init__(self) -> None:
        self.most_bytes = sys.maxsize
        """the limit, from the settings of the gateway; a change applies from the next message on"""
        self.held_bytes = 0
        """the held bytes of all sessions"""
        # The sides whose messages can be released, the oldest first, with the number of messages before the held one.
        self._oldest: dict[Endpoint, int] = {}

    def hold(self, endpoint: Endpoint, size: int) -> None:
        """Set how many bytes of a side's message are held now; 0 for none."""
        self.held_bytes += size - endpoint.held
        endpoint.held = size
        messages = endpoint.translator.messages
        if self._oldest.get(endpoint) != messages:  # earlier held bytes, if any, belonged to another message
            self._oldest.pop(endpoint, None)
            self._oldest[endpoint] = messages
        if not size:
            del self._oldest[endpoint]

    def make_room(self) -> Iterator[tuple[Endpoint, bytes]]:
        """Release messages, the oldest first, while the held bytes exceed the limit.

        Yield each side that a message came from, and the bytes to send to its other side. If the limit is exceeded even
        after this, no remaining message can be sent in fragments.
        """
        while self.full and self._oldest:
            endpoint = next(iter(self._oldest))
            data = endpoint.translator.release()
            if data is None:
                del self._oldest[endpoint]  # it still counts
            else:
                self.hold(endpoint, 0)
                yield endpoint, data

    def fault(self) -> ProtocolError:
        """Return the fault of a side whose message cannot be held."""
        bound = f"{self.held_bytes} bytes of messages are held back, the bound is {self.most_bytes}"
        return ProtocolError(Reason.JOIN_MEMORY_FULL, f"no memory for a message that must be joined: {bound}")

    @property
    def full(self) -> bool:
        """Whether the held bytes exceed the limit."""
        return self.held_bytes > self.most_bytes
