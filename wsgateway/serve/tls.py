"""TLS towards clients: which versions and ciphers a profile allows, and which certificate a client is shown."""

import ssl
import warnings

from wsgateway.policy.routes import host_matches
from wsgateway.settings.model import Certificate, ListenerTls, TlsVersion

# What Mozilla calls intermediate: forward secrecy and authenticated encryption, for clients since about 2014.
_INTERMEDIATE = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
# All that OpenSSL still has and that shows a certificate; at security level 0 it lets TLS 1.0 and 1.1 use SHA-1, and
# keys be short.
_LEGACY = "ALL:!aNULL:@SECLEVEL=0"
_VERSIONS: dict[TlsVersion, ssl.TLSVersion] = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_PROFILES: dict[str, tuple[TlsVersion, str | None]] = {
    "modern": ("1.3", None),
    "intermediate": ("1.2", _INTERMEDIATE),
    "legacy": ("1.0", _LEGACY),
}
_CLIENT_CERTIFICATES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_context(tls: ListenerTls) -> ssl.SSLContext:
    """What a listener's TLS connections are made of.

    Raises OSError (ssl.SSLError too) for a file that cannot be read, or is not what it should be.
    """
    contexts = [(each.hosts, _context(tls, each)) for each in tls.certificates]
    first = contexts[0][1]

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        host = (name or "").lower()
        for hosts, context in contexts:
            if any(host_matches(pattern, host) for pattern in hosts):
                connection.context = context
                return

    first.sni_callback = choose
    return first


def _context(tls: ListenerTls, certificate: Certificate) -> ssl.SSLContext:
    minimum, ciphers = _PROFILES.get(tls.profile, (tls.minimum, tls.ciphers))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():  # that 1.0 and 1.1 are old is why they are asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = _VERSIONS[minimum]
    if ciphers is not None:
        context.set_ciphers(ciphers)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
    context.verify_mode = _CLIENT_CERTIFICATES[tls.client_certificates]
    context.set_alpn_protocols(["http/1.1"] if tls.http2 is None else ["h2", "http/1.1"])
    # RFC 9113, 9.2.1; and nobody else may have us make keys again and again either (CVE-2011-1473).
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context
