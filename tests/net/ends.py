"""Ends of connections, and a TLS peer that can end its own in every possible way, without reading what it is sent."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from wsgateway.net.channel import report_truncation

from .certificates import Authority

Pair = tuple[socket.socket, socket.socket]


@contextmanager
def connected(kind: str) -> Iterator[Pair]:
    """Yield two ends of one connection, both non-blocking."""
    if kind == "unix":
        ours, theirs = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def fill(sock: socket.socket) -> int:
    """Send until the kernel takes no more; return how many bytes that was."""
    sent = 0
    while True:
        try:
            sent += sock.send(bytes(65536))
        except BlockingIOError:
            return sent


@dataclass
class Peer:
    """A TLS peer with two buffers: it reads from its socket only when a test calls for it."""

    sock: socket.socket
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO

    def read(self) -> None:
        with suppress(BlockingIOError):
            self.incoming.write(self.sock.recv(65536))

    def flush(self, size: int | None = None) -> None:
        """Send what is to be sent, or so many bytes of it."""
        self.sock.send(self.outgoing.read()[:size])

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def end(self) -> None:
        """Send a close_notify, and close."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def close_inside_a_record(self) -> None:
        self.tls.write(b"half of it")
        self.flush(7)
        self.sock.close()


ENDS: dict[str, Callable[[Peer], None]] = {
    "a close_notify": Peer.end,
    "an end without a word": Peer.close,
    "an end inside a record": Peer.close_inside_a_record,
    "a reset": Peer.reset,
}


def shaken(authority: Authority, pair: Pair, role: str, version: ssl.TLSVersion) -> tuple[ssl.SSLSocket, Peer]:
    """Return our end and the peer's after their handshake; `role` is ours. We have not read the session tickets."""
    client, server = authority.client(), authority.server
    server.minimum_version = server.maximum_version = version
    for context in (client, server):
        report_truncation(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    if role == "client":
        ours = client.wrap_socket(
            pair[0], server_hostname="localhost", do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        peer = Peer(pair[1], server.wrap_bio(incoming, outgoing, server_side=True), incoming, outgoing)
    else:
        ours = server.wrap_socket(pair[0], server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        peer = Peer(pair[1], client.wrap_bio(incoming, outgoing, server_hostname="localhost"), incoming, outgoing)
    done = False
    while not done:
        done = True
        for shake in (ours.do_handshake, peer.tls.do_handshake):
            try:
                shake()
            except ssl.SSLWantReadError:
                done = False
            peer.flush()
        if not done:
            peer.read()
    return ours, peer
