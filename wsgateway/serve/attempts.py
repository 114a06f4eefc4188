"""The way to a server that serves: one target after the other is tried, as long as the client knows nothing of it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import trio

from wsgateway.errors import UpstreamError, WsgatewayError
from wsgateway.net.channel import Channel
from wsgateway.serve.counts import Cleanup
from wsgateway.serve.prologue import ClientLeftError
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search

T = TypeVar("T")


async def served(
    search: Search,
    client: Channel,
    attempt: Callable[[Lease, Cleanup], Awaitable[T]],
    facts: dict[str, str],
    cleanup: Cleanup,
) -> T:
    """What an attempt returns: the first that does not raise UpstreamError, or the last that may be made. Behind one
    that was silent comes no other: it has had all the time that there was.

    An attempt leaves in its list what is to be done at the end; of one that fails that is done at once, of the other it
    goes to `cleanup`. The log's `facts` get the target, and what failed before it.
    """
    while True:
        lease = search.take() or await _room(search, client)
        with Cleanup([lease.release]) as mine:
            try:
                result = await attempt(lease, mine)
            except UpstreamError as error:
                search.failed(lease, error)
                if error.failure == "silent" or not (search.left and search.remaining):
                    raise
                facts["failed"] = ", ".join(search.failures)
                continue
            finally:  # the lease may have moved meanwhile
                facts.pop("address", None)
                facts.update(lease.place.facts)
            cleanup += mine
            mine.clear()
        return result


async def _room(search: Search, client: Channel) -> Lease:
    """Waits for the next place. A client that leaves meanwhile loses its turn: ClientLeftError."""
    lease: Lease | None = None
    fault: WsgatewayError | None = None

    async def leave() -> None:
        with suppress(OSError):  # without a descriptor to see it leave, it is served as if it stayed
            await client.left()
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave)
            try:
                lease = await search.wait()
            except WsgatewayError as error:
                fault = error
            nursery.cancel_scope.cancel()
    except BaseException:
        if lease is not None:
            lease.release()
        raise
    if lease is not None:
        return lease
    raise fault or ClientLeftError("while it waited for its upstream")
