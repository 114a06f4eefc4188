"""Headers of the PROXY protocol from the specification and from real programs, with their meanings."""

from wsgateway.wire.proxy_protocol import (
    ProxyHeader,
)

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
A4, B4 = ("192.0.2.7", 5353), ("198.51.100.1", 443)
HERE4, HERE6 = "127.0.0.1", "::1"


def v2(hexadecimal: str) -> bytes:
    """Return a binary header without its signature."""
    return SIGNATURE + bytes.fromhex(hexadecimal)


# proxy-protocol.txt, 2.1: its example, and its lines of the stated lengths.
SPECIFICATION = {
    "the example of 2.1": (
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        ProxyHeader(("192.168.0.1", 56324), ("192.168.0.11", 443)),
    ),
    "the longest with IPv4, 56 bytes": (
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        ProxyHeader(("255.255.255.255", 65535), ("255.255.255.255", 65535)),
    ),
    "the longest with IPv6, 104 bytes": (
        b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        ProxyHeader(
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
        ),
    ),
    "the short unknown, 15 bytes": (b"PROXY UNKNOWN\r\n", ProxyHeader()),
    "the worst case, 107 bytes": (
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"
        b"\r\n",
        ProxyHeader(),
    ),
}

# Recorded from HAProxy 2.6.12: a proxy for TCP, its backend a socket that only listens, its client a script.
HAPROXY = {
    "send-proxy, IPv4": (
        b"PROXY TCP4 127.0.0.1 127.0.0.1 35596 21001\r\n",
        ProxyHeader((HERE4, 35596), (HERE4, 21001)),
    ),
    "send-proxy, IPv6": (b"PROXY TCP6 ::1 ::1 55924 21002\r\n", ProxyHeader((HERE6, 55924), (HERE6, 21002))),
    "send-proxy, IPv4 at a listener for both": (
        b"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 34298 21003\r\n",
        ProxyHeader((HERE4, 34298), (HERE4, 21003)),
    ),
    "send-proxy, set-src with IPv6": (
        b"PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 41496 21005\r\n",
        ProxyHeader(("2001:db8::7", 41496), (HERE4, 21005)),
    ),
    "send-proxy, a Unix socket": (b"PROXY UNKNOWN\r\n", ProxyHeader()),
    "send-proxy-v2, IPv4": (v2("2111000c7f0000017f000001c260520f"), ProxyHeader((HERE4, 49760), (HERE4, 21007))),
    "send-proxy-v2, IPv6": (
        v2("2121002400000000000000000000000000000001 00000000000000000000000000000001 c1325210"),
        ProxyHeader((HERE6, 49458), (HERE6, 21008)),
    ),
    "send-proxy-v2, IPv4 at a listener for both": (
        v2("2121002400000000000000000000ffff7f000001 00000000000000000000ffff7f000001 8fe45211"),
        ProxyHeader((HERE4, 36836), (HERE4, 21009)),
    ),
    "send-proxy-v2, a health check and a Unix socket": (v2("20000000"), ProxyHeader()),
    "send-proxy-v2-ssl, a health check": (v2("20000008 2000050000000000"), ProxyHeader()),
    "send-proxy-v2-ssl, no TLS": (
        v2("211100147f0000017f000001a1145217 2000050000000000"),
        ProxyHeader((HERE4, 41236), (HERE4, 21015), secure=False),
    ),
    "send-proxy-v2-ssl, TLS": (
        v2("2111001e7f0000017f0000019f3c521a 20000f0100000000 210007544c5376312e33"),
        ProxyHeader((HERE4, 40764), (HERE4, 21018), secure=True, tls_version="TLSv1.3"),
    ),
    "send-proxy-v2-ssl, a certificate": (
        v2("2111001e7f0000017f0000019528521b 20000f0700000000 210007544c5376312e33"),
        ProxyHeader((HERE4, 38184), (HERE4, 21019), secure=True, tls_version="TLSv1.3"),
    ),
    "send-proxy-v2-ssl-cn, a certificate": (
        v2("211100257f0000017f0000018c825223 2000160700000000 210007544c5376312e33 2200045a6fc3ab"),
        ProxyHeader((HERE4, 35970), (HERE4, 21027), secure=True, tls_version="TLSv1.3"),
    ),
    # ca-ignore-err all: 18 is "self-signed certificate".
    "send-proxy-v2-ssl-cn, a certificate of a stranger": (
        v2("211100297f0000017f0000018c8e5223 20001a0700000012 210007544c5376312e33 220008737472616e676572"),
        ProxyHeader((HERE4, 35982), (HERE4, 21027), secure=True, tls_version="TLSv1.3"),
    ),
    "crc32c, IPv4": (
        v2("211100137f0000017f000001a524522f 030004ecfaee89"),
        ProxyHeader((HERE4, 42276), (HERE4, 21039)),
    ),
    "crc32c, IPv6": (
        v2("2121002b00000000000000000000000000000001 00000000000000000000000000000001 a5bc5230 0300042e51be99"),
        ProxyHeader((HERE6, 42428), (HERE6, 21040)),
    ),
    "crc32c, a health check": (v2("20000007 030004a9b87e8f"), ProxyHeader()),
    "every option, a certificate": (
        v2(
            "211100837f0000017f000001d194522b 030004d312e20c 02000f676174657761792e6578616d706c65"
            "05001237463030303030313a443139345f30303235 2000460700000000 210007544c5376312e33 2200045a6fc3ab"
            "25000752534132303438 24000a5253412d534841323536 230016544c535f4145535f3235365f47434d5f534841333834"
        ),
        ProxyHeader((HERE4, 53652), (HERE4, 21035), True, "TLSv1.3"),
    ),
}

OTHERS = {
    "curl 7.88.1 --haproxy-protocol": (
        b"PROXY TCP6 ::1 ::1 58990 37337\r\n",
        ProxyHeader((HERE6, 58990), (HERE6, 37337)),
    ),
    # From the tests of Amazon's own elastic-load-balancing-tools: a checksum, 0xEA and padding.
    "a network load balancer of Amazon": (
        v2(
            "21110054ac1f0771ac1f0a1fc8f20050 030004e8d6892d ea00170176706365"
            "2d30386432626631356661633530303163 39 040024" + "00" * 36
        ),
        ProxyHeader(("172.31.7.113", 51442), ("172.31.10.31", 80)),
    ),
    # proxy-protocol 0.11.3 of PyPI, which always sends a checksum.
    "proxy-protocol, unknown": (b"PROXY UNKNOWN    \r\n", ProxyHeader()),
    "proxy-protocol, unspecified": (v2("21000007 0300043ec9894e"), ProxyHeader()),
    "proxy-protocol, UDP": (v2("21120013c0000207c633640114e901bb 0300047f0b1a43"), ProxyHeader(A4, B4)),
    "proxy-protocol, Unix and TLS": (
        v2(
            "213100f1" + b"/run/a.sock".ljust(108, b"\0").hex() + b"/run/b.sock".ljust(108, b"\0").hex() +
            "0300 04c656a8cf 20000f0100000001 210007544c5376312e33"
        ),
        ProxyHeader(secure=True, tls_version="TLSv1.3"),
    ),
    "proxy-protocol, every TLV": (
        v2(
            "2121007220010db8000000000000000000000001 20010db8000000000000000000000002 9c4001bb"
            "010008687474702f312e31 02000f62c3bc636865722e6578616d706c65 03000404288a10"
            "2000200500000000 210007544c5376312e32 22000e636c69656e742e6578616d706c65 300004626c7565"
        ),
        ProxyHeader(("2001:db8::1", 40000), ("2001:db8::2", 443), True, "TLSv1.2"),
    ),
}  # fmt: skip

# Cases of the specification that no program above sends.
ALLOWED = {
    "port 0": (b"PROXY TCP4 0.0.0.0 192.0.2.7 0 0\r\n", ProxyHeader(("0.0.0.0", 0), ("192.0.2.7", 0))),
    "IPv6 in upper case": (
        b"PROXY TCP6 2001:DB8::A 2001:0db8:0000:0000:0000:0000:0000:000b 1 2\r\n",
        ProxyHeader(("2001:db8::a", 1), ("2001:db8::b", 2)),
    ),
    "anything behind unknown": (b"PROXY UNKNOWN \xff\0 PROXY TCP4\r\n", ProxyHeader()),
    # 2.2: the family of a LOCAL is ignored, its bytes are skipped.
    "LOCAL with an unknown family": (v2("20ff000568656c6c6f"), ProxyHeader()),
    "LOCAL with addresses": (v2("2011000cc0000207c633640114e901bb"), ProxyHeader()),
    "UNSPEC with bytes": (v2("210000056868686868"), ProxyHeader()),
    "TCP without a family": (v2("21010000"), ProxyHeader()),
    "IPv4 without a transport": (v2("21100001ff"), ProxyHeader()),
    "IPv6 without a transport": (v2("21200000"), ProxyHeader()),
    "Unix without a transport": (v2("21300000"), ProxyHeader()),
    "UDP over IPv6": (
        v2("21220024" + "00" * 15 + "01" + "00" * 15 + "02" + "00010002"),
        ProxyHeader((HERE6, 1), ("::2", 2)),
    ),
    "Unix datagrams": (v2("213200d8" + "00" * 216), ProxyHeader()),
    "unknown TLVs, twice, one empty": (
        v2("21110017c0000207c633640114e901bb e0000161 e0000162 f70000"),
        ProxyHeader(A4, B4),
    ),
    "an empty authority": (v2("2111000fc0000207c633640114e901bb 020000"), ProxyHeader(A4, B4)),
    "TLS without its version": (
        v2("21110014c0000207c633640114e901bb 2000050100000001"),
        ProxyHeader(A4, B4, secure=True),
    ),
    # 2.2.6: 2 is the connection, 4 its session.
    "a certificate of the session": (
        v2("21110014c0000207c633640114e901bb 2000050500000000"),
        ProxyHeader(A4, B4, secure=True),
    ),
    "a certificate of the connection": (
        v2("21110014c0000207c633640114e901bb 2000050300000000"),
        ProxyHeader(A4, B4, secure=True),
    ),
    "a certificate and a version, and no TLS": (
        v2("2111001ec0000207c633640114e901bb 20000f0600000000 210007544c5376312e33"),
        ProxyHeader(A4, B4, secure=False),
    ),
    "the longest": (v2("20000ff0" + "00" * 4080), ProxyHeader()),
}
GOOD = SPECIFICATION | HAPROXY | OTHERS | ALLOWED
