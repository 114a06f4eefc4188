"""Plain HTTP through a gateway: its configuration, a client that sends requests, and an upstream that answers."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.heads import head_of
from tests.peers import Peer
from tests.support import Running, Upstream, serving_text

_HTTP_CONFIGURATION = """\
version: 1
listeners:
  - {{name: public, bind: ["127.0.0.1:0"], {listener}}}
defaults:
  timeouts: {{{timeouts}}}
shutdown: {{{shutdown}}}
routes:
  - {{name: chat, match: {{path: {{prefix: /}}, upgrade: true}}, upstream: chat}}
  - {{name: site, match: {{path: {{prefix: {path}}}}}, http_upstream: site, {route}}}
upstreams:
  chat: {{targets: [{{url: "ws://127.0.0.1:{upstream}"}}]}}
  site: {{targets: [{{url: "http://127.0.0.1:{upstream}"}}], {site}}}
"""
_HTTP_USUAL = {"listener": "", "timeouts": "", "shutdown": "spread: none", "path": "/", "route": "", "site": ""}


def http_configuration(upstream: int, **options: str) -> str:
    """Return the YAML of a gateway that passes WebSocket and plain HTTP to this port, by the routes chat and site.

    `listener`, `timeouts`, `shutdown`, `route` and `site` are text for their mappings: the last two for the route and
    the upstream of plain HTTP; `path` is the prefix of this route.
    """
    assert options.keys() <= _HTTP_USUAL.keys(), f"no such option: {options.keys() - _HTTP_USUAL.keys()}"
    return _HTTP_CONFIGURATION.format(upstream=upstream, **_HTTP_USUAL | options)


@asynccontextmanager
async def serving_http(upstream: int, **options: str) -> AsyncIterator[Running]:
    """Run a gateway that passes plain HTTP, too (see `http_configuration`). A bug in its log raises an error."""
    async with serving_text(http_configuration(upstream, **options)) as running:
        yield running


# Paths below the route's prefix that may lead out of the route, for any server or for some.
LEAVING = [
    "/..", "/../admin", "/./x", "/%2e%2E/admin", "/..%2fadmin", "%2f..", "/..\\admin", "%5C.%2e?x", "/..;/admin",
    "/..;x=1/admin", "/%2e%2e;/admin", "/.;/x", "/%252e%252e/admin", "/%c0%ae%c0%ae/admin", "/..%c0%afadmin",
    "/..%c1%9cadmin", "/..%00", "/a%00",
]  # fmt: skip
HTTP_GET = head_of("GET / HTTP/1.1", "Host: example.com")
HTTP_OK = head_of("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok"


async def passed(
    upstream: Upstream, gateway: Running, request: bytes, tls: ssl.SSLContext | None = None
) -> tuple[Peer, Peer, bytes]:
    """Return a client that has sent a request, perhaps over TLS, the end of the upstream, and the head that it got."""
    client = await (gateway.connect(request) if tls is None else gateway.connect_tls(tls, request))
    behind = await upstream.accept()
    return client, behind, await behind.head()


async def answered(upstream: Upstream, gateway: Running, request: bytes, answer: bytes) -> tuple[Peer, bytes]:
    """Return the head that a client gets if an upstream answers its request with this and closes."""
    client, behind, _ = await passed(upstream, gateway, request)
    await behind.send(answer)
    await behind.close()
    return client, await client.head()


async def until_chunks_end(client: Peer) -> bytes:
    """Return a body in chunks."""
    body = b""
    while size := int(await client.until(b"\r\n"), 16):
        body += await client.exactly(size)
        assert await client.exactly(2) == b"\r\n"
    assert await client.exactly(2) == b"\r\n"
    return body
