"""One path in many spellings takes one route, by every way a client can connect, and is passed on as the route says."""

import pytest

from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.openings import OPENINGS, RFC6455, Opening
from tests.support import Upstream, serving_text

from .exchanging import LEAVING
from .http2 import CONNECT, GET, Client, listener

ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"], {listener}}}]
routes:
  - name: admin
    match: {{path: {{prefix: /admin}}}}
    headers: {{set: {{X-Route: "{{route}}"}}}}
    rewrite: {{{rewrite}}}
    upstream: chat
    http_upstream: site
  - name: rest
    match: {{path: {{prefix: /}}}}
    headers: {{set: {{X-Route: "{{route}}"}}}}
    upstream: chat
    http_upstream: site
upstreams:
  chat: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}
  site: {{targets: [{{url: "http://127.0.0.1:{port}"}}]}}
"""
SPELLINGS = [
    ("/admin", "admin"),
    ("/%61dmin", "admin"),
    ("//admin", "admin"),
    ("///%61%64min//x", "admin"),
    ("/admin%2Fx", "rest"),
    ("/%2561dmin", "rest"),
    ("/administration", "rest"),
]


def text(upstream: Upstream, rewrite: str = "", listener: str = "") -> str:
    return ROUTES.format(port=upstream.port, rewrite=rewrite, listener=listener)


def at(path: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a stream, for this path."""
    return [(name, path if name == ":path" else value) for name, value in headers]


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_no_spelling_slips_past_a_route_in_any_dialect(opening: Opening) -> None:
    _, _, rest = opening.request.partition(b"\r\n")
    async with Upstream() as upstream, serving_text(text(upstream)) as gateway:
        for path, route in SPELLINGS:
            await gateway.connect(f"GET {path}?x HTTP/1.1\r\n".encode() + rest)
            behind, request = await upstream.agree()
            assert request.startswith(f"GET {path}?x HTTP/1.1\r\n".encode())
            assert values(request, "x-route") == [route]
            await behind.close()


async def test_no_spelling_slips_past_a_route_in_plain_http() -> None:
    async with Upstream() as upstream, serving_text(text(upstream)) as gateway:
        for path, route in SPELLINGS:
            await gateway.connect(head_of(f"GET {path} HTTP/1.1", "Host: a"))
            request = await (await upstream.accept()).head()
            assert request.startswith(f"GET {path} HTTP/1.1\r\n".encode())
            assert values(request, "x-route") == [route]


@pytest.mark.parametrize("asked", [GET, CONNECT], ids=["plain", "websocket"])
async def test_paths_take_one_route_in_http2_too_and_paths_that_lead_out_of_it_are_refused(
    authority: Authority, asked: list[tuple[str, str]]
) -> None:
    offered = listener(authority.issue("localhost"))
    async with Upstream() as upstream, serving_text(text(upstream, listener=offered)) as gateway:
        client = await Client.connect(gateway, authority)
        for path, route in SPELLINGS:
            await client.ask(at(path, asked), end=asked is GET)
            request = await (await upstream.accept()).head()
            assert values(request, "x-route") == [route]
        for path in LEAVING:
            number = await client.ask(at("/admin" + path, asked), end=asked is GET)
            assert (await client.response(number))[":status"] == "400"


@pytest.mark.parametrize(
    ("rewrite", "asked", "got"),
    [
        ("strip_prefix: /admin", "//%61dmin//r%6Fom?%61//", "//r%6Fom?%61//"),
        ("path: normalised", "//%61dmin//r%6Fom?%61//", "/admin/room?%61//"),
        ("path: normalised, strip_prefix: /admin, add_prefix: /v1", "//%61dmin//r%6Fom", "/v1/room"),
        ("path: as_sent", "//%61dmin", "//%61dmin"),
    ],
)
async def test_a_path_is_passed_on_as_it_was_sent_or_normalised(rewrite: str, asked: str, got: str) -> None:
    async with Upstream() as upstream, serving_text(text(upstream, rewrite)) as gateway:
        await gateway.connect(head_of(f"GET {asked} HTTP/1.1", *RFC6455))
        _, request = await upstream.agree()
        assert request.startswith(f"GET {got} HTTP/1.1\r\n".encode())
        await gateway.connect(head_of(f"GET {asked} HTTP/1.1", "Host: a"))
        request = await (await upstream.accept()).head()
        assert request.startswith(f"GET {got} HTTP/1.1\r\n".encode())
