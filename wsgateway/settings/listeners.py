"""The section `listeners` of the file: where clients come in, and what is believed of them."""

from pathlib import Path

from pydantic import Field, model_validator

from wsgateway.settings.base import (
    Bind,
    Count,
    CountOrNone,
    Domain,
    FileName,
    HeadSize,
    Host,
    Name,
    Net,
    Port,
    Section,
    default_name,
)
from wsgateway.settings.model import (
    Certificate,
    FlashMode,
    FlashPolicy,
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

    @model_validator(mode="after")
    def _consistent(self) -> "ListenerTlsSection":
        if self.profile != "custom" and (self.minimum is not None or self.ciphers is not None):
            raise ValueError("minimum and ciphers are for profile: custom")
        if (self.client_certificates == "none") is not (self.client_ca is None):
            raise ValueError("client_certificates (optional or required) and client_ca go together")
        return self

    def resolved(self, directory: Path) -> ListenerTls:
        """The TLS of a listener; files are relative to the directory."""
        return ListenerTls(
            certificates=tuple(each.resolved(directory) for each in self.certificates),
            profile=self.profile,
            client_certificates=self.client_certificates,
            client_ca=None if self.client_ca is None else str(directory / self.client_ca),
            minimum=self.minimum or "1.2",
            ciphers=self.ciphers,
        )


class ProxyProtocolSection(Section):
    """Whether clients come through a proxy that says who they are."""

    accept: Presence = Field(
        default="none", description="none, optional or required: a header of the PROXY protocol, version 1 or 2."
    )
    trusted: list[Net] = Field(
        default_factory=list, description="Networks whose header counts; from others it is refused. Needed with accept."
    )

    @model_validator(mode="after")
    def _trusts_somebody(self) -> "ProxyProtocolSection":
        if self.accept != "none" and not self.trusted:
            raise ValueError("trusted is empty, so that nobody's header would count; name the networks of your proxies")
        return self


class ForwardedSection(Section):
    """Whose headers about the client are believed."""

    trusted: list[Net] = Field(
        default_factory=list, description="Networks whose Forwarded and X-Forwarded-* count; others' are replaced."
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
        description="HOST:PORT, several times; IPv6 in brackets. Port 0: the system chooses one. systemd:NAME: what"
        " systemd passes on under that name.",
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
    limits: HeadSection = Field(default_factory=HeadSection, description="Bounds on the head of a request.")
    flash_policy: FlashPolicySection = Field(
        default_factory=FlashPolicySection, description="What Flash Player is told when it asks for a policy file."
    )

    def listener(self, number: int, directory: Path) -> Listener:
        """The listener; `number` is its place in the list, from 1. Files are relative to the directory."""
        return Listener(
            name=self.name or default_name("listener", number),
            bind=tuple(self.bind),
            max_connections=self.max_connections,
            max_connections_per_ip=self.max_connections_per_ip,
            head_limits=HeadLimits(**self.limits.model_dump()),
            tls=None if self.tls is None else self.tls.resolved(directory),
            proxy_protocol=ProxyProtocol(self.proxy_protocol.accept, tuple(self.proxy_protocol.trusted)),
            forwarded_trusted=tuple(self.forwarded.trusted),
            flash_policy=self.flash_policy.flash_policy(),
        )
