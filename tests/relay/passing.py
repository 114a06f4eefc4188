"""How tests feed bytes to one direction of a session, and what they compare."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat

from tests.dialects.feeding import other
from tests.dialects.vectors import MASK_KEY, SECRET
from wsgateway.dialects import DIALECTS, Side
from wsgateway.dialects.base import Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.events import Close, Role

Ending = Close | int | None
"""A goodbye, or the close code of a fault."""

CLIENT, UPSTREAM = Role.SERVER, Role.CLIENT
"""Whom the bytes come from, said by the part that we play towards it."""

HIXIE = ("hixie-75", "hixie-76")
MORE = ("hybi-01", "hybi-02", "hybi-03")
COVERED = ("hybi-04", "hybi-05", "hybi-06")  # the masks of their clients cover heads, too
LATER = ("hybi-07", "hybi-08")
RFC = ("rfc6455",)
FRAMES = (*LATER, *RFC)

USUAL = TranslationOptions()
"""What holds where a test says nothing else."""

# What the two handshakes of a session leave for the frames of hybi-04; all other dialects make nothing of it. The
# client's is that of the vectors.
SECRETS = {CLIENT: SECRET, UPSTREAM: bytes.fromhex("000102030405060708090a0b0c0d0e0f10111213")}


@dataclass
class Passed:
    """What came out of a translator."""

    steps: list[bytes] = field(default_factory=list)
    """for the other side, of each feeding"""
    reply: bytes = b""
    """for the side that the bytes came from"""
    ending: Ending = None

    @property
    def forward(self) -> bytes:
        return b"".join(self.steps)


def side(dialect: str, role: Role, takes_binary: bool = True, joins: bool = False) -> Side:
    """What we speak, in that role: to the client if we are the server."""
    return Side(DIALECTS[dialect].framing, role, SECRETS[role], takes_binary, joins=joins)


def direction(source: str, target: str, role: Role, options: TranslationOptions = USUAL) -> Translator:
    """From one dialect, towards which we play the role, to another; masks have the key of the drafts' example."""
    return translator(side(source, role), side(target, other(role)), options, repeat(MASK_KEY))


def put_through(translator: Translator, pieces: Iterable[bytes]) -> Passed:
    """Feeds the pieces one by one, up to the ending."""
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
    """The ending as it can be compared."""
    return ending.close_code if isinstance(ending, ProtocolError) else ending
