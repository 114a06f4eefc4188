"""The choice of an address of a pool: the same as by a look at all of them, in as many steps with a thousand.

The clock is that of the test, and no connections are made.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.steps import steps
from tests.support import Lines
from wsgateway.errors import Reason, UpstreamError
from wsgateway.settings.basics import Balance, BalanceMethod, Url
from wsgateway.settings.health import HealthChecks, PassiveCheck
from wsgateway.settings.upstreams import Retry, Target, Upstream
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.resolve import ResolvedAddress
from wsgateway.upstream.search import Search
from wsgateway.upstream.target import TargetAddress

from .plain import Plain, candidates
from .pooled import FAILED, NAMED, Resolver, pool_of, taken

CHECKS = HealthChecks(passive=PassiveCheck(failures=2, eject_seconds=10))

IN_A_ROW = 3
"""so many results of checks change the state, whatever it was"""


def several(count: int, **options: object) -> list[Target]:
    """Return so many targets."""
    hosts = [f"10.0.{at // 250}.{at % 250 + 1}" for at in range(count)]
    return [Target(Url(host, 80, f"ws://{host}"), **options) for host in hosts]  # type: ignore[arg-type]


# -- the same choices ------------------------------------------------------------------------------------------------

TARGETS = st.lists(
    st.tuples(st.sampled_from([1, 1, 2, 5]), st.booleans(), st.sampled_from([None, None, 1, 2])),
    min_size=1,
    max_size=7,
).map(
    lambda rows: [
        replace(target, weight=weight, backup=backup, max_connections=most)
        for target, (weight, backup, most) in zip(several(len(rows)), rows, strict=True)
    ]
)
WHAT = ["take", "take", "take", "retry", "release", "fail", "down", "up", "wait"]
COURSES = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 20)), max_size=60)


@dataclass
class Compared:
    """A pool, what is done with it, and what is chosen by a look at all of its addresses."""

    pool: Pool
    clock: MockClock
    plain: Plain = field(default_factory=Plain)
    leases: list[Lease] = field(default_factory=list)
    search: Search | None = None

    def expected(self, key: str | None, tried: list[TargetAddress]) -> TargetAddress | None:
        now = trio.current_time()
        them = candidates(self.pool.addresses, tried, lambda each: each.health.state(now) == "up")
        return self.plain.choose(self.pool.upstream.balance.method, them, key) if them else None

    def take(self, key: str | None) -> None:
        self.search, self.tried = Search(self.pool, key), list[TargetAddress]()
        self.key = key
        self.retry()

    def retry(self) -> None:
        if self.search is None:
            return
        assert self.search.remaining_attempts == min(
            50 - len(self.tried), sum(each not in self.tried for each in self.pool.addresses)
        )
        expected = self.expected(self.key, self.tried)
        lease = self.search.take()
        assert (None if lease is None else lease.target_address) is expected
        if lease is not None:
            self.leases.append(lease)
            self.tried.append(lease.target_address)

    def step(self, what: str, number: int) -> None:
        address = self.pool.addresses[number % len(self.pool.addresses)]
        match what:
            case "take":
                self.take(str(number % 5) if number % 3 else None)
            case "retry":
                self.retry()
            case "release" if self.leases:
                self.leases.pop(number % len(self.leases)).release()
            case "fail":
                self.pool.failed(address, FAILED, "192.0.2.7")
            case "down" | "up":
                for _ in range(IN_A_ROW):
                    self.pool.checked(address, FAILED if what == "down" else None)
            case "wait":
                self.clock.jump(number)


def with_clock(call: Callable[[MockClock], Awaitable[None]]) -> None:
    clock = MockClock()
    trio.run(call, clock, clock=clock)


@pytest.mark.parametrize("method", ["round_robin", "least_connections", "hash"])
@given(TARGETS, COURSES)
def test_it_chooses_as_by_a_look_at_all(
    method: BalanceMethod, targets: list[Target], course: list[tuple[str, int]]
) -> None:
    async def compare(clock: MockClock) -> None:
        pool = pool_of(*targets, balance=Balance(method), health=CHECKS, retry=Retry(50))
        compared = Compared(pool, clock)
        for what, number in course:
            compared.step(what, number)

    with_clock(compare)


ADDRESSES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from([1, 3]), st.sampled_from([0, 0, 1])),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row[0],
)


@pytest.mark.parametrize("method", ["round_robin", "least_connections", "hash"])
@given(st.lists(st.tuples(ADDRESSES, COURSES), max_size=4))
def test_it_does_so_while_a_resolver_changes_addresses_weights_and_ranks(
    method: BalanceMethod, courses: list[tuple[list[tuple[int, int, int]], list[tuple[str, int]]]]
) -> None:
    found: list[ResolvedAddress] = []

    async def look_up(target: Target) -> list[ResolvedAddress]:
        return found

    async def compare(clock: MockClock) -> None:
        clock.autojump_threshold = 0
        upstream = Upstream((NAMED, *several(2)), name="chat", balance=Balance(method), retry=Retry(50))
        pool = Pool(replace(upstream, health=CHECKS), Lines().log(), look_up)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run)
            await trio.sleep(1)  # so that the test never wakes at the time of a look-up
            compared = Compared(pool, clock)
            for rows, course in courses:
                found[:] = [
                    ResolvedAddress(replace(pool.addresses[-1].address, host=f"192.0.2.{host}"), weight, rank)
                    for host, weight, rank in rows
                ]
                await trio.sleep(upstream.resolve.interval_seconds)
                assert len(pool.addresses) == len(rows) + 2
                compared.search = None  # what it has tried may be gone
                for what, number in course:
                    if what != "wait":
                        compared.step(what, number)
            nursery.cancel_scope.cancel()

    with_clock(compare)


# -- in as many steps ------------------------------------------------------------------------------------------------

ANSWERED = UpstreamError(Reason.TARGET_UNAVAILABLE, "answered 404", 404)


def session(pool: Pool) -> None:
    """Search twice, as a session does whose first target fails."""
    search = Search(pool, "key")
    for _ in range(2):
        lease = search.take()
        assert lease is not None
        assert search.remaining_attempts > 0
        search.failed(lease, ANSWERED)
        pool.served(lease.target_address)
        lease.release()


@pytest.mark.parametrize("method", ["round_robin", "least_connections", "random", "hash"])
@pytest.mark.parametrize("state", ["all up", "half down", "none up", "half full"])
def test_a_session_takes_as_many_steps_with_a_thousand_targets_as_with_ten(method: BalanceMethod, state: str) -> None:
    def needed(count: int) -> int:
        least = 0

        async def measure(clock: MockClock) -> None:
            nonlocal least
            targets = several(count, max_connections=1)
            pool = pool_of(*targets, balance=Balance(method), health=CHECKS, retry=Retry(5))
            them = pool.addresses
            for each in {"half down": them[::2], "none up": them}.get(state, []):
                for _ in range(IN_A_ROW):
                    pool.checked(each, FAILED)
            for _ in range(count // 2 if state == "half full" else 0):
                taken(pool)
            for _ in range(count):  # the first session at each address is another matter
                session(pool)
            least = min(steps(lambda: session(pool)) for _ in range(20))

        with_clock(measure)
        return least

    assert needed(1000) == needed(10)


def test_a_failure_that_ejects_nothing_takes_as_many_steps_with_a_thousand_targets_as_with_ten() -> None:
    def needed(count: int) -> int:
        found = 0

        async def measure(clock: MockClock) -> None:
            nonlocal found
            pool = pool_of(*several(count), health=CHECKS)
            for each in pool.addresses:
                pool.failed(each, FAILED, "192.0.2.7")
                pool.failed(each, FAILED, "192.0.2.7")
            assert sum(each.state == "ejected" for each in pool.addresses) == count // 2
            last = pool.addresses[-1]
            found = steps(lambda: pool.failed(last, FAILED, "192.0.2.7"))

        with_clock(measure)
        return found

    assert needed(1000) == needed(10)


def test_a_pool_is_made_in_steps_that_grow_with_its_targets_alone() -> None:
    def needed(count: int) -> int:
        targets = several(count)
        return steps(lambda: pool_of(*targets))

    assert needed(1000) <= 110 * needed(10)


async def test_the_addresses_of_a_name_are_looked_at_when_it_is_their_turn(autojump_clock: MockClock) -> None:
    hosts = [f"10.0.{at // 250}.{at % 250 + 1}" for at in range(1000)]
    pool = Pool(Upstream((NAMED,), name="chat"), Lines().log(), Resolver(*hosts))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await pool.settled(1)
        mine = taken(pool).target_address
        assert len(list(pool.siblings(mine, [mine]))) == 999
        assert steps(lambda: next(pool.siblings(mine, [mine]))) < 30
        pool.close()
