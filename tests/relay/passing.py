"""Functions that feed bytes to one direction of a session, and results that can be compared."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat

from tests.dialects.feeding import other
from tests.dialects.vectors import MASK_KEY, SECRET
from wsgateway.dialects import DIALECTS, Side
from wsgateway.dialects.base import Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.events import Close, Role

from .in_c import on_both

Ending = Close | int | None
"""a Close, or the close code of a fault"""

CLIENT, UPSTREAM = Role.SERVER, Role.CLIENT
"""the source of the bytes, as the role that we play towards it"""

USUAL = TranslationOptions()
"""the options unless a test gives others"""


def by(encode: Encode = "reject", decode: Decode = "none") -> TranslationOptions:
    """Return the options of a route that converts binary messages in these ways."""
    return TranslationOptions(binary=BinaryRule(encode, decode))


# The secrets that the two handshakes of a session make for the frames of hybi-04; all other dialects ignore them. The
# client's is that of the vectors.
SECRETS = {CLIENT: SECRET, UPSTREAM: bytes.fromhex("000102030405060708090a0b0c0d0e0f10111213")}


@dataclass
class Passed:
    """The results of a translator."""

    steps: list[bytes] = field(default_factory=list)
    """for the other side, one for each call"""
    reply: bytes = b""
    """for the side that the bytes came from"""
    ending: Ending = None

    @property
    def forward(self) -> bytes:
        return b"".join(self.steps)


def side(dialect: str, role: Role, takes_binary: bool = True, joins: bool = False) -> Side:
    """Return a side for our role: the client's side if we are the server."""
    return Side(DIALECTS[dialect].framing, role, SECRETS[role], takes_binary, joins=joins)


def direction(source: str, target: str, role: Role, options: TranslationOptions = USUAL) -> Translator:
    """Return a translator between two dialects; `role` is ours towards the source. Masks use the key of the drafts."""
    sides = side(source, role), side(target, other(role))
    return on_both(lambda keys: translator(*sides, options, keys), repeat(MASK_KEY))


def put_through(translator: Translator, pieces: Iterable[bytes]) -> Passed:
    """Feed the pieces one by one, up to the ending."""
    passed = Passed()
    for piece in pieces:
        step = translator.feed(piece)
        passed.steps.append(step.forward)
        passed.reply += step.reply
        passed.ending = ending_of(step.ending)
        if passed.ending is not None:
            break
    return passed


def ending_of(ending: Close | ProtocolError | None) -> Ending:
    """Return the ending in a form that can be compared."""
    return ending.close_code if isinstance(ending, ProtocolError) else ending
