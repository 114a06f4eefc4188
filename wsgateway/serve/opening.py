"""The opening of a session: from an accepted connection to two endpoints that can be relayed.

    HTTP head -> dialect -> offer -> route -> upstream -> its answer -> 101 to the client, last of all

Until the 101 is sent, every failure is an HTTP answer. Bytes that the client sent after its request are then dropped:
they could look like another request, and must not become one.
"""

import math
import os
import socket
from dataclasses import dataclass

from wsgateway.census.tally import NOTHING, Tallied
from wsgateway.dialects import Answer, Offer, ServerHandshake, Side, recognise
from wsgateway.dialects.upgrade import check_not_removed, end_to_end
from wsgateway.errors import (
    BRIEF_CHARACTERS,
    ClientDisconnectedError,
    HttpRefusal,
    ProtocolError,
    Reason,
    UpstreamError,
)
from wsgateway.net.channel import Channel
from wsgateway.net.failure import in_words
from wsgateway.net.options import keepalive, set_keepalive
from wsgateway.observe.counters import Figures
from wsgateway.policy.affinity import affinity
from wsgateway.policy.checks import ClientFacts, admit
from wsgateway.policy.forwarded import Identity
from wsgateway.policy.passing import HeaderContext, client_answer, upstream_offer
from wsgateway.policy.routes import route_query
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.serve.actions import Limit, Machine, Send, reach, receive, receive_soon, wait_for
from wsgateway.serve.attempts import Attempted, try_targets
from wsgateway.serve.facts import Facts
from wsgateway.serve.gateway import stops
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.preamble import too_late
from wsgateway.serve.request import Client, RequestContext
from wsgateway.serve.throttle import hold_to_rate
from wsgateway.settings.basics import UNIX
from wsgateway.settings.routes import Route
from wsgateway.settings.upstreams import Upstream
from wsgateway.upstream.handshake import Agreement, Refusal, UpstreamHandshake, lost
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search
from wsgateway.wire.events import Role
from wsgateway.wire.foreign import not_upgradable
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.oddities import Oddities, Oddity
from wsgateway.wire.proxy_protocol import write_v1, write_v2

# If a challenge has not come this long after its head, a proxy holds it back until it sees a 101, as HAProxy does.
CHALLENGE_GRACE_SECONDS = 0.2
# The refusal of a version lists the accepted ones (RFC 6455, 4.4): these headers are passed on with a refusal alone.
_VERSION = ("Sec-WebSocket-Version",)
# The statuses of a server that cannot serve now, so that another one is tried. The client gets all others (RFC 9110,
# 15.6).
_UNAVAILABLE = (502, 503, 504)

_Reached = tuple[socket.socket, Agreement | Refusal]
# The annotations of a function inside another one are evaluated for each session.
_Attempt = Machine[Attempted[_Reached]]


@dataclass(slots=True, eq=False)
class Opened:
    """An established session. The caller closes its sockets."""

    client: Endpoint
    upstream: Endpoint
    route: Route
    facts: Facts
    """the facts for the log"""
    tallied: Tallied | None = None
    """where it is counted for the census, as `taken`"""
    taken: tuple[int, ...] = NOTHING
    number: int = 0
    """what it is known by in this process, since its beginning"""
    begun: float = 0.0
    """when it began, by Trio's clock"""

    @property
    def profile(self) -> tuple[object, ...]:
        """What it is counted under in the census."""
        return self.facts.profile(self.shown)

    @property
    def shown(self) -> tuple[Oddity, ...]:
        """The oddities that its client and its upstream have shown."""
        return self.client.side.oddities.needed + self.upstream.side.oddities.needed

    @property
    def dialect(self) -> str:
        """The dialect of its client."""
        return self.facts.dialect

    @property
    def route_name(self) -> str:
        """The name of its route."""
        return self.route.name

    @property
    def oddities(self) -> tuple[Oddities, Oddities]:
        """The oddities of its client and of its upstream."""
        return self.client.side.oddities, self.upstream.side.oddities

    def figures(self) -> Figures:
        """Return the messages and bytes so far."""
        client, upstream = self.client, self.upstream
        return Figures(client.messages, upstream.messages, client.received, upstream.received)


class Opening:
    """The opening of one session; its methods are in the order of the steps."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._gateway = context.gateway
        self._listener = context.listener
        self._client = context.client
        self._head = context.head
        self._facts = context.facts
        self._early = b""  # the bytes after the head

    def run(self, request: Request, cleanup: Cleanup) -> Machine[Opened | None]:
        """Open the session for a request. Return None if the upstream has refused, and the client has its answer.

        The cleanups for the end of the session are put into `cleanup`.
        """
        begun = self._gateway.clock()
        if request.version != "1.1":  # nginx sends 1.0 unless it is configured to pass upgrades on
            check_not_removed(request)
            request.oddities.need(Oddity.HTTP_1_0, not_upgradable(request.version))
        identity = self._context.identity
        query = route_query(request, self._listener.name, identity.host)
        dialect = recognise(request)
        self._facts.dialect = dialect.name
        server_handshake = dialect.handshake.server(request, os.urandom)
        route = self._context.routes.decide(query)
        self._facts.route = route.name
        self._context.show()
        admit(route, ClientFacts(dialect, server_handshake.offer.origin))
        self._check_rate(route, identity)
        seconds = route.timeouts.handshake_seconds
        if not self._context.remaining(seconds):
            raise too_late(seconds)
        upstream = route.upstream
        assert upstream is not None, "one of the checks"
        key = affinity(upstream.balance, request, identity.ip)
        search = Search(self._gateway.pools[upstream.name], key, self._context.until(seconds), self._context.counted_as)
        takes_binary = dialect not in route.binary.text_only
        ours = Side(dialect.framing, Role.SERVER, server_handshake.secret, takes_binary, request.oddities, route.joins)
        header_context = HeaderContext(identity, dialect.name, self._listener.name, ours.text_only)
        with Cleanup() as mine:  # a refused client must not keep the upstream waiting
            sock, result = yield from self._reach_upstream(
                search, route, upstream, server_handshake.offer, header_context, mine
            )
            if isinstance(result, Agreement):
                result.answer = client_answer(route, upstream, result.answer, server_handshake.offer, header_context)
                yield from self._accept(server_handshake, result.answer, route)
                them = Side(upstream.dialect.framing, Role.CLIENT, result.secret, True, result.oddities, upstream.joins)
                opened = self._join(route, ours, them, sock, result)
                cleanup += mine
                mine.clear()
                self._gateway.counters.handshakes.observe(self._gateway.clock() - begun)
                return opened
            self._context.refused(_own_answer(result.response.status))
            yield from self._pass_refusal(Channel(sock), result, route)
        yield from wait_for(lambda: self._context.hang_up(route.timeouts.close_seconds))
        return None

    def _check_rate(self, route: Route, identity: Identity) -> None:
        rate = route.limits.handshake_rate
        if rate is not None and identity.ip != UNIX:
            seconds = self._gateway.handshakes.missing(
                (route.name, self._context.counted_as), rate, self._gateway.clock()
            )
            if seconds:
                wait = (("Retry-After", str(math.ceil(seconds))),)
                raise HttpRefusal(Reason.HANDSHAKE_RATE, f"more than {rate} handshakes from one address", wait)

    def _reach_upstream(
        self,
        search: Search,
        route: Route,
        upstream: Upstream,
        offer: Offer,
        header_context: HeaderContext,
        cleanup: Cleanup,
    ) -> Machine[_Reached]:
        """Connect to one of the upstream's targets, and do the handshake with the client's offer.

        The cleanups for the end are put into `cleanup`: closing the socket, and releasing the lease.
        """
        timeouts = route.timeouts
        limits = upstream.limits.beside(self._listener.limits)

        def silent() -> UpstreamError:
            remained = f"what remained of the {timeouts.handshake_seconds:g} s for a handshake"
            return UpstreamError(Reason.TARGET_SILENT, f"silent for {remained}")

        def attempt(lease: Lease, mine: Cleanup) -> _Attempt:
            target, begun = lease.target_address.target, self._gateway.clock()
            target_offer = upstream_offer(route, upstream, target, offer, header_context)
            client_handshake = upstream.dialect.handshake.client(target_offer, os.urandom)
            preface = proxy_header(upstream, self._client)
            connecting = Limit(math.inf, silent, stops)
            sock = yield from reach(search, lease, timeouts.connect_seconds, preface, connecting, watched=True)
            mine.append(sock.close)
            if self._context.followed is not None:
                self._context.followed.watch(sock, "upstream")
            handshake = UpstreamHandshake(client_handshake, limits, Oddities(upstream.tolerance))
            result = yield from _shake_hands(Channel(sock), handshake, Limit(search.until, silent, stops))
            search.shook_hands(self._gateway.clock() - begun)
            return _attempted(sock, result)

        return (yield from try_targets(search, attempt, self._facts, cleanup, watched=True))

    def _accept(self, server_handshake: ServerHandshake, answer: Answer, route: Route) -> Machine[None]:
        """Send the 101 and the proof: together if the challenge is here, otherwise the proof when it has come."""
        switch = self._head.switch(server_handshake.accept(answer))
        size = server_handshake.challenge_bytes
        seconds = route.timeouts.challenge_seconds
        self._early = self._head.rest

        def late() -> ProtocolError:
            if size:
                return ProtocolError(Reason.CHALLENGE_MISSING, f"no {size} bytes after the head within {seconds:g} s")
            return ProtocolError(Reason.ANSWER_NOT_TAKEN, f"the client does not take its answer within {seconds:g} s")

        now = self._gateway.clock()
        limit = Limit(
            min(now + seconds, self._context.until(route.timeouts.handshake_seconds)), late, _stops_without_answer
        )
        if len(self._early) < size:
            yield from self._read_early(size, limit, now + min(CHALLENGE_GRACE_SECONDS, seconds / 2))
        if len(self._early) < size:
            yield Send(self._client.channel, switch, limit)
            switch = b""
            yield from self._read_early(size, limit)
        yield Send(self._client.channel, switch + server_handshake.proof(self._early[:size]), limit)
        self._early = self._early[size:]

    def _read_early(self, size: int, limit: Limit, until: float = math.inf) -> Machine[None]:
        """Read until that many bytes are here, or more; at most until `until`."""
        while len(self._early) < size:
            seconds = max(0.0, until - self._gateway.clock())
            data = yield from receive_soon(self._client.channel, limit, seconds)
            if data is None:
                return
            if not data:
                raise ClientDisconnectedError(Reason.DISCONNECTED_IN_REQUEST, "before its challenge was whole")
            self._early += data

    def _join(self, route: Route, ours: Side, theirs: Side, sock: socket.socket, agreement: Agreement) -> Opened:
        keys = self._gateway.engine.mask_keys
        options = TranslationOptions(route.limits, route.binary, route.invalid_utf8, bool(agreement.answer.extensions))
        client = Endpoint(self._client.channel.sock, ours, translator(ours, theirs, options, keys))
        upstream = Endpoint(sock, theirs, translator(theirs, ours, options, keys))
        client.meet(upstream)
        client.outgoing = self._client.outgoing or client.outgoing
        wanted = keepalive(route.keepalive.interval_seconds, route.timeouts.send_seconds)
        set_keepalive(client.sock, wanted, self._client.keepalive)
        set_keepalive(upstream.sock, wanted)
        hold_to_rate(self._gateway.engine, client, route.limits, self._gateway.clock)
        client.early, upstream.early = self._early + self._client.channel.take_ahead(), agreement.early
        if agreement.answer.subprotocol is not None:
            self._facts.subprotocol = agreement.answer.subprotocol[:BRIEF_CHARACTERS]
        return Opened(client, upstream, route, self._facts)

    def _pass_refusal(self, upstream: Channel, refusal: Refusal, route: Route) -> Machine[None]:
        """Pass the upstream's own answer on to the client."""
        response, source = refusal.response, refusal.head
        # RFC 9112, 6.3: a transfer coding wins over a length, which must not be passed on then.
        lengths = [] if "Transfer-Encoding" in response.headers else response.headers.every("Content-Length")
        kept = [("Content-Length", value) for value in lengths]
        kept += [(name, value) for name in _VERSION for value in response.headers.every(name)]
        headers = Headers([*end_to_end(response.headers), *kept, ("Connection", "close")])
        limit = _limit_of_answer(self._context.until(route.timeouts.handshake_seconds), response.status)
        client = self._client.channel
        yield Send(client, self._head.respond(Response(response.status, response.reason, headers)), limit, True)
        try:
            body = source.first_body()
            while not source.ended:
                yield Send(client, self._head.body(body), limit, True)
                body = source.body((yield from _receive(upstream, limit)))
        except HttpRefusal as error:
            text = f"the upstream's {response.status} broke off: {error}"
            raise ProtocolError(error.reason, text) from None
        yield Send(client, self._head.body(body) + self._head.end(), limit, True)


def proxy_header(upstream: Upstream, client: Client) -> bytes:
    """Return the PROXY header that tells the upstream the client's address, sent before everything else."""
    match upstream.send_proxy_protocol:
        case "v1":
            return write_v1((client.ip, client.port), client.local())
        case "v2":
            address = client.ip, client.port
            return write_v2(address, client.local(), secure=client.secure, tls_version=client.tls_version)
    return b""


def _shake_hands(channel: Channel, handshake: UpstreamHandshake, limit: Limit) -> Machine[Agreement | Refusal]:
    """Send the request of a handshake with an upstream, and return the answer."""
    try:
        yield Send(channel, handshake.request, limit, watched=True)
        result = None
        while result is None:
            result = handshake.receive((yield from receive(channel, limit, watched=True)))
    except OSError as error:
        raise lost(error) from None
    return result


def _attempted(sock: socket.socket, result: Agreement | Refusal) -> Attempted[_Reached]:
    """Return what an attempt has come to. If a server is not available, another one is tried, if there is any."""
    status = 101 if isinstance(result, Agreement) else result.response.status
    failure = UpstreamError(Reason.TARGET_UNAVAILABLE, f"answered {status}", status) if status in _UNAVAILABLE else None
    return Attempted((sock, result), status, failure)


def _receive(upstream: Channel, limit: Limit) -> Machine[bytes]:
    """Return the next bytes of a body. Raise HttpRefusal if the upstream is lost, to tell it from a lost client."""
    try:
        return (yield from receive(upstream, limit, watched=True, whole=True))
    except OSError as error:
        raise HttpRefusal(Reason.TARGET_LOST, f"lost: {in_words(error)}") from None


def _limit_of_answer(deadline: float, status: int) -> Limit:
    """Return the limit for passing an answer of the upstream on, which a drain does not cut short."""

    def late() -> ProtocolError:
        return ProtocolError(Reason.TARGET_SILENT, f"the upstream's {status} was not whole in time")

    return Limit(deadline, late, None)


def _own_answer(status: int) -> HttpRefusal:
    """Return the log entry for a client that gets the upstream's own answer."""
    return HttpRefusal(Reason.UPSTREAM_REFUSED, "this is the upstream's own answer", status=status)


def _stops_without_answer() -> ProtocolError:
    """Return the error for a client that is being sent its 101 when the gateway stops."""
    return ProtocolError(Reason.GATEWAY_STOPPING, "the gateway stops")
