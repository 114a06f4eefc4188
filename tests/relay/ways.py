"""The ways through the gateway: every dialect of a client with every dialect of an upstream, in both directions.

The source sends something in its own frames, the translator passes it on in the target's frames, and the target's own
decoder reads the result. The bytes themselves are compared in `test_translate` and its neighbours and, for each
dialect, in `tests.dialects`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, product

from tests.cases import Decorator, cases
from tests.dialects.feeding import CUTS, GENEROUS, Heard, hear, other
from wsgateway.dialects import DIALECTS, Dialect, Framing, Side
from wsgateway.dialects.base import Translator
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.events import Event, Role

from .in_c import on_both
from .passing import SECRETS, USUAL, Ending, put_through

NO_CLOSE = 1006
READ_BYTES = 64 * 1024


def keys() -> Iterator[bytes]:
    """Yield mask keys, each different from the others."""
    return ((number & 0xFFFFFFFF).to_bytes(4, "big") for number in count(0x37FA213D, 0x01030507))


@dataclass(frozen=True)
class Way:
    """One direction through the gateway."""

    source: Dialect
    target: Dialect
    role: Role
    """our role towards the source; the source has the other role, which is ours towards the target"""
    source_takes_binary: bool = True
    target_takes_binary: bool = True

    def __str__(self) -> str:
        source = self.source.name + ("" if self.source_takes_binary else " without binary")
        target = self.target.name + ("" if self.target_takes_binary else " without binary")
        return f"{source} {'client' if self.role is Role.SERVER else 'upstream'} to {target}"

    @property
    def is_walked(self) -> bool:
        """Whether frames pass unchanged: both sides have the same, with masks that are valid on other connections."""
        framing = self.source.framing
        same = framing is self.target.framing and self.source_takes_binary == self.target_takes_binary
        return same and framing.walker is not None

    def write(self, *events: Event) -> bytes:
        """Return what the source sends for this."""
        encoder = self.source.framing.encoder(other(self.role), keys(), SECRETS[self.role])
        return b"".join(map(encoder.send, events))

    def translator(self, options: TranslationOptions = USUAL, mask_keys: Iterator[bytes] | None = None) -> Translator:
        ours, theirs = self.role, other(self.role)
        source = Side(self.source.framing, ours, SECRETS[ours], self.source_takes_binary)
        target = Side(self.target.framing, theirs, SECRETS[theirs], self.target_takes_binary)
        return translator(source, target, options, keys() if mask_keys is None else mask_keys)

    def pass_on(self, pieces: Iterable[bytes], options: TranslationOptions = USUAL) -> "Arrived":
        passed = put_through(on_both(lambda mask_keys: self.translator(options, mask_keys), keys()), pieces)
        # The gateway answers the source.
        decoder = self.source.framing.decoder(other(self.role), GENEROUS, SECRETS[self.role])
        answer = hear(decoder, [passed.reply])
        return Arrived(self.read(passed.steps), answer.events, passed.ending)

    def read(self, steps: Iterable[bytes]) -> Heard:
        """Return what the target reads from our bytes."""
        return hear(self.target.framing.decoder(self.role, GENEROUS, SECRETS[other(self.role)]), steps)


@dataclass
class Arrived:
    """The results of some bytes."""

    heard: Heard
    """by the target"""
    answered: list[Event]
    """to the source"""
    ending: Ending


def arrived(*events: Event) -> Arrived:
    """Return the result if the target got this and nothing else happened."""
    return Arrived(Heard(list(events)), [], None)


# One dialect for each framing: to a translator, those that share one are equal.
DISTINCT = list({id(dialect.framing): dialect for dialect in reversed(DIALECTS.values())}.values())[::-1]
WAYS = [Way(source, target, role) for source, target, role in product(DISTINCT, DISTINCT, Role)]


def ways(condition: Callable[[Framing, Framing], bool] = lambda source, target: True) -> Decorator:
    """Return all directions between dialects for whose framings this is true."""
    return parametrized([way for way in WAYS if condition(way.source.framing, way.target.framing)])


def parametrized(several: Iterable[Way]) -> Decorator:
    """Return a mark that runs a test with each of these."""
    return cases("way", several)


every_way = ways()


def read_by_read(data: bytes) -> list[bytes]:
    """Return the bytes cut as the engine reads them when they come fast."""
    return [data[at : at + READ_BYTES] for at in range(0, len(data), READ_BYTES)]


def cuts(data: bytes) -> list[list[bytes]]:
    """Return the bytes whole, one by one, and cut at random."""
    return [cut(data) for cut in CUTS]


def everywhere(data: bytes) -> Iterator[list[bytes]]:
    """Return the bytes cut once, at each place in turn."""
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
