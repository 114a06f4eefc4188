"""Binary messages as text, for peers that have only text, and back. A message may be cut into pieces anywhere.

reject    no text form: a binary message is refused with 1003 (unsupported data)
base64    as in websockify (RFC 4648, 4), padded
latin-1   each byte as the character U+0000 to U+00FF, which a script reads with charCodeAt
hex       two digits for each byte, written in lower case; both cases are read
"""

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.state import Resumable, State, expect

Encode = Literal["reject", "base64", "latin-1", "hex"]
Decode = Literal["none", "base64", "latin-1", "hex"]


@dataclass(frozen=True, slots=True)
class BinaryRule:
    """The conversion of binary messages where one side has only text."""

    encode: Encode = "reject"
    """the form of binary messages on their way to that side"""
    decode: Decode = "none"
    """the form of text messages from that side, all of which then become binary; none: they stay text"""


@dataclass(frozen=True, slots=True)
class BinaryState(State):
    """The state of a conversion."""

    kept: bytes
    """what could not be converted yet"""
    padded: bool = False
    """whether the padding of a text has come"""


class Converter(Resumable, Protocol):
    """A converter of the messages of one direction: text to binary, or binary to text."""

    def feed(self, data: bytes, final: bool) -> bytes:
        """Return what can be converted so far, given the next piece of a message; `final` ends the message.

        Keep at most 3 bytes for the next call. Raise ProtocolError for what cannot be converted; the converter must
        not be used after that.
        """

    def length(self, data_bytes: int, final: bool) -> int | None:
        """Return how many bytes `feed` will return for `data_bytes` more bytes; `final`: they end the message.

        Return None if that depends on the bytes.
        """


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to write binary as text."""

    to_text: Callable[[bytes], bytes]
    bytes_together: int
    """how many bytes are converted together"""
    from_text: Callable[[bytes], bytes]
    """raises ValueError for text that does not have this form"""
    characters_together: int
    """how many characters are converted together"""
    padding: bytes | None = None
    """the character that may stand only at the end of a text"""
    text_bytes: int | None = None
    """how many bytes of text one group of bytes becomes, the last group of a message too; None: it varies"""
    binary_bytes: int | None = None
    """how many bytes one group of characters becomes; None: it varies"""
    first_of_two: int = 256
    """a byte of this value or above begins a character of two bytes, so it is not the last byte of a character"""


def _latin_1(text: bytes) -> bytes:
    return text.decode().encode("latin-1")


_FORMS = {
    "base64": _Form(
        lambda data: binascii.b2a_base64(data, newline=False),
        3,
        lambda text: binascii.a2b_base64(text, strict_mode=True),
        4,
        padding=b"=",
        text_bytes=4,
    ),
    # In its text, characters from U+0080 on have two bytes; the first of them is C2 or C3.
    "latin-1": _Form(lambda data: data.decode("latin-1").encode(), 1, _latin_1, 1, first_of_two=0xC0),
    "hex": _Form(lambda data: data.hex().encode(), 1, binascii.unhexlify, 2, text_bytes=2, binary_bytes=1),
}


class _Encoding:
    """A converter of binary to text."""

    __slots__ = ("_form", "_kept")

    def __init__(self, form: _Form) -> None:
        self._form = form
        self._kept = b""

    def state(self) -> BinaryState:
        return BinaryState(self._kept)

    def resume(self, state: State) -> None:
        self._kept = expect(BinaryState, state).kept

    def feed(self, data: bytes, final: bool) -> bytes:
        data = self._kept + data
        cut = len(data) if final else len(data) - len(data) % self._form.bytes_together
        self._kept = data[cut:]
        return self._form.to_text(data[:cut])

    def length(self, data_bytes: int, final: bool) -> int | None:
        if self._form.text_bytes is None:
            return None
        together, rest = divmod(len(self._kept) + data_bytes, self._form.bytes_together)
        return self._form.text_bytes * (together + (final and rest > 0))


class _Decoding:
    """A converter of text to binary."""

    __slots__ = ("_form", "_kept", "_name", "_padded")

    def __init__(self, name: str) -> None:
        self._name = name
        self._form = _FORMS[name]
        self._kept = b""
        self._padded = False

    def state(self) -> BinaryState:
        return BinaryState(self._kept, self._padded)

    def resume(self, state: State) -> None:
        own = expect(BinaryState, state)
        self._kept, self._padded = own.kept, own.padded

    def feed(self, data: bytes, final: bool) -> bytes:
        data = self._kept + data
        cut = len(data) if final else len(data) - len(data) % self._form.characters_together
        if cut and not final and data[cut - 1] >= self._form.first_of_two:
            cut -= 1
        self._kept, taken = data[cut:], data[:cut]
        padding = self._form.padding
        try:
            # Nothing may follow the padding, also where the padding came in an earlier piece.
            if self._padded and data:
                raise ValueError
            # Python accepts padding after a text that needs none.
            if padding is not None and (len(taken) % self._form.characters_together or taken.endswith(3 * padding)):
                raise ValueError
            binary = self._form.from_text(taken)
        except ValueError:
            raise self._wrong() from None
        self._padded = not final and (self._padded or (padding is not None and taken.endswith(padding)))
        return binary

    def _wrong(self) -> ProtocolError:
        return ProtocolError(Reason.TEXT_NOT_UTF8, f"text that is not {self._name}")

    def length(self, data_bytes: int, final: bool) -> int | None:
        """Return the length as `Converter.length` does. Raise ProtocolError (1007) for a length that no text has."""
        if self._form.binary_bytes is None:
            return None
        together, rest = divmod(len(self._kept) + data_bytes, self._form.characters_together)
        if final and rest:
            raise self._wrong()
        return self._form.binary_bytes * together


class _Rejection:
    """A converter that refuses every binary message."""

    def state(self) -> BinaryState:
        return BinaryState(b"")

    def resume(self, state: State) -> None:
        expect(BinaryState, state)

    def feed(self, data: bytes, final: bool) -> bytes:
        raise ProtocolError(Reason.BINARY_UNSUPPORTED, "binary message to a side that has only text")

    def length(self, data_bytes: int, final: bool) -> int | None:
        raise AssertionError("what is refused has no length")


def to_text(encode: Encode) -> Converter:
    """Return the converter for binary messages to a peer that has only text."""
    return _Rejection() if encode == "reject" else _Encoding(_FORMS[encode])


def from_text(decode: Decode) -> Converter | None:
    """Return the converter for text messages from a peer that has only text; None if they stay text."""
    return None if decode == "none" else _Decoding(decode)
