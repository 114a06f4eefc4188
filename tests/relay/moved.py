"""Translators that go on in another object, from bytes, as a session does that moves to another process."""

from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from typing import Any

from wsgateway.dialects.base import Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.record import from_bytes, to_bytes
from wsgateway.wire.state import Resumable, State

from .in_c import InC

Make = Callable[[Iterator[bytes]], Translator]
"""makes a new translator that takes these mask keys"""
PassOn = Callable[[Resumable, Resumable], None]
"""has the second one go on from the state of the first"""


def through_bytes(before: Resumable, after: Resumable) -> None:
    """Have `after` go on from the state of `before`, which was written as bytes."""
    after.resume(from_bytes(State, to_bytes(before.state())))


def as_it_is(before: Resumable, after: Resumable) -> None:
    """Do the same without the bytes, which takes a tenth of the time."""
    after.resume(before.state())


def told(translator: Translator | InC, piece: bytes) -> tuple[Any, ...]:
    """Feed a piece, and return all that can be seen after it, in a form that can be compared."""
    step = translator.feed(piece)
    counts = translator.messages, translator.heartbeats, translator.unfinished(), translator.inside()
    ending = step.ending
    fault = (ending.reason, ending.close_code, str(ending)) if isinstance(ending, ProtocolError) else ending
    return step.forward, step.reply, fault, step.close_bytes, step.held, counts


class Kept:
    """A translator that goes on where it is."""

    def __init__(self, make: Make, keys: Iterator[bytes]) -> None:
        self.translator: Translator = make(keys)

    def feed(self, piece: bytes) -> tuple[Any, ...]:
        return told(self.translator, piece)


class Moved(Kept):
    """A translator that can move."""

    def __init__(self, make: Make, keys: Iterator[bytes], pass_on: PassOn = through_bytes) -> None:
        super().__init__(make, keys)
        self._make = make
        self._keys = keys
        self._pass_on = pass_on

    def move(self) -> None:
        after = self._make(self._keys)
        self._pass_on(self.translator, after)
        self.translator = after


class MovedInC:
    """The same with the lane in C before it."""

    def __init__(self, make: Make, keys: Iterator[bytes], pass_on: PassOn = through_bytes) -> None:
        self._make = make
        self._keys = keys
        self._pass_on = pass_on
        self._in_c = InC(make(keys), keys)

    def feed(self, piece: bytes) -> tuple[Any, ...]:
        return told(self._in_c, piece)

    def move(self) -> None:
        after = self._make(self._keys)
        self._pass_on(self._in_c.translator, after)
        self._in_c = InC(after, self._keys, self._in_c.passed)


def check(
    make: Make,
    keys: Iterator[bytes],
    pieces: Iterable[tuple[bytes, bool]],
    language: str = "Python",
    pass_on: PassOn = through_bytes,
) -> None:
    """Feed pieces to a translator that stays, and to one that moves before some of them, and compare all they say."""
    first, second = tee(keys)
    stays, moves = Kept(make, first), (MovedInC if language == "C" else Moved)(make, second, pass_on)
    for at, (piece, moved) in enumerate(pieces):
        if moved:
            moves.move()
        expected = stays.feed(piece)
        assert moves.feed(piece) == expected, (at, piece)
        if expected[2] is not None:
            break
