"""A client and its request, on all ways through the gateway: the facts for the log, and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import trio

from wsgateway.errors import ClientDisconnectedError, Group, Reason, ReasonedError
from wsgateway.net.channel import Channel
from wsgateway.net.failure import in_words
from wsgateway.net.options import Keepalive, is_tcp
from wsgateway.net.outgoing import Outgoing
from wsgateway.observe.log import log_at
from wsgateway.policy.forwarded import identify
from wsgateway.serve.facts import Facts, odd_facts
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.settings.basics import UNIX
from wsgateway.settings.process import Level
from wsgateway.trace.traces import FollowedSession
from wsgateway.wire.addresses import canonical, counted_as
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.request_head import RequestHead

# The log event for a client that gets no session, and its level.
_EVENTS: Mapping[Group, tuple[str, Level]] = {
    Group.REFUSED: ("refused", "info"),
    Group.DISCONNECTED: ("disconnected", "info"),
    Group.TARGET: ("upstream failed", "warning"),
}
# Only the operator of the gateway can do something about these.
_WARNINGS = frozenset({Reason.LISTENER_FULL, Reason.OUT_OF_RESOURCES})


@dataclass(slots=True)
class Client:
    """An accepted connection."""

    channel: Channel
    """its connection, which the code that accepted it closes"""
    ip: str
    """UNIX for a client on a Unix socket, unless a PROXY header names another address"""
    port: int
    destination: tuple[str, int] | None
    """the address to which it connected, if that is not the one of our socket: that of its proxy"""
    begun: float
    """the time when it connected, by Trio's clock"""
    keepalive: Keepalive | None = None
    """what its socket has inherited of the listening socket"""
    secure: bool = False
    """whether the client's own connection is encrypted, to us or to its proxy"""
    alpn: str | None = None
    """the protocol that TLS has agreed on"""
    tls_version: str | None = None
    """the version of that encryption, for example TLSv1.3; None if it is not known"""
    outgoing: Outgoing | None = None
    """the progress of what it is sent, where its socket does not show it: for a stream of HTTP/2"""
    disconnected: bool = False
    """whether it is known to be disconnected, where its socket does not show it: for a stream of HTTP/2"""
    odd: tuple[Oddity, ...] = ()
    """the oddities of its request that were repaired before it became HTTP/1.1"""

    def __str__(self) -> str:
        if self.ip == UNIX:
            return UNIX
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    def close(self) -> None:
        """Close its connection."""
        self.channel.sock.close()

    def local(self) -> tuple[str, int] | None:
        """Return the address to which it connected: ours, or that of its proxy; None for a Unix socket."""
        sock = self.channel.sock
        if self.destination is not None or not is_tcp(sock):
            return self.destination
        return canonical_name(sock.getsockname())

    def called(self) -> str | None:
        """Return the Host that names the address to which it connected; None for a Unix socket."""
        local = self.local()
        if local is None:
            return None
        ip, port = local
        host = f"[{ip}]" if ":" in ip else ip
        return host if port == (443 if self.secure else 80) else f"{host}:{port}"


def canonical_name(name: tuple[str, int]) -> tuple[str, int]:
    """Return address and port from the name of a TCP socket. One of systemd may accept IPv4 clients as mapped IPv6."""
    ip, port, *_ = name
    return canonical(ip) if ":" in ip else ip, port


class RequestContext:
    """The context of one request: its settings, the facts for the log, and the answer if it is refused."""

    def __init__(self, gateway: GatewayState, listener_state: ListenerState, client: Client) -> None:
        self.gateway = gateway
        self.client = client
        self.listener_state = listener_state
        self.followed: FollowedSession | None = None
        self.begin(client.begun)

    def begin(self, now: float) -> None:
        """Forget the last request; the next one begins at this time of Trio's clock."""
        self._settle()
        self.head = RequestHead(
            self.listener.limits, True, Oddities(self.listener.tolerance, self.client.odd), self.client.called
        )
        self.facts = Facts(self.client, self.listener.name)
        self.begun = now

    def follow(self) -> FollowedSession:
        """Have traces see what the client sends and gets from now on."""
        self.followed = self.gateway.traces.follow()
        self.followed.watch(self.client.channel.sock, "client")
        return self.followed

    def show(self) -> None:
        """Show the session to the traces that want it, as its dialect and its route are known now."""
        if self.followed is not None and not self.followed.decide(self.facts, self.facts.known()):
            self.followed = None

    def _settle(self) -> None:
        """Use the present settings from here on."""
        self.settings, self.routes = self.gateway.settings, self.gateway.routes
        self.listener = self.listener_state.listener

    def take(self, request: Request) -> None:
        """Take the complete request, and note its facts for the log. Settings may be newer than the connection.

        Raise HttpRefusal (400) for two Host headers.
        """
        self._settle()
        client = self.client
        self.identity = identify(client.ip, client.secure, request.headers, self.listener.forwarded.trusted)
        self.facts.take(request, self.identity.host, self.gateway.texts)
        if self.identity.ip != client.ip:
            self.facts.forwarded_for = self.identity.ip

    @property
    def counted_as(self) -> str:
        """The text by which the client is counted; UNIX for all clients whose address is not known."""
        ip = self.identity.ip
        return ip if ip == UNIX else counted_as(ip, self.listener.ipv6_prefix)

    def lost(self, error: OSError) -> ClientDisconnectedError:
        """Return the error for a client whose connection has failed."""
        if self.head.begun or self.client.alpn == "h2":
            return ClientDisconnectedError(Reason.DISCONNECTED_BY_RESET, in_words(error))
        # For example the health check of a load balancer, once a second.
        return ClientDisconnectedError(Reason.DISCONNECTED_EARLY, f"without a request: {in_words(error)}")

    async def refuse(self, error: ReasonedError) -> None:
        """Log and count an error, answer its HTTP status if it has one, and close the connection."""
        self.refused(error)
        await self.close_with(error)

    def refused(self, error: ReasonedError) -> None:
        """Log and count the reason why there is no session."""
        reason, counters = error.reason, self.gateway.counters
        facts = self.facts.known()
        if reason.group is Group.DISCONNECTED:
            counters.disconnected(reason)
        else:
            counters.refused(error.status, reason, self.facts)
            counters.odd(self.head.oddities.needed)
            self.gateway.refusals.note(reason, error.status, error.why, facts)
            self.gateway.tally.refused(self.facts.profile(self.head.oddities.needed), reason.value)
        if self.followed is not None:
            self.followed.decide(self.facts, self.facts.known())
            self.followed.remark(f"{reason}: {error.why}")
        event, level = _EVENTS.get(reason.group, _EVENTS[Group.REFUSED])
        if reason in _WARNINGS:
            level = "warning"
        elif reason.group is Group.DISCONNECTED and reason.ordinary:
            level = "debug"
        status = {} if error.status is None else {"status": error.status}
        odd = odd_facts(self.head.oddities)
        log_at(self.gateway.log, level, event, **facts, **odd, **status, **reason.facts, why=error.why)

    async def close_with(self, error: ReasonedError) -> None:
        """Answer the HTTP status of an error, if it has one, and close the connection."""
        if error.status is not None and await self.answer(error.status, error.reason, error.headers):
            await self.hang_up(self.settings.defaults.timeouts.close_seconds)

    async def answer(self, status: int, reason: Reason, headers: tuple[tuple[str, str], ...] = ()) -> bool:
        """Answer with an HTTP status and the name of the reason. Return whether the client was still connected."""
        phrase = HTTPStatus(status).phrase
        text = f"{status} {phrase}: {reason}\n".encode()
        items = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text))), *headers]
        response = Response(status, phrase, Headers([*items, ("Connection", "close")]))
        with trio.move_on_after(self.settings.defaults.timeouts.close_seconds):
            try:
                await self.client.channel.send(self.head.respond(response) + self.head.body(text) + self.head.end())
            except OSError:  # it has disconnected: the log has the reason all the same
                return False
        return True

    async def hang_up(self, seconds: float) -> None:
        """Close the connection, but give the client time to read the last bytes."""
        with trio.move_on_after(seconds):
            await self.client.channel.linger()

    def until(self, seconds: float) -> float:
        """Return the time so many seconds after the request began; the first request begins with the connection."""
        return self.begun + seconds

    def remaining(self, seconds: float) -> float:
        """Return how many of so many seconds since the request began remain."""
        return max(0.0, self.until(seconds) - self.gateway.clock())
