"""A socket whose bytes are shown to somebody else, too."""

import socket
import ssl
from collections.abc import Callable
from weakref import WeakKeyDictionary

Show = Callable[[bytes], None]
"""gets bytes; it must not raise"""

LEAST_AT_ONCE_BYTES = 4096
"""as many bytes any socket gives at once, if it has them and is asked for them: a shorter read has left nothing"""

# By their sockets: these have no room for attributes.
_SHOWS: WeakKeyDictionary[socket.socket, tuple[Show, Show]] = WeakKeyDictionary()


class _TappedSocket(socket.socket):
    __slots__ = ()

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = super().recv(min(size, LEAST_AT_ONCE_BYTES), flags)
        if not flags & socket.MSG_PEEK:
            _SHOWS[self][0](data)
        return data

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        size = super().send(data, flags)
        _SHOWS[self][1](bytes(data[:size]))
        return size


class _TappedTlsSocket(ssl.SSLSocket):
    __slots__ = ()

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        data = super().recv(min(size, LEAST_AT_ONCE_BYTES), flags)
        _SHOWS[self][0](data)
        return data

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:  # type: ignore[override]
        size = super().send(data, flags)
        _SHOWS[self][1](bytes(data[:size]))
        return size


_TAPPED: dict[type[socket.socket], type[socket.socket]] = {
    socket.socket: _TappedSocket,
    ssl.SSLSocket: _TappedTlsSocket,
}
_PLAIN = {tapped: plain for plain, tapped in _TAPPED.items()}


def tap(sock: socket.socket, received: Show, sent: Show) -> None:
    """Show the bytes that a connected socket receives and sends from now on; the end of its stream as no bytes.

    It receives at most `LEAST_AT_ONCE_BYTES` at once: to explain so many bytes of the smallest frames takes 15 ms, in
    which no other session is served.

    The socket stays the same object, whoever has it already. It gets a class of its own, by which the relay knows that
    C must not use its descriptor: that would show nothing.
    """
    _SHOWS[sock] = received, sent
    sock.__class__ = _TAPPED.get(type(sock), type(sock))


def untap(sock: socket.socket) -> None:
    """Show no more bytes of a socket."""
    sock.__class__ = _PLAIN.get(type(sock), type(sock))
    _SHOWS.pop(sock, None)
