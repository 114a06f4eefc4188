"""Health checks: a server is sent a request or handshake as a client of its upstream would send it."""

import os
from collections.abc import Awaitable, Callable

import trio

from wsgateway.dialects import Offer, Role
from wsgateway.errors import HttpRefusal, Reason, UpstreamError
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.failure import in_words
from wsgateway.settings.basics import Address
from wsgateway.settings.health import ActiveCheck
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.connect import connect_to, prepare
from wsgateway.upstream.handshake import Refusal, shake_hands
from wsgateway.upstream.tls import Contexts
from wsgateway.wire.closecodes import NORMAL
from wsgateway.wire.events import Close
from wsgateway.wire.heads import Headers, Request
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.proxy_protocol import write_v1, write_v2
from wsgateway.wire.response_head import ResponseHead

_AGENT = ("User-Agent", "wsgateway")
# The PROXY headers of a proxy that makes a connection for itself and not for a client.
_PREFACES = {"none": b"", "v1": write_v1(None, None), "v2": write_v2(None, None)}


async def check(upstream: Upstream, target: Target, address: Address, active: ActiveCheck, contexts: Contexts) -> None:
    """Make one health check of a server. Raise UpstreamError if it fails, ExhaustedError if it could not be tried."""
    seconds = active.timeout_seconds
    with trio.move_on_after(seconds) as scope:
        _, sock = await connect_to([address], str(address), seconds, {})
        sock = await prepare(sock, target, seconds, _PREFACES[upstream.send_proxy_protocol], contexts)
        with sock:
            await _CHECKS[active.type](Channel(sock), upstream, target, active)
    if scope.cancelled_caught:
        raise UpstreamError(Reason.TARGET_CHECK_FAILED, f"no answer to a health check within {seconds:g} s", 504)


async def _check_tcp(channel: Channel, upstream: Upstream, target: Target, active: ActiveCheck) -> None:
    """Accept any server, because it has accepted the connection already."""


async def _check_http(channel: Channel, upstream: Upstream, target: Target, active: ActiveCheck) -> None:
    head = ResponseHead(upstream.limits.beside())
    offer = _offer(upstream, target, active)
    origin = [] if offer.origin is None else [("Origin", offer.origin)]
    items = [("Host", offer.host), *origin, *offer.headers, ("Connection", "close")]
    request = Request(offer.target, Headers(items))
    try:
        await channel.send(head.request(request))
        while (response := head.receive(await channel.receive(READ_BYTES))) is None:
            continue
    except OSError as error:
        raise UpstreamError(Reason.TARGET_LOST, f"lost during a health check: {in_words(error)}") from None
    except HttpRefusal as error:
        raise UpstreamError(error.reason, f"wrong answer to a health check: {error}") from None
    if not 200 <= response.status < 400:
        raise UpstreamError(Reason.TARGET_CHECK_FAILED, f"answered {response.status} to a health check")


async def _check_websocket(channel: Channel, upstream: Upstream, target: Target, active: ActiveCheck) -> None:
    dialect = upstream.dialect
    client_handshake = dialect.handshake.client(_offer(upstream, target, active), os.urandom)
    agreement = await shake_hands(channel, client_handshake, upstream.limits.beside(), Oddities(upstream.tolerance))
    if isinstance(agreement, Refusal):
        raise UpstreamError(Reason.TARGET_CHECK_FAILED, f"answered {agreement.response.status} to a health check")
    encoder = dialect.framing.encoder(Role.CLIENT, iter([os.urandom(4)]), agreement.secret)
    try:
        await channel.send(encoder.send(Close(NORMAL, "")))
    except OSError:  # the server has closed first
        return


def _offer(upstream: Upstream, target: Target, active: ActiveCheck) -> Offer:
    """Return the offer of a health check: the headers of its settings, and the gateway's own where these have none."""
    given = Headers(active.headers)
    # A health check has no client whose Host could be preserved.
    usual = target.url.authority if upstream.host in ("preserve", "target") else upstream.host
    others = tuple((name, value) for name, value in given if name.lower() not in ("host", "origin"))
    return Offer(
        active.path,
        given.one("Host") or usual,
        given.one("Origin"),
        active.subprotocols,
        headers=others if "User-Agent" in given else (_AGENT, *others),
        secure=target.url.secure,
    )


_Check = Callable[[Channel, Upstream, Target, ActiveCheck], Awaitable[None]]
_CHECKS: dict[str, _Check] = {"tcp": _check_tcp, "http": _check_http, "websocket": _check_websocket}
