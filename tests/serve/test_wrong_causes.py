"""Mistakes of operators that look like something else: the log names the cause, over real sockets."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.heads import head_of
from tests.net.certificates import Appliance, Authority
from tests.openings import BY_DIALECT, HIXIE76, KEY
from tests.peers import Peer
from tests.support import PATIENCE_SECONDS, Running, Upstream, serving
from wsgateway.errors import Reason

from .test_tls import speaking, tls

MODERN = BY_DIALECT["rfc6455"]
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"
# Version 2, PROXY, TCP over IPv4, 12 bytes of addresses.
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes.fromhex("c0000207 c6336401 1267 0050")
# As openssl s_client begins: a handshake record of TLS 1.0, a ClientHello.
CLIENT_HELLO = bytes.fromhex("16 0301 0200 01 0001fc 0303")
# What nginx makes of a WebSocket request where nobody has told it to pass one on, and with `proxy_http_version 1.1`.
BY_NGINX = ("Host: behind", "Connection: close", KEY, "Sec-WebSocket-Version: 13", "Origin: http://example.com")
# RFC 9113, 6.5: an empty SETTINGS frame, with which every server of HTTP/2 begins.
SETTINGS = bytes.fromhex("000000 04 00 00000000")
# RFC 8446, 6: a fatal alert, unexpected_message: how OpenSSL answers a request in clear.
ALERT = bytes.fromhex("15 0303 0002 02 0a")

IN_CLEAR = {
    "a PROXY header of version 1": (V1 + MODERN.request, "proxy-header-unexpected", 400),
    "a PROXY header of version 2": (V2 + MODERN.request, "proxy-header-unexpected", 400),
    "TLS": (CLIENT_HELLO, "tls-on-plain-port", 400),
    "another protocol": (b"\x03\0\0\x13\x0e\xe0", "not-http", 400),
    "HTTP/2 in clear": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not-http", 400),
    "nginx of old": (head_of("GET /chat HTTP/1.0", *BY_NGINX), "upgrade-removed", 426),
    "nginx with HTTP/1.1": (head_of("GET /chat HTTP/1.1", *BY_NGINX), "upgrade-removed", 426),
    "nginx with half of it": (
        head_of("GET /chat HTTP/1.1", "Upgrade: websocket", *BY_NGINX),
        "upgrade-removed",
        400,
    ),
    "nginx before a client of hixie-76": (
        head_of("GET /chat HTTP/1.1", "Connection: close", *(each for each in HIXIE76 if "pgrade" not in each)),
        "upgrade-removed",
        426,
    ),
    "a page, and no WebSocket": (head_of("GET / HTTP/1.1", "Host: a"), "upgrade-missing", 426),
}


async def refused(gateway: Running, reason: str) -> dict[str, Any]:
    """Return the line of a client that was refused for this reason, with its cause and its cure."""
    line = await gateway.lines.line("refused", reason=reason)
    assert (line["cause"], line["cure"]) == (Reason(reason).cause, Reason(reason).cure)
    return line


@pytest.mark.parametrize(("said", "reason", "status"), IN_CLEAR.values(), ids=IN_CLEAR)
async def test_what_comes_to_a_plain_port_has_its_name(said: bytes, reason: str, status: int) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(said)
        answer = await client.rest()
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.endswith(f": {reason}\n".encode())
        assert (await refused(gateway, reason))["listener"] == "public"
        assert gateway.service.status()["refused"] == {str(status): {reason: 1}}
        assert upstream.nobody_came()


@pytest.mark.parametrize("said", [V1, V2], ids=["version 1", "version 2"])
async def test_a_PROXY_header_that_comes_in_pieces_has_its_name(said: bytes) -> None:  # noqa: N802
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(said[:4])
        await trio.testing.wait_all_tasks_blocked(0.05)
        await client.send(said[4:])
        assert (await client.rest()).endswith(b": proxy-header-unexpected\n")


ON_TLS = {
    "HTTP": (MODERN.request, "http-on-tls-port"),
    "a PROXY header of version 1": (V1 + CLIENT_HELLO, "proxy-header-unexpected"),
    "a PROXY header of version 2": (V2 + CLIENT_HELLO, "proxy-header-unexpected"),
    "noise": (b"\x7f" * 64, "tls-failed"),
}


@pytest.mark.parametrize(("said", "reason"), ON_TLS.values(), ids=ON_TLS)
async def test_what_comes_to_a_port_of_tls_has_its_name(said: bytes, reason: str, authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect(said)
        with suppress(trio.BrokenResourceError):  # there is no answer, and bytes that nobody has read
            await client.rest()
        await refused(gateway, reason)
        assert gateway.service.status()["refused"] == {"none": {reason: 1}}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
async def test_a_client_that_distrusts_our_certificate_has_its_name(
    version: ssl.TLSVersion, authority: Authority
) -> None:
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:

        def connect() -> None:  # Trio's own streams keep the alert to themselves
            with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE_SECONDS) as sock:
                context.wrap_socket(sock, server_hostname="localhost")

        with pytest.raises(ssl.SSLCertVerificationError):
            await trio.to_thread.run_sync(connect)
        await refused(gateway, "certificate-distrusted")


async def test_a_client_of_an_old_tls_has_its_name(authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        with pytest.raises(trio.BrokenResourceError):
            await gateway.connect_tls(speaking(authority, ssl.TLSVersion.TLSv1))
        await refused(gateway, "tls-not-shared")


async def test_a_challenge_that_a_proxy_loses_has_its_name(autojump_clock: MockClock) -> None:
    async with Upstream() as upstream, serving(upstream.port, timeouts="challenge: 100ms") as gateway:
        client = await gateway.connect(BY_DIALECT["hixie-76"].head)
        await upstream.agree()
        await client.rest()
        line = await refused(gateway, "challenge-missing")
        assert line["dialect"] == "hixie-76"


# -- targets -----------------------------------------------------------------------------------------------------


async def say(behind: Peer, answer: bytes) -> None:
    await behind.head()
    await behind.send(answer)


async def hang_up(behind: Peer, answer: bytes) -> None:
    await behind.head()
    await behind.close()


ANSWERS: dict[str, tuple[Callable[[Peer, bytes], Awaitable[None]], bytes, str]] = {
    "HTTP/2": (say, SETTINGS, "target-http2"),
    "TLS": (say, ALERT, "target-needs-tls"),
    "SSH": (say, b"SSH-2.0-OpenSSH_9.2\r\n", "target-not-http"),
    "MySQL": (say, b"\x4a\0\0\0\x0a8.0.36\0", "target-not-http"),
    "half an answer": (
        say,
        head_of("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"),
        "target-handshake-wrong",
    ),
    "a status that is none": (say, b"HTTP/1.1 abc\r\n\r\n", "target-answer-malformed"),
    "nothing": (hang_up, b"", "target-lost"),
    "503": (say, head_of("HTTP/1.1 503 Service Unavailable", "Content-Length: 0"), "upstream-refused"),
}


@pytest.mark.parametrize(("answer", "said", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_what_a_target_speaks_has_its_name(
    answer: Callable[[Peer, bytes], Awaitable[None]], said: bytes, reason: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(MODERN.request)
        await answer(await upstream.accept(), said)
        answered = await client.rest()
        event = "refused" if reason == "upstream-refused" else "upstream failed"
        line = await gateway.lines.line(event, reason=reason)
        assert line["cure"] == Reason(reason).cure
        if event != "refused":
            assert answered.endswith(f": {reason}\n".encode())
            [target] = gateway.service.status()["pools"]["behind"]["targets"]
            assert target["last_reason"] == reason


async def test_a_target_of_tls_1_0_alone_has_its_name() -> None:
    old = Appliance.make().server(ssl.TLSVersion.TLSv1)

    def serve(listening: socket.socket) -> None:
        sock, _ = listening.accept()
        with sock, pytest.raises(ssl.SSLError):
            old.wrap_socket(sock, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_SECONDS)
        async with serving(listening.getsockname()[1], url="wss://127.0.0.1") as gateway:
            client = await gateway.connect(MODERN.request)
            await trio.to_thread.run_sync(serve, listening)
            assert (await client.rest()).endswith(b"502 Bad Gateway: target-tls-old\n")
            line = await gateway.lines.line("upstream failed", reason="target-tls-old")
            assert line["cure"] == "Set `targets[].tls.profile: legacy` for this target."


async def test_a_target_of_http_2_alone_over_tls_has_its_name(authority: Authority) -> None:
    modern = authority.server
    modern.set_alpn_protocols(["h2"])
    target = f"tls: {{ca: {authority.file}, server_name: localhost}}"
    async with Upstream(modern) as upstream, serving(upstream.port, url="wss://127.0.0.1", target=target) as gateway:
        client = await gateway.connect(MODERN.request)
        # OpenSSL agrees to nothing then, and the server begins with its settings all the same.
        await say(await upstream.accept(), SETTINGS)
        assert (await client.rest()).endswith(b"502 Bad Gateway: target-http2\n")


# -- who it was --------------------------------------------------------------------------------------------------


async def test_a_line_says_who_it_was_and_no_more_than_200_characters_of_it() -> None:
    long = "x" * 300
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        request = MODERN.request.replace(b"/chat", b"/" + long.encode()).replace(
            b"\r\n\r\n", f"\r\nUser-Agent: Old {long}\r\n\r\n".encode()
        )
        await gateway.connect(request)
        await upstream.agree()
        line = await gateway.lines.line("opened")
        assert (
            line.items()
            >= {
                "level": "info",
                "listener": "public",
                "host": "server.example.com",
                "path": f"/{long}"[:200],
                "origin": "http://example.com",
                "agent": f"Old {long}"[:200],
                "dialect": "rfc6455",
                "route": "all",
            }.items()
        )
