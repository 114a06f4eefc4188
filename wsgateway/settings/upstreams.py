"""The section `upstreams` of the file: the servers behind the gateway."""

from dataclasses import replace
from pathlib import Path

from pydantic import Field, model_validator

from wsgateway.settings.base import CountOrNone, FileName, OneDialect, Section, UpstreamHost, Url
from wsgateway.settings.model import ProxyVersion, Target, TargetTls, Upstream


class TargetTlsSection(Section):
    """What a wss:// or https:// target must prove, and what it is shown."""

    ca: FileName | None = Field(default=None, description="Who must have signed its certificate; left out: the system.")
    server_name: str | None = Field(default=None, description="The name in its certificate; left out: its host.")
    certificate: FileName | None = Field(default=None, description="Our own certificate, a file of PEM.")
    private_key: FileName | None = Field(default=None, description="Its key; left out: in the same file.")

    def resolved(self, directory: Path) -> TargetTls:
        """The same; files are relative to the directory."""
        ca, certificate, key = (
            None if name is None else str(directory / name) for name in (self.ca, self.certificate, self.private_key)
        )
        return TargetTls(ca, self.server_name, certificate, key)


class TargetSection(Section):
    """One server of an upstream."""

    url: Url = Field(description="ws://HOST[:PORT], wss://, or for http_upstream http:// or https://.")
    tls: TargetTlsSection = Field(default_factory=TargetTlsSection, description="For wss:// and https://.")

    @model_validator(mode="after")
    def _encrypts_if_it_says_so(self) -> "TargetSection":
        if self.tls.model_fields_set and not self.url.secure:
            raise ValueError(f"tls is for wss:// and https://, not for {self.url.scheme}://")
        if self.tls.private_key is not None and self.tls.certificate is None:
            raise ValueError("tls has a private_key without the certificate that it belongs to")
        return self

    def target(self, directory: Path) -> Target:
        """The target."""
        return replace(self.url, tls=self.tls.resolved(directory))


class UpstreamSection(Section):
    """A named pool of servers."""

    targets: list[TargetSection] = Field(min_length=1, description="The servers: exactly one, in this version.")
    dialect: OneDialect = Field(
        default="rfc6455", validate_default=True, description="What is spoken to them, by its name."
    )
    host: UpstreamHost = Field(
        default="preserve", description="The Host that they see: preserve (the client's), target, or a host."
    )
    send_proxy_protocol: ProxyVersion = Field(default="none", description="Whether they are told first who connects.")
    max_connections: CountOrNone = Field(
        default=None, description="How many may be open at once; more clients are answered 503. none: any number."
    )

    def upstream(self, name: str, directory: Path) -> Upstream:
        """The upstream."""
        return Upstream(
            name=name,
            targets=tuple(each.target(directory) for each in self.targets),
            dialect=self.dialect,
            host=self.host,
            send_proxy_protocol=self.send_proxy_protocol,
            max_connections=self.max_connections,
        )
