"""Text that arrives in pieces: checked, or repaired with at most one unfinished character kept."""

import codecs
from dataclasses import dataclass
from typing import ClassVar, Literal

from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.state import State, expect

InvalidUtf8 = Literal["replace", "close"]
"""how broken text is handled if it comes from a client whose dialect allows it to send some"""

_DECODER = codecs.getincrementaldecoder("utf-8")


@dataclass(frozen=True, slots=True)
class Utf8State(State):
    """The state of a check or a repair."""

    kept: bytes
    """the first bytes of a character whose rest has not come"""


class _Text:
    """The common part of a check and of a repair."""

    __slots__ = ("_decoder",)
    _errors: ClassVar[str]

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None

    def state(self) -> Utf8State:
        return Utf8State(b"" if self._decoder is None else self._decoder.getstate()[0])

    def resume(self, state: State) -> None:
        kept = expect(Utf8State, state).kept
        if kept:
            self._decoder = _DECODER(self._errors)
            self._decoder.setstate((kept, 0))


class Utf8Check(_Text):
    """A check that returns text unchanged, and raises an error where a message is not UTF-8."""

    __slots__ = ()
    _errors = "strict"

    def feed(self, data: bytes, final: bool) -> bytes:
        """Return the next piece of a message unchanged; it may be cut anywhere. `final` ends the message.

        A cut character is returned in parts. Raise ProtocolError (1007) at the first byte that UTF-8 cannot have at its
        position; the check must not be used after that.
        """
        if self._decoder is None:
            if data.isascii():
                return data
            self._decoder = _DECODER(self._errors)
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise ProtocolError(Reason.TEXT_NOT_UTF8, f"text is not UTF-8: {error.reason}") from None
        if final:
            self._decoder = None
        return data

    def length(self, data_bytes: int, final: bool) -> int:
        """Return how many bytes `feed` will return for so many more: the same number."""
        return data_bytes


class Utf8Repair(_Text):
    """A repair that returns UTF-8 unchanged, and writes U+FFFD in the place of bytes that are not UTF-8.

    Some dialects need it because their regular clients send broken text: a WebKit of 2011 sends a lone surrogate as
    three bytes, ED A0 80.
    """

    __slots__ = ()
    _errors = "replace"

    def feed(self, data: bytes, final: bool) -> bytes:
        """Return all characters that are whole so far, given the next piece of a message, cut anywhere.

        `final` ends the message. Keep at most 3 bytes for the next call.
        """
        if self._decoder is None:
            if data.isascii():
                return data
            self._decoder = _DECODER(self._errors)
        text = self._decoder.decode(data, final)
        if final:
            self._decoder = None
        return text.encode()

    def length(self, data_bytes: int, final: bool) -> None:
        """Return None: the length of repaired text depends on its bytes."""
