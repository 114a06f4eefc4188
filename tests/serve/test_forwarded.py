"""Forwarded and X-Forwarded-*: believed from trusted proxies, and from nobody else."""

import pytest

from tests.heads import head_of, values
from tests.openings import BY_DIALECT, HIXIE75, RFC6455
from tests.support import Upstream, serving

GET = "GET / HTTP/1.1"
TRUSTING = 'forwarded: {trusted: ["127.0.0.1", "10.0.0.0/8"]}'


async def told(listener: str, *lines: str) -> tuple[list[str], list[str], list[str]]:
    """Return the client, the scheme and the host in the upstream's headers."""
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        await gateway.connect(head_of(GET, *RFC6455, *lines))
        _, request = await upstream.agree()
        assert values(request, "forwarded") == []
        for_, proto, host = (values(request, f"x-forwarded-{name}") for name in ("for", "proto", "host"))
        return for_, proto, host


@pytest.mark.parametrize(
    "lines",
    [
        ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example"),
        ('Forwarded: for="192.0.2.7:4711";proto=https;host=public.example',),
    ],
    ids=["X-Forwarded-*", "Forwarded"],
)
async def test_a_trusted_proxy_is_believed_and_nobody_else(lines: tuple[str, ...]) -> None:
    assert await told(TRUSTING, *lines) == (["192.0.2.7, 127.0.0.1"], ["https"], ["public.example"])
    assert await told("", *lines) == (["127.0.0.1"], ["http"], ["example.com"])
    others = 'forwarded: {trusted: ["10.0.0.0/8"]}'
    assert await told(others, *lines) == (["127.0.0.1"], ["http"], ["example.com"])


async def test_the_client_is_the_last_that_is_not_trusted() -> None:
    for_, _, _ = await told(TRUSTING, "X-Forwarded-For: 203.0.113.9, 192.0.2.7, 10.1.2.3")
    assert for_ == ["192.0.2.7, 10.1.2.3, 127.0.0.1"]


async def test_a_client_of_hixie_over_https_gets_a_location_with_wss() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=TRUSTING) as gateway:
        lines = (*HIXIE75, "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
        client = await gateway.connect(head_of(GET, *lines))
        await upstream.agree()
        assert values(await client.head(), "websocket-location") == ["wss://example.com/"]


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (("X-Forwarded-Host: public.example:8443", "X-Forwarded-Proto: https"), "wss://public.example:8443"),
        (("X-Forwarded-Port: 8443", "X-Forwarded-Proto: https"), "wss://HOST:8443"),
        (
            ("X-Forwarded-Host: public.example", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https"),
            "wss://public.example",
        ),
        (("X-Forwarded-Host: public.example:80",), "ws://public.example"),
        (('Forwarded: for=192.0.2.7;host="public.example:81"',), "ws://public.example:81"),
    ],
)
@pytest.mark.parametrize("dialect", ["hixie-75", "hixie-76", "hybi-03"])
async def test_the_address_that_is_repeated_is_the_one_in_front_of_all_proxies(
    dialect: str, lines: tuple[str, ...], address: str
) -> None:
    opening = BY_DIALECT[dialect]
    _, _, rest = opening.head.partition(b"\r\n")
    rest = rest.replace(b"Host: example.com:8080\r\n", b"Host: example.com\r\n")
    request = head_of("GET /app/chat?x=1 HTTP/1.1", *lines)[:-2] + rest + opening.challenge
    [host] = values(request, "host")
    rewriting = "rewrite: {strip_prefix: /app, add_prefix: /v2}, unprefixed_headers: true"
    for listener, expected in (TRUSTING, address), ("", "ws://HOST"):
        async with Upstream() as upstream, serving(upstream.port, listener=listener, route=rewriting) as gateway:
            client = await gateway.connect(request)
            _, received = await upstream.agree()
            assert received.startswith(b"GET /v2/chat?x=1 HTTP/1.1\r\n")
            reply = await client.head()
            told = [*values(reply, "websocket-location"), *values(reply, "sec-websocket-location")]
            assert set(told) == {expected.replace("HOST", host) + "/app/chat?x=1"}
            assert len(told) == (1 if dialect == "hixie-75" else 2)


async def test_a_rate_counts_the_client_and_not_its_proxy() -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=TRUSTING, limits="handshake_rate: 1/h") as gateway,
    ):
        for address, status in (("192.0.2.7", b"101"), ("192.0.2.7", b"429"), ("192.0.2.8", b"101")):
            request = BY_DIALECT["rfc6455"].head.removesuffix(b"\r\n") + f"X-Forwarded-For: {address}\r\n\r\n".encode()
            client = await gateway.connect(request)
            if status == b"101":
                await upstream.agree()
            assert (await client.head())[9:12] == status
