"""The frames of RFC 6455, section 5.2, and of all hybi drafts from 01 on: a head, and a payload.

     0                   1                   2                   3
    |FIN|RSV1-3|opcode 4|MASK|length 7|length 16 or 64, if 126 or 127 |mask key 32, if MASK|payload ...

The first drafts differ in the meaning of the first bit, in the numbers of the opcodes, and in what the mask covers:
each is a `FrameRules`, and `hybi` shows them side by side. This module reads heads, checks their order, and handles the
payload of a Close; `framing` builds decoders, encoders and walkers on it.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from wsgateway.dialects.base import Layout, Limits, Plan
from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.closecodes import RFC6455_CODES, TOO_BIG, cut_reason
from wsgateway.wire.events import Close, Kind, Ping, Pong, Role
from wsgateway.wire.masking import apply_mask
from wsgateway.wire.state import State

FIRST_BIT = 0x80
RSV = 0x70
RSV1 = 0x40
OPCODE = 0x0F
MASK = 0x80
_LENGTH = 0x7F
MAX_CONTROL_BYTES = 125
# The longest payload whose length is written in 2 bytes. A longer frame is hardly ever read at once.
MAX_SHORT_BYTES = 65535
# A head without a mask key.
MAX_HEAD_BYTES = 10

Opcode = Kind | type[Ping] | type[Pong] | type[Close] | None


class Masking(enum.Enum):
    """The part of a client's frame that a mask covers. A server never masks, in any draft."""

    NOTHING = "there is no mask"
    FRAME = "head and payload, after 4 bytes that select the mask"
    PAYLOAD = "the payload; the mask's key ends the head"


# Access to a member of an Enum takes long, and these are needed for every session.
_SERVER, _PAYLOAD = Role.SERVER, Masking.PAYLOAD


def _as_sent(nonce: bytes, secret: bytes) -> bytes:
    return nonce


@dataclass(frozen=True, kw_only=True)
class FrameRules:
    """The points in which drafts differ."""

    numbers: dict[Opcode, int]
    """the number of each opcode; None is a continuation"""
    first_bit_ends: bool
    """whether the first bit marks the last frame of a message (FIN), or all but the last (MORE, in 01 to 03)"""
    masking: Masking
    cover_key: Callable[[bytes, bytes], bytes] = _as_sent
    """where a mask covers the frame: makes its key from the 4 bytes before the frame and the secret of the handshake"""
    close_codes: frozenset[int]
    """the codes that may be sent; all codes of RFC 6455 are understood. Empty: a Close has no code"""
    too_big: tuple[int, ...] = (TOO_BIG,)
    """the numbers of "message too big": the first is written, all are read"""
    close_bodies: dict[Role, bytes] = field(default_factory=dict)
    """the payload of a Close where it has no code, by the role that sends it"""
    minimal_lengths: bool
    """whether a length must be written in the shortest form (from RFC 6455 on)"""
    repairs_text: bool
    """whether broken text is repaired and not refused (before 07)"""

    @property
    def needs_secret(self) -> bool:
        """Whether a mask can be read only with the secret of its own connection."""
        return self.cover_key is not _as_sent

    def first_bit(self, final: bool) -> int:
        """Return the first bit of a frame; `final` says whether the frame ends its message."""
        return FIRST_BIT if final is self.first_bit_ends else 0

    @cached_property
    def whole(self) -> dict[int, Kind]:
        """The first bytes of frames that are whole messages, with the kind of each."""
        return {self.first_bit(True) | self.numbers[kind]: kind for kind in Kind}

    @cached_property
    def text_heads(self) -> list[bytes]:
        """The beginnings of unmasked frames that are whole text messages; the index is their second byte."""
        first = self.first_bit(True) | self.numbers[Kind.TEXT]
        return [bytes((first, second)) for second in range(MAX_CONTROL_BYTES + 2)]

    @cached_property
    def masked_text_heads(self) -> list[bytes]:
        """The same as `text_heads` for frames with a masked payload, without the key."""
        return [bytes((head[0], MASK | head[1])) for head in self.text_heads]

    @cached_property
    def layout(self) -> Layout:
        """The frames that are whole messages, if no mask covers their heads."""
        first = self.first_bit(True)
        text, binary = first | self.numbers[Kind.TEXT], first | self.numbers[Kind.BINARY]
        return Layout(text, binary, self.masking is Masking.PAYLOAD)

    @cached_property
    def bare_layout(self) -> Layout:
        """The same as `layout` for frames without a mask."""
        return self.layout._replace(masked=False)

    @cached_property
    def opcodes(self) -> dict[int, Opcode]:
        """The opcode of each number."""
        return {number: opcode for opcode, number in self.numbers.items()}


@dataclass(frozen=True, slots=True)
class ReaderState(State):
    """The state of a reader of heads."""

    kind: Kind | None
    """of the current message"""
    message_bytes: int
    fragments: int
    final: bool
    """whether the current frame is the last of its message"""
    key: bytes
    """the mask of its payload"""
    compressed: bool
    """whether messages may be compressed"""
    undecided: bool = False
    """whether the client's first frame has still to show which mask it uses"""
    secret_masks: bool = False
    """whether it uses the secret itself"""


@lru_cache
def _sizes(mask: int, message_bytes: int) -> tuple[int, int, int]:
    """Return the size of a head whose length is in its second byte, and of the longest frames of two kinds.

    Their length is in that byte, or in 2 bytes. Readers share these numbers, which would need memory in each.
    """
    head = 6 if mask else 2
    return head, head + min(message_bytes, MAX_CONTROL_BYTES), head + 2 + min(message_bytes, MAX_SHORT_BYTES)


class FrameReader:
    """A reader of frame heads, which also checks their order. Decoder and walker both use it."""

    __slots__ = (
        "_first_bit", "_fragments", "_head_bytes", "_limits", "_longest", "_longest_tiny", "_mask", "_message_bytes",
        "_rsv", "control", "final", "key", "kind", "length", "opcode", "rules",
    )  # fmt: skip

    def __init__(self, rules: FrameRules, role: Role, limits: Limits, compressed: bool = False) -> None:
        self.rules = rules
        self._limits = limits
        # RFC 6455, 5.1: a client masks every frame, a server masks none.
        self._mask = MASK if role is _SERVER and rules.masking is _PAYLOAD else 0
        self._first_bit = rules.first_bit(True)
        self._head_bytes, self._longest_tiny, self._longest = _sizes(self._mask, limits.message_bytes)
        # RFC 7692, 6: RSV1 marks the first frame of a compressed message.
        self._rsv = RSV1 if compressed else 0
        self._message_bytes = 0
        self._fragments = 0
        self.kind: Kind | None = None  # of the current message
        self.opcode: Opcode = None
        self.control = False
        self.final = False
        self.length = 0
        self.key = b""

    def state(self) -> ReaderState:
        """Return the state between two heads."""
        return ReaderState(self.kind, self._message_bytes, self._fragments, self.final, self.key, self._rsv == RSV1)

    def resume(self, state: ReaderState) -> None:
        """Go on from a state."""
        self.kind, self._message_bytes, self._fragments = state.kind, state.message_bytes, state.fragments
        self.final, self.key, self._rsv = state.final, state.key, RSV1 if state.compressed else 0

    def whole(self, data: bytes) -> Kind | None:
        """Return the kind of the message if the data is exactly one message, and no message is begun.

        A message that is longer than `MAX_SHORT_BYTES` is not found, nor one whose length could be written shorter.
        """
        have = len(data)
        if self.kind is not None or not self._head_bytes <= have <= self._longest:
            return None
        if have <= self._longest_tiny:
            return self.rules.whole.get(data[0]) if data[1] == self._mask | have - self._head_bytes else None
        length = have - self._head_bytes - 2
        if length > MAX_CONTROL_BYTES and data[1] == self._mask | 126 and data[2] << 8 | data[3] == length:
            return self.rules.whole.get(data[0])
        return None

    @property
    def plan(self) -> Plan | None:
        """How C may pass whole messages on as they are; None: it may not."""
        layout = self.rules.layout if self._mask else self.rules.bare_layout
        return Plan(True, self._rsv, False, layout, layout, self._limits.message_bytes)

    def payload(self, data: bytes) -> bytes:
        """Return the unmasked payload of the frame that `whole` has just found."""
        if len(data) <= self._longest_tiny:
            return apply_mask(data[6:], data[2:6]) if self._mask else data[2:]
        return apply_mask(data[8:], data[4:8]) if self._mask else data[4:]

    def head(self, data: bytes, at: int) -> int:
        """Read the head of the frame that begins at `data[at]` into the attributes.

        Return the position of its payload, or 0 if the head is incomplete: then nothing has changed.
        Raise ProtocolError (1002, or 1009 for a message that exceeds the limits).
        """
        have = len(data)
        if have < at + 2:
            return 0
        first, second = data[at], data[at + 1]
        if second & MASK != self._mask:
            raise ProtocolError(Reason.FRAME_MALFORMED, self._wrong_mask())
        body = at + 2
        length = second & _LENGTH
        if length > MAX_CONTROL_BYTES:
            size = 2 if length == 126 else 8
            body += size
            if have < body:
                return 0
            length = int.from_bytes(data[at + 2 : body], "big")
            self._check_length(length, size)
        if self._mask:
            body += 4
            if have < body:
                return 0
            self.key = data[body - 4 : body]
        self.length = length
        whole = self.rules.whole.get(first)
        if whole is not None and self.kind is None and length <= self._limits.message_bytes:
            # Most messages are one frame, to which the rules for fragments and control frames do not apply.
            self.kind = self.opcode = whole
            self.final, self.control = True, False
        else:
            self.final = first & FIRST_BIT == self._first_bit
            self._accept(first, length)
        return body

    def _wrong_mask(self) -> str:
        if self.rules.masking is not Masking.PAYLOAD:
            return "reserved bit before a length"
        return "frame without a mask from a client" if self._mask else "masked frame from a server"

    def _check_length(self, length: int, size: int) -> None:
        if length >> 63:
            raise ProtocolError(Reason.FRAME_MALFORMED, "frame length with its top bit set")
        if self.rules.minimal_lengths and length < (126 if size == 2 else 65536):
            raise ProtocolError(Reason.FRAME_MALFORMED, f"length {length} written in {size} bytes")

    def _accept(self, first: int, length: int) -> None:
        """Check the opcode against the current message, and the message against the limits."""
        number = first & OPCODE
        try:
            opcode = self.rules.opcodes[number]
        except KeyError:
            raise ProtocolError(Reason.FRAME_MALFORMED, f"reserved opcode {number:#x}") from None
        if opcode is None:
            if self.kind is None:
                raise ProtocolError(Reason.FRAME_MALFORMED, "continuation without a message")
            self._fragments += 1
        elif isinstance(opcode, Kind):
            if self.kind is not None:
                raise ProtocolError(Reason.FRAME_MALFORMED, "a new message inside a fragmented one")
            self.kind = opcode
            self._fragments = 1
            self._message_bytes = 0
        else:
            if first & RSV:
                raise ProtocolError(Reason.FRAME_MALFORMED, "reserved bits on a control frame")
            if not self.final or length > MAX_CONTROL_BYTES:
                raise ProtocolError(
                    Reason.FRAME_MALFORMED,
                    "control frame in fragments" if not self.final else f"control frame of {length} bytes",
                )
            self.opcode = opcode
            self.control = True
            return
        self.control = False
        self.opcode = opcode
        if first & RSV & ~(self._rsv if opcode else 0):
            raise ProtocolError(Reason.FRAME_MALFORMED, f"reserved bits {first & RSV:#x} that no extension uses")
        self._message_bytes += length
        if self._message_bytes > self._limits.message_bytes:
            raise ProtocolError(
                Reason.MESSAGE_TOO_LARGE,
                f"message of {self._message_bytes} bytes or more, limit {self._limits.message_bytes}",
            )
        if self._fragments > self._limits.fragments:
            raise ProtocolError(Reason.MESSAGE_TOO_LARGE, f"message of more than {self._limits.fragments} fragments")

    def control_event(self, payload: bytes) -> Ping | Pong | Close:
        """Return the control frame whose head was read last, given its unmasked payload."""
        if self.opcode is Ping:
            return Ping(payload)
        if self.opcode is Pong:
            return Pong(payload)
        return read_close(payload, self.rules)


def read_close(payload: bytes, rules: FrameRules) -> Close:
    """Return the Close of a payload (RFC 6455, 5.5.1): nothing, or a code in 2 bytes and a reason in UTF-8.

    Where the draft has no codes the payload is ignored. Raise ProtocolError for half a code, a code that may not be
    sent, or a reason that is not UTF-8 (1007).
    """
    if not payload or not rules.close_codes:
        return Close()
    if len(payload) == 1:
        raise ProtocolError(Reason.FRAME_MALFORMED, "Close with half a code")
    code = int.from_bytes(payload[:2], "big")
    if code in rules.too_big:
        code = TOO_BIG
    if code not in RFC6455_CODES:
        raise ProtocolError(Reason.FRAME_MALFORMED, f"Close with code {code}, which may not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise ProtocolError(Reason.TEXT_NOT_UTF8, "Close with a reason that is not UTF-8") from None


def write_close(close: Close, rules: FrameRules, role: Role) -> bytes:
    """Return the payload of a Close that `role` sends. A code that the draft lacks is left out, with its reason."""
    if not rules.close_codes:
        return rules.close_bodies.get(role, b"")
    if close.code is None or close.code not in rules.close_codes:
        return b""
    code = rules.too_big[0] if close.code == TOO_BIG else close.code
    return code.to_bytes(2, "big") + cut_reason(close.reason)
