"""How much all sessions of a process hold back of messages, and which of it leaves when there is no room.

A message that has to be whole before it leaves is held by its translator (see `messages`). Here it is counted, and
when all together are more than the bound, those that have been held longest leave in fragments.
"""

import sys
from collections.abc import Iterator

from wsgateway.relay.endpoint import Endpoint


class JoinMemory:
    """Counts what is held back."""

    def __init__(self) -> None:
        self.most_bytes = sys.maxsize
        """the bound, which the settings of a gateway say; a change counts from the next message on"""
        self.held_bytes = 0
        """of all sessions together"""
        # Who may have to let go: the oldest first, and how many messages had gone through before the one that is held.
        self._oldest: dict[Endpoint, int] = {}

    def hold(self, endpoint: Endpoint, size: int) -> None:
        """Take how many bytes are held back of a side's message now; 0: none."""
        self.held_bytes += size - endpoint.held
        endpoint.held = size
        messages = endpoint.translator.messages
        if self._oldest.get(endpoint) != messages:  # what was held before, if anything, was another message
            self._oldest.pop(endpoint, None)
            self._oldest[endpoint] = messages
        if not size:
            del self._oldest[endpoint]

    def make_room(self) -> Iterator[tuple[Endpoint, bytes]]:
        """Let go of messages, the oldest first, while more is held than may be.

        Yield the sides that they came from, and what leaves for their other sides. If more is held than may be after
        this, too, all the rest may not leave in fragments.
        """
        while self.full and self._oldest:
            endpoint = next(iter(self._oldest))
            data = endpoint.translator.release()
            if data is None:
                del self._oldest[endpoint]  # it still counts
            else:
                self.hold(endpoint, 0)
                yield endpoint, data

    @property
    def full(self) -> bool:
        """Whether more is held than may be."""
        return self.held_bytes > self.most_bytes
