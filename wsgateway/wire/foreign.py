"""The recognition of other protocols than HTTP/1.1 by the first bytes of a peer."""

from wsgateway.errors import HttpRefusal, Reason

# The first bytes of versions 1 and 2 of the PROXY protocol.
PROXY = (b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n")
# The same for version 2 after its two empty lines, which have been removed.
_PROXY_V2 = b"\0\r\nQUIT\n"
# RFC 8446, 5.1: the type of a record. A handshake comes from clients; nothing else begins with this byte.
_TLS_HANDSHAKE = b"\x16"
# The type of a record and its major version: an alert comes from servers.
_TLS_ALERT = b"\x15\x03"
# RFC 9113, 4.1: type, flags and stream of the first SETTINGS frame, after 3 bytes of length.
_LENGTH_BYTES = 3
_SETTINGS = b"\x04\0\0\0\0\0"
_HTTP = b"HTTP/"
# So many bytes of a server tell its protocol.
ENOUGH_BYTES = _LENGTH_BYTES + len(_SETTINGS)
_SHOWN_BYTES = 16


def not_a_request(first: bytes) -> HttpRefusal:
    """Return the refusal of a client whose first bytes begin no request; at least one byte must be here."""
    if first.startswith((*PROXY, _PROXY_V2)):
        text = "this is not HTTP: it looks like the PROXY protocol, which is not accepted here"
        return HttpRefusal(Reason.PROXY_HEADER_UNEXPECTED, text)
    if first.startswith(_TLS_HANDSHAKE):
        return HttpRefusal(Reason.TLS_ON_PLAIN_PORT, "this is not HTTP: it looks like TLS")
    return HttpRefusal(Reason.NOT_HTTP, "this is not HTTP")


def not_upgradable(version: str) -> HttpRefusal:
    """Return the refusal of a request in another version of HTTP (RFC 6455, 4.1: at least 1.1)."""
    reason = Reason.HANDSHAKE_MALFORMED if version == "1.0" else Reason.NOT_HTTP
    return HttpRefusal(reason, f"HTTP/{version} cannot be upgraded, HTTP/1.1 can")


def check_response(first: bytes) -> None:
    """Raise HttpRefusal (502) for the first bytes of a server, however few, if they begin no response of HTTP/1.1."""
    if _HTTP.startswith(first[: len(_HTTP)]):
        return
    reason, looks = Reason.TARGET_NOT_HTTP, repr(first[:_SHOWN_BYTES])
    if first.startswith(_TLS_ALERT):
        reason, looks = Reason.TARGET_NEEDS_TLS, "an alert of TLS"
    elif first[_LENGTH_BYTES:].startswith(_SETTINGS):
        reason, looks = Reason.TARGET_HTTP2, "a frame of HTTP/2"
    raise HttpRefusal(reason, f"malformed response: it begins with {looks}")
