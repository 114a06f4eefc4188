"""The origins that clients may come from, in every dialect."""

import pytest

from tests.heads import head_of, values
from tests.openings import BY_DIALECT, OPENINGS, RFC6455, Opening
from tests.support import Upstream, serving

GET = "GET / HTTP/1.1"


async def status_of(origins: str, request: bytes) -> bytes:
    """Return the status for a client; its upstream accepts every handshake."""
    async with Upstream() as upstream, serving(upstream.port, route=f"origins: {{{origins}}}") as gateway:
        client = await gateway.connect(request)

        async def agree() -> None:
            await upstream.agree()

        gateway.nursery.start_soon(agree)
        status = (await client.head())[9:12]
        if status != b"101":
            line = await gateway.lines.line("refused")
            assert (line["status"], line["route"]) == (int(status), "all")
        return status


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_page_that_is_not_listed_is_refused_in_every_dialect(opening: Opening) -> None:
    origin = (values(opening.head, "origin") + values(opening.head, "sec-websocket-origin"))[0]
    async with (
        Upstream() as upstream,
        serving(upstream.port, route='origins: {allow: ["https://elsewhere.example"]}') as gateway,
    ):
        client = await gateway.connect(opening.request)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert answer.endswith(b"403 Forbidden: origin-refused\n")
        assert (await gateway.lines.line("refused"))["why"] == f"the Origin {origin!r} is not allowed here"
        assert upstream.nobody_came()


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        ('allow: ["http://example.com"]', "http://example.com", b"101"),
        ('allow: ["http://example.com"]', "http://EXAMPLE.com:80", b"101"),
        ('allow: ["http://example.com"]', "https://example.com", b"403"),
        ('allow: ["http://example.com"]', "http://example.com:8080", b"403"),
        ('allow: ["http://example.com"]', "http://example.com.evil.example", b"403"),
        ('allow: ["https://*.example.com"]', "https://a.b.example.com", b"101"),
        ('allow: ["https://*.example.com"]', "https://example.com", b"403"),
        ('allow: ["*"]', "http://anybody.example", b"101"),
        ('allow: ["*"]', "null", b"101"),
        ('allow: ["*"], opaque: refuse', "null", b"403"),
        ('allow: ["http://example.com"]', "null", b"403"),  # a sandboxed frame of any page
        ('allow: ["http://example.com"], opaque: allow', "null", b"101"),
        ('allow: ["http://example.com"]', None, b"101"),
        ('allow: ["http://example.com"], missing: refuse', None, b"403"),
    ],
)
async def test_an_origin_is_compared_whole(origins: str, origin: str | None, status: bytes) -> None:
    lines = RFC6455 if origin is None else (*RFC6455, f"Origin: {origin}")
    assert await status_of(origins, head_of(GET, *lines)) == status


async def test_a_route_without_origins_lets_every_page_in() -> None:
    assert await status_of("", BY_DIALECT["rfc6455"].request) == b"101"
