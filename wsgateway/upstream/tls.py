"""TLS towards targets: the versions and ciphers, the check of the server, and texts for errors.

A target is trusted by the name and the signer of its certificate, or by a pin: the hash of its certificate or of its
public key. With pins nothing else counts. So an appliance can be verified even if its certificate has expired, is for
another name, or is self-signed.
"""

import hashlib
import socket
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wsgateway.errors import Reason, UntrustedError
from wsgateway.net.channel import encrypt
from wsgateway.net.failure import in_words, is_gone
from wsgateway.net.profiles import PROFILES, restrict
from wsgateway.settings.upstreams import Target, TargetTls
from wsgateway.wire.x509 import public_key

Contexts = Mapping[TargetTls, ssl.SSLContext]
"""the TLS contexts for connections to targets"""
# Python has a name for this since 3.12.
_OP_LEGACY_SERVER_CONNECT = 0x4


def client_contexts(several: Iterable[TargetTls]) -> dict[TargetTls, ssl.SSLContext]:
    """Read the files for connections to targets. Raise OSError for one that cannot be read."""
    return {tls: _context(tls) for tls in several}


def _context(tls: TargetTls) -> ssl.SSLContext:
    context = client_context(tls.profile, tls.ca, anybody=bool(tls.pin))
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.private_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_context(profile: str, ca: str | None, anybody: bool) -> ssl.SSLContext:
    """Return a context with the versions and ciphers of a profile.

    It trusts the authorities in the file `ca`, or those of the system (None), or every certificate (`anybody`): then
    the caller must check the pins. Raise OSError (also ssl.SSLError) if the file cannot be read.
    """
    context = ssl.create_default_context(cafile=ca)
    restrict(context, PROFILES[profile].minimum, PROFILES[profile].offered)
    if profile == "legacy":
        context.options |= _OP_LEGACY_SERVER_CONNECT
    if profile == "modern":
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    elif ca is not None:
        # Python 3.13 and later set this flag. Private authorities seldom have all that RFC 5280 requires.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca is not None:
        # Python 3.13 and later also set this flag: every certificate in the file is trusted, intermediate ones too.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if anybody:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # A second handshake on the same connection could be with another server, and would not be checked.
        context.options |= ssl.OP_NO_RENEGOTIATION
    return context


def name_of(target: Target) -> str | None:
    """Return the server name (SNI) for a target, which its certificate must have if there are no pins."""
    return None if target.tls.nameless else target.tls.server_name or target.url.host.rstrip(".")


def pins_of(certificate: bytes) -> tuple[str, ...]:
    """Return the pins of a certificate in DER: its own, and that of its public key if that can be read."""
    try:
        hashed = [certificate, public_key(certificate)]
    except ValueError:
        hashed = [certificate]
    return tuple(f"sha256:{hashlib.sha256(each).hexdigest()}" for each in hashed)


async def trusted(
    sock: socket.socket, context: ssl.SSLContext, name: str | None, pins: Collection[str]
) -> ssl.SSLSocket:
    """Start TLS as a client, as `encrypt` does, and check the pins. Send no byte of a request before this returns.

    Needs a deadline. Raise OSError as `encrypt` does, and UntrustedError if there are pins and the server has none of
    them; the connection is then closed.
    """
    secure = await encrypt(sock, context, name)
    if pins:
        shown = pins_of(secure.getpeercert(binary_form=True) or b"")
        if not any(pin in pins for pin in shown):
            secure.close()
            what = "public key" if len(shown) > 1 else "certificate"
            raise UntrustedError(f"its {what} {shown[-1]} is none of the {len(pins)} pins that are allowed")
    return secure


# -- texts for errors ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Offer:
    """The texts about a profile's offer, and about servers that have only something older."""

    versions: str
    older: str
    """what such a server may have"""
    cure: str | None
    """the profile that offers it; None if there is none"""


_OFFERS = {
    "modern": _Offer("TLS 1.3", "1.2", "intermediate"),
    "intermediate": _Offer("TLS 1.2 or 1.3", "1.0, 1.1 or their ciphers", "legacy"),
    "legacy": _Offer("TLS 1.0 to 1.3", "SSL 3.0, RC4 or 3DES", None),
}
_NO_CURE = "it needs a proxy in between that still has that, as OpenSSL here has not"
_REFUSED = "the server refused {versions}: if it speaks only {older}, {cure}"
_OLD = Reason.TARGET_TLS_OLD, "the server has nothing as new as {versions}: {cure}"
_REFUSED_OLD = Reason.TARGET_TLS_OLD, _REFUSED
_REFUSED_ALL = Reason.TARGET_TLS_FAILED, _REFUSED
_HUNG_UP = Reason.TARGET_TLS_FAILED, "the server hung up on {versions}: if it speaks only {older}, {cure}"
_WEAK = (
    Reason.TARGET_TLS_OLD,
    "the server has a key, a hash or a signature that is too weak for profile {profile}: {cure}",
)
_NO_TLS = Reason.TARGET_WITHOUT_TLS, "the server does not speak TLS"
# The reaction of a server to the offer, by OpenSSL's reason for the failure. Other reasons are shown as they are.
_DEEDS: dict[str, tuple[Reason, str]] = {
    "UNSUPPORTED_PROTOCOL": _OLD,
    "WRONG_SSL_VERSION": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _REFUSED_OLD,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _REFUSED_OLD,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _REFUSED_OLD,
    "TLSV1_ALERT_INTERNAL_ERROR": _REFUSED_ALL,
    "TLSV1_ALERT_DECODE_ERROR": _REFUSED_ALL,
    "SSLV3_ALERT_ILLEGAL_PARAMETER": _REFUSED_ALL,
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": (
        Reason.TARGET_TLS_OLD,
        "the server has no secure renegotiation (RFC 5746): {cure}",
    ),
    "WRONG_CIPHER_RETURNED": (
        Reason.TARGET_TLS_OLD,
        "the server chose a cipher that profile {profile} has not: {cure}",
    ),
    "DH_KEY_TOO_SMALL": _WEAK,
    "BAD_DH_VALUE": _WEAK,
    "WRONG_CURVE": _WEAK,
    "WRONG_SIGNATURE_TYPE": _WEAK,
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": _WEAK,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    # We offer HTTP/1.1 alone (RFC 7301, 3.2).
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": (Reason.TARGET_HTTP2, "the server has no HTTP/1.1"),
}
# OpenSSL's codes for certificates whose keys or hashes are too weak for a security level (x509_vfy.h).
_WEAK_CERTIFICATES = (66, 67, 68)


def explained(error: OSError, profile: str, key: str) -> tuple[Reason, str]:
    """Return why there is no TLS with a server, and a text: its reaction to the offer, and what helps.

    `key` is the key of the profile.
    """
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code not in _WEAK_CERTIFICATES:
        return Reason.TARGET_DISTRUSTED, error.verify_message.rstrip(".")
    deed = _deed(error)
    if deed is None:
        words = in_words(error)
        return Reason.TARGET_TLS_FAILED, words.replace("_", " ").lower() if isinstance(error, ssl.SSLError) else words
    offer = _OFFERS[profile]
    reason, text = deed
    if reason is Reason.TARGET_TLS_OLD and offer.cure is None:
        reason = Reason.TARGET_TLS_FAILED  # there is no older profile
    cure = _NO_CURE if offer.cure is None else f"{key} {offer.cure}"
    return reason, text.format(versions=offer.versions, older=offer.older, profile=profile, cure=cure)


def _deed(error: OSError) -> tuple[Reason, str] | None:
    if is_gone(error):
        return _HUNG_UP
    if isinstance(error, ssl.SSLCertVerificationError):
        return _WEAK
    return _DEEDS.get(error.reason) if isinstance(error, ssl.SSLError) else None
