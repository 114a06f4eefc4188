"""An upstream that refuses by an HTTP answer, which the client gets."""

import pytest
import trio
from trio.testing import MockClock

from tests.heads import fields, head_of
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.peers import Peer
from tests.support import Running, Upstream, serving

TEXT = b"Who are you?\n"
MODERN = BY_DIALECT["rfc6455"]

REFUSALS = {
    "a login": (
        head_of(
            "HTTP/1.1 401 Unauthorized",
            'WWW-Authenticate: Basic realm="here"',
            "Content-Type: text/plain",
            "Content-Length: 13",
        )
        + b"Who are you?\n",
        "401 Unauthorized",
        {"www-authenticate": 'Basic realm="here"', "content-type": "text/plain", "content-length": "13"},
        b"Who are you?\n",
    ),
    "nothing to read": (
        head_of("HTTP/1.1 403 Forbidden", "Content-Length: 0"),
        "403 Forbidden",
        {"content-length": "0"},
        b"",
    ),
    "an own phrase": (
        head_of("HTTP/1.1 404 Gone Fishing", "Content-Length: 2") + b"no",
        "404 Gone Fishing",
        {"content-length": "2"},
        b"no",
    ),
    "another place": (
        head_of(
            "HTTP/1.1 302 Found",
            "Location: https://elsewhere.example/login",
            "Set-Cookie: a=1",
            "Set-Cookie: b=2; Path=/",
            "Content-Length: 0",
        ),
        "302 Found",
        {"location": "https://elsewhere.example/login", "set-cookie": "b=2; Path=/", "content-length": "0"},
        b"",
    ),
    "another version": (
        head_of("HTTP/1.1 426 Upgrade Required", "Retry-After: 7", "Content-Length: 1") + b"x",
        "426 Upgrade Required",
        {"retry-after": "7"},
        b"x",
    ),
    "until its end": (
        head_of("HTTP/1.0 503 Service Unavailable", "Retry-After: 120") + b"Later.\n" * 1000,
        "503 Service Unavailable",
        {"retry-after": "120"},
        b"Later.\n" * 1000,
    ),
    "no phrase": (head_of("HTTP/1.1 500 ", "Content-Length: 1") + b"x", "500 ", {}, b"x"),
    "in chunks": (
        head_of("HTTP/1.1 503 Service Unavailable", "Transfer-Encoding: chunked", "Trailer: X-Sum")
        + b"6;a=b\r\nLater.\r\n1\r\n\n\r\n0\r\nX-Sum: 7\r\n\r\n",
        "503 Service Unavailable",
        {},
        b"Later.\n",
    ),
    "not modified": (head_of("HTTP/1.1 304 Not Modified", 'ETag: "a"'), "304 Not Modified", {"etag": '"a"'}, b""),
    "the first of them": (head_of("HTTP/1.1 300 X", "Content-Length: 1") + b"x", "300 X", {}, b"x"),
    "the last of them": (head_of("HTTP/1.1 599 X", "Content-Length: 1") + b"x", "599 X", {}, b"x"),
    "many bytes": (
        head_of("HTTP/1.1 500 Internal Server Error", "Content-Length: 1000000") + b"0123456789" * 100000,
        "500 Internal Server Error",
        {"content-length": "1000000"},
        b"0123456789" * 100000,
    ),
}


async def refused(upstream: Upstream, gateway: Running, answer: bytes, opening: Opening = MODERN) -> tuple[Peer, Peer]:
    """Return a client whose request the upstream answers with this and a close; and the upstream's end of it."""
    client = await gateway.connect(opening.request)
    behind = await upstream.accept()
    await behind.head()

    async def tell() -> None:
        await behind.send(answer)
        await behind.send_eof()

    gateway.nursery.start_soon(tell)
    return client, behind


async def body_of(client: Peer, head: bytes) -> bytes:
    """Return the body after a head, up to the end of the stream."""
    if ("transfer-encoding", "chunked") not in fields(head):
        return await client.rest()
    body = b""
    while size := int(await client.until(b"\r\n"), 16):
        body += await client.exactly(size)
        assert await client.exactly(2) == b"\r\n"
    assert await client.rest() == b"\r\n"
    return body


@pytest.mark.parametrize(("answer", "status", "headers", "body"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_reaches_the_client_as_it_is(
    answer: bytes, status: str, headers: dict[str, str], body: bytes
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await refused(upstream, gateway, answer)

        head = await client.head()
        assert head.startswith(f"HTTP/1.1 {status}\r\n".encode())
        assert headers.items() <= dict(fields(head)).items()
        assert ("connection", "close") in fields(head)
        assert await body_of(client, head) == body
        await client.close()
        assert await behind.rest() == b""
        line = await gateway.lines.line("refused")
        assert (line["level"], line["status"], line["route"]) == ("info", int(status[:3]), "all")
        assert line["why"] == "this is the upstream's own answer"


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_client_of_each_dialect_gets_the_refusal_before_any_101(opening: Opening) -> None:
    answer = head_of("HTTP/1.1 403 Forbidden", "Content-Length: 13") + TEXT
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _ = await refused(upstream, gateway, answer, opening)
        assert await client.rest() == (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 13\r\nConnection: close\r\n\r\nWho are you?\n"
        )


async def test_every_cookie_of_a_refusal_is_kept() -> None:
    answer = head_of("HTTP/1.1 401 Unauthorized", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 0")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _ = await refused(upstream, gateway, answer)
        assert [each for each in fields(await client.head()) if each[0] == "set-cookie"] == [
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]


async def test_hop_by_hop_headers_of_the_upstream_are_not_passed_on() -> None:
    answer = head_of(
        "HTTP/1.1 401 Unauthorized",
        "Connection: keep-alive, X-Hop",
        "Keep-Alive: timeout=5",
        "X-Hop: 1",
        "X-End: 2",
        "Proxy-Authenticate: Basic",
        "Content-Length: 0",
    )
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _ = await refused(upstream, gateway, answer)
        assert dict(fields(await client.head())).keys() == {"x-end", "content-length", "connection"}


async def test_a_refusal_ends_with_its_body_though_the_upstream_keeps_its_connection() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 401 Unauthorized", "Content-Length: 13") + TEXT)

        assert (await client.rest()).endswith(TEXT)
        await client.close()
        assert await behind.rest() == b""


async def test_a_body_may_come_piece_by_piece() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.head()
        answer = head_of("HTTP/1.1 401 Unauthorized", "Content-Length: 13") + TEXT
        await behind.send(*(bytes([byte]) for byte in answer))
        assert (await client.rest()).endswith(b"\r\n\r\n" + TEXT)


@pytest.mark.parametrize("pipelined", [b"GET /admin HTTP/1.1\r\nHost: a\r\n\r\n", b"x" * 100_000])
async def test_bytes_after_a_refused_request_reach_no_upstream(pipelined: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request + pipelined)
        behind = await upstream.accept()
        request = await behind.head()
        await behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 0"))

        assert (await client.rest()).startswith(b"HTTP/1.1 403 Forbidden\r\n")
        await client.close()
        assert b"/admin" not in request
        assert await behind.rest() == b""
        assert upstream.nobody_came()


# -- refusals that are no HTTP when one looks closer -----------------------------------------------------------

BROKEN = {
    "cut short": head_of("HTTP/1.1 403 Forbidden", "Content-Length: 100") + TEXT,
    "a wrong chunk": head_of("HTTP/1.1 403 Forbidden", "Transfer-Encoding: chunked") + b"zz\r\n" + TEXT,
    "a chunk that is cut short": head_of("HTTP/1.1 403 Forbidden", "Transfer-Encoding: chunked") + b"ff\r\n" + TEXT,
    "no last chunk": head_of("HTTP/1.1 403 Forbidden", "Transfer-Encoding: chunked") + b"d\r\n" + TEXT + b"\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
async def test_a_refusal_whose_body_breaks_off_breaks_off_for_the_client_too(answer: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, behind = await refused(upstream, gateway, answer)

        # The head may have been sent by then; a second one must not follow.
        answered = await client.rest()
        assert answered.count(b"HTTP/1.1 ") == 1
        assert not answered.endswith(b"\r\n0\r\n\r\n")
        await client.close()
        assert await behind.rest() == b""


async def test_of_two_framings_of_a_body_only_the_transfer_coding_counts() -> None:
    # RFC 9112, 6.3: Transfer-Encoding wins, and Content-Length must not be passed on.
    answer = head_of("HTTP/1.1 403 Forbidden", "Content-Length: 3", "Transfer-Encoding: chunked")
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client, _ = await refused(upstream, gateway, answer + b"d\r\n" + TEXT + b"\r\n0\r\n\r\n")
        head = await client.head()
        assert await body_of(client, head) == TEXT


async def test_a_refusal_that_never_ends_is_cut_when_the_handshake_is_over(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="handshake: 500ms") as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 100") + TEXT)

        assert (await client.rest()).endswith(TEXT)
        await client.close()
        assert await behind.rest() == b""


async def test_a_client_that_disconnects_inside_a_refusal_costs_nothing() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(head_of("HTTP/1.1 403 Forbidden", "Content-Length: 100000000"))
        await client.head()
        client.reset()
        with pytest.raises(trio.BrokenResourceError):
            await behind.send(bytes(100_000_000))
