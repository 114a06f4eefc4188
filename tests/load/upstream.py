"""The upstream behind a gateway under load: it agrees with all who come, and says Hello to whatever they say."""

import trio

from tests.heads import switching
from tests.peers import Peer
from tests.support import Upstream

HELLO = b"\x81\x05Hello"


async def answer_all(upstream: Upstream) -> None:
    """Serve until it is cancelled."""
    async with trio.open_nursery() as nursery:
        while True:
            nursery.start_soon(_answer, await upstream.accept())


async def _answer(behind: Peer) -> None:
    try:
        await behind.send(switching(await behind.head()))
        while await behind.once():
            await behind.send(HELLO)
        await behind.close()
    except (AssertionError, trio.BrokenResourceError):  # it has gone: who counts is the client
        return
