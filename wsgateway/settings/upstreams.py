"""The section `upstreams`: the servers behind the gateway."""

import importlib.util
from collections.abc import Set
from dataclasses import field
from typing import Literal

from wsgateway.settings.declare import AtLeastOne, key, section
from wsgateway.settings.defaults import Fragments
from wsgateway.settings.health import HealthChecks
from wsgateway.settings.values import (
    BalanceMode,
    Count,
    CountOrNone,
    CountOrZero,
    Duration,
    FileName,
    Flag,
    HeadSize,
    OneDialect,
    Pin,
    ServerName,
    TargetUrl,
    UpstreamHost,
    UpstreamTolerance,
    Weight,
    tolerance_names,
)
from wsgateway.wire.heads import HeadLimits

TargetProfile = Literal["modern", "intermediate", "legacy"]
ProxyVersion = Literal["none", "v1", "v2"]


# -- targets ---------------------------------------------------------------------------------------------------


@section
class TargetTls:
    """Encrypt the connections to a wss:// or https:// target."""

    ca: FileName | None = key(
        "File of PEM with the authorities that may have signed the certificate of the target. Those of the system if it"
        " is left out.",
        default=None,
        example="ca.pem",
    )
    profile: TargetProfile = key(
        "Versions and ciphers of TLS that are offered to the target.",
        default="intermediate",
        values={
            "modern": "TLS 1.3",
            "intermediate": "TLS 1.2 and later",
            "legacy": "TLS 1.0 and later with all ciphers that OpenSSL has, and servers without secure renegotiation"
            " (RFC 5746), for appliances that have nothing newer",
        },
    )
    pin: AtLeastOne[Pin] = key(
        "Hashes of certificates or of their public keys, one of which the target must show. Then neither its name nor"
        " its dates nor its authority count, and every other certificate is refused. `wsgateway probe wss://...` prints"
        " them.",
        default=None,
        example=["sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"],
    )
    server_name: ServerName | None = key(
        "Name that the gateway sends to the target, and that its certificate must have. The host of the url if it is"
        " left out. none: no name is sent, for servers that refuse names; only together with `pin`.",
        default=None,
        example="chat.internal",
    )
    certificate: FileName | None = key(
        "File of PEM with the certificate of the gateway, for targets that request one.",
        default=None,
        example="gateway.pem",
    )
    private_key: FileName | None = key(
        "File of PEM with its private key. In the file of `certificate` if it is left out.",
        default=None,
        example="gateway.key",
    )

    @property
    def nameless(self) -> bool:
        """Whether no name is sent to the target."""
        return self.server_name == "none"


@section
class Target:
    """Describe one server of an upstream. Each address of a host that is a name is chosen and checked on its own."""

    url: TargetUrl = key(
        "SCHEME://HOST or SCHEME://HOST:PORT: ws or wss for WebSocket, http or https for plain HTTP. Without a port it"
        " is 80 or, for wss and https, 443. No path is allowed, since the path is that of the client.",
        example="wss://10.0.1.11:9443",
    )
    tls: TargetTls = key(default={})
    weight: Weight = key("Sessions that it gets where a target of weight 1 gets one.", default=1, unit="sessions")
    backup: Flag = key("Whether it is used only when no other target can be used.", default=False)
    max_connections: CountOrNone = key(
        "Connections that may be open at once to each of its addresses. none: no limit.",
        default="none",
        unit="connections",
    )
    srv: Flag = key(
        "Whether the host is the name of SRV records, as _ws._tcp.chat.internal, which have the hosts, ports and"
        " weights; targets of greater priority numbers are backups. It needs pip install 'wsgateway[srv]'.",
        default=False,
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for keys that do not go together."""
        if self.tls.private_key is not None and self.tls.certificate is None:
            raise ValueError("tls has a private_key without the certificate that it belongs to")
        if self.tls.nameless and not self.tls.pin:
            raise ValueError("tls has server_name: none and no pin, so that nothing would identify the target")
        if not self.srv:
            return
        if self.url.address is not None:
            raise ValueError(f"srv needs the name of SRV records, and {self.url.host} is an address")
        if self.url.has_port:
            raise ValueError("the port comes from the SRV records; leave it out of the url")
        if "weight" in given:
            raise ValueError("the weights come from the SRV records; leave weight out")
        if importlib.util.find_spec("dns") is None:
            raise ValueError("srv needs the library dnspython; install wsgateway[srv]")


# -- the upstream ----------------------------------------------------------------------------------------------


@section
class Retry:
    """Try another target when one cannot be reached, hangs up, sends no valid answer, or answers 502, 503 or 504. All
    tries share the time of the handshake. Any other refusal is the client's answer. Plain HTTP tries another target
    only where a connection fails."""

    attempts: Count = key("Targets that are tried, the first one included. 1: no other.", default=2, unit="targets")


@section
class Queue:
    """Let clients wait while all targets have their limit of connections. The first client is served first."""

    size: CountOrZero = key("Clients that may wait. Others are answered 503 at once.", default=0, unit="clients")
    timeout_seconds: Duration = key(
        "Time until a connection ends. After it a client is answered 503.", name="timeout", default="1s"
    )


@section
class Resolve:
    """Look up the names of targets. While that fails, the last answer counts."""

    interval_seconds: Duration = key("Time from one look-up to the next.", name="interval", default="30s")


# Session cookies of a single sign-on, a long Location and a Content-Security-Policy make heads of answers larger than
# those of requests.
_ANSWER = HeadLimits(64 * 1024, 200)


@section
class AnswerLimits:
    """Limit the head of a target's answer. A larger one is answered 502."""

    head_bytes: HeadSize | None = key(
        "All lines of the head together. 64KiB, or as for requests of the client's listener where that is more, if it"
        " is left out.",
        name="head_size",
        default=None,
        example="128KiB",
    )
    headers: Count | None = key(
        "Headers of an answer. 200, or as for requests of the client's listener where that is more, if it is left out.",
        default=None,
        example=400,
        unit="headers",
    )

    def beside(self, requests: HeadLimits = _ANSWER) -> HeadLimits:
        """Return the limits for a client whose own requests have these limits."""
        head_bytes = max(_ANSWER.head_bytes, requests.head_bytes) if self.head_bytes is None else self.head_bytes
        headers = max(_ANSWER.headers, requests.headers) if self.headers is None else self.headers
        return HeadLimits(head_bytes, headers)


@section
class Upstream:
    """Describe servers behind the gateway, one of which a session gets."""

    targets: AtLeastOne[Target] = key("Servers of the upstream.", reload="new sessions")
    dialect: OneDialect = key(
        "Dialect that is spoken to the targets. Any is possible, also for modern clients of an old server.",
        default="rfc6455",
        example="hixie-76",
    )
    host: UpstreamHost = key(
        "Host header that the targets get: preserve is the client's, target is their own, anything else is sent as it"
        " stands, with or without a port.",
        default="preserve",
        example="chat.internal",
    )
    fragments: Fragments = key(
        "How a message that comes in several frames leaves for the targets, as in `defaults`.",
        default="keep",
        values={"keep": "in the same frames", "join": "in one frame"},
    )
    send_proxy_protocol: ProxyVersion = key(
        "Version of the PROXY protocol, v1 or v2, by which the targets are told the address of the client first. none:"
        " they are not told.",
        default="none",
    )
    max_connections: CountOrNone = key(
        "Connections to all targets that may be open at once. More clients are answered 503. none: no limit.",
        default="none",
        unit="connections",
    )
    balance: BalanceMode = key(
        "How one of several targets is chosen, each as often as its weight says.",
        default="round_robin",
        values={
            "round_robin": "in turns",
            "least_connections": "the one with the fewest connections",
            "random": "the less busy of two",
            "{hash: WHAT}": "the same target for equal values, as long as it is up. WHAT is {ip: true}, {cookie: NAME},"
            ' {header: NAME}, {query: NAME}, or {path: REGEX}, whose first group counts: "/[^/]+/[^/]+/([^/]+)/" is the'
            " session in paths of SockJS. Requests without such a value are dealt out in turns",
        },
        example={"hash": {"cookie": "session"}},
    )
    retry: Retry = key(default={})
    queue: Queue = key(default={})
    health: HealthChecks = key(default={}, reload="at once")
    tolerance: UpstreamTolerance = key(
        "Deviations from the drafts that targets are allowed: default, all, none, or a list of names, as for"
        " listeners.",
        values=tolerance_names("upstream"),
        default="default",
        example=["frames-behind-proof"],
    )
    resolve: Resolve = key(default={}, reload="at once")
    limits: AnswerLimits = key(default={})
    name: str = field(default="", kw_only=True)
    """the key that it stands under in `upstreams`"""

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for keys that do not go together."""
        plain = [each.url.scheme for each in self.targets if not each.url.scheme.startswith("ws")]
        if plain and self.health.active is not None and self.health.active.type == "websocket":
            raise ValueError(f"health.active of type websocket is for ws:// and wss://, not for {plain[0]}://")
        if all(each.backup for each in self.targets):
            raise ValueError("all targets are backups; at least one must not be")

    @property
    def joins(self) -> bool:
        """Whether messages to the targets leave as one frame each."""
        return self.fragments == "join"
