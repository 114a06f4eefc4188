"""Text that arrives in pieces, checked or repaired without holding more than an unfinished character back."""

import codecs
from typing import Literal

from wsgateway.errors import ProtocolError

InvalidUtf8 = Literal["replace", "close"]
"""What becomes of broken text from clients that send it in good faith."""

_DECODER = codecs.getincrementaldecoder("utf-8")


class Utf8Filter:
    """Lets UTF-8 through. What is not UTF-8 ends the message or, with `replace`, becomes U+FFFD.

    `replace` is for dialects whose honest clients send broken text: a WebKit of 2011 sends a lone surrogate
    as three bytes, ED A0 80.
    """

    __slots__ = ("_decoder", "_errors")

    def __init__(self, errors: Literal["strict", "replace"]) -> None:
        self._errors = errors
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes, final: bool) -> bytes:
        """Takes the next piece of a message, cut anywhere; `final` ends the message.

        Returns all whole characters so far; keeps at most 3 bytes. Raises ProtocolError (1007) in strict mode;
        after that the filter must not be used again.
        """
        if self._decoder is None:
            if data.isascii():
                return data
            self._decoder = _DECODER(self._errors)
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            raise ProtocolError(f"text is not UTF-8: {error.reason}", 1007) from None
        if final:
            self._decoder = None
        return text.encode()
