"""What the clients of the machine say of their sessions, held against a gateway without systemd."""

from collections.abc import Callable, Iterator

import pytest
import trio

from tests.support import PATIENCE_SECONDS, Running, serving

from .scenes import GOODBYES
from .sessions import SPOKEN, Echo, Session, opened


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo


async def in_threads(*calls: Callable[[], object]) -> list[object]:
    """Return what the functions return, in their order."""
    found: dict[int, object] = {}

    async def call(at: int) -> None:
        found[at] = await trio.to_thread.run_sync(calls[at])

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            for at in range(len(calls)):
                nursery.start_soon(call, at)
    return [found[at] for at in range(len(calls))]


async def sessions(gateway: Running) -> list[Session]:
    def open_all() -> list[Session]:
        return [opened(dialect, gateway.port) for dialect in SPOKEN]

    with trio.fail_after(PATIENCE_SECONDS):
        return await trio.to_thread.run_sync(open_all)


async def test_sessions_work_and_end_with_the_goodbye_of_their_dialect(echo: Echo) -> None:
    async with serving(echo.port) as gateway:
        clients = await sessions(gateway)
        assert [client.end(0) for client in clients] == ["lives"] * len(SPOKEN)
        assert await in_threads(*(client.works for client in clients)) == [True] * len(SPOKEN)
        gateway.service.drain()
        ends = await in_threads(*(client.end for client in clients))
        assert dict(zip(SPOKEN, ends, strict=True)) == GOODBYES
        await in_threads(*(client.close for client in clients))


async def test_sessions_that_are_cut_say_so(echo: Echo) -> None:
    async with serving(echo.port) as gateway:
        clients = await sessions(gateway)
        gateway.nursery.cancel_scope.cancel()
    assert await in_threads(*(client.end for client in clients)) == ["cut"] * len(SPOKEN)
    assert await in_threads(*(client.works for client in clients)) == [False] * len(SPOKEN)
    await in_threads(*(client.close for client in clients))


async def test_who_is_not_served_is_told_in_one_way(echo: Echo) -> None:
    async with serving(echo.port, path="/only") as gateway:
        with pytest.raises(ConnectionError, match="answered 404"):
            await trio.to_thread.run_sync(opened, "rfc6455", gateway.port)
