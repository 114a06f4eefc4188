"""The section `listeners`: where clients connect, with which encryption, and which proxies are trusted."""

from collections.abc import Set
from importlib.util import find_spec
from typing import Annotated, Literal

from wsgateway.settings.declare import AtLeastOne, List, Made, key, section
from wsgateway.settings.values import (
    BindAddress,
    Bits,
    ClientTolerance,
    Count,
    CountOrNone,
    Domain,
    Duration,
    FileName,
    HeadSize,
    Host,
    Name,
    PeersNetwork,
    Port,
    RateOrNone,
    tolerance_names,
)
from wsgateway.wire.flash import Grant
from wsgateway.wire.heads import HeadLimits

Presence = Literal["none", "optional", "required"]
TlsProfile = Literal["modern", "intermediate", "legacy", "custom"]
TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]
Http2Mode = Literal["auto", "offer", "none"]
FlashMode = Literal["none", "inline", "only"]
_HAS_HTTP2 = find_spec("h2") is not None


def _possible(mode: Http2Mode) -> Http2Mode:
    if mode == "offer" and not _HAS_HTTP2:
        raise ValueError("HTTP/2 needs a library that is not installed: pip install 'wsgateway[http2]'")
    return mode


PossibleHttp2Mode = Annotated[Http2Mode, Made(Http2Mode, _possible)]

# -- TLS -------------------------------------------------------------------------------------------------------


@section
class Certificate:
    """Show clients a certificate, by the host that they request."""

    certificate: FileName = key(
        "File of PEM with the certificate and, behind it, those that lead to its root.", example="ws.pem"
    )
    private_key: FileName = key("File of PEM with the private key of the certificate.", example="ws.key")
    hosts: List[Host] = key(
        "Hosts for which clients are shown this certificate: names or *.NAME. The first certificate of a listener is"
        " shown for all other hosts, too.",
        default=[],
        example=["ws.example.com", "*.ws.example.com"],
        shown=True,
    )


@section
class Http2:
    """Offer HTTP/2, with WebSocket in it (RFC 8441)."""

    mode: PossibleHttp2Mode = key(
        "Whether clients may choose HTTP/2.",
        default="auto",
        values={
            "auto": "yes, where its library is installed (pip install 'wsgateway[http2]') and TLS is 1.2 or later",
            "offer": "yes; it is an error if the library is missing or older TLS is allowed",
            "none": "no",
        },
    )
    streams: Count = key(
        "Streams that a connection may have at once. Each counts as a connection for the limits of the listener.",
        default=100,
        unit="streams",
    )
    idle_seconds: Duration = key(
        "Time after which a connection without a stream is closed.", name="idle", default="60s"
    )
    control_rate: RateOrNone = key(
        "Frames without content (resets, pings, settings) that a connection may send. none: no limit.",
        default="1000/m",
    )


@section(kw_only=True)
class ListenerTls:
    """Encrypt the connections of the listener. Without this section they are plain TCP."""

    profile: TlsProfile = key(
        "Versions and ciphers of TLS that clients may use.",
        default="intermediate",
        values={
            "modern": "TLS 1.3",
            "intermediate": "TLS 1.2 and later",
            "legacy": "TLS 1.0 and later, with ciphers that are broken, for browsers of the time",
            "custom": "as `minimum` and `ciphers` say",
        },
    )
    certificates: AtLeastOne[Certificate] = key("Certificates that clients are shown.")
    client_certificates: Presence = key(
        "Whether clients show a certificate of their own, signed by `client_ca`.",
        default="none",
    )
    client_ca: FileName | None = key(
        "File of PEM with the authorities that sign certificates of clients.", default=None, example="clients.pem"
    )
    minimum: TlsVersion | None = key(
        "Oldest version of TLS, for profile: custom. 1.2 if it is left out.", default=None, example="1.2"
    )
    ciphers: str | None = key(
        "Ciphers for TLS up to 1.2, as OpenSSL writes them, for profile: custom. OpenSSL's choice if left out.",
        default=None,
        example="ECDHE+AESGCM",
    )
    http2: Http2 = key(default={})

    def check(self, given: Set[str]) -> None:
        """Raise ValueError for keys that do not go together."""
        if self.profile != "custom" and (self.minimum is not None or self.ciphers is not None):
            raise ValueError("minimum and ciphers are for profile: custom")
        if (self.client_certificates == "none") is not (self.client_ca is None):
            raise ValueError("client_certificates (optional or required) and client_ca go together")
        if self.http2.mode == "offer" and self._is_old:
            raise ValueError("HTTP/2 needs TLS 1.2 (RFC 9113, 9.2); this allows older versions")

    @property
    def _is_old(self) -> bool:
        """Whether it allows versions of TLS over which HTTP/2 may not be spoken."""
        return self.profile == "legacy" or self.minimum in ("1.0", "1.1")

    @property
    def offers_http2(self) -> bool:
        """Whether clients are offered HTTP/2."""
        return self.http2.mode != "none" and _HAS_HTTP2 and not self._is_old


# -- what is believed, and what is allowed ---------------------------------------------------------------------


@section
class ProxyProtocol:
    """Take the address of the client from the PROXY protocol, which a proxy in front speaks."""

    accept: Presence = key(
        "Whether connections begin with a header of the PROXY protocol, version 1 or 2.", default="none"
    )
    trusted: List[PeersNetwork] = key(
        "Networks of the proxies whose header counts, or unix for all that connect to a Unix socket. Needed unless"
        " `accept` is none.",
        default=[],
        example=["10.0.0.0/8", "fd00::/8", "unix"],
    )

    def check(self, given: Set[str]) -> None:
        """Raise ValueError if a header is accepted from nobody."""
        if self.accept != "none" and not self.trusted:
            raise ValueError("trusted is empty, so that no header would count; name the networks of your proxies")


@section
class Forwarded:
    """Take the address of the client from the headers of a proxy in front."""

    trusted: List[PeersNetwork] = key(
        "Networks of the proxies whose Forwarded and X-Forwarded-* count, or unix. For others the gateway replaces"
        " these headers by what it sees itself.",
        default=[],
        example=["10.0.0.0/8", "unix"],
    )


@section
class RequestLimits(HeadLimits):
    """Limit the head of a request."""

    head_bytes: HeadSize = key("All lines of the head together.", name="head_size", default="16KiB")
    headers: Count = key("Headers of a request.", default=100, unit="headers")


@section
class FlashGrant(Grant):
    """Allow the pages of a domain to connect by Flash."""

    domain: Domain = key("Domain of the page: a name, *.NAME, an IP address, or * for all.", example="*.example.com")
    ports: AtLeastOne[Port] = key("Ports of this host to which it may connect.", example=[8080])


@section
class FlashPolicy:
    """Answer the policy request that Flash Player sends before it connects (`<policy-file-request/>`)."""

    mode: FlashMode = key(
        "Whether policy requests are answered. Flash Player tries port 843 first, and waits there for 3 seconds or more"
        " if nothing answers; then it tries the port that it wants.",
        default="none",
        values={
            "none": "no",
            "inline": "yes, on the same port as HTTP",
            "only": "yes, and this listener serves nothing else",
        },
    )
    allow: List[FlashGrant] = key("Pages that may connect. All others may not.", default=[])


# -- the listener ----------------------------------------------------------------------------------------------


@section(kw_only=True)
class Listener:
    """Listen on addresses where clients connect."""

    name: Name = key(
        "Name for the log and for routes. listener-1, listener-2 ... in the order of the list if it is left out.",
        default=None,
        example="public",
        shown=True,
    )
    bind: AtLeastOne[BindAddress] = key(
        "Addresses to listen on.",
        values={
            "HOST:PORT": "an IPv4 address, an IPv6 address in brackets, or a name; 0.0.0.0 and [::] are all addresses"
            " of this machine; with port 0 the system chooses one",
            "unix:PATH": "a Unix socket for a proxy on this machine, open to our user and group (mode 0660). A socket"
            " on which nothing listens is replaced, another file never",
            "systemd:NAME": "the sockets that systemd opens and passes on under this name (see wsgateway.socket)",
        },
        example=["127.0.0.1:8080", "[::1]:8080"],
        reload="at once",
    )
    tls: ListenerTls | None = key(default=None)
    proxy_protocol: ProxyProtocol = key(default={})
    forwarded: Forwarded = key(default={})
    max_connections: Count = key(
        "Connections that may be open at once, in all workers together. More are answered 503.",
        default=20000,
        unit="connections",
    )
    max_connections_per_ip: CountOrNone = key(
        "Connections that one address may have open at once. More are answered 429. Clients of a trusted proxy count by"
        " their own address; clients of a Unix socket have none, and do not count. none: no limit.",
        default="none",
        unit="connections",
    )
    ipv6_prefix: Bits = key(
        "Bits of an IPv6 address that make one client, for `max_connections_per_ip` and `handshake_rate`. A client with"
        " IPv6 usually has a whole /64.",
        default=64,
        unit="bits",
    )
    limits: RequestLimits = key(default={})
    flash_policy: FlashPolicy = key(default={})
    tolerance: ClientTolerance = key(
        "Deviations from the drafts and RFCs that clients are allowed: default, all, none, or a list of names, in which"
        " `default` stands for those that are allowed by default. What could make two servers disagree about where a"
        " message ends is always refused.",
        values=tolerance_names("client"),
        default="default",
        example=["default", "bare-lf"],
    )
