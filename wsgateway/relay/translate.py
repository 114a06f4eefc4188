"""One direction of a session: the frames of one dialect become frames of another.

If both sides have the same framing its walker passes the frames on as they are. Otherwise they are decoded and
encoded, fragment by fragment, so that a message of any size passes in bounded memory. What the target cannot say:

    ping, to a side without ping        answered by us; its pong is dropped
    binary, to a side without binary    text, as the `BinaryRule` says, or the source is told: unsupported (1003)
    broken text, to hixie               from RFC 6455: a fault (1007); from drafts whose clients send it: repaired
    a close code, to a side without it  a Close without a code
    a Close inside a message            in hixie it would become part of the text: left out, and the connection is cut
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wsgateway.dialects.base import Limits, Side, Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.wire.binary import BinaryRule, Converter, from_text, to_text
from wsgateway.wire.events import Close, Fragment, Kind, Ping, Pong
from wsgateway.wire.utf8 import InvalidUtf8, Utf8Filter

# A member of an Enum is looked up in Python each time; this one is needed for every message.
_TEXT = Kind.TEXT


@dataclass(frozen=True, slots=True)
class Terms:
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
        "_decoder", "_encoder", "_from_text", "_owed", "_source_encoder", "_target", "_text", "_to_text", "_whole",
        "_write_whole", "messages",
    )  # fmt: skip

    def __init__(self, source: Side, target: Side, terms: Terms, mask_keys: Iterator[bytes]) -> None:
        self._target = target.framing
        self._decoder = source.decoder(terms.limits)
        self._encoder = target.encoder(mask_keys)
        self._source_encoder = source.encoder(mask_keys)
        self._to_text = to_text(terms.binary.encode) if target.text_only else None
        both_ways = source.text_only and not target.text_only
        self._from_text = from_text(terms.binary.decode) if both_ways else None
        self._text = _text_filter(source, target, terms, self._from_text)
        self._whole, self._write_whole = self._decoder.whole, self._encoder.whole
        if self._from_text is not None:
            self._whole = _never_whole
        self._owed: int | None = 0
        self.messages = 0

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
        send, text = self._encoder.send, self._text
        try:
            for event in self._decoder.receive(data):
                if isinstance(event, Fragment):
                    if event.kind is _TEXT:
                        if text is not None:
                            event.data = text.feed(event.data, event.final)
                        if self._from_text is not None:
                            event.kind, event.data = Kind.BINARY, self._from_text.feed(event.data, event.final)
                    elif self._to_text is not None:
                        event.kind, event.data = _TEXT, self._to_text.feed(event.data, event.final)
                    if event.data or not event.left:
                        forward.append(send(event))
                    self._owed = self._still_owed(event)
                    self.messages += event.final
                elif isinstance(event, Close):
                    ending, goodbye = event, self._goodbye(event)
                    forward.append(goodbye)
                elif self._target.carries_ping:
                    forward.append(send(event))
                elif isinstance(event, Ping):
                    asked = event  # the newest stands for all
        except ProtocolError as fault:
            ending = fault
        reply = b"" if asked is None else self._source_encoder.send(Pong(asked.data))
        return Step(b"".join(forward), reply, ending, len(goodbye))

    def finish(self) -> Step:
        try:
            close = self._decoder.finish()
        except ProtocolError as fault:
            return Step(b"", ending=fault)
        goodbye = self._goodbye(close)
        return Step(goodbye, ending=close, close_bytes=len(goodbye))

    def _goodbye(self, close: Close) -> bytes:
        return b"" if self._encoder.inside else self._encoder.send(close)

    def _still_owed(self, piece: Fragment) -> int | None:
        """What `unfinished` is behind this piece."""
        if piece.final:
            return 0
        # The message leaves as one frame: nobody knows how much of it comes behind a frame that is not the last.
        return None if self._target.delimits_text and not (piece.left and piece.last) else piece.left

    def unfinished(self) -> int | None:
        return self._owed

    def inside(self) -> bool:
        return self._encoder.inside


def _text_filter(source: Side, target: Side, terms: Terms, from_text: Converter | None) -> Utf8Filter | None:
    """What text must go through. A converter takes whole characters, which the filter sees to."""
    if source.framing.repairs_text:
        return Utf8Filter("replace" if terms.invalid_utf8 == "replace" else "strict")
    return Utf8Filter("strict") if target.framing.delimits_text or from_text is not None else None


def _never_whole(data: bytes) -> None:
    """In the place of `Decoder.whole`, where no text goes on as it is."""


def translator(source: Side, target: Side, terms: Terms, mask_keys: Iterator[bytes]) -> Translator:
    """The direction from `source` to `target`, towards whom we play the other role."""
    walker = source.framing.walker
    if source.framing is target.framing and walker is not None and source.text_only == target.text_only:
        return walker(source.role, terms.limits, terms.compressed)
    return EventTranslator(source, target, terms, mask_keys)
