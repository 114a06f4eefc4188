"""The progress of what a connection sends: what the peer's kernel has acknowledged, and what is still on its way.

Whether a socket is writable does not show the progress of a slow reader: a kernel that holds megabytes for it reports
the socket as writable only when a third of them is gone, which may take minutes. The acknowledged bytes grow with each
segment that the peer takes. Bytes are counted on the wire, so TLS needs no count of its own. The peer's kernel
acknowledges until its buffer is full, whether its process reads or not.
"""

import fcntl
import socket
import sys
import termios
from typing import Protocol

from wsgateway.net.options import is_tcp

# tcp_info in linux/tcp.h: tcpi_unacked, tcpi_bytes_acked (Linux 4.1) and tcpi_notsent_bytes (4.6).
_UNACKED = slice(24, 28)
_BYTES_ACKED = slice(120, 128)
_NOT_SENT = slice(144, 148)
_INFO_BYTES = 148


class Outgoing(Protocol):
    """The progress of what a connection sends."""

    def progress(self) -> tuple[int, bool]:
        """Return how much the peer has taken since the connection began, and whether more is on its way to it.

        The first figure never decreases.
        """

    def sent_total(self) -> int:
        """Return the figure that `progress` will have when the peer has taken all that has been sent until now."""


class TcpOutgoing:
    """The progress of one TCP connection, in bytes."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def progress(self) -> tuple[int, bool]:
        info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        acknowledged = int.from_bytes(info[_BYTES_ACKED], sys.byteorder)
        return acknowledged, any(info[_UNACKED]) or any(info[_NOT_SENT])

    def sent_total(self) -> int:
        return self.progress()[0] + _queue_bytes(self._sock, termios.TIOCOUTQ)


def waiting(sock: socket.socket) -> int:
    """Return how many received bytes wait to be read."""
    return _queue_bytes(sock, termios.FIONREAD)


def _queue_bytes(sock: socket.socket, request: int) -> int:
    size = bytearray(4)
    fcntl.ioctl(sock.fileno(), request, size)
    return int.from_bytes(size, sys.byteorder)


def outgoing(sock: socket.socket) -> Outgoing | None:
    """Return the progress of a TCP socket; None for a Unix socket, which has no such figures."""
    return TcpOutgoing(sock) if is_tcp(sock) else None
