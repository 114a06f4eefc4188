"""What has ended is freed at once: it leaves nothing that only a garbage collection would find."""

import gc
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.openings import OPENINGS, Session, opened
from tests.support import Running, Upstream, configuration, serving

BRIEF = "close: 100ms"
_RESET = struct.pack("ii", 1, 0)


async def client_hangs_up(session: Session) -> None:
    await session.client.close()
    await session.behind.rest()
    await session.behind.close()


async def client_resets(session: Session) -> None:
    session.client.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    await session.client.close()
    await session.behind.rest()
    await session.behind.close()


async def upstream_hangs_up(session: Session) -> None:
    await session.behind.close()
    await session.client.rest()
    await session.client.close()


async def upstream_breaks_the_rules(session: Session) -> None:
    await session.behind.send(b"\x83\x00")  # RFC 6455, 5.2: the opcode 3 is reserved
    await session.behind.close()
    await session.client.rest()
    await session.client.close()


ENDS = (client_hangs_up, client_resets, upstream_hangs_up, upstream_breaks_the_rules)


@contextmanager
def kept_garbage() -> Iterator[Counter[str]]:
    """Yield what only a garbage collection would free after the block: how many objects of each of our classes."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("wsgateway."))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("end", ENDS)
async def test_a_session_that_has_ended_is_freed_at_once(end: Callable[[Session], Awaitable[None]]) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts=BRIEF) as gateway:
        with kept_garbage() as found:
            for opening in OPENINGS:
                await end(await opened(upstream, gateway, opening))
            await gateway.lines.enough("session", len(OPENINGS))
        assert found == {}


async def test_a_configuration_that_is_replaced_is_freed_at_once() -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts=BRIEF) as gateway:
        with kept_garbage() as found:
            for number in range(3):
                await replaced(upstream, gateway, number)
        assert found == {}


async def replaced(upstream: Upstream, gateway: Running, number: int) -> None:
    """End a session of one configuration under the next."""
    session = await opened(upstream, gateway, OPENINGS[0])
    gateway.reload(configuration(upstream.port, timeouts=BRIEF).replace("name: all", f"name: all-{number}"))
    await client_hangs_up(session)
    await gateway.lines.enough("session", number + 1)
