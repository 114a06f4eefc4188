"""A pool: the order of targets, waiting clients, changes by a resolver, and what a new configuration keeps.

The clock jumps when every task waits, and no connections are made.
"""

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support import Lines
from wsgateway.errors import HttpRefusal, Reason, UpstreamError
from wsgateway.settings.basics import Address
from wsgateway.settings.health import ActiveCheck, HealthChecks, PassiveCheck
from wsgateway.settings.upstreams import Queue, Resolve, Retry, Target, Upstream
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.resolve import ResolvedAddress
from wsgateway.upstream.search import Search

from .pooled import FAILED, NAMED, A, B, C, Resolver, hosts, pool_of, taken


def urls(pool: Pool, times: int) -> list[str]:
    return [taken(pool).target_address.target.url.text for _ in range(times)]


# -- whose turn it is --------------------------------------------------------------------------------------------


async def test_a_search_does_not_try_the_same_address_twice(autojump_clock: MockClock) -> None:
    pool = pool_of(A, B, C, retry=Retry(5))
    search = Search(pool, None)
    seen = []
    for left in (2, 1, 0):
        lease = search.take()
        assert lease is not None
        seen.append(lease.target_address.target.url.text)
        assert search.remaining_attempts == left
        search.failed(lease, FAILED)
        lease.release()
    assert sorted(seen) == [A.url.text, B.url.text, C.url.text]
    assert pool.open == 0


async def test_backups_are_for_the_time_when_no_other_can_be_used(autojump_clock: MockClock) -> None:
    pool = pool_of(A, replace(B, backup=True), health=HealthChecks(passive=PassiveCheck(failures=1)))
    assert urls(pool, 3) == [A.url.text] * 3
    search = Search(pool, None)
    lease = search.take()
    assert lease is not None
    search.failed(lease, FAILED)
    assert urls(pool, 3) == [B.url.text] * 3
    await trio.sleep(31)
    assert urls(pool, 3) == [A.url.text] * 3


async def test_all_addresses_are_used_if_none_is_up(autojump_clock: MockClock) -> None:
    pool = pool_of(A, replace(B, backup=True))
    for target_address in pool.addresses:
        for _ in range(3):
            pool.checked(target_address, FAILED)
    assert set(urls(pool, 4)) == {A.url.text, B.url.text}


async def test_ejections_and_their_end_are_in_the_log(autojump_clock: MockClock) -> None:
    lines = Lines()
    pool = pool_of(A, B, lines=lines, health=HealthChecks(passive=PassiveCheck(failures=1)))
    pool.failed(pool.addresses[0], FAILED, "192.0.2.7")
    pool.failed(pool.addresses[1], FAILED, "192.0.2.7")  # the last one stays
    assert urls(pool, 2) == [B.url.text, B.url.text]
    await trio.sleep(30)
    assert set(urls(pool, 2)) == {A.url.text, B.url.text}
    assert lines.entries == [
        {
            "event": "target ejected",
            "level": "warning",
            "upstream": "chat",
            "target": A.url.text,
            **Reason.TARGET_UNREACHABLE.facts,
            "why": "no connection; for 30 s",
        },
        {"event": "target up", "level": "info", "upstream": "chat", "target": A.url.text, "why": "its time is over"},
    ]


# -- who waits ---------------------------------------------------------------------------------------------------


class Waiting:
    """Clients that wait, and those that have got an address so far."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.served: dict[str, Lease] = {}
        self.refused: dict[str, str] = {}

    async def come(self, name: str) -> None:
        try:
            self.served[name] = await Search(self.pool, None).wait()
        except HttpRefusal as error:
            self.refused[name] = f"{error.status}, {error}"


def full_pool(size: int, **options: object) -> tuple[Pool, Lease]:
    pool = pool_of(replace(A, max_connections=1), queue=Queue(size), **options)
    return pool, taken(pool)


async def test_the_client_that_has_waited_longest_is_served_first(autojump_clock: MockClock) -> None:
    pool, lease = full_pool(3)
    clients = Waiting(pool)
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(clients.come, name)
            await wait_all_tasks_blocked()
        assert pool.status()["waiting"] == 3
        for name in "abc":
            lease.release()
            assert Search(pool, None).take() is None  # no client overtakes waiting ones
            await wait_all_tasks_blocked()
            assert [*clients.served][-1] == name
            lease = clients.served[name]
    lease.release()
    assert (pool.open, pool.addresses[0].open, len(pool.waiting)) == (0, 0, 0)


async def test_a_client_beyond_the_queue_is_refused(autojump_clock: MockClock) -> None:
    pool, lease = full_pool(1)
    clients = Waiting(pool)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clients.come, "a")
        await wait_all_tasks_blocked()
        await clients.come("b")
        assert clients.refused == {"b": "503, too many connections"}
        lease.release()
    assert [*clients.served] == ["a"]


async def test_no_client_waits_longer_than_the_timeout_of_the_queue(autojump_clock: MockClock) -> None:
    pool, _ = full_pool(1)
    clients = Waiting(pool)
    begun = trio.current_time()
    await clients.come("a")
    assert clients.refused == {"a": "503, too many connections, and no end of one within 1 s"}
    assert trio.current_time() - begun == pytest.approx(1)
    assert len(pool.waiting) == 0


async def test_no_client_waits_longer_than_the_timeout_of_the_handshake(autojump_clock: MockClock) -> None:
    pool, _ = full_pool(1)
    with pytest.raises(HttpRefusal, match=r"within 0\.5 s"):
        await Search(pool, None, 0.5 + trio.current_time()).wait()


async def test_a_waiting_client_that_disconnects_loses_its_place(autojump_clock: MockClock) -> None:
    pool, lease = full_pool(2)
    clients = Waiting(pool)
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await Search(pool, None).wait()
        assert scope.cancelled_caught
        nursery.start_soon(clients.come, "b")
        await wait_all_tasks_blocked()
        assert len(pool.waiting) == 1
        lease.release()
    assert [*clients.served] == ["b"]


async def test_the_limit_of_an_upstream_counts_all_its_addresses(autojump_clock: MockClock) -> None:
    pool = pool_of(A, B, max_connections=2)
    leases = [taken(pool), taken(pool)]
    assert Search(pool, None).take() is None
    leases[0].release()
    assert Search(pool, None).take() is not None


# -- names -------------------------------------------------------------------------------------------------------


async def test_each_address_of_a_name_is_used_and_follows_the_resolver(autojump_clock: MockClock) -> None:
    resolver, lines = Resolver("192.0.2.7", "2001:db8::7"), Lines()
    pool = Pool(Upstream((NAMED, A), name="chat", resolve=Resolve(30)), lines.log(), resolver)
    assert hosts(pool) == ["192.0.2.1"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await trio.sleep(1)
        assert hosts(pool) == ["192.0.2.7", "2001:db8::7", "192.0.2.1"]
        kept = pool.addresses[0]
        resolver.hosts = ("192.0.2.8", "192.0.2.7")
        await trio.sleep(30)
        assert hosts(pool) == ["192.0.2.8", "192.0.2.7", "192.0.2.1"]
        assert pool.addresses[1] is kept
        assert resolver.asked == 2
        pool.close()
    assert [(entry["event"], entry["addresses"]) for entry in lines.entries] == [
        ("addresses changed", "192.0.2.8:80 192.0.2.7:80")
    ]


async def test_sessions_stay_when_their_address_is_removed(autojump_clock: MockClock) -> None:
    resolver = Resolver("192.0.2.7")
    pool = Pool(Upstream((NAMED,), name="chat"), Lines().log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        lease = await Search(pool, None).wait()
        resolver.hosts = ("192.0.2.8",)
        await trio.sleep(31)
        assert taken(pool).target_address.address.host == "192.0.2.8"
        assert states(pool) == [("192.0.2.8:80", "up", 1), ("192.0.2.7:80", "draining", 1)]
        lease.release()
        assert states(pool) == [("192.0.2.8:80", "up", 1)]
        pool.close()


async def test_a_session_may_move_to_an_address_that_was_removed_meanwhile(autojump_clock: MockClock) -> None:
    """The resolver may answer while a client tries two addresses of a name, and the one that is gone may be faster."""
    resolver = Resolver("192.0.2.7", "192.0.2.8")
    pool = Pool(Upstream((NAMED,), name="chat"), Lines().log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        lease = await Search(pool, None).wait()
        other = pool.addresses[1]
        resolver.hosts = ("192.0.2.7",)
        await trio.sleep(31)
        lease.move(other)
        assert states(pool) == [("192.0.2.7:80", "up", 0), ("192.0.2.8:80", "draining", 1)]
        lease.release()
        assert states(pool) == [("192.0.2.7:80", "up", 0)]
        pool.close()


def states(pool: Pool) -> list[tuple[object, object, object]]:
    targets = pool.status()["targets"]
    assert isinstance(targets, list)
    return [(each["address"], each["state"], each["open"]) for each in targets]


async def test_old_addresses_stay_while_a_resolver_fails_which_is_logged_once(autojump_clock: MockClock) -> None:
    resolver, lines = Resolver("192.0.2.7"), Lines()
    pool = Pool(Upstream((NAMED,), name="chat"), lines.log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await trio.sleep(1)
        resolver.fails = OSError(-3, "Temporary failure in name resolution")
        await trio.sleep(100)
        assert hosts(pool) == ["192.0.2.7"]
        # After 30 s, then 1, 2, 4, 8, 16 and 30 s later.
        assert resolver.asked == 8
        resolver.fails = None
        await trio.sleep(31)
        pool.close()
    assert [(entry["event"], entry["level"], entry.get("why")) for entry in lines.entries] == [
        ("name not resolved", "warning", "Temporary failure in name resolution"),
        ("name resolved", "info", None),
    ]


async def test_a_client_before_the_first_look_up_waits_for_it(autojump_clock: MockClock) -> None:
    pool = Pool(Upstream((NAMED,), name="chat"), Lines().log(), Resolver("192.0.2.7"))
    search = Search(pool, None)
    assert search.take() is None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        assert (await search.wait()).target_address.address == Address("192.0.2.7", 80)
        pool.close()


async def test_a_name_without_any_address_is_502(autojump_clock: MockClock) -> None:
    resolver = Resolver()
    resolver.fails = OSError(-2, "Name or service not known")
    pool = Pool(Upstream((NAMED,), name="chat"), Lines().log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        with pytest.raises(UpstreamError, match=f"no address of {NAMED.url.text}: Name or service not known") as caught:
            await Search(pool, None).wait()
        assert caught.value.status == 502
        pool.close()


async def test_clients_that_wait_for_a_silent_resolver_get_504(autojump_clock: MockClock) -> None:
    async def silent(target: Target) -> list[ResolvedAddress]:
        await trio.sleep_forever()
        raise AssertionError

    lines = Lines()
    pool = Pool(Upstream((NAMED,), name="chat"), lines.log(), silent)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        with pytest.raises(UpstreamError, match="no name resolved within 3 s") as caught:
            await Search(pool, None, 3 + trio.current_time()).wait()
        assert caught.value.status == 504
        await trio.sleep(10)
        assert lines.every("name not resolved")[0]["why"] == "the resolver is silent"
        pool.close()


async def test_a_bug_while_a_name_is_looked_up_is_in_the_log_and_it_is_looked_up_again(
    autojump_clock: MockClock,
) -> None:
    resolver, lines = Resolver("192.0.2.7"), Lines()
    resolver.fails = ZeroDivisionError()
    pool = Pool(Upstream((NAMED,), name="chat"), lines.log(), resolver)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await lines.line("bug", upstream="chat")
        resolver.fails = None
        assert (await Search(pool, None).wait()).target_address.name == "192.0.2.7:80"
        pool.close()


async def test_a_bug_in_a_health_check_is_in_the_log_and_the_address_is_checked_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[float] = []

    async def check(*_: object) -> None:
        checked.append(trio.current_time())
        assert len(checked) > 1, "a bug"

    monkeypatch.setattr("wsgateway.upstream.pool.check", check)
    lines = Lines()
    pool = pool_of(A, lines=lines, health=HealthChecks(ActiveCheck(interval_seconds=10)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await trio.sleep(35)
        pool.close()
    assert [line["event"] for line in lines.entries] == ["bug"]
    assert len(checked) == 5  # at 0 and 1 s, and then about every 10 s
