"""What travels through the gateway, whatever the dialect: fragments of messages, pings, pongs, closes.

Slotted dataclasses and not named tuples: a Ping and a Pong with the same payload must not be equal.
"""

import enum
from dataclasses import dataclass

KEEPALIVE = b"wsgateway"
"""what stands in pings of ours that only ask whether a peer is there, and so in the pongs that answer them"""


class Role(enum.Enum):
    """The part that we play on a connection."""

    CLIENT = "client"
    SERVER = "server"


class Kind(enum.Enum):
    """What a message is made of."""

    TEXT = "text"
    BINARY = "binary"

    # A member is only equal to itself, and Enum's own hash, in Python, would be called for every frame.
    __hash__ = object.__hash__


@dataclass(slots=True)
class Fragment:
    """A piece of a message, of any size, empty too. A message is one or more of them; the last is `final`.

    Text is UTF-8, and may be cut anywhere, inside a character too. A piece is a whole frame, or what is there of one.
    """

    kind: Kind
    data: bytes
    final: bool = True
    left: int | None = 0
    """how many bytes of its frame are still to come: 0, it ends here; None, its length is not known (hixie)"""
    last: bool = False
    """whether the frame of which bytes are still to come is the last of its message"""


@dataclass(slots=True)
class Ping:
    """A question whether the peer is alive: 0 to 125 bytes that the answer repeats."""

    data: bytes = b""


@dataclass(slots=True)
class Pong:
    """The answer to a `Ping`, or a sign of life that nobody asked for: 0 to 125 bytes."""

    data: bytes = b""


@dataclass(slots=True)
class Close:
    """The end of a conversation. `code` is None where the peer gave none or its dialect has none."""

    code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        return "no code" if self.code is None else f"{self.code} {self.reason!r}" if self.reason else str(self.code)


Event = Fragment | Ping | Pong | Close
