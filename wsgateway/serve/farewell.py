"""The end of a session, once the relay has let go of it: both sides get their goodbye, and their connection is closed.

What each is told stands in `relay.closing`; here it is sent, and answers are awaited, for a bounded time.
"""

from collections.abc import Awaitable, Callable, Iterator

import trio

from wsgateway.net.channel import Channel
from wsgateway.relay.closing import BRIEF_SECONDS, farewell
from wsgateway.relay.endpoint import READ_BYTES, Ended, Endpoint
from wsgateway.wire.events import Close


class Farewell:
    """Ends the two sides of one session."""

    def __init__(self, ended: Ended, mask_keys: Iterator[bytes], close_seconds: float) -> None:
        self._ended = ended
        self._mask_keys = mask_keys
        self._close_seconds = close_seconds

    async def say(self, client: Endpoint, upstream: Endpoint) -> None:
        """Takes the two sides of the relay; the caller closes their sockets after this. Each of the steps (a goodbye,
        an answer, a last look) may take `close_seconds`."""
        source = self._ended.source
        if source is None:
            await self._dismiss(client, upstream)
        elif isinstance(self._ended.ending, Close):
            await self._pass_answer(source)
        else:
            await self._break_off(source)

    async def _pass_answer(self, source: Endpoint) -> None:
        """The source said goodbye, and the other side has heard it: what it still says goes to the source."""
        other = source.peer
        answered = False
        with trio.move_on_after(self._close_seconds):
            await _flush(other)
        if other.side.framing.has_close and not other.backlog and not source.translator.inside():
            with trio.move_on_after(self._patience(other)):
                answered = await self._pump(other, source)
        if not answered:
            await self._tell(source)
        await self._leave(source, other)

    async def _break_off(self, source: Endpoint) -> None:
        """The source broke the rules or is gone."""
        await self._tell(source, source.peer)
        await self._leave(source, source.peer)

    async def _dismiss(self, client: Endpoint, upstream: Endpoint) -> None:
        """We stop: frames under way are finished, then both sides are told, and may answer."""
        with trio.move_on_after(self._close_seconds):
            await _at_once(self._finish_frame, client, upstream)
        await self._tell(client, upstream)
        await _at_once(self._await_answer, client, upstream)

    async def _pump(self, source: Endpoint, target: Endpoint) -> bool:
        """Passes on what the source still says. Whether it ended with a Close."""
        while True:
            data = await _receive(source, READ_BYTES)
            step = source.translator.feed(data) if data else source.translator.finish()
            target.backlog += step.forward
            await _flush(target)
            if step.ending is not None:
                return isinstance(step.ending, Close)

    async def _finish_frame(self, source: Endpoint) -> None:
        """Passes on what the other side lacks of a frame."""
        await _flush(source.peer)
        while missing := source.translator.unfinished():
            data = await _receive(source, min(missing, READ_BYTES))
            if not data:
                return
            source.peer.backlog += source.translator.feed(data).forward
            await _flush(source.peer)

    async def _await_answer(self, endpoint: Endpoint) -> None:
        """Reads until the side has answered our Close, and drops what it says before."""
        with trio.move_on_after(self._patience(endpoint)):
            ending = None
            while endpoint.side.framing.has_close and ending is None:
                data = await _receive(endpoint, READ_BYTES)
                ending = (endpoint.translator.feed(data) if data else endpoint.translator.finish()).ending
        await self._leave(endpoint)

    async def _tell(self, *endpoints: Endpoint) -> None:
        """Sends each side what is left, and our Close if it gets one and its last frame is whole."""
        told = [endpoint for endpoint in endpoints if endpoint.backlog or self._close_for(endpoint) is not None]
        if told:
            with trio.move_on_after(self._close_seconds):
                await _at_once(self._send_close, *told)

    def _close_for(self, endpoint: Endpoint) -> Close | None:
        return farewell(self._ended.ending, endpoint is self._ended.source, endpoint.side)

    async def _send_close(self, endpoint: Endpoint) -> None:
        close = self._close_for(endpoint)
        await _flush(endpoint)
        if close is not None and not endpoint.peer.translator.inside():
            endpoint.backlog = endpoint.side.encoder(self._mask_keys).send(close)
            await _flush(endpoint)

    async def _leave(self, *endpoints: Endpoint) -> None:
        """Says that nothing more will come, and reads what still comes until the other end closes too: to close over
        unread bytes would take back what was sent last."""
        with trio.move_on_after(self._close_seconds):
            await _at_once(_linger, *endpoints)

    def _patience(self, endpoint: Endpoint) -> float:
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
        data, endpoint.early = endpoint.early[:limit], endpoint.early[limit:]
    else:
        try:
            data = await Channel(endpoint.sock).receive(limit)
        except OSError:
            return b""
    endpoint.received += len(data)
    return data


async def _flush(endpoint: Endpoint) -> None:
    """Sends the backlog. If the side is gone there is none; if this is cancelled the rest of it is still there."""
    channel = Channel(endpoint.sock)
    while endpoint.backlog:
        await trio.lowlevel.checkpoint()
        try:
            sent = await channel.send_some(endpoint.backlog)
        except OSError:
            endpoint.backlog = b""
        else:
            endpoint.backlog = endpoint.backlog[sent:]


async def _linger(endpoint: Endpoint) -> None:
    await Channel(endpoint.sock).linger()
