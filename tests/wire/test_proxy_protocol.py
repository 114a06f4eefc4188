"""The PROXY protocol: vectors of the specification and of programs that speak it, in and out."""

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cases import cases
from wsgateway.errors import ProtocolError
from wsgateway.wire.proxy_protocol import (
    MAX_V1_BYTES,
    MAX_V2_BYTES,
    Endpoint,
    Forwarded,
    begins,
    needed,
    read,
    write_v1,
    write_v2,
)

QUICK = settings(max_examples=300, deadline=None, database=None, derandomize=True)

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
A4, B4 = ("192.0.2.7", 5353), ("198.51.100.1", 443)
HERE4, HERE6 = "127.0.0.1", "::1"


def v2(hexadecimal: str) -> bytes:
    """A binary header, without its signature."""
    return SIGNATURE + bytes.fromhex(hexadecimal)


# proxy-protocol.txt, 2.1: its example, and the lines of which it says how long they are.
SPECIFICATION = {
    "the example of 2.1": (
        b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        Forwarded(("192.168.0.1", 56324), ("192.168.0.11", 443)),
    ),
    "the longest with IPv4, 56 bytes": (
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
        Forwarded(("255.255.255.255", 65535), ("255.255.255.255", 65535)),
    ),
    "the longest with IPv6, 104 bytes": (
        b"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
        Forwarded(
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
        ),
    ),
    "the short unknown, 15 bytes": (b"PROXY UNKNOWN\r\n", Forwarded()),
    "the worst case, 107 bytes": (
        b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"
        b"\r\n",
        Forwarded(),
    ),
}

# What HAProxy 2.6.12 really sends: as a proxy for TCP, its backend a socket that only listens, its client a script.
HAPROXY = {
    "send-proxy, IPv4": (
        b"PROXY TCP4 127.0.0.1 127.0.0.1 35596 21001\r\n",
        Forwarded((HERE4, 35596), (HERE4, 21001)),
    ),
    "send-proxy, IPv6": (b"PROXY TCP6 ::1 ::1 55924 21002\r\n", Forwarded((HERE6, 55924), (HERE6, 21002))),
    "send-proxy, IPv4 at a listener for both": (
        b"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 34298 21003\r\n",
        Forwarded((HERE4, 34298), (HERE4, 21003)),
    ),
    "send-proxy, set-src with IPv6": (
        b"PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 41496 21005\r\n",
        Forwarded(("2001:db8::7", 41496), (HERE4, 21005)),
    ),
    "send-proxy, a Unix socket": (b"PROXY UNKNOWN\r\n", Forwarded()),
    "send-proxy-v2, IPv4": (v2("2111000c7f0000017f000001c260520f"), Forwarded((HERE4, 49760), (HERE4, 21007))),
    "send-proxy-v2, IPv6": (
        v2("2121002400000000000000000000000000000001 00000000000000000000000000000001 c1325210"),
        Forwarded((HERE6, 49458), (HERE6, 21008)),
    ),
    "send-proxy-v2, IPv4 at a listener for both": (
        v2("2121002400000000000000000000ffff7f000001 00000000000000000000ffff7f000001 8fe45211"),
        Forwarded((HERE4, 36836), (HERE4, 21009)),
    ),
    "send-proxy-v2, a health check and a Unix socket": (v2("20000000"), Forwarded()),
    "send-proxy-v2-ssl, a health check": (v2("20000008 2000050000000000"), Forwarded()),
    "send-proxy-v2-ssl, no TLS": (
        v2("211100147f0000017f000001a1145217 2000050000000000"),
        Forwarded((HERE4, 41236), (HERE4, 21015), secure=False),
    ),
    "send-proxy-v2-ssl, TLS": (
        v2("2111001e7f0000017f0000019f3c521a 20000f0100000000 210007544c5376312e33"),
        Forwarded((HERE4, 40764), (HERE4, 21018), secure=True, tls_version="TLSv1.3"),
    ),
    "send-proxy-v2-ssl, a certificate": (
        v2("2111001e7f0000017f0000019528521b 20000f0700000000 210007544c5376312e33"),
        Forwarded((HERE4, 38184), (HERE4, 21019), secure=True, tls_version="TLSv1.3", client_certificate=True),
    ),
    "send-proxy-v2-ssl-cn, a certificate": (
        v2("211100257f0000017f0000018c825223 2000160700000000 210007544c5376312e33 2200045a6fc3ab"),
        Forwarded((HERE4, 35970), (HERE4, 21027), secure=True, tls_version="TLSv1.3", client_certificate=True),
    ),
    # ca-ignore-err all: 18 is "self-signed certificate".
    "send-proxy-v2-ssl-cn, a certificate of a stranger": (
        v2("211100297f0000017f0000018c8e5223 20001a0700000012 210007544c5376312e33 220008737472616e676572"),
        Forwarded((HERE4, 35982), (HERE4, 21027), secure=True, tls_version="TLSv1.3"),
    ),
    "crc32c, IPv4": (
        v2("211100137f0000017f000001a524522f 030004ecfaee89"),
        Forwarded((HERE4, 42276), (HERE4, 21039)),
    ),
    "crc32c, IPv6": (
        v2("2121002b00000000000000000000000000000001 00000000000000000000000000000001 a5bc5230 0300042e51be99"),
        Forwarded((HERE6, 42428), (HERE6, 21040)),
    ),
    "crc32c, a health check": (v2("20000007 030004a9b87e8f"), Forwarded()),
    "every option, a certificate": (
        v2(
            "211100837f0000017f000001d194522b 030004d312e20c 02000f676174657761792e6578616d706c65"
            "05001237463030303030313a443139345f30303235 2000460700000000 210007544c5376312e33 2200045a6fc3ab"
            "25000752534132303438 24000a5253412d534841323536 230016544c535f4145535f3235365f47434d5f534841333834"
        ),
        Forwarded((HERE4, 53652), (HERE4, 21035), True, "TLSv1.3", True, "gateway.example"),
    ),
}

OTHERS = {
    "curl 7.88.1 --haproxy-protocol": (
        b"PROXY TCP6 ::1 ::1 58990 37337\r\n",
        Forwarded((HERE6, 58990), (HERE6, 37337)),
    ),
    # From the tests of Amazon's own elastic-load-balancing-tools: a checksum, 0xEA and padding.
    "a network load balancer of Amazon": (
        v2(
            "21110054ac1f0771ac1f0a1fc8f20050 030004e8d6892d ea00170176706365"
            "2d30386432626631356661633530303163 39 040024" + "00" * 36
        ),
        Forwarded(("172.31.7.113", 51442), ("172.31.10.31", 80)),
    ),
    # proxy-protocol 0.11.3 of PyPI, which always sends a checksum.
    "proxy-protocol, unknown": (b"PROXY UNKNOWN    \r\n", Forwarded()),
    "proxy-protocol, unspecified": (v2("21000007 0300043ec9894e"), Forwarded()),
    "proxy-protocol, UDP": (v2("21120013c0000207c633640114e901bb 0300047f0b1a43"), Forwarded(A4, B4)),
    "proxy-protocol, Unix and TLS": (
        v2(
            "213100f1" + b"/run/a.sock".ljust(108, b"\0").hex() + b"/run/b.sock".ljust(108, b"\0").hex() +
            "0300 04c656a8cf 20000f0100000001 210007544c5376312e33"
        ),
        Forwarded(secure=True, tls_version="TLSv1.3"),
    ),
    "proxy-protocol, every TLV": (
        v2(
            "2121007220010db8000000000000000000000001 20010db8000000000000000000000002 9c4001bb"
            "010008687474702f312e31 02000f62c3bc636865722e6578616d706c65 03000404288a10"
            "2000200500000000 210007544c5376312e32 22000e636c69656e742e6578616d706c65 300004626c7565"
        ),
        Forwarded(("2001:db8::1", 40000), ("2001:db8::2", 443), True, "TLSv1.2", True, "b\xfccher.example"),
    ),
}  # fmt: skip

# What no program above sends, and the specification has.
ALLOWED = {
    "port 0": (b"PROXY TCP4 0.0.0.0 192.0.2.7 0 0\r\n", Forwarded(("0.0.0.0", 0), ("192.0.2.7", 0))),
    "IPv6 in upper case": (
        b"PROXY TCP6 2001:DB8::A 2001:0db8:0000:0000:0000:0000:0000:000b 1 2\r\n",
        Forwarded(("2001:db8::a", 1), ("2001:db8::b", 2)),
    ),
    "anything behind unknown": (b"PROXY UNKNOWN \xff\0 PROXY TCP4\r\n", Forwarded()),
    # 2.2: a LOCAL's family is ignored, its bytes are skipped.
    "LOCAL with an unknown family": (v2("20ff000568656c6c6f"), Forwarded()),
    "LOCAL with addresses": (v2("2011000cc0000207c633640114e901bb"), Forwarded()),
    "UNSPEC with bytes": (v2("210000056868686868"), Forwarded()),
    "TCP without a family": (v2("21010000"), Forwarded()),
    "IPv4 without a transport": (v2("21100001ff"), Forwarded()),
    "IPv6 without a transport": (v2("21200000"), Forwarded()),
    "Unix without a transport": (v2("21300000"), Forwarded()),
    "UDP over IPv6": (
        v2("21220024" + "00" * 15 + "01" + "00" * 15 + "02" + "00010002"),
        Forwarded((HERE6, 1), ("::2", 2)),
    ),
    "Unix datagrams": (v2("213200d8" + "00" * 216), Forwarded()),
    "unknown TLVs, twice, one empty": (
        v2("21110017c0000207c633640114e901bb e0000161 e0000162 f70000"),
        Forwarded(A4, B4),
    ),
    "an empty authority": (v2("2111000fc0000207c633640114e901bb 020000"), Forwarded(A4, B4, authority="")),
    "TLS without its version": (
        v2("21110014c0000207c633640114e901bb 2000050100000001"),
        Forwarded(A4, B4, secure=True),
    ),
    # 2.2.6: 2 is the connection, 4 its session.
    "a certificate of the session": (
        v2("21110014c0000207c633640114e901bb 2000050500000000"),
        Forwarded(A4, B4, secure=True, client_certificate=True),
    ),
    "a certificate of the connection": (
        v2("21110014c0000207c633640114e901bb 2000050300000000"),
        Forwarded(A4, B4, secure=True, client_certificate=True),
    ),
    "a certificate and a version, and no TLS": (
        v2("2111001ec0000207c633640114e901bb 20000f0600000000 210007544c5376312e33"),
        Forwarded(A4, B4, secure=False),
    ),
    "the longest": (v2("20000ff0" + "00" * 4080), Forwarded()),
}
GOOD = SPECIFICATION | HAPROXY | OTHERS | ALLOWED

good = cases(("header", "says"), GOOD.values(), ids=GOOD.keys())


@good
@cases("behind", [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\0", b"\r\n", b"PROXY UNKNOWN\r\n", SIGNATURE])
def test_a_header_is_read_and_what_is_behind_it_is_left(header: bytes, says: Forwarded, behind: bytes) -> None:
    assert begins(header + behind) is True
    assert read(header + behind) == (says, len(header))


@good
def test_a_header_that_is_not_whole_says_nothing_yet(header: bytes, says: Forwarded) -> None:
    for at in range(len(header)):
        assert read(header[:at]) is None, at
        assert 0 < needed(header[:at]) <= len(header) - at, at


@good
def test_who_takes_what_is_needed_takes_no_more(header: bytes, says: Forwarded) -> None:
    stream, taken, pieces = header + b"\r\n" + header, 0, 0
    while (header_read := read(stream[:taken])) is None:
        taken += needed(stream[:taken])
        pieces += 1
    assert header_read == (says, taken)
    assert taken == len(header)
    assert pieces <= (3 if header.startswith(SIGNATURE) else 1 + (MAX_V1_BYTES - 15 + 1) // 2)


@cases(
    ("data", "more"),
    [
        (b"", 15),  # PROXY UNKNOWN, CR, LF
        (b"P", 14),
        (b"PROXY UNKNOWN", 2),
        (b"PROXY UNKNOWN\r", 1),
        (b"PROXY TCP4 192.", 2),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2", 2),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r", 1),
        (b"\r", 15),
        (SIGNATURE, 4),
        (v2("20000f"), 1),
        (v2("20000fe0"), 0xFE0),
        (v2("20000fe0 0000"), 0xFDE),
    ],
)
def test_it_is_known_how_much_more_there_is_at_the_least(data: bytes, more: int) -> None:
    assert read(data) is None
    assert needed(data) == more


@cases(
    ("data", "answer"),
    [
        (b"", None),
        (b"P", None),
        (b"PROX", None),
        (b"PROXY", True),
        (b"PROXY ", True),
        (b"proxy ", False),
        (b"PROPFIND / HTTP/1.1\r\n", False),
        (b"PUT", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"<policy-file-request/>\0", False),
        (b"\x16\x03\x01", False),
        (b"\r", None),
        (b"\r\nGET", False),
        (SIGNATURE[:11], None),
        (SIGNATURE, True),
        (SIGNATURE[:11] + b"\r", False),
        (b"\n", False),
    ],
)
def test_the_first_bytes_say_whether_a_header_begins(data: bytes, answer: bool | None) -> None:
    assert begins(data) is answer


BAD = {
    "HTTP": (b"GET / HTTP/1.1\r\n", "no PROXY header"),
    "TLS": (b"\x16\x03\x01", "no PROXY header"),
    "lower case": (b"proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n", "no PROXY header"),
    "a space in front": (b" PROXY", "no PROXY header"),
    # 2.1: exactly one space between, and nothing else.
    "no space": (b"PROXYTCP4 192.0.2.7 192.0.2.8 1 2\r\n", "allowed is"),
    "a tab": (b"PROXY\tTCP4 192.0.2.7 192.0.2.8 1 2\r\n", "allowed is"),
    "two spaces": (b"PROXY TCP4  192.0.2.7 192.0.2.8 1 2\r\n", "allowed is"),
    "a space at the end": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n", "allowed is"),
    "nothing": (b"PROXY\r\n", "allowed is"),
    "nothing behind the family": (b"PROXY TCP4\r\n", "allowed is"),
    "no second port": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n", "allowed is"),
    "one port too many": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3\r\n", "allowed is"),
    "UDP": (b"PROXY UDP4 192.0.2.7 192.0.2.8 1 2\r\n", "allowed is"),
    "a family in lower case": (b"PROXY tcp4 192.0.2.7 192.0.2.8 1 2\r\n", "allowed is"),
    "more than unknown": (b"PROXY UNKNOWNS\r\n", "allowed is"),
    "more than PROXY": (b"PROXYS UNKNOWN\r\n", "allowed is"),
    "unknown in lower case": (b"PROXY unknown\r\n", "allowed is"),
    # 2.1: the family dictates the format.
    "IPv6 as TCP4": (b"PROXY TCP4 ::1 192.0.2.8 1 2\r\n", "address '::1' .* TCP4 must have an IPv4Address"),
    "IPv4 as TCP6": (b"PROXY TCP6 ::1 192.0.2.8 1 2\r\n", "address '192.0.2.8' .* TCP6 must have an IPv6Address"),
    "three numbers": (b"PROXY TCP4 192.0.2 192.0.2.8 1 2\r\n", "address"),
    "a number above 255": (b"PROXY TCP4 192.0.2.256 192.0.2.8 1 2\r\n", "address"),
    "an octal number": (b"PROXY TCP4 192.0.2.07 192.0.2.8 1 2\r\n", "address"),
    "an octal number in IPv6": (b"PROXY TCP6 ::ffff:192.0.2.07 ::1 1 2\r\n", "address"),
    "a network": (b"PROXY TCP4 192.0.2.0/24 192.0.2.8 1 2\r\n", "address"),
    "a name": (b"PROXY TCP4 localhost 192.0.2.8 1 2\r\n", "address"),
    "no address": (b"PROXY TCP4  192.0.2.8 1 2\r\n", "address ''"),
    "a digit of another script": (b"PROXY TCP4 192.0.2.\xb2 192.0.2.8 1 2\r\n", "address"),
    "two double colons": (b"PROXY TCP6 1::2::3 ::1 1 2\r\n", "address"),
    "seven groups": (b"PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", "address"),
    "five digits": (b"PROXY TCP6 12345:: ::1 1 2\r\n", "address"),
    "brackets": (b"PROXY TCP6 [::1] ::1 1 2\r\n", "address"),
    "a zone": (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "address"),
    "a port above 65535": (b"PROXY TCP4 192.0.2.7 192.0.2.8 65536 2\r\n", "port '65536' .* 0 to 65535"),
    "a port of six digits": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 100000\r\n", "port"),
    "a port with a zero in front": (b"PROXY TCP4 192.0.2.7 192.0.2.8 080 2\r\n", "port '080'"),
    "port 00": (b"PROXY TCP4 192.0.2.7 192.0.2.8 00 2\r\n", "port"),
    "a signed port": (b"PROXY TCP4 192.0.2.7 192.0.2.8 +1 2\r\n", "port"),
    "a negative port": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 -2\r\n", "port"),
    "a hexadecimal port": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 0x2\r\n", "port"),
    "a port of another script": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 \xb2\r\n", "port"),
    "no port": (b"PROXY TCP4 192.0.2.7 192.0.2.8  2\r\n", "port ''"),
    # 2.1: CR or LF alone does not end it, and 107 bytes are the most.
    "LF alone": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n", "CR or LF alone"),
    "LF alone, and more": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\nGET / HTTP/1.1\r\n", "CR or LF alone"),
    "CR alone": (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\rG", "CR or LF alone"),
    "CR twice": (b"PROXY UNKNOWN\r\r\n", "CR or LF alone"),
    "LF in an unknown's rest": (b"PROXY UNKNOWN \nGET / HTTP/1.1\r\n", "CR or LF alone"),
    "107 bytes without an end": (b"PROXY UNKNOWN ".ljust(107), "first 107 bytes"),
    "107 bytes with half of an end": (b"PROXY UNKNOWN ".ljust(106) + b"\r", "first 107 bytes"),
    "108 bytes": (b"PROXY UNKNOWN ".ljust(106) + b"\r\n", "first 107 bytes"),
    # 2.2: the signature, then one version, two commands, and the families and transports that there are.
    "version 1 in binary": (v2("11110000"), "version 1, 2 is allowed"),
    "version 3": (v2("31110000"), "version 3"),
    "command 2": (v2("22110000"), "command 2, 0 .* 1 .* are allowed"),
    "command 15": (v2("2f110000"), "command 15"),
    "family 4": (v2("21410000"), "family and transport 0x41"),
    "transport 3": (v2("21130000"), "family and transport 0x13"),
    "transport 3 without a family": (v2("21030000"), "family and transport 0x03"),
    "one byte too many": (v2("20000ff1"), "4097 bytes, at most 4096"),
    "64 KiB": (v2("2111ffff"), "65551 bytes, at most 4096"),
    "IPv4 too short": (v2("2111000b"), "11 bytes of addresses .* 12"),
    "IPv4 empty": (v2("21110000"), "0 bytes of addresses .* 12"),
    "IPv6 too short": (v2("21210023"), "35 bytes of addresses .* 36"),
    "Unix too short": (v2("213100d7"), "215 bytes of addresses .* 216"),
    # 2.2: TLVs.
    "half of a TLV": (v2("2111000ec0000207c633640114e901bb 0400"), "2 bytes left over"),
    "a TLV beyond the end": (v2("21110010c0000207c633640114e901bb 04000200"), "0x04 of 2 bytes .* 1 are left"),
    "two authorities": (
        v2("21110014c0000207c633640114e901bb 02000161 02000161"),
        "0x02 more than once",
    ),
    "an authority in Latin-1": (v2("21110010c0000207c633640114e901bb 020001fc"), "not utf-8"),
    "TLS too short": (v2("21110013c0000207c633640114e901bb 20000401000000"), "0x20 of 4 bytes, at least 5"),
    "half of a TLV in TLS": (
        v2("21110016c0000207c633640114e901bb 2000070100000000 2100"),
        "2 bytes left over",
    ),
    "a TLV in TLS beyond its end, where more is": (
        v2("2111001bc0000207c633640114e901bb 2000080100000000 210004 04000100"),
        "0x21 of 4 bytes",
    ),
    "two versions of TLS": (
        v2("2111001cc0000207c633640114e901bb 20000d0100000000 21000133 21000133"),
        "0x21 more than once",
    ),
    "a version of TLS in UTF-8": (
        v2("21110019c0000207c633640114e901bb 20000a0100000000 210002c3bc"),
        "not ascii",
    ),
    "a wrong checksum": (
        v2("211100137f0000017f000001a524522f 030004ecfaee88"),
        "is ecfaee88, its bytes have ecfaee89",
    ),
    "a right checksum of other addresses": (v2("211100137f0000017f000002a524522f 030004ecfaee89"), "checksum"),
    "a short checksum": (v2("21110012c0000207c633640114e901bb 030003000000"), "checksum of 3 bytes .* 4"),
    "two checksums": (
        v2("2111001ac0000207c633640114e901bb 03000400000000 03000400000000"),
        "0x03 more than once",
    ),
    "a wrong checksum on a Unix socket": (v2("213100df" + "00" * 216 + "03000400000000"), "checksum"),
}  # fmt: skip


@cases(("data", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_not_allowed_is_refused_with_what_is(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(data)


@cases(("data", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_not_allowed_is_refused_byte_by_byte(data: bytes, message: str) -> None:
    def read_all() -> None:
        for at in range(len(data) + 1):
            assert read(data[:at]) is None

    with pytest.raises(ProtocolError):
        read_all()


def test_a_header_that_cannot_become_good_is_not_waited_for() -> None:
    with pytest.raises(ProtocolError, match="addresses"):
        read(v2("2111000b"))
    with pytest.raises(ProtocolError, match="CR or LF alone"):
        read(b"PROXY TCP4 \n")


def test_the_limits_are_those_of_the_specification_and_of_nginx() -> None:
    assert (MAX_V1_BYTES, MAX_V2_BYTES) == (107, 4096)


A6, B6 = ("2001:db8::1", 40000), ("2001:db8::2", 443)

# HAProxy 2.6.12 with accept-proxy takes all of them.
WRITTEN_V1: list[tuple[Endpoint | None, Endpoint | None, bytes]] = [
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
def test_a_line_is_written(source: Endpoint | None, destination: Endpoint | None, line: bytes) -> None:
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
def test_a_binary_header_is_written(source: Endpoint | None, destination: Endpoint | None, header: bytes) -> None:
    assert write_v2(source, destination) == header


# As HAProxy has them, but for `verify`: without a good certificate it is not zero (2.2.6).
@cases(
    ("secure", "tls_version", "authority", "rest"),
    [
        (None, None, "gateway.example", "001e c0000207c633640114e901bb 02000f676174657761792e6578616d706c65"),
        (None, None, "b\xfccher", "0016 c0000207c633640114e901bb 02000762c3bc63686572"),
        (None, "TLSv1.3", None, "000c c0000207c633640114e901bb"),
        (False, None, None, "0014 c0000207c633640114e901bb 2000050000000001"),
        (False, "TLSv1.3", None, "0014 c0000207c633640114e901bb 2000050000000001"),
        (True, None, None, "0014 c0000207c633640114e901bb 2000050100000001"),
        (True, "TLSv1.3", None, "001e c0000207c633640114e901bb 20000f0100000001 210007544c5376312e33"),
        (True, "TLSv1.3", "a", "0022 c0000207c633640114e901bb 02000161 20000f0100000001 210007544c5376312e33"),
    ],
)
def test_what_is_known_of_the_connection_is_written(
    secure: bool | None, tls_version: str | None, authority: str | None, rest: str
) -> None:
    header = write_v2(A4, B4, secure=secure, tls_version=tls_version, authority=authority)
    assert header == v2("2111" + rest)


def test_nothing_is_written_of_a_connection_without_addresses() -> None:
    assert write_v2(None, B4, secure=True, tls_version="TLSv1.3", authority="gateway.example") == v2("20000000")


ADDRESSES = st.ip_addresses().map(str)
ENDPOINTS = st.tuples(ADDRESSES, st.integers(0, 65535)) | st.none()


def as_one(endpoint: Endpoint) -> Endpoint:
    """An IPv4 address that was mapped comes back as such; hypothesis has some of these among its own."""
    address = ip_address(endpoint[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address), endpoint[1]


@QUICK
@given(
    source=ENDPOINTS,
    destination=ENDPOINTS,
    secure=st.none() | st.booleans(),
    authority=st.none() | st.text(st.characters(codec="utf-8"), max_size=60),
    behind=st.binary(max_size=20),
)
def test_what_was_written_is_read(
    source: Endpoint | None, destination: Endpoint | None, secure: bool | None, authority: str | None, behind: bytes
) -> None:
    version = "TLSv1.2" if secure else None
    line = write_v1(source, destination)
    header = write_v2(source, destination, secure=secure, tls_version=version, authority=authority)
    if source is None or destination is None:
        says_line = says_header = Forwarded()
    else:
        says_line = Forwarded(as_one(source), as_one(destination))
        says_header = Forwarded(as_one(source), as_one(destination), secure, version, authority=authority)
    assert len(line) <= MAX_V1_BYTES
    assert read(line + behind) == (says_line, len(line))
    assert read(header + behind) == (says_header, len(header))


# Noise: bytes, words of a line, and headers in which something was changed.
WORDS = st.sampled_from(b"PROXY|TCP4|TCP6|UNKNOWN| |  |\r\n|\r|\n|192.0.2.7|192.0.2.|::1|::|1|00|\xff".split(b"|"))
LINES = st.lists(WORDS | st.binary(max_size=3), max_size=14).map(lambda words: b"PROXY " + b"".join(words))
TLV_BYTES = st.sampled_from([b"\x02", b"\x03", b"\x04", b"\x20", b"\x21", b"\0", b"\1", b"\0\4", b"\0\5"])
TLVS = st.lists(TLV_BYTES | st.binary(max_size=5), max_size=12).map(b"".join)
BODIES = st.builds(lambda addresses, tlvs: addresses + tlvs, st.binary(min_size=12, max_size=12), TLVS)
HEADERS = st.builds(
    lambda family, body: SIGNATURE + b"\x21" + family + len(body).to_bytes(2, "big") + body,
    st.sampled_from([b"\0", b"\x11", b"\x12", b"\x21", b"\x31"]),
    BODIES | st.binary(max_size=300),
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    header = bytearray(draw(st.sampled_from([header for header, _ in GOOD.values()])))
    for _ in range(draw(st.integers(1, 3))):
        header[draw(st.integers(0, len(header) - 1))] = draw(st.integers(0, 255))
    return bytes(header)


def outcome(data: bytes) -> tuple[Forwarded, int] | ProtocolError | None:
    try:
        return read(data)
    except ProtocolError as error:
        return error


@QUICK
@given(data=st.binary(max_size=150) | LINES | HEADERS | changed() | st.binary(max_size=60).map(SIGNATURE.__add__))
@example(b"")
def test_noise_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    begun = begins(data)
    match outcome(data):
        case None:
            assert begun is not False
            assert needed(data) > 0
        case ProtocolError():
            assert begun is not None
        case _, size:
            assert begun is True
            assert 0 < size <= len(data)


@QUICK
@given(data=LINES | HEADERS | changed())
def test_noise_is_judged_the_same_byte_by_byte(data: bytes) -> None:
    first = next((seen for at in range(len(data) + 1) if (seen := outcome(data[:at])) is not None), None)
    whole = outcome(data)
    if isinstance(whole, ProtocolError):  # with which words depends on how much is here
        assert isinstance(first, ProtocolError)
    else:
        assert first == whole
