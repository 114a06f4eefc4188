"""Clients that end TLS and keep their connection, as many do that wait for the other end of it: they have left, too.

The clock jumps when everybody waits: what takes no time takes none.
"""

from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.heads import head_of, switching
from tests.net.certificates import Authority, authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.serve.disconnecting import EVENTS, ONE, within
from tests.serve.exchanging import HTTP_GET, HTTP_OK, passed, serving_http
from tests.serve.http2 import listener
from tests.support import Upstream, serving
from wsgateway.serve.disconnect import GRACE_SECONDS

__all__ = ["authority"]

MODERN, HELLO = BY_DIALECT["rfc6455"].request, BY_DIALECT["rfc6455"].hello
PUT = head_of("PUT / HTTP/1.1", "Host: a", "Content-Length: 9")


async def end_tls(client: Peer) -> None:
    """Send a close_notify, and wait for that of the gateway; the connection stays."""
    assert client.tls is not None
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await client.tls.unwrap()


ENCRYPTED = pytest.mark.parametrize("behind_it", [b"", HELLO, bytes(10_000)], ids=["", "a message", "many bytes"])


@ENCRYPTED
async def test_a_client_that_ends_tls_and_keeps_its_connection_frees_its_place(
    behind_it: bytes, authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=secure, behind=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, MODERN + behind_it, authority.client())
        await wait_all_tasks_blocked()
        async with within(GRACE_SECONDS):
            gateway.nursery.start_soon(end_tls, client)
            assert await behind.rest() == b""
        await gateway.lines.line("disconnected", client=client.name)


async def test_a_client_that_has_ended_tls_has_no_session_with_an_upstream_that_agrees_then(
    authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=secure) as gateway:
        client, behind, request = await passed(upstream, gateway, MODERN, authority.client())
        async with within(0):
            gateway.nursery.start_soon(end_tls, client)
            await wait_all_tasks_blocked()
            await behind.send(switching(request))
            assert await behind.rest() == b""


@pytest.mark.parametrize("dialect", ["rfc6455", "hixie-76"])
async def test_what_a_client_says_over_tls_before_its_upstream_agrees_is_not_lost(
    dialect: str, authority: Authority, autojump_clock: MockClock
) -> None:
    opening = BY_DIALECT[dialect]
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=secure) as gateway:
        client, behind, request = await passed(upstream, gateway, opening.head, authority.client())
        await client.send(opening.challenge + opening.hello)
        await wait_all_tasks_blocked()
        await client.send(opening.hello * 4000)
        await wait_all_tasks_blocked()
        await behind.send(switching(request))
        for _ in range(4001):
            assert await behind.frame() == (0x81, b"Hello")


# -- plain HTTP -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [b"", EVENTS], ids=["a poll", "events"])
@pytest.mark.parametrize(
    "said",
    [[HTTP_GET], [HTTP_GET, HTTP_GET], [PUT, b"12345", b"6789"], [PUT, b"12345", b"6789" + HTTP_GET]],
    ids=["", "behind another request", "behind its body", "behind its body and a request"],
)
async def test_a_page_that_ends_tls_and_keeps_its_connection_is_told_to_the_upstream(
    said: list[bytes], begun: bytes, authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, listener=secure) as gateway:
        client, behind, _ = await passed(upstream, gateway, said[0], authority.client())
        for each in said[1:]:
            await client.send(each)
            await wait_all_tasks_blocked()
        await behind.send(begun)
        if begun:
            await client.until(b"first")
        if PUT in said:
            assert await behind.exactly(9) == b"123456789"
        async with within(GRACE_SECONDS):
            gateway.nursery.start_soon(end_tls, client)
            assert await behind.rest() == b""
        line = await gateway.lines.line("http", client=client.name)
        assert line["why"] == "while it waited for its upstream"


async def test_an_end_of_tls_that_comes_with_the_end_of_a_body_is_seen(
    authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, listener=secure) as gateway:
        client, behind, _ = await passed(upstream, gateway, PUT, authority.client())
        async with within(GRACE_SECONDS):
            await client.send(b"123456789")
            await end_tls(client)
            assert await behind.rest() == b"123456789"


async def test_the_next_request_over_tls_is_not_lost_while_the_last_is_answered(
    authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, listener=secure) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET, authority.client())
        await client.send(head_of("PUT /next HTTP/1.1", "Host: a", "Content-Length: 50000"))
        await wait_all_tasks_blocked()
        await client.send(bytes(50_000))
        await wait_all_tasks_blocked()
        await behind.send(HTTP_OK)
        await client.until(b"ok")
        await behind.close()
        behind = await upstream.accept()
        assert (await behind.head()).startswith(b"PUT /next ")
        assert await behind.exactly(50_000) == bytes(50_000)
        await behind.send(HTTP_OK)
        await client.until(b"ok")
