"""Actions happen at once if there is nothing to wait for, and at different times if many would do the same.

The clock jumps when every task waits, so that waiting is visible on it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.heads import head_of
from tests.support import Lines, Upstream
from wsgateway.errors import UpstreamError
from wsgateway.settings.basics import Url
from wsgateway.settings.health import ActiveCheck, HealthChecks
from wsgateway.settings.upstreams import Queue, Target
from wsgateway.settings.upstreams import Upstream as Settings
from wsgateway.upstream.pool import Pool
from wsgateway.upstream.resolve import ResolvedAddress
from wsgateway.upstream.search import Search

from .pooled import NAMED, A, Resolver, taken

ASKED = ActiveCheck("http", interval_seconds=10, timeout_seconds=2, rise=2, fall=3)


class Times:
    """The times of checks of a server, and its answers, which the test sets."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.good = True
        self._news = trio.lowlevel.ParkingLot()

    async def serve(self, upstream: Upstream) -> None:
        while True:
            peer = await upstream.accept()
            await peer.head()
            self.asked.append(trio.current_time())
            self._news.unpark_all()
            await peer.send(head_of("HTTP/1.1 200 OK" if self.good else "HTTP/1.1 503 Busy", "Content-Length: 0"))
            await peer.close()

    async def enough(self, count: int) -> None:
        while len(self.asked) < count:
            await self._news.park()


@asynccontextmanager
async def checked(active: ActiveCheck = ASKED) -> AsyncIterator[tuple[Times, Lines, Pool]]:
    """Run a pool with one address that is checked, and the server that answers."""
    times, lines = Times(), Lines()
    async with Upstream() as upstream:
        target = Target(Url("127.0.0.1", upstream.port, f"ws://127.0.0.1:{upstream.port}"), max_connections=1)
        settings = Settings((target,), name="chat", health=HealthChecks(active), queue=Queue(1, 3600.0))
        pool = Pool(settings, lines.log(), Resolver())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(times.serve, upstream)
            nursery.start_soon(pool.run)
            yield times, lines, pool
            nursery.cancel_scope.cancel()


async def test_a_new_address_is_checked_at_once(autojump_clock: MockClock) -> None:
    begun = trio.current_time()
    async with checked() as (times, _, _):
        await times.enough(1)
        assert times.asked == [begun]


async def test_a_change_to_down_or_up_is_logged_with_the_check_that_causes_it(
    autojump_clock: MockClock,
) -> None:
    async with checked() as (times, lines, pool):
        await times.enough(1)
        for good, event, count in (False, "target down", 3), (True, "target up", 2):
            times.good = good
            before = len(times.asked)
            line = await lines.line(event)
            assert trio.current_time() == times.asked[-1]
            assert len(times.asked) == before + count
            assert line["why"] == ("it answers health checks again" if good else "answered 503 to a health check")
            assert pool.addresses[0].state == ("up" if good else "down")


async def test_a_waiting_client_is_served_at_once_by_an_address_that_comes_up(autojump_clock: MockClock) -> None:
    times, lines = Times(), Lines()
    async with Upstream() as upstream:
        there = Target(Url("127.0.0.1", upstream.port, f"ws://127.0.0.1:{upstream.port}"))
        # The other target cannot be used either, so not all are down at the same time.
        full = replace(A, max_connections=1)
        health = HealthChecks(replace(ASKED, fall=1, rise=1, timeout_seconds=2))
        pool = Pool(
            Settings((there, full), name="chat", health=health, queue=Queue(1, 3600.0)), lines.log(), Resolver()
        )
        pool.addresses[1].checking.cancel()  # it stays up
        times.good = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(times.serve, upstream)
            nursery.start_soon(pool.run)
            await lines.line("target down", target=there.url.text)
            assert taken(pool).target_address is pool.addresses[1]
            times.good = True
            lease = await Search(pool, None).wait()
            assert lease.target_address is pool.addresses[0]
            assert trio.current_time() == times.asked[-1]
            nursery.cancel_scope.cancel()


async def test_checks_are_spread_by_a_tenth_of_their_interval(autojump_clock: MockClock) -> None:
    async with checked() as (times, _, _):
        await times.enough(200)
    pauses = [after - before for before, after in zip(times.asked, times.asked[1:], strict=False)]
    assert 9 <= min(pauses) < 9.2
    assert 10.8 < max(pauses) <= 11
    assert sum(pauses) / len(pauses) == pytest.approx(10, abs=0.2)


async def test_a_name_without_an_address_is_logged_at_once(autojump_clock: MockClock) -> None:
    resolver = Resolver()
    resolver.fails = OSError(-2, "Name or service not known")
    pool = Pool(Settings((NAMED,), name="chat"), Lines().log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        begun = trio.current_time()
        for _ in range(2):  # a client before the answer, and one after it
            with pytest.raises(UpstreamError, match="no address of"):
                await Search(pool, None, begun + 10).wait()
            assert trio.current_time() == begun
        pool.close()


async def test_a_name_that_leads_nowhere_does_not_answer_for_one_that_has_not_been_looked_up(
    autojump_clock: MockClock,
) -> None:
    other = Target(Url("other.internal", 80, "ws://other.internal"))

    async def look_up(target: Target) -> list[ResolvedAddress]:
        if target is NAMED:
            raise OSError(-2, "Name or service not known")
        await trio.sleep(3)
        return await Resolver("192.0.2.7")(target)

    for targets in (NAMED, other), (other, NAMED):
        pool = Pool(Settings(targets, name="chat"), Lines().log(), look_up)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run)
            begun = trio.current_time()
            lease = await Search(pool, None, begun + 10).wait()
            assert lease.target_address.target is other
            assert trio.current_time() - begun == pytest.approx(3)
            pool.close()


async def test_a_name_that_resolves_again_is_used_at_once_by_waiting_clients_and_logged(
    autojump_clock: MockClock,
) -> None:
    resolver, lines = Resolver("192.0.2.7"), Lines()
    pool = Pool(
        Settings((replace(NAMED, max_connections=1),), name="chat", queue=Queue(1, 60.0)), lines.log(), resolver
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await wait_all_tasks_blocked()
        taken(pool)
        begun = trio.current_time()
        resolver.hosts = ("192.0.2.7", "192.0.2.8")
        lease = await Search(pool, None).wait()
        assert lease.target_address.name == "192.0.2.8:80"
        assert trio.current_time() - begun == pytest.approx(30)
        pool.close()


async def test_a_silent_resolver_is_logged_after_ten_seconds_and_used_again_a_second_later(
    autojump_clock: MockClock,
) -> None:
    lines, asked = Lines(), []

    async def silent(target: Target) -> list[ResolvedAddress]:
        asked.append(trio.current_time())
        await trio.sleep_forever()
        raise AssertionError

    begun = trio.current_time()
    pool = Pool(Settings((NAMED,), name="chat"), lines.log(), silent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        line = await lines.line("name not resolved")
        assert trio.current_time() - begun == pytest.approx(10)
        assert line["why"] == "the resolver is silent"
        await trio.sleep(1 + 10 + 2.5)
        pool.close()
    assert [each - begun for each in asked] == pytest.approx([0, 11, 23])
