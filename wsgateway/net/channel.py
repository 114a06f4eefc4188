"""One non-blocking socket, for the phases of a session in which a task waits for it: handshakes and goodbyes.

While a session is established its socket is in the hands of the relay engine, and no task waits for it.
"""

import socket

import trio


class Channel:
    """Reads and writes one connected socket, which stays the caller's."""

    __slots__ = ("sock",)

    def __init__(self, sock: socket.socket) -> None:
        """Takes a connected, non-blocking socket."""
        self.sock = sock

    async def receive(self, limit: int) -> bytes:
        """The next bytes, `limit` at most; none at the end of the stream. Raises OSError if the connection is lost."""
        await trio.lowlevel.checkpoint()  # bytes that are always there must not hold the loop, nor any deadline
        while True:
            try:
                return self.sock.recv(limit)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self.sock)

    async def send(self, data: bytes) -> None:
        """Sends all of it. Raises OSError if the connection is lost."""
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self.sock)

    async def linger(self) -> None:
        """Says that nothing more will be sent, and drops what still comes until the other end closes, too.

        To close over unread bytes would be a reset, which takes back what was sent last. Needs a deadline.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
            while await self.receive(_LINGER_BYTES):
                continue
        except OSError:  # gone: nobody is left to be polite to
            return


_LINGER_BYTES = 16 * 1024
