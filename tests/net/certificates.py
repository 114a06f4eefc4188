"""Certificates for tests of TLS: an authority that nobody knows, and those whom it knows."""

import base64
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate


@dataclass(frozen=True)
class Authority:
    """Vouches for `localhost` by name; 127.0.0.1 is not in the certificate."""

    file: Path
    """its own certificate, which a client may trust"""
    _leaf: trustme.LeafCert
    _ca: trustme.CA

    def issue(self, *names: str, key: trustme.KeyType = trustme.KeyType.ECDSA) -> Path:
        """A certificate for these names and its key, in one file of PEM."""
        file = self.file.with_name(f"{'-'.join(names).replace('*', 'any')}-{key.name}.pem")
        self._ca.issue_cert(*names, key_type=key).private_key_and_cert_chain_pem.write_to_path(file)
        return file

    @property
    def server(self) -> ssl.SSLContext:
        """For a server called localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf.configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        """For a client that trusts nobody else."""
        return ssl.create_default_context(cafile=self.file)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    file = tmp_path_factory.mktemp("certificates") / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(file)
    return Authority(file, authority.issue_cert("localhost"), authority)


def fingerprint(file: Path) -> str:
    """What Chromium knows the key of a certificate by."""
    pem = file.read_bytes()
    certificate = load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERTIFICATE-----") :])
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
