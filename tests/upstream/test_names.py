"""Look-ups of names that block: which tasks wait, and how many threads are used.

Resolvers block in threads until the test releases them, so a name that must not wait is looked up while none of them
has an answer. The clock stands still unless a test moves it.
"""

from functools import partial

import pytest
import trio
from trio.testing import MockClock

from tests.support import PATIENCE_SECONDS, Lines
from wsgateway.settings.basics import Address, Url
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.names import (
    HUNG_LOOK_UP_SECONDS,
    HUNG_THREADS,
    MOST_HUNG,
    MOST_THREADS,
    Names,
    resolve_by_system,
)
from wsgateway.upstream.pools import Pools
from wsgateway.upstream.resolve import look_up

from .blocking import Blocking, blocking, clock

__all__ = ["clock"]


def test_the_bounds_are_those_that_are_documented() -> None:
    assert (MOST_THREADS, HUNG_THREADS, HUNG_LOOK_UP_SECONDS, MOST_HUNG) == (256, 8, 5.0, 4096)


async def test_a_hundred_names_that_hang_delay_no_good_one(clock: MockClock) -> None:
    with blocking() as resolver:
        names = Names(resolver)
        async with trio.open_nursery() as nursery:
            for at in range(100):
                nursery.start_soon(names.addresses, f"slow-{at}")
            await resolver.enough(100)
            for at in range(100):
                assert await names.addresses(f"good-{at}") == ["192.0.2.1"]
            resolver.let_go()


async def test_a_name_is_looked_up_once_at_a_time_for_all_tasks(clock: MockClock) -> None:
    with blocking() as resolver:
        names, found = Names(resolver), []

        async def ask() -> None:
            found.append(await names.addresses("slow"))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ask)
            await resolver.enough(1)
            with trio.move_on_after(0):  # a cancelled task does not end the look-up, and later tasks join it
                await names.addresses("slow")
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            resolver.let_go()
        assert found == [["192.0.2.1"]] * 11
        assert await names.addresses("slow") == ["192.0.2.2"]


@pytest.mark.parametrize(("host", "error"), [("slow-bad", OSError), ("slow-bug", ZeroDivisionError)])
async def test_all_waiting_tasks_get_the_error_of_a_look_up_and_the_next_task_starts_a_new_one(
    host: str, error: type[Exception], clock: MockClock
) -> None:
    with blocking() as resolver:
        names, told = Names(resolver), []

        async def ask() -> None:
            with pytest.raises(error) as caught:
                await names.addresses(host)
            told.append(caught.value)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
            await resolver.enough(1)
            resolver.let_go()
        await ask()
        assert len(told) == 4
        assert resolver.asked[host] == 2


async def test_the_number_of_threads_is_limited(clock: MockClock) -> None:
    with blocking() as resolver:
        names = Names(resolver)
        async with trio.open_nursery() as nursery:
            for at in range(MOST_THREADS + 1):
                nursery.start_soon(names.addresses, f"slow-{at}")
            await resolver.enough(MOST_THREADS)
            await trio.testing.wait_all_tasks_blocked()
            assert len(resolver.asked) == MOST_THREADS
            [last] = {f"slow-{at}" for at in range(MOST_THREADS + 1)} - resolver.asked.keys()
            resolver.let_go(next(iter(resolver.asked)))
            await resolver.enough(MOST_THREADS + 1)
            assert last in resolver.asked
            resolver.let_go()


async def hang(names: Names, resolver: Blocking, clock: MockClock, *hosts: str) -> None:
    """Look up names whose answers come late."""
    async with trio.open_nursery() as nursery:
        for host in hosts:
            nursery.start_soon(names.addresses, host)
        await resolver.enough(len(hosts))
        clock.jump(HUNG_LOOK_UP_SECONDS)
        resolver.let_go(*hosts)
    resolver.hold_back()


async def test_names_that_hung_last_time_share_a_few_threads(clock: MockClock) -> None:
    hosts = [f"slow-{at}" for at in range(HUNG_THREADS + 2)]
    with blocking() as resolver:
        names = Names(resolver)
        await hang(names, resolver, clock, *hosts)
        async with trio.open_nursery() as nursery:
            for host in hosts:
                nursery.start_soon(names.addresses, host)
            await resolver.enough(HUNG_THREADS)
            assert await names.addresses("good") == ["192.0.2.1"]
            assert len(resolver.asked) == HUNG_THREADS + 1
            first, *_ = resolver.asked
            resolver.let_go(first)
            await resolver.enough(HUNG_THREADS + 2)
            resolver.let_go()


async def test_a_name_that_hung_and_answers_soon_is_as_good_as_the_others(clock: MockClock) -> None:
    hosts = [f"slow-{at}" for at in range(HUNG_THREADS + 1)]
    with blocking() as resolver:
        names = Names(resolver)
        await hang(names, resolver, clock, *hosts)
        resolver.let_go(hosts[0])
        assert await names.addresses(hosts[0]) == ["192.0.2.1"]
        async with trio.open_nursery() as nursery:
            for host in hosts[1:]:
                nursery.start_soon(names.addresses, host)
            await resolver.enough(HUNG_THREADS + 1)
            assert await names.addresses(hosts[0]) == ["192.0.2.2"]
            resolver.let_go()


async def test_a_name_that_answers_in_time_has_not_hung(clock: MockClock) -> None:
    with blocking() as resolver:
        names = Names(resolver)
        async with trio.open_nursery() as nursery:
            for at in range(HUNG_THREADS + 1):
                nursery.start_soon(names.addresses, f"slow-{at}")
            await resolver.enough(HUNG_THREADS + 1)
            clock.jump(HUNG_LOOK_UP_SECONDS - 0.001)
            resolver.let_go()
        resolver.hold_back()
        async with trio.open_nursery() as nursery:
            for at in range(HUNG_THREADS + 1):
                nursery.start_soon(names.addresses, f"slow-{at}")
            await resolver.enough(HUNG_THREADS + 1)
            resolver.let_go()


async def test_the_number_of_remembered_hung_names_is_limited(clock: MockClock) -> None:
    names = Names(resolve_by_system)
    for at in range(MOST_HUNG + 10):
        names._remember(f"name-{at}", hung=True)
    assert len(names._hung) == MOST_HUNG
    assert "name-9" not in names._hung
    assert "name-10" in names._hung


def test_a_loop_that_ends_does_not_wait_for_a_look_up() -> None:
    async def ask(resolver: Blocking) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Names(resolver).addresses, "slow")
            await resolver.enough(1)
            nursery.cancel_scope.cancel()

    with blocking() as resolver:
        trio.run(ask, resolver)
        assert resolver.asked["slow"] == 1


def test_the_resolver_of_the_system_resolves_localhost() -> None:
    assert set(resolve_by_system("localhost")) <= {"127.0.0.1", "::1"}
    assert resolve_by_system("192.0.2.7") == ["192.0.2.7"]


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".example"])
def test_a_text_that_cannot_be_a_name_is_an_error(name: str) -> None:
    with pytest.raises(OSError, match=r"is no name|not known|No address"):
        resolve_by_system(name)


async def test_pools_share_the_look_up_of_a_name(clock: MockClock) -> None:
    target = Target(Url("slow", 80, "ws://slow"))
    with blocking() as resolver:
        pools = Pools(Lines().log(), partial(look_up, Names(resolver)))
        pools.update([Upstream((target,), name="a"), Upstream((target,), name="b")], {})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pools.run)
            await resolver.enough(1)
            await trio.testing.wait_all_tasks_blocked()
            resolver.let_go()
            for name in ("a", "b"):
                await pools[name].settled(PATIENCE_SECONDS)
                assert [target_address.address for target_address in pools[name].addresses] == [
                    Address("192.0.2.1", 80)
                ]
            nursery.cancel_scope.cancel()
