"""What the program sees of its configuration: complete, checked and frozen.

Every default is filled in, every route carries its own timeouts and limits, every name has become the thing
that it names. `load` makes these; tests may make them by hand.
"""

from dataclasses import dataclass, field
from typing import Literal

from wsgateway.dialects import DIALECTS, Dialect, Limits
from wsgateway.wire.binary import BinaryRule
from wsgateway.wire.flash import Grant
from wsgateway.wire.heads import HeadLimits
from wsgateway.wire.utf8 import InvalidUtf8

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json"]
FlashMode = Literal["none", "inline", "only"]
LocationScheme = Literal["auto", "ws", "wss"]
Extensions = Literal["forward", "none"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or whom to call."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    """0: the system chooses one"""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """One server of an upstream."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    url: str
    """as the operator wrote it"""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A named pool of servers."""

    name: str
    targets: tuple[Target, ...]
    """never empty; one, in this version"""
    dialect: Dialect = DIALECTS["rfc6455"]
    """what we speak to them"""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a session waits for each thing, in seconds, always more than 0."""

    handshake_seconds: float = 10.0
    """from a client's arrival to the 101, with the upstream's part; while there is no route, the default counts"""
    challenge_seconds: float = 5.0
    """for the 8 bytes that a hixie-76 client sends behind its head"""
    connect_seconds: float = 5.0
    """for an upstream to accept a connection"""
    close_seconds: float = 5.0
    """for a peer to answer a Close"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """Which paths a route takes: exactly one of the two is set."""

    prefix: str | None = None
    """whole segments: /chat takes /chat and /chat/x, not /chatter; a slash at its end makes no difference"""
    exact: str | None = None
    """nothing but this path"""

    def matches(self, path: str) -> bool:
        """Takes a path without its query, percent-encoded as the client sent it, and compares it as it stands."""
        if self.prefix is None:
            return path == self.exact
        stem = self.prefix.rstrip("/")
        return path == stem or path.startswith(stem + "/")


@dataclass(frozen=True, slots=True)
class Route:
    """A match, and what holds for the sessions that it takes."""

    name: str
    match: PathMatch
    upstream: Upstream
    dialects: tuple[Dialect, ...] = tuple(DIALECTS.values())
    """what clients may speak"""
    binary: BinaryRule = field(default_factory=BinaryRule)
    text_only: tuple[Dialect, ...] = ()
    """whose clients get no binary messages, though their dialect has them"""
    invalid_utf8: InvalidUtf8 = "replace"
    location_scheme: LocationScheme = "auto"
    """how the address begins that the hixie dialects repeat"""
    extensions: Extensions = "forward"
    unprefixed_headers: bool = False
    """whether the reply of hixie-76 also has the header names of hixie-75"""
    timeouts: Timeouts = Timeouts()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class FlashPolicy:
    """How a listener answers a Flash Player that asks which pages may connect."""

    mode: FlashMode = "none"
    """none: not at all; inline: beside HTTP; only: nothing else is served"""
    grants: tuple[Grant, ...] = ()
    """none: nobody may"""


@dataclass(frozen=True, slots=True)
class Listener:
    """Addresses that share a name and bounds."""

    name: str
    bind: tuple[Address, ...]
    """never empty"""
    max_connections: int
    """how many may be open at once"""
    head_limits: HeadLimits = field(default_factory=HeadLimits)
    flash_policy: FlashPolicy = FlashPolicy()


@dataclass(frozen=True, slots=True)
class Logging:
    """What is logged, and how a line looks."""

    level: Level = "info"
    format: Format = "text"


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration."""

    listeners: tuple[Listener, ...]
    """never empty"""
    routes: tuple[Route, ...]
    """never empty; the first match wins"""
    upstreams: dict[str, Upstream]
    """by name; those that no route uses too"""
    default_timeouts: Timeouts = Timeouts()
    """what holds while a head is read, and there is no route yet"""
    logging: Logging = Logging()
