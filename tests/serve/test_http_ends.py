"""The timeouts of plain HTTP, the side that is blamed, and all other ends: faults, limits, a stop."""

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of, values
from tests.net.certificates import Authority, authority
from tests.openings import RFC6455
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, passed, serving_http, until_chunks_end
from tests.support import Running, Upstream, dead_port, serving_text

__all__ = ["authority"]

SHORT = "send: 200ms, response: 300ms, handshake: 30s, connect: 30s, close: 30s"
POST = head_of("POST / HTTP/1.1", "Host: a", "Content-Length: 5")
EXPECT = head_of("POST / HTTP/1.1", "Host: a", "Content-Length: 5", "Expect: 100-continue")
ENDLESS = head_of("PUT / HTTP/1.1", "Host: a", f"Content-Length: {1 << 40}")


async def refused(gateway: Running, client: Peer, status: int, why: str) -> None:
    """Check that a client is refused by the gateway, and that the log says so."""
    head = await client.head()
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert values(head, "connection") == ["close"]
    text = await client.rest()
    line = await gateway.lines.line("http", status=status)
    assert line["why"].startswith(why)
    # The details are only in the log.
    assert text.endswith(f": {line['reason']}\n".encode())


# -- too slow ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [HTTP_GET, POST + b"hello", EXPECT])
async def test_an_upstream_that_does_not_answer_is_504(request_: bytes, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, request_)
        await behind.send(b"HTTP/1.1 200 OK\r\n")
        await refused(gateway, client, 504, "the upstream is silent for 0.3 s")


@pytest.mark.parametrize("request_", [POST, POST + b"hell"])
async def test_a_client_that_does_not_send_its_body_is_408(request_: bytes, autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, request_)
        await refused(gateway, client, 408, "nothing more of the request's body for 0.2 s")
        assert await behind.rest() == request_.partition(b"\r\n\r\n")[2]


async def test_an_upstream_that_does_not_read_is_504(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts=SHORT) as gateway:
        client, _, _ = await passed(upstream, gateway, ENDLESS)
        gateway.nursery.start_soon(pour, client)
        await refused(gateway, client, 504, "the upstream takes nothing of its request for 0.2 s")


async def pour(peer: Peer) -> None:
    """Send until the other side takes no more."""
    try:
        while True:
            await peer.send(b"x" * 65536)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def test_a_client_that_does_not_read_is_closed_in_time(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts=SHORT) as gateway:
        _, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK", f"Content-Length: {1 << 40}"))
        await pour(behind)
        line = await gateway.lines.line("http", level="info", status=200)
        assert line["why"] == "the client takes nothing of its answer for 0.2 s"


async def test_an_answer_that_stops_stays_unfinished(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts=SHORT) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        await client.head()
        assert await client.rest() == b"5\r\nhello\r\n"
        line = await gateway.lines.line("http", level="warning", status=200)
        assert line["why"] == "the upstream is silent for 0.3 s"


MOVES: dict[str, tuple[bytes, list[bytes], list[bytes]]] = {
    # The request, and the ends of the client and of the upstream; both are slow.
    "the request": (POST, [b"h", b"e", b"l", b"l", b"o"], [HTTP_OK]),
    "interim answers": (HTTP_GET, [], [head_of("HTTP/1.1 102 Processing")] * 5 + [HTTP_OK]),
    "the answer's head": (HTTP_GET, [], [HTTP_OK[:1], HTTP_OK[1:2], HTTP_OK[2:9], HTTP_OK[9:10], HTTP_OK[10:]]),
    "the answer": (HTTP_GET, [], [HTTP_OK[:-2], b"o", b"k"]),
}


@pytest.mark.parametrize(("request_", "up", "down"), MOVES.values(), ids=MOVES)
async def test_an_exchange_in_which_bytes_move_may_take_longer(
    request_: bytes, up: list[bytes], down: list[bytes], autojump_clock: MockClock
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts="send: 500ms, response: 500ms") as gateway:
        client, behind, _ = await passed(upstream, gateway, request_)
        # Each step is in time; together they take longer than the timeout of one.
        for peer, pieces in (client, up), (behind, down):
            for piece in pieces:
                await trio.sleep(0.2)
                await peer.send(piece)
        await client.until(b"\r\n\r\nok")


# -- connections that wait ---------------------------------------------------------------------------------------


async def test_a_client_without_another_request_is_closed_without_an_answer(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts="handshake: 200ms") as gateway:
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        assert await client.rest() == b"ok"
        line = await gateway.lines.line("disconnected", level="debug")
        assert line["why"] == "without another request within 0.2 s"


async def test_half_a_request_after_another_one_is_408(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts="handshake: 200ms") as gateway:
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        await client.exactly(2)
        await client.send(HTTP_GET[:-1])
        assert (await client.head()).startswith(b"HTTP/1.1 408 ")
        await gateway.lines.line("refused", status=408, level="info", why="no whole request within 0.2 s")


async def test_each_request_has_all_of_the_time_for_its_head(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, timeouts="handshake: 500ms") as gateway:
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        await client.exactly(2)
        request = head_of("GET / HTTP/1.1", *RFC6455)
        await trio.sleep(0.35)  # a client that waits before and inside its request: together longer than one timeout
        await client.send(request[:9])
        await trio.sleep(0.35)
        await client.send(request[9:])
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_a_client_that_is_reset_between_requests_is_no_fault(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        await client.exactly(2)
        client.reset()
        await gateway.lines.line("disconnected", level="debug", why="without another request")


# -- upstreams that fail -----------------------------------------------------------------------------------------

WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no answer: malformed response"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-", "no answer: malformed response"),
    "interim answers alone": (head_of("HTTP/1.1 103 Early Hints"), "no answer: malformed response"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", "no answer: malformed response"),
    "a head that is too large": (head_of("HTTP/1.1 200 OK", "A: " + "x" * 65536), "no answer: the head is larger"),
    "too many headers": (head_of("HTTP/1.1 200 OK", *["A: 1"] * 201), "no answer: 201 headers"),
    "two lengths": (head_of("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2"), "no answer: malformed"),
    "another coding": (head_of("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"), "no answer: malformed"),
    "a NUL": (head_of("HTTP/1.1 200 OK", "A: \0"), "no answer: malformed"),
    "bad chunks with the head": (
        head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"x\r\n",
        "broke off: malformed response",
    ),
}


@pytest.mark.parametrize(("answer", "why"), WRONG.values(), ids=WRONG)
async def test_a_malformed_answer_is_502(answer: bytes, why: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(answer)
        await behind.send_eof()
        if answer.startswith(b"HTTP/1.1 103"):
            await client.head()
        await refused(gateway, client, 502, why)


async def test_an_upstream_that_hangs_up_is_502() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        behind.reset()
        await refused(gateway, client, 502, "no answer: lost: Connection reset by peer")


async def test_an_upstream_that_refuses_connections_is_502() -> None:
    with dead_port() as port:
        async with serving_http(port) as gateway:
            client = await gateway.connect(POST)
            await refused(gateway, client, 502, f"no connection to 127.0.0.1:{port}: ")


async def test_an_upstream_has_a_limit_of_connections() -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site="max_connections: 1") as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        other = await gateway.connect(HTTP_GET)
        await refused(gateway, other, 503, "too many connections")
        await behind.send(HTTP_OK)
        await client.until(b"ok")
        # A client that waits for its next request does not count.
        await answered(upstream, gateway, HTTP_GET, HTTP_OK)


# -- a stop ------------------------------------------------------------------------------------------------------


async def test_a_gateway_that_stops_closes_idle_connections_and_lets_others_finish() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        idle, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        busy, behind, _ = await passed(upstream, gateway, HTTP_GET + HTTP_GET)
        half, other, _ = await passed(upstream, gateway, HTTP_GET + HTTP_GET)
        await other.send(head_of("HTTP/1.1 200 OK", "Content-Length: 5") + b"he")
        await half.until(b"\r\n\r\nhe")
        gateway.service.drain()

        assert await idle.rest() == b"ok"
        await gateway.lines.line("disconnected", why="when the gateway stopped", level="debug")
        await behind.send(HTTP_OK)
        assert values(await busy.head(), "connection") == ["close"]
        assert await busy.rest() == b"ok"
        await busy.close()
        await other.send(b"llo")
        assert await half.rest() == b"llo"
        await half.close()
        await gateway.stopped.wait()
        assert upstream.nobody_came()


async def test_exchanges_that_do_not_finish_when_the_gateway_stops_are_cut_off() -> None:
    async with (
        Upstream() as upstream,
        serving_http(upstream.port, timeouts="close: 50ms", shutdown="drain: 50ms") as gateway,
    ):
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
        await client.head()
        gateway.service.drain()
        assert await client.rest() == b"5\r\nhello\r\n"
        await gateway.stopped.wait()
        assert (await gateway.lines.line("http", status=200))["why"] == "cut off by the gateway"


# -- encrypted ---------------------------------------------------------------------------------------------------

ENCRYPTED = """\
version: 1
listeners:
  - bind: ["127.0.0.1:0"]
    tls: {{certificates: [{{hosts: [localhost], certificate: {pem}, private_key: {pem}}}]}}
routes: [{{match: {{path: {{prefix: /}}}}, http_upstream: site}}]
upstreams: {{site: {{targets: [{{url: "https://localhost:{port}", tls: {tls}}}]}}}}
"""


@pytest.mark.parametrize("trusted", [True, False])
async def test_both_sides_may_be_encrypted(authority: Authority, trusted: bool) -> None:
    pem = authority.issue("localhost")
    tls = f"{{ca: {authority.file}}}" if trusted else "{}"
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    text = ENCRYPTED.format(pem=pem, port=listener.socket.getsockname()[1], tls=tls)

    async def serve(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, authority.server, server_side=True, https_compatible=True)
        peer = Peer(stream, secure)
        try:
            head = await peer.head()
        except trio.BrokenResourceError:
            return
        assert values(head, "x-forwarded-proto") == ["https"]
        # All at once, in both directions.
        await secure.send_all(head_of("HTTP/1.1 200 OK", "Content-Length: 3000000"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(secure.send_all, b"y" * 3_000_000)
            assert await until_chunks_end(peer) == b"x" * 3_000_000

    async with serving_text(text) as gateway:
        gateway.nursery.start_soon(trio.serve_listeners, serve, [listener])
        stream = await trio.open_tcp_stream("127.0.0.1", gateway.port)
        client = trio.SSLStream(stream, authority.client(), server_hostname="localhost", https_compatible=True)
        await client.send_all(head_of("POST / HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked"))
        data = b""

        async def upload() -> None:
            await client.send_all(b"2dc6c0\r\n" + b"x" * 3_000_000 + b"\r\n0\r\n\r\n")

        if trusted:
            gateway.nursery.start_soon(upload)
        while more := await client.receive_some():
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        if trusted:
            assert body == b"y" * 3_000_000
        else:
            assert head.startswith(b"HTTP/1.1 502 ")
            assert "certificate" in (await gateway.lines.line("http", level="warning"))["why"]
        await stream.aclose()
