"""Bodies of plain HTTP, both ways at the same time: who may send first, who may stop, and what happens to the rest."""

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of, values
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, passed, serving_http
from tests.support import Upstream

CHUNKED = head_of("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
EXPECT = head_of("PUT /big HTTP/1.1", "Host: a", "Content-Length: 5", "Expect: 100-Continue")
CONTINUE = head_of("HTTP/1.1 100 Continue")


def put(size: int, *lines: str) -> bytes:
    return head_of("PUT / HTTP/1.1", "Host: a", f"Content-Length: {size}", *lines)


async def pour(peer: Peer, size: int) -> None:
    """Send so many bytes, or as many as the other end takes."""
    block = b"x" * 65536
    try:
        while size > 0:
            await peer.send(block[:size])
            size -= len(block)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


# -- 100 ---------------------------------------------------------------------------------------------------------


async def test_a_client_that_waits_gets_the_upstreams_100_before_its_body_is_read() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, received = await passed(upstream, gateway, EXPECT)
        assert values(received, "expect") == ["100-continue"]
        await behind.send(CONTINUE)
        assert await client.head() == CONTINUE
        await client.send(b"hello")
        assert await behind.exactly(5) == b"hello"
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        await client.send(HTTP_GET)  # all of it is here, so that another one may follow
        await (await upstream.accept()).head()


async def test_a_client_that_does_not_wait_after_all_need_not() -> None:
    # RFC 9110, 10.1.1: curl waits for a second.
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, EXPECT)
        await client.send(b"hello")
        assert await behind.exactly(5) == b"hello"
        await behind.send(CONTINUE + HTTP_OK)
        assert await client.head() == CONTINUE
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK


@pytest.mark.parametrize("request_", [EXPECT + b"hello", EXPECT.replace(b"5", b"0")])
async def test_expect_is_not_passed_on_if_the_client_does_not_wait(request_: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, _, received = await passed(upstream, gateway, request_)
        assert values(received, "expect") == []


async def test_an_answer_instead_of_the_100_is_the_end() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        answer = HTTP_OK.replace(b"200 OK", b"413 Content Too Large")
        client, behind, _ = await passed(upstream, gateway, EXPECT)
        await behind.send(answer)
        assert values(await client.head(), "connection") == ["close"]
        # Further bytes are neither a body nor a request.
        await client.send(HTTP_GET)
        assert await client.rest() == b"ok"
        assert await behind.rest() == b""
        assert upstream.nobody_came()
        line = await gateway.lines.line("http")
        assert (line["status"], line["bytes_in"], line["level"]) == (413, 0, "info")
        assert "why" not in line


# -- answers before the end of the request -------------------------------------------------------------------------


async def test_an_early_answer_is_passed_on_while_the_client_still_sends() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, put(1 << 30))
        gateway.nursery.start_soon(pour, client, 1 << 30)
        await behind.exactly(100_000)
        await behind.send(HTTP_OK.replace(b"200 OK", b"401 Unauthorized"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert values(head, "connection") == ["close"]
        assert await client.rest() == b"ok"
        assert upstream.nobody_came()


async def test_an_early_answer_counts_also_if_the_upstream_hangs_up_on_the_body() -> None:
    # Closing with unread bytes is a reset; the bytes sent before it have arrived nevertheless.
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, put(1 << 30))
        gateway.nursery.start_soon(pour, client, 1 << 30)
        await behind.exactly(100_000)
        await behind.send(HTTP_OK)
        await behind.close()
        assert values(await client.head(), "connection") == ["close"]
        assert await client.rest() == b"ok"
        assert (await gateway.lines.line("http"))["status"] == 200


async def test_a_body_and_its_answer_may_pass_each_other() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, CHUNKED)
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"))
        assert values(await client.head(), "connection") == ["close"]
        for word in (b"one", b"two"):
            await client.send(b"3\r\n" + word + b"\r\n")
            assert await behind.exactly(8) == b"3\r\n" + word + b"\r\n"
            await behind.send(b"3\r\n" + word + b"\r\n")
            assert await client.exactly(8) == b"3\r\n" + word + b"\r\n"
        await client.send(b"0\r\n\r\n")
        assert await behind.exactly(5) == b"0\r\n\r\n"
        await behind.send(b"0\r\n\r\n")
        assert await client.rest() == b"0\r\n\r\n"


async def test_an_answer_that_the_end_of_the_request_overtakes_is_not_cut() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, put(5))
        await client.send(b"hello")
        await behind.exactly(5)
        await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 1000000"))
        gateway.nursery.start_soon(pour, behind, 1_000_000)
        assert values(await client.head(), "connection") == []
        assert len(await client.exactly(1_000_000)) == 1_000_000


# -- nothing is kept ---------------------------------------------------------------------------------------------


async def stuffed(peer: Peer) -> int:
    """Return how many bytes a peer can send before the gateway takes no more."""
    size = 0
    while True:
        with trio.move_on_after(0.2) as scope:  # until nothing moves for this time, by a virtual clock
            await peer.send(b"x" * 65536)
        if scope.cancelled_caught:
            return size
        size += 65536


@pytest.mark.parametrize("way", ["up", "down"])
async def test_data_is_not_read_while_the_other_side_does_not_read(way: str, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, put(1 << 40) if way == "up" else HTTP_GET)
        if way == "down":
            await behind.send(head_of("HTTP/1.1 200 OK", f"Content-Length: {1 << 40}"))
        # Two pairs of sockets, each with the kernel's buffers.
        assert await stuffed(client if way == "up" else behind) < 32 << 20


# -- what stays unfinished -----------------------------------------------------------------------------------------

SHORT: dict[str, tuple[bytes, bytes]] = {
    "of its length": (head_of("HTTP/1.1 200 OK", "Content-Length: 9") + b"hello", b"hello"),
    "of its chunks": (head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"9\r\nhello", b"5\r\nhello\r\n"),
    "behind a chunk": (head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n", b"5\r\nhello\r\n"),
}


@pytest.mark.parametrize(("answer", "part"), SHORT.values(), ids=SHORT)
async def test_an_answer_that_breaks_off_stays_unfinished(answer: bytes, part: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET + HTTP_GET)
        await behind.send(answer)
        await client.head()
        assert await client.exactly(len(part)) == part
        await behind.close()
        assert await client.rest() == b""
        assert upstream.nobody_came()
        line = await gateway.lines.line("http", level="warning")
        assert (line["status"], line["bytes_out"]) == (200, 5)
        assert line["why"].startswith("broke off: ")


async def test_an_answer_whose_rest_is_wrong_stays_unfinished() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        await client.head()
        assert await client.exactly(10) == b"5\r\nhello\r\n"
        await behind.send(b"0x\r\n\r\n")
        assert await client.rest() == b""
        line = await gateway.lines.line("http", level="warning", status=200)
        assert line["why"].startswith("broke off: malformed response: ")


async def test_an_incomplete_answer_to_http_1_0_ends_with_a_reset() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, b"GET / HTTP/1.0\r\n\r\n")
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        await client.head()
        await client.exactly(5)
        await behind.close()
        with pytest.raises(trio.BrokenResourceError):
            await client.rest()


async def test_a_lost_upstream_is_no_end_of_an_answer() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK") + b"hello")
        await client.head()
        await client.exactly(10)
        behind.reset()
        assert await client.rest() == b""
        assert "Connection reset by peer" in (await gateway.lines.line("http"))["why"]


@pytest.mark.parametrize("request_", [put(9), CHUNKED, CHUNKED + b"9\r\n"])
@pytest.mark.parametrize("gone", ["ended", "reset"])
async def test_a_request_that_breaks_off_never_ends_for_the_upstream(request_: bytes, gone: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, request_)
        if gone == "ended":
            await client.send_eof()
        else:
            client.reset()
        assert await behind.rest() == b""
        line = await gateway.lines.line("http", level="info")
        # Either the reader of the body or the watcher for hang-ups sees the reset first.
        reset = ("Connection reset by peer", "while it waited for its upstream")
        assert line["why"] in (("inside the body of its request",) if gone == "ended" else reset)
        assert "status" not in line


async def test_a_disconnected_client_costs_only_its_own_answer() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 100000000"))
        await client.head()
        client.reset()
        await pour(behind, 100_000_000)
        line = await gateway.lines.line("http", level="info", status=200)
        assert line["bytes_out"] < 100_000_000
        await answered(upstream, gateway, HTTP_GET, HTTP_OK)


async def test_a_client_that_ends_its_own_direction_still_gets_its_answer() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(put(5) + b"hello")
        await client.send_eof()
        behind = await upstream.accept()
        await behind.until(b"hello")
        await behind.send(HTTP_OK)
        assert await client.rest() == HTTP_OK
        await gateway.lines.line("disconnected", why="without another request", level="debug")
