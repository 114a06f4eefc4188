"""Certificates, read and compared with the results of the library `cryptography`."""

import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tests.net.certificates import KEYS, Appliance, Authority, authority
from wsgateway.wire.x509 import X509Certificate, public_key, read

__all__ = ["authority"]


def spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", KEYS)
def test_the_public_key_is_found_in_a_certificate_of_each_kind(kind: str) -> None:
    made = Appliance.make("appliance.example", key=KEYS[kind]())
    assert public_key(made.der) == spki(made.certificate)


def test_the_public_key_is_found_in_a_certificate_of_version_1() -> None:
    # Without version and extensions, as from `openssl req -x509` on an old device. It was made from a certificate of
    # version 3 by removing both, by the grammar of RFC 5280.
    whole = Appliance.make(key=KEYS["EC"]())
    signed = whole.certificate.tbs_certificate_bytes
    assert signed[:2] == b"\x30\x81"
    assert signed[3:8] == b"\xa0\x03\x02\x01\x02"
    body = signed[8:]
    signed = b"\x30\x81" + bytes([len(body)]) + body
    rest = b"\x30\x00\x03\x01\x00"
    der = b"\x30\x82" + (len(signed) + len(rest)).to_bytes(2) + signed + rest
    assert public_key(der) == spki(whole.certificate)
    assert read(der).subject == "CN=appliance"


def test_the_fields_of_a_certificate_are_read() -> None:
    made = Appliance.make("a.example", "*.b.example", days=(-400, -35))
    assert read(made.der) == X509Certificate(
        "CN=appliance",
        "CN=appliance",
        str(made.certificate.not_valid_before_utc).removesuffix("+00:00"),
        str(made.certificate.not_valid_after_utc).removesuffix("+00:00"),
        ("a.example", "*.b.example"),
    )


def test_addresses_are_among_the_names(authority: Authority) -> None:
    file = authority.issue("localhost", "192.0.2.7", "2001:db8::1")
    certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    found = read(certificate.public_bytes(Encoding.DER))
    assert found.names == ("localhost", "192.0.2.7", "2001:db8::1")
    assert found.issuer == certificate.issuer.rfc4514_string().replace(",O=", ", O=")
    # RFC 5280, 4.1.2.5: years from 2050 on have four digits.
    assert (found.begins, found.ends) == ("2000-01-01 00:00:00", "3000-01-01 00:00:00")


def test_a_certificate_without_names_has_none() -> None:
    found = read(Appliance.make(subject="").der)
    assert (found.subject, found.issuer, found.names) == ("", "", ())


@pytest.mark.parametrize("text", ["Ümläut", "日本", "a, b"])
def test_names_may_have_any_characters(text: str) -> None:
    assert read(Appliance.make(subject=text).der).subject == f"CN={text}"


def test_parts_of_a_name_are_in_the_order_of_rfc_4514() -> None:
    key = KEYS["EC"]()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, "7"),  # an attribute that is not shown
            x509.NameAttribute(NameOID.COMMON_NAME, "a"),
        ]
    )
    usual = Appliance.make().certificate
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, usual.not_valid_before_utc, usual.not_valid_after_utc
    ).sign(key, SHA256())
    assert read(made.public_bytes(Encoding.DER)).subject == "CN=a, O=Example, C=DE"


# -- what is no certificate --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30", b"\x30\x80\x00\x00", b"\x30\x05\x30\x00", b"\x31\x02\x30\x00", b"\x30\x02\x30\x00", b"\x30\x00"],
    ids=["nothing", "a tag", "no end", "too short", "a set", "an empty one", "nothing signed"],
)
def test_bytes_that_are_no_certificate_are_an_error(der: bytes) -> None:
    for reader in (public_key, read):
        with pytest.raises(ValueError, match=r"\w"):
            reader(der)


def test_a_certificate_that_is_cut_or_followed_by_bytes_is_an_error() -> None:
    der = Appliance.make("a").der
    for wrong in [*(der[:end] for end in range(len(der))), der + b"\0"]:
        with pytest.raises(ValueError, match=r"\w"):
            public_key(wrong)


def test_a_certificate_with_wrong_bytes_is_read_or_an_error_and_nothing_else() -> None:
    der = Appliance.make("a.example", "b.example").der
    chance = random.Random(7)
    for _ in range(20_000):
        wrong = bytearray(der)
        for _ in range(chance.randint(1, 4)):
            wrong[chance.randrange(len(wrong))] = chance.randrange(256)
        try:
            assert len(public_key(bytes(wrong))) < len(der)
            read(bytes(wrong))
        except ValueError:
            continue
