"""The changes that a route makes to a request: its path, its headers, its Host; and which requests it matches."""

import pytest

from tests.heads import head_of, values
from tests.openings import RFC6455
from tests.support import Upstream, serving, serving_text


@pytest.mark.parametrize(
    ("rewrite", "asked", "got"),
    [
        ("strip_prefix: /app", "/app/chat?x=/app", "/chat?x=/app"),
        ("strip_prefix: /app", "/app", "/"),
        ("strip_prefix: /app", "/apple", "/apple"),
        ("add_prefix: /v1", "/chat%2F?x", "/v1/chat%2F?x"),
        ("strip_prefix: /app, add_prefix: /v1/", "/app/chat", "/v1/chat"),
    ],
)
async def test_a_path_is_rewritten(rewrite: str, asked: str, got: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, route=f"rewrite: {{{rewrite}}}") as gateway:
        await gateway.connect(head_of(f"GET {asked} HTTP/1.1", *RFC6455))
        _, request = await upstream.agree()
        assert request.startswith(f"GET {got} HTTP/1.1\r\n".encode())


async def test_headers_are_set_and_removed() -> None:
    rules = "headers: {set: {X-Kind: '{dialect} {client_ip} {listener} {route}', X-Own: ours}, remove: [Cookie]}"
    async with Upstream() as upstream, serving(upstream.port, route=rules) as gateway:
        lines = ("Cookie: a=b", "X-Own: theirs", "x-own: theirs", "X-Kept: 1")
        await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455, *lines))
        _, request = await upstream.agree()
        assert values(request, "x-kind") == ["rfc6455 127.0.0.1 public all"]
        assert values(request, "x-own") == ["ours"]
        assert values(request, "x-kept") == ["1"]
        assert values(request, "cookie") == []


async def test_the_host_is_kept_or_the_targets_or_another() -> None:
    async with Upstream() as upstream:
        own = f"127.0.0.1:{upstream.port}"
        for rule, host in (("preserve", "example.com"), ("target", own), ("other.example", "other.example")):
            async with serving(upstream.port, behind=f"host: {rule}") as gateway:
                await gateway.connect(head_of("GET / HTTP/1.1", *RFC6455))
                _, request = await upstream.agree()
                assert values(request, "host") == [host]
                assert values(request, "x-forwarded-host") == ["example.com"]


ROUTES = """\
version: 1
listeners: [{{bind: ["127.0.0.1:0"]}}]
routes:
  - {{name: regex, match: {{path: {{regex: "/r/[0-9]+"}}}}, upstream: behind}}
  - {{name: hosts, match: {{path: {{prefix: /}}, hosts: ["*.example.org"]}}, upstream: behind}}
  - {{name: headers, match: {{path: {{prefix: /}}, headers: {{X-Key: "1", X-Any: "*"}}}}, upstream: behind}}
upstreams: {{behind: {{targets: [{{url: "ws://127.0.0.1:{port}"}}]}}}}
"""


@pytest.mark.parametrize(
    ("path", "host", "lines", "route"),
    [
        ("/r/7", "example.com", (), "regex"),
        ("/r/7/x", "example.com", (), None),
        ("/", "a.example.org:8080", (), "hosts"),
        ("/", "example.org", (), None),
        ("/", "example.com", ("X-Key: 1", "X-Any: whatever"), "headers"),
        ("/", "example.com", ("X-Key: 2", "X-Any: whatever"), None),
    ],
)
async def test_a_route_takes_the_requests_that_match(
    path: str, host: str, lines: tuple[str, ...], route: str | None
) -> None:
    request = head_of(f"GET {path} HTTP/1.1", f"Host: {host}", *RFC6455[1:], *lines)
    async with Upstream() as upstream, serving_text(ROUTES.format(port=upstream.port)) as gateway:
        client = await gateway.connect(request)
        if route is None:
            assert (await client.head()).startswith(b"HTTP/1.1 404 ")
            assert upstream.nobody_came()
        else:
            behind, _ = await upstream.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            await client.close()
            await behind.close()
            assert (await gateway.lines.line("session"))["route"] == route
