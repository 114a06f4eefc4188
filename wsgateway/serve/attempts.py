"""The attempts for one client: one target after another is tried, as long as the client has had no answer."""

from collections.abc import Callable
from typing import TypeVar

from wsgateway.errors import UpstreamError
from wsgateway.serve.actions import Machine, wait_for
from wsgateway.serve.facts import Facts
from wsgateway.serve.limits import Cleanup
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search

T = TypeVar("T")


def try_targets(
    search: Search,
    attempt: Callable[[Lease, Cleanup], Machine[T]],
    facts: Facts,
    cleanup: Cleanup,
    *,
    watched: bool,
) -> Machine[T]:
    """Return the result of the first attempt that does not raise UpstreamError, or raise the error of the last one.

    After a silent target there is no other attempt, because it has used all of the time. An attempt puts cleanups into
    its list: those of a failed attempt run at once, those of the successful one go to `cleanup`. `facts` get the target
    and the failures before it.
    """
    while True:
        lease = search.take() or (yield from wait_for(search.wait, watched=watched))
        with Cleanup([lease.release]) as mine:
            try:
                result = yield from attempt(lease, mine)
            except UpstreamError as error:
                search.failed(lease, error)
                if error.used_all_time or not (search.remaining_attempts and search.remaining_seconds):
                    raise
                facts.failed = ", ".join(search.failures)
                continue
            finally:  # the lease may have moved meanwhile
                facts.target, facts.address = lease.target_address.names
            cleanup += mine
            mine.clear()
        return result
