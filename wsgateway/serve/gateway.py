"""The state that all sessions of a process share, and its changes by a reload and a drain."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import trio

from wsgateway.census.tally import Tally
from wsgateway.errors import HttpRefusal, Problem, Reason, ReasonedError, SettingsError
from wsgateway.net.alarms import Alarms
from wsgateway.net.failure import in_words
from wsgateway.net.hangups import HangupWatcher
from wsgateway.net.newest_first import NewestFirst
from wsgateway.observe.counters import Counters
from wsgateway.observe.lag import LoopLag
from wsgateway.observe.log import Log
from wsgateway.observe.refusals import Refusals
from wsgateway.observe.status import ServeStatus
from wsgateway.policy.routes import RouteIndex
from wsgateway.relay.engine import Engine
from wsgateway.serve.facts import Texts
from wsgateway.serve.limits import ConnectionCounts, RateLimiter
from wsgateway.serve.owner import Owner
from wsgateway.serve.scoreboard import ScoreboardEntry
from wsgateway.serve.tls import server_context
from wsgateway.settings.listeners import Listener
from wsgateway.settings.whole import Settings
from wsgateway.trace.traces import Traces
from wsgateway.upstream.pools import Pools
from wsgateway.upstream.tls import Contexts, client_contexts

TlsContexts = tuple[dict[str, ssl.SSLContext | None], Contexts]
"""the contexts for TLS connections: by listener, and for targets"""

MakeError = Callable[[], ReasonedError]
"""makes an error that may not be needed"""


class HasDeadline(Protocol):
    """Work that ends at a time, which may change."""

    deadline: float


# A client that has just connected is about to send a request: a drain waits this long for it, from the connection on.
REQUEST_GRACE_SECONDS = 0.5
# The number of clients above a limit that have their answer, and get time to read it and to close. If there are more,
# the oldest one is closed, because it has had the most time.
TURNED_AWAY_AT_ONCE = 256
# The next process may serve already.
_RETRY = (("Retry-After", "1"),)


@dataclass(slots=True)
class ListenerState:
    """The state of a listener. A reload changes it for new connections and requests.

    Open connections still count, also when the listener is removed.
    """

    listener: Listener
    context: ssl.SSLContext | None
    """the TLS context for its connections; None: no TLS"""
    entry: ScoreboardEntry = field(default_factory=ScoreboardEntry)
    """counts the connections of all listeners"""
    connections: int = 0
    """how many are open; each stream of HTTP/2 counts as one, too"""
    turned_away: NewestFirst = field(default_factory=lambda: NewestFirst(TURNED_AWAY_AT_ONCE))
    """the clients above the limit"""
    cannot_accept_logged: bool = False
    """whether the log has a line that the listener cannot accept, since it last could"""

    @property
    def full(self) -> bool:
        """Whether the limit of connections is reached."""
        return self.connections >= self.listener.max_connections

    def enter(self) -> None:
        """Count one more connection. Raise HttpRefusal (503) if the limit is reached."""
        if self.full:
            raise self.refusal()
        self.count(1)

    def refusal(self) -> HttpRefusal:
        """Return the refusal of a client above the limit."""
        limit = f"{self.listener.name} has its limit of {self.listener.max_connections} connections"
        return HttpRefusal(Reason.LISTENER_FULL, limit)

    def leave(self) -> None:
        """Count one connection less."""
        self.count(-1)

    def count(self, change: int) -> None:
        """Count so many connections more, or less if the number is negative."""
        self.connections += change
        self.entry.add(change)


@dataclass(slots=True)
class GatewayState:
    """The state that every session uses; there is one in a process."""

    settings: Settings
    """the settings for what begins now; a session keeps those with which it began"""
    log: Log
    entry: ScoreboardEntry = field(default_factory=ScoreboardEntry)
    """the connections of this process beside those of other workers"""
    clock: Callable[[], float] = field(default_factory=lambda: trio.lowlevel.current_clock().current_time)
    """Trio's clock itself: `trio.current_time` looks for it each time, which takes three times as long"""
    engine: Engine = field(default_factory=Engine)
    alarms: Alarms = field(default_factory=Alarms)
    """the deadlines of what the relay's loop drives"""
    owner: Owner = field(default_factory=Owner)
    """the owner of all connections that have no task"""
    hangups: HangupWatcher = field(default_factory=HangupWatcher)
    """reports hang-ups of clients that have no session"""
    counters: Counters = field(default_factory=Counters)
    tally: Tally = field(default_factory=Tally)
    """what the census takes"""
    refusals: Refusals = field(default_factory=Refusals)
    """what the page shows of the last clients without a session"""
    lag: LoopLag = field(default_factory=LoopLag)
    connections: ConnectionCounts = field(default_factory=ConnectionCounts)
    """the counted connections by listener and address"""
    handshakes: RateLimiter = field(default_factory=RateLimiter)
    """by route and address"""
    listener_states: dict[str, ListenerState] = field(default_factory=dict)
    """by the name of the listener; removed ones, too, while they have connections"""
    waiting: dict[HasDeadline, float] = field(default_factory=dict)
    """the work for clients that have no session yet, with the time until which a drain waits for each"""
    closing_at: float | None = None
    """the time when a drain closes clients without a session; None: there is no drain"""
    texts: Texts = field(default_factory=Texts)
    """texts for the log that many sessions share"""
    traces: Traces = field(default_factory=Traces)
    routes: RouteIndex = field(init=False)
    """the routes of the settings"""
    pools: Pools = field(init=False)

    def __post_init__(self) -> None:
        self.pools = Pools(self.log)
        self.engine.late = self.lag.note
        self.use(self.settings)

    def use(self, settings: Settings, made: TlsContexts | None = None) -> None:
        """Use these settings for everything that begins from now on, with TLS contexts that the caller may have made.

        Raise SettingsError if a file cannot be read; then nothing has changed.
        """
        contexts, for_targets = tls_contexts(settings) if made is None else made
        self.settings, self.routes = settings, RouteIndex(settings.routes)
        self.engine.join_memory.most_bytes = settings.join_memory_bytes
        self.traces.query_names = settings.trace.redact_query
        self.pools.update(settings.upstreams.values(), for_targets)
        self.listener_states = {
            name: each for name, each in self.listener_states.items() if each.connections or name in contexts
        }
        for listener in settings.listeners:
            listener_state = self.listener_states.setdefault(listener.name, ListenerState(listener, None, self.entry))
            listener_state.listener, listener_state.context = listener, contexts[listener.name]
        self.counters.keep(contexts.keys(), {route.name for route in settings.routes})

    @property
    def draining(self) -> bool:
        """Whether nothing new may begin."""
        return self.closing_at is not None

    def drain(self, seconds: float) -> None:
        """Close clients that have no request. A client with a request has `seconds` to open its session."""
        self.closing_at = trio.current_time() + max(seconds, REQUEST_GRACE_SECONDS)
        for work, until in list(self.waiting.items()):
            work.deadline = min(work.deadline, until, self.closing_at)
        self.owner.drain()

    @contextmanager
    def time_limit(
        self, deadline: float, late: MakeError, stopping: MakeError | None, until: float = float("inf")
    ) -> Iterator[None]:
        """Raise what `late` makes if the block is not done by `deadline`.

        Raise what `stopping` makes if the gateway drains and the block is not done in time: a drain waits for it until
        `until` at most. Without `stopping` a drain waits until the deadline.
        """
        if stopping is None:
            with trio.move_on_at(deadline) as scope:
                yield
            if scope.cancelled_caught:
                raise late()
            return
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
        """Return the open connections and the totals since the start, as plain data."""
        names = {listener.name for listener in self.settings.listeners}
        return {
            "draining": self.draining,
            "connections": {
                name: {"open": each.connections, "cap": each.listener.max_connections}
                for name, each in self.listener_states.items()
                if each.connections or name in names
            },
            "pools": self.pools.status(),
            "join_memory": {
                "held": self.engine.join_memory.held_bytes,
                "most": self.engine.join_memory.most_bytes,
            },
            "loop_lag": self.lag.histogram.status(),
            **self.counters.status(),
        }


def stops() -> HttpRefusal:
    """Return the refusal of a request that comes when the gateway stops."""
    return HttpRefusal(Reason.GATEWAY_STOPPING, "the gateway stops", _RETRY)


def tls_contexts(settings: Settings) -> TlsContexts:
    """Read all certificates, and return the contexts for TLS connections: by listener, and for targets.

    Raise SettingsError for a file that cannot be read or is not valid.
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
    """Return a text about the first file that cannot be read, because OpenSSL's errors name none; empty if all can."""
    for file in filter(None, files):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            return f"{file!r} cannot be read: {error.strerror}"
    return ""
