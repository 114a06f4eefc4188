"""One direction of a session: the frames of one dialect become frames of another.

If both sides have the same framing its walker passes the frames on as they are, unless the target needs every message
in one frame. Otherwise they are decoded and encoded, frame by frame (see `messages`), so that a message of any size
passes in bounded memory. What the target cannot say:

    ping, to a side without ping        answered by us; its pong is dropped
    binary, to a side without binary    text, as the `BinaryRule` says, or the source is told: unsupported (1003)
    broken text, to hixie               from RFC 6455: a fault (1007); from drafts whose clients send it: repaired
    a close code, to a side without it  a Close without a code
    a Close inside a message            in a frame that is under way it would become a part of it: left out, and the
                                        connection is cut
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wsgateway.dialects.base import Limits, Side, Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.messages import MessageWriter
from wsgateway.wire.binary import BinaryRule, Converter, from_text, to_text
from wsgateway.wire.events import KEEPALIVE, Close, Fragment, Kind, Ping, Pong
from wsgateway.wire.utf8 import InvalidUtf8, Utf8Check, Utf8Repair

# Members of an Enum are looked up in Python each time; these are needed for every message.
_TEXT, _BINARY = Kind.TEXT, Kind.BINARY


@dataclass(frozen=True, slots=True)
class TranslationOptions:
    """What a route says about the messages of a session."""

    limits: Limits = field(default_factory=Limits)
    binary: BinaryRule = field(default_factory=BinaryRule)
    invalid_utf8: InvalidUtf8 = "replace"
    """broken text from dialects whose honest clients send it: repaired, or a fault (1007) as in all others"""
    compressed: bool = False
    """whether permessage-deflate was agreed between the two ends, which share a framing then"""


class EventTranslator:
    """Decodes the source's frames, and encodes the same events for the target."""

    __slots__ = (
        "_binary",
        "_binary_becomes",
        "_decoder",
        "_encoder",
        "_owed",
        "_source_encoder",
        "_target",
        "_text",
        "_text_becomes",
        "_whole",
        "_write_whole",
        "_writer",
        "heartbeats",
        "messages",
    )  # fmt: skip

    def __init__(self, source: Side, target: Side, options: TranslationOptions, mask_keys: Iterator[bytes]) -> None:
        self._target = target.framing
        self._decoder = source.decoder(options.limits)
        self._encoder = target.encoder(mask_keys)
        self._source_encoder = source.encoder(mask_keys)
        self._writer = MessageWriter(target, self._encoder, options.limits.join_bytes)
        self._binary = to_text(options.binary.encode) if target.text_only else None
        self._binary_becomes = _BINARY if self._binary is None else _TEXT
        both_ways = source.text_only and not target.text_only
        reading = from_text(options.binary.decode) if both_ways else None
        # What reads text as binary refuses broken text itself.
        self._text = _text_filter(source, target, options) if reading is None else reading
        self._text_becomes = _TEXT if reading is None else _BINARY
        self._whole, self._write_whole = self._decoder.whole, self._encoder.whole
        if reading is not None or target.joins:
            self._whole = _never_whole
        self._owed: int | None = 0
        self.messages = self.heartbeats = 0

    def feed(self, data: bytes) -> Step:
        text = self._whole(data)
        if text is not None and text.isascii():  # so no rule about text is broken
            self.messages += 1
            return Step(self._write_whole(text))
        return self._feed(data)

    def _feed(self, data: bytes) -> Step:
        forward = []
        asked: Ping | None = None
        ending: Close | ProtocolError | None = None
        goodbye = b""
        writer = self._writer
        try:
            for event in self._decoder.receive(data):
                if isinstance(event, Fragment):
                    if event.kind is _TEXT:
                        converter, event.kind = self._text, self._text_becomes
                    else:
                        converter, event.kind = self._binary, self._binary_becomes
                    if event.final and not writer.busy:  # a whole message, as most are
                        content = event.data if converter is None else converter.feed(event.data, True)
                        if event.kind is _TEXT:
                            forward.append(self._write_whole(content))
                        else:
                            forward.append(self._encoder.send(Fragment(_BINARY, content)))
                    else:
                        self._owed = self._still_owed(event)
                        forward.append(writer.write(event, converter))
                    self.messages += event.final
                elif isinstance(event, Close):
                    ending, goodbye = event, self._goodbye(event)
                    forward.append(goodbye)
                else:
                    self.heartbeats += event.data != KEEPALIVE
                    if self._target.carries_ping:
                        forward.append(self._encoder.send(event))
                    elif isinstance(event, Ping):
                        asked = event  # the newest stands for all
        except ProtocolError as fault:
            ending = fault
            writer.drop()
        reply = b"" if asked is None else self._source_encoder.send(Pong(asked.data))
        return Step(b"".join(forward), reply, ending, len(goodbye), writer.held)

    def finish(self) -> Step:
        try:
            close = self._decoder.finish()
        except ProtocolError as fault:
            self._writer.drop()
            return Step(b"", ending=fault)
        goodbye = self._goodbye(close)
        return Step(goodbye, ending=close, close_bytes=len(goodbye))

    def _goodbye(self, close: Close) -> bytes:
        self._writer.drop()
        return b"" if self._encoder.inside else self._encoder.send(close)

    def _still_owed(self, piece: Fragment) -> int | None:
        """What `unfinished` is behind this piece."""
        if piece.final:
            return 0
        # Nobody knows how much of a message comes behind a frame that is not its last.
        return None if self._writer.one_frame and not (piece.remaining and piece.last) else piece.remaining

    def unfinished(self) -> int | None:
        return self._owed

    def inside(self) -> bool:
        return self._encoder.inside

    def release(self) -> bytes | None:
        return self._writer.release()


def _text_filter(source: Side, target: Side, options: TranslationOptions) -> Converter | None:
    """What text must go through."""
    if source.framing.repairs_text and options.invalid_utf8 == "replace":
        return Utf8Repair()
    return Utf8Check() if source.framing.repairs_text or target.framing.delimits_text else None


def _never_whole(data: bytes) -> None:
    """In the place of `Decoder.whole`, where no text goes on as it is."""


def translator(source: Side, target: Side, options: TranslationOptions, mask_keys: Iterator[bytes]) -> Translator:
    """The direction from `source` to `target`, towards whom we play the other role."""
    walker = source.framing.walker
    same = source.framing is target.framing and source.text_only == target.text_only
    if same and walker is not None and not target.joins:
        return walker(source.role, options.limits, options.compressed)
    return EventTranslator(source, target, options, mask_keys)
