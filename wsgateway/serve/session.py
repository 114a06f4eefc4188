"""The life of one client connection, from top to bottom: greet, open, relay, part, and one line in the log.

Before it opens a session it may ask for other things, one after the other: see `http`.
"""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import trio

from wsgateway.errors import HandshakeError, ProtocolError
from wsgateway.net.channel import bound_rest
from wsgateway.net.failure import in_words
from wsgateway.policy.forwarded import is_trusted
from wsgateway.relay.closing import Dismissal
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.watch import Patience
from wsgateway.serve.counts import Cleanup
from wsgateway.serve.farewell import Farewell
from wsgateway.serve.gateway import Entrance, Gateway
from wsgateway.serve.http import exchange_of, next_request
from wsgateway.serve.opening import Opened, Opening
from wsgateway.serve.prologue import READ_BYTES, Client, ClientLeftError, greet, read_request
from wsgateway.serve.turn import Turn, odd_facts
from wsgateway.settings.basics import UNIX
from wsgateway.settings.model import Route
from wsgateway.wire.addresses import counted_as
from wsgateway.wire.events import Close

Begin = Callable[[Turn, Cleanup], Awaitable[Opened | None]]


def serve_client(gateway: Gateway, entrance: Entrance, client: Client) -> Coroutine[Any, Any, None]:
    """Serves a client, whom its entrance has counted, until its session is over; then it counts no more, and its
    connection is closed. A bug of ours costs no other session."""
    # Not a coroutine of its own, nor one around it: each costs every session a quarter of a KiB as long as it lasts.
    return _serve(Turn(gateway, entrance, client), _greet, Cleanup([entrance.leave]))


async def _serve(turn: Turn, begin: Begin, cleanup: Cleanup) -> None:
    gateway, client = turn.gateway, turn.client
    try:
        with cleanup:
            opened = None
            async with turn.answered():
                opened = await begin(turn, cleanup)
            del turn  # what read the request is not needed while the session lasts, and large
            if opened is not None:
                await _live(gateway, client, opened)
    except Exception:
        gateway.log.exception("bug", client=str(client))
    finally:
        client.channel.sock.close()


async def _greet(turn: Turn, cleanup: Cleanup) -> Opened | None:
    """Begins a connection."""
    if not await greet(turn.gateway, turn.entrance, turn.client):
        return None
    if turn.client.alpn == "h2":
        await _carry_streams(turn, cleanup)
        return None
    return await _open(turn, cleanup)


async def _open(turn: Turn, cleanup: Cleanup) -> Opened | None:
    """Serves one request after the other until one opens a session. None if none does, and the client is done with.

    What is to be done at the end of the session is left in `cleanup`.
    """
    speaks_for_others = _speaks_for_others(turn)
    if not speaks_for_others:
        cleanup.append(_counted(turn, turn.client.ip))
    request = await read_request(turn.gateway, turn.client, turn.head, turn.settings.default_timeouts, turn.begun)
    while True:
        turn.about(request)
        counted = Cleanup([_counted(turn, turn.identity.ip)] if speaks_for_others else [])
        with counted:
            exchange = exchange_of(turn, request)
            if exchange is None:
                cleanup += counted
                counted.clear()
                break
            rest = await exchange.run()
        if rest is None:
            return None
        request = await next_request(turn, rest)
    return await Opening(turn).run(request, cleanup)


async def _carry_streams(turn: Turn, cleanup: Cleanup) -> None:
    """Serves a connection of HTTP/2, each of whose streams counts as one of its own."""
    from wsgateway.serve.http2 import Http2  # its library need not be installed where it is not offered

    gateway, entrance = turn.gateway, turn.entrance

    async def serve(client: Client, asking: trio.CancelScope, error: HandshakeError | None) -> None:
        async def begin(turn: Turn, cleanup: Cleanup) -> Opened | None:
            if error is not None:
                raise error
            entrance.enter()
            cleanup.append(entrance.leave)
            with asking:
                return await _open(turn, cleanup)
            raise ClientLeftError("before it had its answer")

        await _serve(Turn(gateway, entrance, client), begin, Cleanup())

    connection = Http2(turn, serve)
    try:
        if not _speaks_for_others(turn):
            cleanup.append(_counted(turn, turn.client.ip))
    except HandshakeError as error:
        await connection.refuse(error)
        raise ProtocolError(str(error)) from None
    await connection.run()


def _speaks_for_others(turn: Turn) -> bool:
    """Return whether the peer is a proxy that is trusted to name its client in each request, which is counted then."""
    return is_trusted(turn.client.ip, turn.listener.forwarded_trusted)


def _counted(turn: Turn, ip: str) -> Callable[[], None]:
    """Count a client among those from its address, until what this returns is called.

    Raises HandshakeError (429) for one too many.
    """
    limit, address = None, ip
    if ip != UNIX:
        limit, address = turn.listener.max_connections_per_ip, counted_as(ip, turn.listener.ipv6_prefix)
    full = HandshakeError(f"more than {limit} connections from one address", 429, kind="limit")
    return turn.gateway.connections.one_more((turn.listener.name, address), limit, full)


async def turn_away(gateway: Gateway, entrance: Entrance, client: Client) -> None:
    """Answers 503 to a client for whom there is no room, without waiting for its request, and closes its connection
    when it has read that, or is not among the newest any more. A bug of ours costs no session."""
    try:
        turn = Turn(gateway, entrance, client)
        listener = turn.listener
        why = f"{listener.name} has its limit of {listener.max_connections} connections"
        turn.refused(why, 503, "limit", level="warning")
        in_clear = listener.tls is None and listener.flash_policy.mode != "only"  # else that is no answer
        if in_clear and await turn.tell(HandshakeError("too many connections", 503)):
            with entrance.leaving.one_more():
                await turn.hang_up(turn.settings.default_timeouts.close_seconds)
    except Exception:
        gateway.log.exception("bug", client=str(client))
    finally:
        with suppress(OSError):  # to close over a request that is not read would be a reset
            client.channel.sock.recv(READ_BYTES)
        client.channel.sock.close()


async def _live(gateway: Gateway, client: Client, opened: Opened) -> None:
    begun = trio.current_time()
    ended = None
    gateway.tally.opened(opened)
    try:
        ended = await gateway.engine.relay(opened.client, opened.upstream, _patience(opened.route))
        timeouts = opened.route.timeouts
        for endpoint in (opened.client, opened.upstream):
            bound_rest(endpoint.sock, timeouts.send_seconds)
        await Farewell(ended, gateway.mask_keys, timeouts.close_seconds).say(opened.client, opened.upstream)
    finally:
        by, how = _how(ended, opened)
        figures = gateway.tally.ended(opened, by)
        gateway.log.info(
            "session",
            client=str(client),
            **opened.facts,
            seconds=round(trio.current_time() - begun, 3),
            **figures._asdict(),
            **odd_facts(*opened.oddities),
            ended=how,
        )


def _patience(route: Route) -> Patience:
    timeouts, keepalive = route.timeouts, route.keepalive
    return Patience(
        idle=timeouts.idle_seconds,
        lifetime=timeouts.lifetime_seconds,
        send=timeouts.send_seconds,
        ping=keepalive.interval_seconds,
        pong=keepalive.timeout_seconds,
    )


def _how(ended: Ended | None, opened: Opened) -> tuple[str, str]:
    """How a session ended: in one of few words, to count by, and for people: who, and with which words."""
    if ended is None:
        return "gateway", "gateway: stopped"
    who = "client" if ended.source is opened.client else "upstream"
    match ended.ending:
        case Dismissal(why=why):
            return "gateway", f"gateway: {why}"
        case Close() as close:
            return f"{who}_close", f"{who}: close {close}"
        case ProtocolError() as fault:
            return "fault", f"{who}: {fault} ({fault.close_code})"
        case OSError() as error:
            return "fault", f"{who}: {in_words(error)}"
