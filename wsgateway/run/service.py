"""What serves in a process, changeable while it runs: settings are exchanged, and sessions sent home.

    run -> sessions ... reload ... reload ... drain -> nothing new, sessions end one after the other -> run returns

Cancelling `run` is the other way to stop, for whoever cannot wait.
"""

import math
import socket
from itertools import islice

import trio

from wsgateway.errors import Problem, SettingsError
from wsgateway.observe.log import Log
from wsgateway.observe.status import ServeStatus
from wsgateway.relay.closing import ServerClose
from wsgateway.run.listening import Sockets, close, shares
from wsgateway.serve.gateway import GatewayState, TlsContexts
from wsgateway.serve.listeners import Acceptor
from wsgateway.settings.basics import SystemdSocket
from wsgateway.settings.whole import Settings

# Sessions that are spread over a time are ended in turns of this length, if there are many.
TURN_SECONDS = 0.1


class Service:
    """Serves on sockets that listen, which it owns."""

    def __init__(self, settings: Settings, log: Log, sockets: Sockets) -> None:
        """Takes the sockets of all addresses of the settings. Raises SettingsError for a certificate that cannot be
        had; the sockets are the caller's then."""
        self._gateway = GatewayState(settings, log)
        self._acceptors: dict[socket.socket, Acceptor] = {}
        self._beginning: list[Acceptor] = []  # to be run as soon as this is
        self._sessions: trio.Nursery | None = None
        self._drain = trio.Event()
        self._ended = 0  # sessions, before the drain
        self._cut = 0
        self._listen(settings, sockets)

    async def run(self) -> None:
        """Serves until it is drained. Cancel it to end at once."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._gateway.engine.run)
                nursery.start_soon(self._gateway.hangups.run)
                nursery.start_soon(self._gateway.pools.run)
                async with trio.open_nursery() as sessions:
                    self._sessions = sessions
                    for acceptor in self._beginning:
                        sessions.start_soon(acceptor.run, sessions)
                    await self._drain.wait()
                    nursery.start_soon(self._send_home, sessions.cancel_scope)
                closed = self._gateway.counters.sessions_ended - self._ended - self._cut
                self._gateway.log.info("drained", closed=closed, cut=self._cut)
                nursery.cancel_scope.cancel()
        finally:
            close(self._sockets)

    def reload(self, settings: Settings, sockets: Sockets, contexts: TlsContexts | None = None) -> None:
        """Has all that begins from now on be as the settings say; sessions go on as they began.

        Takes the sockets of all addresses, those that it has already, too; the others that it has are closed. Raises
        SettingsError, for a certificate that cannot be had or a socket that is missing; then nothing has changed, and
        the new sockets are the caller's. `contexts` is what TLS is made of, if the caller has made that beside the
        relay.
        """
        if self._drain.is_set():
            raise SettingsError([Problem("reload", 0, 0, "this process ends, and takes no new settings")])
        wanted = dict.fromkeys(address for listener in settings.listeners for address in listener.bind)
        missing = [Problem(str(each), 0, 0, "there is no socket for it") for each in wanted if each not in sockets]
        if missing:
            raise SettingsError(missing)
        before = self._gateway.settings
        self._gateway.take(settings, contexts)
        self._listen(settings, sockets)
        self._gateway.log.debug("reloaded", **differences(before, settings), routes=len(settings.routes))

    def drain(self, others_accept: bool = False) -> None:
        """Begins to end, as the settings say: nothing new is accepted, and all sessions get their goodbye. When that is
        done `run` returns.

        Who has called already is served to that end, too, unless others go on accepting at the same sockets. At those
        of systemd somebody always does: they are there for whoever is started next.
        """
        if self._drain.is_set():
            return
        gateway = self._gateway
        gateway.log.info("draining", sessions=len(gateway.counters.live))
        self._ended = gateway.counters.sessions_ended
        gateway.drain(gateway.settings.shutdown.spread_over)
        kept = {sock for place, socks in self._sockets.items() if isinstance(place, SystemdSocket) for sock in socks}
        for sock, acceptor in self._acceptors.items():
            acceptor.retire(others_accept or sock in kept)
        self._drain.set()

    def status(self) -> ServeStatus:
        """What is there now, and what has been since the start, as plain data for JSON."""
        return self._gateway.status()

    def beat(self) -> float:
        """When the loop of the relay has turned last, by Trio's clock; while it turns, less than a second ago."""
        return self._gateway.engine.turned

    def _listen(self, settings: Settings, sockets: Sockets) -> None:
        """Listens on these and nothing else; one that is there already goes on."""
        acceptors: dict[socket.socket, Acceptor] = {}
        for listener, sock in shares(settings, sockets):
            listener_state = self._gateway.entrances[listener.name]
            acceptor = self._acceptors.pop(sock, None)
            if acceptor is None:
                acceptor = Acceptor(self._gateway, listener_state, sock)
                if self._sessions is None:
                    self._beginning.append(acceptor)
                else:
                    self._sessions.start_soon(acceptor.run, self._sessions)
            acceptor.listener_state = listener_state
            acceptors[sock] = acceptor
        for acceptor in self._acceptors.values():
            acceptor.retire()
        self._acceptors, self._sockets = acceptors, sockets

    async def _send_home(self, sessions: trio.CancelScope) -> None:
        """Ends sessions one after the other, the oldest first, and then cuts what there still is."""
        gateway, begun = self._gateway, trio.current_time()
        shutdown = gateway.settings.shutdown
        spread_until, drained_at = begun + shutdown.spread_over, begun + shutdown.drain_seconds
        server_close = ServerClose("stopped", shutdown.close_code)
        while True:
            now, count = trio.current_time(), len(gateway.engine)
            left = spread_until - now
            due = math.ceil(count * TURN_SECONDS / left) if left > TURN_SECONDS else count
            for client in list(islice(gateway.engine.clients(), due)):
                gateway.engine.close(client, server_close)
            if now >= drained_at:
                break
            await trio.sleep(min(max(TURN_SECONDS, left / max(1, count)), drained_at - now))
        await trio.sleep(max(route.timeouts.close_seconds for route in gateway.settings.routes))
        self._cut = len(gateway.counters.live)
        sessions.cancel()


def differences(before: Settings, after: Settings) -> dict[str, str]:
    """Which listeners have come and gone, for the log."""
    names, new = ([listener.name for listener in each.listeners] for each in (before, after))
    told = {
        "listeners_added": ", ".join(name for name in new if name not in names),
        "listeners_removed": ", ".join(name for name in names if name not in new),
    }
    return {key: text for key, text in told.items() if text}
