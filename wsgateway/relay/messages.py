"""A writer of the messages of one direction as frames of the target: one frame for each frame, wherever possible.

    the length of the target's frame is known     its head is written as soon as the source's head is here, and the
    from the source's head                        payload is streamed after it: nothing is held
    the length is not known                       the frame is held until it is complete, up to `join_bytes`; a longer
                                                  one is sent in fragments
    a message must be one frame, as in hixie,     the message is held until it is complete, up to `join_bytes`; a
    or the target reads each frame as a message   longer one is streamed in hixie, and refused (1009) elsewhere

A message in several frames keeps its frames, with the same boundaries. If a conversion produces no bytes yet for a
frame, its bytes go into the next one: no frame is empty unless the source's frame was empty.
"""

from dataclasses import dataclass

from wsgateway.dialects.base import Encoder, Side
from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.binary import Converter
from wsgateway.wire.events import Fragment, Kind
from wsgateway.wire.state import State, expect


@dataclass(frozen=True, slots=True)
class WriterState(State):
    """The state of a writer."""

    held: bytes
    kind: Kind
    """of what is held"""
    taken: int
    """bytes of the source for which no frame has been begun"""
    begun: bool
    """whether the target's frame for the current frame of the source has been begun"""
    parts: bool
    """whether the current frame is sent in fragments"""
    busy: bool


class MessageWriter:
    """A writer of messages for one target."""

    __slots__ = ("_begun", "_delimits", "_encoder", "_held", "_joins", "_kind", "_limit", "_parts", "_taken", "busy")

    def __init__(self, target: Side, encoder: Encoder, join_bytes: int) -> None:
        self._encoder = encoder
        self._limit = join_bytes
        self._delimits = target.framing.delimits_text
        self._joins = target.joins
        self.busy = target.joins
        """whether the next fragment must be given to this writer; otherwise a whole message may go to the encoder"""
        self._held: bytes | bytearray = b""  # as in the state
        self._kind = Kind.TEXT
        self._taken = 0
        self._begun = self._parts = False

    def state(self) -> WriterState:
        """Return the state between two fragments."""
        return WriterState(bytes(self._held), self._kind, self._taken, self._begun, self._parts, self.busy)

    def resume(self, state: State) -> None:
        """Go on from a state."""
        own = expect(WriterState, state)
        self._held, self._kind, self._taken = own.held, own.kind, own.taken
        self._begun, self._parts, self.busy = own.begun, own.parts, own.busy

    @property
    def one_frame(self) -> bool:
        """Whether each message is sent as one frame."""
        return self._delimits or self._joins

    @property
    def held(self) -> int:
        """How many bytes are held that could be sent if memory were short."""
        return 0 if self._parts else len(self._held)

    def write(self, fragment: Fragment, converter: Converter | None) -> bytes:
        """Return the bytes to send for the next fragment of a message, perhaps none.

        It has the target's kind; `converter` converts its bytes. Raise ProtocolError for bytes that cannot be
        converted, and (1009) for a message that exceeds the limit for one frame; the writer must not be used after
        that.
        """
        taken, remaining = len(fragment.data), fragment.remaining
        if converter is not None:
            fragment.data = converter.feed(fragment.data, fragment.final)
            if remaining:
                remaining = converter.length(remaining, fragment.in_last_frame)
        self.busy = self._joins or not fragment.final
        self._kind = fragment.kind
        if self.one_frame:
            return self._write_message(fragment, remaining)
        return self._write_frame(fragment, remaining, taken)

    def release(self) -> bytes | None:
        """Return what is held, because memory is short, and hold it no longer: its message is sent in fragments.

        Return None if the message must not be sent in fragments; it is then still held.
        """
        if self._joins:
            return None
        if self._delimits:
            return self._encoder.send(Fragment(self._kind, b"", final=False), self._take())
        return self._write_part()

    def drop(self) -> None:
        """Forget what is held: its message will never be complete."""
        self._held = b""

    def _write_message(self, fragment: Fragment, remaining: int | None) -> bytes:
        """Write a fragment of a message that is sent as one frame; `remaining` bytes of its own frame will follow."""
        if self._encoder.inside:
            fragment.remaining = remaining
            return self._encoder.send(fragment)
        size = len(self._held) + len(fragment.data)
        if self._joins and size + (remaining or 0) > self._limit:
            raise ProtocolError(
                Reason.MESSAGE_TOO_LARGE,
                f"message of {size + (remaining or 0)} bytes or more, at most {self._limit} are possible as one frame",
            )
        if fragment.final:
            return self._encoder.send(Fragment(fragment.kind, fragment.data), self._take())
        if remaining and fragment.in_last_frame and not self._delimits:
            return self._encoder.send(Fragment(fragment.kind, fragment.data, False, remaining, True), self._take())
        if size > self._limit:
            return self._encoder.send(Fragment(fragment.kind, fragment.data, False), self._take())
        self._hold(fragment.data)
        return b""

    def _write_frame(self, fragment: Fragment, remaining: int | None, taken: int) -> bytes:
        """Write a fragment of a frame that keeps its boundaries; `remaining` as above; `taken` bytes came for it."""
        ends = fragment.remaining == 0
        if self._begun:
            self._begun = not ends
            fragment.remaining = remaining
            # If the target's frame is complete, further bytes of the source belong to the next: a rest of base64.
            return self._encoder.send(fragment) if self._encoder.inside else b""
        self._taken += taken
        if ends:
            if not (self._held or fragment.data) and self._taken and not fragment.final:
                return b""  # no bytes for it yet: the next frame has them
            self._taken = 0
            self._parts = False
            return self._encoder.send(Fragment(fragment.kind, fragment.data, fragment.final), self._take())
        if remaining is not None:
            if not fragment.data and not remaining:
                return b""
            self._taken = 0
            self._begun = True
            return self._encoder.send(Fragment(fragment.kind, fragment.data, False, remaining, fragment.in_last_frame))
        self._hold(fragment.data)
        return self._write_part() if self._parts or len(self._held) > self._limit else b""

    def _write_part(self) -> bytes:
        """Write what is held as a fragment, without its last character: the last fragment must not be empty."""
        self._parts = True
        held = self._held
        cut = len(held) - 1
        if self._kind is Kind.TEXT:
            while cut > 0 and held[cut] & 0xC0 == 0x80:
                cut -= 1
        if cut <= 0:
            return b""
        self._held = bytes(held[cut:])
        return self._encoder.send(Fragment(self._kind, bytes(held[:cut]), final=False))

    def _hold(self, data: bytes) -> None:
        held = self._held
        if not held:
            self._held = data
        elif isinstance(held, bytearray):
            held += data
        else:  # one buffer, because many small objects would need a multiple of the memory
            self._held = bytearray(held)
            self._held += data

    def _take(self) -> bytes | bytearray:
        """Return what is held, and hold it no longer."""
        held, self._held = self._held, b""
        return held
