"""A limit on simultaneous connections: a new connection above the limit ends the oldest one."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class NewestFirst:
    """A limit on how many blocks run at once. A block that begins above the limit cancels the oldest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._scopes: dict[trio.CancelScope, None] = {}

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Run a block until it ends, or until as many other blocks as the limit allows have begun after it."""
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
