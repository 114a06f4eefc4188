"""A session between two raw peers: the sockets are real, and the test holds their other ends.

    peer of the client <-> session.client | the relay | session.upstream <-> peer of the upstream

Over a socket pair all that was sent can be read at once, so `settled` can tell when nothing more will happen. Over TCP
there are resets.
"""

import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat

import trio
from trio.testing import wait_all_tasks_blocked

from tests.dialects.vectors import MASK_KEY
from wsgateway.relay.engine import Endpoint
from wsgateway.relay.translate import TranslationOptions, translator

from .passing import CLIENT, UPSTREAM, USUAL, side

Pair = tuple[socket.socket, socket.socket]

# More time than any step needs on a busy machine with two cores.
PATIENCE_SECONDS = 20.0


class Peer:
    """The peer at one side of a session. A reset raises an error; an end of the stream is returned as such."""

    def __init__(self, far: socket.socket) -> None:
        self.stream = trio.SocketStream(trio.socket.from_stdlib_socket(far))
        self._kept = b""

    async def send(self, *data: bytes) -> None:
        for each in data:
            await self.stream.send_all(each)

    async def once(self) -> bytes:
        """Return the bytes of one read."""
        kept, self._kept = self._kept, b""
        return kept or await self.stream.receive_some(1 << 20)

    async def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = await self.once()
            assert more, f"ended before {count} bytes: {data!r}"
            data += more
        self._kept = data[count:]
        return data[:count]

    async def until(self, end: bytes) -> bytes:
        """Return all bytes up to and including these."""
        data = b""
        while not data.endswith(end):
            data += await self.exactly(1)
        return data

    async def rest(self) -> bytes:
        """Return all bytes up to the end of the stream."""
        data = b""
        while more := await self.once():
            data += more
        return data

    async def frame(self) -> tuple[int, bytes]:
        """Return first byte and unmasked payload of a frame of RFC 6455 of less than 64 KiB."""
        first, second = await self.exactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await self.exactly(2))
        key = await self.exactly(4) if second & 0x80 else bytes(4)
        payload = await self.exactly(size)
        return first, bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))

    async def send_eof(self) -> None:
        await self.stream.send_eof()

    async def close(self) -> None:
        await self.stream.aclose()

    def reset(self) -> None:
        """Reset the connection, over TCP."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()


def tcp_pair() -> Pair:
    """Return two ends of a connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


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
        self.at_client = Peer(far_client)
        self.at_upstream = Peer(far_upstream)

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
