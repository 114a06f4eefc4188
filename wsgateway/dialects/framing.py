"""Decoder, encoder and walker for the frames of RFC 6455 and of the hybi drafts (see `frames`).

The payload of data frames is streamed: each received part becomes a fragment. Only control frames, at most 125 bytes,
are kept until they are complete.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from wsgateway.dialects.base import Encoder, Framing, Limits, Plan, Step
from wsgateway.dialects.covered import CoveredReader
from wsgateway.dialects.dissect import FrameDissector
from wsgateway.dialects.frames import (
    MASK,
    MAX_CONTROL_BYTES,
    MAX_SHORT_BYTES,
    FrameReader,
    FrameRules,
    Masking,
    Opcode,
    ReaderState,
    write_close,
)
from wsgateway.errors import ProtocolError, Reason, detached
from wsgateway.wire.events import KEEPALIVE, Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.masking import apply_mask, mask, rotate
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.state import State, expect

NO_CLOSE = "the connection ended without a Close"
# Access to a member of an Enum runs Python code each time; this one is needed for every message.
_TEXT = Kind.TEXT


@dataclass(frozen=True, slots=True)
class FrameDecoderState(State):
    """The state of a decoder of frames."""

    reader: ReaderState
    kept: bytes
    """an unfinished head, or an unfinished control frame"""
    remaining: int
    """how many bytes of a data frame's payload are still to come"""
    offset: int
    """how many bytes of it have come"""
    closed: bool


class FrameDecoder:
    """A decoder of frames into events."""

    __slots__ = ("_closed", "_kept", "_offset", "_reader", "_remaining")

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self._kept = b""  # as in the state
        self._remaining = self._offset = 0
        self._closed = False

    def state(self) -> FrameDecoderState:
        return FrameDecoderState(self._reader.state(), self._kept, self._remaining, self._offset, self._closed)

    def resume(self, state: State) -> None:
        own = expect(FrameDecoderState, state)
        self._reader.resume(own.reader)
        self._kept, self._remaining, self._offset, self._closed = own.kept, own.remaining, own.offset, own.closed

    @property
    def at_rest(self) -> bool:
        return not (self._kept or self._remaining or self._closed) and self._reader.kind is None

    def receive(self, data: bytes) -> Iterator[Event]:
        reader = self._reader
        if self._kept:
            data = self._kept + data
            self._kept = b""
        at, have = 0, len(data)
        while at < have and not self._closed:
            if self._remaining:
                stop = min(at + self._remaining, have)
                yield self._fragment(data[at:stop])
                at = stop
                continue
            body = reader.head(data, at)
            stop = body + reader.length
            if not body or (reader.control and stop > have):
                self._kept = data[at:]
                return
            if reader.control:
                payload = mask(data[body:stop], reader.key) if reader.key else data[body:stop]
                event = reader.control_event(payload)
                self._closed = isinstance(event, Close)
                yield event
                at = stop
                continue
            self._remaining, self._offset = reader.length, 0
            # Yield an empty fragment for a head alone, so that the length is known before the payload comes.
            stop = min(stop, have)
            yield self._fragment(data[body:stop])
            at = stop

    def whole(self, data: bytes) -> bytes | None:
        if self._kept or self._remaining or self._closed or self._reader.whole(data) is not _TEXT:
            return None
        return self._reader.payload(data)

    def finish(self) -> Close:
        raise ProtocolError(Reason.CONNECTION_LOST, NO_CLOSE)

    def _fragment(self, payload: bytes) -> Fragment:
        reader = self._reader
        if reader.key:
            key = rotate(reader.key, self._offset) if self._offset else reader.key
            self._offset += len(payload)
            payload = mask(payload, key)
        remaining = self._remaining = self._remaining - len(payload)
        kind, final = reader.kind, reader.final
        assert kind is not None, "a data frame always belongs to a message"
        if remaining:
            return Fragment(kind, payload, False, remaining, final)
        if final:
            reader.kind = None
        return Fragment(kind, payload, final)


@dataclass(frozen=True, slots=True)
class FrameEncoderState(State):
    """The state of an encoder of frames."""

    continuing: bool
    """whether a message is begun"""
    remaining: int
    """how many bytes of the current frame's payload are still to be written"""
    key: bytes
    """its mask key, rotated to the next of these bytes"""


class FrameEncoder:
    """An encoder that writes one frame for each event; fragments of one frame become one, its head at the first."""

    __slots__ = (
        "_continuing",
        "_key",
        "_keys",
        "_last",
        "_mask",
        "_not_last",
        "_numbers",
        "_remaining",
        "_role",
        "_rules",
    )  # fmt: skip

    def __init__(self, rules: FrameRules, role: Role, mask_keys: Iterator[bytes]) -> None:
        self._rules = rules
        self._numbers = rules.numbers
        self._last, self._not_last = rules.first_bit(True), rules.first_bit(False)
        self._role = role
        self._keys = mask_keys
        self._mask = MASK if role is Role.CLIENT and rules.masking is Masking.PAYLOAD else 0
        self._continuing = False  # as in the state
        self._remaining = 0
        self._key = b""

    def state(self) -> FrameEncoderState:
        return FrameEncoderState(self._continuing, self._remaining, self._key)

    def resume(self, state: State) -> None:
        own = expect(FrameEncoderState, state)
        self._continuing, self._remaining, self._key = own.continuing, own.remaining, own.key

    @property
    def inside(self) -> bool:
        return self._remaining > 0

    def whole(self, text: bytes) -> bytes:
        length = len(text)
        if length > MAX_SHORT_BYTES:
            return self._frame(_TEXT, text, True)
        heads = self._rules.masked_text_heads if self._mask else self._rules.text_heads
        head = heads[length] if length <= MAX_CONTROL_BYTES else heads[126] + length.to_bytes(2, "big")
        if not self._mask:
            return head + text
        key = next(self._keys)
        return head + key + apply_mask(text, key)

    def send(self, event: Event, before: bytes | bytearray = b"") -> bytes:
        """Return the frame as `Encoder.send` does. Raise ValueError for an event outside the current frame."""
        if isinstance(event, Fragment):
            if self._remaining:
                return self._go_on(event)
            opcode: Opcode = None if self._continuing else event.kind
            self._continuing = not event.final
            if event.remaining:
                self._remaining = event.remaining
                return self._frame(opcode, event.data, event.in_last_frame, before)
            return self._frame(opcode, event.data, event.final, before)
        if self._remaining:
            raise ValueError(f"{type(event).__name__} inside a frame, of which {self._remaining} bytes are to come")
        if isinstance(event, Close):
            return self._frame(Close, write_close(event, self._rules, self._role), True)
        return self._frame(Ping if isinstance(event, Ping) else Pong, event.data, True)

    def _go_on(self, fragment: Fragment) -> bytes:
        """Return the next bytes of the current frame."""
        remaining = self._remaining - len(fragment.data)
        if remaining != fragment.remaining:
            raise ValueError(
                f"{len(fragment.data)} bytes with {fragment.remaining} to follow, {self._remaining} were announced"
            )
        self._remaining = remaining
        self._continuing = not fragment.final
        return self._masked(fragment.data) if self._key else fragment.data

    def _masked(self, payload: bytes) -> bytes:
        key = self._key
        self._key = rotate(key, len(payload)) if self._remaining else b""
        return mask(payload, key)

    def _frame(self, opcode: Opcode, payload: bytes, final: bool, before: bytes | bytearray = b"") -> bytes:
        """Return a frame, or its beginning if `_remaining` says that more bytes of its payload will come.

        `before` is the first part of the payload.
        """
        first = self._numbers[opcode] | (self._last if final else self._not_last)
        bit = self._mask
        length = len(before) + len(payload) + self._remaining
        if length <= MAX_CONTROL_BYTES:
            head = bytes((first, bit | length))
        elif length < 65536:
            head = bytes((first, bit | 126)) + length.to_bytes(2, "big")
        else:
            head = bytes((first, bit | 127)) + length.to_bytes(8, "big")
        if not bit:
            return b"".join((head, before, payload)) if before else head + payload
        key = next(self._keys)
        if not (before or self._remaining):
            return head + key + apply_mask(payload, key)
        self._key = rotate(key, len(before))
        return b"".join((head, key, apply_mask(before, key), self._masked(payload)))


class CoveredEncoder(FrameEncoder):
    """An encoder of frames that a mask covers whole, after the 4 bytes that select it."""

    __slots__ = ("_secret",)

    def __init__(self, rules: FrameRules, mask_keys: Iterator[bytes], secret: bytes) -> None:
        super().__init__(rules, Role.CLIENT, mask_keys)
        self._secret = secret

    def whole(self, text: bytes) -> bytes:
        return self._frame(_TEXT, text, True)

    def _frame(self, opcode: Opcode, payload: bytes, final: bool, before: bytes | bytearray = b"") -> bytes:
        nonce = next(self._keys)
        self._key = self._rules.cover_key(nonce, self._secret)
        return nonce + self._masked(super()._frame(opcode, payload, final, before))


@dataclass(frozen=True, slots=True)
class WalkerState(State):
    """The state of a walker."""

    reader: ReaderState
    kept: bytes
    """an unfinished head, or an unfinished control frame"""
    left: int
    """how many bytes of a data frame's payload are still to come"""
    messages: int
    heartbeats: int


class FrameWalker:
    """A walker that passes frames on unchanged, masks too, and reads only heads; limits hold before bytes are sent."""

    __slots__ = ("_kept", "_reader", "heartbeats", "left", "messages")

    def __init__(self, reader: FrameReader) -> None:
        self._reader = reader
        self._kept = b""  # as in the state
        self.left = 0
        """bytes of a data frame's payload still to come; the engine in C sets it, too"""
        self.messages = 0
        self.heartbeats = 0

    def state(self) -> WalkerState:
        return WalkerState(self._reader.state(), self._kept, self.left, self.messages, self.heartbeats)

    def resume(self, state: State) -> None:
        own = expect(WalkerState, state)
        self._reader.resume(own.reader)
        self._kept, self.left, self.messages, self.heartbeats = own.kept, own.left, own.messages, own.heartbeats

    @property
    def plan(self) -> Plan | None:
        return self._reader.plan

    @property
    def at_rest(self) -> bool:
        return not self._kept and self._reader.kind is None

    def feed(self, data: bytes) -> Step:
        if not (self._kept or self.left or self._reader.whole(data) is None):
            self.messages += 1
            return Step(data)
        if self._kept:
            data = self._kept + data
            self._kept = b""
        have = len(data)
        at = self.left
        if at > have:
            self.left = at - have
            return Step(data)
        reader = self._reader
        # If the current frame is the last of its message, the reader has already ended that message.
        self.messages += bool(at) and reader.kind is None
        self.left = 0
        try:
            while at < have:
                body = reader.head(data, at)
                stop = body + reader.length
                if not body or (reader.control and stop > have):
                    self._kept = data[at:]
                    return Step(data[:at])
                if reader.control:
                    payload = data[body:stop]
                    event = reader.control_event(mask(payload, reader.key) if reader.key else payload)
                    if isinstance(event, Close):
                        return Step(data[:stop], ending=event, close_bytes=stop - at)
                    self.heartbeats += event.data != KEEPALIVE
                elif reader.final:
                    reader.kind = None
                    self.messages += stop <= have
                at = stop
        except ProtocolError as fault:
            return Step(data[:at], ending=detached(fault))
        self.left = at - have
        return Step(data)

    def finish(self) -> Step:
        return Step(b"", ending=ProtocolError(Reason.CONNECTION_LOST, NO_CLOSE))

    def unfinished(self) -> int:
        return self.left

    def inside(self) -> bool:
        return self.left > 0

    def release(self) -> bytes:
        return b""  # no bytes of data frames are held back


def framing(name: str, rules: FrameRules) -> Framing:
    """Return the framing that follows these rules."""
    covers = rules.masking is Masking.FRAME

    def decoder(role: Role, limits: Limits, secret: bytes, oddities: Oddities) -> FrameDecoder:
        if covers and role is Role.SERVER:
            return FrameDecoder(CoveredReader(rules, limits, secret, oddities))
        return FrameDecoder(FrameReader(rules, role, limits))

    def encoder(role: Role, mask_keys: Iterator[bytes], secret: bytes) -> Encoder:
        if covers and role is Role.CLIENT:
            return CoveredEncoder(rules, mask_keys, secret)
        return FrameEncoder(rules, role, mask_keys)

    def walker(role: Role, limits: Limits, compressed: bool) -> FrameWalker:
        if covers and role is Role.SERVER:
            return FrameWalker(CoveredReader(rules, limits, b"", Oddities(frozenset())))
        return FrameWalker(FrameReader(rules, role, limits, compressed))

    return Framing(
        name=name,
        carries_binary=True,
        carries_ping=True,
        close_codes=rules.close_codes,
        has_close=True,
        answers_close=True,
        delimits_text=False,
        repairs_text=rules.repairs_text,
        decoding=decoder,
        encoding=encoder,
        layout=None if covers else rules.layout,
        dissecting=lambda role, secret: FrameDissector(rules, role, secret),
        # A mask that depends on the secret of one connection is not valid on another.
        walker=None if rules.needs_secret else walker,
    )
