"""The requests of one connection, one after another, until one opens a session.

Before it, the client may send plain HTTP requests: see `http`.
"""

from collections.abc import Callable

from wsgateway.errors import ClientDisconnectedError, HttpRefusal, Reason
from wsgateway.serve.actions import Limit, Machine, receive, wait_for
from wsgateway.serve.gateway import REQUEST_GRACE_SECONDS
from wsgateway.serve.http import exchange_of
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.opening import Opened, Opening
from wsgateway.serve.preamble import read_request, stopped
from wsgateway.serve.request import RequestContext
from wsgateway.settings.basics import UNIX, is_among
from wsgateway.wire.addresses import counted_as
from wsgateway.wire.heads import Request
from wsgateway.wire.incoming import MOST_EMPTY_LINES

# Old clients send an empty line after the body of a POST (RFC 9112, 2.2). This many may come before a request.
_EMPTY_LINES = b"\r\n" * MOST_EMPTY_LINES


def open_session(context: RequestContext, cleanup: Cleanup) -> Machine[Opened | None]:
    """Serve requests, one after another, until one opens a session. Return None if none does.

    The cleanups for the end of the session are put into `cleanup`.
    """
    for_others = speaks_for_others(context)
    if not for_others:
        cleanup.append(count_address(context, context.client.ip))
    request = yield from read_request(
        context.gateway, context.client, context.head, context.settings.defaults.timeouts, context.begun
    )
    while True:
        context.take(request)
        counted = Cleanup([count_address(context, context.identity.ip)] if for_others else [])
        with counted:
            exchange = exchange_of(context, request)
            if exchange is None:
                cleanup += counted
                counted.clear()
                break
            rest = yield from wait_for(exchange.run)
        if rest is None:
            return None
        request = yield from _next_request(context, rest)
    return (yield from Opening(context).run(request, cleanup))


def _next_request(context: RequestContext, rest: bytes) -> Machine[Request]:
    """Return the client's next request, of which `rest` has already come, and begin its context.

    Raise the errors of `read_request`; ClientDisconnectedError also if there is no other request.
    """
    gateway, client = context.gateway, context.client
    seconds, now = context.settings.defaults.timeouts.handshake_seconds, gateway.clock()

    def idle() -> ClientDisconnectedError:
        return ClientDisconnectedError(Reason.DISCONNECTED_IDLE, f"without another request within {seconds:g} s")

    limit = Limit(now + seconds, idle, stopped, now + REQUEST_GRACE_SECONDS)
    while _EMPTY_LINES.startswith(rest):
        try:
            data = yield from receive(client.channel, limit)
        except OSError:
            data = b""
        if not data:
            raise ClientDisconnectedError(Reason.DISCONNECTED_IDLE, "without another request")
        rest += data
    context.begin(gateway.clock())
    if context.followed is not None:
        context.followed.begin_again(rest)
    request = context.head.receive(rest)
    if request is None:
        request = yield from read_request(
            gateway, client, context.head, context.settings.defaults.timeouts, context.begun
        )
    return request


def speaks_for_others(context: RequestContext) -> bool:
    """Return whether the peer is a proxy that is trusted to name the client of each request, which is then counted."""
    return is_among(context.client.ip, context.listener.forwarded.trusted)


def count_address(context: RequestContext, ip: str) -> Callable[[], None]:
    """Count a client by its address, and return a call that counts it off.

    Raise HttpRefusal (429) if its address has too many.
    """
    limit, address = None, ip
    if ip != UNIX:
        limit, address = context.listener.max_connections_per_ip, counted_as(ip, context.listener.ipv6_prefix)

    def full() -> HttpRefusal:
        return HttpRefusal(Reason.ADDRESS_FULL, f"more than {limit} connections from one address")

    return context.gateway.connections.one_more((context.listener.name, address), limit, full)
