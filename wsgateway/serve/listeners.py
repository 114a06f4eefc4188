"""The loop that accepts connections at a listening socket."""

import socket

import trio

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.net.channel import EXHAUSTED, Channel
from wsgateway.net.options import is_tcp, keepalive, set_listener_options
from wsgateway.serve.bind import BACKLOG
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.request import Client, canonical_name
from wsgateway.serve.session import ClientConnection, turn_away
from wsgateway.settings.basics import UNIX

# A listener with a full backlog must not keep the others waiting; a client takes a tenth of a millisecond. With fewer,
# the backlog would stay full, and clients whose connections do not fit into it are lost after a minute.
ACCEPTS_PER_TURN = 64
# With other workers at the same socket, the rest is for them.
SHARED_ACCEPTS_PER_TURN = 4
# While sessions have ended that still count. It is less than what ends in a turn (`relay.ends`): when thousands of
# clients come back at once, their old places become free first, so that none is refused for want of one.
ENDING_ACCEPTS_PER_TURN = 16
# The pause while descriptors or memory are short: others may release some.
EXHAUSTED_PAUSE_SECONDS = 0.1
# The kernel distributes clients to workers at random: a worker with its share waits this long, so that others accept.
FULL_PAUSE_SECONDS = 0.05
# One that has more than another waits this long, and so often, until the other one has accepted as many. That takes a
# millisecond or two if it has nothing else to do.
AHEAD_PAUSE_SECONDS = 0.001
MOST_AHEAD_PAUSES = 20


class Acceptor:
    """A loop that accepts clients at one socket, and starts a task for each."""

    def __init__(self, gateway: GatewayState, listener_state: ListenerState, sock: socket.socket) -> None:
        """Take a listening socket; `run` closes it at its end."""
        self.sock = sock
        self._gateway = gateway
        self.use(listener_state)
        self._open = trio.CancelScope()
        self._leaves_them = False

    def use(self, listener_state: ListenerState) -> None:
        """Serve clients as the settings say now; a reload may give the same address to another listener."""
        self.listener_state = listener_state
        defaults = self._gateway.settings.defaults
        self._keepalive = keepalive(defaults.keepalive.interval_seconds, defaults.timeouts.send_seconds)
        set_listener_options(self.sock, self._keepalive)
        self._older_wait = True  # clients that have connected before, with other options

    async def run(self, sessions: trio.Nursery) -> None:
        """Accept until this is cancelled or retired. When it is retired, first accept all clients that wait.

        If others go on accepting at the same socket, the waiting clients are left to them.
        """
        try:
            with self._open:
                while True:
                    await trio.lowlevel.wait_readable(self.sock)
                    await self._leave_to_others()
                    await self._accept(sessions, self._accepts_per_turn)
            # A limit, because new clients may come all the time.
            for _ in range(BACKLOG // ACCEPTS_PER_TURN):
                await trio.lowlevel.checkpoint()
                if self._leaves_them or not await self._accept(sessions, ACCEPTS_PER_TURN):
                    break
        finally:
            self.sock.close()

    def retire(self, others_accept: bool = False) -> None:
        """End `run`. Clients that wait are accepted first: with the last copy of the socket they would be lost.

        If others go on accepting at the same socket (`others_accept`), the waiting clients are left to them.
        """
        self._leaves_them = others_accept
        self._open.cancel()

    @property
    def _has_others(self) -> bool:
        """Whether other workers accept at the same socket."""
        return self._gateway.settings.workers != 1

    @property
    def _accepts_per_turn(self) -> int:
        if self._has_others:
            return SHARED_ACCEPTS_PER_TURN
        return ENDING_ACCEPTS_PER_TURN if self._gateway.engine.ends.untold else ACCEPTS_PER_TURN

    @property
    def _another_may_have_room(self) -> bool:
        return self.listener_state.full and self._has_others

    async def _leave_to_others(self) -> None:
        """Leave waiting clients to other workers for a moment, if those may have room or have fewer connections."""
        if self._another_may_have_room:
            await trio.sleep(FULL_PAUSE_SECONDS)
            return
        for _ in range(MOST_AHEAD_PAUSES):
            if not self._gateway.entry.is_ahead():
                break
            await trio.sleep(AHEAD_PAUSE_SECONDS)

    async def _accept(self, sessions: trio.Nursery, most: int) -> bool:
        """Accept some waiting clients. Return whether there may be more."""
        refuses = self.listener_state.full
        for _ in range(most):
            try:
                accepted, address = self.sock.accept()
            except BlockingIOError:
                self._older_wait = False
                return False
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    continue  # this client has disconnected before it was accepted
                if not self.listener_state.cannot_accept_logged:  # one line, not ten in a second
                    name = self.listener_state.listener.name
                    self._gateway.log.error(
                        "cannot accept", listener=name, **Reason.OUT_OF_RESOURCES.facts, why=error.strerror
                    )
                self.listener_state.cannot_accept_logged = True
                await trio.sleep(EXHAUSTED_PAUSE_SECONDS)
                return True
            self.listener_state.cannot_accept_logged = False
            try:
                self._start(sessions, accepted, address)
            except OSError as error:  # such as for a socket of another kind: it costs no other client
                accepted.close()
                ip, _ = _name(accepted, address)
                self._gateway.log.error("cannot serve", client=ip, **Reason.OUT_OF_RESOURCES.facts, why=error.strerror)
            if not refuses and self._another_may_have_room:
                break
        return True

    def _start(self, sessions: trio.Nursery, sock: socket.socket, address: tuple[str, int]) -> None:
        """Start the task of a client. Raise OSError if that is not possible."""
        sock.setblocking(False)
        ip, port = _name(sock, address)
        if self._older_wait:
            set_listener_options(sock, self._keepalive)
        client = Client(Channel(sock), ip, port, None, self._gateway.clock(), self._keepalive)
        listener_state = self.listener_state
        try:
            listener_state.enter()
        except HttpRefusal:
            sessions.start_soon(turn_away, self._gateway, listener_state, client)
        else:
            ClientConnection(self._gateway, listener_state, client).begin(listener_state)


def _name(sock: socket.socket, address: tuple[str, int]) -> tuple[str, int]:
    """Return address and port of a client; UNIX for one on a Unix socket, of which `accept` returns an empty text."""
    return canonical_name(address) if is_tcp(sock) else (UNIX, 0)
