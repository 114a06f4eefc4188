"""How odd heads of requests are brought into the form that everything behind them expects (see `oddities`).

Bytes and text in, bytes and text out: `heads` decides when to ask for it. What cannot be mended raises HttpRefusal.
"""

import re
from ipaddress import IPv6Address

from wsgateway.errors import HttpRefusal
from wsgateway.wire.oddities import Oddities, Oddity

# A host: a name, an IPv4 address, or an IPv6 address in brackets (RFC 9110, 7.2). A port may follow it.
_NAME = r"((?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\]))"
_HOST = re.compile(rf"{_NAME}(?::[0-9]{{1,5}})?")
# RFC 3986, 3.2.3: the port may be empty behind its colon.
_EMPTY_PORT = re.compile(rf"{_NAME}:")
# RFC 9112, 3.2.2: what a client sends to a proxy, and every server must understand. ws and wss are what browsers call
# the same addresses, and some clients send.
_ABSOLUTE = re.compile(rb"(?:https?|wss?)://([^/?#]*)([/?].*)?", re.IGNORECASE)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# The characters of a token (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")
# Of control characters these are refused everywhere: other servers end a line, a head or a value with them.
_NEVER = re.compile(rb"[\0\r\n]")
# All but a tab, which may stand in a value (RFC 9110, 5.5).
_CONTROLS = bytes((*range(9), *range(10, 32), 127))
_NOT_CONTROLS = bytes(each for each in range(256) if each not in _CONTROLS)
# Headers that the gateway itself reads or repeats. CGI and WSGI take an underscore for a hyphen.
_READ = re.compile(
    rb"content-length|transfer-encoding|connection|upgrade|host|origin|expect|te|trailer|forwarded|x-forwarded-.*"
    rb"|x-real-ip|x-websocket-.*|sec-.*|websocket-.*"
)


def is_token(text: str) -> bool:
    """Whether the text is an HTTP token, as a subprotocol or a header name must be."""
    return _TOKEN.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether the text is a host with or without a port."""
    return _HOST.fullmatch(text) is not None


def proper_host(text: str) -> str | None:
    """Return a Host as it goes on: an IPv6 address in brackets, everything else as it is. None: it is no host."""
    if _HOST.fullmatch(text) or _EMPTY_PORT.fullmatch(text):
        return text
    try:
        # A zone (%eth0) means something to its sender alone.
        address = IPv6Address(text)
        # As Python 3.13 and later write it, and RFC 5952, 5.
        written = address if address.ipv4_mapped is None else f"::ffff:{address.ipv4_mapped}"
        return None if "%" in text else f"[{written}]"
    except ValueError:
        return None


def mended_host(sent: str, oddities: Oddities) -> str:
    """Return a Host that `is_host` does not know as it goes on; as it was sent, if that is no host at all."""
    host = proper_host(sent)
    if host is None:
        return sent
    oddities.need(Oddity.HOST_FORM, HttpRefusal("Host is not a host with an optional port"))
    return host


def origin_form(target: bytes, host: str | None, oddities: Oddities) -> tuple[bytes, str] | None:
    """Return path and query of an absolute target, and the Host that counts; None: the target is not absolute.

    Takes the target as it was sent, and the Host as it goes on. The target's host and port count (RFC 9112, 3.2.2).
    Raises HttpRefusal (400) if it has another name than Host, or a user.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return None
    oddities.need(Oddity.ABSOLUTE_TARGET, HttpRefusal("the target is a whole address, only a path is possible"))
    named, path = found[1].decode("latin-1"), found[2] or b"/"
    authority = named if is_host(named) or _EMPTY_PORT.fullmatch(named) else ""
    if not authority or _name(authority) != _name(host or ""):
        raise HttpRefusal("the target names another host than Host")
    if not is_host(authority):
        oddities.need(Oddity.HOST_FORM, HttpRefusal("the target names a host with a colon and no port"))
    same = host is not None and authority.lower() == host.lower()
    return path if path.startswith(b"/") else b"/" + path, host if same and host else authority


def authority_of(line: bytes) -> str:
    """Return the host and port that the target in a request's first line names; empty if it names none."""
    found = _ABSOLUTE.fullmatch(b"".join(line.split(b" ")[1:2]))
    return found[1].decode("latin-1") if found else ""


def _name(host: str) -> str | None:
    """The host without its port, in one spelling; None if it is none."""
    found = _HOST.fullmatch(host) or _EMPTY_PORT.fullmatch(host)
    return found[1].lower() if found else None


def encoded_target(target: bytes) -> bytes:
    """Return a target in ASCII, its other bytes percent-encoded."""
    return target if target.isascii() else _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], target)


def checked_lines(lines: list[bytes], oddities: Oddities) -> list[bytes]:
    """Return the lines of a head without control characters, where these may be taken out.

    Refuses (400) what h11 would mend: line feeds alone, folded lines, spaces around a header's name.
    """
    if any(line.translate(None, _NOT_CONTROLS) for line in lines):
        if lines[0].translate(None, _NOT_CONTROLS):
            raise HttpRefusal("malformed request: a control character inside a line, as CR, LF or NUL")
        parts = [line.partition(b":") for line in lines[1:]]
        lines = [lines[0], *(name + colon + clean_value(name, value, oddities) for name, colon, value in parts)]
    for line in lines[1:]:
        if not _HEADER_NAME.match(line):
            raise HttpRefusal("malformed request: a header line without a proper name")
    return lines


def clean_value(name: bytes, value: bytes, oddities: Oddities) -> bytes:
    """Return the value of a header without its control characters.

    Raises HttpRefusal (400) for those that are always refused, and in a header that the gateway reads or repeats.
    """
    if not value.translate(None, _NOT_CONTROLS):
        return value
    refusal = HttpRefusal("malformed request: a control character inside a line, as CR, LF or NUL")
    if _NEVER.search(value) or _READ.fullmatch(name.lower().replace(b"_", b"-")):
        raise refusal
    oddities.need(Oddity.HEADER_CONTROLS, refusal)
    return value.translate(None, _CONTROLS)
