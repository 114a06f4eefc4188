"""What the program sees of a pool: how a target is trusted, chosen and checked, and what comes when it fails.

As `model`, of which this is a part.
"""

from dataclasses import dataclass
from typing import Literal

from wsgateway.settings.regexes import Regex
from wsgateway.wire.heads import HeadLimits

BalanceMethod = Literal["round_robin", "least_connections", "random", "hash"]
HashSource = Literal["ip", "cookie", "header", "query", "path"]
CheckType = Literal["tcp", "http", "websocket"]
TargetProfile = Literal["modern", "intermediate", "legacy"]


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
    profile: TargetProfile = "intermediate"
    """which versions and ciphers are offered"""
    pins: tuple[str, ...] = ()
    """sha256: and 64 hexadecimal digits, of certificates or of their public keys, one of which the target must show;
    neither its name nor its date nor who signed it counts then"""
    nameless: bool = False
    """whether it is asked for by no name; with pins only"""


# Session cookies of a single sign-on, a long Location and a Content-Security-Policy make heads of answers larger than
# those of requests.
_ANSWER = HeadLimits(64 * 1024, 200)


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Bounds on the head of a target's answer. None: 64 KiB and 200 headers, or what the client's listener takes of a
    request, if that is more."""

    head_bytes: int | None = None
    headers: int | None = None

    def beside(self, requests: HeadLimits = _ANSWER) -> HeadLimits:
        """Return the bounds for a client whose own requests are held to these."""
        head_bytes = max(_ANSWER.head_bytes, requests.head_bytes) if self.head_bytes is None else self.head_bytes
        headers = max(_ANSWER.headers, requests.headers) if self.headers is None else self.headers
        return HeadLimits(head_bytes, headers)


@dataclass(frozen=True, slots=True)
class Balance:
    """How one of several targets is chosen, each as often as its weight says."""

    method: BalanceMethod = "round_robin"
    source: HashSource = "ip"
    """hash: of what, so that equal ones come to the same target"""
    name: str = ""
    """hash: of the cookie, the header or the parameter of the query"""
    path: Regex | None = None
    """hash: whose first group is what counts of the path"""

    def __str__(self) -> str:
        what = self.name if self.path is None else self.path.pattern
        return self.method if self.method != "hash" else f"hash of {self.source} {what}".rstrip()


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
    subprotocols: tuple[str, ...] = ()
    """websocket: what is offered"""
    headers: tuple[tuple[str, str], ...] = ()
    """http, websocket: what is sent beside, or in the place of, the headers of every check; Host and Origin too"""


@dataclass(frozen=True, slots=True)
class PassiveCheck:
    """When a target that fails clients is left alone for a while."""

    failures: int | None = 5
    """so many within the window, at least; None: never"""
    window_seconds: float = 30.0
    eject_seconds: float = 30.0
    """for so long, and for twice as long each time that follows soon"""
    eject_most_seconds: float = 300.0
    """but no longer"""
    share_percent: int = 50
    """and so much of all attempts within the window, at least"""
    clients: int = 3
    """so many of them must have met a failure that a client can cause itself, or it does not count"""
    statuses: tuple[int, ...] = ()
    """answers that are failures, from 500 to 599"""


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
