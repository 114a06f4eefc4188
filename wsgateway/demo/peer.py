"""One client of the upstream after its handshake: whole messages in, events out.

The library reads and writes frames. Here fragments are joined, pings and closes are answered, and text is checked.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import aclosing

import trio

from wsgateway.dialects import DIALECTS, Limits
from wsgateway.errors import ProtocolError, Reason
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.wire.closecodes import ABNORMAL
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.masking import mask_keys

DIALECT = DIALECTS["rfc6455"]
# The most memory that one connection can require, as messages are joined.
LIMITS = Limits(message_bytes=1024 * 1024)


class Peer:
    """A client after its handshake. One task may read, any may send.

    A mistake of the client raises no error: it gets a Close with the right code, and `messages` ends.
    """

    def __init__(self, channel: Channel, early: bytes) -> None:
        """Take the bytes that came after the handshake, too."""
        self._channel = channel
        self._early = early
        self._encoder = DIALECT.framing.encoder(Role.SERVER, mask_keys(os.urandom))
        self._lock = trio.Lock()
        self._closed = False

    async def send(self, *events: Event) -> None:
        """Send events in one write, which no other task interrupts; send nothing after a Close."""
        async with self._lock:
            if self._closed:
                return
            self._closed = any(isinstance(event, Close) for event in events)
            try:
                await self._channel.send(b"".join(map(self._encoder.send, events)))
            except OSError:  # disconnected: `messages` ends, too
                self._closed = True

    async def messages(self) -> AsyncGenerator[Fragment]:
        """Yield whole messages until the client's Close, mistake or end. Answer pings and Closes."""
        events = self._events()
        parts = bytearray()
        try:
            async with aclosing(events):
                async for event in events:
                    match event:
                        case Fragment(kind, data, final):
                            parts += data
                            if final:
                                yield _whole(kind, bytes(parts))
                                parts.clear()
                        case Ping(data):
                            await self.send(Pong(data))
                        case Close(code):
                            await self.send(Close(code))
        except ProtocolError as fault:
            if fault.close_code != ABNORMAL:
                await self.send(Close(fault.close_code))
        except OSError:  # a lost connection ends the messages, too
            return

    async def _events(self) -> AsyncGenerator[Event]:
        """Yield events up to a Close. Raise ProtocolError, also for an end without a Close, and OSError."""
        decoder = DIALECT.framing.decoder(Role.SERVER, LIMITS)
        data = self._early
        while True:
            for event in decoder.receive(data):
                yield event
                if isinstance(event, Close):
                    return
            data = await self._channel.receive(READ_BYTES)
            if not data:
                decoder.finish()


def _whole(kind: Kind, data: bytes) -> Fragment:
    """Return a message. Raise ProtocolError (1007) for text that is not UTF-8."""
    if kind is Kind.TEXT:
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(Reason.TEXT_NOT_UTF8, f"text is not UTF-8: {error.reason}") from None
    return Fragment(kind, data, final=True)
