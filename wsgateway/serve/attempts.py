"""The way to a server that serves: one target after the other is tried, as long as the client knows nothing of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from wsgateway.errors import UpstreamError
from wsgateway.serve.facts import Facts
from wsgateway.serve.limits import Cleanup
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search

T = TypeVar("T")


async def served(
    search: Search,
    attempt: Callable[[Lease, Cleanup], Awaitable[T]],
    facts: Facts,
    cleanup: Cleanup,
) -> T:
    """Return what an attempt returns: the first that does not raise UpstreamError, or the last that may be made. After
    one that was silent there is no other: it has had all the time that there was.

    An attempt puts into its list what is to be done at the end; of one that fails that is done at once, of the other it
    goes to `cleanup`. The log's `facts` get the target, and what failed before it.
    """
    while True:
        lease = search.take() or await search.wait()
        with Cleanup([lease.release]) as mine:
            try:
                result = await attempt(lease, mine)
            except UpstreamError as error:
                search.failed(lease, error)
                if error.used_all_time or not (search.left and search.remaining):
                    raise
                facts.failed = ", ".join(search.failures)
                continue
            finally:  # the lease may have moved meanwhile
                facts.target, facts.address = lease.target_address.names
            cleanup += mine
            mine.clear()
        return result
