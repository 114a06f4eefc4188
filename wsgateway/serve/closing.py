"""The closing handshake of a session, after the relay has ended: both sides get a Close, and their connections close.

The rules, which Close each side gets, are in `relay.closing`. Here it is decided what is sent, passed on and awaited,
in which order, and for how long. Like an opening (`actions`), this is a machine without input, output or waiting of its
own: a generator that yields actions and gets their results, and `closing_driver` carries them out. But both sides are
served at the same time, so there is an action that runs several machines.

    action      waits for                            result
    Take        bytes of a side                      bytes; none at the end of its stream, however it ends
    Deliver     a side to take its backlog           whether it is connected; the backlog is dropped otherwise
    HalfClose   nothing                              whether a side was told the end of our stream
    Pause       a time                               None
    Together    several machines                     None

When the time of an action is over, its result is None.
"""

import math
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from wsgateway.dialects.base import Step
from wsgateway.relay.closing import BRIEF_SECONDS, REPLIES_BYTES, REPLY_SECONDS, closing, is_disconnected
from wsgateway.relay.endpoint import MOST_READ_BYTES, Ended, Endpoint
from wsgateway.wire.events import Close, Role

T = TypeVar("T")

# If `close_seconds` is short, no wait before an upstream is sent its Close takes more than this part of it.
_PART = 4
# The end of a text where `Framing.delimits_text`.
_TEXT_END = b"\xff"
_LINGER_BYTES = 16 * 1024


@dataclass(slots=True)
class Deadline:
    """The time for one or more actions, which may change while they wait."""

    when: float
    """by Trio's clock; -infinity: it is over"""


@dataclass(slots=True)
class Take:
    """Take bytes of a side."""

    endpoint: Endpoint
    limit_bytes: int
    until: Deadline


@dataclass(slots=True)
class Deliver:
    """Send the backlog of a side. If its time is over, the rest is kept."""

    endpoint: Endpoint
    until: Deadline


@dataclass(slots=True)
class HalfClose:
    """End our stream to a side, which may go on sending.

    That is not possible over TLS: servers of TLS 1.2 must discard their data when they see its end (RFC 5246, 7.2.1),
    and OpenSSL treats data that they send nevertheless as a fault. With `below_tls` TLS and TCP are ended, for a side
    whose data is only dropped.
    """

    endpoint: Endpoint
    below_tls: bool = False


@dataclass(slots=True)
class Pause:
    """Wait until a time."""

    until: Deadline


@dataclass(slots=True)
class Together:
    """Run machines at the same time, until all have ended."""

    machines: tuple["Machine[None]", ...]
    until_last: bool = False
    """whether the end of the last one of the tuple ends the others, too, which have their turn before it"""


Action = Take | Deliver | HalfClose | Pause | Together
Machine = Generator[Action, Any, T]


class ClosingHandshake:
    """The closing handshake with both sides of one session."""

    def __init__(
        self, ended: Ended, mask_keys: Iterator[bytes], close_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._ended = ended
        self._mask_keys = mask_keys
        self._close_seconds = close_seconds
        self._clock = clock
        self._sent_close: set[Endpoint] = set()  # the sides that have been sent a Close, ours or the other side's
        self._silent: set[Endpoint] = set()  # the sides whose frames have ended: by Close, fault or end of stream
        self._heard = 0.0  # the time of the last received bytes

    def run(self, client: Endpoint, upstream: Endpoint) -> Machine[None]:
        """Close both sides, which the relay uses no longer; the caller closes their sockets after this.

        Each step (pass replies on, send a Close, await its answer, linger) may take `close_seconds`.
        """
        source, ending = self._ended.source, self._ended.ending
        for endpoint in (client, upstream):
            _add_reply(endpoint)
        if source is None:
            yield from self._close_both(client, upstream)
        elif isinstance(ending, Close):
            yield from self._pass_answer(source)
        else:
            if source is client and not is_disconnected(ending):
                yield from self._pass_replies(upstream)
            yield from self._break_off(source)

    # -- one side has ended it ----------------------------------------------------------------------------------

    def _pass_answer(self, source: Endpoint) -> Machine[None]:
        """Send the source's Close to the other side, and pass on to the source what that still sends."""
        other = source.peer
        # In hixie-75 the end of the stream is the Close, without a code: we answer with the source's own code.
        answers = other.side.framing.has_close
        listening, delivering = Deadline(math.inf), self._in(self._close_seconds)
        if other.backlog:
            # Some servers read on only when their own bytes are read.
            passing = self._pass_on(other, listening, passes_close=answers)
            yield Together((self._deliver_close(other, delivering, listening), passing), until_last=True)
            if other in self._silent:  # it may have sent its own Close before it has read the source's
                yield from _flush(other, delivering)
        else:
            yield from self._deliver_close(other, delivering, listening)
            yield from self._pass_on(other, listening, passes_close=answers)
        yield from self._send_closes(source)
        yield from self._linger(source, other)

    def _deliver_close(self, other: Endpoint, delivering: Deadline, listening: Deadline) -> Machine[None]:
        """Send the backlog of the relay to a side; it ends with the Close. Limit the time for the answer."""
        yield from _flush(other, delivering)
        if not other.backlog and (yield from self._knows_the_end(other)):
            listening.when = self._clock() + self._answer_seconds(other)
        else:
            listening.when = -math.inf

    def _knows_the_end(self, other: Endpoint) -> Machine[bool]:
        """Return whether the side can know that the session ends.

        An upstream that could not be sent the Close gets the end of our stream instead, so that its replies can come.
        """
        if other.side.framing.has_close and not other.peer.translator.inside():
            return True
        return other.side.role is Role.CLIENT and (yield HalfClose(other))

    def _pass_replies(self, upstream: Endpoint) -> Machine[None]:
        """Pass on the upstream's replies to what the client sent before it broke the rules."""
        listening = self._in(self._close_seconds)
        yield Together(
            (self._close_upstream(upstream, listening), self._pass_last_replies(upstream, listening)), until_last=True
        )

    def _pass_last_replies(self, upstream: Endpoint, listening: Deadline) -> Machine[None]:
        # Some bytes are reserved for the rest of a frame, because the client gets no Close inside a frame.
        most_bytes = REPLIES_BYTES - MOST_READ_BYTES
        yield from self._pass_on(upstream, listening, passes_close=False, most_bytes=most_bytes)
        yield from self._finish_frame(upstream, listening, MOST_READ_BYTES)

    def _close_upstream(self, upstream: Endpoint, listening: Deadline) -> Machine[None]:
        """Send a Close to an upstream whose replies are being passed on, because its client goes away.

        If that does not end its stream, end ours. End `listening` if neither is possible.
        """
        yield from _flush(upstream, listening)
        yield Pause(self._in(min(REPLY_SECONDS, self._close_seconds / _PART)))
        yield from self._send_close(upstream, listening)
        if upstream in self._sent_close or upstream.tls is not None:
            yield from self._silence(min(BRIEF_SECONDS, self._close_seconds / _PART))
        if not (yield HalfClose(upstream)) and upstream not in self._sent_close:
            listening.when = -math.inf

    def _silence(self, seconds: float) -> Machine[None]:
        """Wait until nothing has been received for so long, from now on."""
        self._heard = self._clock()
        while (until := self._heard + seconds) > self._clock():
            yield Pause(Deadline(until))

    def _break_off(self, source: Endpoint) -> Machine[None]:
        """Close both sides after the source has broken the rules or disconnected."""
        yield from self._send_closes(source, source.peer)
        yield from self._linger(source, source.peer)

    # -- the gateway ends it ------------------------------------------------------------------------------------

    def _close_both(self, client: Endpoint, upstream: Endpoint) -> Machine[None]:
        """Finish frames that are being sent, then send both sides a Close, and await their answers."""
        until = self._in(self._close_seconds)
        yield Together((self._finish_frame(client, until), self._finish_frame(upstream, until)))
        yield from self._send_closes(client, upstream)
        yield Together((self._await_answer(client), self._await_answer(upstream)))

    def _finish_frame(self, source: Endpoint, until: Deadline, most_bytes: int = sys.maxsize) -> Machine[None]:
        """Pass on the rest of the source's current frame, and nothing after it if the frame's end is known."""
        budget = most_bytes
        while (yield from _flush(source.peer, until)) and budget and source not in self._silent:
            unfinished = source.translator.unfinished()
            if unfinished == 0:
                break
            data = yield from self._receive_unfinished(source, unfinished, min(MOST_READ_BYTES, budget), until)
            if data is None:
                break
            budget -= len(data)
            source.peer.backlog += _without_close(self._feed(source, data))

    def _await_answer(self, endpoint: Endpoint) -> Machine[None]:
        """Read until the side has answered our Close, and drop what it sends before that."""
        until = self._in(self._answer_seconds(endpoint))
        while endpoint in self._sent_close and endpoint not in self._silent:
            data = yield from self._receive(endpoint, MOST_READ_BYTES, until)
            if data is None:
                break
            self._feed(endpoint, data)
        yield from self._linger(endpoint)

    # -- used by both -------------------------------------------------------------------------------------------

    def _in(self, seconds: float) -> Deadline:
        return Deadline(self._clock() + seconds)

    def _pass_on(
        self, source: Endpoint, until: Deadline, *, passes_close: bool = True, most_bytes: int = sys.maxsize
    ) -> Machine[None]:
        """Pass on what a side sends, until its stream ends, the other side is gone, or `most_bytes` have come."""
        budget, ending = most_bytes, None
        while (yield from _flush(source.peer, until)) and budget and ending is None:
            data = yield from self._receive(source, min(MOST_READ_BYTES, budget), until)
            if data is None:
                break
            budget -= len(data)
            self._heard = self._clock()
            step = self._feed(source, data)
            source.peer.backlog += step.forward if passes_close else _without_close(step)
            ending = step.ending
            if passes_close and isinstance(ending, Close):
                self._sent_close.add(source.peer)  # now: the time may be over before all of it is sent

    def _feed(self, source: Endpoint, data: bytes) -> Step:
        """Translate bytes of a side; no bytes are the end of its stream. Feed nothing after an ending."""
        step = source.translator.feed(data) if data else source.finish()
        if step.ending is not None:
            self._silent.add(source)
        return step

    def _send_closes(self, *endpoints: Endpoint) -> Machine[None]:
        """Send each side its backlog, and our Close if it gets one and its last frame is complete."""
        receivers = [endpoint for endpoint in endpoints if endpoint.backlog or self._close_for(endpoint) is not None]
        if receivers:
            until = self._in(self._close_seconds)
            yield from _at_once([self._send_close(endpoint, until) for endpoint in receivers])

    def _close_for(self, endpoint: Endpoint) -> Close | None:
        if endpoint in self._sent_close:
            return None
        return closing(self._ended.ending, endpoint is self._ended.source, endpoint.side)

    def _send_close(self, endpoint: Endpoint, until: Deadline) -> Machine[None]:
        close = self._close_for(endpoint)
        if (yield from _flush(endpoint, until)) is None:
            return
        _add_reply(endpoint)
        if close is not None and not endpoint.peer.translator.inside():
            frame = endpoint.side.encoder(self._mask_keys).send(close)
            if frame:
                self._sent_close.add(endpoint)
            endpoint.backlog += frame
        yield from _flush(endpoint, until)

    def _linger(self, *endpoints: Endpoint) -> Machine[None]:
        """End our streams, and read until the other ends close, too.

        Closing with unread bytes would send a reset, and a side could lose the last bytes.
        """
        until = self._in(self._close_seconds)
        for endpoint in endpoints:
            yield HalfClose(endpoint, below_tls=True)
        yield from _at_once([_drop(each, until) for each in endpoints if not each.over or each.tls is not None])

    def _answer_seconds(self, endpoint: Endpoint) -> float:
        return self._close_seconds if endpoint.side.framing.answers_close else min(self._close_seconds, BRIEF_SECONDS)

    def _receive(self, endpoint: Endpoint, limit: int, until: Deadline) -> Machine[bytes | None]:
        """Return the next bytes from a side; none if its stream has ended in any way, None if the time is over."""
        data: bytes | None
        if endpoint.early and until.when > self._clock():  # bytes that the relay did not process
            data, endpoint.early = endpoint.early[:limit], endpoint.early[limit:]
        else:
            data = yield Take(endpoint, limit, until)
        if data is not None:
            endpoint.received += len(data)
        return data

    def _receive_unfinished(
        self, source: Endpoint, unfinished: int | None, limit: int, until: Deadline
    ) -> Machine[bytes | None]:
        """Receive bytes of the current frame, at most `unfinished`; None if that number is not known.

        Bytes after the end of a text, if that can be seen, are kept for later.
        """
        if unfinished is not None:
            return (yield from self._receive(source, min(unfinished, limit), until))
        data = yield from self._receive(source, limit, until)
        end = data.find(_TEXT_END) + 1 if data and source.side.framing.delimits_text else 0
        if not data or not end:
            return data
        source.early = data[end:] + source.early
        source.received -= len(data) - end
        return data[:end]


def _at_once(machines: list[Machine[None]]) -> Machine[None]:
    """Run machines at the same time; a single one is a part of this one."""
    if len(machines) == 1:
        yield from machines[0]
    elif machines:
        yield Together(tuple(machines))


def _flush(endpoint: Endpoint, until: Deadline) -> Machine[bool | None]:
    """Send the backlog. Return whether the side is connected; None if the time is over before it is sent."""
    if not endpoint.backlog:
        return True
    connected: bool | None = yield Deliver(endpoint, until)
    return connected


def _add_reply(endpoint: Endpoint) -> None:
    """Append the waiting reply, if there is one, to a side's backlog, unless the backlog ends inside a frame."""
    if endpoint.reply and not endpoint.peer.translator.inside():
        endpoint.backlog += endpoint.reply
        endpoint.reply = b""


def _without_close(step: Step) -> bytes:
    """Return a step's bytes for the other side without the Close."""
    return step.forward[: len(step.forward) - step.close_bytes]


def _drop(endpoint: Endpoint, until: Deadline) -> Machine[None]:
    """Drop what comes until the stream of a side ends, below TLS, too."""
    while (yield Take(endpoint, _LINGER_BYTES, until)):
        continue
