"""Repair of request heads with oddities: it gives them the form that all later code expects (see `oddities`).

The functions take and return bytes and text; `heads` decides when to call them. What cannot be repaired raises
HttpRefusal.
"""

import re
from ipaddress import IPv6Address

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.oddities import Oddities, Oddity

# A host: a name, an IPv4 address, or an IPv6 address in brackets (RFC 9110, 7.2). A port may follow it.
_NAME = r"((?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\]))"
_HOST = re.compile(rf"{_NAME}(?::[0-9]{{1,5}})?")
# RFC 3986, 3.2.3: the port may be empty after its colon.
_EMPTY_PORT = re.compile(rf"{_NAME}:")
# RFC 9112, 3.2.2: clients send this form to a proxy, and every server must accept it. Some clients send it with ws and
# wss, the browsers' names for the same addresses.
_ABSOLUTE = re.compile(rb"(?:https?|wss?)://([^/?#]*)([/?].*)?", re.IGNORECASE)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# The characters of a token (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")
# These control characters are refused in every header: for other servers they end a line, a head or a value.
_NEVER = re.compile(rb"[\0\r\n]")
# All control characters except a tab, which may stand in a value (RFC 9110, 5.5).
_CONTROLS = bytes((*range(9), *range(10, 32), 127))
NOT_CONTROLS = bytes(byte for byte in range(256) if byte not in _CONTROLS)
# Headers that the gateway itself reads or repeats. CGI and WSGI read an underscore as a hyphen.
_READ = re.compile(
    rb"content-length|transfer-encoding|connection|upgrade|host|origin|expect|te|trailer|forwarded|x-forwarded-.*"
    rb"|x-real-ip|x-websocket-.*|sec-.*|websocket-.*"
)


def is_token(text: str) -> bool:
    """Return whether the text is an HTTP token, as a subprotocol or a header name must be."""
    return _TOKEN.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Return whether the text is a host with or without a port."""
    return _HOST.fullmatch(text) is not None


def proper_host(text: str) -> str | None:
    """Return a Host in valid form: an IPv6 address gets brackets, all else stays. Return None if it is not a host."""
    if _HOST.fullmatch(text) or _EMPTY_PORT.fullmatch(text):
        return text
    try:
        # A zone (%eth0) has a meaning on its sender's machine only.
        address = IPv6Address(text)
        # The form of Python 3.13 and later, and of RFC 5952, 5.
        written = address if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"
        return None if "%" in text else f"[{written}]"
    except ValueError:
        return None


def repaired_host(sent: str, oddities: Oddities) -> str:
    """Return a valid form of a Host that `is_host` refuses; the Host as it was sent, if there is no valid form."""
    host = proper_host(sent)
    if host is None:
        return sent
    oddities.need(Oddity.HOST_FORM, HttpRefusal(Reason.REQUEST_MALFORMED, "Host is not a host with an optional port"))
    return host


def origin_form(target: bytes, host: str | None, oddities: Oddities) -> tuple[bytes, str] | None:
    """Return path and query of an absolute target, and the Host that counts; None if the target is not absolute.

    Take the target as it was sent, and the repaired Host. The host and port of the target win (RFC 9112, 3.2.2). Raise
    HttpRefusal (400) if the target names another host than Host, or contains a user.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return None
    oddities.need(
        Oddity.ABSOLUTE_TARGET,
        HttpRefusal(Reason.REQUEST_MALFORMED, "the target is a whole address, only a path is possible"),
    )
    named, path = found[1].decode("latin-1"), found[2] or b"/"
    authority = named if is_host(named) or _EMPTY_PORT.fullmatch(named) else ""
    if not authority or _name(authority) != _name(host or ""):
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "the target names another host than Host")
    if not is_host(authority):
        oddities.need(
            Oddity.HOST_FORM, HttpRefusal(Reason.REQUEST_MALFORMED, "the target names a host with a colon and no port")
        )
    same = host is not None and authority.lower() == host.lower()
    return path if path.startswith(b"/") else b"/" + path, host if same and host else authority


def authority_of(line: bytes) -> str:
    """Return the host and port of the target in a request line; an empty text if it has none."""
    found = _ABSOLUTE.fullmatch(b"".join(line.split(b" ")[1:2]))
    return found[1].decode("latin-1") if found else ""


def _name(host: str) -> str | None:
    """Return the host without its port, in lower case; None if the text is not a host."""
    found = _HOST.fullmatch(host) or _EMPTY_PORT.fullmatch(host)
    return found[1].lower() if found else None


def encoded_target(target: bytes) -> bytes:
    """Return a target in ASCII: its other bytes are percent-encoded."""
    return target if target.isascii() else _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], target)


def need_raw_target(oddities: Oddities) -> None:
    """Note that a target holds a byte above 7F. Raise HttpRefusal (400) if it may not."""
    refusal = HttpRefusal(Reason.REQUEST_MALFORMED, "the target holds a byte above 7F")
    oddities.need(Oddity.RAW_TARGET, refusal)


def checked_lines(lines: list[bytes], oddities: Oddities) -> list[bytes]:
    """Return the lines of a head without those control characters that may be removed.

    Raise HttpRefusal (400) for what h11 would repair: line feeds alone, folded lines, spaces around a header's name.
    """
    if any(line.translate(None, NOT_CONTROLS) for line in lines):
        if lines[0].translate(None, NOT_CONTROLS):
            raise HttpRefusal(
                Reason.REQUEST_MALFORMED, "malformed request: a control character inside a line, as CR, LF or NUL"
            )
        parts = [line.partition(b":") for line in lines[1:]]
        lines = [lines[0], *(name + colon + clean_value(name, value, oddities) for name, colon, value in parts)]
    for line in lines[1:]:
        if not _HEADER_NAME.match(line):
            raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: a header line without a proper name")
    return lines


def clean_value(name: bytes, value: bytes, oddities: Oddities) -> bytes:
    """Return the value of a header without its control characters.

    Raise HttpRefusal (400) for CR, LF and NUL, and for control characters in a header that the gateway reads or
    repeats.
    """
    if not value.translate(None, NOT_CONTROLS):
        return value
    refusal = HttpRefusal(
        Reason.REQUEST_MALFORMED, "malformed request: a control character inside a line, as CR, LF or NUL"
    )
    if _NEVER.search(value) or _READ.fullmatch(name.lower().replace(b"_", b"-")):
        raise refusal
    oddities.need(Oddity.HEADER_CONTROLS, refusal)
    return value.translate(None, _CONTROLS)
