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


class UpstreamHandshake:
    """The handshake without input and output: it makes the request, and takes the bytes of the answer."""

    __slots__ = ("_early", "_handshake", "_head", "_oddities", "_response", "request")

    def __init__(
        self, handshake: ClientHandshake, limits: HeadLimits = _USUAL, oddities: Oddities | None = None
    ) -> None:
        """Take the limits of the answer's head.

        `oddities` holds the oddities that the upstream is allowed (default: the default of the table), and records
        those that it shows.
        """
        self._handshake = handshake
        self._oddities = Oddities() if oddities is None else oddities
        self._head = ResponseHead(limits, self._oddities)
        self._response: Response | None = None
        self._early = b""
        self.request = self._head.request(handshake.request) + handshake.challenge
        """the bytes to send"""

    def receive(self, data: bytes) -> Agreement | Refusal | None:
        """Return the answer once bytes of the upstream complete it; no bytes are the end of its stream.

        Raise UpstreamError (502) if the answer is wrong, or ends before it is complete.
        """
        if not data:
            raise UpstreamError(Reason.TARGET_LOST, "closed the connection during the handshake")
        try:
            return self._receive(data)
        except HttpRefusal as error:
            raise UpstreamError(error.reason, f"wrong handshake: {error.why}") from None

    def _receive(self, data: bytes) -> Agreement | Refusal | None:
        if self._response is None:
            self._response = self._head.receive(data)
            if self._response is None:
                return None
            status = self._response.status
            if status in _REFUSALS:
                return Refusal(self._response, self._head)
            if status != 101:
                raise UpstreamError(Reason.TARGET_HANDSHAKE_WRONG, f"answered {status} to a WebSocket handshake")
            data = self._head.rest
        self._early += data
        size = self._handshake.proof_bytes
        if len(self._early) < size:
            return None
        answer = self._handshake.check(self._response, self._early[:size])
        return Agreement(answer, self._handshake.secret, self._early[size:], self._oddities)


def lost(error: OSError) -> UpstreamError:
    """Return the error for a connection that is lost during the handshake."""
    return UpstreamError(Reason.TARGET_LOST, f"lost during the handshake: {in_words(error)}")


async def shake_hands(
    channel: Channel, client_handshake: ClientHandshake, limits: HeadLimits = _USUAL, oddities: Oddities | None = None
) -> Agreement | Refusal:
    """Send our request and return the answer, whose head must keep to `limits`; see `UpstreamHandshake`.

    It waits as long as the upstream does: the caller sets a deadline. Raise UpstreamError (502) if the connection is
    lost or the answer is wrong.
    """
    handshake = UpstreamHandshake(client_handshake, limits, oddities)
    try:
        await channel.send(handshake.request)
        while (result := handshake.receive(await channel.receive(READ_BYTES))) is None:
            continue
    except OSError as error:
        raise lost(error) from None
    return result
