"""A non-blocking socket for those phases of a session in which a task waits for it: opening and closing handshake.

While a session is established, its sockets belong to the relay engine, and no task waits for them.
"""

import errno
import select
import socket
import ssl
from collections.abc import Callable

import trio

from wsgateway.net.failure import gone, is_gone
from wsgateway.net.outgoing import outgoing

_IGNORE_TRUNCATION = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
# The process has no free descriptors, or the system has no memory, or no room for what epoll watches (ENOSPC).
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC}
# How much is read at once outside of the relay. Heads are smaller, and so are most bodies.
READ_BYTES = 16 * 1024


class Channel:
    """A reader and writer of one connected socket, plain or TLS, which stays the caller's.

    One task may receive while another one sends. Over TLS, a reader sees a disconnected peer as the end of the stream,
    also after a reset (see `failure`); a writer always gets ConnectionResetError, whatever OpenSSL reports.
    """

    __slots__ = ("_ahead", "_receiving", "sock")

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected, non-blocking socket."""
        self.sock = sock
        self._ahead = b""  # received, and not yet returned by `receive`
        self._receiving = False

    async def receive(self, limit: int) -> bytes:
        """Return the next bytes, at most `limit`; none at the end of the stream.

        Raise OSError for a lost connection.
        """
        try:
            return await self.receive_whole(limit)
        except OSError as error:
            if self._lost_tls(error):
                return b""
            raise

    async def receive_whole(self, limit: int) -> bytes:
        """Return the next bytes, as `receive` does, where the end of the stream is the end of what it carries.

        TLS must then have ended by a close_notify: without one, anybody may have cut it (RFC 9112, 9.8). Raise OSError
        for a lost connection, and for such an end.
        """
        await trio.lowlevel.checkpoint()  # a socket that always has bytes must not block the loop or a deadline
        if self._ahead:
            return self._take_ahead(limit)
        self._receiving = True
        try:
            while True:
                try:
                    return self.sock.recv(limit)
                except (BlockingIOError, ssl.SSLWantReadError):
                    await trio.lowlevel.wait_readable(self.sock)
                except ssl.SSLWantWriteError:
                    await trio.sleep(_LOOK_AGAIN_SECONDS)
        except OSError as error:
            if self._lost_tls(error):
                raise ConnectionResetError(errno.ECONNRESET, "TLS ended without a close_notify") from None
            raise
        finally:
            self._receiving = False

    def ready(self, limit: int) -> bytes | None:
        """Return the next bytes as `receive` does, without waiting; None if there are none yet."""
        if self._ahead:
            return self._take_ahead(limit)
        return self._ready(limit)

    def look_ahead(self) -> bool:
        """Return whether the peer has ended TLS, by a close_notify or otherwise, as far as is known without waiting.

        Bytes that came before the end are kept for `receive`; an end after more than `_AHEAD_BYTES` is not seen. The
        same if another task is in `receive`, which sees the end itself, and for a socket without TLS.
        """
        if self._receiving or not isinstance(self.sock, ssl.SSLSocket):
            return False
        try:
            while (room := _AHEAD_BYTES - len(self._ahead)) > 0:
                data = self._ready(room)
                if not data:
                    return data is not None
                self._ahead += data
        except OSError:  # the peer breaks the rules of TLS: nothing more can come
            return True
        return False

    def take_ahead(self) -> bytes:
        """Return the bytes that `look_ahead` has kept, for a reader that uses the socket itself."""
        return self._take_ahead(_AHEAD_BYTES)

    def _take_ahead(self, limit: int) -> bytes:
        data, self._ahead = self._ahead[:limit], self._ahead[limit:]
        return data

    def _ready(self, limit: int) -> bytes | None:
        try:
            return self.sock.recv(limit)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            if self._lost_tls(error):
                return b""
            raise

    def _lost_tls(self, error: OSError) -> bool:
        return isinstance(self.sock, ssl.SSLSocket) and is_gone(error)

    async def peek(self, limit: int, beyond: int) -> bytes:
        """Return the bytes that can be received, at most `limit`, as soon as there are more than `beyond`.

        Return fewer if the peer will send no more. The bytes stay in the socket. Not for TLS. Raise OSError for a lost
        connection.
        """
        await trio.lowlevel.checkpoint()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, beyond + 1)
        try:
            while True:
                try:
                    data = self.sock.recv(limit, socket.MSG_PEEK)
                except BlockingIOError:
                    data = None
                if data is not None and (len(data) > beyond or self._ended()):
                    return data
                if data and self.sock.family == socket.AF_UNIX:  # SO_RCVLOWAT does not affect its readiness
                    await trio.sleep(_LOOK_AGAIN_SECONDS)
                else:
                    await trio.lowlevel.wait_readable(self.sock)
        finally:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _ended(self) -> bool:
        """Return whether the peer will send no more bytes than those already here."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0))

    async def send(self, data: bytes) -> None:
        """Send all of the data. Raise OSError for a lost connection."""
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        while view:
            view = view[await self.send_some(view) :]

    async def send_steadily(self, data: bytes, moved: Callable[[], None]) -> None:
        """Send all of the data, as `send` does, and call `moved` whenever the peer has taken some of what was sent.

        With it a deadline can be set for a peer that takes nothing, without limiting a slow one. The progress is
        checked every `_LOOK_SECONDS`.
        """
        await trio.lowlevel.checkpoint()
        before: int | None = None
        sending = outgoing(self.sock)
        view = memoryview(data)
        while view:
            with trio.move_on_after(_LOOK_SECONDS) as waiting:
                view = view[await self.send_some(view) :]
            if not waiting.cancelled_caught:
                moved()
            elif sending is not None:
                taken, _ = sending.progress()
                if before is not None and taken != before:
                    moved()
                before = taken

    async def send_some(self, data: bytes | memoryview) -> int:
        """Send as much of the data as possible, at least one byte, and return how many bytes were sent.

        If it is cancelled, nothing was sent. Raise OSError for a lost connection.
        """
        while True:
            try:
                return self.sock.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError):
                await trio.lowlevel.wait_writable(self.sock)
            except ssl.SSLWantReadError:
                await trio.sleep(_LOOK_AGAIN_SECONDS)
            except OSError as error:
                if self._lost_tls(error):
                    raise gone() from None
                raise

    def end(self) -> None:
        """Announce that no more will be sent. Raise OSError for a lost connection."""
        if isinstance(self.sock, ssl.SSLSocket):
            # Our close_notify is sent even if this fails. Python expects the peer's next, and no other data.
            try:
                self.sock.unwrap()
            except ssl.SSLError:
                return
            except OSError as error:
                if is_gone(error):
                    raise gone() from None
                raise
        else:
            self.sock.shutdown(socket.SHUT_WR)

    async def linger(self) -> None:
        """Announce that no more will be sent, and drop what comes until the peer closes, too.

        Closing with unread bytes would send a reset, and the peer could lose the last bytes. Needs a deadline.
        """
        try:
            self.end()
            if isinstance(self.sock, ssl.SSLSocket):
                # Close below TLS, too: TLS would treat further data as a fault, but it is only dropped.
                self.sock.shutdown(socket.SHUT_WR)
            while await self.receive(_LINGER_BYTES):
                continue
        except OSError:  # the peer is disconnected
            return


def report_truncation(context: ssl.SSLContext) -> None:
    """Have an end without a close_notify reported as an error. Python before 3.11.4 tells OpenSSL 3 to ignore it."""
    context.options &= ~_IGNORE_TRUNCATION


async def encrypt(sock: socket.socket, context: ssl.SSLContext, server_name: str | None) -> ssl.SSLSocket:
    """Start TLS on a connected, non-blocking socket, as a client or as a server; the context is for one of them.

    A client sends `server_name` (SNI), or no name if it is None. The given socket must not be used any more. Needs a
    deadline. Raise ssl.SSLError if the peer is not trusted or does not speak TLS, ConnectionResetError if it is
    disconnected, and OSError if this process lacks a resource; the connection is then closed.
    """
    server_side = context.protocol is ssl.PROTOCOL_TLS_SERVER
    ours = sock
    try:
        # Raises if the peer has already sent a reset. `wrap_socket` reports it in three ways; one leaks a socket.
        sock.getpeername()
        report_truncation(context)
        ours = secure = context.wrap_socket(
            sock,
            server_side=server_side,
            server_hostname=server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # so that an end without a close_notify differs from one with it
        )
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(secure)
            except ssl.SSLWantWriteError:
                await trio.lowlevel.wait_writable(secure)
            else:
                return secure
    except BaseException as error:
        ours.close()
        if isinstance(error, OSError) and is_gone(error):
            raise gone() from None
        raise


# How often to check a Unix socket that has too few bytes; and a TLS socket that must send before it can receive, or the
# other way round, as TLS 1.2 may require. Waiting for that direction is not possible: the other task may be waiting for
# it, and Trio allows one task only.
_LOOK_AGAIN_SECONDS = 0.01
# How often to check the progress of a peer that takes nothing.
_LOOK_SECONDS = 0.25
_LINGER_BYTES = 16 * 1024
# A record of TLS holds as much.
_AHEAD_BYTES = 16 * 1024
