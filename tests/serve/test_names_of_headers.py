"""Headers that make claims about a client: which of them reach an upstream, by every way a client can connect."""

import pytest

from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.serve.exchanging import passed, serving_http
from tests.support import Upstream, serving

from .http2 import CONNECT, GET, Client, listener

TRUSTING = 'forwarded: {trusted: ["127.0.0.1"]}'
# Headers of oauth2-proxy, Authelia, Traefik and Envoy about a client.
OF_PROXIES = ["X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Access-Token", "X-Forwarded-Prefix"]
# CGI and WSGI read these as names with hyphens, or as a setting of the program (httpoxy).
ALIKE = ["Sec_WebSocket_Key", "Sec_WebSocket_Extensions", "WebSocket_Protocol", "X_Forwarded_For", "X_User", "Proxy"]
LINES = [f"{name}: v-{name}" for name in (*OF_PROXIES, *ALIKE, "X-Auth-Request-User")]


def arrived(request: bytes) -> list[str]:
    """Return which of the lines above are in a request."""
    return [line.partition(":")[0] for line in LINES if f"\r\n{line}\r\n".lower().encode() in request.lower()]


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
@pytest.mark.parametrize(("who", "expected"), [(TRUSTING, OF_PROXIES), ("", [])], ids=["trusted", "a stranger"])
async def test_an_upgrade_has_proxy_headers_of_trusted_proxies_only(
    opening: Opening, who: str, expected: list[str]
) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=who) as gateway:
        await gateway.connect(opening.head[:-2] + head_of("", *LINES)[2:] + opening.challenge)
        _, request = await upstream.agree()
        assert arrived(request) == [*expected, "X-Auth-Request-User"]


@pytest.mark.parametrize(("who", "expected"), [(TRUSTING, OF_PROXIES), ("", [])], ids=["trusted", "a stranger"])
async def test_so_does_a_plain_request(who: str, expected: list[str]) -> None:
    async with Upstream() as upstream, serving_http(upstream.port, listener=who) as gateway:
        _, _, request = await passed(upstream, gateway, head_of("GET / HTTP/1.1", "Host: a", *LINES))
        assert arrived(request) == [*expected, "X-Auth-Request-User"]


@pytest.mark.parametrize(("who", "expected"), [(TRUSTING, OF_PROXIES), ("", [])], ids=["trusted", "a stranger"])
@pytest.mark.parametrize("asked", [GET, CONNECT], ids=["plain", "websocket"])
async def test_so_does_a_stream_of_http2(
    authority: Authority, asked: list[tuple[str, str]], who: str, expected: list[str]
) -> None:
    headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in LINES)]
    offered = listener(authority.issue("localhost")) + (f", {who}" if who else "")
    async with Upstream() as upstream, serving_http(upstream.port, listener=offered) as gateway:
        client = await Client.connect(gateway, authority)
        await client.ask([*asked, *headers], end=asked is GET)
        request = await (await upstream.accept()).head()
        assert arrived(request) == [*expected, "X-Auth-Request-User"]


async def test_a_route_may_name_headers_with_an_underscore_that_pass() -> None:
    route = "headers: {underscores: [x_user, Proxy]}"
    async with Upstream() as upstream, serving(upstream.port, route=route) as gateway:
        opening = BY_DIALECT["rfc6455"]
        await gateway.connect(opening.head[:-2] + head_of("", *LINES)[2:])
        _, request = await upstream.agree()
        assert arrived(request) == ["X_User", "Proxy", "X-Auth-Request-User"]
        assert values(request, "x-forwarded-for") == ["127.0.0.1"]
