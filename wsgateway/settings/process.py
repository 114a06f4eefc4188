"""The sections about the processes of the gateway: `shutdown`, `logging`, `trace`, `admin` and `census`."""

from collections.abc import Set
from contextlib import suppress
from ipaddress import ip_address
from typing import Literal

from wsgateway.settings.basics import Address
from wsgateway.settings.declare import List, key, section
from wsgateway.settings.values import (
    AdminAddress,
    CensusFile,
    CloseCode,
    Duration,
    DurationOrNone,
    HostName,
    LogLength,
    PlainNetwork,
    QueryName,
    QueueSize,
)
from wsgateway.wire.addresses import canonical

DAY_SECONDS = 86400.0
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json"]
Actions = Literal["none", "local"]


@section
class Shutdown:
    """Drain when the gateway is told to stop: accept nothing more, and close the sessions."""

    drain_seconds: Duration = key(
        "Time after which all remaining sessions are closed at once. They are cut when `timeouts.close` is over, too.",
        name="drain",
        default="30s",
    )
    spread_seconds: DurationOrNone = key(
        "Time over which sessions are closed one after the other, not longer than `drain`. none: all at once.",
        name="spread",
        default="10s",
    )
    close_code: CloseCode = key(
        "Code that they are closed with. Dialects without this code get 1001, or none.", default=1012
    )
    delay_seconds: DurationOrNone = key(
        "Time before the drain, in which /health/ready says 503 and clients are still served, so that a load balancer"
        " can send them elsewhere. none: the drain begins at once.",
        name="delay",
        default="none",
        example="5s",
    )

    @property
    def spread_over(self) -> float:
        """The seconds over which sessions are closed: the spread, or the drain if that is shorter. 0: all at once."""
        return 0.0 if self.spread_seconds is None else min(self.spread_seconds, self.drain_seconds)

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for a spread that is longer than the drain; the default spread is shortened instead."""
        spread = self.spread_seconds
        if "spread_seconds" in given and spread is not None and spread > self.drain_seconds:
            drain = f"the drain, which ends after {self.drain_seconds:g} s"
            raise ValueError(f"a spread of {spread:g} s is longer than {drain}")


@section
class Logging:
    """Write the log to the standard error stream. A reload leaves these settings as they are."""

    level: Level = key("Least important lines that are logged.", default="info")
    format: Format = key(
        "Form of a line.", default="text", values={"text": "for people", "json": "an object of JSON, for programs"}
    )
    value_characters: LogLength = key(
        "Characters that a line has of a value that others can make long. The middle of a longer one is left out.",
        name="value_length",
        default=200,
        unit="characters",
    )
    queue_bytes: QueueSize = key(
        "Lines that may wait in each process while nothing reads the log. More are dropped, counted"
        " (log_lines_dropped_total), and reported when the log is read again.",
        name="queue",
        default="1MiB",
    )


@section
class TraceSecrets:
    """Hide secrets in what `wsgateway trace` shows and records. Cookies and Authorization are always hidden."""

    redact_query: List[QueryName] = key(
        "Names in the query of a URL whose values are hidden. Upper and lower case are the same.",
        default=["token", "access_token", "auth", "password", "secret", "signature"],
        reload="at once",
    )


@section
class Admin:
    """Serve a page for browsers at /, and pages for programs that watch the gateway: /metrics for Prometheus,
    /health/live and /health/ready, and /status as JSON. There is no password."""

    bind: AdminAddress | None = key(
        "Address of the pages: HOST:PORT, or unix:PATH, to which our user and group may connect. No pages if it is left"
        " out.",
        default=None,
        example="127.0.0.1:9901",
    )
    allow: List[PlainNetwork] = key(
        "Networks that may connect beside this machine. Needed if others can reach `bind`. Connections from elsewhere"
        " are closed.",
        default=[],
        example=["10.0.0.0/8", "192.0.2.7"],
    )
    names: List[HostName] = key(
        "Names in Host, beside addresses, localhost and no Host. Others are answered 421, since a page of another site"
        " can lead a browser here by a name of its own. /health/... takes any name.",
        default=[],
        example=["wsgateway.internal"],
    )
    actions: Actions = key(
        "What the page for browsers may do: close a session, drain or enable a target, trace sessions that begin."
        " Each is logged with who asked.",
        default="none",
        values={
            "none": "nothing: it shows, and that is all",
            "local": "all of that, for browsers on this machine or at the Unix socket. Every user of this machine"
            " may do it, and so may all whom a proxy on it lets in",
        },
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError if others can reach the pages and no network is named."""
        if isinstance(self.bind, Address) and not self.allow and not _is_loopback(self.bind.host):
            raise ValueError(
                f"{self.bind} can be reached from other machines, and the pages have no password; name in allow the"
                " networks that may connect, or bind 127.0.0.1:PORT, [::1]:PORT or unix:PATH"
            )

    def admits(self, ip: str) -> bool:
        """Return whether an address may connect."""
        address = ip_address(canonical(ip))
        return address.is_loopback or any(address in network for network in self.allow)

    def is_named(self, host: str) -> bool:
        """Return whether the value of a Host header, with or without a port, is an address, localhost or a known name.

        With any other name a page of another site may have led a browser here (DNS rebinding).
        """
        name = host.lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        try:
            ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return name.removesuffix(".") in ("localhost", *self.names)
        return True


@section
class Census:
    """Count who speaks which dialect, and when last, for `wsgateway census` and the status: by route, listener, host,
    origin, program, version of TLS, and oddity. No address of a client is kept."""

    file: CensusFile = key(
        "Where it is kept, over restarts.",
        default="auto",
        example="/var/lib/wsgateway/census.sqlite",
        values={
            "auto": "census.sqlite in the StateDirectory= of systemd; without one, it is kept in memory",
            "FILE": "a file, which is made if it is not there. Its directory must be one where the gateway may write."
            " Each gateway needs its own",
            "none": "in memory, until the gateway stops",
        },
    )
    keep_seconds: Duration = key(
        "Time after which what was not seen any more is forgotten, one day or more.", name="keep", default="400d"
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for less than a day, which is what the census counts by."""
        if self.keep_seconds < DAY_SECONDS:
            raise ValueError(f"keep: {self.keep_seconds:g} s are too short; write 1d or more")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host.lower() == "localhost"
