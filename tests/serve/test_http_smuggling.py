"""Requests that two servers could read differently (RFC 9112, 11.2): refused, or passed on in an unambiguous form.

Each is followed by a hidden request, which no server may see unless it is one: what the upstream receives is compared.
"""

import re

import pytest

from tests.heads import fields, head_of, values
from tests.openings import BY_DIALECT, RFC6455
from tests.peers import Peer
from tests.serve.exchanging import HTTP_GET, HTTP_OK, LEAVING, passed, serving_http
from tests.support import Upstream

HIDDEN = b"GET /admin HTTP/1.1\r\nHost: example.com\r\n\r\n"
HOST = "Host: example.com"
CHUNKED = "Transfer-Encoding: chunked"
UPGRADE = ("Host: example.com", "Upgrade: websocket", "Connection: Upgrade")


def post(*lines: str, start: str = "POST / HTTP/1.1", host: str = HOST) -> bytes:
    return head_of(start, *([host] if host else []), *lines)


def get(target: str, host: str = HOST) -> bytes:
    return head_of(f"GET {target} HTTP/1.1", *([host] if host else []))


# -- refused, before anybody hears of it ---------------------------------------------------------------------------

LENGTHS = {
    "a length and chunks": post("Content-Length: 5", CHUNKED) + b"0\r\n\r\n",
    "chunks and a length": post(CHUNKED, "Content-Length: 5") + b"0\r\n\r\n",
    "chunks and a length of nothing": post(CHUNKED, "Content-Length: 0") + b"0\r\n\r\n",
    "chunks and a length, called off": post(CHUNKED, "Content-Length: 5", "Connection: Content-Length") + b"0\r\n\r\n",
    "a length and chunks, called off": post("Content-Length: 5", CHUNKED, "Connection: Transfer-Encoding") + b"hello",
    "two lengths": post("Content-Length: 5", "Content-Length: 0") + b"hello",
    "two lengths in one": post("Content-Length: 0, 5") + b"hello",
    "two lengths with the same value in another spelling": post("Content-Length: 5", "Content-Length: 05") + b"hello",
    "a length and nothing": post("Content-Length: 5,") + b"hello",
    "an empty length": post("Content-Length:"),
    "a length with a sign": post("Content-Length: +5") + b"hello",
    "a negative length": post("Content-Length: -1"),
    "a length with an underscore": post("Content-Length: 1_0") + b"hello",
    "a length in hexadecimal": post("Content-Length: 0x5") + b"hello",
    "a length with a fraction": post("Content-Length: 5.0") + b"hello",
    "a length with a space inside": post("Content-Length: 1 0") + b"hello",
    "a length of other digits": post("Content-Length: \xb2") + b"hello",
    "a length beyond all machines": post(f"Content-Length: {'9' * 21}"),
}
CODINGS = {
    f"the transfer coding {coding!r}": post(f"Transfer-Encoding:{coding}") + b"0\r\n\r\n"
    for coding in (
        "", " identity", " chunked, identity", " identity, chunked", " gzip, chunked", " xchunked", " chunkedx",
        " chunked, chunked", " ,chunked", " chunked,", ' "chunked"', " chunked;q=1", " chun ked", " chunked\x0b",
        "\x0bchunked", " \xa0chunked", " chunked\xa0",
    )
} | {
    "two transfer codings": post(CHUNKED, "Transfer-Encoding: identity") + b"0\r\n\r\n",
    "the same transfer coding twice": post(CHUNKED, CHUNKED) + b"0\r\n\r\n",
    "a space before the colon": post("Transfer-Encoding : chunked") + b"0\r\n\r\n",
    "a tab before the colon": post("Transfer-Encoding\t: chunked") + b"0\r\n\r\n",
    "a space before the name": post(" Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a NUL behind the name": post("Transfer-Encoding\0: chunked") + b"0\r\n\r\n",
    "a byte behind the name": post("Transfer-Encoding\xff: chunked") + b"0\r\n\r\n",
    "a folded transfer coding": post("Transfer-Encoding:", " chunked") + b"0\r\n\r\n",
    "chunks in HTTP/1.0": post(CHUNKED, start="POST / HTTP/1.0") + b"0\r\n\r\n",
    "chunks in HTTP/1.0 that stays": post(CHUNKED, "Connection: keep-alive", start="POST / HTTP/1.0") + b"0\r\n\r\n",
}  # fmt: skip
LINES = {
    "line feeds alone": b"GET / HTTP/1.1\nHost: example.com\n\n" + b"\r\n\r\n",
    "a line feed behind the start": b"GET / HTTP/1.1\nHost: example.com\r\n\r\n",
    "a line feed alone in front of a length": b"POST / HTTP/1.1\r\nHost: a\r\nA: 1\nContent-Length: 5\r\n\r\nhello",
    "a carriage return alone": b"POST / HTTP/1.1\r\nHost: a\r\nA: 1\rContent-Length: 5\r\n\r\nhello",
    "two carriage returns": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\r\n\r\nhello",
    "a folded line": post("A: 1", " Content-Length: 5") + b"hello",
    "a line folded by a tab": post("A: 1", "\tContent-Length: 5") + b"hello",
    "a folded line first": b"GET / HTTP/1.1\r\n Host: example.com\r\n\r\n",
    "a NUL in a value": post("A: 1\0"),
    "a NUL in a name": post("A\0: 1"),
    "no colon": post("Content-Length 5"),
    "no name": post(": 1"),
    "a name with a slash": post("A/B: 1"),
    "a NUL in the target": get("/\0"),
    "a space in the target": get("/ HTTP/1.1 HTTP/1.1"),
    "a tab for a space": b"GET\t/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "no version": b"GET /\r\nHost: example.com\r\n\r\n",
    "a version of three parts": b"GET / HTTP/1.1.1\r\nHost: example.com\r\n\r\n",
    "HTTP/2 by its preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"GET / HTTP/1.2\r\nHost: example.com\r\n\r\n",
    "a method that is no token": b"GE(T / HTTP/1.1\r\nHost: example.com\r\n\r\n",
}
ADDRESSES = {
    "no Host": get("/", host=""),
    "an empty Host": get("/", host="Host:"),
    "Host twice": head_of("GET / HTTP/1.1", HOST, HOST),
    "two hosts": head_of("GET / HTTP/1.1", HOST, "Host: example.org"),
    "two hosts in HTTP/1.0": head_of("GET / HTTP/1.0", HOST, "host: example.org"),
    "two hosts in one": get("/", host="Host: example.com, example.org"),
    "a Host with a path": get("/", host="Host: example.com/admin"),
    "a Host with a user": get("/", host="Host: user@example.com"),
    "a space before Host's colon": get("/", host="Host : example.com"),
    "another host in the target": get("http://example.org/"),
    "a user in the target": get("http://user@example.com/"),
    "another scheme in the target": get("ftp://example.com/"),
    "a host in the target of HTTP/1.0 alone": b"GET http://example.com/ HTTP/1.0\r\n\r\n",
    "an authority for a target": get("example.com:80"),
    "a target for the whole server": head_of("OPTIONS * HTTP/1.1", HOST),
    "a target with a fragment": get("/#top"),
    "a target that is no path": get("admin"),
    **{f"a target that may leave its route by {dots}": get(f"/site{dots}") for dots in LEAVING},
}
UPGRADES = {
    "an upgrade with a body": head_of("GET / HTTP/1.1", *RFC6455, "Content-Length: 5") + b"hello",
    "an upgrade with chunks": head_of("GET / HTTP/1.1", *RFC6455, CHUNKED) + b"0\r\n\r\n",
    "an upgrade without a key": head_of("GET / HTTP/1.1", *UPGRADE, "Sec-WebSocket-Version: 13"),
    "an upgrade without Connection": head_of("GET / HTTP/1.1", HOST, "Upgrade: websocket", *RFC6455[3:]),
}
REFUSED = LENGTHS | CODINGS | LINES | ADDRESSES | UPGRADES
# Requests that no server reads differently: served if they are allowed, as all but the last are by default.
ODD = {
    "a control in a value": post("A: \x1b"),
    "an empty line first": b"\r\n" + get("/"),
    "another port in the target": get("http://example.com:8080/"),
    "an upgrade in HTTP/1.0": head_of("GET / HTTP/1.0", *RFC6455),
}
EVERY = [
    *(
        pytest.param(request, f"tolerance: {each}", id=f"{name}, {each}")
        for name, request in REFUSED.items()
        for each in ("all", "default", "none")
    ),
    *(pytest.param(request, "tolerance: none", id=name) for name, request in ODD.items()),
]


@pytest.mark.parametrize(("request_", "listener"), EVERY)
async def test_an_ambiguous_request_is_refused_with_all_following_bytes(request_: bytes, listener: str) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=listener) as gateway:
        client = await gateway.connect(request_ + HIDDEN)
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert values(head, "connection") == ["close"]
        text = await client.rest()
        assert values(head, "content-length") == [str(len(text))]
        assert upstream.nobody_came()
        assert [(line["event"], line["status"]) for line in gateway.lines.entries] == [("refused", 400)]


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
async def test_it_is_refused_after_a_valid_request_too(request_: bytes) -> None:
    # Old clients send an empty line after a body.
    async with Upstream() as upstream, serving_http(upstream.port, listener="tolerance: all") as gateway:
        client = await gateway.connect(HTTP_GET + b"\r\n" + request_ + HIDDEN)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        assert (await client.head()).startswith(b"HTTP/1.1 400 ")
        assert (await client.rest()).startswith(b"400 Bad Request: ")
        assert upstream.nobody_came()


OTHERWISE_REFUSED = {
    "a tunnel": (head_of("CONNECT example.com:443 HTTP/1.1", HOST), 501),
    "a tunnel to a path": (head_of("CONNECT / HTTP/1.1", HOST), 501),
    "a trace": (head_of("TRACE / HTTP/1.1", HOST), 501),
    "another expectation": (post("Expect: 200-ok", "Content-Length: 5") + b"hello", 417),
    "two expectations": (post("Expect: 100-continue, x", "Content-Length: 5") + b"hello", 417),
    "an upgrade by POST": (head_of("POST / HTTP/1.1", *RFC6455), 405),
    "too many headers": (post(*["A: 1"] * 100), 431),
    "a head that is too large": (post("A: " + "x" * 17000), 431),
}


async def test_an_upgrade_to_two_things_is_refused_where_a_list_is_not_allowed() -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener="tolerance: none") as gateway:
        client = await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455, "Upgrade: h2c") + HIDDEN)
        assert (await client.head()).startswith(b"HTTP/1.1 426 ")
        assert (await client.rest()).count(b"\n") == 1
        assert upstream.nobody_came()


@pytest.mark.parametrize(("request_", "status"), OTHERWISE_REFUSED.values(), ids=OTHERWISE_REFUSED)
async def test_a_request_that_is_not_passed_on_is_refused_with_all_following_bytes(
    request_: bytes, status: int
) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(request_ + HIDDEN)
        head = await client.head()
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert values(head, "connection") == ["close"]
        assert (await client.rest()).count(b"\n") == 1
        assert upstream.nobody_came()


# -- refused, in the middle ------------------------------------------------------------------------------------

BROKEN = {
    "a size that is none": b"x\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-1\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a space before a size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a size beyond all machines": b"1" + b"0" * 20 + b"\r\n",
    "a size that ends in a line feed": b"5\nhello\r\n0\r\n\r\n",
    "a line feed in an extension": b"5;a\nhello\r\n0\r\n\r\n",
    "a line feed in the last extension": b"0;a\n\r\n\r\n",
    "a chunk that is longer": b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk that ends in a line feed": b"5\r\nhello\n0\r\n\r\n",
    "a chunk that ends in a carriage return": b"5\r\nhello\r0\r\n\r\n",
    "a chunk that ends in two bytes": b"5\r\nhelloxx0\r\n\r\n",
    "no end but a line feed": b"5\r\nhello\r\n0\r\n\n",
    "trailers that end in a line feed": b"0\r\nA: 1\r\n\n",
    "trailers of line feeds": b"0\r\nA: 1\n\n",
    "a trailer and a line feed alone": b"0\r\nA: 1\n\r\n",
    "a trailer that is none": b"0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "a trailer with a space before its colon": b"0\r\nA : 1\r\n\r\n",
    "trailers without end": b"0\r\n" + b"A: 1\r\n" * 4000,
    "an extension without end": b"0;" + b"a" * 20000,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_chunks_that_could_be_read_in_two_ways_are_refused_and_never_end(body: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(post(CHUNKED))
        behind = await upstream.accept()
        received = await behind.head()
        await client.send(*(body[at : at + 1] for at in range(min(len(body), 100))), body[100:] + HIDDEN)
        # At most the valid part, and no end.
        assert re.fullmatch(rb"(?:[1-5]\r\n[helo]+\r\n)*", await behind.rest())
        assert fields(received)[-2:] == [("transfer-encoding", "chunked"), ("connection", "close")]
        await refused_as_malformed(upstream, client)


@pytest.mark.parametrize("body", [body for body in BROKEN.values() if len(body) < 1000])
async def test_malformed_chunks_that_come_with_their_head_are_refused_before_an_upstream_is_used(body: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        await refused_as_malformed(upstream, await gateway.connect(post(CHUNKED) + body + HIDDEN))


async def refused_as_malformed(upstream: Upstream, client: Peer) -> None:
    """Check that the client gets the refusal, and that nothing after the request is read."""
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert values(head, "connection") == ["close"]
    assert (await client.rest()) == b"400 Bad Request: request-malformed\n"
    assert upstream.nobody_came()


# -- mended ------------------------------------------------------------------------------------------------------

OURS = (
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: example.com",
)
CLOSE = "Connection: close"
MENDED = {
    "a length twice": (
        post("Content-Length: 5", "A: 1", "content-length: 5") + b"hello",
        head_of("POST / HTTP/1.1", HOST, "A: 1", *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
    "a length twice in one": (
        post("Content-Length: 5, 5") + b"hello",
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
    "a length that is called off": (
        post("Content-Length: 5", "Connection: Content-Length, keep-alive") + b"hello",
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
    "chunks that are called off": (
        post(CHUNKED, "Connection: Transfer-Encoding, Host") + b"1\r\na\r\n0\r\n\r\n",
        head_of("POST / HTTP/1.1", HOST, *OURS, CHUNKED, CLOSE) + b"1\r\na\r\n0\r\n\r\n",
    ),
    "chunks with a tab before them": (
        post("Transfer-Encoding:\tchunked ") + b"0\r\n\r\n",
        head_of("POST / HTTP/1.1", HOST, *OURS, CHUNKED, CLOSE) + b"0\r\n\r\n",
    ),
    "underscores": (
        post("Transfer_Encoding: chunked", "Content_Length: 7", "Content-Length: 1") + b"a",
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 1", CLOSE) + b"a",
    ),
    "a header that is named as hop-by-hop to hide another": (
        post("Connection: X-Forwarded-For, Connection", "X-Forwarded-For: 192.0.2.1", "Content-Length: 0"),
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 0", CLOSE),
    ),
    "a GET with a body": (
        head_of("GET / HTTP/1.1", HOST, "Content-Length: 5") + b"hello",
        head_of("GET / HTTP/1.1", HOST, *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
    "a request in a body": (
        post(f"Content-Length: {len(HIDDEN)}") + HIDDEN,
        head_of("POST / HTTP/1.1", HOST, *OURS, f"Content-Length: {len(HIDDEN)}", CLOSE) + HIDDEN,
    ),
    "chunk extensions": (
        post(CHUNKED) + b'2;a\r\nhe\r\n003;b="\r";c\r\nllo\r\n000\r\n\r\n',
        head_of("POST / HTTP/1.1", HOST, *OURS, CHUNKED, CLOSE) + b"5\r\nhello\r\n0\r\n\r\n",
    ),
    "trailers": (
        post(CHUNKED, "Trailer: Content-Length") + b"0\r\nContent-Length: 5\r\nHost: b\r\n\r\n",
        head_of("POST / HTTP/1.1", HOST, *OURS, CHUNKED, CLOSE) + b"0\r\n\r\n",
    ),
    "a whole address": (
        get("http://example.com/a?b"),
        head_of("GET /a?b HTTP/1.1", HOST, *OURS, CLOSE),
    ),
    "a whole address without a path": (
        get("HTTPS://EXAMPLE.com?b"),
        head_of("GET /?b HTTP/1.1", HOST, *OURS, CLOSE),
    ),
    "an upgrade to HTTP/2": (
        head_of("GET / HTTP/1.1", HOST, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AA"),
        head_of("GET / HTTP/1.1", HOST, *OURS, CLOSE),
    ),
    "an upgrade to HTTP/2 with a body": (
        post("Upgrade: h2c", "Connection: Upgrade", "Content-Length: 5") + b"hello",
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
    "HTTP/1.0": (
        head_of("POST / HTTP/1.0", HOST, "Connection: keep-alive", "Content-Length: 5") + b"hello",
        head_of("POST / HTTP/1.1", HOST, *OURS, "Content-Length: 5", CLOSE) + b"hello",
    ),
}


@pytest.mark.parametrize(("request_", "expected"), MENDED.values(), ids=MENDED)
async def test_a_repaired_request_reaches_the_upstream_in_one_form(request_: bytes, expected: bytes) -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(request_ + HIDDEN)
        behind = await upstream.accept()
        received = await behind.exactly(len(expected))
        assert received == expected
        assert upstream.nobody_came()
        await behind.send(HTTP_OK)
        assert await behind.rest() == b""
        head = await client.head()
        assert await client.exactly(2) == b"ok"
        if b"HTTP/1.0" in request_:
            assert values(head, "connection") == ["close"]
            assert await client.rest() == b""
            assert upstream.nobody_came()
        else:  # the bytes after it are a request of the client, and served as such
            assert (await (await upstream.accept()).head()).startswith(b"GET /admin HTTP/1.1\r\n")


# -- beside an upgrade -------------------------------------------------------------------------------------------


async def test_bytes_after_an_upgrade_that_the_upstream_refuses_are_dropped() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, BY_DIALECT["rfc6455"].request + HIDDEN)
        await behind.send(HTTP_OK.replace(b"200 OK", b"403 Forbidden"))
        assert values(await client.head(), "connection") == ["close"]
        assert await client.rest() == b"ok"
        await client.close()
        assert await behind.rest() == b""
        assert upstream.nobody_came()


async def test_bytes_before_the_101_are_no_request() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, request = await passed(upstream, gateway, BY_DIALECT["rfc6455"].request + HIDDEN)
        assert request.startswith(b"GET ")
        await behind.send(head_of("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"))
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        await client.close()
        assert await behind.rest() == b""  # without the proof there is no session, and no byte of it
        assert upstream.nobody_came()


async def test_an_upstream_cannot_switch_a_plain_request() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, get("/") + HIDDEN)
        await behind.send(head_of("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"))
        assert (await client.head()).startswith(b"HTTP/1.1 502 ")
        assert await behind.rest() == b""
        assert upstream.nobody_came()


async def test_bytes_of_an_upstream_after_its_answer_answer_no_other_request() -> None:
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client, behind, _ = await passed(upstream, gateway, get("/") + get("/2"))
        await behind.send(HTTP_OK + HTTP_OK.replace(b"ok", b"no"))
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK.replace(b"ok", b"42"))
        assert (await client.exactly(len(HTTP_OK)))[-2:] == b"42"
