"""Answers of upstreams over TLS that end with the connection: complete after a close_notify, cut without one (RFC 9112,
9.8), for plain requests and for refused WebSockets."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from tests.heads import head_of
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.serve.exchanging import passed
from tests.support import Running, Upstream, serving_text

CONFIGURATION = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
routes:
  - {{match: {{path: {{prefix: /}}, upgrade: true}}, upstream: chat}}
  - {{match: {{path: {{prefix: /}}}}, http_upstream: site}}
upstreams:
  chat: {{targets: [{{url: "wss://127.0.0.1:{port}", tls: {tls}}}]}}
  site: {{targets: [{{url: "https://127.0.0.1:{port}", tls: {tls}}}]}}
"""
GET = head_of("GET / HTTP/1.1", "Host: example.com")
OLD_GET = head_of("GET / HTTP/1.0", "Host: example.com")
UPGRADE = BY_DIALECT["rfc6455"].request
REQUESTS = pytest.mark.parametrize("request_", [GET, UPGRADE], ids=["a plain request", "an upgrade"])


async def notify(peer: Peer) -> None:
    """End TLS by a close_notify, without waiting for ours."""
    assert peer.tls is not None
    with suppress(trio.BrokenResourceError):
        await peer.tls.unwrap()


async def close(peer: Peer) -> None:
    await peer.stream.aclose()


async def reset(peer: Peer) -> None:
    peer.reset()


CUTS = pytest.mark.parametrize("end", [close, reset])


@asynccontextmanager
async def answered_over_tls(
    authority: Authority, request: bytes, answer: bytes
) -> AsyncIterator[tuple[Running, Peer, Peer]]:
    """Yield a gateway, a client that has sent a request, and the server over TLS that has sent an answer to it."""
    tls = f"{{ca: {authority.file}, server_name: localhost}}"
    async with (
        Upstream(authority.server) as upstream,
        serving_text(CONFIGURATION.format(port=upstream.port, tls=tls)) as gateway,
    ):
        client, behind, _ = await passed(upstream, gateway, request)
        await behind.send(answer)
        yield gateway, client, behind


@REQUESTS
async def test_an_answer_that_ends_by_a_close_notify_is_complete(request_: bytes, authority: Authority) -> None:
    answer = head_of("HTTP/1.1 403 Forbidden") + b"no"
    async with answered_over_tls(authority, request_, answer) as (gateway, client, behind):
        gateway.nursery.start_soon(notify, behind)
        await client.head()
        assert await client.until(b"0\r\n\r\n") == b"2\r\nno\r\n0\r\n\r\n"


@REQUESTS
@CUTS
async def test_an_answer_that_ends_without_a_close_notify_is_cut(
    request_: bytes, end: Callable[[Peer], Awaitable[None]], authority: Authority
) -> None:
    answer = head_of("HTTP/1.1 403 Forbidden") + b"no"
    async with answered_over_tls(authority, request_, answer) as (gateway, client, behind):
        await client.head()
        assert await client.exactly(7) == b"2\r\nno\r\n"
        await end(behind)
        assert await client.rest() == b""
        await client.close()
        why = {GET: "broke off: lost", UPGRADE: "the upstream's 403 broke off: lost"}[request_]
        event = {GET: "http", UPGRADE: "upstream failed"}[request_]
        await gateway.lines.line(event, why=f"{why}: TLS ended without a close_notify")


@CUTS
async def test_an_incomplete_answer_without_a_length_ends_with_a_reset(
    end: Callable[[Peer], Awaitable[None]], authority: Authority
) -> None:
    answer = head_of("HTTP/1.1 200 OK") + b"some"
    async with answered_over_tls(authority, OLD_GET, answer) as (_, client, behind):
        await client.head()
        assert await client.exactly(4) == b"some"
        await end(behind)
        with pytest.raises(trio.BrokenResourceError):
            await client.rest()


@CUTS
async def test_an_answer_with_a_length_is_complete_however_the_connection_ends(
    end: Callable[[Peer], Awaitable[None]], authority: Authority
) -> None:
    answer = head_of("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok"
    async with answered_over_tls(authority, GET, answer) as (gateway, client, behind):
        await end(behind)
        await client.head()
        assert await client.exactly(2) == b"ok"
        assert "why" not in await gateway.lines.line("http")
