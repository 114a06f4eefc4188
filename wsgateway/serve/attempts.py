"""The attempts for one client: one target after another is tried, as long as the client has had no answer.

This is the only place where it is noted what has become of an attempt: its target has served, or how it has failed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from wsgateway.errors import UpstreamError
from wsgateway.serve.actions import Machine, wait_for
from wsgateway.serve.facts import Facts
from wsgateway.serve.limits import Cleanup
from wsgateway.upstream.pool import Lease
from wsgateway.upstream.search import Search

T = TypeVar("T")


@dataclass(slots=True)
class Attempted(Generic[T]):
    """An attempt to which a target has answered."""

    result: T
    status: int
    """the HTTP status of the answer; 0: there is none"""
    failure: UpstreamError | None = None
    """why it counts as failed all the same: the client gets this answer only if no other target can be tried"""


Attempt = Callable[[Lease, Cleanup], Machine[Attempted[T]]]
"""tries the target of a lease, and puts the cleanups for the end into the list. Raises UpstreamError if it fails"""


def try_targets(search: Search, attempt: Attempt[T], facts: Facts, cleanup: Cleanup, *, watched: bool) -> Machine[T]:
    """Return the result of the first attempt that does not fail, or what the last one returns or raises.

    After a silent target there is no other attempt, because it has used all of the time. The cleanups of a failed
    attempt run at once, those of the last one go to `cleanup` unless it raises. `facts` get the target and the failures
    before it.
    """
    while True:
        lease = search.take() or (yield from wait_for(search.wait, watched=watched))
        with Cleanup([lease.release]) as mine:
            try:
                attempted = yield from attempt(lease, mine)
            except UpstreamError as error:
                if _is_last(search, lease, error, facts):
                    raise
                continue
            finally:  # the lease may have moved meanwhile
                facts.target, facts.address = lease.target_address.names
            if attempted.failure is None:
                search.served(lease, attempted.status)
            elif not _is_last(search, lease, attempted.failure, facts):
                continue
            cleanup += mine
            mine.clear()
        return attempted.result


def _is_last(search: Search, lease: Lease, failure: UpstreamError, facts: Facts) -> bool:
    """Note that an attempt has failed. Return whether no other one may be made."""
    search.failed(lease, failure)
    if failure.used_all_time or not (search.remaining_attempts and search.remaining_seconds):
        return True
    facts.failed = ", ".join(search.failures)
    return False
