"""Functions that feed bytes to a decoder or a walker; results are compared as whole messages, however they were cut."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

from tests import masks
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.base import Decoder, Encoder, Translator
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Kind, Role

from .vectors import MASK_KEY, SECRET

GENEROUS = Limits()


def whole(data: bytes) -> list[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut_at_random(data: bytes, seed: int = 1) -> list[bytes]:
    """Return pieces of all sizes, some of them empty; the same for the same seed."""
    chance = random.Random(seed)
    marks = sorted(chance.randint(0, len(data)) for _ in range(2 + min(len(data), 40) // 2))
    return [data[start:stop] for start, stop in zip([0, *marks], [*marks, len(data)], strict=True)]


CUTS: list[Callable[[bytes], list[bytes]]] = [whole, byte_by_byte, cut_at_random]


@dataclass
class Heard:
    """The events of a decoder; a message stands where it ended."""

    events: list[Event] = field(default_factory=list)
    unfinished: Fragment | None = None
    fault: int | None = None
    """the close code of the ProtocolError that ended it"""


def hear(decoder: Decoder, pieces: Iterable[bytes]) -> Heard:
    """Feed the pieces one by one, up to the first fault."""
    heard = Heard()
    for piece in pieces:
        try:
            for event in decoder.receive(piece):
                _add(heard, event)
        except ProtocolError as fault:
            heard.fault = fault.close_code
            break
    return heard


def _add(heard: Heard, event: Event) -> None:
    if not isinstance(event, Fragment):
        heard.events.append(event)
        return
    if heard.unfinished is None:
        heard.unfinished = Fragment(event.kind, b"", False)
    assert heard.unfinished.kind is event.kind, "the fragments of a message are of one kind"
    heard.unfinished.data += event.data
    if event.final:
        heard.events.append(Fragment(event.kind, heard.unfinished.data, True))
        heard.unfinished = None


@dataclass
class Passed:
    """The results of a walker."""

    forward: bytes = b""
    ending: Close | int | None = None
    """a Close, or the close code of a fault"""
    messages: int = 0
    unfinished: int | None = 0


def walk(walker: Translator, pieces: Iterable[bytes]) -> Passed:
    """Feed the pieces one by one, up to the ending."""
    passed = Passed()
    for piece in pieces:
        step = walker.feed(piece)
        passed.forward += step.forward
        assert not step.reply, "who passes frames on answers none"
        if step.ending is not None:
            assert isinstance(step.ending, Close | ProtocolError)
            passed.ending = step.ending if isinstance(step.ending, Close) else step.ending.close_code
            break
    passed.messages, passed.unfinished = walker.messages, walker.unfinished()
    return passed


def decoder_of(dialect: str, role: Role, limits: Limits = GENEROUS, secret: bytes = SECRET) -> Decoder:
    """Return a decoder for the frames that a peer sends; `role` is ours. Most dialects ignore the secret."""
    return DIALECTS[dialect].framing.decoder(role, limits, secret)


def encoder_of(dialect: str, role: Role, mask_keys: Iterator[bytes] | None = None, secret: bytes = SECRET) -> Encoder:
    """Return an encoder for the frames that we send in that role, with the mask key of the vectors."""
    return DIALECTS[dialect].framing.encoder(role, repeat(MASK_KEY) if mask_keys is None else mask_keys, secret)


def walker_of(dialect: str, role: Role, limits: Limits = GENEROUS, compressed: bool = False) -> Translator:
    """Return a walker for the frames that a peer sends; `role` is ours."""
    walker = DIALECTS[dialect].framing.walker
    assert walker is not None
    return walker(role, limits, compressed)


def other(role: Role) -> Role:
    return Role.SERVER if role is Role.CLIENT else Role.CLIENT


def text(data: str | bytes, final: bool = True) -> Fragment:
    return Fragment(Kind.TEXT, data if isinstance(data, bytes) else data.encode(), final)


def binary(data: bytes, final: bool = True) -> Fragment:
    return Fragment(Kind.BINARY, data, final)


def frame(first: int, payload: bytes = b"", masked: bool = False, size: int = 0) -> bytes:
    """Return a frame of RFC 6455, 5.2, made here and not by the code under test.

    `first` is its first byte; `size` (2 or 8) writes the length in that many bytes, also where fewer would do.
    """
    length = len(payload)
    size = size or (0 if length < 126 else 2 if length < 65536 else 8)
    second = {0: length, 2: 126, 8: 127}[size] | (0x80 if masked else 0)
    head = bytes([first, second]) + (length.to_bytes(size, "big") if size else b"")
    if not masked:
        return head + payload
    return head + MASK_KEY + masks.masked(payload, MASK_KEY)
