"""Whether a client is still there while something is done for it: what is done for one that has left is given up.

A reset is the end at once. A client that ends only its own direction may still read (RFC 9112, 9.6), and cannot be
told from one that is gone. It is taken for gone when nothing has moved for `GRACE_SECONDS`: enough for an answer that
comes at once, as programs expect that send a request and its end in one go.

A close_notify of TLS is such an end, too: many clients send it and wait for ours before they close their connection.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from wsgateway.errors import ClientDisconnectedError, Reason
from wsgateway.net.channel import Channel
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.request import Client

# With what follows on it, less than the 0.2 s in which the place of a client that has left should be free.
GRACE_SECONDS = 0.1


class DisconnectWatch:
    """A client that something is done for."""

    def __init__(self, channel: Channel) -> None:
        """Take the client's channel, from which the caller may receive meanwhile."""
        self.scope = trio.CancelScope()
        """of what is done for it"""
        self.tls_ended = False
        """whether the client has ended TLS"""
        self._channel = channel
        self._half_closed = False

    def look(self) -> None:
        """Notice that the client has ended TLS. Call this once nobody receives from it any more."""
        if self._channel.look_ahead():
            self.tls_ended = True
            self.left(reset=False)

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
    sock = client.channel.sock
    disconnect_watch = DisconnectWatch(client.channel)
    on_bytes = disconnect_watch.look if isinstance(sock, ssl.SSLSocket) else None
    with disconnect_watch.scope, gateway.hangups.watched(sock, disconnect_watch.left, on_bytes):
        yield disconnect_watch
    if disconnect_watch.scope.cancelled_caught:
        raise disconnected_waiting()


def disconnected_waiting() -> ClientDisconnectedError:
    """Return what is said of a client that has disconnected while something was done for it."""
    return ClientDisconnectedError(Reason.DISCONNECTED_WAITING, "while it waited for its upstream")
