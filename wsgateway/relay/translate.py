"""One direction of a session: the frames of one dialect become frames of another.

If both sides have the same framing its walker passes the frames on as they are. Otherwise they are decoded and
encoded, fragment by fragment, so that a message of any size passes in bounded memory. What the target cannot say:

    ping, to a side without ping        answered by us; its pong is dropped
    binary, to a side without binary    the source is told that it is unsupported (1003)
    broken text, to hixie               from RFC 6455: a fault (1007); from hixie, whose clients send it: repaired
    a close code, to a side without it  a Close without a code
    a Close inside a message            in hixie it would become part of the text: left out, and the connection is cut
"""

from collections.abc import Iterator

from wsgateway.dialects.base import Framing, Limits, Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import UNSUPPORTED_DATA
from wsgateway.wire.events import Close, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.utf8 import Utf8Filter

# A member of an Enum is looked up in Python each time; this one is needed for every message.
_TEXT = Kind.TEXT


class EventTranslator:
    """Decodes the source's frames, and encodes the same events for the target."""

    __slots__ = (
        "_decoder", "_encoder", "_inside", "_source_encoder", "_target", "_text", "_whole", "_write_whole",
        "messages",
    )  # fmt: skip

    def __init__(
        self, source: Framing, target: Framing, role: Role, limits: Limits, mask_keys: Iterator[bytes]
    ) -> None:
        other_role = Role.CLIENT if role is Role.SERVER else Role.SERVER
        self._target = target
        self._decoder = source.decoder(role, limits)
        self._encoder = target.encoder(other_role, mask_keys)
        self._source_encoder = source.encoder(role, mask_keys)
        self._text = None
        if source.repairs_text:
            self._text = Utf8Filter("replace")
        elif target.delimits_text:
            self._text = Utf8Filter("strict")
        self._whole, self._write_whole = self._decoder.whole, self._encoder.whole
        self._inside = False
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
        send, text = self._encoder.send, self._text
        try:
            for event in self._decoder.receive(data):
                if isinstance(event, Fragment):
                    if event.kind is _TEXT:
                        if text is not None:
                            event.data = text.feed(event.data, event.final)
                    elif not self._target.carries_binary:
                        raise ProtocolError(f"binary message, {self._target.name} has only text", UNSUPPORTED_DATA)
                    forward.append(send(event))
                    self._inside = not event.final
                    self.messages += event.final
                elif isinstance(event, Close):
                    ending = event
                    forward.append(self._goodbye(event))
                elif self._target.carries_ping:
                    forward.append(send(event))
                elif isinstance(event, Ping):
                    asked = event  # the newest stands for all
        except ProtocolError as fault:
            ending = fault
        reply = b"" if asked is None else self._source_encoder.send(Pong(asked.data))
        return Step(b"".join(forward), reply, ending)

    def finish(self) -> Step:
        try:
            close = self._decoder.finish()
        except ProtocolError as fault:
            return Step(b"", ending=fault)
        return Step(self._goodbye(close), ending=close)

    def _goodbye(self, close: Close) -> bytes:
        return b"" if self.unfinished() is None else self._encoder.send(close)

    def unfinished(self) -> int | None:
        # A hixie message is one frame, and nothing says how long it will be.
        return None if self._inside and self._target.delimits_text else 0


def translator(
    source: Framing, target: Framing, role: Role, limits: Limits, mask_keys: Iterator[bytes], compressed: bool = False
) -> Translator:
    """The direction from `source`, towards whom we play `role`, to `target`, towards whom we play the other.

    `compressed` says that permessage-deflate was agreed between the two ends, which share a framing then.
    """
    if source is target and source.walker is not None:
        return source.walker(role, limits, compressed)
    return EventTranslator(source, target, role, limits, mask_keys)
