"""Addresses that we listen on, and the loop that accepts."""

import errno
import os
import socket
import stat

import trio

from wsgateway.errors import HttpRefusal, Problem, Reason, SettingsError
from wsgateway.net.channel import EXHAUSTED, Channel
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.request import Client
from wsgateway.serve.session import serve_client, turn_away
from wsgateway.settings.basics import UNIX, Address, UnixAddress
from wsgateway.wire.addresses import canonical

# Clients that wait to be accepted: all come back at once after an outage. The kernel's somaxconn bounds it too.
BACKLOG = 4096
# One listener with a full backlog must not keep the others waiting.
ACCEPTS_PER_TURN = 64
# Others may give back what there is too little of.
EXHAUSTED_PAUSE_SECONDS = 0.1
# Chance deals clients out to workers: who has its share of them gives the others so long to take the next.
FULL_PAUSE_SECONDS = 0.05
# Who may connect to a Unix socket: our user, and our group, which a proxy can be a member of.
UNIX_MODE = 0o660


def listen(address: Address | UnixAddress, unix_mode: int = UNIX_MODE) -> list[socket.socket]:
    """Listens on every address that the host has, or on a Unix socket whose file has a mode; non-blocking. Raises
    SettingsError naming the address."""
    socks: list[socket.socket] = []
    try:
        if isinstance(address, UnixAddress):
            socks.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            _bind_unix(socks[0], address.path, unix_mode)
            socks[0].listen(BACKLOG)
            socks[0].setblocking(False)
            return socks
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, name in infos:
            sock = socket.socket(family, kind, protocol)
            socks.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(name)
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        for sock in socks:
            sock.close()
        problem = Problem(str(address), 0, 0, f"cannot listen: {error.strerror or error}")
        raise SettingsError([problem], Reason.ADDRESS_UNAVAILABLE) from None
    return socks


def _bind_unix(sock: socket.socket, path: str, mode: int) -> None:
    """Makes the file of a Unix socket. One that nobody listens on any more is replaced; nothing else ever is."""
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of this name that is no socket") from None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            if caller.connect_ex(path) != errno.ECONNREFUSED:
                raise
        os.unlink(path)
        sock.bind(path)
    os.chmod(path, mode)  # whatever the umask; nobody can connect before it listens


def address_of(sock: socket.socket) -> Address | UnixAddress:
    """Where a socket listens."""
    name = sock.getsockname()
    return UnixAddress(name) if sock.family == socket.AF_UNIX else Address(*name[:2])


class Acceptor:
    """Accepts clients at one socket, and gives each a task."""

    def __init__(self, gateway: GatewayState, listener_state: ListenerState, sock: socket.socket) -> None:
        """Takes a socket that listens, and closes it at its end."""
        self.listener_state = listener_state
        """by which its clients come; a reload may give the same address to another listener"""
        self.sock = sock
        self._gateway = gateway
        self._open = trio.CancelScope()
        self._leaves_them = False

    async def run(self, sessions: trio.Nursery) -> None:
        """Accepts until it is cancelled, or until it is retired; then all are accepted who have called before, unless
        somebody else does that."""
        try:
            with self._open:
                while True:
                    await trio.lowlevel.wait_readable(self.sock)
                    if self._another_may_have_room:
                        await trio.sleep(FULL_PAUSE_SECONDS)
                    await self._accept(sessions)
            # Who calls all the time does not keep it.
            for _ in range(BACKLOG // ACCEPTS_PER_TURN):
                await trio.lowlevel.checkpoint()
                if self._leaves_them or not await self._accept(sessions):
                    break
        finally:
            self.sock.close()

    def retire(self, others_accept: bool = False) -> None:
        """Has it end. Those who wait are accepted first: with the last copy of the socket they would be lost. Where
        others go on accepting at it they are left to these."""
        self._leaves_them = others_accept
        self._open.cancel()

    @property
    def _another_may_have_room(self) -> bool:
        return self.listener_state.full and self._gateway.settings.workers != 1

    async def _accept(self, sessions: trio.Nursery) -> bool:
        """Accepts some of those who wait. Whether there may be more."""
        refuses = self.listener_state.full
        for _ in range(ACCEPTS_PER_TURN):
            try:
                accepted, address = self.sock.accept()
            except BlockingIOError:
                return False
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    continue  # this client has gone before we came to it
                if not self.listener_state.exhausted:  # once, not ten times a second
                    name = self.listener_state.listener.name
                    self._gateway.log.error("cannot accept", listener=name, why=error.strerror)
                self.listener_state.exhausted = True
                await trio.sleep(EXHAUSTED_PAUSE_SECONDS)
                return True
            self.listener_state.exhausted = False
            try:
                self._start(sessions, accepted, address)
            except OSError as error:  # as of a socket that is not what we think: it costs no other client
                accepted.close()
                self._gateway.log.error("cannot serve", client=str(address[0]), why=error.strerror)
            if not refuses and self._another_may_have_room:
                break
        return True

    def _start(self, sessions: trio.Nursery, sock: socket.socket, address: tuple[str, int]) -> None:
        """Gives a client its task. Raises OSError if it cannot have one."""
        sock.setblocking(False)
        local = None
        ip, port = UNIX, 0
        if sock.family != socket.AF_UNIX:
            ip, port = _canonical(sock, address)
            local = _canonical(sock, sock.getsockname())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(Channel(sock), ip, port, local=local, begun=trio.current_time())
        listener_state = self.listener_state
        try:
            listener_state.enter()
        except HttpRefusal:
            self._gateway.counters.turned_away += 1
            sessions.start_soon(turn_away, self._gateway, listener_state, client)
        else:
            sessions.start_soon(serve_client, self._gateway, listener_state, client)


def _canonical(sock: socket.socket, name: tuple[str, int]) -> tuple[str, int]:
    """Return the address and port of a socket's name. A socket of systemd may take IPv4 clients as mapped IPv6."""
    return (canonical(name[0]) if sock.family == socket.AF_INET6 else name[0]), name[1]
