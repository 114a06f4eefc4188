"""Decoder, encoder and walker for the frames of RFC 6455 and of the drafts with the same layout (see `frames`).

Data frames stream: what is there of a payload goes out as a fragment. Only control frames, 125 bytes at most, wait
until they are whole.
"""

from collections.abc import Iterator

from wsgateway.dialects.base import Framing, Limits, Step
from wsgateway.dialects.frames import FIN, MASK, MAX_CONTROL_BYTES, FrameReader, FrameRules, Opcode, write_close
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import ABNORMAL
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.masking import apply_mask, rotate

NO_CLOSE = "the connection ended without a Close"
# A member of an Enum is looked up in Python each time; this one is needed for every message.
_TEXT = Kind.TEXT


class FrameDecoder:
    """Frames -> events."""

    __slots__ = ("_closed", "_kept", "_left", "_offset", "_reader")

    def __init__(self, rules: FrameRules, role: Role, limits: Limits) -> None:
        self._reader = FrameReader(rules, role, limits, compressed=False)
        self._kept = b""  # an unfinished head, or an unfinished control frame
        self._left = 0  # bytes of a data frame's payload still to come
        self._offset = 0  # how many of them have been here
        self._closed = False

    def receive(self, data: bytes) -> Iterator[Event]:
        reader = self._reader
        if self._kept:
            data = self._kept + data
            self._kept = b""
        at, have = 0, len(data)
        while at < have and not self._closed:
            if self._left:
                stop = min(at + self._left, have)
                yield self._fragment(data[at:stop])
                at = stop
                continue
            body = reader.head(data, at)
            stop = body + reader.length
            if not body or (reader.control and stop > have):
                self._kept = data[at:]
                return
            if reader.control:
                payload = apply_mask(data[body:stop], reader.key) if reader.key else data[body:stop]
                event = reader.control_event(payload)
                self._closed = isinstance(event, Close)
                yield event
                at = stop
                continue
            self._left, self._offset = reader.length, 0
            if body < have or not reader.length:
                stop = min(stop, have)
                yield self._fragment(data[body:stop])
                at = stop
            else:
                at = have

    def whole(self, data: bytes) -> bytes | None:
        if self._kept or self._left or self._closed or self._reader.whole(data) is not _TEXT:
            return None
        return apply_mask(data[6:], data[2:6]) if data[1] & MASK else data[2:]

    def finish(self) -> Close:
        raise ProtocolError(NO_CLOSE, ABNORMAL)

    def _fragment(self, payload: bytes) -> Fragment:
        reader = self._reader
        if reader.key:
            key = rotate(reader.key, self._offset) if self._offset else reader.key
            self._offset += len(payload)
            payload = apply_mask(payload, key)
        self._left -= len(payload)
        final = reader.final and not self._left
        kind = reader.kind
        assert kind is not None, "a data frame always belongs to a message"
        if final:
            reader.kind = None
        return Fragment(kind, payload, final)


class FrameEncoder:
    """Events -> frames, one for each event."""

    __slots__ = ("_continuing", "_keys", "_mask", "_numbers", "_rules")

    def __init__(self, rules: FrameRules, role: Role, mask_keys: Iterator[bytes]) -> None:
        self._rules = rules
        self._numbers = rules.numbers
        self._keys = mask_keys
        self._mask = MASK if role is Role.CLIENT else 0
        self._continuing = False

    def whole(self, text: bytes) -> bytes:
        if len(text) > MAX_CONTROL_BYTES:
            return self._frame(_TEXT, text, True)
        if not self._mask:
            return self._rules.text_heads[len(text)] + text
        key = next(self._keys)
        return self._rules.masked_text_heads[len(text)] + key + apply_mask(text, key)

    def send(self, event: Event) -> bytes:
        if isinstance(event, Fragment):
            opcode: Opcode = None if self._continuing else event.kind
            self._continuing = not event.final
            return self._frame(opcode, event.data, event.final)
        if isinstance(event, Close):
            return self._frame(Close, write_close(event, self._rules.close_codes), True)
        return self._frame(Ping if isinstance(event, Ping) else Pong, event.data, True)

    def _frame(self, opcode: Opcode, payload: bytes, final: bool) -> bytes:
        first = self._numbers[opcode] | (FIN if final else 0)
        mask = self._mask
        length = len(payload)
        if length <= MAX_CONTROL_BYTES:
            head = bytes((first, mask | length))
        elif length < 65536:
            head = bytes((first, mask | 126)) + length.to_bytes(2, "big")
        else:
            head = bytes((first, mask | 127)) + length.to_bytes(8, "big")
        if not mask:
            return head + payload
        key = next(self._keys)
        return head + key + apply_mask(payload, key)


class FrameWalker:
    """Passes frames on as they came, masks too, and looks at their heads only: limits hold before bytes leave."""

    __slots__ = ("_kept", "_left", "_reader", "messages")

    def __init__(self, rules: FrameRules, role: Role, limits: Limits, compressed: bool) -> None:
        self._reader = FrameReader(rules, role, limits, compressed)
        self._kept = b""  # an unfinished head, or an unfinished control frame
        self._left = 0  # bytes of a data frame's payload still to come
        self.messages = 0

    def feed(self, data: bytes) -> Step:
        if not (self._kept or self._left or self._reader.whole(data) is None):
            self.messages += 1
            return Step(data)
        if self._kept:
            data = self._kept + data
            self._kept = b""
        have = len(data)
        at = self._left
        if at > have:
            self._left = at - have
            return Step(data)
        reader = self._reader
        # A frame under way that is the last of its message has closed that for the reader.
        self.messages += bool(at) and reader.kind is None
        self._left = 0
        try:
            while at < have:
                body = reader.head(data, at)
                stop = body + reader.length
                if not body or (reader.control and stop > have):
                    self._kept = data[at:]
                    return Step(data[:at])
                if reader.control:
                    if reader.opcode is Close:
                        payload = data[body:stop]
                        close = reader.control_event(apply_mask(payload, reader.key) if reader.key else payload)
                        return Step(data[:stop], ending=close if isinstance(close, Close) else None)
                elif reader.final:
                    reader.kind = None
                    self.messages += stop <= have
                at = stop
        except ProtocolError as fault:
            return Step(data[:at], ending=fault)
        self._left = at - have
        return Step(data)

    def finish(self) -> Step:
        return Step(b"", ending=ProtocolError(NO_CLOSE, ABNORMAL))

    def unfinished(self) -> int:
        return self._left


def framing(name: str, rules: FrameRules) -> Framing:
    """The framing that follows these rules."""
    return Framing(
        name=name,
        carries_binary=True,
        carries_ping=True,
        close_codes=rules.close_codes,
        has_close=True,
        answers_close=True,
        delimits_text=False,
        repairs_text=False,
        decoder=lambda role, limits: FrameDecoder(rules, role, limits),
        encoder=lambda role, mask_keys: FrameEncoder(rules, role, mask_keys),
        walker=lambda role, limits, compressed: FrameWalker(rules, role, limits, compressed),
    )
