"""The sections `defaults` and `routes` of the file: which requests go where, and what holds for them."""

from itertools import chain
from typing import Any

from pydantic import AliasChoices, Field, model_validator

from wsgateway.dialects import DIALECTS, Dialect, Limits
from wsgateway.settings.base import (
    OLD_NAMES,
    Count,
    DialectRange,
    Duration,
    DurationOrNone,
    HeaderName,
    HeaderPattern,
    HeaderValue,
    Host,
    JoinSize,
    MessageSize,
    Name,
    OriginPattern,
    Pattern,
    RateOrNone,
    Section,
    Subprotocol,
    UnderscoreName,
    UrlPath,
    default_name,
)
from wsgateway.settings.model import (
    Extensions,
    Fragments,
    Keepalive,
    LocationScheme,
    OverRate,
    Rates,
    Route,
    Timeouts,
    Upstream,
)
from wsgateway.settings.routing import HeaderRules, Match, Origins, PathForm, PathMatch, Permission, Rewrite
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.paths import normalised
from wsgateway.wire.utf8 import InvalidUtf8

# The defaults stand where they are explained.
_TIMEOUTS = Timeouts()
_KEEPALIVE = Keepalive()
_LIMITS = Limits()
_RATES = Rates()
_BINARY = BinaryRule()
_ORIGINS = Origins()
_REWRITE = Rewrite()


# -- what a route may override ---------------------------------------------------------------------------------


class BinarySection(Section):
    """What becomes of binary messages where one side has only text."""

    encode: Encode = Field(
        default=_BINARY.encode,
        description="How they are written as text to that side; reject ends the session with 1003.",
    )
    decode: Decode = Field(
        default=_BINARY.decode,
        description="How text messages from that side are read as binary; none leaves them text.",
    )
    text_only: list[DialectRange] = Field(
        default_factory=list,
        description="Dialects that have binary messages, but whose clients here cannot take them.",
    )


class OriginsSection(Section):
    """From which pages clients may come."""

    allow: list[OriginPattern] = Field(
        default_factory=lambda: list(_ORIGINS.allow),
        description="Origins, with *. before the host for all below it, or * for all.",
    )
    missing: Permission = Field(default=_ORIGINS.missing, description="Clients without an Origin, as programs are.")
    opaque: Permission | None = Field(
        default=None,
        validation_alias=AliasChoices("opaque", *OLD_NAMES["opaque"]),
        description="Clients whose Origin is null, as of files and sandboxes; left out: whether allow has *.",
    )


class TimeoutsSection(Section):
    """How long a session waits."""

    handshake_seconds: Duration = Field(
        default=_TIMEOUTS.handshake_seconds,
        alias="handshake",
        description="From a client's arrival to the 101, a duration.",
    )
    challenge_seconds: Duration = Field(
        default=_TIMEOUTS.challenge_seconds,
        alias="challenge",
        description="For the 8 bytes behind the head of a hixie-76 client, a duration.",
    )
    connect_seconds: Duration = Field(
        default=_TIMEOUTS.connect_seconds, alias="connect", description="For an upstream to accept, a duration."
    )
    idle_seconds: DurationOrNone = Field(
        default=_TIMEOUTS.idle_seconds,
        alias="idle",
        description="For either side to say anything, a ping too; a duration or none.",
    )
    close_seconds: Duration = Field(
        default=_TIMEOUTS.close_seconds, alias="close", description="For a peer to answer a Close, a duration."
    )
    send_seconds: Duration = Field(
        default=_TIMEOUTS.send_seconds,
        alias="send",
        description="For a peer to take any of what it is sent, a duration.",
    )
    lifetime_seconds: DurationOrNone = Field(
        default=_TIMEOUTS.lifetime_seconds,
        alias="lifetime",
        description="For a session to end of itself, a duration or none.",
    )
    response_seconds: DurationOrNone = Field(
        default=_TIMEOUTS.response_seconds,
        alias="response",
        description="For an http_upstream to begin its answer, and between pieces of it, a duration or none.",
    )


class KeepaliveSection(Section):
    """How a peer that is silent is asked whether it is still there."""

    interval_seconds: DurationOrNone = Field(
        default=_KEEPALIVE.interval_seconds,
        alias="interval",
        description="Of silence until a ping, or TCP's own where a dialect has none; a duration or none.",
    )
    timeout_seconds: Duration = Field(
        default=_KEEPALIVE.timeout_seconds, alias="timeout", description="For any answer, a duration."
    )


class LimitsSection(Section):
    """Bounds on what either peer of a session may send."""

    message_bytes: MessageSize = Field(
        default=_LIMITS.message_bytes,
        alias="message_size",
        description="The most that a message may have, a size up to 4EiB.",
    )
    fragments: Count = Field(default=_LIMITS.fragments, description="How many fragments a message may have.")
    join_bytes: JoinSize = Field(
        default=_LIMITS.join_bytes,
        alias="join",
        description="How much of a message is held back so that it leaves as one frame, a size from 0KiB to 16MiB.",
    )
    messages: RateOrNone = Field(
        default=_RATES.messages,
        alias="message_rate",
        description="Messages of a client in a session, as 100/s, or none.",
    )
    over_messages: OverRate = Field(
        default=_RATES.over_messages,
        alias="message_rate_action",
        description="What becomes of a client that sends more: close (1008), or delay (it is read more slowly).",
    )
    handshakes: RateOrNone = Field(
        default=_RATES.handshakes,
        alias="handshake_rate",
        description="Handshakes of one address, as 10/s, or none; more are answered 429.",
    )


class DefaultsSection(Section):
    """What holds for all routes that do not say otherwise."""

    dialects: list[DialectRange] = Field(
        default_factory=lambda: [tuple(DIALECTS.values())],
        min_length=1,
        description="What clients may speak: names, and ranges as hybi-01..08.",
    )
    binary: BinarySection = Field(
        default_factory=BinarySection, description="What becomes of binary messages where one side has only text."
    )
    subprotocols: dict[Subprotocol, Subprotocol] | None = Field(
        default=None,
        description="Names of clients for subprotocols, and those for the upstream; left out: see binary.",
    )
    invalid_utf8: InvalidUtf8 = Field(
        default="replace",
        description="Text that is not UTF-8, from dialects before hybi-07: repaired, or the session ends with 1007.",
    )
    location_scheme: LocationScheme = Field(
        default="auto",
        description="How the address begins that the oldest dialects repeat; auto: as the client's connection is.",
    )
    origins: OriginsSection = Field(
        default_factory=OriginsSection, description="From which pages clients may come; others are answered 403."
    )
    extensions: Extensions = Field(
        default="forward", description="Whether client and upstream may agree on compression, permessage-deflate."
    )
    fragments: Fragments = Field(
        default="keep",
        description="Whether a message that comes in fragments leaves so for the client, or is joined to one frame.",
    )
    unprefixed_headers: bool = Field(
        default=False,
        description="Whether replies to hixie-76 have WebSocket-Origin and -Location beside those with Sec-.",
    )
    timeouts: TimeoutsSection = Field(default_factory=TimeoutsSection, description="How long a session waits.")
    keepalive: KeepaliveSection = Field(
        default_factory=KeepaliveSection, description="How silent peers are asked whether they are still there."
    )
    limits: LimitsSection = Field(default_factory=LimitsSection, description="Bounds on what a peer may send.")


# -- routes ----------------------------------------------------------------------------------------------------


class PathSection(Section):
    """Which paths a route takes: one of the keys."""

    prefix: UrlPath = Field(
        default="",
        description="Paths that begin with these segments: /chat takes /chat/x, not /chatter.",
    )
    exact: UrlPath = Field(default="", description="This path alone.")
    regex: Pattern | None = Field(default=None, description="Paths all of which a regular expression matches.")

    @model_validator(mode="after")
    def _one(self) -> "PathSection":
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        if len(given) != 1:
            seen = f"{' and '.join(given)} are given" if given else "none of prefix, exact and regex is given"
            raise ValueError(f"{seen}, exactly one of them is needed")
        return self

    def match(self) -> PathMatch:
        """The match. Paths are in the form in which they are compared."""
        if self.regex is not None:
            return PathMatch(regex=self.regex)
        if "prefix" in self.model_fields_set:
            return PathMatch(prefix=normalised(self.prefix))
        return PathMatch(exact=normalised(self.exact))


class MatchSection(Section):
    """Which requests a route takes: those for which all keys are true."""

    path: PathSection = Field(description="The path, without the query.")
    hosts: list[Host] = Field(default_factory=list, description="The Host, without its port: one of these, or *.NAME.")
    subprotocols: list[str] = Field(default_factory=list, description="One of these is offered.")
    headers: dict[str, str] = Field(
        default_factory=dict, description="All of these headers are there, with this value; * is any."
    )
    listeners: list[str] = Field(default_factory=list, description="It came by one of these listeners.")
    upgrade: bool | None = Field(default=None, description="true: WebSocket alone. false: plain HTTP alone.")

    def match(self) -> Match:
        """The match."""
        return Match(
            path=self.path.match(),
            hosts=tuple(self.hosts),
            subprotocols=tuple(self.subprotocols),
            headers=tuple(self.headers.items()),
            listeners=tuple(self.listeners),
            upgrade=self.upgrade,
        )


class RewriteSection(Section):
    """How the path changes on its way to the upstream."""

    strip_prefix: UrlPath = Field(default="", description="Segments at its beginning that are taken away.")
    add_prefix: UrlPath = Field(default="", description="What is put in front then.")
    path: PathForm = Field(
        default=_REWRITE.path,
        description="How the rest goes on: as the client sent it, or normalised, as it was compared with the routes.",
    )

    def rewrite(self) -> Rewrite:
        """The changes."""
        return Rewrite(normalised(self.strip_prefix), self.add_prefix, self.path)


class HeadersSection(Section):
    """What becomes of the headers on their way to the upstream."""

    set: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Headers and their values, with {dialect}, {client_ip}, {listener} and {route} filled in.",
    )
    remove: list[HeaderPattern] = Field(
        default_factory=list, description="Headers that are dropped: names, and NAME* for all that begin so."
    )
    keep: list[HeaderPattern] | None = Field(
        default=None,
        description="The only headers that go on beside the handshake and those that are set; written as in remove.",
    )
    underscores: list[UnderscoreName] = Field(
        default_factory=list,
        description="Headers with an underscore in their name, and Proxy, that may go on; all others are dropped.",
    )

    def rules(self) -> HeaderRules:
        """The rules."""
        keep = None if self.keep is None else tuple(map(str.lower, self.keep))
        remove, underscores = (tuple(map(str.lower, names)) for names in (self.remove, self.underscores))
        return HeaderRules(tuple(self.set.items()), remove, keep, underscores)


class RouteSection(DefaultsSection):
    """Which requests go where, and what holds for them. The first route that matches is taken."""

    name: Name = Field(default="", description="For logs. Routes without one are route-1, route-2 ... in order.")
    match: MatchSection = Field(description="Which requests it takes.")
    rewrite: RewriteSection = Field(default_factory=RewriteSection, description="How the path changes.")
    headers: HeadersSection = Field(default_factory=HeadersSection, description="How the headers change.")
    upstream: str | None = Field(default=None, description="The name of the upstream for WebSocket.")
    http_upstream: str | None = Field(default=None, description="The name of the upstream for plain HTTP.")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "RouteSection":
        if self.upstream is None and self.http_upstream is None:
            raise ValueError("the route leads nowhere; give it an upstream, an http_upstream, or both")
        return self

    def route(self, number: int, defaults: DefaultsSection, upstreams: dict[str, Upstream]) -> Route:
        """The route; `number` is its place in the list, from 1. Its upstreams must be there."""
        own = _merged(defaults, self)
        binary, limits, origins = own.pop("binary"), own.pop("limits"), own.pop("origins")
        renames = own.pop("subprotocols")
        return Route(
            name=self.name or default_name("route", number),
            match=self.match.match(),
            upstream=None if self.upstream is None else upstreams[self.upstream],
            http_upstream=None if self.http_upstream is None else upstreams[self.http_upstream],
            rewrite=self.rewrite.rewrite(),
            headers=self.headers.rules(),
            dialects=_in_order(own.pop("dialects")),
            binary=BinaryRule(binary["encode"], binary["decode"]),
            text_only=_in_order(binary["text_only"]),
            subprotocols=None if renames is None else tuple(renames.items()),
            origins=_origins(**origins),
            timeouts=Timeouts(**own.pop("timeouts")),
            keepalive=Keepalive(**own.pop("keepalive")),
            limits=Limits(limits["message_bytes"], limits["fragments"], limits["join_bytes"]),
            rates=Rates(limits["messages"], limits["over_messages"], limits["handshakes"]),
            **own,
        )


def _merged(defaults: Section, own: Section) -> dict[str, Any]:
    """What `own` says, and `defaults` where it says nothing, for all keys that the defaults have."""
    values: dict[str, Any] = {}
    for name in type(defaults).model_fields:
        default, value = getattr(defaults, name), getattr(own, name)
        if isinstance(default, Section):
            values[name] = _merged(default, value)
        else:
            values[name] = value if name in own.model_fields_set else default
    return values


def _origins(allow: list[str], missing: Permission, opaque: Permission | None) -> Origins:
    """The origins. Any page may make a sandboxed frame, so null is as good as * unless somebody says otherwise."""
    return Origins(tuple(allow), missing, opaque or ("allow" if "*" in allow else "refuse"))


def _in_order(ranges: list[tuple[Dialect, ...]]) -> tuple[Dialect, ...]:
    """Each dialect once, the oldest first."""
    named = {each.name for each in chain.from_iterable(ranges)}
    return tuple(each for each in DIALECTS.values() if each.name in named)
