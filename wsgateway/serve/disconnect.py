"""Whether a client is still there while something is done for it: what is done for one that has left is given up.

A reset is the end at once. A client that ends only its own direction may still read (RFC 9112, 9.6), and cannot be
told from one that is gone. It is taken for gone when nothing has moved for `GRACE_SECONDS`: enough for an answer that
comes at once, as programs expect that send a request and its end in one go.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.preamble import Client, ClientDisconnectedError

# With what follows on it, less than the 0.2 s in which the place of a client that has left should be free.
GRACE_SECONDS = 0.1


class DisconnectWatch:
    """A client that something is done for."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        """of what is done for it"""
        self._half_closed = False

    def left(self, reset: bool) -> None:
        """Note that it has left, or may have."""
        if reset:
            self.scope.cancel()
        else:
            self._half_closed = True
            self.moved()

    def moved(self) -> None:
        """Note that bytes have moved: a client that has only ended its own direction gets as much time again."""
        if self._half_closed:
            self.scope.deadline = trio.current_time() + GRACE_SECONDS


@contextmanager
def present(gateway: GatewayState, client: Client) -> Iterator[DisconnectWatch]:
    """Give up the block if the client leaves. Raises ClientDisconnectedError then."""
    disconnect_watch = DisconnectWatch()
    with disconnect_watch.scope, gateway.hangups.watched(client.channel.sock, disconnect_watch.left):
        yield disconnect_watch
    if disconnect_watch.scope.cancelled_caught:
        raise ClientDisconnectedError("while it waited for its upstream")
