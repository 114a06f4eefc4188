"""The handshake with an upstream, as its client. The client of the gateway gets its 101 only after this."""

from dataclasses import dataclass

from wsgateway.dialects import Answer, ClientHandshake
from wsgateway.errors import HttpRefusal, Reason, UpstreamError
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.failure import in_words
from wsgateway.settings.upstreams import AnswerLimits
from wsgateway.wire.heads import HeadLimits, Response
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.response_head import ResponseHead

_USUAL = AnswerLimits().beside()
# The statuses by which an upstream may refuse: a redirect, or an error.
_REFUSALS = range(300, 600)


@dataclass(slots=True)
class Agreement:
    """The acceptance of an upstream."""

    answer: Answer
    secret: bytes
    """the secret that the handshake made for the frames"""
    early: bytes
    """the bytes that came after the handshake"""
    oddities: Oddities
    """the oddities that the upstream is allowed, and those that it has shown so far"""


@dataclass(slots=True)
class Refusal:
    """The HTTP answer of an upstream that refuses; the client gets it."""

    response: Response
    head: ResponseHead
    """reads the body"""


async def shake_hands(
    channel: Channel, client_handshake: ClientHandshake, limits: HeadLimits = _USUAL, oddities: Oddities | None = None
) -> Agreement | Refusal:
    """Send our request and return the answer, whose head must keep to `limits`.

    It waits as long as the upstream does: the caller sets a deadline. `oddities` holds the oddities that the upstream
    is allowed (default: the default of the table), and records those that it shows. Raise UpstreamError (502) if the
    connection is lost or the answer is wrong.
    """
    oddities = Oddities() if oddities is None else oddities
    head = ResponseHead(limits, oddities)
    try:
        await channel.send(head.request(client_handshake.request) + client_handshake.challenge)
        while (response := head.receive(await _some(channel))) is None:
            continue
        if response.status in _REFUSALS:
            return Refusal(response, head)
        if response.status != 101:
            raise UpstreamError(Reason.TARGET_HANDSHAKE_WRONG, f"answered {response.status} to a WebSocket handshake")
        early = head.rest
        while len(early) < client_handshake.proof_bytes:
            early += await _some(channel)
        answer = client_handshake.check(response, early[: client_handshake.proof_bytes])
    except OSError as error:
        raise UpstreamError(Reason.TARGET_LOST, f"lost during the handshake: {in_words(error)}") from None
    except HttpRefusal as error:
        raise UpstreamError(error.reason, f"wrong handshake: {error.why}") from None
    return Agreement(answer, client_handshake.secret, early[client_handshake.proof_bytes :], oddities)


async def _some(channel: Channel) -> bytes:
    data = await channel.receive(READ_BYTES)
    if not data:
        raise UpstreamError(Reason.TARGET_LOST, "closed the connection during the handshake")
    return data
