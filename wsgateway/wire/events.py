"""The events that pass through the gateway in every dialect: fragments of messages, pings, pongs, closes.

They are slotted dataclasses, not named tuples, because a Ping and a Pong with the same payload must not be equal.
"""

import enum
from dataclasses import dataclass

KEEPALIVE = b"wsgateway"
"""the payload of the gateway's own pings, which check whether a peer is alive, and so of the pongs that answer them"""


class Role(enum.Enum):
    """The role of the gateway on a connection: a server towards clients, a client towards upstreams."""

    CLIENT = "client"
    SERVER = "server"


class Kind(enum.Enum):
    """The type of a message."""

    TEXT = "text"
    BINARY = "binary"

    # Members compare by identity. The hash of Enum is written in Python and would be called for every frame.
    __hash__ = object.__hash__


@dataclass(slots=True)
class Fragment:
    """A part of a message, of any size, also empty: a whole frame, or the bytes of a frame that are here.

    A message is one or more of them. Text is UTF-8 and may be cut anywhere, also inside a character.
    """

    kind: Kind
    data: bytes
    final: bool = True
    """whether the message ends with it"""
    remaining: int | None = 0
    """how many bytes of its frame are still to come: 0 if it ends here, None if the length is not known (hixie)"""
    in_last_frame: bool = False
    """whether its frame, of which bytes are still to come, is the last one of the message; false if none are"""


@dataclass(slots=True)
class Ping:
    """A check whether the peer is alive: 0 to 125 bytes that the Pong must repeat."""

    data: bytes = b""


@dataclass(slots=True)
class Pong:
    """The answer to a `Ping`, or one that no Ping preceded (a unidirectional heartbeat): 0 to 125 bytes."""

    data: bytes = b""


@dataclass(slots=True)
class Close:
    """The closing of a connection. `code` is None where the peer sent none or its dialect has no codes."""

    code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        return "no code" if self.code is None else f"{self.code} {self.reason!r}" if self.reason else str(self.code)


Event = Fragment | Ping | Pong | Close
