"""A client's search for a server over a name with several addresses: which are tried, and what is counted."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from tests.support import Lines, Upstream
from wsgateway.errors import UpstreamError
from wsgateway.settings.basics import Url
from wsgateway.settings.health import HealthChecks, PassiveCheck
from wsgateway.settings.upstreams import Retry, Target
from wsgateway.settings.upstreams import Upstream as Settings
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.resolve import ResolvedAddress
from wsgateway.upstream.search import Search

from .pooled import FAILED, Resolver

REFUSES = "127.0.0.3"


@asynccontextmanager
async def named(*hosts: str, port: int, target: Target | None = None) -> AsyncIterator[Pool]:
    """Return a pool of one name with these addresses, without active checks."""
    target = target or Target(Url("chat.internal", 80, "ws://chat.internal"))
    target = replace(target, url=replace(target.url, port=port))
    pool = Pool(Settings((target,), name="chat", retry=Retry(5)), Lines().log(), Resolver(*hosts))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        await pool.settled(10)
        yield pool
        pool.close()


def first(search: Search) -> Lease:
    lease = search.take()
    assert lease is not None
    return lease


async def test_an_address_that_wins_has_the_session_and_the_other_one_has_not() -> None:
    async with Upstream() as upstream, named(REFUSES, "127.0.0.1", port=upstream.port) as pool:
        search = Search(pool, None)
        lease = first(search)
        lost, won = pool.addresses
        assert (lease.target_address, lost.open, won.open, pool.open) == (lost, 1, 0, 1)
        with await search.reach(lease, 10, b""):
            assert (lease.target_address, lost.open, won.open, pool.open) == (won, 0, 1, 1)
            assert (lost.failures, str(lost.last_failure), won.failures) == (1, "Connection refused", 0)
        assert search.remaining_attempts == 0
        lease.release()
        assert (lost.open, won.open, pool.open) == (0, 0, 0)


async def test_a_waiting_client_gets_the_address_that_another_lease_moves_away_from() -> None:
    limited = Target(Url("chat.internal", 80, "ws://chat.internal"), max_connections=1)
    async with Upstream() as upstream, named(REFUSES, "127.0.0.1", port=upstream.port, target=limited) as pool:
        search = Search(pool, None)
        lease = first(search)
        with await search.reach(lease, 10, b""):
            assert first(Search(pool, None)).target_address is pool.addresses[0]
            assert Search(pool, None).take() is None


async def test_the_lease_stays_where_its_own_address_answers() -> None:
    async with (
        Upstream() as upstream,
        Upstream(host="127.0.0.2", port=upstream.port) as other,
        named("127.0.0.1", "127.0.0.2", port=upstream.port) as pool,
    ):
        search = Search(pool, None)
        lease = first(search)
        with await search.reach(lease, 10, b""):
            assert lease.target_address is pool.addresses[0]
            assert [target_address.failures for target_address in pool.addresses] == [0, 0]
        assert other.nobody_came()


async def test_all_addresses_that_refuse_are_named_and_counted_once() -> None:
    async with Upstream() as upstream:
        port = upstream.port
    async with named(REFUSES, "127.0.0.4", port=port) as pool:
        search = Search(pool, None)
        lease = first(search)
        with pytest.raises(
            UpstreamError, match=f"no connection to chat.internal:{port}: Connection refused$"
        ) as caught:
            await search.reach(lease, 10, b"")
        search.failed(lease, caught.value)
        assert search.remaining_attempts == 0
        assert search.take() is None
        assert lease.target_address is pool.addresses[0]
        assert [target_address.failures for target_address in pool.addresses] == [1, 1]


async def test_another_address_has_its_start_a_quarter_of_a_second_later(autojump_clock: MockClock) -> None:
    # RFC 8305, 8. Linux takes one connection more than the backlog, and then lets all others wait.
    async with Upstream() as upstream:
        with socket.socket() as full, socket.socket() as one:
            full.bind(("127.0.0.2", upstream.port))
            full.listen(0)
            one.connect(full.getsockname())
            async with named("127.0.0.2", "127.0.0.1", port=upstream.port) as pool:
                search, begun = Search(pool, None), trio.current_time()
                lease = first(search)
                with await search.reach(lease, 10, b""):
                    assert trio.current_time() - begun == pytest.approx(0.25)
                    assert lease.target_address is pool.addresses[1]
                    slow = "slower to accept than another address of its name"
                    assert [str(target_address.last_failure) for target_address in pool.addresses] == [
                        str(slow),
                        "None",
                    ]


async def test_another_address_has_its_start_at_once_when_the_first_refuses(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, named(REFUSES, "127.0.0.1", port=upstream.port) as pool:
        search, begun = Search(pool, None), trio.current_time()
        with await search.reach(first(search), 10, b""):
            assert trio.current_time() == begun


# The possible states of the other address, and whether it is tried.
OTHERS = {
    "up": True,
    "down": False,
    "ejected": False,
    "full": False,
    "of a later rank": False,
    "tried": False,
    "of another name": False,
}


@pytest.mark.parametrize(("what", "tried"), OTHERS.items(), ids=OTHERS)
async def test_other_addresses_are_tried_if_they_can_be_relied_on(what: str, tried: bool) -> None:
    async with Upstream() as upstream:
        target = Target(Url("chat.internal", upstream.port, "ws://chat.internal"), max_connections=1)
        elsewhere = replace(target, url=Url("other.internal", target.url.port, "ws://other.internal"))

        async def look_up(asked: Target) -> list[ResolvedAddress]:
            addresses = await Resolver(*(["127.0.0.1"] if asked is elsewhere else [REFUSES, "127.0.0.1"]))(asked)
            if asked is target and what == "of a later rank":
                addresses[1] = replace(addresses[1], rank=1)
            return addresses[:1] if what == "of another name" else addresses

        targets = (target, elsewhere) if what == "of another name" else (target,)
        settings = Settings(targets, name="chat", health=HealthChecks(passive=PassiveCheck(failures=1)))
        pool = Pool(settings, Lines().log(), look_up)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.run)
            while len(pool.addresses) < 2:
                await trio.lowlevel.checkpoint()
            mine, other = pool.addresses
            search = Search(pool, None)
            match what:
                case "down":
                    for _ in range(3):
                        pool.checked(other, FAILED)
                case "ejected":
                    pool.failed(other, FAILED, "192.0.2.7")
                case "tried":
                    pool.count(mine, 1)  # so that the other one is first
                    first(search).release()
                    pool.count(mine, -1)
            lease = first(search)
            assert lease.target_address is mine
            if what == "full":
                pool.count(other, 1)
            if tried:
                (await search.reach(lease, 10, b"")).close()
                await upstream.accept()
            else:
                with pytest.raises(UpstreamError):
                    await search.reach(lease, 10, b"")
                assert upstream.nobody_came()
            pool.close()
