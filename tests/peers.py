"""The other end of a connection: every byte of it is read and written by the test."""

import socket
import struct

import trio

from tests.masks import masked


class Peer:
    """One end of a connection. A reset is an error; an end is where it ends."""

    def __init__(self, stream: trio.SocketStream, tls: trio.SSLStream[trio.SocketStream] | None = None) -> None:
        self.stream = stream
        self.tls = tls
        self._carrier: trio.abc.Stream = tls or stream
        name = stream.socket.getsockname()
        self.name = "unix" if stream.socket.family == socket.AF_UNIX else f"{name[0]}:{name[1]}"
        """our own address, by which the log knows a client"""
        self._kept = b""

    async def send(self, *data: bytes) -> None:
        for each in data:
            await self._carrier.send_all(each)

    async def once(self) -> bytes:
        """Return what one read gives."""
        kept, self._kept = self._kept, b""
        return kept or await self._carrier.receive_some(1 << 20)

    async def until(self, end: bytes) -> bytes:
        """Return all up to these bytes, which are the end of it."""
        data = b""
        while end not in data:
            more = await self.once()
            assert more, f"ended before {end!r}: {data!r}"
            data += more
        found, _, rest = data.partition(end)
        self._kept = rest
        return found + end

    async def head(self) -> bytes:
        return await self.until(b"\r\n\r\n")

    async def exactly(self, count: int) -> bytes:
        data, self._kept = self._kept, b""
        while len(data) < count:
            more = await self.once()
            assert more, f"ended before {count} bytes: {data!r}"
            data += more
        self._kept = data[count:]
        return data[:count]

    async def rest(self) -> bytes:
        """Return all up to the end of the stream."""
        data = b""
        while more := await self.once():
            data += more
        return data

    async def frame(self) -> tuple[int, bytes]:
        """Return the first byte and the payload of a frame of RFC 6455, of less than 64 KiB; a mask is taken off."""
        first, second = await self.exactly(2)
        size = second & 0x7F
        assert size < 127, "64 KiB or more"
        if size == 126:
            size = int.from_bytes(await self.exactly(2))
        key = await self.exactly(4) if second & 0x80 else bytes(4)
        payload = await self.exactly(size)
        return first, masked(payload, key)

    async def message(self) -> bytes:
        """Return the payload of a message of RFC 6455, in frames, however many."""
        whole, final = b"", False
        while not final:
            first, payload = await self.frame()
            whole += payload
            final = first & 0x80 != 0
        return whole

    async def send_eof(self) -> None:
        await self.stream.send_eof()

    async def close(self) -> None:
        await self._carrier.aclose()

    def reset(self) -> None:
        """Cut the connection."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()
