"""How fast a client may send messages: its translator, held to a rate."""

from collections.abc import Callable

from wsgateway.dialects.base import Step, Translator
from wsgateway.errors import ProtocolError
from wsgateway.policy.rates import Bucket

Over = Callable[[float], ProtocolError | None]
"""What happens to a client that sends too fast; takes how many seconds it is ahead. An error ends the session."""


class Throttle:
    """Translates as another translator does, and counts its messages against a rate.

    What one read has brought goes through whole: a rate is kept in the mean, and a burst is one read at most.
    """

    def __init__(self, translator: Translator, bucket: Bucket, clock: Callable[[], float], over: Over) -> None:
        self._translator = translator
        self._bucket = bucket
        self._clock = clock
        self._over = over
        self.finish = translator.finish
        self.unfinished = translator.unfinished
        self.inside = translator.inside
        self.release = translator.release
        self.messages = translator.messages
        self.heartbeats = translator.heartbeats

    def feed(self, data: bytes) -> Step:
        step = self._translator.feed(data)
        sent = self._translator.messages - self.messages
        self.messages, self.heartbeats = self._translator.messages, self._translator.heartbeats
        ahead = self._bucket.take(self._clock(), sent) if sent else 0.0
        if ahead and step.ending is None:
            step.ending = self._over(ahead)
        return step
