"""Text that arrives in pieces: checked as it passes, or repaired with at most an unfinished character kept."""

import codecs
from typing import Literal

from wsgateway.errors import ProtocolError
from wsgateway.wire.closecodes import INVALID_TEXT

InvalidUtf8 = Literal["replace", "close"]
"""What becomes of broken text from clients that send it in good faith."""

_DECODER = codecs.getincrementaldecoder("utf-8")


class Utf8Check:
    """Passes text on as it comes, and ends the message where it turns out not to be UTF-8."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, final: bool) -> bytes:
        """Take the next piece of a message, cut anywhere; `final` ends the message.

        Return the same bytes; a character that is cut passes in parts. Raise ProtocolError (1007) at the first byte
        that no UTF-8 can have there; after that the check must not be used again.
        """
        if self._decoder is None:
            if data.isascii():
                return data
            self._decoder = _DECODER("strict")
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise ProtocolError(f"text is not UTF-8: {error.reason}", INVALID_TEXT) from None
        if final:
            self._decoder = None
        return data

    def length(self, data_bytes: int, final: bool) -> int:
        """Return how many bytes become of so many more."""
        return data_bytes


class Utf8Repair:
    """Lets UTF-8 through, and writes U+FFFD in the place of what is none.

    It is for dialects whose honest clients send broken text: a WebKit of 2011 sends a lone surrogate as three bytes,
    ED A0 80.
    """

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, final: bool) -> bytes:
        """Take the next piece of a message, cut anywhere; `final` ends the message.

        Return all whole characters so far. Keeps at most 3 bytes.
        """
        if self._decoder is None:
            if data.isascii():
                return data
            self._decoder = _DECODER("replace")
        text = self._decoder.decode(data, final)
        if final:
            self._decoder = None
        return text.encode()

    def length(self, data_bytes: int, final: bool) -> None:
        """Return None: how long broken text becomes is known when it is here."""
