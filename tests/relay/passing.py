"""How tests feed bytes to one direction of a session, and what they compare."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat

from tests.dialects.feeding import GENEROUS
from tests.dialects.vectors import MASK_KEY
from wsgateway.dialects import DIALECTS, Limits
from wsgateway.dialects.base import Translator
from wsgateway.errors import ProtocolError
from wsgateway.relay.translate import translator
from wsgateway.wire.events import Close, Role

Ending = Close | int | None
"""A goodbye, or the close code of a fault."""


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


def direction(
    source: str, target: str, role: Role, limits: Limits = GENEROUS, *, compressed: bool = False
) -> Translator:
    """From one dialect, towards which we play the role, to another; masks have the key of the drafts' example."""
    framings = DIALECTS[source].framing, DIALECTS[target].framing
    return translator(*framings, role, limits, repeat(MASK_KEY), compressed)


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
