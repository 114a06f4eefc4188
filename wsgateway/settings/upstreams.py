"""The section `upstreams` of the file: the servers behind the gateway."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from wsgateway.settings.base import (
    BalanceMode,
    ChecksHeaderName,
    Count,
    CountOrNone,
    CountOrZero,
    Duration,
    FileName,
    HeadSize,
    OneDialect,
    Percent,
    Pin,
    PlainValue,
    Section,
    ServerName,
    Subprotocol,
    UpstreamHost,
    UpstreamTolerance,
    Url,
    UrlPath,
    Weight,
)
from wsgateway.settings.model import Fragments, ProxyVersion, Target, Upstream
from wsgateway.settings.pooling import (
    ActiveCheck,
    AnswerLimits,
    CheckType,
    HealthChecks,
    PassiveCheck,
    Queue,
    TargetProfile,
    TargetTls,
)
from wsgateway.wire.repair import is_host

# More than anybody needs to be sure, and few enough to be remembered for every address.
_MOST_CLIENTS = 100
Clients = Annotated[int, Field(ge=1, le=_MOST_CLIENTS)]
ServerError = Annotated[int, Field(ge=500, le=599)]

# The defaults stand where they are explained.
_TARGET = Target("", 0, "")
_UPSTREAM = Upstream("", ())
_TLS = TargetTls()
_ACTIVE = ActiveCheck()
_PASSIVE = PassiveCheck()
_QUEUE = Queue()


class TargetTlsSection(Section):
    """What a wss:// or https:// target must prove, and what it is shown."""

    ca: FileName | None = Field(default=None, description="Who must have signed its certificate; left out: the system.")
    profile: TargetProfile = Field(
        default=_TLS.profile,
        description="modern: TLS 1.3. intermediate: 1.2 and later. legacy: 1.0 and later, with ciphers that are broken,"
        " and servers without secure renegotiation.",
    )
    pin: list[Pin] = Field(
        default_factory=list,
        min_length=1,
        description="sha256:HEX of its certificate or of its public key. No other is accepted; nothing else counts.",
    )
    server_name: ServerName | None = Field(
        default=None,
        description="The name in its certificate, which it is asked for; left out: its host. none: by no name; with a"
        " pin only.",
    )
    certificate: FileName | None = Field(default=None, description="Our own certificate, a file of PEM.")
    private_key: FileName | None = Field(default=None, description="Its key; left out: in the same file.")

    def resolved(self, directory: Path) -> TargetTls:
        """The same; files are relative to the directory."""
        ca, certificate, key = (
            None if name is None else str(directory / name) for name in (self.ca, self.certificate, self.private_key)
        )
        nameless = self.server_name == "none"
        name = None if nameless else self.server_name
        return TargetTls(ca, name, certificate, key, self.profile, tuple(self.pin), nameless)


class TargetSection(Section):
    """One server of an upstream."""

    url: Url = Field(description="ws://HOST[:PORT], wss://, or for http_upstream http:// or https://.")
    tls: TargetTlsSection = Field(default_factory=TargetTlsSection, description="For wss:// and https://.")
    weight: Weight = Field(default=_TARGET.weight, description="How many sessions it gets where weight 1 gets one.")
    backup: bool = Field(default=_TARGET.backup, description="Whether it is used only when no other can be.")
    max_connections: CountOrNone = Field(
        default=_TARGET.max_connections,
        description="How many may be open at once, to each of its addresses. none: any number.",
    )
    srv: bool = Field(
        default=_TARGET.srv,
        description="Whether the host of the url is the name of SRV records, which have hosts, ports and weights.",
    )

    @model_validator(mode="after")
    def _encrypts_if_it_says_so(self) -> "TargetSection":
        if self.tls.model_fields_set and not self.url.secure:
            raise ValueError(f"tls is for wss:// and https://, not for {self.url.scheme}://")
        if self.tls.private_key is not None and self.tls.certificate is None:
            raise ValueError("tls has a private_key without the certificate that it belongs to")
        if self.tls.server_name == "none" and not self.tls.pin:
            raise ValueError("tls has server_name: none and no pin, so that nothing would tell the target from others")
        return self

    @model_validator(mode="after")
    def _has_records(self) -> "TargetSection":
        if self.srv and self.url.address is not None:
            raise ValueError(f"srv needs the name of SRV records, and {self.url.host} is an address")
        if self.srv and self.url.url.rstrip("/").endswith(f":{self.url.port}"):
            raise ValueError("the port comes from the SRV records; leave it out of the url")
        if self.srv and "weight" in self.model_fields_set:
            raise ValueError("the weights come from the SRV records; leave weight out")
        if self.srv and importlib.util.find_spec("dns") is None:
            raise ValueError("srv needs the library dnspython; install wsgateway[srv]")
        return self

    def target(self, directory: Path) -> Target:
        """The target."""
        return replace(
            self.url,
            tls=self.tls.resolved(directory),
            srv=self.srv,
            weight=self.weight,
            backup=self.backup,
            max_connections=self.max_connections,
        )


class ActiveSection(Section):
    """How targets are asked whether they can serve."""

    type: CheckType = Field(
        default=_ACTIVE.type, description="tcp: it accepts; http: GET is answered 2xx or 3xx; websocket: a handshake."
    )
    path: UrlPath = Field(default=_ACTIVE.path, description="What is asked for, by http and websocket.")
    interval_seconds: Duration = Field(
        default=_ACTIVE.interval_seconds, alias="interval", description="From one question to the next, a duration."
    )
    timeout_seconds: Duration = Field(
        default=_ACTIVE.timeout_seconds, alias="timeout", description="For the whole answer, a duration."
    )
    rise: Count = Field(default=_ACTIVE.rise, description="So many good answers in a row bring a target up.")
    fall: Count = Field(default=_ACTIVE.fall, description="So many failures in a row bring it down.")
    subprotocols: list[Subprotocol] = Field(default_factory=list, description="What is offered by websocket.")
    headers: dict[ChecksHeaderName, PlainValue] = Field(
        default_factory=dict, description="What is sent by http and websocket: Host, Origin, Authorization, others."
    )

    @model_validator(mode="after")
    def _can_send_it(self) -> "ActiveSection":
        if self.subprotocols and self.type != "websocket":
            raise ValueError(f"subprotocols are offered by a check of type websocket, not {self.type}")
        if self.headers and self.type == "tcp":
            raise ValueError("headers are sent by a check of type http or websocket, not tcp")
        names = [name.lower() for name in self.headers]
        twice = next((name for name in self.headers if names.count(name.lower()) > 1), None)
        if twice is not None:
            raise ValueError(f"the header {twice} is there twice, in different spellings")
        host = next((value for name, value in self.headers.items() if name.lower() == "host"), None)
        if host is not None and not is_host(host):
            raise ValueError(f"the header Host is {host!r}, which is not a host with an optional port")
        return self

    def check(self) -> ActiveCheck:
        """Return the check."""
        own = self.model_dump()
        return ActiveCheck(**own | {"subprotocols": tuple(self.subprotocols), "headers": tuple(self.headers.items())})


class PassiveSection(Section):
    """When a target that fails clients is left alone for a while."""

    failures: CountOrNone = Field(
        default=_PASSIVE.failures, description="So many within the window eject it. none: it is never ejected."
    )
    share_percent: Percent = Field(
        default=_PASSIVE.share_percent,
        alias="share",
        description="If they are so much of all attempts within the window, from 1% to 100%.",
    )
    clients: Clients = Field(
        default=_PASSIVE.clients,
        description="Failures that a client can cause itself count if so many clients meet them, 1 to 100.",
    )
    statuses: list[ServerError] = Field(
        default_factory=list, description="Answers that are failures, too: statuses from 500 to 599."
    )
    window_seconds: Duration = Field(
        default=_PASSIVE.window_seconds, alias="window", description="In which failures are counted, a duration."
    )
    eject_seconds: Duration = Field(
        default=_PASSIVE.eject_seconds,
        alias="eject",
        description="For how long, a duration; twice as long each time that follows soon.",
    )
    eject_most_seconds: Duration = Field(
        default=_PASSIVE.eject_most_seconds, alias="eject_most", description="But no longer, a duration."
    )


class HealthSection(Section):
    """How it is known which targets can serve."""

    active: ActiveSection | None = Field(default=None, description="Left out: targets are not asked.")
    passive: PassiveSection = Field(default_factory=PassiveSection, description="What clients meet counts, too.")

    def checks(self) -> HealthChecks:
        """The checks."""
        return HealthChecks(
            None if self.active is None else self.active.check(),
            PassiveCheck(**self.passive.model_dump() | {"statuses": tuple(self.passive.statuses)}),
        )


class RetrySection(Section):
    """What follows when a target fails before the client has its answer."""

    attempts: Count = Field(
        default=_UPSTREAM.attempts, description="How many targets are tried, the first one included. 1: no other."
    )


class QueueSection(Section):
    """Who may wait while all targets have their limit of connections."""

    size: CountOrZero = Field(default=_QUEUE.size, description="How many clients; others are answered 503 at once.")
    timeout_seconds: Duration = Field(
        default=_QUEUE.timeout_seconds, alias="timeout", description="For a place to become free, a duration."
    )


class ResolveSection(Section):
    """How names of targets are looked up."""

    interval_seconds: Duration = Field(
        default=_UPSTREAM.resolve_seconds, alias="interval", description="How often, a duration."
    )


class AnswersSection(Section):
    """Bounds on the heads of answers."""

    head_bytes: HeadSize | None = Field(
        default=None,
        alias="head_size",
        description="The most that a head may have, a size from 1KiB to 1MiB; left out: 64KiB, or as the listener.",
    )
    headers: Count | None = Field(
        default=None, description="How many headers an answer may have; left out: 200, or as the listener."
    )


class UpstreamSection(Section):
    """A named pool of servers."""

    targets: list[TargetSection] = Field(min_length=1, description="The servers.")
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
    balance: BalanceMode = Field(
        default=_UPSTREAM.balance,
        description="How a target is chosen: round_robin, least_connections, random, or hash of something.",
    )
    retry: RetrySection = Field(default_factory=RetrySection, description="What follows when a target fails.")
    queue: QueueSection = Field(default_factory=QueueSection, description="Who may wait while all targets are full.")
    health: HealthSection = Field(default_factory=HealthSection, description="How it is known which targets can serve.")
    tolerance: UpstreamTolerance = Field(
        default="default",
        validate_default=True,
        description="What targets may do otherwise than the drafts say: default, all, none, or a list of names.",
    )
    resolve: ResolveSection = Field(default_factory=ResolveSection, description="How names are looked up.")
    limits: AnswersSection = Field(default_factory=AnswersSection, description="Bounds on the heads of answers.")
    fragments: Fragments = Field(
        default=_UPSTREAM.fragments,
        description="Whether a message that comes in fragments leaves so for them, or is joined to one frame.",
    )

    @model_validator(mode="after")
    def _can_be_checked(self) -> "UpstreamSection":
        plain = [each.url.scheme for each in self.targets if each.url.scheme in ("http", "https")]
        if plain and self.health.active is not None and self.health.active.type == "websocket":
            raise ValueError(f"health.active of type websocket is for ws:// and wss://, not for {plain[0]}://")
        return self

    @model_validator(mode="after")
    def _is_not_all_backup(self) -> "UpstreamSection":
        if all(each.backup for each in self.targets):
            raise ValueError("all targets are backups; one at least must be for every day")
        return self

    def upstream(self, name: str, directory: Path) -> Upstream:
        """The upstream."""
        return Upstream(
            name=name,
            targets=tuple(each.target(directory) for each in self.targets),
            dialect=self.dialect,
            host=self.host,
            send_proxy_protocol=self.send_proxy_protocol,
            max_connections=self.max_connections,
            balance=self.balance,
            queue=Queue(self.queue.size, self.queue.timeout_seconds),
            attempts=self.retry.attempts,
            health=self.health.checks(),
            tolerance=self.tolerance,
            resolve_seconds=self.resolve.interval_seconds,
            fragments=self.fragments,
            answer_limits=AnswerLimits(**self.limits.model_dump()),
        )
