"""Targets to which no connections are made, a pool of them, and a resolver whose answers the test sets."""

from dataclasses import replace

import trio

from tests.support import Lines
from wsgateway.errors import Reason, UpstreamError
from wsgateway.settings.basics import Address, Url
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.pool import Lease, Pool
from wsgateway.upstream.resolve import ResolvedAddress
from wsgateway.upstream.search import Search

A, B, C = (Target(Url(f"192.0.2.{at}", 80, f"ws://192.0.2.{at}")) for at in (1, 2, 3))
NAMED = Target(Url("chat.internal", 80, "ws://chat.internal"))
FAILED = UpstreamError(Reason.TARGET_UNREACHABLE, "no connection")
CUT = UpstreamError(Reason.TARGET_LOST, "closed the connection during the handshake")


def pool_of(*targets: Target, lines: Lines | None = None, **options: object) -> Pool:
    upstream = replace(Upstream(targets, name="chat"), **options)  # type: ignore[arg-type]
    return Pool(upstream, (lines or Lines()).log(), Resolver())


def taken(pool: Pool, key: str | None = None) -> Lease:
    lease = Search(pool, key).take()
    assert lease is not None
    return lease


class Resolver:
    """A resolver whose answers the test sets."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.fails: Exception | None = None
        self.asked = 0

    async def __call__(self, target: Target) -> list[ResolvedAddress]:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.fails is not None:
            raise self.fails
        return [ResolvedAddress(Address(host, target.url.port), target.weight) for host in self.hosts]


def hosts(pool: Pool) -> list[str]:
    return [target_address.address.host for target_address in pool.addresses]
