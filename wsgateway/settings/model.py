"""What the program sees of its configuration: complete, checked and frozen.

Every default is filled in, every route carries its own timeouts and limits, every name has become the thing
that it names. `load` makes these; tests may make them by hand.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from wsgateway.dialects import DIALECTS, Dialect, Limits
from wsgateway.settings.basics import Address, Bind, Peers, Rate, UnixAddress
from wsgateway.settings.pooling import AnswerLimits, Balance, HealthChecks, Queue, TargetTls
from wsgateway.settings.process import Admin, Logging, Shutdown
from wsgateway.settings.routing import HeaderRules, Match, Origins, Rewrite
from wsgateway.wire.binary import BinaryRule
from wsgateway.wire.flash import Grant
from wsgateway.wire.heads import HeadLimits
from wsgateway.wire.oddities import DEFAULT, Tolerance
from wsgateway.wire.utf8 import InvalidUtf8

FlashMode = Literal["none", "inline", "only"]
LocationScheme = Literal["auto", "ws", "wss"]
Extensions = Literal["forward", "none"]
Fragments = Literal["keep", "join"]
Presence = Literal["none", "optional", "required"]
TlsProfile = Literal["modern", "intermediate", "legacy", "custom"]
TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]
Http2Mode = Literal["auto", "offer", "none"]
OverRate = Literal["close", "delay"]
ProxyVersion = Literal["none", "v1", "v2"]
# Far more than a browser sends, and too little to keep anybody busy.
_CONTROL_RATE = Rate(1000, 60.0)
# A thousand messages of the size that one of them may have by default.
JOIN_MEMORY_BYTES = 64 * 1024 * 1024


# -- the upstream side -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """One server of an upstream."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    url: str
    """as the operator wrote it"""
    scheme: str = "ws"
    """ws, wss, http or https"""
    tls: TargetTls = field(default_factory=TargetTls)
    srv: bool = False
    """whether the host is the name of SRV records, which say where the servers are"""
    weight: int = 1
    """it gets so many sessions where a target of weight 1 gets one"""
    backup: bool = False
    """whether it is for the time when no other can be used"""
    max_connections: int | None = None
    """how many may be open at once to each of its addresses; None: any number"""

    @property
    def secure(self) -> bool:
        """Whether the connection to it is encrypted."""
        return self.scheme in ("wss", "https")

    @property
    def address(self) -> Address | None:
        """Where it is, if its host is no name that has to be looked up."""
        try:
            ip_address(self.host)
        except ValueError:
            return None
        return Address(self.host, self.port)

    @property
    def authority(self) -> str:
        """The Host of a request that names the target itself."""
        default = 443 if self.secure else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A named pool of servers."""

    name: str
    targets: tuple[Target, ...]
    """never empty"""
    dialect: Dialect = DIALECTS["rfc6455"]
    """what we speak to them"""
    host: str = "preserve"
    """the Host that they see: preserve is the client's, target is their own, all else is itself"""
    send_proxy_protocol: ProxyVersion = "none"
    max_connections: int | None = None
    """how many may be open at once; None: any number"""
    balance: Balance = field(default_factory=Balance)
    queue: Queue = field(default_factory=Queue)
    attempts: int = 2
    """how many targets are tried for a session, the first one included"""
    health: HealthChecks = field(default_factory=HealthChecks)
    tolerance: Tolerance = DEFAULT["upstream"]
    """what its targets may do otherwise than the drafts say"""
    resolve_seconds: float = 30.0
    """how old an answer of the resolver may be"""
    answer_limits: AnswerLimits = field(default_factory=AnswerLimits)
    """bounds on what its targets answer"""
    fragments: Fragments = "keep"
    """what becomes of the fragments of messages to it"""

    @property
    def joins(self) -> bool:
        """Whether messages to it leave as one frame each."""
        return self.fragments == "join"


# -- routes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a session waits for each thing, in seconds, always more than 0. None: for ever."""

    handshake_seconds: float = 10.0
    """from a client's arrival to the 101, with the upstream's part; while there is no route, the default counts"""
    challenge_seconds: float = 5.0
    """for the 8 bytes that a hixie-76 client sends behind its head"""
    connect_seconds: float = 5.0
    """for an upstream to accept a connection"""
    idle_seconds: float | None = None
    """for either side to say anything"""
    close_seconds: float = 5.0
    """for a peer to answer a Close"""
    send_seconds: float = 30.0
    """for a peer to take any of what it is sent"""
    lifetime_seconds: float | None = None
    """for a session to end of itself"""
    response_seconds: float | None = 120.0
    """plain HTTP: for an upstream to begin its answer, and between pieces of that"""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """How a peer that is silent is asked whether it is still there."""

    interval_seconds: float | None = 30.0
    """of silence, until it is asked; None: never"""
    timeout_seconds: float = 20.0
    """for its answer"""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a client may do things; None: as often as it likes."""

    messages: Rate | None = None
    """of a session"""
    over_messages: OverRate = "close"
    """what happens to a client that sends more: a Close with 1008, or it is read more slowly"""
    handshakes: Rate | None = None
    """of an address, where it is known"""


@dataclass(frozen=True, slots=True)
class Route:
    """A match, and what holds for the sessions that it takes."""

    name: str
    match: Match
    upstream: Upstream | None
    """for WebSocket; None: there is none here"""
    http_upstream: Upstream | None = None
    """for requests without upgrade; None: they are refused"""
    rewrite: Rewrite = field(default_factory=Rewrite)
    headers: HeaderRules = field(default_factory=HeaderRules)
    dialects: tuple[Dialect, ...] = tuple(DIALECTS.values())
    """what clients may speak"""
    binary: BinaryRule = field(default_factory=BinaryRule)
    text_only: tuple[Dialect, ...] = ()
    """whose clients get no binary messages, though their dialect has them"""
    invalid_utf8: InvalidUtf8 = "replace"
    subprotocols: tuple[tuple[str, str], ...] | None = None
    """names of clients, and those that the upstream gets in their place; None: base64 is binary, for clients with text
    alone where `binary` is base64 both ways"""
    location_scheme: LocationScheme = "auto"
    """how the address begins that the hixie dialects repeat"""
    origins: Origins = field(default_factory=Origins)
    extensions: Extensions = "forward"
    fragments: Fragments = "keep"
    """what becomes of the fragments of messages to the client"""
    unprefixed_headers: bool = False
    """whether the reply of hixie-76 also has the header names of hixie-75"""
    timeouts: Timeouts = Timeouts()
    keepalive: Keepalive = Keepalive()
    limits: Limits = field(default_factory=Limits)
    rates: Rates = Rates()

    @property
    def joins(self) -> bool:
        """Whether messages to the client leave as one frame each."""
        return self.fragments == "join"


# -- the client side -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we show to clients that ask for one of the hosts. Files are absolute paths of PEM."""

    hosts: tuple[str, ...]
    """names in lower case, or *.name; the first certificate of a listener is for all others, too"""
    certificate: str
    private_key: str


@dataclass(frozen=True, slots=True)
class Http2:
    """What a client may do with a connection of HTTP/2."""

    streams: int = 100
    """how many it may have at the same time"""
    idle_seconds: float = 60.0
    """how long it may stay without one"""
    control_rate: Rate | None = _CONTROL_RATE
    """how many resets, pings, settings, priorities and empty frames it may send; None: as many as it likes"""


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """How a listener encrypts."""

    certificates: tuple[Certificate, ...]
    """never empty"""
    profile: TlsProfile = "intermediate"
    client_certificates: Presence = "none"
    client_ca: str | None = None
    """whose client certificates count, a file of PEM"""
    minimum: TlsVersion = "1.2"
    """custom: the oldest version"""
    ciphers: str | None = None
    """custom: as OpenSSL writes them; None: OpenSSL's own choice"""
    http2: Http2 | None = None
    """None: it is not offered"""


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """Whether clients come through a proxy that says who they are."""

    accept: Presence = "none"
    trusted: tuple[Peers, ...] = ()
    """whose word counts; none: nobody's"""


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
    bind: tuple[Bind, ...]
    """never empty"""
    max_connections: int
    """how many may be open at once"""
    max_connections_per_ip: int | None = None
    """and of those from one address, if they have one; None: as many"""
    ipv6_prefix: int = 64
    """how many bits of an IPv6 address count where clients are counted by their address"""
    head_limits: HeadLimits = field(default_factory=HeadLimits)
    tls: ListenerTls | None = None
    """None: it speaks plain TCP"""
    proxy_protocol: ProxyProtocol = ProxyProtocol()
    forwarded_trusted: tuple[Peers, ...] = ()
    """whose X-Forwarded-* and Forwarded are believed"""
    flash_policy: FlashPolicy = FlashPolicy()
    tolerance: Tolerance = DEFAULT["client"]
    """what clients may do otherwise than the drafts and RFCs say"""


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
    shutdown: Shutdown = field(default_factory=Shutdown)
    workers: int | None = 1
    """how many processes serve; None: one for each core that we may use, until it is counted"""
    join_memory_bytes: int = JOIN_MEMORY_BYTES
    """how much each of them may hold back of messages, so that they leave as one frame, in all sessions together"""
    logging: Logging = field(default_factory=Logging)
    admin: Admin | None = None
    """None: the gateway tells nobody of itself"""
    control: UnixAddress | Literal["auto"] | None = "auto"
    """where operators may ask it to do things; auto: where there is a directory for it; None: nowhere"""
    outdated: tuple[str, ...] = ()
    """for people: where keys stand by an old name, and what they are called now"""
