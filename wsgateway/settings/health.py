"""The section `upstreams.X.health`: how the gateway finds out which targets can serve."""

from collections.abc import Set
from typing import Literal

from wsgateway.settings.declare import List, key, section
from wsgateway.settings.values import (
    CheckHeaders,
    Clients,
    Count,
    CountOrNone,
    Duration,
    Percent,
    ServerError,
    Subprotocol,
    UrlPath,
)
from wsgateway.wire.repair import is_host

CheckType = Literal["tcp", "http", "websocket"]


@section
class ActiveCheck:
    """Make a health check of each address of each target at intervals. Without this section there are none."""

    type: CheckType = key(
        "What a health check does.",
        default="tcp",
        values={
            "tcp": "it connects, with TLS if the target has TLS",
            "http": "it sends a GET, which must be answered 2xx or 3xx",
            "websocket": "it makes a handshake in the dialect of the upstream",
        },
        example="websocket",
    )
    path: UrlPath = key("Path that health checks of type http and websocket request.", default="/", example="/health")
    interval_seconds: Duration = key("Time from one health check to the next.", name="interval", default="10s")
    timeout_seconds: Duration = key("Time for a whole health check.", name="timeout", default="2s")
    rise: Count = key("Good health checks in a row after which a target is up.", default=2, unit="checks")
    fall: Count = key("Failed health checks in a row after which it is down.", default=3, unit="checks")
    subprotocols: List[Subprotocol] = key(
        "Subprotocols that health checks of type websocket offer.", default=[], example=["mqtt"]
    )
    headers: CheckHeaders = key(
        "Headers that health checks of type http and websocket send, as Host, Origin or Authorization.",
        default={},
        example={"Origin": "https://app.example.com"},
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for what a health check of this type cannot send."""
        if self.subprotocols and self.type != "websocket":
            raise ValueError(f"subprotocols are offered by a health check of type websocket, not {self.type}")
        if self.headers and self.type == "tcp":
            raise ValueError("headers are sent by a health check of type http or websocket, not tcp")
        names = [name.lower() for name, _ in self.headers]
        twice = next((name for name, _ in self.headers if names.count(name.lower()) > 1), None)
        if twice is not None:
            raise ValueError(f"the header {twice} is there twice, in different spellings")
        host = next((value for name, value in self.headers if name.lower() == "host"), None)
        if host is not None and not is_host(host):
            raise ValueError(f"the header Host is {host!r}, which is not a host with an optional port")


@section
class PassiveCheck:
    """Stop using an address for a while after connections of clients to it have failed. At most half of all addresses
    are ejected, rounded up, and never the last one that can be used."""

    failures: CountOrNone = key(
        "Failures within the window that eject an address. none: it is never ejected.", default=5, unit="failures"
    )
    window_seconds: Duration = key("Time in which failures are counted.", name="window", default="30s")
    eject_seconds: Duration = key(
        "Time for which it is not used. Each time that follows soon is twice as long.", name="eject", default="30s"
    )
    eject_most_seconds: Duration = key("Limit for this time.", name="eject_most", default="5m")
    share_percent: Percent = key(
        "Share of all attempts within the window that must have failed, too.", name="share", default="50%"
    )
    clients: Clients = key(
        "Clients that must meet a failure that one client alone can cause: the target hangs up, or sends no valid"
        " answer in time. Failed connections and TLS handshakes count from any client.",
        default=3,
        unit="clients",
    )
    statuses: List[ServerError] = key(
        "Answers that count as if the target had hung up, from 500 to 599.", default=[], example=[502, 503, 504]
    )


@section
class HealthChecks:
    """Find out which targets can serve. When none can, all are used."""

    active: ActiveCheck | None = key(default=None)
    passive: PassiveCheck = key(default={})
