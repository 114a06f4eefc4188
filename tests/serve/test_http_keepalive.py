"""Plain HTTP through the gateway: requests one after another, old clients, the log, and routes without plain HTTP."""

import pytest

from tests.heads import head_of, values
from tests.openings import BY_DIALECT, RFC6455
from tests.serve.exchanging import HTTP_GET, HTTP_OK, answered, passed, serving_http
from tests.support import Upstream, serving_text

INTERIM = head_of("HTTP/1.1 103 Early Hints", "Link: </style.css>")

# -- one after the other -----------------------------------------------------------------------------------------


async def test_requests_that_come_at_once_are_served_one_by_one_in_their_order() -> None:
    post = head_of("POST /2 HTTP/1.1", "Host: a", "Content-Length: 5") + b"hello"
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(HTTP_GET + post + b"\r\n" + HTTP_GET.replace(b" / ", b" /3 "))
        for number, body in enumerate([b"", b"hello", b""]):
            behind = await upstream.accept()
            head = await behind.head()
            assert head.startswith([b"GET / ", b"POST /2 ", b"GET /3 "][number])
            assert await behind.exactly(len(body)) == body
            assert upstream.nobody_came()
            await behind.send(head_of("HTTP/1.1 200 OK", "Content-Length: 1") + b"%d" % number)
            assert (await client.head(), await client.exactly(1))[1] == b"%d" % number
            assert await behind.rest() == b""  # each request has a connection of its own
        assert [line["bytes_in"] for line in gateway.lines.every("http")] == [0, 5, 0]


async def test_an_upgrade_may_follow_on_plain_requests() -> None:
    opening = BY_DIALECT["hixie-76"]
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(HTTP_GET + opening.request + b"\x00Hello\xff")
        behind = await upstream.accept()
        await behind.head()
        assert upstream.nobody_came()
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        behind, _ = await upstream.agree()
        await opening.accepted(client)
        assert (await behind.frame())[1] == b"Hello"


async def test_an_empty_line_before_another_request_does_not_matter() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, _ = await answered(upstream, gateway, HTTP_GET, HTTP_OK)
        await client.send(b"\r\n")
        await client.exactly(2)
        await client.send(HTTP_GET)
        assert await (await upstream.accept()).head()


@pytest.mark.parametrize("line", ["Connection: close", "connection: x, Close"])
async def test_a_client_that_announces_no_other_request_is_closed(line: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        request = head_of("GET / HTTP/1.1", "Host: a", line)
        client, head = await answered(upstream, gateway, request + HTTP_GET, HTTP_OK)
        assert values(head, "connection") == ["close"]
        assert await client.rest() == b"ok"
        assert upstream.nobody_came()


# -- HTTP/1.0 ----------------------------------------------------------------------------------------------------

OLD_ANSWERS: dict[str, tuple[bytes, bytes]] = {
    "by its length": (HTTP_OK, b"ok"),
    "in chunks": (head_of("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n", b"ok"),
    "until its end": (head_of("HTTP/1.0 200 OK") + b"ok", b"ok"),
    "behind interim ones": (head_of("HTTP/1.1 100 Continue") + INTERIM + HTTP_OK, b"ok"),
}


@pytest.mark.parametrize(("answer", "body"), OLD_ANSWERS.values(), ids=OLD_ANSWERS)
@pytest.mark.parametrize("line", ["Connection: keep-alive", "Connection: close"])
async def test_a_client_of_http_1_0_gets_an_answer_without_a_transfer_coding(
    answer: bytes, body: bytes, line: str
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        request = head_of("GET /x HTTP/1.0", "Host: a", line, "Expect: 100-continue, what else")
        client, head = await answered(upstream, gateway, request + HTTP_GET, answer)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert values(head, "transfer-encoding") == []
        assert values(head, "connection") == ["close"]
        assert await client.rest() == body
        assert upstream.nobody_came()


async def test_the_host_for_an_http_1_0_request_without_one_is_the_targets() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        _, behind, received = await passed(
            upstream, gateway, head_of("POST /x HTTP/1.0", "Content-Length: 5") + b"hello"
        )
        host = f"127.0.0.1:{upstream.port}"
        assert received.startswith(b"POST /x HTTP/1.1\r\n")
        assert (values(received, "host"), values(received, "x-forwarded-host")) == ([host], [host])
        assert await behind.exactly(5) == b"hello"


# -- the log -----------------------------------------------------------------------------------------------------


async def test_each_request_has_a_line_in_the_log() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        request = head_of("POST /a/b?secret=1 HTTP/1.1", "Host: a", "Content-Length: 5")
        client, _ = await answered(upstream, gateway, request + b"hello", HTTP_OK)
        line = await gateway.lines.line("http")
        assert line.pop("seconds") >= 0
        assert line == {
            "event": "http",
            "level": "info",
            "client": client.name,
            "listener": "public",
            "route": "site",
            "method": "POST",
            "host": "a",
            "path": "/a/b",
            "target": f"http://127.0.0.1:{upstream.port}",
            "status": 200,
            "bytes_in": 5,
            "bytes_out": 2,
        }
        await client.close()
        await gateway.lines.line("disconnected", level="debug")
        assert len(gateway.lines.entries) == 2


# -- where there is none -------------------------------------------------------------------------------------------

ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
routes:
  - {{match: {{path: {{prefix: /chat}}}}, upstream: chat}}
  - {{match: {{path: {{prefix: /both}}}}, upstream: chat, http_upstream: site}}
  - {{match: {{path: {{prefix: /site}}}}, http_upstream: site}}
upstreams:
  chat: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}
  site: {{targets: [{{url: "http://127.0.0.1:{port}"}}]}}
"""
REFUSED = {
    "no route": ("/", (), b"404 Not Found: route-missing\n"),
    "no plain HTTP": (
        "/chat",
        (),
        b"426 Upgrade Required: upgrade-missing\n",
    ),
    "no HTTP/2": (
        "/chat",
        ("Upgrade: h2c", "Connection: Upgrade"),
        b"426 Upgrade Required: upgrade-missing\n",
    ),
}


@pytest.mark.parametrize(("path", "lines", "text"), REFUSED.values(), ids=REFUSED)
async def test_a_route_without_plain_http_answers_426(path: str, lines: tuple[str, ...], text: bytes) -> None:
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        client = await gateway.connect(head_of(f"GET {path} HTTP/1.1", "Host: a", *lines) + HTTP_GET)
        head = await client.head()
        assert values(head, "upgrade") == (["websocket"] if b" 426 " in head else [])
        assert values(head, "connection") == ["close"]
        assert await client.rest() == text
        line = await gateway.lines.line("refused")
        assert (line["level"], line["path"], line["status"]) == ("info", path, int(text[:3]))
        assert upstream.nobody_came()


async def test_a_route_may_have_both() -> None:
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        _, _, received = await passed(upstream, gateway, HTTP_GET.replace(b" / ", b" /both "))
        assert values(received, "connection") == ["close"]
        _, _, received = await passed(upstream, gateway, head_of("GET /both HTTP/1.1", *RFC6455))
        assert values(received, "connection") == ["Upgrade"]


async def test_a_route_may_have_no_websocket() -> None:
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        client = await gateway.connect(head_of("GET /site HTTP/1.1", *RFC6455))
        assert await client.rest() != b""
        assert (await gateway.lines.line("refused"))["status"] == 404
        assert upstream.nobody_came()
