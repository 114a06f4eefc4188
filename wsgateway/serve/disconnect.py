"""The detection of clients that disconnect while the gateway works for them: the work is then cancelled.

After a reset it is cancelled at once. A client that ends only its own direction may still read (RFC 9112, 9.6), and
looks the same as one that is disconnected. It counts as disconnected when nothing has moved for `GRACE_SECONDS`: enough
for an immediate answer, which programs expect that send a request and its end together.

A close_notify of TLS is such an end, too: many clients send it and wait for ours before they close their connection.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from wsgateway.errors import ClientDisconnectedError, Reason
from wsgateway.net.channel import Channel
from wsgateway.serve.gateway import GatewayState

# With the steps that follow, less than the 0.2 s after which the place of a disconnected client should be free.
GRACE_SECONDS = 0.1


class DisconnectWatch:
    """The watch over a client for which the gateway works."""

    def __init__(self, channel: Channel) -> None:
        """Take the client's channel, from which the caller may receive meanwhile."""
        self.tls_ended = False
        """whether the client has ended TLS"""
        self._channel = channel
        self._half_closed = False
        self._scope = trio.CancelScope()  # of the present work

    @contextmanager
    def watched(self, gateway: GatewayState) -> Iterator[None]:
        """Cancel the block if the client disconnects, and raise ClientDisconnectedError."""
        sock = self._channel.sock
        on_bytes = self.look if isinstance(sock, ssl.SSLSocket) else None
        with trio.CancelScope() as self._scope, gateway.hangups.watched(sock, self._hung_up, on_bytes):
            self.moved()
            yield
        if self._scope.cancelled_caught:
            raise disconnected_waiting()

    def look(self) -> None:
        """Note that the client has ended TLS, if it has. Call this only when no task receives from it."""
        if self._channel.look_ahead():
            self.tls_ended = True
            self._hung_up(reset=False)

    def _hung_up(self, reset: bool) -> None:
        """Note a hang-up of the client: a reset, or the end of its own direction."""
        if reset:
            self._scope.cancel()
        else:
            self._half_closed = True
            self.moved()

    def moved(self) -> None:
        """Note that bytes have moved, so that a client that has only ended its own direction gets more time."""
        if self._half_closed:
            self._scope.deadline = trio.current_time() + GRACE_SECONDS


def disconnected_waiting() -> ClientDisconnectedError:
    """Return the error for a client that disconnects while the gateway works for it."""
    return ClientDisconnectedError(Reason.DISCONNECTED_WAITING, "while it waited for its upstream")
