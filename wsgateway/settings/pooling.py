"""What the program sees of a pool: how a target is trusted, chosen and checked, and what comes when it fails.

As `model`, of which this is a part.
"""

from dataclasses import dataclass
from typing import Literal

BalanceMethod = Literal["round_robin", "least_connections", "random", "hash"]
HashSource = Literal["ip", "cookie", "header", "query"]
CheckType = Literal["tcp", "http", "websocket"]


@dataclass(frozen=True, slots=True)
class TargetTls:
    """What a target must prove, and what we show it. Files are absolute paths of PEM."""

    ca: str | None = None
    """whose certificates count; None: the system's"""
    server_name: str | None = None
    """the name that its certificate must have; None: its host"""
    certificate: str | None = None
    """ours; None: we show none"""
    private_key: str | None = None
    """of it; None: in the same file"""


@dataclass(frozen=True, slots=True)
class Balance:
    """How one of several targets is chosen, each as often as its weight says."""

    method: BalanceMethod = "round_robin"
    source: HashSource = "ip"
    """hash: of what, so that equal ones come to the same target"""
    name: str = ""
    """hash: of the cookie, the header or the parameter of the query"""

    def __str__(self) -> str:
        return self.method if self.method != "hash" else f"hash of {self.source} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class ActiveCheck:
    """How a target is asked whether it can serve, also while no client wants it."""

    type: CheckType = "tcp"
    """tcp: it accepts, with TLS if it has that; http: GET is answered 2xx or 3xx; websocket: a handshake succeeds"""
    path: str = "/"
    """http, websocket: what is asked for"""
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    rise: int = 2
    """so many good answers one after the other bring a target up"""
    fall: int = 3
    """and so many failures down"""


@dataclass(frozen=True, slots=True)
class PassiveCheck:
    """When a target that fails clients is left alone for a while."""

    failures: int | None = 5
    """so many within the window; None: never"""
    window_seconds: float = 30.0
    eject_seconds: float = 30.0
    """for so long, and for twice as long each time that follows soon"""
    eject_most_seconds: float = 300.0
    """but no longer"""


@dataclass(frozen=True, slots=True)
class HealthChecks:
    """How it is known which targets can serve."""

    active: ActiveCheck | None = None
    """None: they are not asked"""
    passive: PassiveCheck = PassiveCheck()


@dataclass(frozen=True, slots=True)
class Queue:
    """Who may wait while all targets have their limit of connections."""

    size: int = 0
    """so many clients; others are answered 503 at once"""
    timeout_seconds: float = 1.0
