"""The frames of a recorded client of hybi-04 under the mask of another connection.

The mask of a frame is made of 4 bytes before it and of a secret, which comes from the key of the client and from a
number of the server (draft 04, 4.3). That number is another one on each connection.
"""

from wsgateway.dialects.accept import masking_secret
from wsgateway.dialects.base import Limits
from wsgateway.dialects.covered import COVER_BYTES, CoveredReader
from wsgateway.dialects.hybi import RULES_04, cover_key_04
from wsgateway.errors import ProtocolError
from wsgateway.trace.recording import Connection
from wsgateway.wire.masking import mask, rotate
from wsgateway.wire.oddities import Oddities, Oddity

# A recording has at most this much of a message.
_LIMITS = Limits(1 << 30)


class Remasked:
    """The masks of one direction. Bytes that cannot be read as frames keep the mask that they have."""

    def __init__(self, recorded: Connection, now: Connection) -> None:
        """Take the connection of the recording, and the one to the server that has sent another number."""
        self._old = recorded.secret
        key, number = _header(recorded, ">", "sec-websocket-key"), _header(now, "<", "sec-websocket-nonce")
        self._new = masking_secret(key, number)
        self._oddities = Oddities()
        self._reader = CoveredReader(RULES_04, _LIMITS, self._old, self._oddities)
        self._kept = b""
        self._left = 0  # of the current frame
        self._key = b""  # what turns the rest of it from one mask to the other
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        """Return bytes under the other mask. Part of a head is kept until its rest comes."""
        data, self._kept, done = self._kept + data, b"", []
        while data and not self._broken:
            if not self._left:
                if not self._begin(data):
                    break
                done.append(data[:COVER_BYTES])
                data = data[COVER_BYTES:]
            part, data = data[: self._left], data[self._left :]
            done.append(mask(part, self._key))
            self._key = rotate(self._key, len(part))
            self._left -= len(part)
        if self._broken:
            return b"".join(done) + data
        self._kept = data
        return b"".join(done)

    def _begin(self, data: bytes) -> bool:
        """Begin a frame. Return whether its head is whole."""
        try:
            payload_at = self._reader.head(data, 0)
        except ProtocolError:
            self._broken = True
            return False
        if not payload_at:
            return False
        reader, before = self._reader, data[:COVER_BYTES]
        if reader.final and not reader.control:
            reader.kind = None
        old, new = (self._mask(before, secret) for secret in (self._old, self._new))
        self._key = mask(old, new)
        self._left = payload_at - COVER_BYTES + reader.length
        return True

    def _mask(self, before: bytes, secret: bytes) -> bytes:
        return secret if Oddity.KEY_MASK_04 in self._oddities.needed else cover_key_04(before, secret)


def _header(connection: Connection, way: str, name: str) -> str:
    return next((value for each, value in connection.head(way)[1] if each.lower() == name), "")
