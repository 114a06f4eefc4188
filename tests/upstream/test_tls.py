"""Upstreams behind wss://: the trusted authorities, the server names, and our own certificate."""

import shutil
import ssl
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.backends import websockets_server
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, OPENINGS, Opening
from tests.support import Upstream, serving
from wsgateway.errors import Reason
from wsgateway.upstream.tls import explained

MODERN = BY_DIALECT["rfc6455"]
HERE = {"url": "wss://127.0.0.1"}


def trusting(authority: Authority, name: str = "localhost", more: str = "") -> str:
    return f"tls: {{ca: {authority.file}, server_name: {name}{more}}}"


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_a_client_of_each_dialect_reaches_an_upstream_over_tls(opening: Opening, authority: Authority) -> None:
    async with (
        Upstream(authority.server) as upstream,
        serving(upstream.port, target=trusting(authority), **HERE) as gateway,
    ):
        client = await gateway.connect(opening.request)
        behind, _ = await upstream.agree()
        secret = await opening.accepted(client)
        await client.send(opening.written(opening.hello_back, secret))
        assert await behind.frame() == (0x81, b"Hello")
        await behind.send(b"\x81\x05Hello")
        assert await client.exactly(len(opening.hello_back)) == opening.hello_back


async def test_an_upstream_that_others_wrote_is_reached_by_the_name_of_its_address(authority: Authority) -> None:
    async with (
        websockets_server(ssl=authority.server) as port,
        serving(port, target=f"tls: {{ca: {authority.file}}}", url="wss://localhost") as gateway,
    ):
        client = await gateway.connect(MODERN.request)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        await client.send(MODERN.hello)
        assert await client.exactly(7) == b"\x81\x05Hello"


@pytest.mark.parametrize(
    ("ca", "name", "why"),
    [
        (False, "localhost", "unable to get local issuer certificate"),
        (
            True,
            "elsewhere.example",
            "Hostname mismatch, certificate is not valid for 'elsewhere.example'",
        ),
        # The value of a variable stands in no line of the log.
        (
            True,
            "'${ELSEWHERE}.example'",
            "Hostname mismatch, certificate is not valid for '${ELSEWHERE}.example'",
        ),
    ],
    ids=["unknown authority", "other name", "other name from a variable"],
)
async def test_an_upstream_that_cannot_be_trusted_is_502(
    ca: bool, name: str, why: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELSEWHERE", "elsewhere")
    target = trusting(authority, name) if ca else f"tls: {{server_name: {name}}}"
    async with Upstream(authority.server) as upstream, serving(upstream.port, target=target, **HERE) as gateway:
        client = await gateway.connect(MODERN.request)
        with pytest.raises(trio.BrokenResourceError):
            await upstream.accept()
        upstream.hang_up()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        line = await gateway.lines.line("upstream failed")
        assert (line["level"], line["status"]) == ("warning", 502)
        assert line["why"] == f"no TLS with wss://127.0.0.1:{upstream.port}: {why}"
        assert line["reason"] == "target-distrusted"
        assert line["cure"].startswith("Set `targets[].tls.ca`, `server_name` or `pin`;")


async def test_tls_contexts_use_the_files_as_their_gateway_has_read_them(authority: Authority, tmp_path: Path) -> None:
    ca = Path(shutil.copy(authority.file, tmp_path / "ca.pem"))
    target = f"tls: {{ca: {ca}, server_name: localhost}}"
    async with Upstream(authority.server) as upstream, serving(upstream.port, target=target, **HERE) as gateway:
        await trio.Path(ca).unlink()
        async with serving(9):
            client = await gateway.connect(MODERN.request)
            await upstream.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")


async def test_an_upstream_without_tls_is_502(authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, target=trusting(authority), **HERE) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert (await client.rest()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        line = await gateway.lines.line("upstream failed")
        assert line["why"] == f"no TLS with wss://127.0.0.1:{upstream.port}: the server does not speak TLS"


@pytest.mark.parametrize("reads", [True, False], ids=["all read", "not all read"])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_an_upstream_that_disconnects_in_its_tls_handshake_is_502(
    reads: bool, reset: bool, authority: Authority
) -> None:
    async with Upstream() as upstream, serving(upstream.port, target=trusting(authority), **HERE) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        await behind.stream.receive_some(1 << 20 if reads else 1)
        if reset:
            behind.reset()
        else:
            await behind.close()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        line = await gateway.lines.line("upstream failed")
        assert line["why"].startswith(
            f"no TLS with wss://127.0.0.1:{upstream.port}: the server hung up on TLS 1.2 or 1.3"
        )


async def test_an_upstream_that_does_not_answer_tls_is_504(authority: Authority, autojump_clock: MockClock) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, target=trusting(authority), timeouts="connect: 200ms", **HERE) as gateway,
    ):
        client = await gateway.connect(MODERN.request)
        await upstream.accept()
        assert (await client.rest()).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
        line = await gateway.lines.line("upstream failed")
        assert line["why"] == f"no TLS with wss://127.0.0.1:{upstream.port} within 0.2 s"


async def test_an_upstream_that_requires_a_certificate_gets_ours(authority: Authority) -> None:
    context = authority.server
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    ours = f", certificate: {authority.issue('gateway.example')}"
    async with (
        Upstream(context) as upstream,
        serving(upstream.port, target=trusting(authority, more=ours), **HERE) as gateway,
    ):
        client = await gateway.connect(MODERN.request)
        behind, _ = await upstream.agree()
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert behind.tls is not None
        assert behind.tls.getpeercert()["subjectAltName"] == (("DNS", "gateway.example"),)
    async with Upstream(context) as upstream, serving(upstream.port, target=trusting(authority), **HERE) as gateway:
        client = await gateway.connect(MODERN.request)
        with pytest.raises(trio.BrokenResourceError):
            await upstream.accept()
        upstream.hang_up()
        assert (await client.rest()).startswith(b"HTTP/1.1 502 Bad Gateway\r\n")


NO_CURE = "it needs a proxy in between that still has that, as OpenSSL here has not"
# OpenSSL's reason, the profile, and what is said.
EXPLAINED: list[tuple[str, str, Reason, str]] = [
    (
        "UNSUPPORTED_PROTOCOL",
        "modern",
        Reason.TARGET_TLS_OLD,
        "the server has nothing as new as TLS 1.3: KEY intermediate",
    ),
    (
        "WRONG_CIPHER_RETURNED",
        "intermediate",
        Reason.TARGET_TLS_OLD,
        "the server chose a cipher that profile intermediate has not: KEY legacy",
    ),
    (
        "UNSUPPORTED_PROTOCOL",
        "legacy",
        Reason.TARGET_TLS_FAILED,
        f"the server has nothing as new as TLS 1.0 to 1.3: {NO_CURE}",
    ),
    (
        "TLSV1_ALERT_INTERNAL_ERROR",
        "modern",
        Reason.TARGET_TLS_FAILED,
        "the server refused TLS 1.3: if it speaks only 1.2, KEY intermediate",
    ),
    ("WRONG_VERSION_NUMBER", "modern", Reason.TARGET_WITHOUT_TLS, "the server does not speak TLS"),
    ("WRONG_VERSION_NUMBER", "legacy", Reason.TARGET_WITHOUT_TLS, "the server does not speak TLS"),
    ("TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "legacy", Reason.TARGET_HTTP2, "the server has no HTTP/1.1"),
]


@pytest.mark.parametrize(("said", "profile", "reason", "text"), EXPLAINED)
def test_a_failure_has_the_reason_of_an_old_server_only_where_an_older_profile_helps(
    said: str, profile: str, reason: Reason, text: str
) -> None:
    error = ssl.SSLError(1, f"[SSL: {said}] {said.lower().replace('_', ' ')} (_ssl.c:992)")
    error.reason, error.library = said, "SSL"
    assert explained(error, profile, "KEY") == (reason, text)
