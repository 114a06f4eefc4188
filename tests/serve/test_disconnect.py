"""Clients that disconnect while an upstream thinks: the upstream's connection closes soon, and their place is free.

The clock jumps when every task waits: a step without waiting takes no time.
"""

import socket
from collections.abc import Awaitable, Callable

import pytest
import trio
from h2.events import DataReceived
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.heads import head_of, switching
from tests.net.certificates import Authority, authority
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.peers import Peer
from tests.serve.disconnecting import EVENTS, ONE, within
from tests.serve.exchanging import HTTP_GET, HTTP_OK, passed, serving_http
from tests.serve.http2 import CONNECT, GET, Client, listener
from tests.support import Upstream, serving
from wsgateway.serve.disconnect import GRACE_SECONDS

__all__ = ["authority"]

MODERN = BY_DIALECT["rfc6455"].request
# The time within which the place of a disconnected client must be free, and the upstream of a poll must be closed.
PLACE_SECONDS = 0.2
POLL_SECONDS = 1.0

Leave = Callable[[Peer], Awaitable[None]]


async def close(peer: Peer) -> None:
    await peer.close()


async def half_close(peer: Peer) -> None:
    await peer.send_eof()


async def half_close_behind_bytes(peer: Peer) -> None:
    await peer.send(b"\x81\x85" + bytes(9) + b"x" * 10_000)
    await peer.send_eof()


async def reset(peer: Peer) -> None:
    peer.reset()


WAYS: dict[str, tuple[Leave, float]] = {
    # How a client disconnects, and how long it may take until that is known.
    "closes": (close, GRACE_SECONDS),
    "half-closes": (half_close, GRACE_SECONDS),
    "half-closes behind bytes": (half_close_behind_bytes, GRACE_SECONDS),
    "resets": (reset, 0),
}
each_way = pytest.mark.parametrize(("leave", "seconds"), WAYS.values(), ids=WAYS)


def test_the_grace_after_a_half_close_is_shorter_than_the_time_to_free_a_place() -> None:
    assert GRACE_SECONDS < PLACE_SECONDS


# -- WebSocket -------------------------------------------------------------------------------------------------------


@each_way
async def test_a_client_that_disconnects_while_the_upstream_thinks_frees_its_place(
    leave: Leave, seconds: float, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port, behind=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, MODERN)
        async with within(seconds):
            await leave(client)
            assert await behind.rest() == b""
        line = await gateway.lines.line("disconnected", client=client.name)
        assert (line["level"], line["why"]) == ("info", "while it waited for its upstream")
        async with within(0):
            client = await gateway.connect(MODERN)
            await upstream.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        pool = gateway.service.status()["pools"]
        assert isinstance(pool, dict)
        assert (pool["behind"]["open"], pool["behind"]["failures"]) == (1, {})


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_client_of_each_dialect_that_half_closes_counts_as_disconnected(
    opening: Opening, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, opening.request)
        async with within(GRACE_SECONDS):
            await client.send_eof()
            assert await behind.rest() == b""
        assert await client.rest() == b""


async def test_a_program_that_sends_its_request_and_an_end_gets_an_answer_that_comes_at_once(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN)
        await client.send_eof()
        behind = await upstream.accept()
        await behind.send(switching(await behind.head()))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_search_ends_if_the_client_disconnects_while_no_upstream_accepts(autojump_clock: MockClock) -> None:
    # Linux takes one connection more than the backlog, and then lets all others wait.
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        async with serving(full.getsockname()[1]) as gateway:
            client = await gateway.connect(MODERN)
            await wait_all_tasks_blocked()
            async with within(GRACE_SECONDS):
                await client.close()
                await gateway.lines.line("disconnected", client=client.name)
            status = gateway.service.status()["pools"]
            assert isinstance(status, dict)
            assert status["behind"]["open"] == 0


async def test_a_client_over_tls_that_disconnects_frees_its_place(
    authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=secure, behind=ONE) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN)
        behind = await upstream.accept()
        await behind.head()
        async with within(GRACE_SECONDS):
            await client.close()
            assert await behind.rest() == b""


async def test_a_client_that_disconnects_inside_a_refusal_frees_its_place(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, behind=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, MODERN)
        await behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 10") + b"first")
        await client.until(b"first")
        async with within(GRACE_SECONDS):
            await client.close()
            assert await behind.rest() == b""


async def test_a_stream_of_http_2_that_is_reset_frees_its_place(
    authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving(upstream.port, listener=secure, behind=ONE) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(CONNECT, end=False)
        behind = await upstream.accept()
        await behind.head()
        async with within(0):
            await client.reset(number)
            assert await behind.rest() == b""
        number = await client.ask(CONNECT, end=False)
        behind = await upstream.accept()
        await behind.head()
        async with within(GRACE_SECONDS):
            await client.say(number, b"", end=True)
            assert await behind.rest() == b""


# -- plain HTTP ------------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize("begun", [b"", EVENTS], ids=["a poll", "events"])
async def test_the_upstream_is_closed_if_a_page_disconnects(
    begun: bytes, leave: Leave, seconds: float, autojump_clock: MockClock
) -> None:
    assert seconds < POLL_SECONDS
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        if begun:
            await behind.send(begun)
            await client.until(b"first")
        await wait_all_tasks_blocked()
        async with within(seconds):
            await leave(client)
            assert await behind.rest() == b""
        line = await gateway.lines.line("http", client=client.name)
        assert (line["level"], line["why"]) == ("info", "while it waited for its upstream")
        async with within(0):
            client, behind, _ = await passed(upstream, gateway, HTTP_GET)
            await behind.send(HTTP_OK)
            await client.until(b"ok")


async def test_the_upstream_is_closed_if_a_client_disconnects_during_a_body_that_is_not_read(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, head_of("PUT / HTTP/1.1", "Host: a", "Content-Length: 9"))
        await client.send(b"12345678")
        assert await behind.exactly(8) == b"12345678"
        async with within(0):
            client.reset()
            assert await behind.rest() == b""


async def test_a_client_that_has_ended_its_direction_gets_an_answer_that_keeps_coming(
    autojump_clock: MockClock,
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await client.send_eof()
        await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 50"))
        for _ in range(10):
            await trio.sleep(GRACE_SECONDS * 0.9)
            await behind.send(b"piece")
        assert (await client.rest()).endswith(b"\r\n\r\n" + b"piece" * 10)


async def test_a_disconnected_client_is_no_failure_of_its_target(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await client.close()
        await behind.rest()
        pools = gateway.service.status()["pools"]
        assert isinstance(pools, dict)
        assert (pools["site"]["open"], pools["site"]["failures"], pools["site"]["served"]) == (0, {}, {})


@pytest.mark.parametrize("begun", [b"", EVENTS], ids=["a poll", "events"])
async def test_the_upstream_is_closed_if_a_stream_of_http_2_is_reset(
    begun: bytes, authority: Authority, autojump_clock: MockClock
) -> None:
    secure = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, listener=secure) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)  # its END_STREAM comes with it, and does not mean a disconnect
        behind = await upstream.accept()
        await behind.head()
        await trio.sleep(2)
        if begun:
            await behind.send(begun)
            await client.event(DataReceived, number)
            await trio.sleep(2)
        async with within(0):
            await client.reset(number)
            assert await behind.rest() == b""


# -- polls and events that wait ----------------------------------------------------------------------------------------

SHORT = "send: 1s, response: 5s"


@pytest.mark.parametrize("begun", [b"", EVENTS], ids=["a poll", "events"])
async def test_an_upstream_may_think_longer_than_the_send_timeout(begun: bytes, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        if begun:
            await behind.send(begun)
            await client.until(b"first")
        await trio.sleep(4.9)
        await behind.send(b"6\r\nsecond\r\n0\r\n\r\n" if begun else head_of("HTTP/1.1 200 OK", "X: second") + b"second")
        await client.until(b"second")


@pytest.mark.parametrize("begun", [b"", EVENTS], ids=["a poll", "events"])
async def test_an_upstream_that_thinks_longer_than_the_response_timeout_is_cut(
    begun: bytes, autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(begun)
        async with within(5):
            assert await behind.rest() == b""
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 " if begun else b"HTTP/1.1 504 ")
        assert (await gateway.lines.line("http"))["why"] == "the upstream is silent for 5 s"


async def test_an_upstream_may_think_for_ever_without_a_response_timeout(autojump_clock: MockClock) -> None:
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, site=ONE, timeouts="send: 1s, response: none") as gateway,
    ):
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await trio.sleep(9)
        await behind.send(HTTP_OK)
        await client.until(b"ok")


async def test_the_response_timeout_of_an_upload_counts_from_its_end(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site=ONE, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, head_of("PUT / HTTP/1.1", "Host: a", "Content-Length: 2"))
        await trio.sleep(0.9)
        await client.send(b"1")
        await trio.sleep(0.9)
        await client.send(b"2")
        assert await behind.exactly(2) == b"12"
        await trio.sleep(4.9)
        await behind.send(HTTP_OK)
        await client.until(b"ok")
