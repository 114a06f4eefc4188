"""Active checks: a server is asked whether it can serve, as a client of its upstream would ask."""

import os
from collections.abc import Awaitable, Callable

import trio

from wsgateway.dialects import Offer, Role, mask_keys
from wsgateway.errors import HandshakeError, UpstreamError
from wsgateway.net.channel import Channel
from wsgateway.settings.basics import Address
from wsgateway.settings.model import Target, Upstream
from wsgateway.settings.pooling import ActiveCheck
from wsgateway.upstream.connect import Contexts, connect_to, introduce
from wsgateway.upstream.handshake import Refusal, shake_hands
from wsgateway.wire.closecodes import NORMAL
from wsgateway.wire.events import Close
from wsgateway.wire.heads import Headers, HeadLimits, Request, ResponseHead
from wsgateway.wire.proxy_protocol import write_v1, write_v2

_READ_BYTES = 16 * 1024
_AGENT = ("User-Agent", "wsgateway")
# So a proxy speaks for itself: nobody connects through it.
_PREFACES = {"none": b"", "v1": write_v1(None, None), "v2": write_v2(None, None)}


async def check(upstream: Upstream, target: Target, address: Address, active: ActiveCheck, contexts: Contexts) -> None:
    """Asks once. Raises UpstreamError with what is wrong, and ExhaustedError if we could not ask."""
    seconds = active.timeout_seconds
    with trio.move_on_after(seconds) as scope:
        _, sock = await connect_to([address], str(address), seconds, {})
        sock = await introduce(sock, target, seconds, _PREFACES[upstream.send_proxy_protocol], contexts)
        with sock:
            await _QUESTIONS[active.type](Channel(sock), upstream, target, active.path)
    if scope.cancelled_caught:
        raise UpstreamError(f"no answer to a check within {seconds:g} s", 504)


async def _accepts(channel: Channel, upstream: Upstream, target: Target, path: str) -> None:
    """It has accepted already."""


async def _answers(channel: Channel, upstream: Upstream, target: Target, path: str) -> None:
    head = ResponseHead(HeadLimits())
    request = Request(path, Headers([("Host", _host(upstream, target)), _AGENT, ("Connection", "close")]))
    try:
        await channel.send(head.request(request))
        while (response := head.receive(await channel.receive(_READ_BYTES))) is None:
            continue
    except OSError as error:
        raise UpstreamError(f"lost during a check: {error.strerror or error}") from None
    except HandshakeError as error:
        raise UpstreamError(f"wrong answer to a check: {error}") from None
    if not 200 <= response.status < 400:
        raise UpstreamError(f"answered {response.status} to a check")


async def _shakes_hands(channel: Channel, upstream: Upstream, target: Target, path: str) -> None:
    dialect = upstream.dialect
    offer = Offer(path, _host(upstream, target), headers=(_AGENT,), secure=target.secure)
    agreement = await shake_hands(channel, dialect.handshake.asking(offer, os.urandom))
    if isinstance(agreement, Refusal):
        raise UpstreamError(f"answered {agreement.response.status} to a check")
    encoder = dialect.framing.encoder(Role.CLIENT, mask_keys(os.urandom), agreement.secret)
    try:
        await channel.send(encoder.send(Close(NORMAL, "")))
    except OSError:  # it has hung up first
        return


def _host(upstream: Upstream, target: Target) -> str:
    """There is no client whose Host could be preserved."""
    return target.authority if upstream.host in ("preserve", "target") else upstream.host


_Question = Callable[[Channel, Upstream, Target, str], Awaitable[None]]
_QUESTIONS: dict[str, _Question] = {"tcp": _accepts, "http": _answers, "websocket": _shakes_hands}
