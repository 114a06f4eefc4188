"""The PROXY protocol, versions 1 and 2: a proxy sends the addresses of its client before the client's own bytes.

Section numbers are those of HAProxy's proxy-protocol.txt (2020/03/05). The configuration decides whether a header must
come and who may send one. Section 2 forbids to guess this, because a header lets its sender claim any address.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct

from wsgateway.errors import ProtocolError, Reason
from wsgateway.wire.addresses import unmapped

SocketAddress = tuple[str, int]
"""an IP address and a port"""

MAX_V1_BYTES = 107  # 2.1: the longest line, with CRLF
# The length field allows 64 KiB. A sender should stay below 536 bytes (2); one that passes on a client's whole
# certificate does not. nginx accepts 4096, too.
MAX_V2_BYTES = 4096

_V1_START = b"PROXY"
_V1_UNKNOWN = b"PROXY UNKNOWN\r\n"  # the shortest line of version 1
# 2.1: no leading zeros, so that no program reads a port as octal. `ipaddress` checks addresses for that.
_PORT = re.compile(r"0|[1-9][0-9]{0,4}")
_ADDRESSES: dict[str, type[IPv4Address] | type[IPv6Address]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
# After the signature: version and command, family and transport, the number of bytes that follow.
_HEAD = Struct("!BBH")
_HEAD_BYTES = len(_SIGNATURE) + _HEAD.size
_VERSION = 2
_LOCAL, _PROXY = 0, 1

_INET = Struct("!4s4sHH")
_INET6 = Struct("!16s16sHH")
_UNIX = Struct("!216x")  # two paths, which are not used here
# 2.2: family and transport, and the layout of their addresses; None: the addresses cannot be used. UDP addresses are
# accepted, because a proxy that speaks HTTP/3 with its client sends them.
_BLOCKS: dict[int, Struct | None] = {
    0x00: None, 0x01: None, 0x02: None,
    0x10: None, 0x11: _INET, 0x12: _INET,
    0x20: None, 0x21: _INET6, 0x22: _INET6,
    0x30: None, 0x31: _UNIX, 0x32: _UNIX,
}  # fmt: skip
_TCP4, _TCP6 = 0x11, 0x21

# 2.2: TLVs may follow the addresses. Each begins with its type and its length.
_TLV = Struct("!BH")
_AUTHORITY = 0x02
_CRC32C = 0x03
_SSL = 0x20
_SSL_VERSION = 0x21  # inside of _SSL
# Other types are skipped and may be repeated; NOOP (0x04) is one of them.
_AT_MOST_ONE = frozenset({_AUTHORITY, _CRC32C, _SSL, _SSL_VERSION})

# 2.2.6: a bit field, and the result of the certificate check. More TLVs follow.
_CLIENT = Struct("!BI")
_CLIENT_SSL = 0x01
_NOT_VERIFIED = 1


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A proxy's description of the client connection for which it made this connection.

    Addresses are in their shortest form; IPv4 that was mapped to IPv6 becomes IPv4. Both are None if the proxy made the
    connection for itself (LOCAL, as in a health check) or gives none (UNKNOWN, UNSPEC, Unix sockets): then the
    addresses of the connection itself count.
    """

    source: SocketAddress | None = None
    destination: SocketAddress | None = None
    secure: bool | None = None
    """whether the client came over TLS; None if the proxy does not say"""
    tls_version: str | None = None
    """for example TLSv1.3"""


def begins(data: bytes) -> bool | None:
    """Return whether a connection begins with a header of either version; None if more bytes are needed to tell.

    `data` is what has come so far, perhaps nothing. At most 12 bytes are needed. HTTP and TLS never begin like this.
    """
    if data.startswith((_V1_START, _SIGNATURE)):
        return True
    return None if _V1_START.startswith(data) or _SIGNATURE.startswith(data) else False


def read(data: bytes) -> tuple[ProxyHeader, int] | None:
    """Return the content of the header at the start of a connection, and its size in bytes; None if it is incomplete.

    Take all bytes of the connection so far, also bytes after the header; when it returns None, call it again with more.
    Raise ProtocolError for anything but a header of either version, if possible before the header is complete.
    """
    begun = begins(data)
    if begun is None:
        return None
    if not begun:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            "no PROXY header: neither 'PROXY' nor the signature of version 2 is where it must begin",
        )
    return _read_v1(data) if data.startswith(_V1_START) else _read_v2(data)


def write_v1(source: SocketAddress | None, destination: SocketAddress | None) -> bytes:
    """Return the line of version 1 for a client's connection from source to destination; UNKNOWN if one is None.

    If one address is IPv4 and the other IPv6, the IPv4 address is mapped. A zone (`%eth0`) is dropped: it has a meaning
    on this machine only.
    """
    # 2.1: UNKNOWN is for what cannot be expressed, and a mapped address can. HAProxy does the same.
    if source is None or destination is None:
        return _V1_UNKNOWN
    sender, receiver = _alike(source, destination)
    line = f"PROXY TCP{sender.version} {_v1_text(sender)} {_v1_text(receiver)} {source[1]} {destination[1]}\r\n"
    return line.encode("ascii")


def write_v2(
    source: SocketAddress | None,
    destination: SocketAddress | None,
    *,
    secure: bool | None = None,
    tls_version: str | None = None,
) -> bytes:
    """Return the header of version 2 for the same; a LOCAL header without addresses if one is None.

    `tls_version` should be given with secure=True (2.2.6), and is ignored otherwise. The header never says that a
    client has shown a valid certificate.
    """
    # 2.2: a receiver must accept LOCAL, but may reject UNSPEC; and it ignores what follows LOCAL.
    if source is None or destination is None:
        return _SIGNATURE + _HEAD.pack(_VERSION << 4 | _LOCAL, 0, 0)
    sender, receiver = _alike(source, destination)
    addresses, family = (_INET, _TCP4) if sender.version == 4 else (_INET6, _TCP6)
    body = addresses.pack(sender.packed, receiver.packed, source[1], destination[1])
    if secure is not None:
        client = _CLIENT.pack(_CLIENT_SSL if secure else 0, _NOT_VERIFIED)
        version = _tlv(_SSL_VERSION, tls_version.encode("ascii")) if secure and tls_version else b""
        body += _tlv(_SSL, client + version)
    return _SIGNATURE + _HEAD.pack(_VERSION << 4 | _PROXY, family, len(body)) + body


def _read_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    line, crlf, _ = data[:MAX_V1_BYTES].partition(b"\r\n")
    # 2.1: CR or LF alone must not be accepted. A CR at the end of the data may be the first half of CRLF.
    inner = line if crlf else line.removesuffix(b"\r")
    if b"\r" in inner or b"\n" in inner:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, "a CR or LF alone in a PROXY header, only CRLF together may end it"
        )
    if not crlf:
        if len(data) >= MAX_V1_BYTES:
            raise ProtocolError(
                Reason.PROXY_HEADER_MALFORMED,
                f"no CRLF in the first {MAX_V1_BYTES} bytes of a PROXY header, more are not allowed",
            )
        return None
    return _v1_header(line.decode("latin-1")), len(line) + len(crlf)


def _v1_header(line: str) -> ProxyHeader:
    match line.split(" "):
        case ["PROXY", "UNKNOWN", *_]:  # 2.1: the rest of the line is ignored
            return ProxyHeader()
        case ["PROXY", ("TCP4" | "TCP6") as family, source, destination, source_port, destination_port]:
            return ProxyHeader(
                (_v1_address(family, source), _v1_port(source_port)),
                (_v1_address(family, destination), _v1_port(destination_port)),
            )
        case _:
            allowed = "PROXY, TCP4 or TCP6, two addresses and two ports with one space between, or PROXY UNKNOWN"
            raise ProtocolError(Reason.PROXY_HEADER_MALFORMED, f"PROXY header {line!r}, allowed is: {allowed}")


def _v1_address(family: str, text: str) -> str:
    kind = _ADDRESSES[family]
    try:
        if "%" in text:  # a zone, which IPv6Address would accept
            raise ValueError
        return str(unmapped(kind(text)))
    except ValueError:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"address {text!r} in a PROXY header, {family} must have an {kind.__name__}"
        ) from None


def _v1_port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 0xFFFF:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            f"port {text!r} in a PROXY header, 0 to 65535 without leading zeros is allowed",
        )
    return int(text)


def _v1_text(address: IPv4Address | IPv6Address) -> str:
    """Return an address in the form of 2.1, where IPv6 is hexadecimal.

    `str` writes mapped addresses in another form since Python 3.13.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return f"::ffff:{int(address) >> 16 & 0xFFFF:x}:{int(address) & 0xFFFF:x}"
    return str(address)


def _read_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < _HEAD_BYTES:
        return None
    version_command, family, length = _HEAD.unpack_from(data, len(_SIGNATURE))
    block = _v2_block(version_command, family, length)
    size = _HEAD_BYTES + length
    if len(data) < size:
        return None
    return (_v2_header(data[:size], block) if block else ProxyHeader()), size


def _v2_block(version_command: int, family: int, length: int) -> Struct | None:
    """Return the layout of the addresses; None if everything after the head is to be skipped."""
    version, command = divmod(version_command, 16)
    if version != _VERSION:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"binary PROXY header of version {version}, {_VERSION} is allowed"
        )
    if command not in (_LOCAL, _PROXY):
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"PROXY command {command}, {_LOCAL} (LOCAL) and {_PROXY} (PROXY) are allowed"
        )
    if _HEAD_BYTES + length > MAX_V2_BYTES:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            f"PROXY header of {_HEAD_BYTES + length} bytes, at most {MAX_V2_BYTES} are allowed",
        )
    if command == _LOCAL:  # 2.2: the family is ignored, whatever its value
        return None
    if family not in _BLOCKS:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            f"family and transport {family:#04x} in a PROXY header, 0 to 3 and 0 to 2 are allowed",
        )
    block = _BLOCKS[family]
    if block and length < block.size:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"{length} bytes of addresses in a PROXY header, its family has {block.size}"
        )
    return block


def _v2_header(header: bytes, block: Struct) -> ProxyHeader:
    tlvs = _tlvs(header, _HEAD_BYTES + block.size, len(header))
    if _CRC32C in tlvs:
        _check_crc32c(header, tlvs[_CRC32C])
    source = destination = None
    if block is not _UNIX:
        sender, receiver, source_port, destination_port = block.unpack_from(header, _HEAD_BYTES)
        source = str(unmapped(ip_address(sender))), source_port
        destination = str(unmapped(ip_address(receiver))), destination_port
    if _SSL not in tlvs:
        return ProxyHeader(source, destination)

    ssl = tlvs[_SSL]
    if ssl.stop - ssl.start < _CLIENT.size:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            f"TLV 0x20 of {ssl.stop - ssl.start} bytes, at least {_CLIENT.size} are needed",
        )
    client, _ = _CLIENT.unpack_from(header, ssl.start)
    version = _text(header, _tlvs(header, ssl.start + _CLIENT.size, ssl.stop).get(_SSL_VERSION), "ascii")
    secure = bool(client & _CLIENT_SSL)
    return ProxyHeader(source, destination, secure, version if secure else None)


def _tlvs(header: bytes, start: int, stop: int) -> dict[int, slice]:
    """Return the positions of the values of the TLVs between two positions, by type."""
    found: dict[int, slice] = {}
    while start < stop:
        if stop - start < _TLV.size:
            raise ProtocolError(
                Reason.PROXY_HEADER_MALFORMED,
                f"{stop - start} bytes left over in a PROXY header, a TLV has at least {_TLV.size}",
            )
        kind, length = _TLV.unpack_from(header, start)
        start += _TLV.size
        if length > stop - start:
            raise ProtocolError(
                Reason.PROXY_HEADER_MALFORMED,
                f"TLV {kind:#04x} of {length} bytes in a PROXY header, {stop - start} are left",
            )
        if kind in found and kind in _AT_MOST_ONE:  # another program could use the other one
            raise ProtocolError(
                Reason.PROXY_HEADER_MALFORMED,
                f"TLV {kind:#04x} more than once in a PROXY header, at most one is allowed",
            )
        found[kind] = slice(start, start + length)
        start += length
    return found


def _tlv(kind: int, value: bytes) -> bytes:
    return _TLV.pack(kind, len(value)) + value


def _text(header: bytes, place: slice | None, encoding: str) -> str | None:
    if place is None:
        return None
    try:
        return header[place].decode(encoding)
    except UnicodeDecodeError as error:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"text in a PROXY header is not {encoding}: {error.reason}"
        ) from None


def _check_crc32c(header: bytes, place: slice) -> None:
    """Raise ProtocolError unless the checksum is right: over the whole header, with zeros in its own place (2.2.3)."""
    checksum = header[place]
    if len(checksum) != 4:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED, f"checksum of {len(checksum)} bytes in a PROXY header, 4 are needed"
        )
    right = _crc32c(header[: place.start] + bytes(4) + header[place.stop :])
    if int.from_bytes(checksum, "big") != right:
        raise ProtocolError(
            Reason.PROXY_HEADER_MALFORMED,
            f"the checksum of a PROXY header is {checksum.hex()}, its bytes have {right:08x}",
        )


def _crc32c_row(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value


# RFC 4960, appendix B: the polynomial of Castagnoli, lowest bit first.
_CRC32C_ROWS = tuple(map(_crc32c_row, range(256)))


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _CRC32C_ROWS[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _alike(
    source: SocketAddress, destination: SocketAddress
) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    """Return both addresses in one family, as a header needs: IPv4 if both are IPv4, otherwise IPv6."""
    sender, receiver = (unmapped(ip_address(ip.partition("%")[0])) for ip, _ in (source, destination))
    if sender.version == receiver.version:
        return sender, receiver
    return _as_ipv6(sender), _as_ipv6(receiver)


def _as_ipv6(address: IPv4Address | IPv6Address) -> IPv6Address:
    return address if isinstance(address, IPv6Address) else IPv6Address(bytes(10) + b"\xff\xff" + address.packed)
