"""One non-blocking socket, for the phases of a session in which a task waits for it: handshakes and goodbyes.

While a session is established its socket is in the hands of the relay engine, and no task waits for it.
"""

import errno
import select
import socket
import ssl
from collections.abc import Callable

import trio

from wsgateway.net.failure import gone, is_gone
from wsgateway.net.outgoing import outgoing

# Out of descriptors or memory.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Channel:
    """Reads and writes one connected socket, plain or TLS, which stays the caller's.

    One task may receive while another sends. Over TLS a peer that is gone is the end for who receives, also if its
    kernel has sent a reset (see `failure`); who sends gets the same ConnectionResetError, whatever OpenSSL calls it.
    """

    __slots__ = ("sock",)

    def __init__(self, sock: socket.socket) -> None:
        """Takes a connected, non-blocking socket."""
        self.sock = sock

    async def receive(self, limit: int) -> bytes:
        """The next bytes, `limit` at most; none at the end of the stream. Raises OSError if the connection is lost."""
        await trio.lowlevel.checkpoint()  # bytes that are always there must not hold the loop, nor any deadline
        while True:
            try:
                return self._receive_now(limit)
            except (BlockingIOError, ssl.SSLWantReadError):
                await trio.lowlevel.wait_readable(self.sock)
            except ssl.SSLWantWriteError:
                await trio.sleep(_LOOK_AGAIN_SECONDS)

    def ready(self, limit: int) -> bytes | None:
        """As `receive`, of what is there already; None: nothing is."""
        try:
            return self._receive_now(limit)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def _receive_now(self, limit: int) -> bytes:
        try:
            return self.sock.recv(limit)
        except OSError as error:
            if self._lost_tls(error):
                return b""
            raise

    def _lost_tls(self, error: OSError) -> bool:
        return isinstance(self.sock, ssl.SSLSocket) and is_gone(error)

    async def peek(self, limit: int, beyond: int) -> bytes:
        """What is there to be received, `limit` at most, as soon as it is more than `beyond` bytes, or will never be.

        Nothing is taken. Not for TLS. Raises OSError if the connection is lost.
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
                if data and self.sock.family == socket.AF_UNIX:  # whose readiness knows nothing of SO_RCVLOWAT
                    await trio.sleep(_LOOK_AGAIN_SECONDS)
                else:
                    await trio.lowlevel.wait_readable(self.sock)
        finally:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _ended(self) -> bool:
        """Whether the peer will send nothing more than what is there."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        return bool(poll.poll(0))

    async def send(self, data: bytes) -> None:
        """Sends all of it. Raises OSError if the connection is lost."""
        await trio.lowlevel.checkpoint()
        view = memoryview(data)
        while view:
            view = view[await self.send_some(view) :]

    async def send_steadily(self, data: bytes, moved: Callable[[], None]) -> None:
        """Send all of it, as `send`; `moved` is called whenever the peer has taken some of what it was sent before.

        So a deadline can be for a peer that takes nothing, and a slow one has its time. It is looked at often.
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
                taken, _ = sending.look()
                if before is not None and taken != before:
                    moved()
                before = taken

    async def send_some(self, data: bytes | memoryview) -> int:
        """Sends as much of it as can be sent now, and waits until that is something. Returns how much; if it is
        cancelled, that is nothing. Raises OSError if the connection is lost."""
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
        """Says that nothing more will be sent. Raises OSError if the connection is lost."""
        if isinstance(self.sock, ssl.SSLSocket):
            # Our end is said then. Python asks for the peer's at once, and fails if it is not the next that comes.
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
        """Says that nothing more will be sent, and drops what still comes until the other end closes, too.

        To close over unread bytes would be a reset, which takes back what was sent last. Needs a deadline.
        """
        try:
            self.end()
            if isinstance(self.sock, ssl.SSLSocket):
                # TLS ends here, too: it would take what still comes for a fault, and this only drops it.
                self.sock.shutdown(socket.SHUT_WR)
            while await self.receive(_LINGER_BYTES):
                continue
        except OSError:  # gone: nobody is left to be polite to
            return


async def encrypt(sock: socket.socket, context: ssl.SSLContext, server_name: str | None) -> ssl.SSLSocket:
    """Makes TLS of a connected, non-blocking socket, as its client or as its server: the context is for one of them.

    A client asks for the name of a server, or for none. The socket that was given must not be used any more. Needs a
    deadline. Raises ssl.SSLError if the peer cannot be trusted or does not speak TLS, ConnectionResetError if it is
    gone, and OSError for what we lack; the connection is closed then.
    """
    server_side = context.protocol is ssl.PROTOCOL_TLS_SERVER
    ours = sock
    try:
        # Raises if the peer has sent a reset already. `wrap_socket` has three ways to say so; one leaves a socket open.
        sock.getpeername()
        ours = secure = context.wrap_socket(
            sock, server_side=server_side, server_hostname=server_name, do_handshake_on_connect=False
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


def watch_over(sock: socket.socket, silence_seconds: float | None, send_seconds: float) -> None:
    """Has the kernel find out that a peer is gone that is sent nothing: by TCP's own questions after a silence, for
    about `send_seconds` (None: by none).

    There is no TCP_USER_TIMEOUT: it ends connections to readers that are slow and steady, too, whose window opens by
    less than a segment at a time. Who is sent something and takes nothing is for `relay.watch` to find.
    """
    if silence_seconds is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, min(_MOST_KEEPIDLE, max(1, round(silence_seconds))))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPINTVL_SECONDS)
    questions = min(_MOST_KEEPCNT, max(1, round(send_seconds / _KEEPINTVL_SECONDS)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, questions)


def bound_rest(sock: socket.socket, seconds: float) -> None:
    """Bounds how long the kernel keeps what a peer does not take, also when the connection is closed by then."""
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(seconds * 1000)))


# What Linux takes for TCP_KEEPIDLE and TCP_KEEPCNT, and how long it waits between questions.
_MOST_KEEPIDLE = 32767
_MOST_KEEPCNT = 127
_KEEPINTVL_SECONDS = 10
# How often a Unix socket is looked at that has something, and not enough; and one of TLS that has to send before it can
# receive, or the other way round, as TLS 1.2 may in the middle: the task of that direction may be waiting for it, and
# Trio lets one alone wait.
_LOOK_AGAIN_SECONDS = 0.01
# How often a peer is looked at that takes nothing of what is sent.
_LOOK_SECONDS = 0.25
_LINGER_BYTES = 16 * 1024
