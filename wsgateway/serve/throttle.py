"""A limit on the rate of a client's messages, around its translator."""

import math
from collections.abc import Callable

from wsgateway.dialects.base import Step, Translator
from wsgateway.errors import ProtocolError, Reason
from wsgateway.policy.rates import Bucket
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.engine import Engine
from wsgateway.settings.defaults import SessionLimits
from wsgateway.wire.state import State

Over = Callable[[float], ProtocolError | None]
"""decides about a client that sends too fast, given by how many seconds it is ahead; an error ends the session"""


class Throttle:
    """A translator that works by another one, and counts its messages against a rate.

    All messages of one read pass: the rate is kept on average, and a burst is at most one read.
    """

    def __init__(self, translator: Translator, bucket: Bucket, clock: Callable[[], float], over: Over) -> None:
        self._translator = translator
        self._bucket = bucket
        self._clock = clock
        self._over = over
        self.plan = None  # messages are counted one by one, in Python
        self.at_rest = False
        self.finish = translator.finish
        self.unfinished = translator.unfinished
        self.inside = translator.inside
        self.release = translator.release
        self.state = translator.state
        self.messages = translator.messages
        self.heartbeats = translator.heartbeats

    def tokens(self) -> float:
        """Return how many messages would pass at once now."""
        return self._bucket.tokens(self._clock())

    def resume(self, state: State) -> None:
        self._translator.resume(state)
        self.messages, self.heartbeats = self._translator.messages, self._translator.heartbeats

    def feed(self, data: bytes) -> Step:
        step = self._translator.feed(data)
        sent = self._translator.messages - self.messages
        self.messages, self.heartbeats = self._translator.messages, self._translator.heartbeats
        ahead = self._bucket.take(self._clock(), sent) if sent else 0.0
        if ahead and step.ending is None:
            step.ending = self._over(ahead)
        return step


def hold_to_rate(
    engine: Engine, client: Endpoint, limits: SessionLimits, clock: Callable[[], float], tokens: float = math.inf
) -> None:
    """Hold a client to its message rate, if it has one. So many messages may pass at once, or what the rate allows."""
    rate = limits.message_rate
    if rate is None:
        return

    def over(ahead: float) -> ProtocolError | None:
        if limits.message_rate_action == "close":
            return ProtocolError(Reason.MESSAGE_RATE, f"more messages than {rate}")
        engine.pause(client, ahead)
        return None

    client.translator = Throttle(client.translator, Bucket(rate, clock(), tokens), clock, over)
