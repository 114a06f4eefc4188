"""Our handshake with an upstream, as its client. The client's own 101 waits for how this ends."""

from dataclasses import dataclass

from wsgateway.dialects import Answer, ClientHandshake
from wsgateway.errors import HttpRefusal, Reason, UpstreamError
from wsgateway.net.channel import READ_BYTES, Channel
from wsgateway.net.failure import in_words
from wsgateway.settings.upstreams import AnswerLimits
from wsgateway.wire.heads import HeadLimits, Response, ResponseHead
from wsgateway.wire.oddities import Oddities

_USUAL = AnswerLimits().beside()
# What an upstream may say about its own refusal: to look elsewhere, or that it will not.
_REFUSALS = range(300, 600)


@dataclass(slots=True)
class Agreement:
    """The upstream accepted."""

    answer: Answer
    secret: bytes
    """what the handshake left for the frames"""
    early: bytes
    """what it sent behind its handshake"""
    oddities: Oddities
    """what it may do otherwise than the drafts say, and has done so far"""


@dataclass(slots=True)
class Refusal:
    """The upstream answered with an HTTP status of its own, which is for the client."""

    response: Response
    head: ResponseHead
    """reads the body"""


async def shake_hands(
    channel: Channel, client_handshake: ClientHandshake, limits: HeadLimits = _USUAL, oddities: Oddities | None = None
) -> Agreement | Refusal:
    """Sends our request and reads the answer, whose head is held to limits. Waits as long as the upstream does: the
    caller sets a deadline.

    `oddities` is what the upstream may do otherwise than the drafts say, by default what is allowed by default; what it
    does is noted there.

    Raises UpstreamError (502) if the upstream is lost or gives an answer that is none.
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
