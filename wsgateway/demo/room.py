"""A chat room. Each text of a member goes to all members, as JSON.

    {"type": "joined", "who": "guest-3 (hixie-76)", "members": 2}      the first one for a member is its own
    {"type": "say", "who": "guest-3 (hixie-76)", "text": "hello"}
    {"type": "left", "who": "guest-3 (hixie-76)", "members": 1}
    {"type": "heartbeat", "members": 1, "time": 1700000000.0}          every few seconds, Unix time

A member sends `{"say": "text"}`, or only the text, as a client without JSON does. No member waits for a slow one, whose
connection is cut when its queue is full. So the memory of a room is bounded.
"""

import itertools
import json
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import trio

from wsgateway.demo.peer import Peer
from wsgateway.observe.log import Log
from wsgateway.wire.closecodes import TRY_AGAIN_LATER, UNSUPPORTED_DATA
from wsgateway.wire.events import Close, Fragment, Kind

MAX_MEMBERS = 100
MAX_CHARACTERS = 500
# How many messages may wait for one member: enough for a burst, and not for a page that has stopped reading.
QUEUED_MESSAGES = 16
HEARTBEAT_SECONDS = 5.0


@dataclass(eq=False, slots=True)
class _Member:
    name: str
    queue: trio.MemorySendChannel[bytes]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """cancelled when the member is cut"""


class Room:
    """The members, and the messages to them."""

    def __init__(
        self, log: Log, heartbeat_seconds: float = HEARTBEAT_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self._log = log
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._members: set[_Member] = set()
        self._numbers = itertools.count(1)
        self._floor = trio.Lock()

    async def run(self) -> None:
        """Send the heartbeat until this is cancelled."""
        while True:
            await trio.sleep(self._heartbeat_seconds)
            async with self._floor:
                await self._announce("heartbeat", members=len(self._members), time=self._clock())

    async def chat(self, peer: Peer, dialect: str) -> None:
        """Make a peer a member until it disconnects or is cut. The caller closes its connection after that.

        A peer that finds the room full, or that sends something other than text, gets a Close.
        """
        queue, waiting = trio.open_memory_channel[bytes](QUEUED_MESSAGES)
        member = _Member(f"guest-{next(self._numbers)} ({dialect})", queue)
        with queue, waiting:
            if not await self._enter(member):
                await peer.send(Close(TRY_AGAIN_LATER, f"the room is full, it holds {MAX_MEMBERS}"))
                return
            try:
                with member.scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(_deliver, waiting, peer)
                        await self._listen(peer, member)
                        nursery.cancel_scope.cancel()
            finally:
                self._members.remove(member)
        async with self._floor:
            await self._announce("left", who=member.name, members=len(self._members))

    async def _enter(self, member: _Member) -> bool:
        """Make a peer a member. Return whether there was room."""
        async with self._floor:
            if len(self._members) >= MAX_MEMBERS:
                return False
            self._members.add(member)
            await self._announce("joined", who=member.name, members=len(self._members))
        return True

    async def _listen(self, peer: Peer, member: _Member) -> None:
        async with aclosing(peer.messages()) as messages:
            async for message in messages:
                if message.kind is Kind.BINARY:
                    await peer.send(Close(UNSUPPORTED_DATA, "this is a room for text"))
                    return
                if text := said(message.data):
                    async with self._floor:
                        await self._announce("say", who=member.name, text=text)

    async def _announce(self, kind: str, **facts: str | float) -> None:
        """Send a text to all members. The caller must hold `_floor` until all members' tasks have run.

        So a burst, from one or from many, fills only the queues of members that do not read.
        """
        message = json.dumps({"type": kind, **facts}).encode()
        for member in self._members:
            try:
                member.queue.send_nowait(message)
            except trio.WouldBlock:
                if not member.scope.cancel_called:
                    self._log.warning("cut", who=member.name, why=f"{QUEUED_MESSAGES} messages wait, it does not read")
                    member.scope.cancel()
        await trio.lowlevel.checkpoint()


async def _deliver(waiting: trio.MemoryReceiveChannel[bytes], peer: Peer) -> None:
    """Send a member the texts that wait for it, all of them in one write."""
    async for message in waiting:
        gathered = [message]
        with suppress(trio.WouldBlock):
            while True:
                gathered.append(waiting.receive_nowait())
        await peer.send(*(Fragment(Kind.TEXT, each, final=True) for each in gathered))


def said(message: bytes) -> str:
    """Return the text of a message: TEXT in `{"say": TEXT}`, or all of it; cut, perhaps empty. UTF-8 only."""
    text = message.decode()
    with suppress(ValueError, RecursionError):  # not JSON, or nested too deep for the parser: then it is text
        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("say"), str):
            text = value["say"]
    return text.strip()[:MAX_CHARACTERS]
