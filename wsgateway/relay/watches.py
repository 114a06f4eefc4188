"""Sockets that no relay uses, and for which the loop of the engine waits all the same: of openings and closings.

They have an epoll object of their own, which that of the engine watches. So the engine sees whether any is ready,
serves as many as it has time for, and the sockets of sessions do not wait behind them in one list.
"""

import select
import socket
from collections.abc import Callable

# Each event is reported once, and again after it was used up.
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
# How many sockets of openings are served in a turn of the engine. A step takes up to half a millisecond; for so long
# the bytes of all sessions wait.
MOST_WATCHED = 16
# How many of closings are: as many as the ends of a turn cause (`ends`), so that no more and more sessions are closing,
# which still count for the limits. A step takes a tenth of that of an opening.
MOST_CLOSINGS = 128


class SocketWatches:
    """The watches over sockets."""

    def __init__(self, most: int = MOST_WATCHED) -> None:
        """Serve so many sockets at once."""
        self._most = most
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._new: set[int] = set()  # those that are watched only since `serve` has begun

    def __len__(self) -> int:
        return len(self._watched)

    def fileno(self) -> int:
        """Return a descriptor that is readable while a socket is ready."""
        return self._epoll.fileno()

    def watch(self, sock: socket.socket, on_ready: Callable[[int], None]) -> None:
        """Have `serve` call `on_ready` with the events of epoll when a socket is ready, until `unwatch`.

        It must not raise. Raise OSError if the kernel has no memory for it.
        """
        fd = sock.fileno()
        self._epoll.register(fd, _EDGES)
        self._watched[fd] = on_ready
        self._new.add(fd)

    def unwatch(self, fd: int) -> None:
        """Report an open socket no longer; do nothing if that has been done."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Report a socket no longer that is closed already, or next: then the kernel forgets it."""
        self._watched.pop(fd, None)

    def serve(self) -> None:
        """Report the events of some sockets that are ready, without waiting."""
        self._new.clear()
        for fd, events in self._epoll.poll(0, self._most):
            on_ready = self._watched.get(fd)
            # A socket that was closed in this turn may have left its number to a new one.
            if on_ready is not None and fd not in self._new:
                on_ready(events)
