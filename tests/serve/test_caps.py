"""The limits on clients: how many, and how often, from one address and to one upstream."""

import pytest

from tests.heads import values
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream, serving

MODERN = BY_DIALECT["rfc6455"]
PROXIED = 'proxy_protocol: {accept: optional, trusted: ["127.0.0.1"]}'


async def accepted(upstream: Upstream, client: Peer) -> Peer:
    behind, _ = await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    return behind


async def refused(gateway: Running, client: Peer, status: str, reason: str, why: str) -> bytes:
    head = await client.head()
    assert head.startswith(f"HTTP/1.1 {status}\r\n".encode())
    assert values(head, "connection") == ["close"]
    assert await client.rest() == f"{status}: {reason}\n".encode()
    line = await gateway.lines.line("refused")
    assert (line["status"], line["reason"], line["why"]) == (int(status[:3]), reason, why)
    return head


async def gone(gateway: Running, client: Peer, behind: Peer) -> None:
    """End a session, and wait until its place is free."""
    await client.close()
    await behind.close()
    await gateway.lines.line("session", client=client.name)


async def test_one_address_has_so_many_connections_and_no_more() -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=f"max_connections_per_ip: 2, {PROXIED}") as gateway,
    ):
        first = await gateway.connect(MODERN.request)
        behind = await accepted(upstream, first)
        await accepted(upstream, await gateway.connect(MODERN.request))
        # It is refused without reading its request.
        beyond = await gateway.connect(b"GET ")
        await refused(
            gateway, beyond, "429 Too Many Requests", "address-full", "more than 2 connections from one address"
        )
        # Another address, from a proxy.
        other = await gateway.connect(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" + MODERN.request)
        await accepted(upstream, other)
        await gone(gateway, first, behind)
        await accepted(upstream, await gateway.connect(MODERN.request))


async def test_an_upstream_has_so_many_connections_and_no_more() -> None:
    async with Upstream() as upstream, serving(upstream.port, behind="max_connections: 1") as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await accepted(upstream, client)
        await refused(
            gateway,
            await gateway.connect(MODERN.request),
            "503 Service Unavailable",
            "upstream-full",
            "too many connections",
        )
        assert upstream.nobody_came()
        await gone(gateway, client, behind)
        await accepted(upstream, await gateway.connect(MODERN.request))


async def test_a_refusal_of_the_upstream_frees_its_place() -> None:
    async with Upstream() as upstream, serving(upstream.port, behind="max_connections: 1") as gateway:
        for _ in range(3):
            client = await gateway.connect(MODERN.request)
            behind = await upstream.accept()
            await behind.head()
            await behind.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            assert (await client.rest()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(("rate", "wait"), [("2/m", "30"), ("2/h", "1800")])
async def test_an_address_above_its_rate_gets_429_with_retry_after(rate: str, wait: str) -> None:
    seconds = {"m": 60, "h": 3600}[rate.partition("/")[2]]
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=PROXIED, limits=f"handshake_rate: {rate}") as gateway,
    ):
        for _ in range(2):
            await accepted(upstream, await gateway.connect(MODERN.request))
        why = f"more than 2 in {seconds} s handshakes from one address"
        for _ in range(2):  # a refused client does not count
            head = await refused(
                gateway, await gateway.connect(MODERN.request), "429 Too Many Requests", "handshake-rate", why
            )
            assert values(head, "retry-after") == [wait]
        other = await gateway.connect(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" + MODERN.request)
        await accepted(upstream, other)
