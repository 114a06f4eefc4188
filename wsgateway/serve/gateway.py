"""What all sessions of a process share, and what a reload and a drain change for them."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio

from wsgateway.errors import HttpRefusal, Problem, Reason, ReasonedError, SettingsError
from wsgateway.net.failure import in_words
from wsgateway.net.hangups import HangupWatcher
from wsgateway.net.newest_first import NewestFirst
from wsgateway.observe.counters import Counters
from wsgateway.observe.log import Log
from wsgateway.observe.status import ServeStatus
from wsgateway.relay.engine import Engine
from wsgateway.serve.facts import Texts
from wsgateway.serve.limits import ConnectionCounts, RateLimiter
from wsgateway.serve.tls import server_context
from wsgateway.settings.listeners import Listener
from wsgateway.settings.whole import Settings
from wsgateway.upstream.pool import Pools
from wsgateway.upstream.tls import Contexts, client_contexts

TlsContexts = tuple[dict[str, ssl.SSLContext | None], Contexts]
"""what TLS connections are made of: by listener, and for targets"""

MakeError = Callable[[], ReasonedError]
"""makes an error that may never be needed"""

# Who has just connected is about to ask: a drain waits so long for the request of a client, from when it came.
REQUEST_GRACE_SECONDS = 0.5
# Clients beyond a limit that have their answer, and are given time to read it and to leave. Who came first of them has
# had the most of it when there are more.
LEAVING_AT_ONCE = 256
# Whoever serves next may be there already.
_RETRY = (("Retry-After", "1"),)


@dataclass(slots=True)
class ListenerState:
    """A listener as it is now. A reload changes what it is for new connections, and requests; those that it has count
    on, also when it is removed."""

    listener: Listener
    context: ssl.SSLContext | None
    """what its TLS connections are made of; None: it has none"""
    connections: int = 0
    """how many are open; each stream of HTTP/2 counts as one, too"""
    leaving: NewestFirst = field(default_factory=lambda: NewestFirst(LEAVING_AT_ONCE))
    """those beyond the limit"""
    exhausted: bool = False
    """whether the log knows that nothing can be accepted now"""

    @property
    def full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return self.connections >= self.listener.max_connections

    def enter(self) -> None:
        """Count one connection more. Raise HttpRefusal (503) if there are as many as there may be."""
        if self.full:
            raise self.refusal()
        self.connections += 1

    def refusal(self) -> HttpRefusal:
        """Return what is said of a client for which there is no room."""
        limit = f"{self.listener.name} has its limit of {self.listener.max_connections} connections"
        return HttpRefusal(Reason.LISTENER_FULL, limit)

    def leave(self) -> None:
        """Counts one less."""
        self.connections -= 1


@dataclass(slots=True)
class GatewayState:
    """The parts that every session uses; there is one in a process."""

    settings: Settings
    """for what begins now; sessions have those with which they began"""
    log: Log
    engine: Engine = field(default_factory=Engine)
    hangups: HangupWatcher = field(default_factory=HangupWatcher)
    """tells when clients leave who have no session"""
    counters: Counters = field(default_factory=Counters)
    connections: ConnectionCounts = field(default_factory=ConnectionCounts)
    """by what they are counted by: a listener and an address"""
    handshakes: RateLimiter = field(default_factory=RateLimiter)
    """by route and address"""
    entrances: dict[str, ListenerState] = field(default_factory=dict)
    """by the name of the listener; those that are removed, too, while they have connections"""
    waiting: dict[trio.CancelScope, float] = field(default_factory=dict)
    """for clients that have no session yet, and until when a drain waits with each of them"""
    closing_at: float | None = None
    """when a drain sends away who has no session then; None: there is none"""
    texts: Texts = field(default_factory=Texts)
    """what many sessions have in common of what the log says"""
    pools: Pools = field(init=False)

    def __post_init__(self) -> None:
        self.pools = Pools(self.log)
        self.take(self.settings)

    def take(self, settings: Settings, made: TlsContexts | None = None) -> None:
        """Has everything that begins from now on use these settings, and what TLS is made of, if the caller has made
        that already. Raises SettingsError; nothing has changed then."""
        contexts, for_targets = tls_contexts(settings) if made is None else made
        self.settings = settings
        self.engine.join_memory.most_bytes = settings.join_memory_bytes
        self.pools.update(settings.upstreams.values(), for_targets)
        self.entrances = {name: each for name, each in self.entrances.items() if each.connections or name in contexts}
        for listener in settings.listeners:
            listener_state = self.entrances.setdefault(listener.name, ListenerState(listener, None))
            listener_state.listener, listener_state.context = listener, contexts[listener.name]

    @property
    def draining(self) -> bool:
        """Whether nothing new is to begin."""
        return self.closing_at is not None

    def drain(self, seconds: float) -> None:
        """Sends away who has asked for nothing. Who has begins a session in so many seconds, or is refused."""
        self.closing_at = trio.current_time() + max(seconds, REQUEST_GRACE_SECONDS)
        for scope, until in self.waiting.items():
            scope.deadline = min(scope.deadline, until, self.closing_at)

    @contextmanager
    def patient(
        self, deadline: float, late: MakeError, stopping: MakeError, until: float = float("inf")
    ) -> Iterator[None]:
        """Raise what `late` makes if the block is not done at a time, and what `stopping` makes if the gateway drains,
        does not wait with this longer than `until`, and it is not done then either."""
        with trio.CancelScope(deadline=deadline) as scope:
            self.waiting[scope] = until
            if self.closing_at is not None:
                scope.deadline = min(deadline, until, self.closing_at)
            try:
                yield
            finally:
                del self.waiting[scope]
        if scope.cancelled_caught:
            raise stopping() if scope.deadline < deadline else late()

    def status(self) -> ServeStatus:
        """What is open now, and what has been since the start, as plain data."""
        names = {listener.name for listener in self.settings.listeners}
        return {
            "draining": self.draining,
            "connections": {
                name: {"open": each.connections, "cap": each.listener.max_connections}
                for name, each in self.entrances.items()
                if each.connections or name in names
            },
            "pools": self.pools.status(),
            **self.counters.status(),
        }


def stops() -> HttpRefusal:
    """Return what a client is told whose request comes too late."""
    return HttpRefusal(Reason.GATEWAY_STOPPING, "the gateway stops", _RETRY)


def tls_contexts(settings: Settings) -> TlsContexts:
    """Reads all certificates, and returns what TLS connections are made of: by listener, and for targets.

    Raises SettingsError for a file that cannot be read, or is not what it should be.
    """
    contexts: dict[str, ssl.SSLContext | None] = {}
    files: list[str | None] = []
    try:
        for listener in settings.listeners:
            place, tls = f"the TLS of listener {listener.name}", listener.tls
            if tls is not None:
                files = [file for each in tls.certificates for file in (each.certificate, each.private_key)]
                files.append(tls.client_ca)
            contexts[listener.name] = None if tls is None else server_context(tls)
        place = "the TLS of a target"
        targets = [target for upstream in settings.upstreams.values() for target in upstream.targets]
        of_targets = {target.tls for target in targets if target.url.secure}
        files = [file for each in of_targets for file in (each.ca, each.certificate, each.private_key)]
        for_targets = client_contexts(of_targets)
    except OSError as error:
        problem = Problem(place, 0, 0, _unreadable(files) or in_words(error))
        raise SettingsError([problem], Reason.CERTIFICATE_UNUSABLE) from None
    return contexts, for_targets


def _unreadable(files: Iterable[str | None]) -> str:
    """Name the first of some files that cannot be read, which OpenSSL's errors do not; empty: all can be."""
    for file in filter(None, files):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            return f"{file!r} cannot be read: {error.strerror}"
    return ""
