"""TLS towards clients: the context of a listener, and the choice of its certificate."""

import ssl

from wsgateway.errors import Reason
from wsgateway.net.profiles import PROFILES, restrict
from wsgateway.policy.routes import host_matches
from wsgateway.settings.listeners import Certificate, ListenerTls

# The reasons of failed handshakes by OpenSSL's names. Alerts were sent by the client.
_REASONS = {
    **dict.fromkeys(("HTTP_REQUEST", "HTTPS_PROXY_REQUEST"), Reason.HTTP_ON_TLS_PORT),
    **dict.fromkeys(
        (
            "TLSV1_ALERT_UNKNOWN_CA",
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        ),
        Reason.CERTIFICATE_DISTRUSTED,
    ),
    **dict.fromkeys(
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED"), Reason.CLIENT_CERTIFICATE_REFUSED
    ),
    **dict.fromkeys(
        (
            "UNSUPPORTED_PROTOCOL",
            "VERSION_TOO_LOW",
            "NO_PROTOCOLS_AVAILABLE",
            "NO_SHARED_CIPHER",
            "NO_SUITABLE_SIGNATURE_ALGORITHM",
            "NO_SHARED_GROUPS",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
        ),
        Reason.TLS_NOT_SHARED,
    ),
}
_CLIENT_CERTIFICATES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def reason_of(error: OSError) -> Reason:
    """Return the reason for a failed handshake with a client, by the error that it raised."""
    return _REASONS.get(getattr(error, "reason", ""), Reason.TLS_FAILED)


def server_context(tls: ListenerTls) -> ssl.SSLContext:
    """Return the context for a listener's TLS connections.

    Raise OSError (also ssl.SSLError) for a file that cannot be read or is not valid.
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
    profile = PROFILES.get(tls.profile)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if profile is None:
        restrict(context, tls.minimum or "1.2", tls.ciphers)
    else:
        restrict(context, profile.minimum, profile.accepted)
    context.load_cert_chain(certificate.certificate, certificate.private_key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
    context.verify_mode = _CLIENT_CERTIFICATES[tls.client_certificates]
    context.set_alpn_protocols(["http/1.1"] if not tls.offers_http2 else ["h2", "http/1.1"])
    # RFC 9113, 9.2.1. Also without HTTP/2, a client must not cause new key exchanges all the time (CVE-2011-1473).
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context
