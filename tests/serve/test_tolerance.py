"""The oddities of clients, through the whole gateway.

An allowed oddity is served and named in the log. The refusal of another one names, in the log, what would allow it.
"""

from dataclasses import dataclass

import pytest

from tests.heads import fields, head_of, values
from tests.masks import masked
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, CHALLENGE, KEY, KEY1, KEY2
from tests.serve.exchanging import HTTP_GET, HTTP_OK, serving_http
from tests.support import Running, Upstream, serving, serving_text

from .http2 import CONNECT, Client

UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")
HOST, KEY13, VERSION = "Host: example.com", KEY, "Sec-WebSocket-Version: 13"
KEYS76 = (KEY1, KEY2)
# PROXY, version 2: from 192.0.2.7:4711 to 198.51.100.1:443.
PROXY = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c c0000207 c6336401 1267 01bb")


def modern(*lines: str, start: str = "GET /chat HTTP/1.1", host: str = HOST, key: str = KEY13) -> bytes:
    return head_of(start, *([host] if host else []), *UPGRADE, key, VERSION, *lines)


def old(*lines: str, start: str = "GET /chat HTTP/1.1", host: str = HOST) -> bytes:
    return head_of(start, *([host] if host else []), *UPGRADE, *KEYS76, *lines) + CHALLENGE


@dataclass(frozen=True)
class Odd:
    """A request, and the lines of it that reach the upstream."""

    request: bytes
    oddity: str
    start: str = "GET /chat HTTP/1.1"
    header: tuple[str, str] = ("host", "example.com")
    location: str = ""
    """the messages that hixie-76 gets"""


ODD = {
    "a whole address": Odd(modern(start="GET ws://EXAMPLE.com:8080/chat HTTP/1.1"), "absolute-target",
                           header=("host", "EXAMPLE.com:8080")),
    "a whole address in 76": Odd(old("Origin: http://a", start="GET http://example.com:81/chat HTTP/1.1"),
                                 "absolute-target", header=("host", "example.com:81"),
                                 location="ws://example.com:81/chat"),
    "empty lines": Odd(b"\r\n" * 4 + modern(), "empty-lines"),
    "UTF-8 in 13": Odd(modern(start="GET /caf\xc3\xa9 HTTP/1.1"), "raw-target", start="GET /caf%C3%A9 HTTP/1.1"),
    "UTF-8 in 76": Odd(old("Origin: http://a", start="GET /caf\xc3\xa9 HTTP/1.1"), "raw-target",
                       start="GET /caf%C3%A9 HTTP/1.1", location="ws://example.com/caf\xc3\xa9"),
    "a key of 21 characters": Odd(modern(key="Sec-WebSocket-Key: 5RdYWpPZNAdmqOTGyeq7o"), "key-form"),
    "a subprotocol with a slash": Odd(modern("Sec-WebSocket-Protocol: a/b, c d, a/b"), "subprotocol-names",
                                      header=("sec-websocket-protocol", "a/b, c d")),
    "no Origin in 76": Odd(old(), "no-origin", location="ws://example.com/chat"),
    "a control in a cookie": Odd(modern("Cookie: a=V\x01iyh"), "header-controls", header=("cookie", "a=Viyh")),
    "a Host with a colon": Odd(modern(host="Host: example.com:"), "host-form", header=("host", "example.com:")),
    "a Host without brackets": Odd(modern(host="Host: fe80::1"), "host-form", header=("host", "[fe80::1]")),
    "an Upgrade to one of two": Odd(modern("Upgrade: h2c"), "upgrade-list", header=("upgrade", "websocket")),
    "line feeds alone": Odd(modern().replace(b"\r\n", b"\n"), "bare-lf"),
    "line feeds alone in 76": Odd(old("Origin: http://a").replace(b"\r\n", b"\n"), "bare-lf",
                                  location="ws://example.com/chat"),
    "HTTP/1.0": Odd(modern(start="GET /chat HTTP/1.0"), "http-1.0"),
    "no Host": Odd(modern(host=""), "no-host", header=("host", "127.0.0.1:PORT")),
    "no Host in 76": Odd(old("Origin: http://a", host=""), "no-host", header=("host", "127.0.0.1:PORT"),
                         location="ws://127.0.0.1:PORT/chat"),
}  # fmt: skip
OFF_BY_DEFAULT = ("bare-lf", "http-1.0", "no-host")
every_odd = pytest.mark.parametrize("odd", ODD.values(), ids=ODD)


def counted(gateway: Running) -> object:
    """Return the figures for the metrics."""
    return gateway.service.status()["oddities"]


async def is_served(odd: Odd, upstream: Upstream, gateway: Running, before: bytes = b"") -> None:
    """Serve a client until it closes; return the upstream's request, the client's reply and the log line."""
    port = str(gateway.port)
    client = await gateway.connect(before + odd.request)
    behind, request = await upstream.agree()
    assert request.startswith(odd.start.encode() + b"\r\n")
    name, value = odd.header
    assert values(request, name) == [value.replace("PORT", port)]
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert values(head, "sec-websocket-location") == ([odd.location.replace("PORT", port)] if odd.location else [])
    await client.close()
    await behind.close()
    line = await gateway.lines.line("session")
    assert line["oddities"] == odd.oddity
    assert counted(gateway) == {odd.oddity: 1}


async def is_refused(odd: Odd, upstream: Upstream, gateway: Running) -> None:
    """Refuse a client: the log names what would allow the request, and the client is not told."""
    client = await gateway.connect(odd.request)
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 426 " if odd.oddity == "upgrade-list" else b"HTTP/1.1 400 ")
    told = await client.rest()
    assert b"tolerance" not in told
    assert upstream.nobody_came()
    line = await gateway.lines.line("refused")
    assert line["why"].endswith(f" (listeners[].tolerance: {odd.oddity} would allow it)")
    assert "oddities" not in line


@every_odd
async def test_it_is_served_where_that_alone_is_allowed(odd: Odd) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=f"tolerance: [{odd.oddity}]") as gateway:
        await is_served(odd, upstream, gateway)


@every_odd
async def test_it_is_refused_if_no_oddity_is_allowed(odd: Odd) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener="tolerance: none") as gateway:
        await is_refused(odd, upstream, gateway)


@every_odd
async def test_the_default(odd: Odd) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        await (is_refused if odd.oddity in OFF_BY_DEFAULT else is_served)(odd, upstream, gateway)


@every_odd
async def test_the_second_request_of_a_connection_is_served_as_the_first(odd: Odd) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener="tolerance: all") as gateway:
        client = await gateway.connect(HTTP_GET)
        behind = await upstream.accept()
        await behind.head()
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        await client.send(odd.request)
        behind, request = await upstream.agree()
        assert request.startswith(odd.start.encode() + b"\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.close()
        await behind.close()
        line = await gateway.lines.line("session")
        assert line["oddities"] == odd.oddity
        assert "oddities" not in await gateway.lines.line("http")


async def test_empty_lines_after_a_proxy_header_are_empty_lines() -> None:
    proxied = 'proxy_protocol: {accept: optional, trusted: ["127.0.0.0/8"]}, tolerance: all'
    odd = ODD["empty lines"]
    for before in (PROXY, b""):
        async with Upstream() as upstream, serving(upstream.port, listener=proxied) as gateway:
            await is_served(odd, upstream, gateway, before)
            [line] = gateway.lines.every("session")
            assert line["client"].startswith("192.0.2.7:4711" if before else "127.0.0.1:")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
async def test_version_2_is_distinguished_from_empty_lines_however_it_is_cut(size: int) -> None:
    proxied = 'proxy_protocol: {accept: optional, trusted: ["127.0.0.0/8"]}'
    data = PROXY + modern()
    async with Upstream() as upstream, serving(upstream.port, listener=proxied) as gateway:
        client = await gateway.connect(*(data[at : at + size] for at in range(0, len(data), size)))
        _, request = await upstream.agree()
        assert values(request, "x-forwarded-for") == ["192.0.2.7"]
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_the_host_of_a_client_without_one_is_the_address_from_its_proxy() -> None:
    proxied = 'proxy_protocol: {accept: required, trusted: ["127.0.0.0/8"]}, tolerance: all'
    async with Upstream() as upstream, serving(upstream.port, listener=proxied) as gateway:
        await gateway.connect(PROXY + modern(host=""))
        _, request = await upstream.agree()
        assert values(request, "host") == ["198.51.100.1:443"]


async def test_a_plain_request_is_served_as_an_upgrade_is() -> None:
    request = b"\r\n" + head_of("GET http://example.com:81/caf\xc3\xa9 HTTP/1.1", HOST, "Cookie: a\x1bb")
    names = "empty-lines,header-controls,raw-target,absolute-target"
    async with Upstream() as upstream, serving_http(upstream.port) as gateway:
        client = await gateway.connect(request)
        behind = await upstream.accept()
        head = await behind.head()
        assert head.startswith(b"GET /caf%C3%A9 HTTP/1.1\r\n")
        assert {("host", "example.com:81"), ("cookie", "ab")} <= set(fields(head))
        await behind.send(HTTP_OK)
        assert await client.exactly(len(HTTP_OK)) == HTTP_OK
        line = await gateway.lines.line("http")
        assert line["oddities"] == names
        assert counted(gateway) == dict.fromkeys(names.split(","), 1)


async def test_a_plain_request_with_line_feeds_alone_is_refused_at_once_under_every_setting() -> None:
    for tolerance in ("none", "default", "all"):
        listener_ = f"tolerance: {tolerance}"
        async with Upstream() as upstream, serving_http(upstream.port, listener=listener_) as gateway:
            client = await gateway.connect(HTTP_GET.replace(b"\r\n", b"\n"))
            assert (await client.head()).startswith(b"HTTP/1.1 400 ")
            assert upstream.nobody_came()


async def test_a_request_without_an_origin_is_decided_by_the_route() -> None:
    async with Upstream() as upstream, serving(upstream.port, route="origins: {missing: refuse}") as gateway:
        client = await gateway.connect(old())
        assert (await client.head()).startswith(b"HTTP/1.1 403 ")
        assert upstream.nobody_came()
        line = await gateway.lines.line("refused")
        assert line["oddities"] == "no-origin"


ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
routes:
  - {{name: admins, match: {{path: {{prefix: /}}, headers: {{X-Role: admin}}}}, upstream: behind}}
  - {{name: all, match: {{path: {{prefix: /}}}}, upstream: behind}}
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}}}
"""


@pytest.mark.parametrize(("sent", "route"), [("admin", "admins"), ("ad\x01min", "all")])
async def test_a_route_compares_a_header_as_it_was_sent(sent: str, route: str) -> None:
    """A proxy that removes X-Role: admin would not recognise it with a control character in it."""
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        client = await gateway.connect(modern(f"X-Role: {sent}"))
        behind, request = await upstream.agree()
        assert values(request, "x-role") == ["admin"]
        await client.close()
        await behind.close()
        line = await gateway.lines.line("session")
        assert line["route"] == route


async def test_a_client_of_hybi_04_that_masks_by_the_key_of_the_connection_has_its_session() -> None:
    opening = BY_DIALECT["hybi-04"]
    for tolerance in ("default", "none"):
        async with Upstream() as upstream, serving(upstream.port, listener=f"tolerance: {tolerance}") as gateway:
            client = await gateway.connect(opening.request)
            behind, _ = await upstream.agree()
            secret = await opening.accepted(client)
            frame = masked(b"\x84\x05Hello", secret)
            await client.send(b"\x37\xfa\x21\x3d" + frame)
            if tolerance == "default":
                assert await behind.frame() == (0x81, b"Hello")
            await behind.close()  # the gateway waits for it after a fault of the client
            await client.close()
            line = await gateway.lines.line("session")
            assert line.get("oddities") == ("key-mask-04" if tolerance == "default" else None)


@pytest.mark.parametrize(
    ("headers", "oddity", "header"),
    [
        ([*CONNECT, ("cookie", "a=\x01b")], "header-controls", ("cookie", "a=b")),
        ([*CONNECT[:-1], ("sec-websocket-protocol", "a/b"), CONNECT[-1]], "subprotocol-names", ("host", "example.com")),
    ],
)
async def test_a_stream_of_http2_is_served_as_a_connection_is(
    offered: str, authority: Authority, headers: list[tuple[str, str]], oddity: str, header: tuple[str, str]
) -> None:
    for tolerance in ("default", "none"):
        options = f"{offered}, tolerance: {tolerance}"
        async with Upstream() as upstream, serving(upstream.port, listener=options) as gateway:
            client = await Client.connect(gateway, authority)
            number = await client.ask(headers, end=False)
            if tolerance == "none":
                assert (await client.response(number))[":status"] == "400"
                line = await gateway.lines.line("refused")
                assert line["why"].endswith(f"{oddity} would allow it)")
                continue
            behind, request = await upstream.agree()
            assert header in fields(request)
            assert (await client.response(number))[":status"] == "200"
            await client.reset(number)
            await behind.close()
            line = await gateway.lines.line("session")
            assert line["oddities"] == oddity


async def test_between_two_requests_there_may_be_four_empty_lines_and_no_more() -> None:
    for lines, status in ((4, b"200"), (5, b"400")):
        async with Upstream() as upstream, serving_http(upstream.port) as gateway:
            client = await gateway.connect(HTTP_GET + b"\r\n" * lines + HTTP_GET)
            for answer in (b"200", status):
                if answer == b"200":
                    behind = await upstream.accept()
                    await behind.head()
                    await behind.send(HTTP_OK)
                assert (await client.head()).startswith(b"HTTP/1.1 " + answer)
                await client.exactly(2)


async def test_a_client_that_sends_only_an_empty_line_after_a_request_is_done() -> None:
    """Old clients send an empty line after the body of a POST, and close: that is no request, with any setting."""
    for tolerance in ("default", "none"):
        async with Upstream() as upstream, serving_http(upstream.port, listener=f"tolerance: {tolerance}") as gateway:
            client = await gateway.connect(HTTP_GET + b"\r\n")
            behind = await upstream.accept()
            await behind.head()
            await behind.send(HTTP_OK)
            assert await client.exactly(len(HTTP_OK)) == HTTP_OK
            await client.close()
            line = await gateway.lines.line("disconnected")
            assert line["why"] == "without another request"
