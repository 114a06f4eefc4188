"""Certificates and keys that a configuration names: they are read when a file is, and what is wrong has its place."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.net.certificates import Appliance
from wsgateway.errors import SettingsError
from wsgateway.settings.load import load

from .files import ROUTES, UPSTREAMS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """One with ca.pem, ws.pem and its ws.key, both.pem, an other.key that fits nothing, and text.pem that is none."""
    authority = trustme.CA()
    ours, other = authority.issue_cert("ws.example.com"), authority.issue_cert("other.example.com")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "ws.pem")
    ours.private_key_pem.write_to_path(tmp_path / "ws.key")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.key")
    (tmp_path / "text.pem").write_text("nothing\n")
    return tmp_path


def said(directory: Path, text: str) -> list[str]:
    """What is said of a file in this directory, without the name of the file."""
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
        ("ws.pem", "other.key", "6:38: {}.certificate: this is not what is needed: key values mismatch"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(
    directory: Path, certificate: str, private_key: str, message: str
) -> None:
    place = "listeners[0].tls.certificates[0]"
    assert said(directory, listener(certificate, private_key)) == [message.format(place)]


def test_a_short_key_is_for_a_profile_that_takes_it(directory: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = Appliance.make("a", key=key).certificate.public_bytes(Encoding.PEM)
    (directory / "short.pem").write_bytes(pem + certificate)
    assert said(directory, listener("short.pem", "short.pem", ", profile: legacy")) == []
    assert said(directory, target("certificate: short.pem, profile: legacy")) == []
    for text in (listener("short.pem", "short.pem"), target("certificate: short.pem")):
        assert [line.partition(": ")[2].partition(": ")[2] for line in said(directory, text)] == [
            "this is not what is needed: ee key too small"
        ]


def test_a_certificate_of_text_is_none(directory: Path) -> None:
    (message,) = said(directory, listener("text.pem", "ws.key"))
    assert message.startswith("6:38: listeners[0].tls.certificates[0].certificate: this is not what is needed: ")


def test_an_authority_that_cannot_be_used_is_named(directory: Path) -> None:
    (missing,) = said(directory, target("ca: no.pem"))
    assert missing == "6:40: upstreams.echo.targets[0].tls.ca: 'no.pem' cannot be read: No such file or directory"
    (text,) = said(directory, target("ca: text.pem"))
    assert text.startswith("6:40: upstreams.echo.targets[0].tls.ca: this is not what is needed: ")
