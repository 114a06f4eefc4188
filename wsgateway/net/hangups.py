"""Who leaves while others work for it: connections that nobody reads are watched for their end.

One epoll object watches them all: what it costs to begin and to end a watch is one system call each.
"""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import trio

# Once: that a peer has gone does not change.
_END = select.EPOLLRDHUP | select.EPOLLONESHOT
_RESET = select.EPOLLERR | select.EPOLLHUP

Left = Callable[[bool], None]
"""what is called when a peer leaves. True: its connection is reset. False: it sends nothing more, and may still read"""


class HangupWatcher:
    """Tells when peers leave."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Left] = {}

    async def run(self) -> NoReturn:
        """Tell it, until this is cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, events in self._epoll.poll(0):
                left = self._watched.get(fd)
                if left is not None:
                    left(bool(events & _RESET))

    @contextmanager
    def watched(self, sock: socket.socket, left: Left) -> Iterator[None]:
        """Call `left` once, if the peer of a connected socket leaves while the block runs.

        Nothing is read: an end is seen behind bytes that wait, and of a connection with TLS, too. One that cannot be
        watched, for lack of memory, is taken for one that stays.
        """
        fd = sock.fileno()
        with suppress(OSError):
            self._epoll.register(fd, _END)
        self._watched[fd] = left
        try:
            yield
        finally:
            del self._watched[fd]
            with suppress(OSError):  # it was not registered
                self._epoll.unregister(fd)
