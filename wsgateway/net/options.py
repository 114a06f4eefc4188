"""Options of TCP sockets. On Linux a connection inherits those of the socket that it was accepted at (tcp(7)).

So what all clients of a listener need is set once, on the listening socket, and costs their connections no system call.
"""

import socket
from collections.abc import Callable
from typing import NamedTuple

_INET = frozenset({int(socket.AF_INET), int(socket.AF_INET6)})
# `socket.family` makes a member of an Enum each time it is read, which costs more than setting an option.
_family_of: Callable[[socket.socket], int] = vars(socket.socket.__mro__[1])["family"].__get__
# The largest values of TCP_KEEPIDLE and TCP_KEEPCNT in Linux, and the time between two probes.
_MOST_KEEPIDLE = 32767
_MOST_KEEPCNT = 127
# An option is an int of C: 24 days as TCP_USER_TIMEOUT.
_MOST_MILLISECONDS = 2**31 - 1
_KEEPINTVL_SECONDS = 10


def is_tcp(sock: socket.socket) -> bool:
    """Return whether a socket is one of TCP, and not a Unix socket."""
    return _family_of(sock) in _INET


class Keepalive(NamedTuple):
    """TCP keepalive, which finds disconnected peers to which nothing is sent.

    TCP_USER_TIMEOUT is not used: it would also end connections to peers that read slowly and steadily, if their window
    opens by less than a segment at a time. A peer that does not take what it is sent is found by `relay.timer`.
    """

    idle_seconds: int
    """the silence after which it is probed"""
    probes: int
    """how many without an answer end the connection, one after the other"""


def keepalive(silence_seconds: float | None, send_seconds: float) -> Keepalive | None:
    """Return a keepalive with probes after `silence_seconds` of silence, for about `send_seconds` (None: no keepalive).

    Where a setting is beyond what Linux allows, it is the nearest that it allows.
    """
    if silence_seconds is None:
        return None
    return Keepalive(
        min(_MOST_KEEPIDLE, max(1, round(silence_seconds))),
        min(_MOST_KEEPCNT, max(1, round(send_seconds / _KEEPINTVL_SECONDS))),
    )


def set_keepalive(sock: socket.socket, wanted: Keepalive | None, there: Keepalive | None = None) -> None:
    """Set the keepalive of a socket that has `there` until now; do nothing for a socket without TCP."""
    if wanted == there or not is_tcp(sock):
        return
    if wanted is None or there is None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, wanted is not None)
    if wanted is None:
        return
    if there is None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPINTVL_SECONDS)
    if there is None or wanted.idle_seconds != there.idle_seconds:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, wanted.idle_seconds)
    if there is None or wanted.probes != there.probes:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, wanted.probes)


def set_listener_options(sock: socket.socket, wanted: Keepalive | None) -> None:
    """Set the options that a listening socket passes on: no delay, and the keepalive. Nothing for one without TCP."""
    if is_tcp(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wanted is None:  # it may have that of another configuration
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
        set_keepalive(sock, wanted)


def limit_unacknowledged(sock: socket.socket, seconds: float) -> None:
    """Limit how long the kernel keeps bytes that the peer does not acknowledge, also after the socket is closed.

    A time that is longer than Linux allows is the longest that it allows.
    """
    if is_tcp(sock):
        milliseconds = min(_MOST_MILLISECONDS, max(1, round(seconds * 1000)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
