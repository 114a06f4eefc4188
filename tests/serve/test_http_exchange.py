"""Plain HTTP through the gateway: a request and its answer on the other side, byte for byte."""

import pytest
import trio

from tests.heads import head_of, values
from tests.serve.exchanging import (
    HTTP_GET,
    HTTP_OK,
    answered,
    http_configuration,
    passed,
    serving_http,
    until_chunks_end,
)
from tests.support import Upstream

# -- requests ----------------------------------------------------------------------------------------------------


async def test_a_request_is_passed_on_with_its_end_to_end_headers() -> None:
    request = head_of(
        "GET /a%20b?c=d&e HTTP/1.1",
        "accept: */*",
        "Connection: keep-alive, X-Hop,x_too",
        "Host: example.com:8080",
        "X-Hop: 1",
        "x_Too: 1",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Trailer: X-Sum",
        "Proxy-Connection: keep-alive",
        "Cookie: a=1",
        "X-Empty:",
        "x-Twice: 1",
        "Origin: http://example.com",
        "Via: 1.1 somebody",
        "X-Name: J\xf6rg",
        "x-Twice: 2",
    )
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, _, received = await passed(upstream, gateway, request)
        assert received == head_of(
            "GET /a%20b?c=d&e HTTP/1.1",
            "Host: example.com:8080",
            "accept: */*",
            "Cookie: a=1",
            "X-Empty: ",
            "x-Twice: 1",
            "Origin: http://example.com",
            "Via: 1.1 somebody",
            "X-Name: J\xf6rg",
            "x-Twice: 2",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: example.com:8080",
            "Connection: close",
        )


async def test_only_the_gateway_tells_an_upstream_the_clients_address() -> None:
    spoofed = ("X-Forwarded-For: 192.0.2.1", "x_forwarded_for: 192.0.2.2", "Forwarded: for=192.0.2.3")
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, _, received = await passed(upstream, gateway, head_of("GET / HTTP/1.1", "Host: a", *spoofed))
        assert values(received, "x-forwarded-for") == ["127.0.0.1"]
        assert b"192.0.2." not in received


async def test_the_route_rewrites_the_request() -> None:
    route = 'rewrite: {strip_prefix: /site, add_prefix: /v2}, headers: {set: {X-Way: "{dialect} {route}"}, remove: [b]}'
    options = {"path": "/site", "route": route, "site": "host: target"}
    async with Upstream() as upstream, serving_http(upstream.port, **options) as gateway:
        request = head_of("GET /site/x?y HTTP/1.1", "Host: example.com", "A: 1", "B: 2")
        _, _, received = await passed(upstream, gateway, request)
        assert received == head_of(
            "GET /v2/x?y HTTP/1.1",
            f"Host: 127.0.0.1:{upstream.port}",
            "A: 1",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: example.com",
            "X-Way: http site",
            "Connection: close",
        )


async def test_an_upstream_may_get_a_proxy_header_first() -> None:
    async with Upstream() as upstream, serving_http(upstream.port, site="send_proxy_protocol: v1") as gateway:
        _, _, received = await passed(upstream, gateway, HTTP_GET)
        assert received.startswith(b"PROXY TCP4 127.0.0.1 127.0.0.1 ")
        assert b"\r\nGET / HTTP/1.1\r\n" in received


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PROPFIND", "get", "M-SEARCH"])
async def test_a_method_is_passed_on_as_it_is(method: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, _, received = await passed(upstream, gateway, head_of(f"{method} / HTTP/1.1", "Host: a"))
        assert received.startswith(f"{method} / HTTP/1.1\r\n".encode())


async def test_a_target_above_7f_is_percent_encoded() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, _, received = await passed(upstream, gateway, head_of("GET /caf\xc3\xa9?\xff HTTP/1.1", "Host: a"))
        assert received.startswith(b"GET /caf%C3%A9?%FF HTTP/1.1\r\n")


@pytest.mark.parametrize("upgrade", ["h2c", "h2c, TLS/1.0", "websocket2"])
async def test_an_upgrade_to_something_else_is_a_plain_request_without_it(upgrade: str) -> None:
    lines = ("Host: a", "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {upgrade}", "HTTP2-Settings: AAMAAABk")
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, received = await passed(upstream, gateway, head_of("GET / HTTP/1.1", *lines, "X: 1"))
        assert b"pgrade" not in received
        assert b"HTTP2" not in received
        assert values(received, "x") == ["1"]
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        await client.send(HTTP_GET)  # a connection like any other after that
        assert await (await upstream.accept()).head()


@pytest.mark.parametrize(
    ("lines", "body", "framed"),
    [
        (["Content-Length: 5"], b"hello", "Content-Length: 5"),
        (["Content-Length: 0"], b"", "Content-Length: 0"),
        (["content-length: 005"], b"hello", "Content-Length: 5"),
        (["Transfer-Encoding: chunked"], b"5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        (["transfer-encoding: Chunked"], b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    ],
)
async def test_a_body_is_passed_on_as_it_is_framed(lines: list[str], body: bytes, framed: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, received = await passed(upstream, gateway, head_of("POST / HTTP/1.1", "Host: a", *lines) + body)
        assert [line for line in received.decode().split("\r\n") if line.startswith(("Content-L", "Tra"))] == [framed]
        assert await behind.exactly(len(body)) == body
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK


async def test_a_body_in_chunks_is_chunked_anew() -> None:
    request = head_of("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: X-Sum")
    body = b'3;a="b;c"\r\nhel\r\n02\r\nlo\r\n0;last\r\nX-Sum: 7\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n'
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, behind, _ = await passed(upstream, gateway, request + body)
        assert await behind.exactly(15) == b"5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
async def test_a_request_may_come_in_any_pieces(cut: int) -> None:
    body = b"3\r\nhel\r\n2\r\nlo\r\n0\r\nX: 1\r\n\r\n"
    data = head_of("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked") + body + HTTP_GET
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect()

        async def drip() -> None:
            for at in range(0, len(data), cut):
                await client.send(data[at : at + cut])

        gateway.nursery.start_soon(drip)
        behind = await upstream.accept()
        await behind.head()
        assert await until_chunks_end(behind) == b"hello"
        await behind.send(HTTP_OK)
        again = await upstream.accept()
        assert (await again.head()).startswith(b"GET / HTTP/1.1\r\n")
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK


# -- answers -----------------------------------------------------------------------------------------------------


async def test_an_answer_is_passed_on_with_its_end_to_end_headers() -> None:
    answer = head_of(
        "HTTP/1.1 200 Just Fine",
        "Server: x",
        "content-length: 2",
        "Connection: close, X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Upgrade: h2c",
        "Proxy-Authenticate: Basic",
        "Set-Cookie: a=1",
        "X-Empty:",
        "set-cookie: b=2",
        "X-Name: J\xf6rg",
    )
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, head = await answered(upstream, gateway, HTTP_GET, answer + b"ok")
        assert head == head_of(
            "HTTP/1.1 200 Just Fine",
            "Server: x",
            "content-length: 2",
            "Set-Cookie: a=1",
            "X-Empty: ",
            "set-cookie: b=2",
            "X-Name: J\xf6rg",
        )
        assert await client.exactly(2) == b"ok"


BODIES: dict[str, tuple[bytes, bytes]] = {
    "by its length": (head_of("HTTP/1.1 200 OK", "Content-Length: 5") + b"hello", b"hello"),
    "in chunks": (
        head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    "in chunks, with a length that does not count": (
        head_of("HTTP/1.1 200 OK", "Content-Length: 3", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\n",
    ),
    "a length twice": (head_of("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5, 5") + b"hello", b"hello"),
    "none": (head_of("HTTP/1.1 200 OK", "Content-Length: 0"), b""),
    "none in a 204": (head_of("HTTP/1.1 204 No Content", "Content-Length: 0", "A: 1"), b""),
    "none in a 304": (head_of("HTTP/1.1 304 Not Modified", "Content-Length: 9"), b""),
    "with a length, and more than that": (head_of("HTTP/1.1 200 OK", "Content-Length: 2") + b"okHTTP/1.1 200", b"ok"),
}


@pytest.mark.parametrize(("answer", "body"), BODIES.values(), ids=BODIES)
async def test_the_body_of_an_answer_is_framed_as_it_was_and_another_request_may_follow(
    answer: bytes, body: bytes
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, head = await answered(upstream, gateway, HTTP_GET, answer)
        assert values(head, "connection") == []
        assert await client.exactly(len(body)) == body
        assert values(head, "transfer-encoding") == (["chunked"] if b"\r\n" in body else [])
        lengths = {"5\r\nhello\r\n0\r\n\r\n": []}.get(body.decode(), [str(len(body))])
        if b" 204 " in head:
            lengths = []
        elif b" 304 " in head:
            lengths = ["9"]  # that of the omitted body
        assert values(head, "content-length") == lengths

        await client.send(HTTP_GET)
        again = await upstream.accept()
        await again.head()
        await again.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_an_answer_until_the_end_of_the_connection_is_chunked(version: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        await behind.send(head_of(f"HTTP/{version} 200 OK") + b"hel")
        head = await client.head()
        assert values(head, "transfer-encoding") == ["chunked"]
        assert await client.exactly(8) == b"3\r\nhel\r\n"
        await behind.send(b"lo")
        assert await client.exactly(7) == b"2\r\nlo\r\n"
        await behind.close()
        assert await client.exactly(5) == b"0\r\n\r\n"
        await client.send(HTTP_GET)
        assert await (await upstream.accept()).head()


@pytest.mark.parametrize(
    "answer",
    [
        head_of("HTTP/1.1 200 OK", "Content-Length: 1000"),
        head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"),
        head_of("HTTP/1.1 200 OK"),
        head_of("HTTP/1.1 404 Not Found", "Content-Length: 3"),
    ],
)
async def test_the_answer_to_a_head_is_a_head(answer: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        request = head_of("HEAD / HTTP/1.1", "Host: a")
        client, head = await answered(upstream, gateway, request, answer)
        assert values(head, "content-length") == values(answer, "content-length")
        await client.send(HTTP_GET)
        again = await upstream.accept()
        await again.head()
        await again.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK  # without bytes in between


INTERIM = head_of("HTTP/1.1 103 Early Hints", "Link: </style.css>", "Connection: X", "X: 1", "Content-Length: 9")


@pytest.mark.parametrize("together", [True, False])
async def test_interim_answers_are_passed_on_as_they_come(together: bool) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, HTTP_GET)
        if together:
            await behind.send(INTERIM + head_of("HTTP/1.1 102 Processing") + HTTP_OK)
        else:
            await behind.send(INTERIM)
        assert await client.head() == head_of("HTTP/1.1 103 Early Hints", "Link: </style.css>")
        if not together:
            await behind.send(head_of("HTTP/1.1 102 Processing"))
        assert await client.head() == head_of("HTTP/1.1 102 Processing")
        if not together:
            await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK


async def test_a_request_that_has_its_route_is_answered_if_a_reload_removes_its_upstream_at_once() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        texts = [http_configuration(upstream.port), http_configuration(upstream.port).replace("site", "page")]
        inside = gateway.service._gateway
        for number in range(1, 21):  # which of two tasks is first is random
            client = await gateway.connect()
            await gateway.accepted(1)
            await client.send(HTTP_GET)
            while inside.owner:  # it has no task
                await trio.lowlevel.checkpoint()
            gateway.reload(texts[number % 2])
            behind = await upstream.accept()
            await behind.send(HTTP_OK)
            await behind.close()
            assert (await client.head()).startswith(b"HTTP/1.1 200 OK")
            await client.close()
            await gateway.accepted(0)
