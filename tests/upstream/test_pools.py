"""All pools of a gateway: what a reload keeps and what it replaces, and the status of each."""

import json
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.support import Lines
from wsgateway.errors import UpstreamError
from wsgateway.settings.basics import Url
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.pools import Pools
from wsgateway.upstream.search import Search

from .pooled import FAILED, NAMED, A, B, C, Resolver, hosts, pool_of, taken


async def test_a_pool_whose_upstream_is_as_before_stays_as_it_is(autojump_clock: MockClock) -> None:
    chat, web = Upstream((A, B), name="chat"), Upstream((C,), name="web")
    pools = Pools(Lines().log())
    pools.update([chat, web], {})
    kept, lease = pools["chat"], taken(pools["chat"])
    pools.update([replace(chat), replace(web, targets=(A,))], {})
    assert pools["chat"] is kept
    assert kept.open == 1
    assert hosts(pools["web"]) == ["192.0.2.1"]
    lease.release()
    assert kept.open == 0


async def test_the_tasks_of_a_removed_pool_end_and_those_of_a_new_one_begin(autojump_clock: MockClock) -> None:
    old, new, resolver = Upstream((NAMED,), name="old"), Upstream((NAMED,), name="new"), Resolver("192.0.2.7")
    pools = Pools(Lines().log(), resolver)
    pools.update([old], {})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pools.run)
        await trio.sleep(1)
        before = pools["old"]
        lease = taken(before)
        pools.update([new], {})
        await trio.sleep(1)
        assert hosts(pools["new"]) == ["192.0.2.7"]
        assert resolver.asked == 2
        await trio.sleep(30)
        assert resolver.asked == 3  # by the new one alone
        with pytest.raises(KeyError):
            pools["old"]
        lease.release()
        nursery.cancel_scope.cancel()


async def test_totals_of_targets_stay_and_those_of_removed_ones_for_ten_minutes(autojump_clock: MockClock) -> None:
    targets = tuple(Target(Url(f"192.0.2.{at}", 80, f"ws://192.0.2.{at}")) for at in range(6))
    pools = Pools(Lines().log(), Resolver())

    def served() -> int:
        return sum(pools["chat"].status()["served"].values())

    pools.update([Upstream(targets, name="chat")], {})
    for _ in targets:
        search = Search(pools["chat"], None)
        lease = search.take()
        assert lease is not None
        search.served(lease, 101)
        lease.release()
    assert served() == 6
    await trio.sleep(3600)
    assert served() == 6
    pools.update([Upstream(targets[:3], name="chat")], {})
    assert served() == 6
    await trio.sleep(599)
    assert served() == 6
    await trio.sleep(1)
    assert served() == 3


async def test_clients_that_wait_for_a_removed_pool_get_an_error(autojump_clock: MockClock) -> None:
    pools = Pools(Lines().log(), Resolver())
    pools.update([Upstream((NAMED,), name="old")], {})
    async with trio.open_nursery() as nursery:
        before = pools["old"]

        async def come() -> None:
            with pytest.raises(UpstreamError):
                await Search(before, None).wait()
            assert trio.current_time() == begun

        begun = trio.current_time()
        nursery.start_soon(come)
        await wait_all_tasks_blocked()
        pools.update([], {})


async def test_the_status_is_plain_data(autojump_clock: MockClock) -> None:
    pool = pool_of(A, replace(B, backup=True, weight=2))
    lease = taken(pool)
    search = Search(pool, None)
    search.served(lease, 101)
    pool.failed(pool.addresses[1], FAILED, "192.0.2.7")
    assert json.loads(json.dumps(pool.status())) == {
        "balance": "round_robin",
        "open": 1,
        "waiting": 0,
        "queued": {},
        "handshakes": {},
        "served": {A.url.text: 1},
        "failures": {B.url.text: {"target-unreachable": 1}},
        "targets": [
            {
                "url": A.url.text, "address": "192.0.2.1:80", "state": "up", "weight": 1, "backup": False, "open": 1,
                "served": 1, "failures": 0, "last_failure": None, "last_reason": None,
            },
            {
                "url": B.url.text, "address": "192.0.2.2:80", "state": "up", "weight": 2, "backup": True, "open": 0,
                "served": 0, "failures": 1, "last_failure": "no connection",
                "last_reason": "target-unreachable",
            },
        ],
    }  # fmt: skip
