"""The connection between two processes of a gateway: JSON messages over a Unix stream, with sockets and bytes.

A message is its length and its number of sockets, 4 bytes each, and then an object of JSON in UTF-8. The sockets travel
with its first bytes, as many at a time as the kernel accepts (SCM_MAX_FD, 253). Bytes may follow the object, whose key
`attached` then is their number. `messages` has the messages.
"""

import array
import errno
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import trio

Said = dict[str, object]
"""A message, as JSON has it."""

_HEAD = struct.Struct("!II")
_SOCKETS_AT_ONCE = 200
_FD_BYTES = array.array("i").itemsize
# A hundred times a configuration with thousands of routes. A wrong length can require no more.
MOST_BYTES = 64 * 1024 * 1024
_READ_BYTES = 65536


class Message(NamedTuple):
    """A message, and the sockets and bytes that came with it."""

    said: Said
    sockets: list[socket.socket]
    attached: bytes = b""


class Control:
    """One end of the connection. Several tasks may send, one may receive."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected Unix stream socket, which `close` closes."""
        sock.setblocking(False)
        self._sock = trio.socket.from_stdlib_socket(sock)
        self._turn = trio.StrictFIFOLock()
        self._rest = memoryview(b"")  # of a message whose sender was cancelled
        self._received = bytearray()
        self._fds: deque[int] = deque()

    async def send(self, said: Said, sockets: Sequence[socket.socket] = (), attached: bytes = b"") -> None:
        """Send a message. Raise OSError if the other end is disconnected.

        If this is cancelled when a part of the message has been sent, its rest goes before the next message.
        """
        body = json.dumps(said | {"attached": len(attached)} if attached else said).encode()
        data = memoryview(_HEAD.pack(len(body), len(sockets)) + body + attached)
        fds = [sock.fileno() for sock in sockets]
        async with self._turn:
            while self._rest:
                self._rest = self._rest[await self._sock.sendmsg([self._rest]) :]
            size = len(data)
            try:
                while fds or data:
                    # While sockets remain, one byte carries each part of them: a read returns the sockets of one part.
                    now, later = fds[:_SOCKETS_AT_ONCE], fds[_SOCKETS_AT_ONCE:]
                    train = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", now))] if now else []
                    sent = await self._sock.sendmsg([data[:1] if later else data], train)
                    data, fds = data[sent:], later
            except trio.Cancelled:
                if len(data) < size:
                    self._rest = data
                    if fds:  # they may be closed soon, so the message cannot be finished
                        self._sock.shutdown(socket.SHUT_RDWR)
                raise

    async def receive(self) -> Message | None:
        """Return the next message; None if the other end is disconnected in any way.

        Raise OSError if this process has no descriptors for the message's sockets; they are closed, and the message is
        lost.
        """
        head = await self._exactly(_HEAD.size)
        if head is None:
            return None
        length, count = _HEAD.unpack(head)
        body = None if length > MOST_BYTES else await self._exactly(length)
        if body is None:
            return None
        said: Said = json.loads(body)
        size = said.get("attached", 0)
        if not isinstance(size, int):
            return None
        attached = None if size > MOST_BYTES else await self._exactly(size)
        if attached is None:
            return None
        fds = [self._fds.popleft() for _ in range(min(count, len(self._fds)))]
        if len(fds) < count:  # the kernel has passed on as many as this process may have
            for fd in fds:
                os.close(fd)
            raise OSError(errno.EMFILE, f"{os.strerror(errno.EMFILE)}: {len(fds)} of {count} sockets have come")
        return Message(said, [socket.socket(fileno=fd) for fd in fds], attached)

    async def _exactly(self, count: int) -> bytes | None:
        while len(self._received) < count:
            try:
                data, trains, _, _ = await self._sock.recvmsg(
                    _READ_BYTES, socket.CMSG_SPACE(_SOCKETS_AT_ONCE * _FD_BYTES), socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                return None
            if not data:
                return None
            self._received += data
            for _, _, train in trains:
                self._fds.extend(memoryview(train[: len(train) - len(train) % _FD_BYTES]).cast("i"))
        found = bytes(self._received[:count])
        del self._received[:count]
        return found

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()
        while self._fds:
            os.close(self._fds.popleft())
