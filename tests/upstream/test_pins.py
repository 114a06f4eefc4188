"""Targets that are verified by a pin, whatever else their certificates say; and private authorities."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from tests.backends import websockets_server
from tests.net.certificates import KEYS, Appliance, Authority
from tests.support import PATIENCE_SECONDS, Upstream, serving
from wsgateway.errors import UpstreamError
from wsgateway.settings.addresses import target_url as read
from wsgateway.settings.basics import Address
from wsgateway.settings.health import ActiveCheck
from wsgateway.settings.upstreams import Target, TargetProfile, TargetTls
from wsgateway.settings.upstreams import Upstream as Behind
from wsgateway.upstream.checks import check
from wsgateway.upstream.tls import client_context, client_contexts, pins_of

from .behind_tls import BAD_GATEWAY, HERE, MODERN, echoed, refused, tls

STRANGE: dict[str, Callable[[], Appliance]] = {
    "self-signed": lambda: Appliance.make("elsewhere.example"),
    "expired": lambda: Appliance.make("127.0.0.1", days=(-900, -170)),
    "not valid yet": lambda: Appliance.make("127.0.0.1", days=(30, 60)),
    "nameless": lambda: Appliance.make(subject=""),
    "RSA": lambda: Appliance.make(key=KEYS["RSA"]()),
    "Ed25519": lambda: Appliance.make(key=KEYS["Ed25519"]()),
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
async def test_a_pinned_certificate_is_accepted_whatever_its_other_fields(make: Callable[[], Appliance]) -> None:
    made = make()
    async with websockets_server(ssl=made.server()) as port:
        for pin in (made.pin, made.key_pin):
            async with serving(port, target=tls("intermediate", f"sha256:{'0' * 64}", pin), **HERE) as gateway:
                await echoed(gateway)
        async with serving(port, **HERE) as gateway:
            await refused(gateway)
            assert (await gateway.lines.line("upstream failed"))["reason"] == "target-distrusted"


async def test_every_other_certificate_is_refused_before_a_byte_of_the_request_is_sent() -> None:
    pinned, other = Appliance.make("localhost"), Appliance.make("localhost")
    target = tls("intermediate", pinned.pin, pinned.key_pin)
    async with Upstream(other.server()) as upstream, serving(upstream.port, target=target, **HERE) as gateway:
        client = await gateway.connect(MODERN.request)
        behind = await upstream.accept()
        assert await behind.rest() == b""
        assert (await client.rest()).startswith(BAD_GATEWAY)
        line = await gateway.lines.line("upstream failed")
        assert line["why"] == (
            f"no TLS with wss://127.0.0.1:{upstream.port}: its public key {other.key_pin} is none of the 2 pins"
            " that are allowed"
        )


async def test_a_certificate_that_is_good_by_all_other_rules_is_refused_too(tmp_path: Path) -> None:
    good, pinned = Appliance.make("localhost"), Appliance.make("localhost")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(good.certificate.public_bytes(Encoding.PEM))
    trusting = f"tls: {{ca: {ca}, server_name: localhost"
    async with websockets_server(ssl=good.server()) as port:
        async with serving(port, target=f"{trusting}}}", **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=f"{trusting}, pin: [{pinned.pin}]}}", **HERE) as gateway:
            assert (await refused(gateway)).endswith(" is none of the 1 pins that are allowed")


async def test_a_renewed_certificate_with_the_same_key_matches_the_pin_of_the_key_only() -> None:
    before = Appliance.make()
    renewed = Appliance.make(key=before.key, days=(0, 90))
    assert renewed.pin != before.pin
    async with websockets_server(ssl=renewed.server()) as port:
        async with serving(port, target=tls("intermediate", before.key_pin), **HERE) as gateway:
            await echoed(gateway)
        async with serving(port, target=tls("intermediate", before.pin), **HERE) as gateway:
            assert renewed.key_pin in await refused(gateway)


async def test_a_key_that_changes_while_the_gateway_runs_is_refused() -> None:
    first, second = Appliance.make(), Appliance.make()
    async with Upstream(first.server()) as upstream:
        target = tls("intermediate", first.key_pin)
        port = upstream.port
        async with serving(port, target=target, **HERE) as gateway:
            client = await gateway.connect(MODERN.request)
            await upstream.agree()
            assert (await client.head()).startswith(b"HTTP/1.1 101 ")
            upstream.stop()
            async with Upstream(second.server(), port=port) as changed:
                client = await gateway.connect(MODERN.request)
                assert await (await changed.accept()).rest() == b""
                assert (await client.rest()).startswith(BAD_GATEWAY)
                assert second.key_pin in (await gateway.lines.line("upstream failed"))["why"]


async def test_a_server_that_shows_no_certificate_is_not_the_pinned_one() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    async with (
        websockets_server(ssl=context) as port,
        serving(port, target=tls("legacy", f"sha256:{'0' * 64}"), **HERE) as gateway,
    ):
        assert " TLS 1.0 to 1.3: if it speaks only SSL 3.0, RC4 or 3DES, it needs a proxy" in await refused(gateway)


@pytest.mark.parametrize(
    ("more", "asked"), [("", "localhost"), (", server_name: tv.local", "tv.local"), (", server_name: none", None)]
)
async def test_a_pinned_server_gets_its_host_another_name_or_no_name_as_sni(more: str, asked: str | None) -> None:
    made = Appliance.make()
    context = made.server()
    names: list[str | None] = []

    def note(_: object, name: str | None, __: object) -> None:
        names.append(name)

    context.sni_callback = note
    async with (
        websockets_server(ssl=context) as port,
        serving(port, target=tls("intermediate", made.pin, more=more), url="wss://localhost") as gateway,
    ):
        await echoed(gateway)
    assert names == [asked]


def test_a_second_handshake_on_a_pinned_connection_is_refused() -> None:
    pins = (f"sha256:{'0' * 64}",)
    contexts = client_contexts([TargetTls(pin=pins), TargetTls()])
    assert contexts[TargetTls(pin=pins)].options & ssl.OP_NO_RENEGOTIATION
    assert not contexts[TargetTls()].options & ssl.OP_NO_RENEGOTIATION


def test_bytes_that_are_no_certificate_have_no_pin_of_a_key() -> None:
    assert pins_of(b"") == ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",)


# -- checks ------------------------------------------------------------------------------------------------------


async def ask(port: int, profile: TargetProfile, *pins: str) -> None:
    url = read(f"wss://127.0.0.1:{port}")
    target = Target(url, TargetTls(profile=profile, pin=pins))
    contexts = client_contexts({target.tls})
    active = ActiveCheck("websocket", timeout_seconds=PATIENCE_SECONDS)
    await check(Behind((target,), name="chat"), target, Address("127.0.0.1", port), active, contexts)


async def test_health_checks_use_pins_and_profiles() -> None:
    made = Appliance.make()
    async with websockets_server(ssl=made.server(ssl.TLSVersion.TLSv1)) as port:
        await ask(port, "legacy", made.pin)
        with pytest.raises(UpstreamError, match=r"its public key sha256:[0-9a-f]{64} is none of the 1 pins"):
            await ask(port, "legacy", f"sha256:{'0' * 64}")
        with pytest.raises(UpstreamError, match=r"targets\[\]\.tls\.profile: legacy"):
            await ask(port, "intermediate", made.pin)


# -- authorities of one's own --------------------------------------------------------------------------------------


def plain_chain(tmp_path: Path) -> tuple[Path, Appliance]:
    """Return the file of an authority and a certificate of it, as small tools make them: without the key identifiers
    that RFC 5280, 4.2.1.1 and 4.2.1.2 require."""
    ca, leaf = Appliance.make(subject="our authority"), Appliance.make(subject="localhost")
    made = ca.certificate
    usual = (
        x509.CertificateBuilder().not_valid_before(made.not_valid_before_utc).not_valid_after(made.not_valid_after_utc)
    )
    root = (
        usual.subject_name(made.subject)
        .issuer_name(made.subject)
        .public_key(ca.key.public_key())
        .serial_number(1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ca.key, SHA256())
    )
    signed = (
        usual.subject_name(leaf.certificate.subject)
        .issuer_name(made.subject)
        .public_key(leaf.key.public_key())
        .serial_number(2)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(ca.key, SHA256())
    )
    file = tmp_path / "ca.pem"
    file.write_bytes(root.public_bytes(Encoding.PEM))
    return file, Appliance(leaf.key, signed)


@pytest.mark.parametrize(("profile", "good"), [("modern", False), ("intermediate", True), ("legacy", True)])
async def test_the_stricter_rules_for_certificates_are_for_modern_alone(
    profile: str, good: bool, tmp_path: Path
) -> None:
    file, leaf = plain_chain(tmp_path)
    target = f"tls: {{profile: {profile}, ca: {file}, server_name: localhost}}"
    async with websockets_server(ssl=leaf.server()) as port, serving(port, target=target, **HERE) as gateway:
        if good:
            await echoed(gateway)
        else:
            assert "Missing Authority Key Identifier" in await refused(gateway)


def test_the_strictness_towards_authorities_of_the_system_is_pythons() -> None:
    assert client_context("intermediate", None, anybody=False).verify_flags == ssl.create_default_context().verify_flags


def test_the_strictness_towards_authorities_of_ones_own_is_the_same_on_every_python(authority: Authority) -> None:
    # Python 3.13 and later set both: they are strict, and end a chain at any trusted certificate.
    for profile, strict in (("intermediate", False), ("modern", True)):
        flags = client_context(profile, str(authority.file), anybody=False).verify_flags
        assert bool(flags & ssl.VERIFY_X509_STRICT) is strict
        assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN
