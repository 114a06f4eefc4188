"""The section `listeners` of the file: where clients come in, and what is believed of them."""

from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from wsgateway.settings.base import (
    Bind,
    ClientTolerance,
    Count,
    CountOrNone,
    Domain,
    Duration,
    FileName,
    HeadSize,
    Host,
    Name,
    Port,
    RateOrNone,
    Section,
    Trusted,
    default_name,
)
from wsgateway.settings.basics import UnixAddress
from wsgateway.settings.model import (
    Certificate,
    FlashMode,
    FlashPolicy,
    Http2,
    Http2Mode,
    Listener,
    ListenerTls,
    Presence,
    ProxyProtocol,
    TlsProfile,
    TlsVersion,
)
from wsgateway.wire.flash import Grant
from wsgateway.wire.heads import HeadLimits

# The defaults stand where they are explained.
_HEAD = HeadLimits()
_HTTP2 = Http2()
_HAS_HTTP2 = find_spec("h2") is not None


class HeadSection(Section):
    """Bounds on the head of a request."""

    head_bytes: HeadSize = Field(
        default=_HEAD.head_bytes,
        alias="head_size",
        description="The most that a head may have, a size from 1KiB to 1MiB.",
    )
    headers: Count = Field(default=_HEAD.headers, description="How many headers a request may have.")


class CertificateSection(Section):
    """A certificate, and for which hosts it is."""

    hosts: list[Host] = Field(
        default_factory=list,
        description="Names that clients ask for, or *.NAME. The first certificate is for all others.",
    )
    certificate: FileName = Field(description="A file of PEM: the certificate, and those that lead to its root.")
    private_key: FileName = Field(description="A file of PEM.")

    def resolved(self, directory: Path) -> Certificate:
        """The certificate; its files are relative to the directory."""
        return Certificate(tuple(self.hosts), str(directory / self.certificate), str(directory / self.private_key))


class Http2Section(Section):
    """Whether clients may speak HTTP/2, and what they may do with it."""

    mode: Http2Mode = Field(
        default="auto",
        description="offer: clients may choose HTTP/2, with WebSocket in it. auto: where its library is installed, and"
        " TLS is 1.2 or later. none: never.",
    )
    streams: Count = Field(
        default=_HTTP2.streams, description="How many streams a connection may have at once; each counts as one, too."
    )
    idle_seconds: Duration = Field(
        default=_HTTP2.idle_seconds, alias="idle", description="How long a connection stays without a stream."
    )
    control_rate: RateOrNone = Field(
        default=_HTTP2.control_rate,
        description="Frames of a connection that carry nothing, such as resets and pings, as 1000/m. none: no bound.",
    )

    @field_validator("mode")
    @classmethod
    def _can_be_offered(cls, mode: Http2Mode) -> Http2Mode:
        if mode == "offer" and not _HAS_HTTP2:
            raise ValueError("HTTP/2 needs a library that is not installed: pip install 'wsgateway[http2]'")
        return mode

    def http2(self) -> Http2 | None:
        """What is offered."""
        offered = self.mode != "none" and _HAS_HTTP2
        return Http2(self.streams, self.idle_seconds, self.control_rate) if offered else None


class ListenerTlsSection(Section):
    """How a listener encrypts."""

    profile: TlsProfile = Field(
        default="intermediate",
        description="modern: TLS 1.3. intermediate: 1.2 and later. legacy: 1.0 and later, with ciphers that are broken."
        " custom: minimum and ciphers below.",
    )
    certificates: list[CertificateSection] = Field(min_length=1, description="What clients are shown.")
    client_certificates: Presence = Field(default="none", description="Whether clients must show one of their own.")
    client_ca: FileName | None = Field(default=None, description="Who must have signed theirs, a file of PEM.")
    minimum: TlsVersion | None = Field(default=None, description="custom: the oldest version of TLS.")
    ciphers: str | None = Field(default=None, description="custom: for TLS up to 1.2, as OpenSSL writes them.")

    http2: Http2Section = Field(
        default_factory=Http2Section, description="Whether clients may speak HTTP/2, and what they may do with it."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "ListenerTlsSection":
        if self.profile != "custom" and (self.minimum is not None or self.ciphers is not None):
            raise ValueError("minimum and ciphers are for profile: custom")
        if (self.client_certificates == "none") is not (self.client_ca is None):
            raise ValueError("client_certificates (optional or required) and client_ca go together")
        if self.http2.mode == "offer" and self._is_old:
            raise ValueError("HTTP/2 needs TLS 1.2 (RFC 9113, 9.2); this lets older versions in")
        return self

    @property
    def _is_old(self) -> bool:
        """Whether it has what HTTP/2 may not be spoken over."""
        return self.profile == "legacy" or self.minimum in ("1.0", "1.1")

    def resolved(self, directory: Path) -> ListenerTls:
        """The TLS of a listener; files are relative to the directory."""
        return ListenerTls(
            certificates=tuple(each.resolved(directory) for each in self.certificates),
            profile=self.profile,
            client_certificates=self.client_certificates,
            client_ca=None if self.client_ca is None else str(directory / self.client_ca),
            minimum=self.minimum or "1.2",
            ciphers=self.ciphers,
            http2=None if self._is_old else self.http2.http2(),
        )


class ProxyProtocolSection(Section):
    """Whether clients come through a proxy that says who they are."""

    accept: Presence = Field(
        default="none", description="none, optional or required: a header of the PROXY protocol, version 1 or 2."
    )
    trusted: list[Trusted] = Field(
        default_factory=list,
        description="Networks whose header counts, or unix; from others it is refused. Needed with accept.",
    )

    @model_validator(mode="after")
    def _trusts_somebody(self) -> "ProxyProtocolSection":
        if self.accept != "none" and not self.trusted:
            raise ValueError("trusted is empty, so that nobody's header would count; name the networks of your proxies")
        return self


class ForwardedSection(Section):
    """Whose headers about the client are believed."""

    trusted: list[Trusted] = Field(
        default_factory=list,
        description="Networks whose Forwarded and X-Forwarded-* count, or unix; others' are replaced.",
    )


class GrantSection(Section):
    """Pages that may connect by Flash."""

    domain: Domain = Field(description="Where the page is from: a name, *.NAME, an IP address, or * for everywhere.")
    ports: list[Port] = Field(min_length=1, description="The ports of this host that it may connect to.")


class FlashPolicySection(Section):
    """What Flash Player is told when it asks which pages may connect."""

    mode: FlashMode = Field(
        default="none",
        description="none: no answer. inline: answered here, beside HTTP. only: nothing else is served here.",
    )
    allow: list[GrantSection] = Field(default_factory=list, description="Who may connect where; others may not.")

    def flash_policy(self) -> FlashPolicy:
        """The policy."""
        return FlashPolicy(self.mode, tuple(Grant(each.domain, tuple(each.ports)) for each in self.allow))


class ListenerSection(Section):
    """Where clients come in."""

    name: Name = Field(
        default="",
        description="For logs, and for routes. Listeners without one are listener-1, listener-2 ... in order.",
    )
    bind: list[Bind] = Field(
        min_length=1,
        description="HOST:PORT, unix:PATH or systemd:NAME, several times; IPv6 in brackets. Port 0: the system chooses"
        " one. systemd:NAME: what systemd passes on under that name.",
    )
    tls: ListenerTlsSection | None = Field(default=None, description="Left out: plain TCP.")
    proxy_protocol: ProxyProtocolSection = Field(
        default_factory=ProxyProtocolSection, description="Whether clients come through a proxy that says who they are."
    )
    forwarded: ForwardedSection = Field(
        default_factory=ForwardedSection, description="Whose headers about the client are believed."
    )
    max_connections: Count = Field(
        default=20_000, description="How many connections may be open at once; more are answered 503."
    )
    max_connections_per_ip: CountOrNone = Field(
        default=None, description="And of those from one address; more are answered 429. none: as many."
    )
    ipv6_prefix: int = Field(
        default=64,
        ge=1,
        le=128,
        description="How many bits of an IPv6 address make one client for max_connections_per_ip and handshake_rate.",
    )
    limits: HeadSection = Field(default_factory=HeadSection, description="Bounds on the head of a request.")
    flash_policy: FlashPolicySection = Field(
        default_factory=FlashPolicySection, description="What Flash Player is told when it asks for a policy file."
    )

    tolerance: ClientTolerance = Field(
        default="default",
        validate_default=True,
        description="What clients may do otherwise than the drafts say: default, all, none, or a list of names.",
    )

    def listener(self, number: int, directory: Path) -> Listener:
        """The listener; `number` is its place in the list, from 1. Files are relative to the directory."""
        return Listener(
            name=self.name or default_name("listener", number),
            bind=tuple(
                UnixAddress(str(directory / each.path)) if isinstance(each, UnixAddress) else each for each in self.bind
            ),
            max_connections=self.max_connections,
            max_connections_per_ip=self.max_connections_per_ip,
            ipv6_prefix=self.ipv6_prefix,
            head_limits=HeadLimits(**self.limits.model_dump()),
            tls=None if self.tls is None else self.tls.resolved(directory),
            proxy_protocol=ProxyProtocol(self.proxy_protocol.accept, tuple(self.proxy_protocol.trusted)),
            forwarded_trusted=tuple(self.forwarded.trusted),
            flash_policy=self.flash_policy.flash_policy(),
            tolerance=self.tolerance,
        )
