"""The PROXY protocol towards upstreams: the bytes that are written, and the same read again."""

from ipaddress import IPv6Address, ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases
from wsgateway.wire.proxy_protocol import (
    MAX_V1_BYTES,
    ProxyHeader,
    SocketAddress,
    read,
    write_v1,
    write_v2,
)

from .proxied import A4, B4, HAPROXY, HERE4, HERE6, v2

QUICK = settings(max_examples=300, database=None, derandomize=True)


A6, B6 = ("2001:db8::1", 40000), ("2001:db8::2", 443)

# HAProxy 2.6.12 with accept-proxy accepts all of them.
WRITTEN_V1: list[tuple[SocketAddress | None, SocketAddress | None, bytes]] = [
    (("192.168.0.1", 56324), ("192.168.0.11", 443), b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"),
    (A6, B6, b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n"),
    (("::ffff:192.0.2.7", 1), ("::ffff:c633:6401", 65535), b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65535\r\n"),
    (("::ffff:192.0.2.7", 1), B4, b"PROXY TCP4 192.0.2.7 198.51.100.1 1 443\r\n"),
    (A4, B6, b"PROXY TCP6 ::ffff:c000:207 2001:db8::2 5353 443\r\n"),
    (A6, ("0.0.0.1", 0), b"PROXY TCP6 2001:db8::1 ::ffff:0:1 40000 0\r\n"),
    (("fe80::1%eth0", 1), ("fe80::2%2", 2), b"PROXY TCP6 fe80::1 fe80::2 1 2\r\n"),
    (None, None, b"PROXY UNKNOWN\r\n"),
    (A4, None, b"PROXY UNKNOWN\r\n"),
    (None, B4, b"PROXY UNKNOWN\r\n"),
]


@cases(("source", "destination", "line"), WRITTEN_V1)
def test_a_line_is_written(source: SocketAddress | None, destination: SocketAddress | None, line: bytes) -> None:
    assert write_v1(source, destination) == line


@cases(
    ("source", "destination", "header"),
    [
        ((HERE4, 49760), (HERE4, 21007), HAPROXY["send-proxy-v2, IPv4"][0]),
        ((HERE6, 49458), (HERE6, 21008), HAPROXY["send-proxy-v2, IPv6"][0]),
        (None, None, HAPROXY["send-proxy-v2, a health check and a Unix socket"][0]),
        (A4, None, v2("20000000")),
        (None, B4, v2("20000000")),
        (("::ffff:192.0.2.7", 5353), B4, v2("2111000cc0000207c633640114e901bb")),
        # HAProxy 2.6.12 with set-src and set-dst, each with an address of the other family.
        (
            ("2001:db8::7", 35120),
            (HERE4, 21013),
            v2("2121002420010db8000000000000000000000007 00000000000000000000ffff7f000001 89305215"),
        ),
        (
            (HERE4, 42488),
            ("2001:db8::7", 21014),
            v2("2121002400000000000000000000ffff7f000001 20010db8000000000000000000000007 a5f85216"),
        ),
        (
            ("fe80::1%eth0", 1),
            ("fe80::2%2", 2),
            v2("21210024fe800000000000000000000000000001 fe800000000000000000000000000002 00010002"),
        ),
    ],
)
def test_a_binary_header_is_written(
    source: SocketAddress | None, destination: SocketAddress | None, header: bytes
) -> None:
    assert write_v2(source, destination) == header


# The same as from HAProxy, except for `verify`: it is not zero without a valid certificate (2.2.6).
@cases(
    ("secure", "tls_version", "rest"),
    [
        (None, "TLSv1.3", "000c c0000207c633640114e901bb"),
        (False, None, "0014 c0000207c633640114e901bb 2000050000000001"),
        (False, "TLSv1.3", "0014 c0000207c633640114e901bb 2000050000000001"),
        (True, None, "0014 c0000207c633640114e901bb 2000050100000001"),
        (True, "TLSv1.3", "001e c0000207c633640114e901bb 20000f0100000001 210007544c5376312e33"),
    ],
)
def test_the_known_facts_about_the_connection_are_written(
    secure: bool | None, tls_version: str | None, rest: str
) -> None:
    header = write_v2(A4, B4, secure=secure, tls_version=tls_version)
    assert header == v2("2111" + rest)


def test_a_connection_without_addresses_is_local_or_unknown() -> None:
    assert write_v2(None, B4, secure=True, tls_version="TLSv1.3") == v2("20000000")


ADDRESSES = st.ip_addresses().map(str)
ENDPOINTS = st.tuples(ADDRESSES, st.integers(0, 65535)) | st.none()


def as_one(endpoint: SocketAddress) -> SocketAddress:
    """Return an address as it is read again: mapped IPv4 becomes IPv4. hypothesis draws mapped ones, too."""
    address = ip_address(endpoint[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), endpoint[1]


@QUICK
@given(
    source=ENDPOINTS,
    destination=ENDPOINTS,
    secure=st.none() | st.booleans(),
    behind=st.binary(max_size=20),
)
def test_a_written_header_can_be_read(
    source: SocketAddress | None, destination: SocketAddress | None, secure: bool | None, behind: bytes
) -> None:
    version = "TLSv1.2" if secure else None
    line = write_v1(source, destination)
    header = write_v2(source, destination, secure=secure, tls_version=version)
    if source is None or destination is None:
        says_line = says_header = ProxyHeader()
    else:
        says_line = ProxyHeader(as_one(source), as_one(destination))
        says_header = ProxyHeader(as_one(source), as_one(destination), secure, version)
    assert len(line) <= MAX_V1_BYTES
    assert read(line + behind) == (says_line, len(line))
    assert read(header + behind) == (says_header, len(header))
