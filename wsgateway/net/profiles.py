"""The versions and ciphers of TLS that a profile allows, towards clients and towards targets."""

import ssl
import warnings
from dataclasses import dataclass

# Mozilla's profile "intermediate": forward secrecy and authenticated encryption, for clients since about 2014.
_INTERMEDIATE = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
# The ciphers that Python offers by default since 3.10, spelled out because Debian's Python offers all that its OpenSSL
# has. More ciphers than needed do no harm in a client: the server chooses. Servers of 2012 have only CBC.
_OFFERED = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
# All ciphers of OpenSSL that use a certificate. Security level 0 allows SHA-1 in TLS 1.0 and 1.1, and short keys.
_LEGACY = "ALL:!aNULL:@SECLEVEL=0"
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """The TLS that is allowed. Ciphers are for TLS up to 1.2, in OpenSSL's form; None: Python's default."""

    minimum: str
    """the oldest version, "1.0" to "1.3"; the newest is always the newest version of OpenSSL"""
    accepted: str | None
    """the ciphers in the role of a server"""
    offered: str
    """the ciphers in the role of a client"""


PROFILES = {
    "modern": Profile("1.3", None, _OFFERED),
    "intermediate": Profile("1.2", _INTERMEDIATE, _OFFERED),
    "legacy": Profile("1.0", _LEGACY, _LEGACY),
}


def restrict(context: ssl.SSLContext, minimum: str, ciphers: str | None) -> None:
    """Set the oldest version of TLS and the ciphers. Raise ssl.SSLError for ciphers that OpenSSL does not know.

    Must be called before certificates are loaded: the least length of a key depends on the ciphers' security level.
    """
    with warnings.catch_warnings():  # Python warns that 1.0 and 1.1 are deprecated, and the profile wants them
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[minimum]
    if ciphers is not None:
        context.set_ciphers(ciphers)
