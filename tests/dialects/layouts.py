"""The form of each draft's frames, derived from bytes of other implementations: tests write frames without our code.

A draft is known by its vectors alone: the number of each opcode, the meaning of the first bit, and what a client masks.
"""

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from tests import masks
from wsgateway.dialects import DIALECTS
from wsgateway.wire.events import Role

from .families import NAMES
from .feeding import frame
from .vectors import MASK_KEY, SECRET, vectors

# The vectors that show the number of an opcode; in all drafts a continuation is 0.
_SHOWN = {"text": "text_hello", "binary": "binary", "ping": "ping_hello", "pong": "pong_hello", "close": "close_empty"}


class Masked(enum.Enum):
    """The part of a frame that a client masks; a server masks nothing, in any draft."""

    NOTHING = "nothing"
    PAYLOAD = "the payload, behind a head with the key at its end"
    FRAME = "head and payload, behind the key"


@dataclass(frozen=True)
class Layout:
    """The form of a draft's frames."""

    numbers: dict[str, int]
    """the opcodes of text, binary, ping, pong, close, and more (a continuation)"""
    first_bit_ends: bool
    masked: Masked
    needs_secret: bool
    """whether the mask of a frame also depends on the handshake's secret"""

    def first(self, opcode: str | int, final: bool = True, reserved: int = 0) -> int:
        """Return the first byte of a frame."""
        number = self.numbers[opcode] if isinstance(opcode, str) else opcode
        return number | reserved | (0x80 if final is self.first_bit_ends else 0)

    def to(self, role: Role, first: int, payload: bytes = b"", size: int = 0) -> bytes:
        """Return a frame as a peer sends it; `role` is ours, `size` is as for `frame`."""
        masks = role is Role.SERVER
        if masks and self.masked is Masked.FRAME:
            return self.cover(frame(first, payload, False, size))
        return frame(first, payload, masks and self.masked is Masked.PAYLOAD, size)

    def cover(self, data: bytes) -> bytes:
        """Return the data after the key and under the mask of a draft that masks whole frames."""
        key = hashlib.sha1(MASK_KEY + SECRET).digest() if self.needs_secret else MASK_KEY
        return MASK_KEY + masks.masked(data, key)

    def said(self, role: Role, *frames: tuple[str, bool, bytes]) -> bytes:
        """Return several frames in a row, each given as its opcode, whether it ends its message, and its payload."""
        return b"".join(self.to(role, self.first(opcode, final), payload) for opcode, final, payload in frames)


def _read_off(dialect: str) -> Layout | None:
    def wire(name: str, direction: str) -> bytes:
        wanted = (dialect, direction, name)
        found = [each for each in vectors("frame", "ok") if (each.dialect, each.direction, each.name) == wanted]
        assert found, f"no vector shows {' '.join(wanted)}"
        return found[0].wire

    plain, masked = wire("text_hello", "s2c"), wire("text_hello", "c2s")
    if plain[0] == 0 and plain[-1] == 0xFF:
        return None  # between 00 and FF, as in hixie
    numbers = {opcode: wire(name, "s2c")[0] & 0x0F for opcode, name in _SHOWN.items()}
    kind = Masked.NOTHING if masked == plain else Masked.PAYLOAD if masked[0] == plain[0] else Masked.FRAME
    needs_secret = kind is Masked.FRAME and masks.masked(masked[4:], masked[:4]) != plain
    return Layout(numbers | {"more": 0}, plain[0] >= 0x80, kind, needs_secret)


_EVERY = {name: _read_off(name) for name in NAMES}
LAYOUTS = {name: layout for name, layout in _EVERY.items() if layout is not None}
"""the layouts of the dialects that have frames with a head"""


def with_layout(wanted: Callable[[str], bool] = lambda name: True) -> list[tuple[str, Role]]:
    """Return a mark that runs a test with those dialects, in both roles."""
    return [(name, role) for name in LAYOUTS if wanted(name) for role in Role]


def has_walker(name: str) -> bool:
    """Return whether a dialect's frames can be passed on unchanged."""
    return DIALECTS[name].framing.walker is not None
