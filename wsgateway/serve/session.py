"""The life of one client connection, from top to bottom: preamble, opening, relay, closing, and a line in the log.

Before the session, the client may send plain HTTP requests, one after another: see `http`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import trio

from wsgateway.errors import ClientDisconnectedError, HttpRefusal, ProtocolError, Reason, ReasonedError
from wsgateway.net.channel import READ_BYTES, limit_unacknowledged
from wsgateway.net.failure import in_words
from wsgateway.observe.counters import By
from wsgateway.policy.forwarded import is_trusted
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.timer import RelayTimeouts
from wsgateway.serve.closing import ClosingHandshake
from wsgateway.serve.facts import odd_facts
from wsgateway.serve.gateway import GatewayState, ListenerState
from wsgateway.serve.http import exchange_of, next_request
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.opening import Opened, Opening
from wsgateway.serve.preamble import read_preamble, read_request
from wsgateway.serve.request import Client, RequestContext
from wsgateway.settings.basics import UNIX
from wsgateway.settings.routes import Route
from wsgateway.wire.addresses import counted_as
from wsgateway.wire.events import Close

Begin = Callable[[RequestContext, Cleanup], Awaitable[Opened | None]]


def serve_client(gateway: GatewayState, listener_state: ListenerState, client: Client) -> Coroutine[Any, Any, None]:
    """Serve a client, which its listener has counted, until its session ends; then count it off and close it.

    A bug of ours costs no other session.
    """
    # No further coroutine here or around it: each would need a quarter of a KiB for every session.
    return _serve(RequestContext(gateway, listener_state, client), _begin, Cleanup([listener_state.leave]))


async def _serve(context: RequestContext, begin: Begin, cleanup: Cleanup) -> None:
    gateway, client, facts = context.gateway, context.client, context.facts
    try:
        with cleanup:
            opened = None
            try:
                opened = await begin(context, cleanup)
            except ReasonedError as error:
                await context.refuse(error)
            except OSError as error:
                await context.refuse(context.lost(error))
            facts = context.facts
            del context  # the reader of the request is large, and not needed during the session
            if opened is not None:
                await _live(gateway, opened)
    except Exception:
        gateway.log.exception("bug", **facts.known(), reason=Reason.BUG)
    finally:
        client.channel.sock.close()


async def _begin(context: RequestContext, cleanup: Cleanup) -> Opened | None:
    """Begin a connection."""
    if not await read_preamble(context.gateway, context.listener_state, context.client):
        return None
    if context.client.alpn == "h2":
        await _carry_streams(context, cleanup)
        return None
    return await _open(context, cleanup)


async def _open(context: RequestContext, cleanup: Cleanup) -> Opened | None:
    """Serve requests, one after another, until one opens a session. Return None if none does.

    The cleanups for the end of the session are put into `cleanup`.
    """
    speaks_for_others = _speaks_for_others(context)
    if not speaks_for_others:
        cleanup.append(_counted(context, context.client.ip))
    request = await read_request(
        context.gateway, context.client, context.head, context.settings.defaults.timeouts, context.begun
    )
    while True:
        context.take(request)
        counted = Cleanup([_counted(context, context.identity.ip)] if speaks_for_others else [])
        with counted:
            exchange = exchange_of(context, request)
            if exchange is None:
                cleanup += counted
                counted.clear()
                break
            rest = await exchange.run()
        if rest is None:
            return None
        request = await next_request(context, rest)
    return await Opening(context).run(request, cleanup)


async def _carry_streams(context: RequestContext, cleanup: Cleanup) -> None:
    """Serve a connection of HTTP/2, of which each stream counts as a connection."""
    from wsgateway.serve.http2 import Http2Connection  # an optional dependency, needed only where HTTP/2 is offered

    gateway, listener_state = context.gateway, context.listener_state

    async def serve(client: Client, asking: trio.CancelScope, error: HttpRefusal | None) -> None:
        async def begin(context: RequestContext, cleanup: Cleanup) -> Opened | None:
            if error is not None:
                raise error
            listener_state.enter()
            cleanup.append(listener_state.leave)
            with asking:
                return await _open(context, cleanup)
            raise ClientDisconnectedError(Reason.DISCONNECTED_WAITING, "before it had its answer")

        await _serve(RequestContext(gateway, listener_state, client), begin, Cleanup())

    connection = Http2Connection(context, serve)
    try:
        if not _speaks_for_others(context):
            cleanup.append(_counted(context, context.client.ip))
    except HttpRefusal as error:
        await connection.refuse(error)
        raise ProtocolError(error.reason, str(error)) from None
    await connection.run()


def _speaks_for_others(context: RequestContext) -> bool:
    """Return whether the peer is a proxy that is trusted to name the client of each request, which is then counted."""
    return is_trusted(context.client.ip, context.listener.forwarded.trusted)


def _counted(context: RequestContext, ip: str) -> Callable[[], None]:
    """Count a client by its address, and return a call that counts it off.

    Raise HttpRefusal (429) if its address has too many.
    """
    limit, address = None, ip
    if ip != UNIX:
        limit, address = context.listener.max_connections_per_ip, counted_as(ip, context.listener.ipv6_prefix)

    def full() -> HttpRefusal:
        return HttpRefusal(Reason.ADDRESS_FULL, f"more than {limit} connections from one address")

    return context.gateway.connections.one_more((context.listener.name, address), limit, full)


async def turn_away(gateway: GatewayState, listener_state: ListenerState, client: Client) -> None:
    """Answer 503 to a client above the limit, without reading its request, and close its connection.

    It is closed when the client has read the answer, or when there are too many newer ones. A bug of ours costs no
    session.
    """
    context = RequestContext(gateway, listener_state, client)
    listener = context.listener
    try:
        full = listener_state.refusal()
        context.refused(full)
        in_clear = listener.tls is None and listener.flash_policy.mode != "only"  # else the client cannot read HTTP
        if in_clear and await context.answer(full.status, full.reason):
            with listener_state.turned_away.one_more():
                await context.hang_up(context.settings.defaults.timeouts.close_seconds)
    except Exception:
        gateway.log.exception("bug", **context.facts.known(), reason=Reason.BUG)
    finally:
        with suppress(OSError):  # closing with an unread request would send a reset
            client.channel.sock.recv(READ_BYTES)
        client.channel.sock.close()


async def _live(gateway: GatewayState, opened: Opened) -> None:
    begun = trio.current_time()
    ended = None
    gateway.counters.opened(opened)
    gateway.log.info("opened", **opened.facts.known())
    try:
        ended = await gateway.engine.relay(opened.client, opened.upstream, _relay_timeouts(opened.route))
        timeouts = opened.route.timeouts
        for endpoint in (opened.client, opened.upstream):
            limit_unacknowledged(endpoint.sock, timeouts.send_seconds)
        await ClosingHandshake(ended, gateway.engine.mask_keys, timeouts.close_seconds).run(
            opened.client, opened.upstream
        )
    finally:
        opened.client.part()
        by, reason, why = _end_of(ended, opened)
        figures = gateway.counters.ended(opened, by, reason)
        gateway.log.info(
            "session",
            **opened.facts.known(),
            seconds=round(trio.current_time() - begun, 3),
            **figures._asdict(),
            **odd_facts(*opened.oddities),
            by=by,
            **reason.facts,
            why=why,
        )


def _relay_timeouts(route: Route) -> RelayTimeouts:
    timeouts, keepalive = route.timeouts, route.keepalive
    return RelayTimeouts(
        idle=timeouts.idle_seconds,
        lifetime=timeouts.lifetime_seconds,
        send=timeouts.send_seconds,
        ping=keepalive.interval_seconds,
        pong=keepalive.timeout_seconds,
    )


def _end_of(ended: Ended | None, opened: Opened) -> tuple[By, Reason, str]:
    """Return the side that has ended a session, the reason, and a text about it."""
    if ended is None:
        return "gateway", Reason.CUT_OFF, "stopped"
    by: By = "client" if ended.source is opened.client else "upstream"
    match ended.ending:
        case ServerClose(reason=reason, why=why):
            return "gateway", reason, why
        case Close() as close:
            return by, Reason.CLOSED, f"close {close}"
        case ProtocolError() as fault:
            return by, fault.reason, f"{fault} ({fault.close_code})"
        case OSError() as error:
            return by, Reason.CONNECTION_LOST, in_words(error)
