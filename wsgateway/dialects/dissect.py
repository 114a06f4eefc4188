"""A dissector for the frames of `frames`, which explains them to people bit by bit."""

from collections.abc import Iterator

from wsgateway.dialects.base import Limits, Part
from wsgateway.dialects.covered import COVER_BYTES, CoveredReader
from wsgateway.dialects.frames import (
    MASK,
    RSV1,
    FrameReader,
    FrameRules,
    Masking,
    Opcode,
    read_close,
)
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Kind, Role
from wsgateway.wire.masking import mask, rotate
from wsgateway.wire.oddities import Oddities


class FrameDissector:
    """A dissector of the frames that a peer sends; `role` is our role towards it."""

    __slots__ = ("_compressed", "_fault", "_kept", "_kind", "_offset", "_reader", "_remaining", "_rules", "_secret")

    def __init__(self, rules: FrameRules, role: Role, secret: bytes) -> None:
        self._rules = rules
        self._secret = secret
        covered = rules.masking is Masking.FRAME and role is Role.SERVER
        self._reader = (
            CoveredReader(rules, Limits(), secret, Oddities())
            if covered
            else FrameReader(rules, role, Limits(), True)  # so that frames with RSV1, marked by an extension, are shown
        )
        self._kept = b""
        self._remaining = 0
        self._offset = 0
        self._fault = ""
        self._kind: Kind | None = None
        self._compressed = False

    def feed(self, data: bytes) -> Iterator[Part]:
        data, self._kept = self._kept + data, b""
        at, total = 0, len(data)
        while at < total:
            if self._remaining:
                stop = min(at + self._remaining, total)
                if self._reader.control and stop - at < self._remaining:
                    # The payload of a Close is explained only when it is complete.
                    self._kept = data[at:]
                    return
                yield self._payload(data[at:stop])
                at = stop
                continue
            try:
                payload_at = 0 if self._fault else self._reader.head(data, at)
            except ProtocolError as fault:
                self._fault = str(fault)
            if self._fault:
                yield Part(data[at:], self._fault, self._fault)
                return
            if not payload_at:
                self._kept = data[at:]
                return
            yield from self._head(data[at:payload_at])
            self._remaining, self._offset = self._reader.length, 0
            self._kind = None if self._reader.control else self._reader.kind
            if self._reader.final and not self._reader.control:
                self._reader.kind = None
            at = payload_at

    def finish(self) -> Iterator[Part]:
        if self._kept:
            what = "a frame that is not whole"
            yield Part(self._kept, what, what)

    def _head(self, wire: bytes) -> Iterator[Part]:
        """Yield the parts of the head that was read last."""
        reader, plain = self._reader, wire
        covered = isinstance(reader, CoveredReader)
        if covered:
            nonce, wire = wire[:COVER_BYTES], wire[COVER_BYTES:]
            key = self._rules.cover_key(nonce, self._secret)
            made = f", from which comes {key.hex(' ')}" if key != nonce else ""
            yield Part(nonce, f"the key of a mask over the frame{made}")
            plain = mask(wire, key)
        if isinstance(reader.opcode, Kind):
            self._compressed = bool(plain[0] & RSV1)
        masked = not covered and plain[1] & MASK
        size = len(plain) - 2 - (4 if masked else 0)

        def part(start: int, stop: int, meaning: str) -> Part:
            under = f"under the mask {plain[start:stop].hex(' ')}: " if covered else ""
            return Part(wire[start:stop], under + meaning)

        yield part(0, 1, self._first_byte(plain[0]))
        length = f"the length is in {size} more bytes" if size else f"length {reader.length}"
        yield part(1, 2, f"MASK, {length}" if masked else length)
        if size:
            yield part(2, 2 + size, f"length {reader.length}")
        if masked:
            yield part(2 + size, 6 + size, "the key of the mask")

    def _first_byte(self, first: int) -> str:
        reader, rules = self._reader, self._rules
        bit = "FIN" if rules.first_bit_ends else "MORE"
        marks = [bit if first & 0x80 else f"{bit} is 0", *(f"RSV{n}" for n in (1, 2, 3) if first & (0x80 >> n))]
        order = "the last frame of its message" if reader.final else "more frames follow"
        meaning = "" if reader.control else f", {order}"
        return f"{', '.join(marks)}, opcode {first & 0x0F:X}: {_name(reader.opcode)}{meaning}"

    def _payload(self, wire: bytes) -> Part:
        reader = self._reader
        plain = mask(wire, rotate(reader.key, self._offset)) if reader.key else wire
        self._offset += len(wire)
        self._remaining -= len(wire)
        said = self._close(plain) if reader.opcode is Close and self._rules.close_codes else None
        if said is None:
            return Part(wire, f"payload: {self._fault or self._content(plain)}", f"payload: {len(wire)} bytes")
        return Part(wire, f"payload: {said}", f"payload: {Close(said.code)}" if said.reason else "")

    def _close(self, plain: bytes) -> Close | None:
        """Return the Close of a payload; None if it breaks the rules."""
        try:
            return read_close(plain, self._rules)
        except ProtocolError as fault:
            self._fault = str(fault)
            return None

    def _content(self, plain: bytes) -> str:
        if self._kind is not None and self._compressed:
            return f"{len(plain)} bytes, compressed"
        return f"{len(plain)} bytes" if self._kind is Kind.BINARY else repr(plain.decode(errors="replace"))


def _name(opcode: Opcode) -> str:
    if opcode is None:
        return "continuation"
    return opcode.value if isinstance(opcode, Kind) else opcode.__name__.lower()
