"""Attempts: an address that becomes free when its client has disconnected."""

import socket

import trio
from trio.testing import wait_all_tasks_blocked

from tests.support import Lines, configuration
from tests.upstream.pooled import Resolver
from wsgateway.net.channel import Channel
from wsgateway.serve.actions import Machine, wait_for
from wsgateway.serve.attempts import Attempted, try_targets
from wsgateway.serve.facts import Facts
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.in_task import drive
from wsgateway.serve.limits import Cleanup
from wsgateway.serve.request import Client
from wsgateway.settings.basics import Url
from wsgateway.settings.load import parse
from wsgateway.settings.upstreams import Queue, Target, Upstream
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.search import Search

HOUR = 3600.0


def never(lease: Lease, mine: Cleanup) -> Machine[Attempted[None]]:
    yield from wait_for(trio.lowlevel.checkpoint)
    raise AssertionError("nobody wants it")


async def test_a_place_that_comes_in_the_moment_of_a_cancellation_is_given_back() -> None:
    target = Target(Url("192.0.2.1", 80, "ws://192.0.2.1"), max_connections=1)
    pool = Pool(Upstream((target,), name="chat", queue=Queue(1, HOUR)), Lines().log(), Resolver())
    lease = Search(pool, None).take()
    assert lease is not None
    async with trio.open_nursery() as nursery:
        with socket.socket() as sock:
            client = Client(Channel(sock), "192.0.2.7", 4711, None, 0.0)
        gateway = GatewayState(parse(configuration(9), "test.yaml"), Lines().log())
        attempts = try_targets(Search(pool, None), never, Facts(client, "public"), Cleanup(), watched=False)
        nursery.start_soon(drive, gateway, client, attempts)
        await wait_all_tasks_blocked()
        assert len(pool.waiting) == 1
        lease.release()
        assert pool.open == 1
        nursery.cancel_scope.cancel()
    assert (pool.open, pool.addresses[0].open, len(pool.waiting)) == (0, 0, 0)
