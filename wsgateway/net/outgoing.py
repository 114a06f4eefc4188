"""How far what a connection sends has got: what the kernel of its peer has acknowledged, and what is on its way.

Whether a socket is writable says nothing of a slow reader: a kernel that holds megabytes for it calls the socket
writable only when a third of them is gone, which may take minutes. What is acknowledged grows with each segment that
the peer takes. Bytes are those on the wire, so TLS needs no other count. The kernel of a peer acknowledges until its
buffer is full, whether its process reads or not.
"""

import fcntl
import socket
import sys
import termios
from typing import Protocol

# tcp_info in linux/tcp.h: tcpi_unacked, tcpi_bytes_acked (Linux 4.1) and tcpi_notsent_bytes (4.6).
_UNACKED = slice(24, 28)
_BYTES_ACKED = slice(120, 128)
_NOT_SENT = slice(144, 148)
_INFO_BYTES = 148


class Outgoing(Protocol):
    """What a connection sends."""

    def look(self) -> tuple[int, bool]:
        """Return how much the peer has taken since the connection began, which only grows, and whether something is
        still on its way to it."""

    def end(self) -> int:
        """Return the first of what `look` returns as it will be when the peer has taken all that was sent until now."""


class TcpOutgoing:
    """What one TCP connection sends, in bytes."""

    __slots__ = ("_sock",)

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def look(self) -> tuple[int, bool]:
        info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        acknowledged = int.from_bytes(info[_BYTES_ACKED], sys.byteorder)
        return acknowledged, any(info[_UNACKED]) or any(info[_NOT_SENT])

    def end(self) -> int:
        return self.look()[0] + _asked(self._sock, termios.TIOCOUTQ)


def waiting(sock: socket.socket) -> int:
    """Return how many bytes have come and wait to be read."""
    return _asked(sock, termios.FIONREAD)


def _asked(sock: socket.socket, question: int) -> int:
    answer = bytearray(4)
    fcntl.ioctl(sock.fileno(), question, answer)
    return int.from_bytes(answer, sys.byteorder)


def outgoing(sock: socket.socket) -> Outgoing | None:
    """Return what a socket sends, if it is one of TCP; a Unix socket has no such figures."""
    return TcpOutgoing(sock) if sock.family in (socket.AF_INET, socket.AF_INET6) else None
