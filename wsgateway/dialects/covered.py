"""Heads that a mask covers too, as in the drafts 04 to 06: read under the mask that 4 bytes before them select."""

from dataclasses import replace

from wsgateway.dialects.base import Limits
from wsgateway.dialects.frames import (
    FIRST_BIT,
    MASK,
    MAX_CONTROL_BYTES,
    MAX_HEAD_BYTES,
    OPCODE,
    RSV,
    FrameReader,
    FrameRules,
    ReaderState,
)
from wsgateway.wire.events import Kind, Role
from wsgateway.wire.masking import mask, rotate
from wsgateway.wire.oddities import Oddities, Oddity

# The bytes before a frame that select its mask.
COVER_BYTES = 4


def _secret_itself(nonce: bytes, secret: bytes) -> bytes:
    return secret


class CoveredReader(FrameReader):
    """A reader of heads that a mask covers too, after the 4 bytes that select it (drafts 04 to 06, 4.3).

    libwebsockets of April 2011 masks with the secret of draft 04 itself. The client's first frame shows which of the
    two masks it uses: that of the draft, unless the head under it cannot begin a connection and the head under the
    other can.
    """

    __slots__ = ("_cover_key", "_oddities", "_secret", "_undecided")

    def __init__(self, rules: FrameRules, limits: Limits, secret: bytes, oddities: Oddities) -> None:
        super().__init__(rules, Role.SERVER, limits)
        self._secret = secret
        self._cover_key = rules.cover_key
        self._oddities = oddities
        self._undecided = rules.needs_secret and bool(secret) and Oddity.KEY_MASK_04 in oddities.allowed

    def state(self) -> ReaderState:
        secret_masks = self._cover_key is _secret_itself
        return replace(super().state(), undecided=self._undecided, secret_masks=secret_masks)

    def resume(self, state: ReaderState) -> None:
        super().resume(state)
        self._undecided = state.undecided
        if state.secret_masks:
            self._cover_key = _secret_itself

    @property
    def plan(self) -> None:
        return None  # the mask of a head differs from frame to frame

    def whole(self, data: bytes) -> Kind | None:
        have = len(data) - COVER_BYTES
        if self.kind is not None or not 2 <= have <= self._longest:
            return None
        if self._undecided:
            self._decide(data[:COVER_BYTES], data[COVER_BYTES:])
        key = self._cover_key(data[:COVER_BYTES], self._secret)
        size = 2 if have <= self._longest_tiny else 4
        head = mask(data[COVER_BYTES : COVER_BYTES + size], key)
        self.key = rotate(key, size)
        length = have - size  # which may be written in 2 bytes in these drafts, however short it is
        if size == 2:
            return self.rules.whole.get(head[0]) if head[1] == length else None
        return self.rules.whole.get(head[0]) if head[1] == 126 and head[2] << 8 | head[3] == length else None

    def payload(self, data: bytes) -> bytes:
        size = 2 if len(data) - COVER_BYTES <= self._longest_tiny else 4
        return mask(data[COVER_BYTES + size :], self.key)

    def head(self, data: bytes, at: int) -> int:
        start = at + COVER_BYTES
        if len(data) < start + 2:
            return 0
        if self._undecided:
            self._decide(data[at:start], data[start:])
        key = self._cover_key(data[at:start], self._secret)
        body = super().head(mask(data[start : start + MAX_HEAD_BYTES], key), 0)
        if not body:
            return 0
        self.key = rotate(key, body)
        return start + body

    def _decide(self, nonce: bytes, data: bytes) -> None:
        """Choose the mask, given the 4 bytes before the first frame, and two or more bytes of the frame."""
        self._undecided = False
        head = data[:MAX_HEAD_BYTES]
        drafts = self._fit(mask(head, self._cover_key(nonce, self._secret)), len(data))
        if self._fit(mask(head, self._secret), len(data)) > drafts:
            self._cover_key = _secret_itself
            self._oddities.note(Oddity.KEY_MASK_04)

    def _fit(self, head: bytes, have: int) -> tuple[bool, bool]:
        """Return whether a frame with this head may begin a connection, and whether it ends with the received bytes.

        Of 70 heads under a wrong mask one may begin a connection, but hardly one ends where the first read ends.
        """
        first, second = head[:2]
        opcode = self.rules.opcodes.get(first & OPCODE)
        size = {126: 2, 127: 8}.get(second, 0)
        length = int.from_bytes(head[2 : 2 + size].ljust(size, b"\0"), "big") if size else second
        message = isinstance(opcode, Kind)
        whole = first & FIRST_BIT == self._first_bit and length <= MAX_CONTROL_BYTES
        may = opcode is not None and not (first & RSV or second & MASK) and (message or whole)
        may = may and length <= self._limits.message_bytes
        return may, may and length > 0 and 2 + size + length == have
