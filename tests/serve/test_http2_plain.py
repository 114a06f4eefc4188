"""Plain requests over HTTP/2 reach the same upstream in the same way, by HTTP/1.1; bodies obey the windows of both."""

from typing import Any

import pytest
import trio
import trio.testing
from h2.connection import H2Connection
from h2.events import InformationalResponseReceived, WindowUpdated
from trio.testing import MockClock

from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.peers import Peer
from tests.serve.exchanging import HTTP_OK, serving_http, until_chunks_end
from tests.support import Upstream

from .http2 import GET, Client, fields, listener, method

WINDOW = 65535


async def test_a_request_and_its_answer_pass(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask([*GET, ("accept", "text/html"), ("te", "trailers")])
        behind = await upstream.accept()
        request = await behind.head()
        assert request.startswith(b"GET / HTTP/1.1\r\nHost: example.com\r\naccept: text/html\r\n")
        assert values(request, "x-forwarded-proto") == ["https"]
        for name in ("te", "transfer-encoding", "content-length"):
            assert values(request, name) == []
        await behind.send(
            head_of(
                "HTTP/1.1 200 OK", "Content-Length: 2", "X-One: 1", "Keep-Alive: 5", "Connection: X-Two", "X-Two: 2"
            )
            + b"ok"
        )
        assert await client.response(number) == {":status": "200", "content-length": "2", "x-one": "1"}
        assert await client.body(number) == b"ok"
        line = await gateway.lines.line("http")
        assert line.items() >= {
            "client": client.peer.name, "http": "2", "method": "GET", "path": "/", "status": 200, "bytes_out": 2
        }.items()  # fmt: skip
        assert "why" not in line


async def test_one_connection_serves_many_requests_at_once(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        numbers = [await client.ask(method("GET", f"/{at}")) for at in range(100)]
        behinds = {}
        for _ in numbers:
            behind = await upstream.accept()
            behinds[(await behind.head()).split()[1].decode()] = behind
        for at in reversed(range(100)):  # the last is answered first
            await behinds[f"/{at}"].send(head_of("HTTP/1.1 200 OK", "Content-Length: 3") + b"%3d" % at)
            assert (await client.response(numbers[at]))[":status"] == "200"
            assert await client.body(numbers[at]) == b"%3d" % at


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])
async def test_a_body_passes_as_the_upstream_takes_it(announced: bool, offered: str, authority: Authority) -> None:
    size = 1_000_000
    length = [("content-length", str(size))] if announced else []
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST", "/", *length), end=False)
        behind = await upstream.accept()
        received: list[bytes] = []

        async def read() -> None:
            head = await behind.head()
            assert values(head, "content-length") == ([str(size)] if announced else [])
            received.append(await behind.exactly(size) if announced else await until_chunks_end(behind))
            await behind.send(HTTP_OK)

        gateway.nursery.start_soon(read)
        body = bytes(range(256)) * (size // 256) + bytes(size % 256)
        await client.upload(number, body)
        assert (await client.response(number))[":status"] == "200"
        assert received == [body]


async def test_data_that_upstreams_do_not_take_is_not_acknowledged_and_blocks_no_stream(
    offered: str, authority: Authority
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        for _ in range(3):
            stalled = await client.ask(method("POST"), end=False)
            await upstream.accept()
            sent = 0
            with trio.CancelScope() as scope:
                gateway.nursery.start_soon(cancel_when_still, scope)
                while True:
                    room = min(client.h2.local_flow_control_window(stalled), client.h2.max_outbound_frame_size)
                    if room:
                        await client.say(stalled, bytes(room))
                        sent += room
                    else:
                        await client.hear()
            assert sent < 8_000_000  # the size of the kernels' buffers
        number = await client.ask(method("PUT", "/other"), end=False)
        other = await upstream.accept()
        gateway.nursery.start_soon(answer_upload, other)
        await client.upload(number, bytes(300_000))
        assert await client.body(number) == b"ok"


async def test_the_window_of_unread_data_of_a_closed_stream_is_given_back(authority: Authority) -> None:
    few = listener(authority.issue("localhost"), "streams: 1")
    async with Upstream() as upstream, serving_http(upstream.port, listener=few) as gateway:
        client = await Client.connect(gateway, authority)
        await client.event(WindowUpdated)
        for _ in range(10):  # together far more than the window of the connection
            while client.h2.outbound_flow_control_window < 3 * 16384:
                await client.hear()
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, method("POST"))
            for _ in range(3):
                client.h2.send_data(number, bytes(16384))
            client.h2.reset_stream(number)
            await client.flush()
            await gateway.lines.line("disconnected")
            gateway.lines.entries.clear()


async def cancel_when_still(scope: trio.CancelScope) -> None:
    """Cancel when nothing moves, so that neither the client's task nor the gateway's have anything to do."""
    await trio.testing.wait_all_tasks_blocked(0.05)
    scope.cancel()


async def answer_upload(peer: Peer) -> None:
    await peer.head()
    await until_chunks_end(peer)
    await peer.send(HTTP_OK)


async def test_an_answer_waits_for_the_windows_of_its_client(offered: str, authority: Authority) -> None:
    size = 4_000_000
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority, generous=False)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        sent = 0

        async def answer() -> None:
            nonlocal sent
            await behind.send(head_of("HTTP/1.1 200 OK", f"Content-Length: {size}"))
            for _ in range(size // 10_000):
                await behind.send(bytes(10_000))
                sent += 10_000

        gateway.nursery.start_soon(answer)
        assert await client.exactly(number, WINDOW) == bytes(WINDOW)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert sent < size
        # Another stream has no room either, because the connection's window is shared; then both have.
        client.h2.increment_flow_control_window(2**30)
        client.h2.increment_flow_control_window(2**30, number)
        await client.flush()
        assert len(await client.body(number)) == size - WINDOW


async def test_a_stream_without_room_does_not_hold_the_others(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority, generous=False)
        client.h2.increment_flow_control_window(2**30)
        stalled = await client.ask(method("GET", "/stalled"))
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 100000") + bytes(100_000))
        assert await client.exactly(stalled, WINDOW) == bytes(WINDOW)
        for at in range(20):
            number = await client.ask(method("GET", f"/{at}"))
            other = await upstream.accept()
            await other.head()
            await other.send(head_of("HTTP/1.1 200 OK", "Content-Length: 60000") + bytes(60_000))
            assert await client.body(number) == bytes(60_000)


async def test_a_client_that_takes_nothing_of_its_answer_is_cut_in_time(
    offered: str, authority: Authority, autojump_clock: MockClock
) -> None:
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=offered, timeouts="send: 200ms, close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority, generous=False)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        answer = head_of("HTTP/1.1 200 OK", "Content-Length: 100000000") + bytes(100_000_000)
        with pytest.raises(trio.BrokenResourceError):
            await behind.send(answer)
        line = await gateway.lines.line("http")
        assert line["why"] == "the client takes nothing of its answer for 0.2 s"
        assert await client.code(number) == 2  # INTERNAL_ERROR


# -- what makes an answer whole --------------------------------------------------------------------------------


async def test_an_answer_without_a_length_ends_with_its_stream(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 200 OK") + b"until the end")
        await behind.close()
        assert await client.body(number) == b"until the end"


async def test_an_answer_that_breaks_off_is_reset(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        assert await client.exactly(number, 5) == b"hello"
        await behind.close()
        assert await client.code(number) == 2  # INTERNAL_ERROR
        assert (await gateway.lines.line("http"))["level"] == "warning"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_without_a_body_has_none(status: str, offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of(f"HTTP/1.1 {status}", "ETag: x"))
        assert await client.response(number) == {":status": status[:3], "etag": "x"}
        assert await client.body(number) == b""


async def test_the_answer_to_head_has_a_length_and_no_body(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("HEAD"))
        behind = await upstream.accept()
        assert (await behind.head()).startswith(b"HEAD / HTTP/1.1\r\n")
        await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 7"))
        assert await client.response(number) == {":status": "200", "content-length": "7"}
        assert await client.body(number) == b""


async def test_a_client_that_waits_for_a_100_gets_it_and_other_interim_answers(
    offered: str, authority: Authority
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        headers = method("POST", "/", ("expect", "100-continue"), ("content-length", "2"))
        number = await client.ask(headers, end=False)
        behind = await upstream.accept()
        assert values(await behind.head(), "expect") == ["100-continue"]
        await behind.send(head_of("HTTP/1.1 103 Early Hints", "Link: </a>") + head_of("HTTP/1.1 100 Continue"))
        assert fields(await client.event(InformationalResponseReceived, number)) == {":status": "103", "link": "</a>"}
        assert fields(await client.event(InformationalResponseReceived, number)) == {":status": "100"}
        await client.say(number, b"hi", end=True)
        assert await behind.exactly(2) == b"hi"
        await behind.send(HTTP_OK)
        assert await client.body(number) == b"ok"


async def test_an_answer_before_the_body_is_whole_ends_the_stream(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST", "/", ("content-length", "10")), end=False)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 413 Content Too Large", "Content-Length: 0"))
        assert (await client.response(number))[":status"] == "413"
        assert await client.body(number) == b""
        assert await client.code(number) == 0  # NO_ERROR: it need not send more


async def test_trailers_are_dropped_in_both_directions(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST"), end=False)
        await client.say(number, b"hi")
        client.h2.send_headers(number, [("x-trailer", "1")], end_stream=True)
        await client.flush()
        behind = await upstream.accept()
        await behind.head()
        assert await until_chunks_end(behind) == b"hi"
        chunked = head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum")
        await behind.send(chunked + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")
        assert await client.body(number) == b"ok"


# -- requests that end otherwise -------------------------------------------------------------------------------


async def test_a_request_that_is_reset_is_not_whole_for_the_upstream(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST"), end=False)
        await client.say(number, b"half")
        behind = await upstream.accept()
        await behind.head()
        assert await behind.exactly(9) == b"4\r\nhalf\r\n"
        await client.reset(number)
        assert await behind.rest() == b""
        line = await gateway.lines.line("http")
        assert line["why"] == "the client disconnected before its answer was whole"


async def test_trailers_do_not_hide_that_a_body_is_short(offered: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST", "/", ("content-length", "10")), end=False)
        await client.say(number, b"half")
        client.h2.send_headers(number, [("x-trailer", "1")], end_stream=True)
        await client.flush()
        behind = await upstream.accept()
        await behind.head()
        assert await behind.rest() == b"half"
        assert await client.code(number) == 1  # PROTOCOL_ERROR


async def test_a_body_that_is_longer_than_announced_ends_the_connection(offered: str, authority: Authority) -> None:
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, listener=offered, timeouts="close: 100ms") as gateway,
    ):
        client = await Client.connect(gateway, authority)
        number = await client.ask(method("POST", "/", ("content-length", "2")), end=False)
        behind = await upstream.accept()
        await behind.head()
        await client.say(number, b"hi, GET /admin HTTP/1.1")
        await client.until_closed()
        assert await behind.rest() == b""
        line = await gateway.lines.line("refused")
        assert line["why"] == "HTTP/2: InvalidBodyLengthError"


async def test_a_request_that_no_route_takes_is_refused_as_on_any_connection(
    offered: str, authority: Authority
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered, path="/site") as gateway:
        client = await Client.connect(gateway, authority)
        number = await client.ask(GET)
        assert (await client.response(number))[":status"] == "404"
        assert await client.body(number) == b"404 Not Found: route-missing\n"


async def test_a_bug_of_ours_costs_no_other_stream(
    offered: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = H2Connection.send_headers

    def failing(self: H2Connection, stream_id: int, *arguments: Any, **more: Any) -> None:
        assert stream_id != 3 or self.config.client_side, "as if h2 did not like what we say"
        send(self, stream_id, *arguments, **more)

    monkeypatch.setattr(H2Connection, "send_headers", failing)
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        first = await client.ask(GET)
        behind = await upstream.accept()
        await behind.head()
        second = await client.ask(GET)
        other = await upstream.accept()
        await other.head()
        await other.send(HTTP_OK)
        assert await client.code(second) == 2  # INTERNAL_ERROR
        await behind.send(HTTP_OK)
        assert await client.body(first) == b"ok"
        gateway.lines.entries.remove(await gateway.lines.line("bug", client=client.peer.name))
