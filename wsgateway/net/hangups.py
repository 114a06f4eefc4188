"""A watcher for hang-ups of peers whose connections nobody reads at the time.

One epoll object watches all connections, so starting and ending a watch costs one system call each.
"""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import trio

# One report is enough: a hang-up cannot be undone.
_END = select.EPOLLRDHUP | select.EPOLLONESHOT
# Over TLS the end may come as bytes, and the connection stay.
_END_OR_BYTES = select.EPOLLRDHUP | select.EPOLLIN | select.EPOLLET
_RESET = select.EPOLLERR | select.EPOLLHUP

OnHangup = Callable[[bool], None]
"""called when a peer hangs up. True: the connection is reset. False: the peer sends no more, but may still read"""

OnBytes = Callable[[], None]
"""called when bytes of a peer have come"""


class HangupWatcher:
    """A watcher that reports when peers hang up."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[OnHangup, OnBytes | None]] = {}

    async def run(self) -> NoReturn:
        """Report hang-ups until this is cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, events in self._epoll.poll(0):
                on_hangup, on_bytes = self._watched.get(fd, (None, None))
                if on_hangup is not None and events & (select.EPOLLRDHUP | _RESET):
                    on_hangup(bool(events & _RESET))
                elif on_bytes is not None:
                    on_bytes()

    @contextmanager
    def watched(self, sock: socket.socket, on_hangup: OnHangup, on_bytes: OnBytes | None = None) -> Iterator[None]:
        """Call `on_hangup` if the peer of a connected socket hangs up while the block runs.

        No bytes are read: the end is seen also after unread bytes. `on_bytes` is called when there are some, and when
        more come. A connection that cannot be watched, because memory is short, is never reported.
        """
        fd = sock.fileno()
        with suppress(OSError):
            self._epoll.register(fd, _END if on_bytes is None else _END_OR_BYTES)
        self._watched[fd] = on_hangup, on_bytes
        try:
            yield
        finally:
            del self._watched[fd]
            with suppress(OSError):  # it was not registered
                self._epoll.unregister(fd)
