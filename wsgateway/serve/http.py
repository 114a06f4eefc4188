"""Plain HTTP beside WebSocket: requests go to a route's `http_upstream`, and its answers come back.

    request -> route -> upstream <-> bodies -> the client's next request, which may be an upgrade

The body of a request and the answer pass at the same time, each one read at a time: no more is kept. So an answer or a
100 may come before the body is complete. A client's requests are served one after another. Each has an upstream
connection of its own, so that bytes after an answer never become the answer to another client.

There are two timeouts, of which one runs at a time. `timeouts.response` of the route is for an upstream that thinks,
before its answer and between parts of it: polls and event streams may send nothing for long. `timeouts.send` is for
everything else, until something moves: for a side that does not take what it is sent, and for a client that does not
send its body.

When a client disconnects meanwhile, its upstream connection is closed: see `disconnect`. In HTTP/2 the end of a
stream's data does not mean that, and a reset of a stream is reported in another way (`stream`).
"""

import math
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import trio

from wsgateway.errors import (
    BRIEF_CHARACTERS,
    ClientDisconnectedError,
    Group,
    HttpRefusal,
    ProtocolError,
    Reason,
    ReasonedError,
    UpstreamError,
)
from wsgateway.net.channel import Channel
from wsgateway.net.failure import in_words
from wsgateway.observe.log import log_at
from wsgateway.policy.affinity import affinity
from wsgateway.policy.passing import HeaderContext, rewritten, upstream_headers, upstream_host
from wsgateway.policy.routes import route_query
from wsgateway.serve.actions import Machine, reach, wait_for
from wsgateway.serve.attempts import Attempted, try_targets
from wsgateway.serve.disconnect import DisconnectWatch
from wsgateway.serve.facts import odd_facts
from wsgateway.serve.in_task import drive
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.opening import proxy_header
from wsgateway.serve.request import RequestContext
from wsgateway.settings.routes import Route
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search
from wsgateway.wire.exchange import (
    RequestBody,
    body_headers,
    checked,
    passed_on,
    request_headers,
)
from wsgateway.wire.heads import Headers, Request, Response, requests_websocket
from wsgateway.wire.response_head import ResponseHead

# As much as the relay reads at once.
BODY_READ_BYTES = 64 * 1024
# A client may send chunks of one byte: for so many of them h11 needs 20 ms, in which no other client is served.
CHUNKED_READ_BYTES = 16 * 1024
_RESET = struct.pack("ii", 1, 0)  # struct linger: at once

Transfer = Callable[[], Awaitable[None]]


def exchange_of(context: RequestContext, request: Request) -> "Exchange | None":
    """Return the exchange for a plain request; None for an upgrade, or if its route serves no plain HTTP.

    An `Opening` then finds the refusal. Raise HttpRefusal (400, 404, 417, 501) for one that cannot be passed on.
    """
    if requests_websocket(request.headers):
        return None
    request = checked(request)
    listener, identity = context.listener, context.identity
    route = context.routes.decide(route_query(request, listener.name, identity.host))
    if route.http_upstream is None:
        return None
    context.facts.route = route.name
    return Exchange(context, request, HeaderContext(identity, "http", listener.name), route)


class Exchange:
    """One request and its answer."""

    def __init__(self, context: RequestContext, request: Request, header_context: HeaderContext, route: Route) -> None:
        """Take a request that may be passed on, and a route that has an `http_upstream`."""
        self._context = context
        self._client = context.client.channel
        self._request = request
        self._header_context = header_context
        self._route = route
        self._body = RequestBody(context.head, request)
        assert route.http_upstream is not None, "`exchange_of` has checked it"
        self._upstream_rule = route.http_upstream
        self._pool = context.gateway.pools[route.http_upstream.name]  # a reload may remove it before `run`
        self._head = ResponseHead(self._upstream_rule.limits.beside(context.listener.limits))
        self._timeout_scope = trio.CancelScope()
        self._disconnect_watch = DisconnectWatch(self._client)
        self._sending_up = False
        self._sending_down = False
        self._open_ended = False
        """whether only the end of the connection shows the client the end of the answer"""
        self._status: int | None = None
        """the status of the answer, once it has begun"""
        self._bytes_in = 0
        self._bytes_out = 0

    async def run(self) -> bytes | None:
        """Pass the request and its answer on, or answer with a refusal, and write the line in the log.

        Return the bytes after the request if another one may follow; None if the connection must be closed.
        """
        begun = trio.current_time()
        fault: ReasonedError | None = ProtocolError(Reason.CUT_OFF, "cut off by the gateway")
        try:
            fault = await _fault(self._attend)
        finally:
            if self._context.client.disconnected:
                fault = ClientDisconnectedError(
                    Reason.DISCONNECTED_WAITING, "the client disconnected before its answer was whole"
                )
            self._log(fault, trio.current_time() - begun)
        if fault is not None:
            await self._fail(fault)
        elif self._context.head.reusable and not self._context.gateway.draining:
            return self._body.rest
        else:
            await self._context.hang_up(self._route.timeouts.close_seconds)
        return None

    # -- to the upstream and back --------------------------------------------------------------------------------

    async def _attend(self) -> None:
        """Pass both on as long as the client is connected."""
        if self._context.client.alpn == "h2":
            await self._pass()
            return
        with self._disconnect_watch.watched(self._context.gateway):
            await self._pass()

    async def _pass(self) -> None:
        upstream = self._upstream_rule
        context, timeouts = self._context, self._route.timeouts
        key = affinity(upstream.balance, self._request, self._header_context.identity.ip)
        search = Search(self._pool, key, context.until(timeouts.handshake_seconds), context.counted_as)
        preface = proxy_header(upstream, context.client)

        def attempt(lease: Lease, mine: Cleanup) -> Machine[Attempted[None]]:
            sock = yield from reach(search, lease, timeouts.connect_seconds, preface)
            mine.append(sock.close)
            search.settle()
            self._upstream = Channel(sock)
            request = self._upstream_request(upstream, lease.target_address.target)
            yield from wait_for(lambda: self._talk(self._head.head(request)))
            return Attempted(None, self._status or 0)

        with Cleanup() as cleanup:
            attempts = try_targets(search, attempt, context.facts, cleanup, watched=False)
            await drive(context.gateway, context.client, attempts)

    async def _talk(self, head: bytes) -> None:
        """Send the request and pass the answer on, at the same time if the request is not complete yet."""
        with self._timeout_scope:
            self._moved()
            if self._body.ended:
                await self._send_up(head + self._framed(self._body.first))
                await self._download()
            else:
                await _both(lambda: self._upload(head), self._download)
        if self._timeout_scope.cancelled_caught:
            raise self._late()

    async def _upload(self, head: bytes) -> None:
        """Send the request, to its end or as long as the upstream takes it."""
        limit = CHUNKED_READ_BYTES if self._body.chunked else BODY_READ_BYTES
        takes = await self._send_up(head + self._framed(self._body.first))
        while takes and not self._body.ended:
            data = await self._client.receive(limit)
            if not data:
                raise ClientDisconnectedError(Reason.DISCONNECTED_IN_REQUEST, "inside the body of its request")
            self._moved()
            takes = await self._send_up(self._framed(self._body.receive(data)))
        self._disconnect_watch.look()

    def _framed(self, body: bytes) -> bytes:
        """Return a piece of the request's body for the upstream, with the end after the last."""
        self._bytes_in += len(body)
        return self._head.send(body) + (self._head.end() if self._body.ended else b"")

    async def _download(self) -> None:
        """Pass the answer on: interim responses, head, body."""
        response = None
        while response is None:
            with _fault_of_upstream("no answer"):
                responses = self._head.responses(await self._receive())
            for each in responses:
                if each.status >= 200:
                    response = each
                elif self._request.version != "1.0":  # RFC 9110, 15.2: HTTP/1.0 has no interim responses
                    await self._send_down(self._context.head.switch(passed_on(each)))
        with _fault_of_upstream("broke off"):
            body = self._head.first_body()
        piece = self._begin_answer(response) + self._context.head.body(body)
        while not self._head.ended:
            await self._send_down(piece)
            self._bytes_out += len(body)
            with _fault_of_upstream("broke off"):
                body = self._head.body(await self._receive())
            piece = self._context.head.body(body)
        await self._send_down(piece + self._context.head.end())
        self._bytes_out += len(body)

    def _begin_answer(self, response: Response) -> bytes:
        """Return the answer's head. It announces a close if the rest of the request cannot be read after it."""
        last = not self._body.ended or self._context.gateway.draining
        answer = passed_on(response, [("Connection", "close")] if last else [])
        self._status = response.status
        self._open_ended = self._request.version == "1.0" and "Content-Length" not in answer.headers
        return self._context.head.respond(answer)

    def _upstream_request(self, upstream: Upstream, target: Target) -> Request:
        """Return the request for a target: its Host first, then the client's headers, then those of the gateway."""
        requested_host = self._request.headers.one("Host") or target.url.authority  # none in HTTP/1.0
        identity = self._header_context.identity
        header_context = replace(self._header_context, identity=replace(identity, host=identity.host or requested_host))
        return Request(
            rewritten(self._route.rewrite, self._request.target),
            Headers(
                [
                    ("Host", upstream_host(upstream, target, requested_host)),
                    *upstream_headers(self._route, request_headers(self._request.headers), header_context),
                    *body_headers(self._request, self._body),
                    ("Connection", "close"),
                ]
            ),
            self._request.method,
        )

    # -- bytes and timeouts --------------------------------------------------------------------------------------

    async def _receive(self) -> bytes:
        data = await self._upstream.receive_whole(BODY_READ_BYTES)
        self._moved()
        return data

    async def _send_up(self, data: bytes) -> bool:
        """Return whether the upstream took the data. One that does not may still have answered."""
        self._sending_up = True
        self._moved()
        takes = await _fault(lambda: self._upstream.send_steadily(data, self._moved)) is None
        self._sending_up = False
        self._moved()
        return takes

    async def _send_down(self, data: bytes) -> None:
        self._sending_down = True
        self._moved()
        await self._client.send_steadily(data, self._moved)
        self._sending_down = False
        self._moved()

    def _moved(self) -> None:
        """Start the timeout again: something has moved, or is about to."""
        seconds = self._route.timeouts.response_seconds if self._upstream_thinks else self._route.timeouts.send_seconds
        self._timeout_scope.deadline = math.inf if seconds is None else trio.current_time() + seconds
        self._disconnect_watch.moved()

    @property
    def _upstream_thinks(self) -> bool:
        """Whether the next step can only come from the upstream."""
        return not (self._sending_down or self._sending_up) and (self._body.ended or self._body.waits)

    def _late(self) -> HttpRefusal | UpstreamError:
        """Return the error of the side that has kept the other waiting."""
        timeouts = self._route.timeouts
        if self._sending_down:
            return HttpRefusal(
                Reason.ANSWER_NOT_TAKEN, f"the client takes nothing of its answer for {timeouts.send_seconds:g} s"
            )
        if self._sending_up:
            return UpstreamError(
                Reason.TARGET_STUCK, f"the upstream takes nothing of its request for {timeouts.send_seconds:g} s"
            )
        if self._upstream_thinks:
            return UpstreamError(
                Reason.TARGET_SILENT, f"the upstream is silent for {timeouts.response_seconds or 0:g} s"
            )
        return HttpRefusal(
            Reason.REQUEST_TIMEOUT, f"nothing more of the request's body for {timeouts.send_seconds:g} s"
        )

    # -- the end -------------------------------------------------------------------------------------------------

    async def _fail(self, fault: ReasonedError) -> None:
        """Answer the client if its answer has not begun; otherwise leave the answer incomplete."""
        if self._status is None:
            await self._context.close_with(fault)
        elif self._open_ended:
            # An ordinary end would make the answer look complete.
            self._client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _log(self, fault: ReasonedError | None, seconds: float) -> None:
        """Write the line in the log, and count the exchange."""
        gateway = self._context.gateway
        status = self._status or (None if fault is None else fault.status)
        gateway.counters.exchange(status)
        gateway.counters.odd(self._request.oddities.needed)
        log_at(
            gateway.log,
            "info" if fault is None or fault.reason.group is not Group.TARGET else "warning",
            "http",
            **self._context.facts.known(),
            method=self._request.method[:BRIEF_CHARACTERS],
            **({} if status is None else {"status": status}),
            **odd_facts(self._request.oddities),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            seconds=round(seconds, 3),
            **({} if fault is None else {**fault.reason.facts, "why": fault.why}),
        )


async def _fault(step: Transfer) -> ReasonedError | None:
    """Return the error of a step, unless it is a bug of ours. An OSError is the client's: upstreams have their own."""
    try:
        await step()
    except ReasonedError as error:
        return error
    except OSError as error:
        return ClientDisconnectedError(Reason.DISCONNECTED_BY_RESET, in_words(error))
    return None


async def _both(first: Transfer, last: Transfer) -> None:
    """Do both at the same time, until the last is done or one fails. Raise the first error."""
    faults: list[ReasonedError] = []

    async def attempt(step: Transfer) -> None:
        fault = await _fault(step)
        if fault is not None:
            faults.append(fault)
        if fault is not None or step is last:
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(attempt, first)
        await attempt(last)
    if faults:
        raise faults[0]


@contextmanager
def _fault_of_upstream(what: str) -> Iterator[None]:
    """Turn every error of the block into one of the upstream."""
    try:
        yield
    except OSError as error:
        raise UpstreamError(Reason.TARGET_LOST, f"{what}: lost: {in_words(error)}") from None
    except HttpRefusal as error:
        raise UpstreamError(error.reason, f"{what}: {error}") from None
