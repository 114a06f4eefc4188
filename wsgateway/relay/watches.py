"""Sockets that no relay uses, and for which the loop of the engine waits all the same: those of openings."""

import select
import socket
from collections.abc import Callable
from contextlib import suppress

# Each event is reported once, and again after it was used up.
_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET


class SocketWatches:
    """The watches over sockets by the epoll object of an engine."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._watched: dict[int, Callable[[int], None]] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, sock: socket.socket, on_ready: Callable[[int], None]) -> None:
        """Call `on_ready` with the events of epoll when a socket becomes ready, until `unwatch` or `given_up`.

        It must not raise. Raise OSError if the kernel has no memory for it.
        """
        fd = sock.fileno()
        self._epoll.register(fd, _EDGES)
        self._watched[fd] = on_ready

    def unwatch(self, fd: int) -> None:
        """Report a socket no longer, which may be closed already; do nothing if that has been done."""
        if self._watched.pop(fd, None) is not None:
            with suppress(OSError):  # the kernel has forgotten a closed socket
                self._epoll.unregister(fd)

    def given_up(self, fd: int) -> int | None:
        """Leave a socket to a relay. Return the events for which it is registered; None if it is not."""
        return None if self._watched.pop(fd, None) is None else _EDGES

    def report(self, fd: int, events: int) -> bool:
        """Report the events of a socket. Return whether it is watched: its watch may have ended in this turn."""
        on_ready = self._watched.get(fd)
        if on_ready is None:
            return False
        on_ready(events)
        return True
