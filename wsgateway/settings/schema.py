"""What the file may hold: every key with its default, its unit and its meaning.

Each section is a pydantic model that reads its part of the file strictly, and then makes the part of the `model` that
it stands for. Fields are named as in the model, and as in the file by their alias. What one key says about another
is left to `rules`, so that both can report all that they find.
"""

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path as FilePath
from types import NoneType
from typing import Any, get_args

from pydantic import Field, model_validator

from wsgateway.settings.base import (
    OLD_NAMES,
    AdminBind,
    CloseCode,
    ControlBind,
    Duration,
    DurationOrNone,
    HostName,
    JoinMemory,
    Net,
    QueueSize,
    Section,
    ValueLength,
    Version,
    Workers,
)
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.findings import Path
from wsgateway.settings.listeners import ListenerSection
from wsgateway.settings.model import JOIN_MEMORY_BYTES, Route, Settings, Timeouts
from wsgateway.settings.process import Admin, Format, Level, Logging, Shutdown
from wsgateway.settings.routes import DefaultsSection, RouteSection
from wsgateway.settings.upstreams import UpstreamSection

# The defaults stand where they are explained.
_LOGGING = Logging()
_SHUTDOWN = Shutdown()


# What routes have in common, mostly.
_SHARED = (
    "rewrite", "headers", "dialects", "binary", "text_only", "subprotocols", "origins", "timeouts", "keepalive",
    "limits", "rates",
)  # fmt: skip


class ShutdownSection(Section):
    """How a process ends that is told to."""

    delay_seconds: DurationOrNone = Field(
        default=_SHUTDOWN.delay_seconds,
        alias="delay",
        description="So long it is not ready, and still accepts, before it drains; none: it drains at once.",
    )
    drain_seconds: Duration = Field(
        default=_SHUTDOWN.drain_seconds,
        alias="drain",
        description="After so long whatever is left is ended at once, with a goodbye if there is time for it.",
    )
    spread_seconds: DurationOrNone = Field(
        default=_SHUTDOWN.spread_seconds,
        alias="spread",
        description="Sessions are ended one after the other in this time, no longer than drain; none: all at once.",
    )
    close_code: CloseCode = Field(
        default=_SHUTDOWN.close_code, description="What they are told; 1001, where a dialect does not have it."
    )

    @model_validator(mode="after")
    def _spreads_while_it_drains(self) -> "ShutdownSection":
        given = self.spread_seconds if "spread_seconds" in self.model_fields_set else None
        if given is not None and given > self.drain_seconds:
            drain = f"the drain, which ends after {self.drain_seconds:g} s"
            raise ValueError(f"a spread of {given:g} s is longer than {drain}")
        return self

    def shutdown(self) -> Shutdown:
        """How it ends: a spread that is not given is shorter, if the drain is."""
        spread = None if self.spread_seconds is None else min(self.spread_seconds, self.drain_seconds)
        return Shutdown(self.drain_seconds, spread, self.close_code, self.delay_seconds)


class LoggingSection(Section):
    """What is logged, and how."""

    level: Level = Field(default=_LOGGING.level, description="The least important that is logged.")
    format: Format = Field(default=_LOGGING.format, description="Lines for people, or an object of JSON per line.")
    value_characters: ValueLength = Field(
        default=_LOGGING.value_characters,
        alias="value_length",
        description="How many characters of a value a line has, from 50 to 65536; longer values are cut.",
    )
    queue_bytes: QueueSize = Field(
        default=_LOGGING.queue_bytes,
        alias="queue",
        description="How much of the log may wait in each process for its reader, from 64KiB to 1GiB; more is dropped.",
    )


class AdminSection(Section):
    """Where the gateway speaks of itself."""

    bind: AdminBind | None = Field(default=None, description="HOST:PORT or unix:PATH. Left out: nowhere.")
    allow: list[Net] = Field(
        default_factory=list,
        description="Networks that may ask, beside this machine. Needed for an address that others can reach.",
    )
    names: list[HostName] = Field(
        default_factory=list,
        description="Names by which clients ask, beside addresses and localhost. Host must be one of these.",
    )

    @model_validator(mode="after")
    def _asks_who_they_are(self) -> "AdminSection":
        if isinstance(self.bind, Address) and not self.allow and not _is_loopback(self.bind.host):
            raise ValueError(
                f"{self.bind} can be reached by others, and the pages ask for no password;"
                " name in allow who may ask, or bind 127.0.0.1:PORT, [::1]:PORT or unix:PATH"
            )
        return self

    def admin(self, directory: FilePath) -> Admin | None:
        """Where it speaks; a Unix socket is relative to the directory."""
        bind = self.bind
        if isinstance(bind, UnixAddress):
            bind = UnixAddress(str(directory / bind.path))
        return None if bind is None else Admin(bind, tuple(self.allow), tuple(self.names))


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host.lower() == "localhost"


class File(Section):
    """The whole file."""

    version: Version = Field(description="The version of the file's format.")
    listeners: list[ListenerSection] = Field(min_length=1, description="Where clients come in.")
    defaults: DefaultsSection = Field(default_factory=DefaultsSection, description="Whatever a route may override.")
    routes: list[RouteSection] = Field(min_length=1, description="Which requests go where; the first match wins.")
    upstreams: dict[str, UpstreamSection] = Field(min_length=1, description="The servers, by the name of their pool.")
    shutdown: ShutdownSection = Field(default_factory=ShutdownSection, description="How the process ends.")
    workers: Workers = Field(default=1, description="How many processes serve, or auto: one per core.")
    join_memory: JoinMemory = Field(
        default=JOIN_MEMORY_BYTES,
        description="How much a process holds back for limits.join, in all sessions together, a size of 16MiB or more.",
    )
    logging: LoggingSection = Field(default_factory=LoggingSection, description="What is logged, and how.")
    admin: AdminSection = Field(default_factory=AdminSection, description="Where the gateway speaks of itself.")
    control: ControlBind = Field(
        default="auto",
        description="unix:PATH, where `wsgateway reload` asks. auto: in the directory of the service. none: nowhere.",
    )

    def settings(self, directory: FilePath) -> Settings:
        """The settings, if the file has also passed the `rules`. Names of files are relative to the directory."""
        upstreams = {name: section.upstream(name, directory) for name, section in self.upstreams.items()}
        parts: dict[tuple[str, Any], Any] = {}
        return Settings(
            listeners=tuple(section.listener(number, directory) for number, section in enumerate(self.listeners, 1)),
            routes=tuple(
                _sharing(section.route(number, self.defaults, upstreams), parts)
                for number, section in enumerate(self.routes, 1)
            ),
            upstreams=upstreams,
            default_timeouts=Timeouts(**self.defaults.timeouts.model_dump()),
            shutdown=self.shutdown.shutdown(),
            workers=self.workers,
            join_memory_bytes=self.join_memory,
            logging=Logging(**self.logging.model_dump()),
            admin=self.admin.admin(directory),
            control=UnixAddress(str(directory / self.control.path))
            if isinstance(self.control, UnixAddress)
            else self.control,
        )


def _sharing(route: Route, parts: dict[tuple[str, Any], Any]) -> Route:
    """Return the route with the parts of earlier ones where they are equal: a thousand routes with the same timeouts
    have them once, which takes a third of the memory, and of the time to hand them to another process."""
    own: dict[str, Any] = {name: getattr(route, name) for name in _SHARED}
    return replace(route, **{name: parts.setdefault((name, part), part) for name, part in own.items()})


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
            fields = {
                key: info.annotation
                for name, info in kind.model_fields.items()
                for key in (info.alias or name, *OLD_NAMES.get(name, ()))
            }
            kind = fields[str(step)]
            if NoneType in get_args(kind):  # a section or a word that may be left out
                kind = next(each for each in get_args(kind) if each is not NoneType)
        else:  # list[Section] or dict[str, Section]
            kind = get_args(kind)[-1]
    return kind
