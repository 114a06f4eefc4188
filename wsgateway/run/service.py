"""The part of a process that serves clients: its settings can be replaced, and its sessions can be closed in order.

    run -> sessions ... reload ... reload ... drain -> no new clients, sessions are closed one by one -> run returns

Cancelling `run` is the other way to end it: then all connections are closed at once.
"""

import math
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from itertools import islice
from typing import NoReturn, cast

import trio

from wsgateway.census.tally import Counts
from wsgateway.errors import Problem, Reason, SettingsError
from wsgateway.observe.log import Log
from wsgateway.observe.refusals import Refusal
from wsgateway.observe.status import ServeStatus
from wsgateway.relay.closing import ServerClose
from wsgateway.run.listening import Sockets, close, differences, shares
from wsgateway.run.questions import Functions
from wsgateway.run.sessions import Sessions
from wsgateway.run.tracing import Tracing
from wsgateway.serve.gateway import GatewayState, TlsContexts
from wsgateway.serve.listeners import Acceptor
from wsgateway.serve.opening import Opened
from wsgateway.serve.scoreboard import ScoreboardEntry
from wsgateway.settings.basics import SystemdSocket
from wsgateway.settings.whole import Settings

# How often what has been counted for the census is sent, and how many of its profiles at a time.
COUNT_SECONDS = 3.0
COUNTS_AT_ONCE = 200
# So many running sessions are looked at for it before others run.
_LOOKS_AT_ONCE = 256
# How long to wait between the sessions that a drain closes. If there are many, several are closed each time.
CLOSE_PAUSE_SECONDS = 0.1


class Service:
    """A service for clients on listening sockets, which it owns."""

    def __init__(
        self, settings: Settings, log: Log, sockets: Sockets, entry: ScoreboardEntry | None = None, process: int = 1
    ) -> None:
        """Take the sockets of all addresses of the settings, and the entry of a worker; None: there are no others.

        `process` is its number among all processes of the gateway, of which there is one by default.

        Raise SettingsError for a certificate that cannot be read; then the sockets are still the caller's.
        """
        self._gateway = GatewayState(settings, log, entry or ScoreboardEntry())
        self.functions: Functions = {
            **Sessions(self._gateway, process).functions,
            **Tracing(self._gateway, process).functions,
        }
        """what answers the requests of operators"""
        self._acceptors: dict[socket.socket, Acceptor] = {}
        self._beginning: list[Acceptor] = []  # started by `run`
        self._sessions: trio.Nursery | None = None
        self._drain = trio.Event()
        self._ended = 0  # sessions that had ended before the drain
        self._cut = 0
        self._much_counted = trio.Event()
        self._gateway.tally.pressing = lambda: self._much_counted.set()
        self._listen(settings, sockets)

    async def run(self) -> None:
        """Serve until a drain is done. Cancel this to end at once."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._gateway.engine.run)
                nursery.start_soon(self._gateway.hangups.run)
                nursery.start_soon(self._gateway.alarms.run)
                nursery.start_soon(self._gateway.pools.run)
                async with trio.open_nursery() as sessions:
                    self._sessions = sessions
                    self._gateway.entry.begin()
                    self._gateway.owner.begin(sessions)
                    for acceptor in self._beginning:
                        sessions.start_soon(acceptor.run, sessions)
                    await self._drain.wait()
                    nursery.start_soon(self._close_sessions, sessions.cancel_scope)
                closed = self._gateway.counters.sessions_ended - self._ended - self._cut
                self._gateway.log.info("drained", closed=closed, cut=self._cut)
                nursery.cancel_scope.cancel()
        finally:
            close(self._sockets)

    def reload(self, settings: Settings, sockets: Sockets, contexts: TlsContexts | None = None) -> None:
        """Use other settings for all clients and requests from now on; sessions go on as they began.

        Take the sockets of all addresses, with those that are used already; other sockets that were used are closed.
        Raise SettingsError for a certificate that cannot be read, or for a missing socket: then nothing has changed,
        and new sockets are still the caller's. `contexts` are those of the settings, if the caller has made them.
        """
        if self._drain.is_set():
            problem = Problem("reload", 0, 0, "this process ends, and accepts no new settings")
            raise SettingsError([problem], Reason.GATEWAY_STOPPING)
        wanted = dict.fromkeys(address for listener in settings.listeners for address in listener.bind)
        missing = [Problem(str(each), 0, 0, "there is no socket for it") for each in wanted if each not in sockets]
        if missing:
            raise SettingsError(missing, Reason.ADDRESS_UNAVAILABLE)
        before = self._gateway.settings
        self._gateway.use(settings, contexts)
        self._listen(settings, sockets)
        self._gateway.log.debug("reloaded", **differences(before, settings), routes=len(settings.routes))

    def drain(self, others_accept: bool = False) -> None:
        """Begin to end, as the settings say: accept no client, and close all sessions. Then `run` returns.

        Clients that wait at the sockets are still accepted and answered, unless other processes accept at the same
        sockets. At the sockets of systemd the next process always does.
        """
        if self._drain.is_set():
            return
        gateway = self._gateway
        gateway.log.info("draining", sessions=len(gateway.counters.live))
        self._ended = gateway.counters.sessions_ended
        gateway.entry.end()
        gateway.drain(gateway.settings.shutdown.spread_over)
        kept = {sock for place, socks in self._sockets.items() if isinstance(place, SystemdSocket) for sock in socks}
        for sock, acceptor in self._acceptors.items():
            acceptor.retire(others_accept or sock in kept)
        self._drain.set()

    def drain_targets(self, drained: Collection[tuple[str, str]]) -> None:
        """Set the targets that get no new sessions, by their upstream and their url."""
        self._gateway.pools.drain_targets(drained)

    def status(self) -> ServeStatus:
        """Return what is open now, and the counts since the start."""
        return self._gateway.status()

    def new_refusals(self) -> list[Refusal]:
        """Return the clients that got no session since this was called last."""
        return self._gateway.refusals.new()

    def beat(self) -> float:
        """Return when the relay loop has last turned, by Trio's clock: less than a second ago, if all is well."""
        return self._gateway.engine.turned

    async def send_counts(self, send: Callable[[list[Counts]], Awaitable[object]]) -> NoReturn:
        """Send what has been counted for the census, again and again, until this is cancelled."""
        while True:
            with trio.move_on_after(COUNT_SECONDS):
                await self._much_counted.wait()
            self._much_counted = trio.Event()
            await self.send_last_counts(send)

    async def send_last_counts(self, send: Callable[[list[Counts]], Awaitable[object]]) -> None:
        """Send what has been counted for the census since the last time."""
        tally, live = self._gateway.tally, list(self._gateway.counters.live.values())
        for at in range(0, len(live), _LOOKS_AT_ONCE):
            tally.look(live[at : at + _LOOKS_AT_ONCE])
            await trio.lowlevel.checkpoint()
        while counts := tally.take(COUNTS_AT_ONCE):
            await send(counts)

    @property
    def loop_lag(self) -> float:
        """The longest time of late by which the loop was late, in seconds."""
        return self._gateway.lag.worst

    def _listen(self, settings: Settings, sockets: Sockets) -> None:
        """Accept at these sockets and no others; acceptors that exist already go on."""
        acceptors: dict[socket.socket, Acceptor] = {}
        for listener, sock in shares(settings, sockets):
            listener_state = self._gateway.listener_states[listener.name]
            acceptor = self._acceptors.pop(sock, None)
            if acceptor is None:
                acceptor = Acceptor(self._gateway, listener_state, sock)
                if self._sessions is None:
                    self._beginning.append(acceptor)
                else:
                    self._sessions.start_soon(acceptor.run, self._sessions)
            else:
                acceptor.use(listener_state)
            acceptors[sock] = acceptor
        for acceptor in self._acceptors.values():
            acceptor.retire()
        self._acceptors, self._sockets = acceptors, sockets

    async def _close_sessions(self, sessions: trio.CancelScope) -> None:
        """Close sessions one by one, the oldest first, and cut those that remain at the end of the drain."""
        gateway, begun = self._gateway, trio.current_time()
        shutdown = gateway.settings.shutdown
        spread_until, drained_at = begun + shutdown.spread_over, begun + shutdown.drain_seconds
        server_close = ServerClose(Reason.GATEWAY_STOPPING, "stopped", shutdown.close_code)
        while True:
            now, count = trio.current_time(), len(gateway.engine)
            remaining = spread_until - now
            due = math.ceil(count * CLOSE_PAUSE_SECONDS / remaining) if remaining > CLOSE_PAUSE_SECONDS else count
            for client in list(islice(gateway.engine.clients(), due)):
                gateway.engine.close(client, server_close)
            if now >= drained_at:
                break
            await trio.sleep(min(max(CLOSE_PAUSE_SECONDS, remaining / max(1, count)), drained_at - now))
        live = cast(Iterable[Opened], gateway.counters.live.values())  # nothing else is counted here
        routes = [*gateway.settings.routes, *(opened.route for opened in live)]  # a session keeps its first one
        await trio.sleep(max(route.timeouts.close_seconds for route in routes))
        self._cut = len(gateway.counters.live)
        sessions.cancel()
