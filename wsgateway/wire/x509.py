"""A reader of certificates (X.509 in DER, RFC 5280, 4.1): public key, subject, issuer, period of validity and names.

It verifies nothing: OpenSSL does that. It reads a certificate so that it can be pinned and shown, also if nobody trusts
it; of such a certificate Python's `ssl` gives only the bytes. Every length is checked against the element around it,
and nothing is read deeper than the fields of `X509Certificate` require.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

_SEQUENCE = 0x30
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_OCTET_STRING = 0x04
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_ALTERNATIVE_NAME = b"\x55\x1d\x11"
# The well-known attributes of a name (RFC 4514, 3), and the e-mail address that old tools write. Others are skipped.
_KNOWN = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x55\x04\x06": "C",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}
_CHARACTERS = {0x0C: "utf-8", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class X509Certificate:
    """The fields of a certificate. Names are as the certificate has them and may hold any character."""

    subject: str
    """for example CN=appliance, O=Example; may be empty"""
    issuer: str
    begins: str
    """for example 2026-11-29 12:00:00, in UTC"""
    ends: str
    names: tuple[str, ...]
    """the DNS names and IP addresses that it is valid for"""


def public_key(der: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate, in DER: the bytes that a public key pin hashes (RFC 7469, 2.4).

    Raise ValueError if the bytes are not a certificate in DER.
    """
    return _fields(der)[5][1]


def read(der: bytes) -> X509Certificate:
    """Read the fields of a certificate. Raise ValueError if the bytes are not a certificate in DER."""
    fields = _fields(der)
    _, _, issuer, validity, subject, *_ = (content for _, _, content in fields)
    begins, ends = (_time(tag, content) for tag, _, content in _pair(validity))
    names = [name for tag, _, content in fields if tag == _EXTENSIONS for name in _alternative_names(content)]
    return X509Certificate(_name(subject), _name(issuer), begins, ends, tuple(names))


Element = tuple[int, bytes, bytes]
"""A tag, the whole element, and its content."""


def _fields(der: bytes) -> list[Element]:
    """Return the elements of a certificate from its serial number on; the sixth is the public key."""
    tag, whole, certificate = next(_elements(der), (0, b"", b""))
    if tag != _SEQUENCE or len(whole) != len(der):
        raise ValueError("no certificate in DER")
    signed = next(_elements(certificate), None)
    if signed is None or signed[0] != _SEQUENCE:
        raise ValueError("a certificate without anything that is signed")
    fields = [element for element in _elements(signed[2]) if element[0] != _VERSION]
    if len(fields) < 6 or any(field[0] != _SEQUENCE for field in fields[1:6]):
        raise ValueError("a certificate without a public key")
    return fields


def _elements(data: bytes) -> Iterator[Element]:
    """Yield the elements of DER one after another (X.690, 8.1, 10.1)."""
    at = 0
    while at < len(data):
        tag = data[at]
        if tag & 0x1F == 0x1F:
            raise ValueError(f"a tag of several bytes at {at}, which no certificate has")
        begin, size = _length(data, at + 1)
        if begin + size > len(data):
            raise ValueError(f"{size} bytes at {at}, where {len(data) - begin} are left")
        yield tag, data[at : begin + size], data[begin : begin + size]
        at = begin + size


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Return the position of an element's content and its length in bytes."""
    if at >= len(data):
        raise ValueError(f"no length at {at}")
    first = data[at]
    if first < 0x80:
        return at + 1, first
    count = first & 0x7F
    size = data[at + 1 : at + 1 + count]
    if not 1 <= count <= 4 or len(size) < count:
        raise ValueError(f"a length of {count} bytes at {at}, 1 to 4 are allowed")
    return at + 1 + count, int.from_bytes(size)


def _pair(content: bytes) -> tuple[Element, Element]:
    elements = list(_elements(content))
    if len(elements) != 2:
        raise ValueError(f"{len(elements)} elements where 2 are needed")
    return elements[0], elements[1]


def _time(tag: int, content: bytes) -> str:
    """Return a time as `X509Certificate.begins` has it. Years of two digits are 1950 to 2049 (RFC 5280, 4.1.2.5.1)."""
    text = content.decode("ascii", "replace").removesuffix("Z")
    if tag == _UTC_TIME:
        text = ("19" if text >= "5" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"the tag {tag:02X} where a time is needed")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]}"


def _name(content: bytes) -> str:
    """Return the known attributes of a name as text, the last first (RFC 4514, 2.1)."""
    parts = []
    for _, _, several in _elements(content):
        for _, _, attribute in _elements(several):
            (_, _, kind), (tag, _, value) = _pair(attribute)
            if kind in _KNOWN:
                parts.append(f"{_KNOWN[kind]}={value.decode(_CHARACTERS.get(tag, 'latin-1'), 'replace')}")
    return ", ".join(reversed(parts))


def _alternative_names(content: bytes) -> Iterator[str]:
    """Yield the DNS names and IP addresses of a certificate (RFC 5280, 4.2.1.6)."""
    for _, _, extensions in _elements(content):
        for _, _, extension in _elements(extensions):
            [(_, _, kind), *_, (tag, _, value)] = _elements(extension)
            if kind != _ALTERNATIVE_NAME or tag != _OCTET_STRING:
                continue
            for _, _, names in _elements(value):
                for form, _, name in _elements(names):
                    if form == _DNS_NAME:
                        yield name.decode("latin-1")
                    elif form == _IP_ADDRESS:
                        yield str(ip_address(name))
