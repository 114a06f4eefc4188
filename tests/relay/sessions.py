"""A session between two raw peers: the sockets are real, and the test holds their other ends.

    peer of the client <-> session.client | the relay | session.upstream <-> peer of the upstream

Over a socket pair all that was sent can be read at once, so `settled` can tell when nothing more will happen. Over TCP
there are resets.
"""

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat

import trio
from trio.testing import wait_all_tasks_blocked

from tests.dialects.vectors import MASK_KEY
from tests.peers import Peer
from wsgateway.relay.engine import Endpoint
from wsgateway.relay.translate import TranslationOptions, translator

from .passing import CLIENT, UPSTREAM, USUAL, side

Pair = tuple[socket.socket, socket.socket]

# More time than any step needs on a busy machine with two cores.
PATIENCE_SECONDS = 30.0


def tcp_pair() -> Pair:
    """Return two ends of a connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def _peer(far: socket.socket) -> Peer:
    return Peer(trio.SocketStream(trio.socket.from_stdlib_socket(far)))


class Session:
    """Both sides of a session, and the peers at them."""

    def __init__(
        self, client: str, upstream: str, options: TranslationOptions, pairs: tuple[Pair, Pair], joins: bool
    ) -> None:
        (near_client, far_client), (near_upstream, far_upstream) = pairs
        near_client.setblocking(False)
        near_upstream.setblocking(False)
        to_client = side(client, CLIENT, joins=joins)
        to_upstream = side(upstream, UPSTREAM, joins=joins)
        keys = repeat(MASK_KEY)
        self.client = Endpoint(near_client, to_client, translator(to_client, to_upstream, options, keys))
        self.upstream = Endpoint(near_upstream, to_upstream, translator(to_upstream, to_client, options, keys))
        self.client.meet(self.upstream)
        self.at_client = _peer(far_client)
        self.at_upstream = _peer(far_upstream)

    def peer_of(self, endpoint: Endpoint) -> Peer:
        return self.at_client if endpoint is self.client else self.at_upstream

    def close(self) -> None:
        """Close all sockets that are still open."""
        for endpoint in (self.client, self.upstream):
            endpoint.sock.close()
            self.peer_of(endpoint).stream.socket.close()


@contextmanager
def session(
    client: str = "rfc6455",
    upstream: str = "rfc6455",
    options: TranslationOptions = USUAL,
    *,
    tcp: bool = False,
    tcp_to_upstream: bool = False,
    joins: bool = False,
) -> Iterator[Session]:
    """Return a session between a client and an upstream of these dialects, which no engine moves yet.

    It is over TCP if `tcp`; its sides read each frame as a message if `joins`.
    """
    with ExitStack() as stack:
        pairs = (
            (tcp_pair if tcp else socket.socketpair)(),
            (tcp_pair if tcp or tcp_to_upstream else socket.socketpair)(),
        )
        made = Session(client, upstream, options, pairs, joins)
        stack.callback(made.close)
        yield made


async def settled() -> None:
    """Wait until every task waits for something that no other will do. With a loop that spins this never returns."""
    with trio.fail_after(PATIENCE_SECONDS):
        await wait_all_tasks_blocked()


def wait_until_gone(endpoint: Endpoint) -> None:
    """Wait until the kernel knows that the peer is disconnected, without letting the relay run."""
    poll = select.poll()
    poll.register(endpoint.sock, select.POLLRDHUP)
    assert poll.poll(PATIENCE_SECONDS * 1000), "the end of the connection never came"
