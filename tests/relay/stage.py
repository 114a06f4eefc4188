"""A running engine with sessions, and peers that send too much or read too little."""

import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import outcome
import pytest
import trio

from tests.dialects.feeding import frame
from tests.dialects.vectors import MASK_KEY
from tests.peers import Peer
from tests.relay.awaited import relay
from wsgateway.relay.engine import Ended, Endpoint, Engine

from .sessions import PATIENCE_SECONDS, Session, session, settled

KIB, MIB = 1024, 1024 * 1024
# The most bytes that one read of 64 KiB may become: `00 80 ff` of hixie is a masked frame of 9 bytes with U+FFFD.
MOST_BACKLOG = 256 * KIB

MASKED_HELLO = bytes.fromhex("81 85 37fa213d 7f9f4d5158")
HELLO = b"\x81\x05Hello"
both_sides = pytest.mark.parametrize("side", ["client", "upstream"])


@dataclass
class Relay:
    """A relay that runs in a task of its own, and its result."""

    session: Session
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _over: trio.Event = field(default_factory=trio.Event)
    _result: outcome.Outcome[Ended] | None = None

    async def run(self, engine: Engine) -> None:
        with self.scope:
            try:
                self._result = outcome.Value(await relay(engine, self.session.client, self.session.upstream))
            except RuntimeError as bug:
                self._result = outcome.Error(bug)
        self._over.set()

    async def ended(self) -> Ended:
        """Wait for its end; raise its error."""
        await self._over.wait()
        assert self._result is not None
        return self._result.unwrap()

    @property
    def over(self) -> bool:
        return self._over.is_set()


class Stage:
    """A running engine, and sessions that are closed at the end."""

    def __init__(self, nursery: trio.Nursery, sessions: ExitStack) -> None:
        self.nursery = nursery
        self.engine = Engine(repeat(MASK_KEY))
        self._sessions = sessions
        nursery.start_soon(self.engine.run)

    def session(self, client: str = "rfc6455", upstream: str = "rfc6455", **options: Any) -> Session:
        return self._sessions.enter_context(session(client, upstream, **options))

    def relay(self, session: Session) -> Relay:
        relay = Relay(session)
        self.nursery.start_soon(relay.run, self.engine)
        return relay

    async def stall(self, peer: Peer, message: bytes) -> int:
        """Let a peer send the same 64 times, or until no more is taken. Return how many bytes were taken."""
        taken = 0

        async def say() -> None:
            nonlocal taken
            for _ in range(64):
                view = memoryview(message)
                while view:
                    count = await peer.stream.socket.send(view)
                    taken += count
                    view = view[count:]

        async with trio.open_nursery() as saying:
            saying.start_soon(say)
            await settled()
            saying.cancel_scope.cancel()
        return taken


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run a stage for one test, with a time limit."""
    with ExitStack() as sessions, trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            yield Stage(nursery, sessions)
            nursery.cancel_scope.cancel()


def chosen(session: Session, side: str) -> tuple[Endpoint, Peer, Peer]:
    """Return a side of a session, its peer, and the peer of the other side."""
    if side == "client":
        return session.client, session.at_client, session.at_upstream
    return session.upstream, session.at_upstream, session.at_client


def say_at_once(peer: Peer, data: bytes) -> None:
    """Send without letting the relay run."""
    assert os.write(peer.stream.socket.fileno(), data) == len(data)


def clog(sock: socket.socket) -> None:
    """Fill the buffers towards the other end of a Unix socket with NULs. Those of TCP may take more a moment later."""
    try:
        while True:
            sock.send(bytes(64))
    except BlockingIOError:
        return


async def unclog(peer: Peer, count: int) -> bytes:
    """Read the NULs of `clog`, and so many bytes after them."""
    data = b""
    while len(data) < count:
        data = (data + await peer.once()).lstrip(b"\0")
    return data


def masked_zeros(size: int) -> bytes:
    """Return a frame of so many zeros from a client: masked, they are the key."""
    plain = frame(0x82, bytes(size))
    head = plain[: len(plain) - size]
    return head[:1] + bytes([head[1] | 0x80]) + head[2:] + MASK_KEY + (MASK_KEY * (size // 4 + 1))[:size]


def assorted(seed: int, total: int) -> list[bytes]:
    """Return texts of all sizes: some are sent at once, and some at the end of a turn."""
    chance = random.Random(seed)
    texts: list[bytes] = []
    while sum(map(len, texts)) < total:
        size = chance.choice([0, 5, 125, 126, 4000, 4090, 4091, 4092, 4096, 5000, 65535, 65536, 200 * KIB])
        texts.append(chance.choice([b"a", b"b", b"c", b"d"]) * size)
    return texts


@dataclass
class Flood:
    """Send more than the other side takes, and count the bytes."""

    sent: int = 0

    async def run(self, peer: Peer, messages: list[bytes]) -> None:
        for message in messages:
            await peer.send(message)
            self.sent += len(message)
