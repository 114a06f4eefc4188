"""One client counts as one for all limits on addresses, in whatever form and from whatever source its address comes."""

import pytest

from tests.heads import head_of
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.serve.exchanging import HTTP_OK, serving_http
from tests.support import Running, Upstream, serving

MODERN = BY_DIALECT["rfc6455"]
TRUSTING = 'forwarded: {trusted: ["127.0.0.1"]}'
PROXIED = 'proxy_protocol: {accept: required, trusted: ["127.0.0.1"]}'
TWO_EACH = "max_connections_per_ip: 2"
TOO_MANY = "more than 2 connections from one address"


def forwarded(header: str, request: bytes = MODERN.request) -> bytes:
    """Return a request with one more header."""
    return request.replace(b"\r\nHost:", f"\r\n{header}\r\nHost:".encode(), 1)


def proxied(address: str) -> bytes:
    """Return a request after a header of the PROXY protocol."""
    family = "TCP6" if ":" in address else "TCP4"
    ours = "2001:db8::1" if ":" in address else "198.51.100.1"
    return f"PROXY {family} {address} {ours} 5000 80\r\n".encode() + MODERN.request


async def served(gateway: Running, upstream: Upstream, request: bytes) -> tuple[Peer, Peer]:
    client = await gateway.connect(request)
    behind, _ = await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    return client, behind


async def refused(gateway: Running, request: bytes) -> None:
    client = await gateway.connect(request)
    assert (await client.head()).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")


@pytest.mark.parametrize(
    ("first", "second", "third", "other"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", "::ffff:c000:207", "192.0.2.8"),
        ("2001:db8:1:2::1", "2001:db8:1:2::2", "2001:0DB8:1:2:ffff::", "2001:db8:1:3::1"),
    ],
    ids=["IPv4", "IPv6"],
)
@pytest.mark.parametrize(
    ("listener", "header"),
    [
        (TRUSTING, "X-Forwarded-For: {}"),
        (TRUSTING, 'Forwarded: for="[{}]"'),
        (PROXIED, None),
    ],
    ids=["X-Forwarded-For", "Forwarded", "PROXY"],
)
async def test_connections_are_counted_by_the_address_of_the_client(
    listener: str, header: str | None, first: str, second: str, third: str, other: str
) -> None:
    def request(address: str) -> bytes:
        return proxied(address) if header is None else forwarded(header.format(address))

    async with Upstream() as upstream, serving(upstream.port, listener=f"{listener}, {TWO_EACH}") as gateway:
        client, behind = await served(gateway, upstream, request(first))
        await served(gateway, upstream, request(second))
        await refused(gateway, request(third))
        assert (await gateway.lines.line("refused"))["why"] == TOO_MANY
        await served(gateway, upstream, request(other))
        await client.close()
        await behind.close()
        await gateway.lines.line(
            "session", client=client.name if header else f"{first if '.' in first else f'[{first}]'}:5000"
        )
        await served(gateway, upstream, request(third))


async def test_handshakes_are_metered_by_the_network_of_an_ipv6_client() -> None:
    listener = f"{TRUSTING}, ipv6_prefix: 56"
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=listener, limits="handshake_rate: 2/h") as gateway,
    ):
        for address in ("2001:db8:1:1::1", "2001:db8:1:ff::1"):
            await served(gateway, upstream, forwarded(f"X-Forwarded-For: {address}"))
        await refused(gateway, forwarded("X-Forwarded-For: 2001:db8:1:2::1"))
        await served(gateway, upstream, forwarded("X-Forwarded-For: 2001:db8:1:100::1"))


async def test_a_trusted_proxy_that_names_no_client_counts_itself() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=f"{TRUSTING}, {TWO_EACH}") as gateway:
        for _ in range(2):
            await served(gateway, upstream, MODERN.request)
        await refused(gateway, MODERN.request)
        await served(gateway, upstream, forwarded("X-Forwarded-For: 192.0.2.7"))


async def test_forwarded_headers_of_untrusted_peers_do_not_count() -> None:
    listener = f'forwarded: {{trusted: ["10.0.0.0/8"]}}, {TWO_EACH}'
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        for at in range(2):
            await served(gateway, upstream, forwarded(f"X-Forwarded-For: 192.0.2.{at}"))
        await refused(gateway, forwarded("X-Forwarded-For: 192.0.2.3"))


async def test_each_request_on_the_connection_of_a_proxy_counts_for_its_own_client() -> None:
    def get(address: str) -> bytes:
        return head_of("GET / HTTP/1.1", f"X-Forwarded-For: {address}", "Host: example.com")

    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=f"{TRUSTING}, max_connections_per_ip: 1") as gateway,
    ):
        client = await gateway.connect()
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            await client.send(get(address))
            behind = await upstream.accept()
            await behind.head()
            await behind.send(HTTP_OK)
            await client.head()
            assert await client.exactly(2) == b"ok"
        # Ended sessions do not count, open ones do.
        await client.send(get("192.0.2.1"))
        behind = await upstream.accept()
        await behind.head()
        await refused(gateway, get("192.0.2.1"))
        await behind.send(HTTP_OK)
        await client.head()


async def test_the_log_names_the_client_behind_a_proxy() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=TRUSTING) as gateway:
        client, behind = await served(gateway, upstream, forwarded("X-Forwarded-For: ::ffff:192.0.2.7"))
        await client.close()
        await behind.close()
        line = await gateway.lines.line("session", client=client.name)
        assert line["forwarded_for"] == "192.0.2.7"
        client, behind = await served(gateway, upstream, MODERN.request)
        await client.close()
        await behind.close()
        assert "forwarded_for" not in await gateway.lines.line("session", client=client.name)
