"""Which versions and ciphers of TLS a profile allows, towards clients and towards targets."""

import ssl
import warnings
from dataclasses import dataclass

# What Mozilla calls intermediate: forward secrecy and authenticated encryption, for clients since about 2014.
_INTERMEDIATE = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
# What Python offers by default since 3.10, written out: Debian's Python offers all that its OpenSSL has. A client that
# offers more than it needs loses nothing: the server chooses. Servers of 2012 have CBC alone.
_OFFERED = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
# All that OpenSSL still has and that shows a certificate; at security level 0 it lets TLS 1.0 and 1.1 use SHA-1, and
# keys be short.
_LEGACY = "ALL:!aNULL:@SECLEVEL=0"
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What is allowed. Ciphers are those for TLS up to 1.2, as OpenSSL writes them; None: Python's own choice."""

    minimum: str
    """the oldest version, "1.0" to "1.3"; the newest is always the newest that OpenSSL has"""
    accepted: str | None
    """ciphers as a server"""
    offered: str
    """ciphers as a client"""


PROFILES = {
    "modern": Profile("1.3", None, _OFFERED),
    "intermediate": Profile("1.2", _INTERMEDIATE, _OFFERED),
    "legacy": Profile("1.0", _LEGACY, _LEGACY),
}


def restrict(context: ssl.SSLContext, minimum: str, ciphers: str | None) -> None:
    """Sets the oldest version of TLS and the ciphers. Raises ssl.SSLError for ciphers that OpenSSL does not know.

    Must come before certificates are loaded: how short a key may be depends on the ciphers' security level.
    """
    with warnings.catch_warnings():  # that 1.0 and 1.1 are old is why they are asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[minimum]
    if ciphers is not None:
        context.set_ciphers(ciphers)
