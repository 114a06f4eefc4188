"""Certificates and keys that a configuration names: they are read with it, and each mistake has its place."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.net.certificates import Appliance
from wsgateway.errors import SettingsError
from wsgateway.settings.load import load

from .files import ROUTES, UPSTREAMS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One with ca.pem, ws.pem and its ws.key, both.pem, other.pem and its other.key, and text.pem that is none; ws.csr,
    ws.der, locked.key under a password, and upside-down.pem, whose first certificate is not that of ws.key."""
    authority, ours, other = Appliance.make("ca"), Appliance.make("ws", subject="ws"), Appliance.make("o")
    for name, each in (("ca", authority), ("ws", ours), ("other", other)):
        (tmp_path / f"{name}.pem").write_bytes(each.certificate.public_bytes(Encoding.PEM))
    pem = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL)
    for name, each in (("ws", ours), ("other", other)):
        (tmp_path / f"{name}.key").write_bytes(each.key.private_bytes(*pem, NoEncryption()))
    (tmp_path / "both.pem").write_bytes((tmp_path / "ws.key").read_bytes() + (tmp_path / "ws.pem").read_bytes())
    (tmp_path / "upside-down.pem").write_bytes((tmp_path / "ca.pem").read_bytes() + (tmp_path / "ws.pem").read_bytes())
    locked = ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.key").write_bytes(locked)
    request = x509.CertificateSigningRequestBuilder(ours.certificate.subject).sign(ours.key, SHA256())  # type: ignore[arg-type]
    (tmp_path / "ws.csr").write_bytes(request.public_bytes(Encoding.PEM))
    (tmp_path / "ws.der").write_bytes(ours.der)
    (tmp_path / "text.pem").write_text("nothing\n")
    return tmp_path


def said(directory: Path, text: str) -> list[str]:
    """Return the problems of a file in this directory, without the name of the file."""
    file = directory / "f.yaml"
    file.write_text(text)
    try:
        load(file)
    except SettingsError as error:
        return [line.removeprefix(f"{file}:") for line in str(error).splitlines()]
    return []


def listener(certificate: str, private_key: str, rest: str = "") -> str:
    certificates = f"certificates: [{{certificate: {certificate}, private_key: {private_key}}}]"
    return f"version: 1\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [a:80]\n  tls: {{{certificates}{rest}}}\n"


def target(tls: str) -> str:
    return (
        f"version: 1\n{ROUTES}listeners: [{{bind: [a:80]}}]\nupstreams:\n  echo:\n"
        f"    targets: [{{url: wss://a, tls: {{{tls}}}}}]\n"
    )


def test_files_are_found_beside_the_configuration(directory: Path) -> None:
    assert said(directory, listener("ws.pem", "ws.key")) == []
    assert said(directory, listener("ws.pem", "ws.key", ", client_certificates: optional, client_ca: ca.pem")) == []
    assert said(directory, target("ca: ca.pem, certificate: ws.pem, private_key: ws.key")) == []
    assert said(directory, target("certificate: both.pem")) == []


@pytest.mark.parametrize(
    ("certificate", "private_key", "message"),
    [
        ("no.pem", "ws.key", "6:38: {}.certificate: 'no.pem' cannot be read: No such file or directory"),
        ("ws.pem", "no.key", "6:59: {}.private_key: 'no.key' cannot be read: No such file or directory"),
        (".", "ws.key", "6:38: {}.certificate: '.' cannot be read: Is a directory"),
        (
            "ws.pem",
            "other.key",
            "6:38: {}.certificate: the private key 'other.key' belongs to another certificate; perhaps only one of the"
            " two was renewed",
        ),
        (
            "ws.key",
            "ws.pem",
            "6:38: {}.certificate: this is the private key, and private_key is the certificate: swap them",
        ),
        ("ws.pem", "ws.pem", "6:59: {}.private_key: 'ws.pem' holds CERTIFICATE, and no private key in PEM"),
        ("ws.key", "ws.key", "6:38: {}.certificate: 'ws.key' holds EC PRIVATE KEY, and no certificate in PEM"),
        ("ws.csr", "ws.key", "6:38: {}.certificate: 'ws.csr' holds CERTIFICATE REQUEST, and no certificate in PEM"),
        ("ws.der", "ws.key", "6:38: {}.certificate: 'ws.der' holds DER, and no certificate in PEM"),
        (
            "ws.pem",
            "locked.key",
            "6:59: {}.private_key: the private key in 'locked.key' needs a password, which the gateway does not have;"
            " write the key without one: openssl pkey -in KEY -out NEW",
        ),
        (
            "upside-down.pem",
            "ws.key",
            "6:38: {}.certificate: the private key 'ws.key' belongs to another certificate: of CN=ws, which is number"
            " 2 in 'upside-down.pem'; the certificate of the key must be the first, and those that lead to its root"
            " behind it",
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    directory: Path, certificate: str, private_key: str, message: str
) -> None:
    place = "listeners[0].tls.certificates[0]"
    assert said(directory, listener(certificate, private_key)) == [message.format(place)]


def test_keys_of_two_certificates_that_are_swapped_are_named(directory: Path) -> None:
    text = (
        f"version: 1\n{ROUTES}{UPSTREAMS}listeners:\n- bind: [a:80]\n  tls:\n    certificates:\n"
        "    - {certificate: ws.pem, private_key: other.key}\n    - {certificate: other.pem, private_key: ws.key}\n"
    )
    first, second = (f"listeners[0].tls.certificates[{number}]" for number in (0, 1))
    assert said(directory, text) == [
        f"8:21: {first}.certificate: the private key 'other.key' belongs to another certificate: of {second},"
        f" 'other.pem'",
        f"9:21: {second}.certificate: the private key 'ws.key' belongs to another certificate: of {first}, 'ws.pem'",
    ]


def test_a_file_of_a_target_that_has_no_key_says_where_to_name_one(directory: Path) -> None:
    assert said(directory, target("certificate: ws.pem")) == [
        "6:49: upstreams.echo.targets[0].tls.certificate: 'ws.pem' holds CERTIFICATE, and no private key in PEM; name"
        " the file of the key in private_key"
    ]


def test_a_short_key_needs_a_profile_that_allows_it(directory: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = Appliance.make("a", key=key).certificate.public_bytes(Encoding.PEM)
    (directory / "short.pem").write_bytes(pem + certificate)
    assert said(directory, listener("short.pem", "short.pem", ", profile: legacy")) == []
    assert said(directory, target("certificate: short.pem, profile: legacy")) == []
    for text in (listener("short.pem", "short.pem"), target("certificate: short.pem")):
        assert [line.partition(": ")[2].partition(": ")[2] for line in said(directory, text)] == [
            "OpenSSL cannot use this file: ee key too small"
        ]


def test_a_text_is_not_a_certificate(directory: Path) -> None:
    (message,) = said(directory, listener("text.pem", "ws.key"))
    assert message.startswith("6:38: listeners[0].tls.certificates[0].certificate: OpenSSL cannot use this file: ")


def test_an_authority_that_cannot_be_used_is_named(directory: Path) -> None:
    (missing,) = said(directory, target("ca: no.pem"))
    assert missing == "6:40: upstreams.echo.targets[0].tls.ca: 'no.pem' cannot be read: No such file or directory"
    (text,) = said(directory, target("ca: text.pem"))
    assert text.startswith("6:40: upstreams.echo.targets[0].tls.ca: OpenSSL cannot use this file: ")
