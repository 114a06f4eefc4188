"""What the file may hold: every key with its default, its unit and its meaning.

Each section is a pydantic model that reads its part of the file strictly, and then makes the part of the `model` that
it stands for. Fields are named as in the model, and as in the file by their alias. What one key says about another
is left to `rules`, so that both can report all that they find.
"""

import re
from functools import partial
from itertools import chain
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, model_validator

from wsgateway.dialects import DIALECTS, Dialect, Limits
from wsgateway.settings.addresses import address, domain, port, target
from wsgateway.settings.dialects import dialect, dialects
from wsgateway.settings.findings import Path, seen
from wsgateway.settings.model import (
    Address,
    Extensions,
    FlashMode,
    FlashPolicy,
    Format,
    Level,
    Listener,
    LocationScheme,
    Logging,
    PathMatch,
    Route,
    Settings,
    Target,
    Timeouts,
    Upstream,
)
from wsgateway.settings.units import KIB, MIB, byte_count, seconds
from wsgateway.wire.binary import BinaryRule, Decode, Encode
from wsgateway.wire.flash import Grant
from wsgateway.wire.heads import HeadLimits
from wsgateway.wire.utf8 import InvalidUtf8

# The largest frame that RFC 6455 allows has 2**63 - 1 bytes; half of that leaves room to count.
_MOST_MESSAGE_BYTES = 2**62

# The defaults stand where they are explained.
_HEAD = HeadLimits()
_TIMEOUTS = Timeouts()
_LIMITS = Limits()
_LOGGING = Logging()
_BINARY = BinaryRule()

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PATH = re.compile(r"/[!-~]*")


def plain_name(text: str) -> str:
    """Checks a name. Names stand in logs and will stand in metrics and addresses, so they are plain."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"{seen(text)} is not a name; letters, digits, '_', '-' and '.' are allowed")
    return text


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError(f"{seen(text)} is not a path; it must begin with '/'")
    if _PATH.fullmatch(text) is None:
        raise ValueError(f"{seen(text)} can never match, write spaces and all that is not ASCII percent-encoded")
    if "?" in text or "#" in text:
        raise ValueError(f"{seen(text)} can never match, a path ends before '?' or '#'")
    return text


def _version(value: object) -> int:
    # Not a Literal alone: True is 1 to pydantic, as to Python.
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"{seen(value)} is not a version that is known here; write 1")
    return 1


Version = Annotated[Literal[1], PlainValidator(_version, json_schema_input_type=Literal[1])]
Name = Annotated[str, AfterValidator(plain_name)]
UrlPath = Annotated[str, AfterValidator(_path)]
Count = Annotated[int, Field(ge=1)]
Duration = Annotated[float, PlainValidator(seconds, json_schema_input_type=str)]
HeadSize = Annotated[int, PlainValidator(partial(byte_count, least=KIB, most=MIB), json_schema_input_type=str)]
MessageSize = Annotated[
    int, PlainValidator(partial(byte_count, least=1, most=_MOST_MESSAGE_BYTES), json_schema_input_type=str)
]
Bind = Annotated[Address, PlainValidator(address, json_schema_input_type=str)]
Url = Annotated[Target, PlainValidator(target, json_schema_input_type=str)]
OneDialect = Annotated[Dialect, PlainValidator(dialect, json_schema_input_type=str)]
DialectRange = Annotated[tuple[Dialect, ...], PlainValidator(dialects, json_schema_input_type=str)]
Domain = Annotated[str, PlainValidator(domain, json_schema_input_type=str)]
Port = Annotated[int, PlainValidator(port, json_schema_input_type=int)]


class Section(BaseModel):
    """A mapping of the file: no other keys than the fields, and no value that has to be bent into shape."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class HeadSection(Section):
    """Bounds on the head of a request."""

    head_bytes: HeadSize = Field(
        default=_HEAD.head_bytes,
        alias="head_size",
        description="The most that a head may have, a size from 1KiB to 1MiB.",
    )
    headers: Count = Field(default=_HEAD.headers, description="How many headers a request may have.")


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
        description="For logs. Listeners without one are listener-1, listener-2 ... in order.",
    )
    bind: list[Bind] = Field(
        min_length=1, description="HOST:PORT, several times; IPv6 in brackets. Port 0: the system chooses one."
    )
    max_connections: Count = Field(
        default=20_000, description="How many connections may be open at once; more are answered 503."
    )
    limits: HeadSection = Field(default_factory=HeadSection, description="Bounds on the head of a request.")
    flash_policy: FlashPolicySection = Field(
        default_factory=FlashPolicySection, description="What Flash Player is told when it asks for a policy file."
    )

    def listener(self, number: int) -> Listener:
        """The listener; `number` is its place in the list, from 1."""
        return Listener(
            name=self.name or default_name("listener", number),
            bind=tuple(self.bind),
            max_connections=self.max_connections,
            head_limits=HeadLimits(**self.limits.model_dump()),
            flash_policy=self.flash_policy.flash_policy(),
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
    close_seconds: Duration = Field(
        default=_TIMEOUTS.close_seconds, alias="close", description="For a peer to answer a Close, a duration."
    )


class LimitsSection(Section):
    """Bounds on what either peer of a session may send."""

    message_bytes: MessageSize = Field(
        default=_LIMITS.message_bytes,
        alias="message_size",
        description="The most that a message may have, a size up to 4EiB.",
    )
    fragments: Count = Field(default=_LIMITS.fragments, description="How many fragments a message may have.")


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
    invalid_utf8: InvalidUtf8 = Field(
        default="replace",
        description="Text that is not UTF-8, from dialects before hybi-07: repaired, or the session ends with 1007.",
    )
    location_scheme: LocationScheme = Field(
        default="auto",
        description="How the address begins that the oldest dialects repeat; auto: as the client's connection is.",
    )
    extensions: Extensions = Field(
        default="forward", description="Whether client and upstream may agree on compression, permessage-deflate."
    )
    unprefixed_headers: bool = Field(
        default=False,
        description="Whether replies to hixie-76 have WebSocket-Origin and -Location beside those with Sec-.",
    )
    timeouts: TimeoutsSection = Field(default_factory=TimeoutsSection, description="How long a session waits.")
    limits: LimitsSection = Field(default_factory=LimitsSection, description="Bounds on what a peer may send.")


class PathSection(Section):
    """Which paths a route takes: one of the two keys."""

    prefix: UrlPath = Field(
        default="",
        description="Paths that begin with these segments: /chat takes /chat/x, not /chatter.",
    )
    exact: UrlPath = Field(default="", description="This path alone.")

    @model_validator(mode="after")
    def _one(self) -> "PathSection":
        if len(self.model_fields_set) != 1:
            given = "prefix and exact are both" if self.model_fields_set else "neither prefix nor exact is"
            raise ValueError(f"{given} given, exactly one of them is needed")
        return self


class MatchSection(Section):
    """Which requests a route takes."""

    path: PathSection = Field(description="The path, without the query.")


class RouteSection(DefaultsSection):
    """Which requests go where, and what holds for them. The first route that matches is taken."""

    name: Name = Field(default="", description="For logs. Routes without one are route-1, route-2 ... in order.")
    match: MatchSection = Field(description="Which requests it takes.")
    upstream: str = Field(description="The name of the upstream that they go to.")

    def route(self, number: int, defaults: DefaultsSection, upstreams: dict[str, Upstream]) -> Route:
        """The route; `number` is its place in the list, from 1. Its upstream must be there."""
        own = _merged(defaults, self)
        text_only = own["binary"].pop("text_only")
        return Route(
            name=self.name or default_name("route", number),
            match=PathMatch(**self.match.path.model_dump(exclude_unset=True)),
            upstream=upstreams[self.upstream],
            **own
            | {
                "dialects": _in_order(own["dialects"]),
                "binary": BinaryRule(**own["binary"]),
                "text_only": _in_order(text_only),
                "timeouts": Timeouts(**own["timeouts"]),
                "limits": Limits(**own["limits"]),
            },
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


def _in_order(ranges: list[tuple[Dialect, ...]]) -> tuple[Dialect, ...]:
    """Each dialect once, the oldest first."""
    named = {each.name for each in chain.from_iterable(ranges)}
    return tuple(each for each in DIALECTS.values() if each.name in named)


class TargetSection(Section):
    """One server of an upstream."""

    url: Url = Field(description="ws://HOST or ws://HOST:PORT; the port is 80 if not given.")


class UpstreamSection(Section):
    """A named pool of servers."""

    targets: list[TargetSection] = Field(min_length=1, description="The servers: exactly one, in this version.")
    dialect: OneDialect = Field(
        default="rfc6455", validate_default=True, description="What is spoken to them, by its name."
    )


class LoggingSection(Section):
    """What is logged, and how."""

    level: Level = Field(default=_LOGGING.level, description="The least important that is logged.")
    format: Format = Field(default=_LOGGING.format, description="Lines for people, or an object of JSON per line.")


class File(Section):
    """The whole file."""

    version: Version = Field(description="The version of the file's format.")
    listeners: list[ListenerSection] = Field(min_length=1, description="Where clients come in.")
    defaults: DefaultsSection = Field(default_factory=DefaultsSection, description="Whatever a route may override.")
    routes: list[RouteSection] = Field(min_length=1, description="Which requests go where; the first match wins.")
    upstreams: dict[str, UpstreamSection] = Field(min_length=1, description="The servers, by the name of their pool.")
    logging: LoggingSection = Field(default_factory=LoggingSection, description="What is logged, and how.")

    def settings(self) -> Settings:
        """The settings, if the file has also passed the `rules`."""
        upstreams = {
            name: Upstream(name, tuple(target.url for target in section.targets), section.dialect)
            for name, section in self.upstreams.items()
        }
        return Settings(
            listeners=tuple(section.listener(number) for number, section in enumerate(self.listeners, 1)),
            routes=tuple(
                section.route(number, self.defaults, upstreams) for number, section in enumerate(self.routes, 1)
            ),
            upstreams=upstreams,
            default_timeouts=Timeouts(**self.defaults.timeouts.model_dump()),
            logging=Logging(**self.logging.model_dump()),
        )


def default_name(noun: str, number: int) -> str:
    """The name of the listener or route that has none; `number` is its place in the list, from 1."""
    return f"{noun}-{number}"


def known_keys(path: Path) -> list[str]:
    """The keys that the section at a path may have. Raises AssertionError if there is no section."""
    section = _kind(path)
    if not (isinstance(section, type) and issubclass(section, Section)):
        raise AssertionError(path)
    return [info.alias or name for name, info in section.model_fields.items()]


def choices(path: Path) -> tuple[str, ...]:
    """The words that the key at a path may have for a value, if they are few."""
    return get_args(_kind(path))


def _kind(path: Path) -> Any:
    """The type of what stands at a path."""
    kind: Any = File
    for step in path:
        if isinstance(kind, type) and issubclass(kind, Section):
            kind = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}[str(step)]
        else:  # list[Section] or dict[str, Section]
            kind = get_args(kind)[-1]
    return kind
