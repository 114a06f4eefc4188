"""Appliances as servers, with old TLS."""

import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.backends import websockets_server
from tests.heads import switching
from tests.masks import masked
from tests.net.certificates import KEYS, Appliance
from tests.net.old_tls import OldServer
from tests.support import Upstream, serving
from wsgateway.upstream.tls import explained

from .behind_tls import BAD_GATEWAY, HERE, MODERN, echoed, refused, tls

# Many servers close the connection with an alert on its way, or without one.
OLDER = re.compile(
    r"the server (hung up on|refused) TLS 1\.2 or 1\.3: if it speaks only 1\.0, 1\.1 or their ciphers,"
    r" targets\[\]\.tls\.profile: legacy"
)


# -- old versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda each: each.name)
@pytest.mark.parametrize("kind", ["RSA", "EC"])
async def test_only_legacy_reaches_a_server_that_has_nothing_newer_than_tls_1_1(
    kind: str, version: ssl.TLSVersion
) -> None:
    made = Appliance.make("appliance", key=KEYS[kind]())
    async with websockets_server(ssl=made.server(version)) as port:
        async with serving(port, target=tls("legacy", made.pin), **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("intermediate", made.pin), **HERE) as gateway:
            assert OLDER.fullmatch(await refused(gateway))


async def test_modern_reaches_no_server_of_tls_1_2_and_the_error_names_a_profile_that_does() -> None:
    made = Appliance.make()
    async with websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1_2)) as port:
        async with serving(port, target=tls("intermediate", made.pin), **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("modern", made.pin), **HERE) as gateway:
            said = await refused(gateway)
            assert said.endswith(" TLS 1.3: if it speaks only 1.2, targets[].tls.profile: intermediate")


@pytest.mark.parametrize("profile", ["modern", "intermediate", "legacy"])
async def test_every_profile_reaches_a_server_of_today(profile: str) -> None:
    made = Appliance.make()
    async with (
        websockets_server(ssl=made.server()) as port,
        serving(port, target=tls(profile, made.key_pin), **HERE) as gateway,
    ):
        await echoed(gateway)


@pytest.mark.parametrize("cipher", ["AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES128-SHA"])
async def test_legacy_reaches_a_server_without_forward_secrecy_or_authenticated_encryption(cipher: str) -> None:
    made = Appliance.make(key=KEYS["RSA"]())
    context = made.server(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    async with websockets_server(ssl=context) as port:
        async with serving(port, target=tls("legacy", made.pin), **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("intermediate", made.pin), **HERE) as gateway:
            assert OLDER.fullmatch(await refused(gateway))


async def test_legacy_reaches_a_server_with_a_key_of_1024_bits() -> None:
    made = Appliance.make(key=rsa.generate_private_key(65537, 1024))
    async with (
        websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1)) as port,
        serving(port, target=tls("legacy", made.pin), **HERE) as gateway,
    ):
        await echoed(gateway)


# The second group of RFC 2409, 6.2, which most servers had until 2015: 1024 bits.
GROUP_2 = bytes.fromhex(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
    "ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
)


async def test_legacy_alone_reaches_a_server_with_a_short_group_for_its_keys(tmp_path: Path) -> None:
    made = Appliance.make(key=KEYS["RSA"]())
    context = made.server(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0")
    der = bytes.fromhex("30 8187 02 8181 00") + GROUP_2 + bytes.fromhex("02 01 02")
    file = tmp_path / "dh.pem"
    file.write_text(f"-----BEGIN DH PARAMETERS-----\n{base64.encodebytes(der).decode()}-----END DH PARAMETERS-----\n")
    context.load_dh_params(str(file))
    async with websockets_server(ssl=context) as port:
        async with serving(port, target=tls("legacy", made.pin), **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("intermediate", made.pin), **HERE) as gateway:
            assert await refused(gateway) == (
                "the server has a key, a hash or a signature that is too weak for profile intermediate:"
                " targets[].tls.profile: legacy"
            )


async def test_a_server_of_2012_with_tls_1_2_and_cbc_alone_needs_no_profile() -> None:
    # Windows Server 2008 R2 has no GCM with an RSA key.
    made = Appliance.make(key=KEYS["RSA"]())
    context = made.server(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-RSA-AES128-SHA256")
    async with (
        websockets_server(ssl=context) as port,
        serving(port, target=f"tls: {{pin: [{made.pin}]}}", **HERE) as gateway,
    ):
        await echoed(gateway)


# What a server does to the first bytes of TLS, and what the log says then.
ANSWERS: dict[str, tuple[bytes, str]] = {
    "an end": (
        b"",
        "the server hung up on TLS 1.2 or 1.3: if it speaks only 1.0, 1.1 or their ciphers,"
        " targets[].tls.profile: legacy",
    ),
    "an alert": (
        bytes.fromhex("15 0301 0002 0246"),
        "the server refused TLS 1.2 or 1.3: if it speaks only 1.0, 1.1 or their ciphers, targets[].tls.profile: legacy",
    ),
    # A ServerHello of TLS 1.0 with TLS_RSA_WITH_AES_128_CBC_SHA: it answers with what it has, as RFC 5246, E.1 wants.
    "an older version": (
        bytes.fromhex("16 0301 002a 02 000026 0301" + "07" * 32 + "00 002f 00"),
        "the server has nothing as new as TLS 1.2 or 1.3: targets[].tls.profile: legacy",
    ),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS"),
}


@pytest.mark.parametrize(("answer", "said"), ANSWERS.values(), ids=ANSWERS)
async def test_the_log_has_the_offer_the_reaction_of_the_server_and_the_cure(answer: bytes, said: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, **HERE) as gateway:

        async def serve() -> None:
            peer = await upstream.accept()
            await peer.once()
            await peer.send(answer)
            await peer.close()

        gateway.nursery.start_soon(serve)
        assert await refused(gateway) == said


def reason(name: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {name}] (_ssl.c:1)")
    error.reason = name
    return error


GONE = [
    ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)"),
    ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF) (_ssl.c:992)"),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
]


@pytest.mark.parametrize("error", GONE, ids=lambda each: type(each).__name__)
def test_a_server_hangs_up_in_several_ways(error: OSError) -> None:
    why, text = explained(error, "intermediate", "KEY")
    assert (why, text[:42]) == ("target-tls-failed", "the server hung up on TLS 1.2 or 1.3: if i")
    _, text = explained(error, "legacy", "KEY")
    assert text.startswith("the server hung up on TLS 1.0 to 1.3: if it speaks only SSL 3.0,")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "the server refused TLS 1.2 or 1.3: if it speaks only 1.0, 1.1 or their ciphers, KEY legacy",
        ),
        ("DH_KEY_TOO_SMALL", "the server has a key, a hash or a signature that is too weak for profile intermediate:"),
        ("WRONG_CIPHER_RETURNED", "the server chose a cipher that profile intermediate has not: KEY legacy"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "sslv3 alert bad certificate"),
        ("{0}", "{0}"),
    ],
)
def test_reasons_of_openssl_are_put_into_words_or_shown_as_they_are(name: str, said: str) -> None:
    assert explained(reason(name), "intermediate", "KEY")[1].startswith(said)


@pytest.mark.parametrize(
    ("code", "weak"),
    # x509_vfy.h: another host, no match by DANE; a key too small, that of an authority, a hash too weak; a wrong call.
    [(62, False), (65, False), (66, True), (67, True), (68, True), (69, False)],
)
def test_a_weak_certificate_is_distinguished_from_a_wrong_one(code: int, weak: bool) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says it."
    too_weak = "the server has a key, a hash or a signature that is too weak for profile intermediate: KEY legacy"
    expected = ("target-tls-old", too_weak) if weak else ("target-distrusted", "as OpenSSL says it")
    assert explained(error, "intermediate", "KEY") == expected


# -- without secure renegotiation --------------------------------------------------------------------------------


@asynccontextmanager
async def old_server(made: Appliance) -> AsyncIterator[int]:
    """Yield the port of a server that does not know RFC 5746, and echoes one message to each client."""

    async def serve(stream: trio.SocketStream) -> None:
        server = OldServer(stream, made.der, made.key)  # type: ignore[arg-type]
        try:
            await server.shake_hands()
            request = await server.receive()
            while not request.endswith(b"\r\n\r\n"):
                request += await server.receive()
            await server.send(switching(request))
            frame = await server.receive()
            assert frame[:2] == b"\x81\x85"
            text = masked(frame[6:], frame[2:6])
            await server.send(b"\x81\x05" + text)
            while await server.receive():
                continue
        except trio.BrokenResourceError:  # refused
            return
        finally:
            await stream.aclose()

    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_legacy_alone_reaches_a_server_without_secure_renegotiation() -> None:
    made = Appliance.make(key=KEYS["RSA"]())
    async with old_server(made) as port:
        async with serving(port, target=tls("legacy", made.pin), url="wss://localhost") as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("intermediate", made.pin), url="wss://localhost") as gateway:
            client = await gateway.connect(MODERN.request)
            assert (await client.rest()).startswith(BAD_GATEWAY)
            line = await gateway.lines.line("upstream failed")
            assert line["why"] == (
                f"no TLS with wss://localhost:{port}: the server has no secure renegotiation (RFC 5746):"
                " targets[].tls.profile: legacy"
            )
