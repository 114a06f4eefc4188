"""The opening of a session: from an accepted connection to two endpoints that can be relayed.

    HTTP head -> dialect -> offer -> route -> upstream -> its answer -> 101 to the client, last of all

A Flash Player asks for a policy instead; it gets the listener's, and nothing else.

As long as no 101 has gone out, whatever goes wrong is an HTTP answer. What the client sent behind its request is
dropped then: it may look like another request, and must not become one.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

import trio

from wsgateway.dialects import Answering, Dialect, Offer, Side, recognise
from wsgateway.dialects.upgrade import end_to_end
from wsgateway.errors import HandshakeError, ProtocolError, UpstreamError, WsgatewayError
from wsgateway.net.channel import Channel
from wsgateway.observe.log import LEVELS
from wsgateway.policy.dialects import check_dialect
from wsgateway.policy.routes import decide
from wsgateway.relay.engine import Endpoint
from wsgateway.relay.translate import Terms, translator
from wsgateway.serve.gateway import Gateway
from wsgateway.serve.prologue import READ_BYTES, ClientLeftError, read_request
from wsgateway.settings.model import Listener, Route
from wsgateway.upstream.connect import connect
from wsgateway.upstream.handshake import Agreement, Refusal, shake_hands, with_forwarded
from wsgateway.wire.events import Role
from wsgateway.wire.flash import policy
from wsgateway.wire.heads import Headers, RequestHead, Response

# A challenge that is not here this long after its head is held back by a proxy that waits for a 101, as HAProxy does.
CHALLENGE_GRACE_SECONDS = 0.2
# A refused version comes with those that are not (RFC 6455, 4.4): these go on with a refusal, and with nothing else.
_VERSION = ("Sec-WebSocket-Version",)
_LOGGED_CHARACTERS = 200


@dataclass(slots=True)
class Client:
    """An accepted connection."""

    sock: socket.socket
    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@dataclass(slots=True)
class Opened:
    """A session that is established. Its sockets are the caller's to close."""

    client: Endpoint
    upstream: Endpoint
    close_seconds: float
    facts: dict[str, str]
    """what the log says of it"""


async def open_session(gateway: Gateway, listener: Listener, client: Client) -> Opened | None:
    """Opens a session for a client, or answers why there is none; that, and who it was, is logged then."""
    opening = _Opening(gateway, listener, client)
    try:
        return await opening.run()
    except ClientLeftError as error:
        opening.log("left", error, level="debug")
    except OSError as error:
        opening.log("lost", error.strerror or error)
    except ProtocolError as error:  # too late for an HTTP answer
        opening.log("refused", error)
    except HandshakeError as error:
        opening.log("refused", error, error.status)
        await opening.refuse(error.status, str(error), error.headers)
    except UpstreamError as error:
        opening.log("upstream failed", error, error.status, level="warning")
        await opening.refuse(error.status, "the server behind this gateway cannot be used now")
    return None


async def refuse_for_room(gateway: Gateway, listener: Listener, client: Client) -> None:
    """Answers 503 to a client beyond the listener's limit, without waiting for its request; nothing to who may not know
    HTTP."""
    opening = _Opening(gateway, listener, client)
    why = f"{listener.name} has its limit of {listener.max_connections} connections"
    opening.log("refused", why, 503, level="warning")
    if listener.flash_policy.mode != "only":
        await opening.refuse(503, "too many connections")


class _Opening:
    """One attempt; its steps in the order in which they happen."""

    def __init__(self, gateway: Gateway, listener: Listener, client: Client) -> None:
        self._gateway = gateway
        self._client = client
        self._listener = listener
        self._channel = Channel(client.sock)
        self._head = RequestHead(listener.head_limits)
        self._early = b""  # what came behind the head
        self._begun = trio.current_time()
        self.facts: dict[str, str] = {}

    async def run(self) -> Opened | None:
        """Opens the session. None if there is to be none, and the client has its answer."""
        request = await read_request(self._gateway, self._listener, self._channel, self._head)
        if request is None:
            await self._tell_policy()
            return None
        self.facts["path"] = request.target.partition("?")[0][:_LOGGED_CHARACTERS]
        dialect = recognise(request)
        self.facts["dialect"] = dialect.name
        answering = dialect.handshake.answering(request, os.urandom)
        route = decide(self._gateway.settings.routes, answering.offer)
        self.facts["route"] = route.name
        check_dialect(route, dialect)
        seconds = route.timeouts.handshake_seconds
        if not self._left(seconds):
            raise HandshakeError(f"no whole request within {seconds:g} s", 408)
        with ExitStack() as cleanup:
            sock, result = await self._reach_upstream(route, answering, dialect, cleanup)
            if isinstance(result, Agreement):
                await self._accept(answering, result, route)
                ours = Side(dialect.framing, Role.SERVER, answering.secret, dialect not in route.text_only)
                theirs = Side(route.upstream.dialect.framing, Role.CLIENT, result.secret)
                opened = self._join(route, ours, theirs, sock, result)
                cleanup.pop_all()
                return opened
            self.log("refused", "this is the upstream's own answer", result.response.status)
            await self._pass_refusal(sock, result, route)
        await self._hang_up(route.timeouts.close_seconds)
        return None

    def log(self, event: str, why: object, status: int | None = None, level: str = "info") -> None:
        """Logs why there is no session, with all that is known of it."""
        told = {} if status is None else {"status": status}
        self._gateway.log.log(LEVELS[level], event, client=str(self._client), **self.facts, **told, why=str(why))

    async def _tell_policy(self) -> None:
        """Answers a Flash Player, whose connection is for nothing else."""
        self.log("policy", f"{len(self._listener.flash_policy.grants)} grants were told")
        seconds = self._gateway.settings.default_timeouts.close_seconds
        with trio.move_on_after(seconds):
            await self._channel.send(policy(self._listener.flash_policy.grants))
        await self._hang_up(seconds)

    async def _reach_upstream(
        self, route: Route, answering: Answering, dialect: Dialect, cleanup: ExitStack
    ) -> tuple[socket.socket, Agreement | Refusal]:
        """Connects to the route's target and makes it the client's offer. `cleanup` gets the socket to close."""
        target = route.upstream.targets[0]
        self.facts["target"] = target.url
        seconds = route.timeouts.handshake_seconds
        silent = UpstreamError(f"silent for what was left of the {seconds:g} s for a handshake", 504)
        offer = with_forwarded(_offer(route, dialect, answering.offer), self._client.ip, dialect.name)
        asking = route.upstream.dialect.handshake.asking(offer, os.urandom)
        with _within(self._left(seconds), silent):
            sock = await connect(target.host, target.port, route.timeouts.connect_seconds)
            cleanup.callback(sock.close)
            result = await shake_hands(Channel(sock), asking)
        return sock, result

    async def _accept(self, answering: Answering, agreement: Agreement, route: Route) -> None:
        """Sends the 101 and its proof: at once, if the challenge is here; otherwise the proof when that has come."""
        answer = replace(agreement.answer, secure=route.location_scheme == "wss", unprefixed=route.unprefixed_headers)
        switch = self._head.switch(answering.accept(answer))
        size = answering.challenge_bytes
        seconds = route.timeouts.challenge_seconds
        self._early = self._head.rest
        missing = f"no {size} bytes behind the head" if size else "the client does not take its answer"
        late = ProtocolError(f"{missing} within {seconds:g} s")
        with _within(min(seconds, self._left(route.timeouts.handshake_seconds)), late):
            with trio.move_on_after(min(CHALLENGE_GRACE_SECONDS, seconds / 2)):
                await self._read_early(size)
            if len(self._early) < size:
                await self._channel.send(switch)
                switch = b""
                await self._read_early(size)
            await self._channel.send(switch + answering.proof(self._early[:size]))
        self._early = self._early[size:]

    async def _read_early(self, size: int) -> None:
        """Reads until that many bytes are here, or more. What is here stays if this is cancelled."""
        while len(self._early) < size:
            data = await self._channel.receive(READ_BYTES)
            if not data:
                raise ClientLeftError("before its challenge was whole")
            self._early += data

    def _join(self, route: Route, ours: Side, theirs: Side, sock: socket.socket, agreement: Agreement) -> Opened:
        keys = self._gateway.mask_keys
        terms = Terms(route.limits, route.binary, route.invalid_utf8, bool(agreement.answer.extensions))
        client = Endpoint(self._client.sock, ours, translator(ours, theirs, terms, keys))
        upstream = Endpoint(sock, theirs, translator(theirs, ours, terms, keys))
        client.early, upstream.early = self._early, agreement.early
        if agreement.answer.subprotocol is not None:
            self.facts["subprotocol"] = agreement.answer.subprotocol
        return Opened(client, upstream, route.timeouts.close_seconds, self.facts)

    async def _pass_refusal(self, sock: socket.socket, refusal: Refusal, route: Route) -> None:
        """Gives the client the upstream's own answer, as it is."""
        response, source = refusal.response, refusal.head
        # RFC 9112, 6.3: a transfer coding wins over a length, which must not be passed on then.
        lengths = [] if "Transfer-Encoding" in response.headers else response.headers.every("Content-Length")
        kept = [("Content-Length", value) for value in lengths]
        kept += [(name, value) for name in _VERSION for value in response.headers.every(name)]
        headers = Headers([*end_to_end(response.headers), *kept, ("Connection", "close")])
        late = ProtocolError(f"the upstream's {response.status} was not whole in time")
        with _within(self._left(route.timeouts.handshake_seconds), late):
            await self._channel.send(self._head.respond(Response(response.status, response.reason, headers)))
            try:
                body = source.first_body()
                while not source.ended:
                    await self._channel.send(self._head.body(body))
                    body = source.body(await _receive(sock))
            except HandshakeError as error:
                raise ProtocolError(f"the upstream's {response.status} broke off: {error}") from None
            await self._channel.send(self._head.body(body) + self._head.end())

    async def refuse(self, status: int, why: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answers with an HTTP status and a line of text, and hangs up."""
        phrase = HTTPStatus(status).phrase
        text = f"{status} {phrase}: {why}\n".encode()
        items = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text))), *headers]
        response = Response(status, phrase, Headers([*items, ("Connection", "close")]))
        seconds = self._gateway.settings.default_timeouts.close_seconds
        with trio.move_on_after(seconds):
            try:
                await self._channel.send(self._head.respond(response) + self._head.body(text) + self._head.end())
            except OSError:  # it has left: the log has the reason all the same
                return
        await self._hang_up(seconds)

    async def _hang_up(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self._channel.linger()

    def _left(self, seconds: float) -> float:
        """How much is left of so many seconds since the connection began."""
        return max(0.0, self._begun + seconds - trio.current_time())


def _offer(route: Route, dialect: Dialect, offer: Offer) -> Offer:
    """The client's offer, as far as the route lets it through. What is translated cannot be compressed."""
    forward = route.extensions == "forward" and dialect not in route.text_only
    return offer if forward else replace(offer, extensions=())


async def _receive(upstream: socket.socket) -> bytes:
    """The next bytes of a body. Raises HandshakeError if the upstream is lost: it is not the client that is."""
    try:
        return await Channel(upstream).receive(READ_BYTES)
    except OSError as error:
        raise HandshakeError(f"lost: {error.strerror}", 502) from None


@contextmanager
def _within(seconds: float, late: WsgatewayError) -> Iterator[None]:
    """Raises `late` if the block takes longer."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise late
