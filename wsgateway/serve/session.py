"""The life of one client connection, from top to bottom: greet, open, relay, part, and one line in the log.

Before it opens a session it may ask for other things, one after the other: see `http`.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from wsgateway.errors import HandshakeError, ProtocolError
from wsgateway.relay.endpoint import Ended
from wsgateway.relay.watch import Patience
from wsgateway.serve.counts import Cleanup, Newest
from wsgateway.serve.farewell import Farewell
from wsgateway.serve.gateway import Gateway
from wsgateway.serve.http import exchange_of, next_request
from wsgateway.serve.opening import Opened, Opening, Turn
from wsgateway.serve.prologue import READ_BYTES, Client, ClientLeftError, greet, read_request
from wsgateway.settings.model import UNIX, Listener, Route
from wsgateway.wire.events import Close

Begin = Callable[[Turn, Cleanup], Awaitable[Opened | None]]


async def serve_client(gateway: Gateway, listener: Listener, client: Client) -> None:
    """Serves a client until its session is over, and closes its connection. A bug of ours costs no other session."""
    await _serve(Turn(gateway, listener, client), _greet)


async def _serve(turn: Turn, begin: Begin) -> None:
    gateway, client = turn.gateway, turn.client
    try:
        with Cleanup() as cleanup:
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
    if not await greet(turn.gateway, turn.listener, turn.client):
        return None
    if turn.client.alpn == "h2":
        await _carry_streams(turn, cleanup)
        return None
    cleanup.append(_counted(turn.gateway, turn.listener, turn.client))
    return await _open(turn, cleanup)


async def _open(turn: Turn, cleanup: Cleanup) -> Opened | None:
    """Serves one request after the other until one opens a session. None if none does, and the client is done with.

    What is to be done at the end of the session is left in `cleanup`.
    """
    request = await read_request(turn.gateway, turn.client, turn.head, turn.begun)
    while (exchange := exchange_of(turn, request)) is not None:
        rest = await exchange.run()
        if rest is None:
            return None
        request = await next_request(turn, rest)
    return await Opening(turn).run(request, cleanup)


async def _carry_streams(turn: Turn, cleanup: Cleanup) -> None:
    """Serves a connection of HTTP/2, each of whose streams counts as one of its own."""
    from wsgateway.serve.http2 import Http2  # its library need not be installed where it is not offered

    gateway, listener = turn.gateway, turn.listener

    async def serve(client: Client, asking: trio.CancelScope, error: HandshakeError | None) -> None:
        async def begin(turn: Turn, cleanup: Cleanup) -> Opened | None:
            if error is not None:
                raise error
            cleanup.append(gateway.enter(listener))
            cleanup.append(_counted(gateway, listener, client))
            with asking:
                return await _open(turn, cleanup)
            raise ClientLeftError("before it had its answer")

        await _serve(Turn(gateway, listener, client), begin)

    connection = Http2(turn, serve)
    try:
        cleanup.append(_counted(gateway, listener, turn.client))
    except HandshakeError as error:
        await connection.refuse(error)
        raise ProtocolError(str(error)) from None
    await connection.run()


def _counted(gateway: Gateway, listener: Listener, client: Client) -> Callable[[], None]:
    """Counts the client among those from its address, which the prologue has told."""
    limit = None if client.ip == UNIX else listener.max_connections_per_ip
    full = HandshakeError(f"more than {limit} connections from one address", 429)
    return gateway.connections.one_more((listener.name, client.ip), limit, full)


async def turn_away(gateway: Gateway, listener: Listener, client: Client, leaving: Newest) -> None:
    """Answers 503 to a client for whom there is no room, without waiting for its request, and closes its connection
    when it has read that, or is not among the newest any more. A bug of ours costs no session."""
    try:
        turn = Turn(gateway, listener, client)
        why = f"{listener.name} has its limit of {listener.max_connections} connections"
        turn.log("refused", why, 503, level="warning")
        in_clear = listener.tls is None and listener.flash_policy.mode != "only"  # else that is no answer
        if in_clear and await turn.tell(HandshakeError("too many connections", 503)):
            with leaving.one_more():
                await turn.hang_up(gateway.settings.default_timeouts.close_seconds)
    except Exception:
        gateway.log.exception("bug", client=str(client))
    finally:
        with suppress(OSError):  # to close over a request that is not read would be a reset
            client.channel.sock.recv(READ_BYTES)
        client.channel.sock.close()


async def _live(gateway: Gateway, client: Client, opened: Opened) -> None:
    begun = trio.current_time()
    ended = None
    try:
        ended = await gateway.engine.relay(opened.client, opened.upstream, _patience(opened.route))
        close_seconds = opened.route.timeouts.close_seconds
        await Farewell(ended, gateway.mask_keys, close_seconds).say(opened.client, opened.upstream)
    finally:
        gateway.log.info(
            "session",
            client=str(client),
            **opened.facts,
            seconds=round(trio.current_time() - begun, 3),
            messages_in=opened.client.translator.messages,
            messages_out=opened.upstream.translator.messages,
            bytes_in=opened.client.received,
            bytes_out=opened.upstream.received,
            ended=_how(ended, opened),
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


def _how(ended: Ended | None, opened: Opened) -> str:
    """How a session ended, for people: who, and with which words."""
    if ended is None or ended.source is None:
        return f"gateway: {'stopped' if ended is None else ended.why}"
    who = "client" if ended.source is opened.client else "upstream"
    match ended.ending:
        case Close() as close:
            return f"{who}: close {close}"
        case ProtocolError() as fault:
            return f"{who}: {fault} ({fault.close_code})"
        case error:
            return f"{who}: {error.strerror if isinstance(error, OSError) else error}"
