"""Writes the messages of one direction as frames of the target: as many frames as came, wherever that can be.

    the length of the target's frame is known     its head is written as soon as the source's head is here, and the
    from the source's head                        payload streams behind it: nothing is held back
    it is not known                               the frame is held back until it is whole, up to `join_bytes`; what is
                                                  longer leaves in fragments
    a message has to be one frame, as in hixie,   the message is held back until it is whole, up to `join_bytes`;
    or the target takes each frame for a message  what is longer streams in hixie, and is refused (1009) elsewhere

What the source sent in fragments stays in fragments at the same boundaries. Where a conversion leaves nothing of a
fragment, its bytes join the next: no frame is empty that did not come empty.
"""

from wsgateway.dialects.base import Encoder, Side
from wsgateway.errors import ProtocolError
from wsgateway.wire.binary import Converter
from wsgateway.wire.closecodes import TOO_BIG
from wsgateway.wire.events import Fragment, Kind


class MessageWriter:
    """Writes pieces of messages for one target."""

    __slots__ = ("_begun", "_delimits", "_encoder", "_held", "_joins", "_kind", "_limit", "_parts", "_taken", "busy")

    def __init__(self, target: Side, encoder: Encoder, join_bytes: int) -> None:
        self._encoder = encoder
        self._limit = join_bytes
        self._delimits = target.framing.delimits_text
        self._joins = target.joins
        self.busy = target.joins
        """whether the next piece has to come here; if not, a message that is whole may go to the encoder directly"""
        self._held: bytes | bytearray = b""
        self._kind = Kind.TEXT  # of what is held
        self._taken = 0  # bytes of the source for which no frame has been begun
        self._begun = False  # whether the frame for the source's frame that is under way has been begun
        self._parts = False  # whether the frame that is under way leaves in fragments

    @property
    def one_frame(self) -> bool:
        """Whether each message leaves as one frame."""
        return self._delimits or self._joins

    @property
    def held(self) -> int:
        """How many bytes are held back, and could leave if there were no room for them."""
        return 0 if self._parts else len(self._held)

    def write(self, piece: Fragment, converter: Converter | None) -> bytes:
        """Take the next piece, whose kind is the target's; the converter is what its bytes must go through.

        Return what leaves for it, perhaps nothing. Raise ProtocolError for what cannot be converted, or is longer than
        a message may be that has to leave as one frame (1009); then the writer must not be used again.
        """
        taken, remaining = len(piece.data), piece.remaining
        if converter is not None:
            piece.data = converter.feed(piece.data, piece.final)
            if remaining:
                remaining = converter.length(remaining, piece.last)
        self.busy = self._joins or not piece.final
        self._kind = piece.kind
        if self.one_frame:
            return self._write_message(piece, remaining)
        return self._write_frame(piece, remaining, taken)

    def release(self) -> bytes | None:
        """Let go of what is held back, as there is no room for it: it leaves in fragments.

        Return what leaves. None: the message may not leave in fragments, and is still held.
        """
        if self._joins:
            return None
        if self._delimits:
            return self._encoder.send(Fragment(self._kind, b"", final=False), self._take())
        return self._write_part()

    def drop(self) -> None:
        """Forget what is held back: its message will never be whole."""
        self._held = b""

    def _write_message(self, piece: Fragment, remaining: int | None) -> bytes:
        """Write a piece of a message that leaves as one frame; `remaining` bytes of its own frame will still leave."""
        if self._encoder.inside:
            piece.remaining = remaining
            return self._encoder.send(piece)
        size = len(self._held) + len(piece.data)
        if self._joins and size + (remaining or 0) > self._limit:
            raise ProtocolError(
                f"message of {size + (remaining or 0)} bytes or more, to leave as one frame of {self._limit} at most",
                TOO_BIG,
            )
        if piece.final:
            return self._encoder.send(Fragment(piece.kind, piece.data), self._take())
        if remaining and piece.last and not self._delimits:
            return self._encoder.send(Fragment(piece.kind, piece.data, False, remaining, True), self._take())
        if size > self._limit:
            return self._encoder.send(Fragment(piece.kind, piece.data, False), self._take())
        self._hold(piece.data)
        return b""

    def _write_frame(self, piece: Fragment, remaining: int | None, taken: int) -> bytes:
        """Write a piece of a frame that keeps its boundaries; `remaining` as above; `taken` bytes came for it."""
        ends = piece.remaining == 0
        if self._begun:
            self._begun = not ends
            piece.remaining = remaining
            # Once its frame is whole, what still comes of the source's is for the next: the rest of a group of base64.
            return self._encoder.send(piece) if self._encoder.inside else b""
        self._taken += taken
        if ends:
            if not (self._held or piece.data) and self._taken and not piece.final:
                return b""  # nothing remains of it: the next frame has its bytes
            self._taken = 0
            self._parts = False
            return self._encoder.send(Fragment(piece.kind, piece.data, piece.final), self._take())
        if remaining is not None:
            if not piece.data and not remaining:
                return b""
            self._taken = 0
            self._begun = True
            return self._encoder.send(Fragment(piece.kind, piece.data, False, remaining, piece.last))
        self._hold(piece.data)
        return self._write_part() if self._parts or len(self._held) > self._limit else b""

    def _write_part(self) -> bytes:
        """Write what is held as a fragment, but for its last character: the last fragment may not be empty."""
        self._parts = True
        held = self._held
        cut = len(held) - 1
        if self._kind is Kind.TEXT:
            while cut > 0 and held[cut] & 0xC0 == 0x80:
                cut -= 1
        if cut <= 0:
            return b""
        self._held = bytes(held[cut:])
        self._taken = 0
        return self._encoder.send(Fragment(self._kind, bytes(held[:cut]), final=False))

    def _hold(self, data: bytes) -> None:
        held = self._held
        if not held:
            self._held = data
        elif isinstance(held, bytearray):
            held += data
        else:  # one buffer from here on: as many small objects would take many times the bytes
            self._held = bytearray(held)
            self._held += data

    def _take(self) -> bytes | bytearray:
        """Return what is held. Nothing is held then."""
        held, self._held = self._held, b""
        return held
