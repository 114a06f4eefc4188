"""Requests that are refused by HTTP before there is a session, each on a connection of its own.

Some clients send them nevertheless. No byte of them reaches the upstream, and an open session goes on.
"""

import pytest

from tests.backends import websockets_server
from tests.dialects.families import NAMES, versions
from tests.heads import fields, head_of, values
from tests.openings import BY_DIALECT, CHALLENGE, HIXIE75, HIXIE76, KEY, KEY1, RFC6455
from tests.serve.exchanging import LEAVING
from tests.support import Running, Upstream, serving

# Every refused request is followed by another one, which must not be read.
PIPELINED = b"GET /admin HTTP/1.1\r\nHost: example.com\r\n\r\n"
GET = "GET /chat HTTP/1.1"


def modern(*lines: str, start: str = GET, without: str = "") -> bytes:
    """Return a request of RFC 6455 with these lines, and without the header of that name."""
    return head_of(start, *_without(RFC6455, without), *lines)


def old(*lines: str, start: str = GET, without: str = "") -> bytes:
    """Return a request of hixie-76 with these lines, and without the headers whose names begin so."""
    return head_of(start, *_without(HIXIE76, without), *lines) + CHALLENGE


def oldest(*lines: str, start: str = GET, without: str = "") -> bytes:
    """Return a request of hixie-75 with these lines, and without the header of that name."""
    return head_of(start, *_without(HIXIE75, without), *lines)


def in_version(version: str, *lines: str) -> bytes:
    """Return a request of a draft with a version, without a key, and with these lines."""
    return head_of(GET, *RFC6455[:3], f"Sec-WebSocket-Version: {version}", *lines)


def _without(lines: tuple[str, ...], name: str) -> list[str]:
    return [line for line in lines if not name or not line.startswith(name)]


# -- HTTP that is none -----------------------------------------------------------------------------------------

MALFORMED: dict[str, tuple[bytes, int]] = {
    "a TLS ClientHello": (bytes.fromhex("16030102000100 01fc0303") + bytes(500), 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "SSLv2": (bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0"), 400),
    "the preamble of a proxy": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + modern(), 400),
    "a Flash player": (b"<policy-file-request/>\0", 400),
    "zeros": (bytes(64), 400),
    "an empty line first": (b"\r\n" + modern(), 400),
    "nothing but empty lines": (b"\r\n\r\n", 400),
    "one word": (b"GET\r\n\r\n", 400),
    "no version": (b"GET /chat\r\nHost: example.com\r\n\r\n", 400),
    "four words": (modern(start="GET /chat x HTTP/1.1"), 400),
    "no target": (modern(start="GET  HTTP/1.1"), 400),
    "another protocol": (modern(start="GET /chat HTTQ/1.1"), 400),
    "a method with a slash": (modern(start="G/T /chat HTTP/1.1"), 400),
    "tabs for spaces": (modern(start="GET\t/chat\tHTTP/1.1"), 400),
    "a space before the method": (modern(start=" GET /chat HTTP/1.1"), 400),
    "line feeds alone": (modern().replace(b"\r\n", b"\n") + b"\r\n\r\n", 400),
    "one line feed alone": (modern().replace(b"\r\nUpgrade", b"\nUpgrade"), 400),
    "one carriage return alone": (modern().replace(b"\r\nUpgrade", b"\rUpgrade"), 400),
    "a folded line": (modern("X-Folded: one", " two"), 400),
    "a line folded by a tab": (modern("X-Folded: one", "\ttwo"), 400),
    "a folded first line": (modern(start=GET + "\r\n folded: x"), 400),
    "a header without a colon": (modern("X-Header"), 400),
    "a header without a name": (modern(": x"), 400),
    "a space before the colon": (modern("X-Header : x"), 400),
    "a space in a name": (modern("X Header: x"), 400),
    "a NUL in a name": (modern("X\0Header: x"), 400),
    "a NUL in a value": (modern("X-Header: x\0y"), 400),
    "a byte above 7F in a name": (modern("X-H\xe9ader: x"), 400),
    "a control in a header that nobody repeats": (modern("Cookie: a=\x1b[2J"), 400),
    "HTTP/1.0": (modern(start="GET /chat HTTP/1.0"), 400),
    "HTTP/1.2": (modern(start="GET /chat HTTP/1.2"), 400),
    "HTTP/0.9": (modern(start="GET /chat HTTP/0.9"), 400),
    "HTTP/11.1": (modern(start="GET /chat HTTP/11.1"), 400),
    "http in small letters": (modern(start="GET /chat http/1.1"), 400),
}

# -- no upgrade, or one that only pretends to be ----------------------------------------------------------------

UPGRADES: dict[str, tuple[bytes, int]] = {
    "no upgrade": (head_of(GET, "Host: example.com"), 426),
    "HEAD without an upgrade": (head_of("HEAD / HTTP/1.1", "Host: example.com"), 426),
    "an empty Upgrade": (modern("Upgrade: ", without="Upgrade"), 426),
    "Upgrade to HTTP/2": (modern("Upgrade: h2c", without="Upgrade"), 426),
    "Upgrade to more than one": (modern("Upgrade: websocket, h2c", without="Upgrade"), 426),
    "Upgrade twice": (modern("Upgrade: websocket"), 426),
    "Upgrade to something like it": (modern("Upgrade: websocket2", without="Upgrade"), 426),
    "no Connection": (modern(without="Connection"), 400),
    "a Connection for something else": (modern("Connection: keep-alive", without="Connection"), 400),
    "a Connection for something like it": (modern("Connection: upgraded", without="Connection"), 400),
    "POST": (modern(start="POST /chat HTTP/1.1"), 405),
    "PUT": (modern(start="PUT /chat HTTP/1.1"), 405),
    "HEAD": (modern(start="HEAD /chat HTTP/1.1"), 405),
    "OPTIONS": (modern(start="OPTIONS /chat HTTP/1.1"), 405),
    "CONNECT": (modern(start="CONNECT example.com:80 HTTP/1.1"), 405),
    "a method in small letters": (modern(start="get /chat HTTP/1.1"), 405),
    "a body": (modern("Content-Length: 5") + b"Hello", 400),
    "a body of 8 bytes that is no challenge": (modern("Content-Length: 8") + b"^n:ds[4U", 400),
    "a body of 9 bytes behind two keys": (old("Content-Length: 9"), 400),
    "two lengths": (modern("Content-Length: 0", "Content-Length: 5") + b"Hello", 400),
    "a length that is none": (modern("Content-Length: +0"), 400),
    "a length below 0": (modern("Content-Length: -1"), 400),
    "chunks": (modern("Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    "another coding": (modern("Transfer-Encoding: identity"), 400),
    "chunks and a length": (modern("Transfer-Encoding: chunked", "Content-Length: 0") + b"0\r\n\r\n", 400),
}

# -- addresses ----------------------------------------------------------------------------------------------------

ADDRESSES: dict[str, tuple[bytes, int]] = {
    "no Host": (modern(without="Host"), 400),
    "an empty Host": (modern("Host: ", without="Host"), 400),
    "Host twice": (modern("Host: example.com"), 400),
    "two hosts": (modern("Host: example.com, example.org", without="Host"), 400),
    "a Host with a path": (modern("Host: example.com/admin", without="Host"), 400),
    "a Host with a user": (modern("Host: user@example.com", without="Host"), 400),
    "a Host with a space": (modern("Host: example.com example.org", without="Host"), 400),
    "a Host with a scheme": (modern("Host: http://example.com", without="Host"), 400),
    "a Host with a port that is none": (modern("Host: example.com:http", without="Host"), 400),
    "a Host with quotes": (modern('Host: "example.com"', without="Host"), 400),
    "a Host above 7F": (modern("Host: ex\xe4mple.com", without="Host"), 400),
    "a Host with half a bracket": (modern("Host: [::1", without="Host"), 400),
    "a target with a fragment": (modern(start="GET /chat#top HTTP/1.1"), 400),
    "a target that is no path": (modern(start="GET chat HTTP/1.1"), 400),
    "a target for the whole server": (modern(start="GET * HTTP/1.1"), 400),
    "a target with a NUL": (modern(start="GET /ch\0at HTTP/1.1"), 400),
    **{
        f"a target that may leave its route by {dots}": (modern(start=f"GET /chat{dots} HTTP/1.1"), 400)
        for dots in LEAVING
    },
    "a target with a control": (modern(start="GET /ch\x7fat HTTP/1.1"), 400),
    "a target with a tab": (modern(start="GET /ch\tat HTTP/1.1"), 400),
    "a target above 7F from a modern client": (modern(start="GET /caf\xc3\xa9 HTTP/1.1"), 400),
    "a target that is no UTF-8": (old(start="GET /caf\xe9 HTTP/1.1"), 400),
    "a target that is no UTF-8 in 75": (oldest(start="GET /caf\xe9 HTTP/1.1"), 400),
    "a surrogate in a target": (old(start="GET /\xed\xa0\x80 HTTP/1.1"), 400),
}

# -- what is repeated in the reply -----------------------------------------------------------------------------

ECHOED: dict[str, tuple[bytes, int]] = {
    f"{what} in {header} of {make.__name__}": (make(f"{header}: a{bad}b", without=header), 400)
    for make, header in [
        (old, "Host"), (old, "Origin"), (old, "Sec-WebSocket-Protocol"), (oldest, "Host"), (oldest, "Origin"),
        (oldest, "WebSocket-Protocol"), (modern, "Host"), (modern, "Origin"), (modern, "Sec-WebSocket-Protocol"),
    ]
    for what, bad in [("CR", "\rX-Evil: 1"), ("LF", "\nX-Evil: 1"), ("NUL", "\0"), ("a control", "\x1b")]
}  # fmt: skip
ECHOED |= {
    "no Origin in 76": (old(without="Origin"), 400),
    "no Origin in 75": (oldest(without="Origin"), 400),
    "Origin twice": (old("Origin: http://example.com"), 400),
    "Origin twice from a modern client": (modern("Origin: http://a", "Origin: http://b"), 400),
    "an Origin above 7F": (old("Origin: http://ex\xe4mple.com", without="Origin"), 400),
    "a subprotocol above 7F": (old("Sec-WebSocket-Protocol: ch\xe4t"), 400),
    "a subprotocol above 7F in 75": (oldest("WebSocket-Protocol: ch\xe4t"), 400),
    "two subprotocol headers in 76": (old("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"), 400),
    "a subprotocol with a space": (modern("Sec-WebSocket-Protocol: chat superchat"), 400),
    "a subprotocol twice": (modern("Sec-WebSocket-Protocol: chat, chat"), 400),
}

# -- keys and versions ---------------------------------------------------------------------------------------------

KEYS: dict[str, tuple[bytes, int]] = {
    "no key": (modern(without="Sec-WebSocket-Key"), 400),
    "two keys": (modern(KEY), 400),
    "an empty key": (modern("Sec-WebSocket-Key: ", without="Sec-WebSocket-Key"), 400),
    "a key of 15 bytes": (modern("Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0O", without="Sec-WebSocket-Key"), 400),
    "a key of 17 bytes": (modern("Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODxA=", without="Sec-WebSocket-Key"), 400),
    "a key that is no base64": (
        modern("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!", without="Sec-WebSocket-Key"),
        400,
    ),
    "a key without padding": (modern("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", without="Sec-WebSocket-Key"), 400),
    "two versions": (modern("Sec-WebSocket-Version: 13"), 400),
    "a key without a version": (modern(without="Sec-WebSocket-Version"), 400),
    "Key1 alone": (old(without="Sec-WebSocket-Key2"), 400),
    "Key2 alone": (old(without="Sec-WebSocket-Key1"), 400),
    "Key1 twice": (old(KEY1), 400),
    "an empty key in 8": (in_version("8", "Sec-WebSocket-Key: "), 400),
    "no key in 4": (in_version("4"), 400),
    "a key that is no base64 in 6": (in_version("6", "Sec-WebSocket-Key: dGhl\xffIHN"), 400),
    "a draft without keys": (oldest("Sec-WebSocket-Draft: 0"), 400),
    "a draft with one key": (old("Sec-WebSocket-Draft: 2", without="Sec-WebSocket-Key2"), 400),
    "two drafts": (old("Sec-WebSocket-Draft: 2", "Sec-WebSocket-Draft: 2"), 400),
}
KEYS |= {
    f"the draft {draft!r}": (old(f"Sec-WebSocket-Draft: {draft}"), 400)
    for draft in ("", "4", "-1", "+1", "01", "1, 2", "1.0", "76", "one")
}
KEYS |= {
    f"Key1 {what}": (old(f"Sec-WebSocket-Key1: {key}", without="Sec-WebSocket-Key1"), 400)
    for what, key in {
        "empty": "",
        "without a space": "12345",
        "with a tab for a space": "1\t2",
        "without a digit": "a b c",
        "not divisible": "1 2 5",
        "too great": "42949 67296",
        "of many digits": "9" * 100 + " x",
        "too long": "0" + " " * 300 + "x",
    }.items()
}

REFUSED = MALFORMED | UPGRADES | ADDRESSES | ECHOED | KEYS
# Requests that are served by default, and requests that are served if their oddity is allowed (see `tolerance`).
SERVED = {
    "an empty line first", "nothing but empty lines", "a control in a header that nobody repeats",
    "Upgrade to more than one", "Upgrade twice", "a target above 7F from a modern client", "no Origin in 76",
    "no Origin in 75", "a subprotocol with a space", "a subprotocol twice", "a key of 15 bytes", "a key of 17 bytes",
    "a key that is no base64", "a key without padding",
}  # fmt: skip
SERVED_BY_NAME = {"line feeds alone", "one line feed alone", "HTTP/1.0", "no Host"}
SERVED_BY_NAME |= {name for name in ECHOED if name.startswith("LF in ")}  # which is the end of a line then


def tolerance(name: str) -> str:
    """Return the most tolerant configuration that refuses this request."""
    if name in SERVED:
        return "tolerance: none"
    return "tolerance: default" if name in SERVED_BY_NAME else "tolerance: all"


async def answer_of(gateway: Running, request: bytes) -> tuple[bytes, bytes]:
    """Return the head and the body of the answer to a request, once the gateway has closed."""
    client = await gateway.connect(request + PIPELINED)
    head, end, body = (await client.rest()).partition(b"\r\n\r\n")
    await client.close()
    return head + end, body


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_request_is_refused_and_its_connection_closed(name: str) -> None:
    request_, status = REFUSED[name]
    async with Upstream() as upstream, serving(upstream.port, listener=tolerance(name)) as gateway:
        head, body = await answer_of(gateway, request_)

        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert values(head, "connection") == ["close"]
        assert "x-evil" not in dict(fields(head))
        if not request_.startswith(b"HEAD"):
            assert values(head, "content-length") == [str(len(body))]
            assert body.startswith(f"{status} ".encode())
        line = await gateway.lines.line("refused")
        assert (line["level"], line["status"]) == ("info", status)
        assert len(gateway.lines.entries) == 1
        assert upstream.nobody_came()


async def test_a_session_beside_all_of_these_goes_on() -> None:
    async with websockets_server() as port, serving(port, listener="tolerance: none") as gateway:
        bystander = await gateway.connect(BY_DIALECT["hixie-75"].request)
        await bystander.head()
        for request, _ in REFUSED.values():
            await answer_of(gateway, request)
            await bystander.send(b"\x00still here\xff")
            assert await bystander.exactly(12) == b"\x00still here\xff"


async def test_the_answer_to_a_bad_request_names_the_reason_and_says_no_more() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(modern(without="Connection"))
        assert await client.rest() == (
            b"HTTP/1.1 400 Bad Request\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 33\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"400 Bad Request: upgrade-removed\n"
        )


@pytest.mark.parametrize("start", ["HEAD / HTTP/1.1", "HEAD /chat HTTP/1.1"])
async def test_the_answer_to_a_HEAD_is_a_head(start: str) -> None:  # noqa: N802
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        _, body = await answer_of(gateway, modern(start=start))
        assert body == b""


VERSIONS = ["0", "1", "3", "9", "12", "14", "25", "-1", "013", "13.0", "thirteen", "13, 8", ""]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_refusal_of_an_unknown_version_lists_the_known_ones(version: str) -> None:
    # RFC 6455, 4.4.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        head, _ = await answer_of(gateway, modern(f"Sec-WebSocket-Version: {version}", without="Sec-WebSocket-Version"))
        assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert values(head, "sec-websocket-version") == [versions(*NAMES)]
        assert upstream.nobody_came()


async def test_long_texts_of_a_client_are_cut_in_the_log_and_in_the_answer() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        long = modern("Sec-WebSocket-Version: " + "\x80\x85" * 7000, without="Sec-WebSocket-Version")
        head, body = await answer_of(gateway, long)
        assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert body == b"426 Upgrade Required: version-unknown\n"
        why = (await gateway.lines.line("refused"))["why"]
        assert why.endswith(f", possible are {versions(*NAMES)}")
        assert len(why) == 200


async def test_a_plain_request_is_refused_with_426() -> None:
    # RFC 9110, 15.5.22.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        head, _ = await answer_of(gateway, head_of("GET / HTTP/1.1", "Host: example.com"))
        assert values(head, "upgrade") == ["websocket"]


async def test_the_refusal_of_another_method_names_the_possible_one() -> None:
    # RFC 9110, 15.5.6.
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        head, _ = await answer_of(gateway, modern(start="POST /chat HTTP/1.1"))
        assert values(head, "allow") == ["GET"]


async def test_a_path_that_no_route_takes_is_404() -> None:
    async with Upstream() as upstream, serving(upstream.port, path="/chat") as gateway:
        for path in "/", "/chatter", "/Chat", "/other?x=/chat":
            head, _ = await answer_of(gateway, modern(start=f"GET {path} HTTP/1.1"))
            assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert upstream.nobody_came()


# -- tolerated -------------------------------------------------------------------------------------------------

FINE: dict[str, bytes] = {
    "Upgrade in capitals": modern("Upgrade: WEBSOCKET", without="Upgrade"),
    "names in small letters": modern().lower().replace(b"get /chat http/1.1", b"GET /chat HTTP/1.1").replace(
        b"dghlihnhbxbszsbub25jzq==", b"dGhlIHNhbXBsZSBub25jZQ=="
    ),
    "a Connection of several": modern("Connection: keep-alive,Upgrade", without="Connection"),
    "several Connections": modern("Connection: keep-alive"),
    "no space behind the colon": modern("Host:example.com", without="Host"),
    "tabs around a value": modern("Host:\texample.com\t", without="Host"),
    "an empty body": modern("Content-Length: 0"),
    "bytes above 7F in a header that nobody repeats": modern("X-Name: J\xf6rg"),
    "an empty subprotocol": modern("Sec-WebSocket-Protocol: "),
}  # fmt: skip


@pytest.mark.parametrize("request_", FINE.values(), ids=FINE)
async def test_unusual_but_legal_requests_are_served(request_: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(request_)
        await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
