"""The TLS of a wss server: its version, cipher and certificate, and a pin for its key."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from wsgateway.errors import ProbeError
from wsgateway.upstream.tls import client_context, pins_of
from wsgateway.wire.x509 import X509Certificate, read

DEFAULT_PROFILE = "legacy"
"""The most permissive profile, so that a probe reaches any server."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """The TLS of one connection."""

    version: str
    """as OpenSSL names it: TLSv1 to TLSv1.3"""
    cipher: str
    certificate: X509Certificate | None
    """None: it is not readable"""
    pins: tuple[str, ...]
    """those of the certificate and of its public key"""
    profile: str | None
    """the profile that a target of a gateway needs; None: the default one is enough"""

    @property
    def setting(self) -> str:
        """The line for a target in the configuration."""
        profile = "" if self.profile is None else f"profile: {self.profile}, "
        return f'tls: {{{profile}pin: ["{self.pins[-1]}"]}}'

    def lines(self) -> Iterator[str]:
        """Yield the lines for people."""
        yield f"{self.version}, {self.cipher}"
        if self.certificate is not None:
            shown = self.certificate
            names = f"for {', '.join(shown.names)}" if shown.names else "for no name"
            yield f"certificate of {shown.subject or 'nobody'}, {names}, issued by {shown.issuer or 'nobody'}"
            yield f"from {shown.begins} to {shown.ends}, {self.pins[0]}"
        yield f"for a target of a gateway that trusts only this key: {self.setting}"


def encryption_of(sock: ssl.SSLSocket) -> Encryption:
    """Return the TLS of a connection whose handshake is done."""
    der = sock.getpeercert(binary_form=True) or b""
    try:
        certificate = read(der)
    except ValueError:
        certificate = None
    cipher, version, _ = sock.cipher() or ("", "", 0)
    return Encryption(sock.version() or version, cipher, certificate, pins_of(der), _needed(sock.version(), cipher))


def _needed(version: str | None, cipher: str) -> str | None:
    """Return the profile that offers a version and cipher; None if the default profile does."""
    usual = client_context("intermediate", None, anybody=True)
    known = {each["name"] for each in usual.get_ciphers()}
    return DEFAULT_PROFILE if version in ("TLSv1", "TLSv1.1") or cipher not in known else None


def trust(profile: str, ca: str | None, anybody: bool) -> ssl.SSLContext:
    """Return the context of a probe: see `client_context`. Raise ProbeError for a wrong file."""
    try:
        return client_context(profile, ca, anybody)
    except ssl.SSLError:
        raise ProbeError(f"--ca {ca}: no certificate in PEM") from None
    except OSError as error:
        raise ProbeError(f"--ca {ca}: cannot be read: {error.strerror}") from None
