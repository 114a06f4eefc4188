"""The end of a session between two raw peers, on a clock that jumps.

The sockets are real and the clock is not: it jumps when every task waits. Over a socket pair all that was sent can be
read at once, so a task that waits then waits for time alone, and its time is exact.

Frames with a mask have the key of RFC 6455, 5.7: 37 FA 21 3D.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from itertools import repeat
from typing import Any

import trio

from tests.dialects.vectors import MASK_KEY
from tests.peers import Peer
from tests.relay.awaited import relay
from tests.relay.sessions import PATIENCE_SECONDS, Session, session, settled
from wsgateway.errors import Reason
from wsgateway.net.alarms import Alarms
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.engine import Ended, Engine
from wsgateway.serve.closing import ClosingHandshake
from wsgateway.serve.closing_driver import ClosingDriver

CLOSE_SECONDS = 5.0
# The time for an answer in a dialect whose clients may not know the closing frame.
BRIEF_SECONDS = 0.5
# The steps of a closing handshake, each of which may take that time: finish a frame, send, await the answer, close.
CLOSE_STEPS = 4
# More than all of them together.
LONG_SECONDS = 100.0

HELLO, MASKED_HELLO, HIXIE_HELLO = b"\x81\x05Hello", bytes.fromhex("81 85 37fa213d 7f9f4d5158"), b"\x00Hello\xff"
CLOSE_1000, MASKED_CLOSE_1000 = bytes.fromhex("88 02 03e8"), bytes.fromhex("88 82 37fa213d 3412")
CLOSE_1001, MASKED_CLOSE_1001 = bytes.fromhex("88 02 03e9"), bytes.fromhex("88 82 37fa213d 3413")
EMPTY_CLOSE, MASKED_EMPTY_CLOSE = b"\x88\x00", bytes.fromhex("88 80 37fa213d")
CLOSE_1012, MASKED_CLOSE_1012 = bytes.fromhex("88 02 03f4"), bytes.fromhex("88 82 37fa213d 340e")
CLOSE_1014 = bytes.fromhex("88 02 03f6")


class Parting:
    """A session that is relayed, and then closed as `serve.session` closes it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.client, self.upstream = session.at_client, session.at_upstream
        self.engine = Engine(repeat(MASK_KEY))
        self.alarms = Alarms()
        self.relay_ended = trio.Event()
        self.seconds: float | None = None
        """how long the closing handshake took, once it is over"""
        self._over = trio.Event()

    async def run(self) -> None:
        ended: Ended = await relay(self.engine, self.session.client, self.session.upstream)
        self.relay_ended.set()
        begun = trio.current_time()
        await self.close(ended, CLOSE_SECONDS)
        self.seconds = trio.current_time() - begun
        self.session.client.sock.close()
        self.session.upstream.sock.close()
        self._over.set()

    async def close(self, ended: Ended, seconds: float) -> None:
        """Make the closing handshake, whose steps may take so long, and wait for its end."""
        over = trio.Event()
        bugs: list[Exception | None] = []

        def finished(bug: Exception | None) -> None:
            bugs.append(bug)
            over.set()

        closing_handshake = ClosingHandshake(ended, repeat(MASK_KEY), seconds, trio.current_time)
        machine = closing_handshake.run(self.session.client, self.session.upstream)
        ClosingDriver(self.engine.watches, self.alarms, machine, finished).begin()
        await over.wait()
        assert bugs == [None]

    def dismiss(self) -> None:
        """End it as a drain does."""
        self.engine.close(self.session.client, ServerClose(Reason.GATEWAY_STOPPING, "stopped", 1012))

    async def over(self) -> float:
        """Wait for the end of the closing handshake; return how long it took."""
        await self._over.wait()
        assert self.seconds is not None
        return self.seconds

    async def both_close(self) -> float:
        """Let both peers close, as they do after the end of the stream; return how long the closing handshake took."""
        await self.client.close()
        await self.upstream.close()
        return await self.over()


def clog(end: Parting, peer: Peer) -> None:
    """Fill the kernel's buffers towards a peer, with bytes that begin no frame here."""
    endpoint = end.session.client if peer is end.client else end.session.upstream
    try:
        while True:
            endpoint.sock.send(b"\xfe" * 64)
    except BlockingIOError:
        return


async def rest_behind_it(peer: Peer) -> bytes:
    return (await peer.rest()).lstrip(b"\xfe")


@asynccontextmanager
async def parting(client: str = "rfc6455", upstream: str = "rfc6455", **options: Any) -> AsyncIterator[Parting]:
    """Run a session between a client and an upstream of these dialects."""
    with ExitStack() as stack, trio.fail_after(PATIENCE_SECONDS + LONG_SECONDS):
        made = Parting(stack.enter_context(session(client, upstream, **options)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.engine.run)
            nursery.start_soon(made.alarms.run)
            nursery.start_soon(made.run)
            await settled()
            yield made
            nursery.cancel_scope.cancel()
