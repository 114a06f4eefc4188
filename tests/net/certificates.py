"""Certificates for tests of TLS: an authority that no client trusts by default, and certificates that it signs."""

import base64
import hashlib
import ssl
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs for `localhost` by name; 127.0.0.1 is not in the certificates."""

    file: Path
    """its own certificate, which a client may trust"""
    _leaf: trustme.LeafCert
    _ca: trustme.CA

    def issue(self, *names: str, key: trustme.KeyType = trustme.KeyType.ECDSA) -> Path:
        """Return a certificate for these names and its key, in one PEM file."""
        file = self.file.with_name(f"{'-'.join(names).replace('*', 'any')}-{key.name}.pem")
        self._ca.issue_cert(*names, key_type=key).private_key_and_cert_chain_pem.write_to_path(file)
        return file

    @property
    def server(self) -> ssl.SSLContext:
        """Return the context of a server called localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf.configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        """Return the context of a client that trusts only this authority."""
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    file = tmp_path_factory.mktemp("certificates") / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(file)
    return Authority(file, authority.issue_cert("localhost"), authority)


def fingerprint(file: Path) -> str:
    """Return the hash by which Chromium identifies the key of a certificate."""
    pem = file.read_bytes()
    certificate = x509.load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE-----") :])
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
KEYS: dict[str, Callable[[], Key]] = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@dataclass(frozen=True)
class Appliance:
    """A self-signed certificate, as devices make at their first start."""

    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(
        cls, *names: str, key: Key | None = None, subject: str = "appliance", days: tuple[int, int] = (-1, 30)
    ) -> Self:
        """Make one for these names, or for none, valid from and until so many days from now."""
        key = key or KEYS["EC"]()
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
        begins, ends = (datetime.now(UTC) + timedelta(days=each) for each in days)
        builder = x509.CertificateBuilder(own, own, key.public_key(), x509.random_serial_number(), begins, ends)
        if names:
            hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(hosts, critical=False)
        return cls(key, builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pin(self) -> str:
        return f"sha256:{hashlib.sha256(self.der).hexdigest()}"

    @property
    def key_pin(self) -> str:
        key = self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return f"sha256:{hashlib.sha256(key).hexdigest()}"

    def server(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """Return the context of a server with it; with a version, for that version of TLS only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if version is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
        with tempfile.NamedTemporaryFile() as file:
            pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            file.write(pem + self.certificate.public_bytes(Encoding.PEM))
            file.flush()
            context.load_cert_chain(file.name)
        return context
