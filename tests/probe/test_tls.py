"""Probes over TLS: every dialect uses wss, a server that is not trusted is refused, and the end is reported."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.backends import websockets_server
from tests.dialects.families import HIXIE, MORE
from tests.heads import head_of
from tests.net.certificates import Authority
from tests.peers import Peer
from tests.support import Upstream, serving
from wsgateway.dialects import DIALECTS
from wsgateway.probe.client import ProbeRequest

from .probing import HELLO, ask, behind_the_handshake, tls_before, written

RFC6455 = DIALECTS["rfc6455"]
EVERY = [
    "hixie-75",
    *(name for name in DIALECTS if name != "hixie-75"),
]


@asynccontextmanager
async def gateway_behind_tls(authority: Authority, scheme: str) -> AsyncIterator[int]:
    """Yield the port of a proxy that ends TLS in front of a gateway, which has this `location_scheme`."""
    async with (
        websockets_server() as port,
        serving(port, route=f"location_scheme: {scheme}") as gateway,
        tls_before(gateway.port, authority) as front,
    ):
        yield front


@pytest.mark.parametrize("dialect", EVERY)
async def test_each_dialect_gets_its_echo_over_tls(authority: Authority, dialect: str) -> None:
    async with gateway_behind_tls(authority, "wss") as port:
        url = f"wss://localhost:{port}/x"
        report, lines = await ask(ProbeRequest(url, DIALECTS[dialect], "Hello", tls=authority.client()))
    assert (report.closed, report.error) == ("closed by both", None)
    assert behind_the_handshake(dialect, lines) == HELLO[dialect]
    heads = [line for line in lines if ": " in line.text]
    assert any(line.text.endswith(f"Origin: https://localhost:{port}") for line in heads if line.direction == ">")
    if dialect in (*HIXIE, *MORE):
        prefix = "" if dialect == "hixie-75" else "Sec-"
        shown = f"< {prefix}WebSocket-Location: {url} | the address that we requested, repeated: {url} is right"
        assert shown in map(written, heads)


async def test_the_location_of_a_gateway_that_does_not_know_of_the_tls_in_front_of_it_is_shown(
    authority: Authority,
) -> None:
    async with gateway_behind_tls(authority, "ws") as port:
        url = f"wss://localhost:{port}/"
        report, lines = await ask(ProbeRequest(url, DIALECTS["hixie-76"], tls=authority.client()))
    assert report.error is None
    assert (
        f"< Sec-WebSocket-Location: ws://localhost:{port}/ | the address that we requested, repeated: {url} is right"
    ) in map(written, lines)


async def test_a_server_of_rfc_6455_over_tls_is_probed(authority: Authority) -> None:
    async with websockets_server(ssl=authority.server) as port:
        probe_request = ProbeRequest(f"wss://localhost:{port}/", RFC6455, "Hello", tls=authority.client())
        report, lines = await ask(probe_request)
    assert (report.closed, report.error) == ("closed by both", None)
    assert behind_the_handshake("rfc6455", lines) == HELLO["rfc6455"]


# -- trust -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "trusted", "error"),
    [
        ("localhost", False, "unable to get local issuer certificate"),
        ("127.0.0.1", True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
    ids=["unknown authority", "other name"],
)
async def test_a_server_that_is_not_trusted_gets_no_request(
    authority: Authority, host: str, trusted: bool, error: str
) -> None:
    async with websockets_server(ssl=authority.server) as port:
        tls = authority.client() if trusted else None
        report, lines = await ask(ProbeRequest(f"wss://{host}:{port}/", RFC6455, tls=tls))
    assert (report.accepted, report.error) == (False, f"TLS failed: the certificate is not trusted: {error}")
    assert lines == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_probe_that_trusts_every_certificate_probes_every_server(authority: Authority, host: str) -> None:
    everybody = ssl.create_default_context()
    everybody.check_hostname = False
    everybody.verify_mode = ssl.CERT_NONE
    async with websockets_server(ssl=authority.server) as port:
        report, _ = await ask(ProbeRequest(f"wss://{host}:{port}/", RFC6455, tls=everybody))
    assert (report.closed, report.error) == ("closed by both", None)


# -- servers that speak no TLS, or not to the end ----------------------------------------------------------------

OLDER = (
    "if it speaks only SSL 3.0, RC4 or 3DES, it needs a proxy in between that still has that, as OpenSSL here has not"
)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (head_of("HTTP/1.1 400 Bad Request"), "TLS failed: the server does not speak TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "TLS failed: the server does not speak TLS"),
        (b"", f"TLS failed: the server hung up on TLS 1.0 to 1.3: {OLDER}"),
        # An alert: TLS 1.0 was too old for it, or too new.
        (bytes.fromhex("15 0301 0002 0246"), f"TLS failed: the server refused TLS 1.0 to 1.3: {OLDER}"),
        (bytes.fromhex("15 0303 0002 0228"), f"TLS failed: the server refused TLS 1.0 to 1.3: {OLDER}"),
    ],
    ids=["HTTP", "SSH", "an end", "another version", "a refusal"],
)
async def test_a_server_without_tls_is_reported(authority: Authority, answer: bytes, error: str) -> None:
    async with Upstream() as upstream, trio.open_nursery() as nursery:

        async def serve() -> None:
            peer = await upstream.accept()
            await peer.once()
            await peer.send(answer)
            await peer.close()

        nursery.start_soon(serve)
        report, lines = await ask(ProbeRequest(f"wss://localhost:{upstream.port}/", RFC6455, tls=authority.client()))
    assert (report.accepted, report.error, lines) == (False, error, [])


async def test_a_silent_server_is_waited_for_until_the_time_limit() -> None:
    async with Upstream() as upstream:
        report, lines = await ask(ProbeRequest(f"wss://localhost:{upstream.port}/", RFC6455, seconds=0.1))
    assert (report.error, lines) == ("no answer within 0.1 s", [])


@pytest.mark.parametrize("news", [b"", b"\x00news\xff"], ids=["nothing", "news"])
async def test_a_server_of_hixie_75_may_talk_while_we_leave(authority: Authority, news: bytes) -> None:
    async with Upstream() as upstream, trio.open_nursery() as nursery:
        host = f"localhost:{upstream.port}"

        async def serve() -> None:
            tls = trio.SSLStream((await upstream.accept()).stream, authority.server, server_side=True)
            peer = Peer(tls.transport_stream, tls)
            await peer.head()
            reply = head_of(
                "HTTP/1.1 101 Web Socket Protocol Handshake",
                "Upgrade: WebSocket",
                "Connection: Upgrade",
                f"WebSocket-Origin: https://{host}",
                f"WebSocket-Location: wss://{host}/",
            )
            # Records of their own: the second is there when the probe leaves, and nobody has looked at it.
            await peer.send(reply, news)
            assert await peer.rest() == b""
            await tls.aclose()

        nursery.start_soon(serve)
        report, _ = await ask(ProbeRequest(f"wss://{host}/", DIALECTS["hixie-75"], tls=authority.client()))
    assert (report.closed, report.error) == ("closed by both", None)
