"""The frames of RFC 6455, section 5.2, and of the drafts that have the same layout: head, mask key, payload.

     0                   1                   2                   3
    |FIN|RSV1-3|opcode 4|MASK|length 7|length 16 or 64, if 126 or 127 |mask key 32, if MASK|payload ...

A draft that differs in a constant is another `FrameRules`. This is about heads, which may follow which, and the payload
of a Close; `framing` makes decoders, encoders and walkers of it.
"""

from dataclasses import dataclass
from functools import cached_property

from wsgateway.dialects.base import Limits
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import INVALID_TEXT, RFC6455_CODES, TOO_BIG, cut_reason
from wsgateway.wire.events import Close, Kind, Ping, Pong, Role

FIN = 0x80
_RSV = 0x70
_RSV1 = 0x40
_OPCODE = 0x0F
MASK = 0x80
_LENGTH = 0x7F
MAX_CONTROL_BYTES = 125

Opcode = Kind | type[Ping] | type[Pong] | type[Close] | None


@dataclass(frozen=True, kw_only=True)
class FrameRules:
    """What a draft may change."""

    numbers: dict[Opcode, int]
    """the number of each opcode; None is a continuation"""
    close_codes: frozenset[int]
    """the codes that may be sent; all that RFC 6455 knows are understood"""
    minimal_lengths: bool
    """whether a length must be written in the shortest form (from RFC 6455 on)"""

    @cached_property
    def whole(self) -> dict[int, Kind]:
        """The first bytes of frames that are whole messages."""
        return {FIN | number: opcode for number, opcode in self.opcodes.items() if isinstance(opcode, Kind)}

    @cached_property
    def text_heads(self) -> list[bytes]:
        """The heads of short, unmasked frames that are whole text messages, by their length."""
        return [bytes((FIN | self.numbers[Kind.TEXT], length)) for length in range(MAX_CONTROL_BYTES + 1)]

    @cached_property
    def masked_text_heads(self) -> list[bytes]:
        """As `text_heads`, of frames with a mask, without its key."""
        return [bytes((head[0], MASK | head[1])) for head in self.text_heads]

    @cached_property
    def opcodes(self) -> dict[int, Opcode]:
        """What each number means."""
        return {number: opcode for opcode, number in self.numbers.items()}


class FrameReader:
    """Reads heads of frames, and knows which may come next. Decoder and walker both stand on it."""

    __slots__ = (
        "_fragments", "_limits", "_longest", "_mask", "_message_bytes", "_rsv", "_rules", "_shortest",
        "control", "final", "key", "kind", "length", "opcode",
    )  # fmt: skip

    def __init__(self, rules: FrameRules, role: Role, limits: Limits, compressed: bool) -> None:
        self._rules = rules
        self._limits = limits
        # RFC 6455, 5.1: a client masks every frame, a server none.
        self._mask = MASK if role is Role.SERVER else 0
        # The sizes of a frame whose length is in its second byte.
        self._shortest = 6 if self._mask else 2
        self._longest = self._shortest + min(limits.message_bytes, MAX_CONTROL_BYTES)
        # RFC 7692, 6: RSV1 marks the first frame of a compressed message.
        self._rsv = _RSV1 if compressed else 0
        self._message_bytes = 0
        self._fragments = 0
        self.kind: Kind | None = None  # of the message that is under way
        self.opcode: Opcode = None
        self.control = False
        self.final = False
        self.length = 0
        self.key = b""

    def whole(self, data: bytes) -> Kind | None:
        """The kind of the message, if the data is one short frame that is a message, and none is under way."""
        have = len(data)
        if (
            self.kind is None
            and self._shortest <= have <= self._longest
            and data[1] == self._mask | (have - self._shortest)
        ):
            return self._rules.whole.get(data[0])
        return None

    def head(self, data: bytes, at: int) -> int:
        """Reads the head of the frame that begins at `data[at]` into the attributes.

        Returns where its payload begins, or 0 if the head is not whole: nothing has changed then.
        Raises ProtocolError (1002, or 1009 for a message beyond the limits).
        """
        have = len(data)
        if have < at + 2:
            return 0
        first, second = data[at], data[at + 1]
        if second & MASK != self._mask:
            raise ProtocolError("frame without a mask from a client" if self._mask else "masked frame from a server")
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
        whole = self._rules.whole.get(first)
        if whole is not None and self.kind is None and length <= self._limits.message_bytes:
            # A message in one frame, as most are: the rules about all others need not be asked.
            self.kind = self.opcode = whole
            self.final, self.control = True, False
        else:
            self.final = first >= FIN
            self._accept(first, length)
        return body

    def _check_length(self, length: int, size: int) -> None:
        if length >> 63:
            raise ProtocolError("frame length with its top bit set")
        if self._rules.minimal_lengths and length < (126 if size == 2 else 65536):
            raise ProtocolError(f"length {length} written in {size} bytes")

    def _accept(self, first: int, length: int) -> None:
        """Checks the opcode against the message that is under way, and the message against the limits."""
        number = first & _OPCODE
        try:
            opcode = self._rules.opcodes[number]
        except KeyError:
            raise ProtocolError(f"reserved opcode {number:#x}") from None
        if opcode is None:
            if self.kind is None:
                raise ProtocolError("continuation without a message")
            self._fragments += 1
        elif isinstance(opcode, Kind):
            if self.kind is not None:
                raise ProtocolError("a new message inside a fragmented one")
            self.kind = opcode
            self._fragments = 1
            self._message_bytes = 0
        else:
            if first & _RSV:
                raise ProtocolError("reserved bits on a control frame")
            if not self.final or length > MAX_CONTROL_BYTES:
                raise ProtocolError(
                    "control frame in fragments" if not self.final else f"control frame of {length} bytes"
                )
            self.opcode = opcode
            self.control = True
            return
        self.control = False
        self.opcode = opcode
        if first & _RSV & ~(self._rsv if opcode else 0):
            raise ProtocolError(f"reserved bits {first & _RSV:#x} that no extension uses")
        self._message_bytes += length
        if self._message_bytes > self._limits.message_bytes:
            raise ProtocolError(
                f"message of {self._message_bytes} bytes or more, limit {self._limits.message_bytes}", TOO_BIG
            )
        if self._fragments > self._limits.fragments:
            raise ProtocolError(f"message of more than {self._limits.fragments} fragments", TOO_BIG)

    def control_event(self, payload: bytes) -> Ping | Pong | Close:
        """The control frame whose head was read last. Takes its payload, unmasked."""
        if self.opcode is Ping:
            return Ping(payload)
        if self.opcode is Pong:
            return Pong(payload)
        return read_close(payload)


def read_close(payload: bytes) -> Close:
    """The payload of a Close (RFC 6455, 5.5.1): nothing, or a code in 2 bytes and a reason in UTF-8.

    Raises ProtocolError for half a code, a code that may not be sent, or a reason that is not UTF-8 (1007).
    """
    if not payload:
        return Close()
    if len(payload) == 1:
        raise ProtocolError("Close with half a code")
    code = int.from_bytes(payload[:2], "big")
    if code not in RFC6455_CODES:
        raise ProtocolError(f"Close with code {code}, which may not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise ProtocolError("Close with a reason that is not UTF-8", INVALID_TEXT) from None


def write_close(close: Close, codes: frozenset[int]) -> bytes:
    """The payload of a Close. A code that the draft does not have is left out, and its reason with it."""
    if close.code is None or close.code not in codes:
        return b""
    return close.code.to_bytes(2, "big") + cut_reason(close.reason)
