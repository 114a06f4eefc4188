"""The closing handshake of a session, after the relay has ended: both sides get a Close, and their connections close.

The rules, which Close each side gets, are in `relay.closing`. Here the frames are sent, and answers are awaited, for a
bounded time.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import trio

from wsgateway.dialects.base import Step
from wsgateway.net.channel import Channel
from wsgateway.relay.closing import BRIEF_SECONDS, REPLIES_BYTES, REPLY_SECONDS, closing, is_disconnected
from wsgateway.relay.endpoint import MOST_READ_BYTES, Ended, Endpoint
from wsgateway.wire.events import Close, Role

# If `close_seconds` is short, no wait before an upstream is sent its Close takes more than this part of it.
_PART = 4
# The end of a text where `Framing.delimits_text`.
_TEXT_END = b"\xff"


class ClosingHandshake:
    """The closing handshake with both sides of one session."""

    def __init__(self, ended: Ended, mask_keys: Iterator[bytes], close_seconds: float) -> None:
        self._ended = ended
        self._mask_keys = mask_keys
        self._close_seconds = close_seconds
        self._sent_close: set[Endpoint] = set()  # the sides that have been sent a Close, ours or the other side's
        self._silent: set[Endpoint] = set()  # the sides whose frames have ended: by Close, fault or end of stream
        self._heard = 0.0  # the time of the last received bytes

    async def run(self, client: Endpoint, upstream: Endpoint) -> None:
        """Close both sides. Take them from the relay; the caller closes their sockets after this.

        Each step (pass replies on, send a Close, await its answer, linger) may take `close_seconds`.
        """
        source, ending = self._ended.source, self._ended.ending
        for endpoint in (client, upstream):
            _add_reply(endpoint)
        if source is None:
            await self._close_both(client, upstream)
        elif isinstance(ending, Close):
            await self._pass_answer(source)
        else:
            if source is client and not is_disconnected(ending):
                await self._pass_replies(upstream)
            await self._break_off(source)

    # -- one side has ended it ----------------------------------------------------------------------------------

    async def _pass_answer(self, source: Endpoint) -> None:
        """Send the source's Close to the other side, and pass on to the source what that still sends."""
        other = source.peer
        # In hixie-75 the end of the stream is the Close, without a code: we answer with the source's own code.
        answers = other.side.framing.has_close
        with trio.CancelScope() as listening:
            if other.backlog:
                async with trio.open_nursery() as nursery:
                    # Some servers read on only when their own bytes are read.
                    nursery.start_soon(self._deliver_close, other, listening)
                    await self._pass_on(other, passes_close=answers)
                    nursery.cancel_scope.cancel()
            else:
                await self._deliver_close(other, listening)
                await self._pass_on(other, passes_close=answers)
        await self._send_closes(source)
        await self._linger(source, other)

    async def _deliver_close(self, other: Endpoint, listening: trio.CancelScope) -> None:
        """Send the backlog of the relay to a side; it ends with the Close. Limit the time for the answer."""
        with trio.move_on_after(self._close_seconds):
            await _flush(other)
        if not other.backlog and self._knows_the_end(other):
            listening.deadline = trio.current_time() + self._answer_seconds(other)
        else:
            listening.cancel()

    def _knows_the_end(self, other: Endpoint) -> bool:
        """Return whether the side can know that the session ends.

        An upstream that could not be sent the Close gets the end of our stream instead, so that its replies can come.
        """
        if other.side.framing.has_close and not other.peer.translator.inside():
            return True
        return other.side.role is Role.CLIENT and _half_close(other)

    async def _pass_replies(self, upstream: Endpoint) -> None:
        """Pass on the upstream's replies to what the client sent before it broke the rules."""
        with trio.move_on_after(self._close_seconds) as listening:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_upstream, upstream, listening)
                # Some bytes are reserved for the rest of a frame, because the client gets no Close inside a frame.
                await self._pass_on(upstream, passes_close=False, most_bytes=REPLIES_BYTES - MOST_READ_BYTES)
                await self._finish_frame(upstream, MOST_READ_BYTES)
                nursery.cancel_scope.cancel()

    async def _close_upstream(self, upstream: Endpoint, listening: trio.CancelScope) -> None:
        """Send a Close to an upstream whose replies are being passed on, because its client goes away.

        If that does not end its stream, end ours. End `listening` if neither is possible.
        """
        await _flush(upstream)
        await trio.sleep(min(REPLY_SECONDS, self._close_seconds / _PART))
        await self._send_close(upstream)
        if upstream in self._sent_close or upstream.tls is not None:
            await self._silence(min(BRIEF_SECONDS, self._close_seconds / _PART))
        if not _half_close(upstream) and upstream not in self._sent_close:
            listening.cancel()

    async def _silence(self, seconds: float) -> None:
        """Wait until nothing has been received for so long, from now on."""
        self._heard = trio.current_time()
        while (until := self._heard + seconds) > trio.current_time():  # noqa: ASYNC110  no event tells of silence
            await trio.sleep_until(until)

    async def _break_off(self, source: Endpoint) -> None:
        """Close both sides after the source has broken the rules or disconnected."""
        await self._send_closes(source, source.peer)
        await self._linger(source, source.peer)

    # -- the gateway ends it ------------------------------------------------------------------------------------

    async def _close_both(self, client: Endpoint, upstream: Endpoint) -> None:
        """Finish frames that are being sent, then send both sides a Close, and await their answers."""
        with trio.move_on_after(self._close_seconds):
            await _at_once(self._finish_frame, client, upstream)
        await self._send_closes(client, upstream)
        await _at_once(self._await_answer, client, upstream)

    async def _finish_frame(self, source: Endpoint, most_bytes: int = sys.maxsize) -> None:
        """Pass on the rest of the source's current frame, and nothing after it if the frame's end is known."""
        budget = most_bytes
        while await _flush(source.peer) and budget and source not in self._silent:
            unfinished = source.translator.unfinished()
            if unfinished == 0:
                break
            data = await _receive_unfinished(source, unfinished, min(MOST_READ_BYTES, budget))
            budget -= len(data)
            source.peer.backlog += _without_close(self._feed(source, data))

    async def _await_answer(self, endpoint: Endpoint) -> None:
        """Read until the side has answered our Close, and drop what it sends before that."""
        with trio.move_on_after(self._answer_seconds(endpoint)):
            while endpoint in self._sent_close and endpoint not in self._silent:
                self._feed(endpoint, await _receive(endpoint, MOST_READ_BYTES))
        await self._linger(endpoint)

    # -- used by both -------------------------------------------------------------------------------------------

    async def _pass_on(self, source: Endpoint, *, passes_close: bool = True, most_bytes: int = sys.maxsize) -> None:
        """Pass on what a side sends, until its stream ends, the other side is gone, or `most_bytes` have come."""
        budget, ending = most_bytes, None
        while await _flush(source.peer) and budget and ending is None:
            data = await _receive(source, min(MOST_READ_BYTES, budget))
            budget -= len(data)
            self._heard = trio.current_time()
            step = self._feed(source, data)
            source.peer.backlog += step.forward if passes_close else _without_close(step)
            ending = step.ending
            if passes_close and isinstance(ending, Close):
                self._sent_close.add(source.peer)  # now: this may be cancelled before all of it is sent

    def _feed(self, source: Endpoint, data: bytes) -> Step:
        """Translate bytes of a side; no bytes are the end of its stream. Feed nothing after an ending."""
        step = source.translator.feed(data) if data else source.translator.finish()
        if step.ending is not None:
            self._silent.add(source)
        return step

    async def _send_closes(self, *endpoints: Endpoint) -> None:
        """Send each side its backlog, and our Close if it gets one and its last frame is complete."""
        receivers = [endpoint for endpoint in endpoints if endpoint.backlog or self._close_for(endpoint) is not None]
        if receivers:
            with trio.move_on_after(self._close_seconds):
                await _at_once(self._send_close, *receivers)

    def _close_for(self, endpoint: Endpoint) -> Close | None:
        if endpoint in self._sent_close:
            return None
        return closing(self._ended.ending, endpoint is self._ended.source, endpoint.side)

    async def _send_close(self, endpoint: Endpoint) -> None:
        close = self._close_for(endpoint)
        await _flush(endpoint)
        _add_reply(endpoint)
        if close is not None and not endpoint.peer.translator.inside():
            frame = endpoint.side.encoder(self._mask_keys).send(close)
            if frame:
                self._sent_close.add(endpoint)
            endpoint.backlog += frame
        await _flush(endpoint)

    async def _linger(self, *endpoints: Endpoint) -> None:
        """End our streams, and read until the other ends close, too.

        Closing with unread bytes would send a reset, and a side could lose the last bytes.
        """
        with trio.move_on_after(self._close_seconds):
            await _at_once(_linger, *endpoints)

    def _answer_seconds(self, endpoint: Endpoint) -> float:
        return self._close_seconds if endpoint.side.framing.answers_close else min(self._close_seconds, BRIEF_SECONDS)


async def _at_once(step: Callable[[Endpoint], Awaitable[None]], *endpoints: Endpoint) -> None:
    """Take a step with all sides at the same time.

    The last one runs in this task, because another task costs more than most steps.
    """
    *others, last = endpoints
    if not others:
        await step(last)
        return
    async with trio.open_nursery() as nursery:
        for each in others:
            nursery.start_soon(step, each)
        await step(last)


async def _receive(endpoint: Endpoint, limit: int) -> bytes:
    """Return the next bytes from a side; none if its stream has ended in any way."""
    if endpoint.early:  # bytes that the relay did not process
        await trio.lowlevel.checkpoint()
        data, endpoint.early = endpoint.early[:limit], endpoint.early[limit:]
    else:
        try:
            data = await Channel(endpoint.sock).receive(limit)
        except OSError:
            return b""
    endpoint.received += len(data)
    return data


async def _receive_unfinished(source: Endpoint, unfinished: int | None, limit: int) -> bytes:
    """Receive bytes of the current frame, at most `unfinished`; None if that number is not known.

    Bytes after the end of a text, if that can be seen, are kept for later.
    """
    if unfinished is not None:
        return await _receive(source, min(unfinished, limit))
    data = await _receive(source, limit)
    end = data.find(_TEXT_END) + 1 if source.side.framing.delimits_text else 0
    if not end:
        return data
    source.early = data[end:] + source.early
    source.received -= len(data) - end
    return data[:end]


async def _flush(endpoint: Endpoint) -> bool:
    """Send the backlog. Return whether the side is connected; the backlog of a disconnected side is dropped.

    If this is cancelled, the rest of the backlog is kept.
    """
    channel = Channel(endpoint.sock)
    while endpoint.backlog:
        await trio.lowlevel.checkpoint()
        try:
            sent = await channel.send_some(endpoint.backlog)
        except OSError:
            endpoint.backlog = b""
            return False
        endpoint.backlog = endpoint.backlog[sent:]
    return True


def _add_reply(endpoint: Endpoint) -> None:
    """Append the waiting reply, if there is one, to a side's backlog, unless the backlog ends inside a frame."""
    if endpoint.reply and not endpoint.peer.translator.inside():
        endpoint.backlog += endpoint.reply
        endpoint.reply = b""


def _without_close(step: Step) -> bytes:
    """Return a step's bytes for the other side without the Close."""
    return step.forward[: len(step.forward) - step.close_bytes]


def _half_close(endpoint: Endpoint) -> bool:
    """End our stream to a side that may go on sending. Return whether that was possible.

    It is not possible over TLS: servers of TLS 1.2 must discard their data when they see its end (RFC 5246, 7.2.1), and
    OpenSSL treats data that they send nevertheless as a fault.
    """
    if endpoint.tls is not None:
        return False
    with suppress(OSError):  # it is disconnected, which the next read reports
        Channel(endpoint.sock).end()
    return True


async def _linger(endpoint: Endpoint) -> None:
    await Channel(endpoint.sock).linger()
