"""The end of a session, once the relay has let go of it: both sides get their goodbye, and their connection is closed.

What each is told stands in `relay.closing`; here it is sent, and answers are awaited, for a bounded time.
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

# Where `close_seconds` is short, no wait before an upstream is told takes more than this part of it.
_PART = 4
# What ends a text where `Framing.delimits_text`.
_TEXT_END = b"\xff"


class ClosingHandshake:
    """Ends the two sides of one session."""

    def __init__(self, ended: Ended, mask_keys: Iterator[bytes], close_seconds: float) -> None:
        self._ended = ended
        self._mask_keys = mask_keys
        self._close_seconds = close_seconds
        self._told: set[Endpoint] = set()  # who has been sent a Close of ours
        self._silent: set[Endpoint] = set()  # whose frames have ended: by a Close, a fault, or the end of the stream
        self._heard = 0.0  # when something has been heard last

    async def say(self, client: Endpoint, upstream: Endpoint) -> None:
        """End both sides. Take them from the relay; the caller closes their sockets after this.

        Each of the steps (hear replies, send a Close, await its answer, a last look) may take `close_seconds`.
        """
        source, ending = self._ended.source, self._ended.ending
        for endpoint in (client, upstream):
            _add_reply(endpoint)
        if source is None:
            await self._dismiss(client, upstream)
        elif isinstance(ending, Close):
            await self._pass_answer(source)
        else:
            if source is client and not is_disconnected(ending):
                await self._pass_replies(upstream)
            await self._break_off(source)

    # -- one side has ended it ----------------------------------------------------------------------------------

    async def _pass_answer(self, source: Endpoint) -> None:
        """The source has sent a Close, and the other side hears it: pass on to the source what that still says."""
        other = source.peer
        answered = False
        # Of hixie-75 the end of the stream is the Close, without a code: we answer with the source's own.
        answers = other.side.framing.has_close
        with trio.CancelScope() as listening:
            if other.backlog:
                async with trio.open_nursery() as nursery:
                    # Some servers read on only when their own words are read.
                    nursery.start_soon(self._deliver_close, other, listening)
                    answered = await self._pass_on(other, passes_close=answers) and answers
                    nursery.cancel_scope.cancel()
            else:
                await self._deliver_close(other, listening)
                answered = await self._pass_on(other, passes_close=answers) and answers
        if not answered:
            await self._tell(source)
        await self._leave(source, other)

    async def _deliver_close(self, other: Endpoint, listening: trio.CancelScope) -> None:
        """Send what the relay has left for a side, which ends with the Close, and bound the time for the answer."""
        with trio.move_on_after(self._close_seconds):
            await _flush(other)
        if not other.backlog and self._knows_the_end(other):
            listening.deadline = trio.current_time() + self._relay_timeouts(other)
        else:
            listening.cancel()

    def _knows_the_end(self, other: Endpoint) -> bool:
        """Return whether the side can have understood that the session ends. An upstream that could not be sent the
        Close is told by the end of our stream, as its replies are worth it."""
        if other.side.framing.has_close and not other.peer.translator.inside():
            return True
        return other.side.role is Role.CLIENT and _half_close(other)

    async def _pass_replies(self, upstream: Endpoint) -> None:
        """The client has broken the rules. Pass on what the upstream replies to what the client said before that."""
        with trio.move_on_after(self._close_seconds) as listening:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._part_with, upstream, listening)
                # What is kept back is for the rest of a frame: the client gets no Close inside of one.
                await self._pass_on(upstream, passes_close=False, most_bytes=REPLIES_BYTES - MOST_READ_BYTES)
                await self._finish_frame(upstream, MOST_READ_BYTES)
                nursery.cancel_scope.cancel()

    async def _part_with(self, upstream: Endpoint, listening: trio.CancelScope) -> None:
        """Tell an upstream, whose replies are being passed on, that its client is leaving: first by a Close, and if
        that does not end its stream, by the end of ours. End `listening` if there is no way to tell it."""
        await _flush(upstream)
        await trio.sleep(min(REPLY_SECONDS, self._close_seconds / _PART))
        await self._send_close(upstream)
        if upstream in self._told or upstream.tls is not None:
            await self._silence(min(BRIEF_SECONDS, self._close_seconds / _PART))
        if not _half_close(upstream) and upstream not in self._told:
            listening.cancel()

    async def _silence(self, seconds: float) -> None:
        """Wait until nothing has been heard for so long, from now on."""
        self._heard = trio.current_time()
        while (until := self._heard + seconds) > trio.current_time():  # noqa: ASYNC110  no event tells of silence
            await trio.sleep_until(until)

    async def _break_off(self, source: Endpoint) -> None:
        """The source has broken the rules or is gone."""
        await self._tell(source, source.peer)
        await self._leave(source, source.peer)

    # -- we end it ----------------------------------------------------------------------------------------------

    async def _dismiss(self, client: Endpoint, upstream: Endpoint) -> None:
        """We stop: frames under way are finished, then both sides are told, and may answer."""
        with trio.move_on_after(self._close_seconds):
            await _at_once(self._finish_frame, client, upstream)
        await self._tell(client, upstream)
        await _at_once(self._await_answer, client, upstream)

    async def _finish_frame(self, source: Endpoint, most_bytes: int = sys.maxsize) -> None:
        """Pass on what the source still owes of the frame that is under way, and nothing behind it if that is known."""
        left = most_bytes
        while await _flush(source.peer) and left and source not in self._silent:
            owed = source.translator.unfinished()
            if owed == 0:
                break
            data = await _receive_owed(source, owed, min(MOST_READ_BYTES, left))
            left -= len(data)
            source.peer.backlog += _without_close(self._feed(source, data))

    async def _await_answer(self, endpoint: Endpoint) -> None:
        """Read until the side has answered our Close, and drop what it says before."""
        with trio.move_on_after(self._relay_timeouts(endpoint)):
            while endpoint in self._told and endpoint not in self._silent:
                self._feed(endpoint, await _receive(endpoint, MOST_READ_BYTES))
        await self._leave(endpoint)

    # -- what both have in common -------------------------------------------------------------------------------

    async def _pass_on(self, source: Endpoint, *, passes_close: bool = True, most_bytes: int = sys.maxsize) -> bool:
        """Pass on what a side still says, until its stream ends, the other side is gone, or it was so many bytes.

        Return whether it has ended with a Close.
        """
        left, ending = most_bytes, None
        while await _flush(source.peer) and left and ending is None:
            data = await _receive(source, min(MOST_READ_BYTES, left))
            left -= len(data)
            self._heard = trio.current_time()
            step = self._feed(source, data)
            source.peer.backlog += step.forward if passes_close else _without_close(step)
            ending = step.ending
        return isinstance(ending, Close)

    def _feed(self, source: Endpoint, data: bytes) -> Step:
        """Translate what a side has said; no data is the end of its stream. Nothing may be fed after an ending."""
        step = source.translator.feed(data) if data else source.translator.finish()
        if step.ending is not None:
            self._silent.add(source)
        return step

    async def _tell(self, *endpoints: Endpoint) -> None:
        """Send each side what is left, and our Close if it gets one and its last frame is whole."""
        told = [endpoint for endpoint in endpoints if endpoint.backlog or self._close_for(endpoint) is not None]
        if told:
            with trio.move_on_after(self._close_seconds):
                await _at_once(self._send_close, *told)

    def _close_for(self, endpoint: Endpoint) -> Close | None:
        if endpoint in self._told:
            return None
        return closing(self._ended.ending, endpoint is self._ended.source, endpoint.side)

    async def _send_close(self, endpoint: Endpoint) -> None:
        close = self._close_for(endpoint)
        await _flush(endpoint)
        _add_reply(endpoint)
        if close is not None and not endpoint.peer.translator.inside():
            frame = endpoint.side.encoder(self._mask_keys).send(close)
            if frame:
                self._told.add(endpoint)
            endpoint.backlog += frame
        await _flush(endpoint)

    async def _leave(self, *endpoints: Endpoint) -> None:
        """Say that nothing more will come, and read what still comes until the other end closes too: to close over
        unread bytes would take back what was sent last."""
        with trio.move_on_after(self._close_seconds):
            await _at_once(_linger, *endpoints)

    def _relay_timeouts(self, endpoint: Endpoint) -> float:
        return self._close_seconds if endpoint.side.framing.answers_close else min(self._close_seconds, BRIEF_SECONDS)


async def _at_once(step: Callable[[Endpoint], Awaitable[None]], *endpoints: Endpoint) -> None:
    """Takes a step with all of them at the same time. The last needs no task of its own, which costs more than most
    steps do."""
    *others, last = endpoints
    if not others:
        await step(last)
        return
    async with trio.open_nursery() as nursery:
        for each in others:
            nursery.start_soon(step, each)
        await step(last)


async def _receive(endpoint: Endpoint, limit: int) -> bytes:
    """The next bytes from a side; none if its stream has ended, in whatever way."""
    if endpoint.early:  # the relay ended before it came to them
        await trio.lowlevel.checkpoint()
        data, endpoint.early = endpoint.early[:limit], endpoint.early[limit:]
    else:
        try:
            data = await Channel(endpoint.sock).receive(limit)
        except OSError:
            return b""
    endpoint.received += len(data)
    return data


async def _receive_owed(source: Endpoint, owed: int | None, limit: int) -> bytes:
    """Receive bytes of the frame that is under way, at most as many as are owed. None: nobody knows how many that is.

    What is then behind the end of a text, where that can be told from the bytes, is left for later.
    """
    if owed is not None:
        return await _receive(source, min(owed, limit))
    data = await _receive(source, limit)
    end = data.find(_TEXT_END) + 1 if source.side.framing.delimits_text else 0
    if not end:
        return data
    source.early = data[end:] + source.early
    source.received -= len(data) - end
    return data[:end]


async def _flush(endpoint: Endpoint) -> bool:
    """Send the backlog. Return whether the side is there: if it is gone it has no backlog any more.

    If this is cancelled the rest of the backlog is still there.
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
    """Put the reply of ours that waits for a side, if there is one, behind its backlog, unless that ends in a frame."""
    if endpoint.reply and not endpoint.peer.translator.inside():
        endpoint.backlog += endpoint.reply
        endpoint.reply = b""


def _without_close(step: Step) -> bytes:
    """What a step has for the other side, but the Close."""
    return step.forward[: len(step.forward) - step.close_bytes]


def _half_close(endpoint: Endpoint) -> bool:
    """End our stream to a side that goes on talking. Return whether that could be done.

    Not over TLS: servers of TLS 1.2 must drop what they have to say when they see its end (RFC 5246, 7.2.1), and
    OpenSSL takes what they say all the same for a fault.
    """
    if endpoint.tls is not None:
        return False
    with suppress(OSError):  # it is gone, as the next read tells
        Channel(endpoint.sock).end()
    return True


async def _linger(endpoint: Endpoint) -> None:
    await Channel(endpoint.sock).linger()
