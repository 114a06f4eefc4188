"""A translator of one direction of a session: the frames of one dialect become frames of another.

If both sides have the same framing, its walker passes the frames on unchanged, unless the target needs every message in
one frame. Otherwise the frames are decoded and encoded one by one (see `messages`), so that a message of any size
passes in bounded memory. What the target's dialect does not have:

    ping, to a side without ping        answered by the gateway; a pong is dropped
    binary, to a side without binary    converted to text by the `BinaryRule`, or refused (1003, unsupported data)
    broken text, to hixie               from RFC 6455: a fault (1007); from drafts whose clients send it: repaired
    a close code, to a side without it  a Close without a code
    a Close inside a message            inside an unfinished frame it would become payload: it is not sent, and the
                                        connection is cut
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from wsgateway.dialects.base import Layout, Limits, Plan, Side, Step, Translator
from wsgateway.errors import ProtocolError, RecordError, detached
from wsgateway.relay.messages import MessageWriter, WriterState
from wsgateway.wire.binary import BinaryRule, Converter, from_text, to_text
from wsgateway.wire.events import KEEPALIVE, Close, Event, Fragment, Kind, Ping, Pong
from wsgateway.wire.state import Resumable, State, expect
from wsgateway.wire.utf8 import InvalidUtf8, Utf8Check, Utf8Repair

# Access to a member of an Enum runs Python code each time; these are needed for every message.
_TEXT, _BINARY = Kind.TEXT, Kind.BINARY


@dataclass(slots=True)
class TranslationOptions:
    """The settings of a route for the messages of a session."""

    limits: Limits = field(default_factory=Limits)
    binary: BinaryRule = field(default_factory=BinaryRule)
    invalid_utf8: InvalidUtf8 = "replace"
    """broken text from dialects whose regular clients send it: repaired, or a fault (1007) as in all others"""
    compressed: bool = False
    """whether both ends have agreed on permessage-deflate; they then share a framing"""


@dataclass(frozen=True, slots=True)
class TranslatorState(State):
    """The state of a translator that decodes and encodes."""

    decoder: State
    encoder: State
    writer: WriterState
    text: State | None
    """of what converts texts; None: nothing does"""
    binary: State | None
    """the same for binary messages"""
    unfinished: int | None
    messages: int
    heartbeats: int


class EventTranslator:
    """A translator that decodes the source's frames and encodes the same events for the target."""

    __slots__ = (
        "_binary", "_binary_becomes", "_decoder", "_encoder", "_mask_keys", "_source", "_takes_whole", "_target",
        "_text", "_text_becomes", "_unfinished", "_writer", "heartbeats", "messages", "plan",
    )  # fmt: skip

    def __init__(self, source: Side, target: Side, options: TranslationOptions, mask_keys: Iterator[bytes]) -> None:
        self._source, self._target = source, target.framing
        self._mask_keys = mask_keys
        self._decoder = source.decoder(options.limits)
        self._encoder = target.encoder(mask_keys)
        self._writer = MessageWriter(target, self._encoder, options.limits.join_bytes)
        self._binary = to_text(options.binary.encode) if target.text_only else None
        self._binary_becomes = _BINARY if self._binary is None else _TEXT
        both_ways = source.text_only and not target.text_only
        reading = from_text(options.binary.decode) if both_ways else None
        # The converter from text to binary refuses broken text itself.
        self._text = _text_filter(source, target, options) if reading is None else reading
        self._text_becomes = _TEXT if reading is None else _BINARY
        # Whether a message that comes whole needs nothing but encoding.
        self._takes_whole = reading is None and not target.joins
        self._unfinished: int | None = 0
        self.messages = self.heartbeats = 0
        self.plan: Plan | None = None
        reads, writes = source.reads, target.writes
        if reads is not None and writes is not None and self._takes_whole:
            if self._binary is not None:
                writes = Layout(writes.text, -1, writes.masked)
            self.plan = _plan(self._text is not None, reads, writes, options.limits.message_bytes)

    def state(self) -> TranslatorState:
        text, binary = (None if each is None else each.state() for each in (self._text, self._binary))
        decoder, encoder, writer = self._decoder.state(), self._encoder.state(), self._writer.state()
        return TranslatorState(decoder, encoder, writer, text, binary, self._unfinished, self.messages, self.heartbeats)

    def resume(self, state: State) -> None:
        own = expect(TranslatorState, state)
        self._decoder.resume(own.decoder)
        self._encoder.resume(own.encoder)
        self._writer.resume(own.writer)
        _resume(self._text, own.text)
        _resume(self._binary, own.binary)
        self._unfinished, self.messages, self.heartbeats = own.unfinished, own.messages, own.heartbeats

    @property
    def at_rest(self) -> bool:
        return not self._writer.busy and self._decoder.at_rest

    def feed(self, data: bytes) -> Step:
        text = self._decoder.whole(data) if self._takes_whole else None
        if text is None:
            return self._feed(self._decoder.receive(data))
        if text.isascii():  # ASCII breaks no rule about text
            self.messages += 1
            return Step(self._encoder.whole(text))
        return self._feed((Fragment(_TEXT, text),))

    def _feed(self, events: Iterable[Event]) -> Step:
        forward = []
        ping: Ping | None = None
        ending: Close | ProtocolError | None = None
        close_bytes = b""
        writer = self._writer
        try:
            for event in events:
                if isinstance(event, Fragment):
                    if event.kind is _TEXT:
                        converter, event.kind = self._text, self._text_becomes
                    else:
                        converter, event.kind = self._binary, self._binary_becomes
                    if event.final and not writer.busy:  # most messages are one whole frame
                        content = event.data if converter is None else converter.feed(event.data, True)
                        if event.kind is _TEXT:
                            forward.append(self._encoder.whole(content))
                        else:
                            forward.append(self._encoder.send(Fragment(_BINARY, content)))
                    else:
                        self._unfinished = self._unfinished_after(event)
                        forward.append(writer.write(event, converter))
                    self.messages += event.final
                elif isinstance(event, Close):
                    ending, close_bytes = event, self._close(event)
                    forward.append(close_bytes)
                else:
                    self.heartbeats += event.data != KEEPALIVE
                    if self._target.carries_ping:
                        forward.append(self._encoder.send(event))
                    elif isinstance(event, Ping):
                        ping = event  # one pong answers the newest ping, and so all before it
        except ProtocolError as fault:
            ending = detached(fault)
            writer.drop()
        reply = b"" if ping is None else self._source.encoder(self._mask_keys).send(Pong(ping.data))
        return Step(b"".join(forward), reply, ending, len(close_bytes), writer.held)

    def finish(self) -> Step:
        try:
            close = self._decoder.finish()
        except ProtocolError as fault:
            self._writer.drop()
            return Step(b"", ending=detached(fault))
        close_bytes = self._close(close)
        return Step(close_bytes, ending=close, close_bytes=len(close_bytes))

    def _close(self, close: Close) -> bytes:
        self._writer.drop()
        return b"" if self._encoder.inside else self._encoder.send(close)

    def _unfinished_after(self, fragment: Fragment) -> int | None:
        """Return the value of `unfinished` after this fragment."""
        if fragment.final:
            return 0
        # If this frame is not the last of its message, the size of the following frames is not known.
        known = not self._writer.one_frame or (fragment.remaining and fragment.in_last_frame)
        return fragment.remaining if known else None

    def unfinished(self) -> int | None:
        return self._unfinished

    def inside(self) -> bool:
        return self._encoder.inside

    def release(self) -> bytes | None:
        return self._writer.release()


def _resume(converter: Resumable | None, state: State | None) -> None:
    if converter is not None:
        converter.resume(expect(State, state))
    elif state is not None:
        raise RecordError(f"{type(state).__name__} of a conversion, and this route has none")


@lru_cache
def _plan(checks: bool, reads: Layout, writes: Layout, message_bytes: int) -> Plan:
    """Return a plan that sessions share: it would need a tenth of the memory of a session."""
    return Plan(False, 0, checks, reads, writes, message_bytes)


def _text_filter(source: Side, target: Side, options: TranslationOptions) -> Converter | None:
    """Return the check or repair for text on its way to the target; None if it needs none."""
    if source.framing.repairs_text and options.invalid_utf8 == "replace":
        return Utf8Repair()
    return Utf8Check() if source.framing.repairs_text or target.framing.delimits_text else None


def translator(source: Side, target: Side, options: TranslationOptions, mask_keys: Iterator[bytes]) -> Translator:
    """Return the translator from `source` to `target`; our role is another one towards each."""
    walker = source.framing.walker
    same = source.framing is target.framing and source.text_only == target.text_only
    if same and walker is not None and not target.joins:
        return walker(source.role, options.limits, options.compressed)
    return EventTranslator(source, target, options, mask_keys)
