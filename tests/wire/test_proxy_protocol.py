"""The PROXY protocol from clients: what is read, and what is refused."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cases import cases
from wsgateway.errors import ProtocolError
from wsgateway.wire.proxy_protocol import (
    MAX_V1_BYTES,
    MAX_V2_BYTES,
    ProxyHeader,
    begins,
    read,
)

from .proxied import GOOD, SIGNATURE, v2

QUICK = settings(max_examples=300, database=None, derandomize=True)

good = cases(("header", "says"), GOOD.values(), ids=GOOD.keys())


@good
@cases("behind", [b"", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\0", b"\r\n", b"PROXY UNKNOWN\r\n", SIGNATURE])
def test_a_header_is_read_and_the_bytes_after_it_stay(header: bytes, says: ProxyHeader, behind: bytes) -> None:
    assert begins(header + behind) is True
    assert read(header + behind) == (says, len(header))


@good
def test_an_incomplete_header_yields_nothing_yet(header: bytes, says: ProxyHeader) -> None:
    for at in range(len(header)):
        assert read(header[:at]) is None, at


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
    # 2.1: exactly one space between the words, and nothing else.
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
    # 2.2: the signature, then one version, two commands, and the known families and transports.
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
def test_a_refusal_says_what_is_allowed(data: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(data)


@cases(("data", "message"), BAD.values(), ids=BAD.keys())
def test_a_malformed_header_is_refused_byte_by_byte_too(data: bytes, message: str) -> None:
    def read_all() -> None:
        for at in range(len(data) + 1):
            assert read(data[:at]) is None

    with pytest.raises(ProtocolError):
        read_all()


def test_a_header_that_cannot_become_valid_is_refused_at_once() -> None:
    with pytest.raises(ProtocolError, match="addresses"):
        read(v2("2111000b"))
    with pytest.raises(ProtocolError, match="CR or LF alone"):
        read(b"PROXY TCP4 \n")


def test_the_limits_are_those_of_the_specification_and_of_nginx() -> None:
    assert (MAX_V1_BYTES, MAX_V2_BYTES) == (107, 4096)


# Noise: bytes, words of a line, and headers with changes.
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


def outcome(data: bytes) -> tuple[ProxyHeader, int] | ProtocolError | None:
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
    if isinstance(whole, ProtocolError):  # its text depends on how much has come
        assert isinstance(first, ProtocolError)
    else:
        assert first == whole
