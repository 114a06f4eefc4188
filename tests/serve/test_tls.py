"""Listeners with TLS: the versions, the certificate, client certificates; and every dialect over TLS."""

import ssl
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio
import trio.testing
import trustme
from trio.testing import MockClock
from websockets.trio.client import connect as connect_websocket

from tests.backends import websockets_server
from tests.heads import head_of, values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT, OPENINGS, RFC6455, Opening, Session
from tests.peers import Peer
from tests.support import Running, Upstream, configuration, serving
from wsgateway.serve.tls import server_context
from wsgateway.settings.load import parse

MODERN = BY_DIALECT["rfc6455"]
GET = "GET / HTTP/1.1"


def tls(file: Path, **more: str) -> str:
    """Return the TLS section of a listener with one certificate."""
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    return f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]{rest}}}"


def speaking(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return the context of a client with this version alone, at any level of security."""
    context = authority.client()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


async def worked(upstream: Upstream, client: Peer, opening: Opening = MODERN) -> bytes:
    """Let a client do its handshake and send one message each way; return the upstream's request."""
    behind, request = await upstream.agree()
    reply = await client.head()
    assert reply.startswith(b"HTTP/1.1 101 ")
    await client.send(opening.hello)
    assert await behind.frame() == (0x81, b"Hello")
    await behind.send(b"\x81\x05Hello")
    assert await client.exactly(7) == opening.hello_back
    return request


async def no_session(gateway: Running, context: ssl.SSLContext, why: str) -> None:
    """Check that a client gets no TLS, and that the log has the reason."""
    with pytest.raises(trio.BrokenResourceError):
        await gateway.connect_tls(context)
    line = await gateway.lines.line("refused")
    assert (line["level"], line["why"]) == ("info", f"no TLS: {why}")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
async def test_a_client_of_tls_1_2_or_later_has_its_session(version: ssl.TLSVersion, authority: Authority) -> None:
    file = authority.issue("localhost")
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=tls(file), timeouts="close: 100ms") as gateway,
    ):
        client = await gateway.connect_tls(speaking(authority, version), MODERN.request)
        request = await worked(upstream, client)
        assert values(request, "x-forwarded-proto") == ["https"]
        await client.close()
        line = await gateway.lines.line("session")
        assert (line["client"], line["messages_in"], line["messages_out"]) == (client.name, 1, 1)


@pytest.mark.parametrize("opening", OPENINGS, ids=str)
async def test_every_dialect_has_its_session_over_tls(opening: Opening, authority: Authority) -> None:
    file = authority.issue("localhost")
    async with Upstream() as upstream, serving(upstream.port, listener=tls(file)) as gateway:
        client = await gateway.connect_tls(authority.client(), opening.request)
        behind, _ = await upstream.agree()
        # The address that the oldest dialects repeat begins with wss.
        secret = await Opening(opening.dialect, opening.head, opening.reply.replace(b": ws:", b": wss:")).accepted(
            client
        )
        await Session(opening, client, behind, secret).works()


async def test_the_oldest_clients_get_an_address_with_wss_over_tls(authority: Authority) -> None:
    opening = BY_DIALECT["hixie-76"]
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect_tls(authority.client(), opening.request)
        await upstream.agree()
        assert values(await client.head(), "sec-websocket-location") == ["wss://example.com/demo"]


async def test_a_client_that_others_wrote_has_its_session(authority: Authority) -> None:
    async with (
        websockets_server() as port,
        serving(port, listener=tls(authority.issue("localhost"))) as gateway,
        connect_websocket(
            f"wss://localhost:{gateway.port}/chat",
            ssl=authority.client(),
            host="127.0.0.1",
            server_hostname="localhost",
        ) as client,
    ):
        for message in ("Hello", b"\x00\xff", "x" * 1_000_000):
            await client.send(message)
            assert await client.recv() == message


async def test_a_message_larger_than_any_buffer_arrives_before_the_close(authority: Authority) -> None:
    # Bytes that were unsent when a session ended are sent after it, over TLS, too.
    size = 8 * 1024 * 1024
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()

        async def say() -> None:
            await behind.send(b"\x82\x7f" + size.to_bytes(8) + bytes(size) + b"\x88\x02\x03\xe8")
            await behind.send_eof()

        gateway.nursery.start_soon(say)
        await trio.testing.wait_all_tasks_blocked()
        assert await client.exactly(10) == b"\x82\x7f" + size.to_bytes(8)
        whole = bytearray()
        while len(whole) < size:
            more = await client.once()
            assert more
            whole += more
        await client.send(bytes.fromhex("88 82 37fa213d 3412"))
        whole += await client.rest()
        assert whole == bytes(size) + b"\x88\x02\x03\xe8"


# -- profiles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["legacy", "intermediate"])
def test_no_client_has_new_keys_made_in_the_middle(profile: str, authority: Authority) -> None:
    settings = parse(configuration(9, listener=tls(authority.issue("localhost"), profile=profile)), "test.yaml")
    rule = settings.listeners[0].tls
    assert rule is not None
    assert server_context(rule).options & ssl.OP_NO_RENEGOTIATION


async def test_modern_refuses_tls_1_2(authority: Authority) -> None:
    file = authority.issue("localhost")
    async with Upstream() as upstream, serving(upstream.port, listener=tls(file, profile="modern")) as gateway:
        await no_session(gateway, speaking(authority, ssl.TLSVersion.TLSv1_2), "UNSUPPORTED_PROTOCOL")
        await worked(upstream, await gateway.connect_tls(authority.client(), MODERN.request))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda each: each.name)
async def test_legacy_alone_serves_clients_of_tls_1_0(version: ssl.TLSVersion, authority: Authority) -> None:
    file = authority.issue("localhost")
    async with Upstream() as upstream:
        async with serving(upstream.port, listener=tls(file, profile="legacy")) as gateway:
            await worked(upstream, await gateway.connect_tls(speaking(authority, version), MODERN.request))
        async with serving(upstream.port, listener=tls(file, profile="intermediate")) as gateway:
            await no_session(gateway, speaking(authority, version), "UNSUPPORTED_PROTOCOL")


# The ciphers of browsers and devices of 2010: RSA, and no forward secrecy.
@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-SHA", "ECDHE-RSA-AES128-SHA"])
async def test_a_browser_of_2010_has_its_session_over_tls_1_0(cipher: str, authority: Authority) -> None:
    opening = BY_DIALECT["hixie-76"]
    file = authority.issue("localhost", key=trustme.KeyType.RSA)
    context = speaking(authority, ssl.TLSVersion.TLSv1)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    async with Upstream() as upstream:
        async with serving(upstream.port, listener=tls(file, profile="legacy")) as gateway:
            client = await gateway.connect_tls(context, opening.request)
            assert client.tls is not None
            assert (client.tls.version(), client.tls.cipher()[0]) == ("TLSv1", cipher)
            behind, request = await upstream.agree()
            assert values(request, "x-forwarded-proto") == ["https"]
            head = await client.head()
            assert values(head, "sec-websocket-location") == ["wss://example.com/demo"]
            session = Session(opening, client, behind, await opening.proven(client, head))
            for _ in range(3):
                await session.works()
        async with serving(upstream.port, listener=tls(file, profile="intermediate")) as gateway:
            await no_session(gateway, context, "UNSUPPORTED_PROTOCOL")


async def test_legacy_refuses_ciphers_without_a_certificate(authority: Authority) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    file = authority.issue("localhost")
    async with Upstream() as upstream, serving(upstream.port, listener=tls(file, profile="legacy")) as gateway:
        await no_session(gateway, context, "NO_SHARED_CIPHER")


async def test_the_profile_custom_has_the_configured_version_and_ciphers(authority: Authority) -> None:
    custom = tls(
        authority.issue("localhost"), profile="custom", minimum='"1.2"', ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"
    )
    async with Upstream() as upstream, serving(upstream.port, listener=custom) as gateway:
        context = speaking(authority, ssl.TLSVersion.TLSv1_2)
        client = await gateway.connect_tls(context, MODERN.request)
        assert client.tls is not None
        assert client.tls.cipher() == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2", 256)
        await worked(upstream, client)
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        await no_session(gateway, context, "NO_SHARED_CIPHER")


# -- certificates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("first.example", "first.example"),
        ("second.example", "second.example"),
        ("a.third.example", "*.third.example"),
        ("SECOND.example", "second.example"),
        ("fourth.example", "first.example"),
        (None, "first.example"),
    ],
)
async def test_the_certificate_is_that_of_the_host_which_is_asked_for(
    asked: str | None, shown: str, authority: Authority
) -> None:
    entries = []
    for host in ("first.example", "second.example", "*.third.example"):
        file = authority.issue(host)
        entries.append(f'{{hosts: ["{host}"], certificate: {file}, private_key: {file}}}')
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=f"tls: {{certificates: [{', '.join(entries)}]}}") as gateway,
    ):
        context = authority.client()
        context.check_hostname = False
        client = await gateway.connect_tls(context, MODERN.request, name=asked)
        assert client.tls is not None
        assert client.tls.getpeercert()["subjectAltName"] == (("DNS", shown),)
        await worked(upstream, client)


def showing(authority: Authority) -> ssl.SSLContext:
    """Return the context of a client with a certificate of its own."""
    context = authority.client()
    context.load_cert_chain(authority.issue("somebody.example"))
    return context


@pytest.mark.parametrize("presence", ["optional", "required"])
@pytest.mark.parametrize("hosts", ["[]", "[localhost]"], ids=["first", "by name"])
async def test_a_client_with_a_good_certificate_has_its_session(
    presence: str, hosts: str, authority: Authority
) -> None:
    file = authority.issue("localhost")
    listener = (
        f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}, "
        f"{{hosts: {hosts}, certificate: {file}, private_key: {file}}}], "
        f"client_certificates: {presence}, client_ca: {authority.file}}}"
    )
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        await worked(upstream, await gateway.connect_tls(showing(authority), MODERN.request))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda each: each.name)
async def test_a_client_without_a_certificate_is_served_where_it_is_optional(
    version: ssl.TLSVersion, authority: Authority
) -> None:
    file, ca = authority.issue("localhost"), str(authority.file)
    async with Upstream() as upstream:
        optional = tls(file, client_certificates="optional", client_ca=ca)
        async with serving(upstream.port, listener=optional) as gateway:
            await worked(upstream, await gateway.connect_tls(speaking(authority, version), MODERN.request))
        required = tls(file, client_certificates="required", client_ca=ca)
        async with serving(upstream.port, listener=required) as gateway:
            with pytest.raises(trio.BrokenResourceError):  # noqa: PT012  in 1.3 the client learns of it later
                client = await gateway.connect_tls(speaking(authority, version), MODERN.request)
                await client.rest()
            line = await gateway.lines.line("refused")
            assert line["why"] == "no TLS: PEER_DID_NOT_RETURN_A_CERTIFICATE"
            assert upstream.nobody_came()


# -- what is no TLS, or comes too late ---------------------------------------------------------------------------


async def test_plain_http_on_a_port_with_tls_is_logged_and_closed(authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect(head_of(GET, *RFC6455))
        with suppress(trio.BrokenResourceError):  # its data is not read to its end
            assert not (await client.rest()).startswith(b"HTTP/")
        line = await gateway.lines.line("refused", client=client.name)
        assert (line["level"], line["why"]) == ("info", "no TLS: HTTP_REQUEST")
        assert upstream.nobody_came()


@pytest.mark.parametrize("part", [b"", b"\x16", bytes.fromhex("160301 0200 01")], ids=["nothing", "a byte", "a head"])
async def test_a_handshake_that_does_not_come_is_cut_in_time(
    part: bytes, authority: Authority, autojump_clock: MockClock
) -> None:
    listener = tls(authority.issue("localhost"))
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=listener, timeouts="handshake: 200ms") as gateway,
    ):
        client = await gateway.connect(part)
        assert await client.rest() == b""
        line = await gateway.lines.line("refused", client=client.name)
        assert line["why"] == "no TLS within 0.2 s"


@pytest.mark.parametrize("part", [b"", b"\x16", bytes.fromhex("160301 0200 01")], ids=["nothing", "a byte", "a head"])
@pytest.mark.parametrize("way", [Peer.send_eof, Peer.close, Peer.reset], ids=["half-closed", "closed", "reset"])
async def test_a_client_that_disconnects_inside_its_handshake_is_not_logged_as_refused(
    part: bytes, way: Callable[[Peer], Awaitable[None] | None], authority: Authority
) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect(part)
        leaving = way(client)
        if leaving is not None:
            await leaving
        line = await gateway.lines.line("disconnected", client=client.name)
        assert (line["level"], line["why"]) == ("debug", "inside its TLS handshake")
        assert not gateway.lines.every("refused")


async def test_a_request_that_does_not_come_is_408_over_tls(authority: Authority, autojump_clock: MockClock) -> None:
    listener = tls(authority.issue("localhost"))
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=listener, timeouts="handshake: 300ms") as gateway,
    ):
        client = await gateway.connect_tls(authority.client(), MODERN.request[:-1])
        assert (await client.rest()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_session_ends_with_a_close_when_the_gateway_stops(authority: Authority) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=tls(authority.issue("localhost"))) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN.request)
        behind, _ = await upstream.agree()
        await client.head()
        gateway.service.drain()
        assert await client.frame() == (0x88, b"\x03\xf4")
        await client.send(bytes.fromhex("88 82 37fa213d 340e"))
        assert await client.rest() == b""
        await client.close()
        assert (await behind.frame())[0] == 0x88
        await behind.close()
        await gateway.stopped.wait()
