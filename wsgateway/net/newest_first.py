"""A bound on how many connections are served at once, where the newest counts more than the oldest."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class NewestFirst:
    """Lets a number of blocks run at once. One that begins beyond that number ends the oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._scopes: dict[trio.CancelScope, None] = {}

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Run a block to its end, or until that number of others have begun since."""
        if len(self._scopes) >= self._most:
            oldest = next(iter(self._scopes))
            del self._scopes[oldest]
            oldest.cancel()
        with trio.CancelScope() as scope:
            self._scopes[scope] = None
            try:
                yield
            finally:
                self._scopes.pop(scope, None)
