"""The frames of both hixie drafts (75, section 4.2; 76, 5.3): text between 00 and FF, and frames without a meaning.

Only 76 has a closing frame, FF 00.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from wsgateway.dialects.base import Framing, Layout, Limits, Part
from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.events import Close, Event, Fragment, Kind, Role
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.state import State, expect

# A length is a number in base 128; zeros may precede it (80 80 80 03 is 3). Ten groups hold 2^63 and more.
MAX_LENGTH_BYTES = 10
_CR, _LF = 0x0D, 0x0A


class Place(enum.Enum):
    """A place in the frames of a peer."""

    FIRST = "before the first frame"
    RETURN = "in a reserved frame, up to FF, or after the CR of an empty line"
    BETWEEN = "between frames"
    TEXT = "in a text, up to FF"
    SKIPPED_TEXT = "in a reserved frame, up to FF"
    LENGTH = "in the length of a frame without a meaning"
    SKIPPED_BYTES = "in the bytes of such a frame"


# Access to a member of an Enum runs Python code each time; these are needed for every message.
_BETWEEN, _TEXT, _KIND = Place.BETWEEN, Place.TEXT, Kind.TEXT


@dataclass(frozen=True, slots=True)
class DelimitedDecoderState(State):
    """The state of a decoder of both hixie drafts."""

    place: Place
    first: int
    """the first byte of the frame"""
    length: int
    """of a frame to skip: its length while it is read, then its remaining bytes"""
    length_bytes: int
    text_bytes: int
    """how many bytes of the current text or reserved frame have come"""
    closed: bool


class DelimitedDecoder:
    """A decoder of both hixie drafts. Frames without a meaning are skipped, as the drafts require."""

    __slots__ = (
        "_closed", "_first", "_has_close", "_length", "_length_bytes", "_limit", "_oddities", "_place", "_text_bytes",
    )  # fmt: skip

    def __init__(self, limits: Limits, has_close: bool, role: Role, oddities: Oddities) -> None:
        self._limit = limits.message_bytes
        self._has_close = has_close
        self._oddities = oddities
        # CycloneServer 0.4 and others write CR LF after their proof, as after a body.
        skips = role is Role.CLIENT and Oddity.FRAMES_BEHIND_PROOF in oddities.allowed
        self._place = Place.FIRST if skips else _BETWEEN
        self._first = self._length = self._length_bytes = self._text_bytes = 0  # as in the state
        self._closed = False

    @property
    def place(self) -> Place:
        """The place at which the next byte is read."""
        return self._place

    @property
    def at_rest(self) -> bool:
        return self._place is _BETWEEN and not self._closed

    def state(self) -> DelimitedDecoderState:
        return DelimitedDecoderState(
            self._place, self._first, self._length, self._length_bytes, self._text_bytes, self._closed
        )

    def resume(self, state: State) -> None:
        own = expect(DelimitedDecoderState, state)
        self._place, self._first, self._length = own.place, own.first, own.length
        self._length_bytes, self._text_bytes, self._closed = own.length_bytes, own.text_bytes, own.closed

    def receive(self, data: bytes) -> Iterator[Event]:
        at, total = 0, len(data)
        while at < total and not self._closed:
            place = self._place
            if place is _BETWEEN:
                place = self._place = self._begin(data[at])
                at += 1
            if place is _TEXT:
                end = data.find(0xFF, at)
                if end >= 0:
                    self._place = _BETWEEN
                stop = end if end >= 0 else total
                self._text_bytes += stop - at
                if self._text_bytes > self._limit:
                    raise self._too_big(self._text_bytes)
                yield Fragment(_KIND, data[at:stop]) if end >= 0 else Fragment(_KIND, data[at:], False, None, True)
                at = stop + 1
            elif at < total:
                at, closing = self._pass_over(place, data, at)
                if closing:
                    self._closed = True
                    yield Close()

    def _begin(self, first: int) -> Place:
        """Return the place after the first byte of a frame."""
        self._text_bytes = 0
        if not first:
            return _TEXT
        self._oddities.passed_over += 1
        self._first = first
        self._length = self._length_bytes = 0
        return Place.LENGTH if first & 0x80 else Place.SKIPPED_TEXT

    def _pass_over(self, place: Place, data: bytes, at: int) -> tuple[int, bool]:
        """Read on in a frame without a meaning. Return the next position, and whether this was a closing frame."""
        if place is Place.FIRST or place is Place.RETURN:
            return self._pass_over_line(place, data[at], at), False
        if place is Place.LENGTH:
            return at + 1, self._read_length(data[at])
        if place is Place.SKIPPED_BYTES:
            skipped = min(self._length, len(data) - at)
            self._length -= skipped
            if not self._length:
                self._place = _BETWEEN
            return at + skipped, False
        end = data.find(0xFF, at)
        stop = end if end >= 0 else len(data)
        self._text_bytes += stop - at
        if self._text_bytes > self._limit:
            raise self._too_big(self._text_bytes)
        if end >= 0:
            self._place = _BETWEEN
        return stop + 1, False

    def _pass_over_line(self, place: Place, byte: int, at: int) -> int:
        """Read the CR LF before the first frame. Return the next position."""
        if place is Place.FIRST:
            self._place = Place.RETURN if byte == _CR else _BETWEEN
            return at + 1 if byte == _CR else at
        if byte != _LF:  # so the CR was the first byte of a reserved frame
            self._place = self._begin(_CR)
            return at
        self._oddities.note(Oddity.FRAMES_BEHIND_PROOF)
        self._place = _BETWEEN
        return at + 1

    def _too_big(self, size: int) -> ProtocolError:
        return ProtocolError(Reason.MESSAGE_TOO_LARGE, f"frame of {size} bytes or more, limit {self._limit}")

    def whole(self, data: bytes) -> bytes | None:
        end = len(data) - 1
        if self._closed or not 0 < end <= self._limit or data[0] or data.find(0xFF) != end:
            return None
        if self._place is not _BETWEEN:
            if self._place is not Place.FIRST:
                return None
            self._place = _BETWEEN
        return data[1:end]

    def finish(self) -> Close:
        # In 75 the end of the stream is the only close, and WebKits before mid 2011 have no other in 76 either.
        if self._place is not _BETWEEN and self._place is not Place.FIRST:
            raise ProtocolError(Reason.CONNECTION_LOST, f"the connection ended {self._place.value}")
        return Close()

    def _read_length(self, byte: int) -> bool:
        """Read the next byte of a length. Return whether it ends the closing frame."""
        self._length = self._length * 128 + (byte & 0x7F)
        self._length_bytes += 1
        if self._length > self._limit:
            raise self._too_big(self._length)
        if byte & 0x80:
            if self._length_bytes == MAX_LENGTH_BYTES:
                raise ProtocolError(Reason.FRAME_MALFORMED, f"frame length of more than {MAX_LENGTH_BYTES} bytes")
            return False
        self._place = Place.SKIPPED_BYTES if self._length else _BETWEEN
        # hixie-76, 5.3: FF and a length of 0 is the closing frame. In 75 it is a frame without a meaning.
        closing = self._has_close and self._first == 0xFF and not self._length
        self._oddities.passed_over -= closing
        return closing


class DelimitedDissector:
    """A dissector of both hixie drafts, byte by byte."""

    __slots__ = ("_decoder", "_over")

    def __init__(self, has_close: bool, role: Role) -> None:
        self._decoder = DelimitedDecoder(Limits(), has_close, role, Oddities())
        self._over = ""  # the meaning of all following bytes: they come after a closing frame, or a fault

    def feed(self, data: bytes) -> Iterator[Part]:
        for meaning, pieces in groupby(self._pieces(data), itemgetter(0)):
            same = b"".join(piece for _, piece in pieces)
            if meaning == "text":
                yield Part(same, f"text {same.decode(errors='replace')!r}", f"text: {len(same)} bytes")
            else:
                yield Part(same, meaning, meaning if len(same) > 1 else "")

    def finish(self) -> Iterator[Part]:
        return iter(())  # no byte is kept

    def _pieces(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield each byte with its meaning; of a text or reserved frame, all bytes before its FF together."""
        at, total = 0, len(data)
        while at < total:
            end = data.find(0xFF, at) if self._decoder.place in _UP_TO_FF else at
            stop = total if end < 0 or self._over else max(end, at + 1)
            piece = data[at:stop]
            yield self._meaning(piece), piece
            at = stop

    def _meaning(self, piece: bytes) -> str:
        if self._over:
            return self._over
        before = self._decoder.place
        if before is Place.RETURN and piece != b"\n":
            before = Place.SKIPPED_TEXT  # the CR was the first byte of a reserved frame
        try:
            events = list(self._decoder.receive(piece))
        except ProtocolError as fault:
            self._over = str(fault)
            return self._over
        if events and isinstance(events[0], Close):
            self._over = "after the closing frame"
            return "a length of 0: FF 00 is the closing frame"
        return _MEANINGS.get((before, self._decoder.place), before.value)


_UP_TO_FF = (Place.TEXT, Place.SKIPPED_TEXT)
_MEANINGS = {
    (Place.FIRST, Place.RETURN): "an empty line after the handshake, if LF follows; else a reserved frame begins",
    (Place.RETURN, Place.BETWEEN): "the empty line ends",
    (Place.FIRST, Place.TEXT): "a text begins",
    (Place.FIRST, Place.LENGTH): "a frame that has a length",
    (Place.FIRST, Place.SKIPPED_TEXT): "a reserved frame begins",
    (Place.BETWEEN, Place.TEXT): "a text begins",
    (Place.TEXT, Place.TEXT): "text",
    (Place.TEXT, Place.BETWEEN): "the text ends",
    (Place.BETWEEN, Place.LENGTH): "a frame that has a length",
    (Place.LENGTH, Place.LENGTH): "its length",
    (Place.LENGTH, Place.SKIPPED_BYTES): "its length",
    (Place.LENGTH, Place.BETWEEN): "a length of 0",
    (Place.BETWEEN, Place.SKIPPED_TEXT): "a reserved frame begins",
    (Place.SKIPPED_TEXT, Place.BETWEEN): "the reserved frame ends",
}


@dataclass(frozen=True, slots=True)
class DelimitedEncoderState(State):
    """The state of an encoder of both hixie drafts."""

    inside: bool


class DelimitedEncoder:
    """An encoder of both hixie drafts: a message is one text frame, written fragment by fragment."""

    __slots__ = ("_closing_frame", "inside")

    def __init__(self, closing_frame: bytes) -> None:
        self._closing_frame = closing_frame
        self.inside = False

    def state(self) -> DelimitedEncoderState:
        return DelimitedEncoderState(self.inside)

    def resume(self, state: State) -> None:
        self.inside = expect(DelimitedEncoderState, state).inside

    def whole(self, text: bytes) -> bytes:
        if 0xFF in text:
            raise ValueError("text with an FF byte")
        return b"".join((b"\x00", text, b"\xff"))

    def send(self, event: Event, before: bytes | bytearray = b"") -> bytes:
        """Return the frame, as `Encoder.send` does. Raise ValueError for events that the drafts cannot express.

        Raise it also for text with an FF byte, which would end the frame: the bytes after it would be read as frames.
        """
        if isinstance(event, Close):
            return self._closing_frame
        if not isinstance(event, Fragment) or event.kind is not _KIND:
            raise ValueError(f"hixie has no frame for {type(event).__name__} or binary")
        if 0xFF in event.data or 0xFF in before:
            raise ValueError("text with an FF byte")
        start = b"" if self.inside else b"\x00"
        self.inside = not event.final
        return b"".join((start, before, event.data, b"\xff" if event.final else b""))


def delimited_framing(name: str, closing_frame: bytes) -> Framing:
    """Return the framing of both hixie drafts; an empty `closing_frame` means that there is none."""
    has_close = bool(closing_frame)
    return Framing(
        name=name,
        carries_binary=False,
        carries_ping=False,
        close_codes=frozenset(),
        has_close=has_close,
        # WebKits before mid 2011 read the closing frame as one without a meaning.
        answers_close=False,
        delimits_text=True,
        repairs_text=True,
        layout=Layout(text=0, binary=-1, masked=False),
        decoding=lambda role, limits, secret, oddities: DelimitedDecoder(limits, has_close, role, oddities),
        encoding=lambda role, mask_keys, secret: DelimitedEncoder(closing_frame),
        dissecting=lambda role, secret: DelimitedDissector(has_close, role),
    )
