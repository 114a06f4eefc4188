"""The PROXY protocol: read from a proxy before us, and written to the upstream."""

import struct

import pytest
from trio.testing import MockClock

from tests.heads import values
from tests.net.certificates import Authority
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream, serving

MODERN = BY_DIALECT["rfc6455"]
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
V2 = SIGNATURE + bytes.fromhex("21 11 000c c0000207 c6336401 1267 01bb")
V2_IPV6 = SIGNATURE + bytes.fromhex("21 21 0024 20010db8" + "00" * 11 + "07 20010db8" + "00" * 11 + "01 1267 01bb")
# PP2_TYPE_SSL: the client came over TLS.
V2_SECURE = SIGNATURE + bytes.fromhex("21 11 0014 c0000207 c6336401 1267 01bb 20 0005 01 00000000")
# And that it did not.
V2_PLAIN = SIGNATURE + bytes.fromhex("21 11 0014 c0000207 c6336401 1267 01bb 20 0005 00 00000001")
LOCAL = SIGNATURE + bytes.fromhex("20 00 0000")
UNKNOWN = b"PROXY UNKNOWN\r\n"


def accepting(presence: str, trusted: str = "127.0.0.0/8") -> str:
    return f'proxy_protocol: {{accept: {presence}, trusted: ["{trusted}"]}}'


async def has_session(upstream: Upstream, gateway: Running, client: Peer, address: str) -> bytes:
    """Check that a client is served, and known by this address and port; return the upstream's request."""
    behind, request = await upstream.agree()
    assert (await client.head()).startswith(b"HTTP/1.1 101 ")
    await client.send(MODERN.hello)
    assert await behind.frame() == (0x81, b"Hello")
    await client.close()
    await behind.close()
    line = await gateway.lines.line("session")
    assert line["client"] == address
    return request


@pytest.mark.parametrize("presence", ["optional", "required"])
@pytest.mark.parametrize(
    ("header", "address"),
    [(V1, "192.0.2.7"), (V2, "192.0.2.7"), (V2_IPV6, "2001:db8::7")],
    ids=["v1", "v2", "v2 of IPv6"],
)
async def test_a_client_is_the_one_that_its_proxy_names(presence: str, header: bytes, address: str) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=accepting(presence)) as gateway:
        client = await gateway.connect(header + MODERN.request)
        shown = f"[{address}]:4711" if ":" in address else f"{address}:4711"
        request = await has_session(upstream, gateway, client, shown)
        assert values(request, "x-forwarded-for") == [address]
        assert values(request, "x-forwarded-proto") == ["http"]


@pytest.mark.parametrize("header", [LOCAL, UNKNOWN, b""], ids=["LOCAL", "UNKNOWN", "none"])
async def test_a_proxy_that_names_no_client_is_the_client(header: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=accepting("optional")) as gateway:
        client = await gateway.connect(header + MODERN.request)
        request = await has_session(upstream, gateway, client, client.name)
        assert values(request, "x-forwarded-for") == ["127.0.0.1"]


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_a_header_may_come_in_pieces(header: bytes) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=accepting("required")) as gateway:
        client = await gateway.connect(*(header[at : at + 1] for at in range(len(header))), MODERN.request)
        await has_session(upstream, gateway, client, "192.0.2.7:4711")


async def test_a_proxy_header_may_say_that_the_client_came_over_tls() -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=accepting("required")) as gateway:
        client = await gateway.connect(V2_SECURE + MODERN.request)
        request = await has_session(upstream, gateway, client, "192.0.2.7:4711")
        assert values(request, "x-forwarded-proto") == ["https"]


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_a_header_comes_before_tls(header: bytes, authority: Authority) -> None:
    file = authority.issue("localhost")
    listener = f"{accepting('required')}, tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}"
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        client = await gateway.connect_tls(authority.client(), MODERN.request, before=header)
        request = await has_session(upstream, gateway, client, "192.0.2.7:4711")
        assert values(request, "x-forwarded-for") == ["192.0.2.7"]
        assert values(request, "x-forwarded-proto") == ["https"]


@pytest.mark.parametrize(
    ("listener", "said", "why"),
    [
        (accepting("required"), MODERN.request, "no header of the PROXY protocol, which is required here"),
        (
            accepting("optional", "10.0.0.0/8"),
            V1 + MODERN.request,
            "a header of the PROXY protocol, from an address that is not trusted with it",
        ),
        (
            accepting("optional"),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 99999\r\n",
            "port '99999' in a PROXY header, ",
        ),
        (accepting("required"), SIGNATURE + bytes.fromhex("31 11 000c"), "binary PROXY header of version 3, "),
    ],
    ids=["missing", "untrusted", "bad v1", "bad v2"],
)
async def test_a_client_that_breaks_the_rules_of_the_proxy_protocol_is_closed_without_an_answer(
    listener: str, said: bytes, why: str
) -> None:
    async with Upstream() as upstream, serving(upstream.port, listener=listener) as gateway:
        client = await gateway.connect(said)
        assert await client.rest() == b""
        line = await gateway.lines.line("refused", client=client.name)
        assert (line["level"], line["why"][: len(why)]) == ("info", why)
        assert upstream.nobody_came()


async def test_an_unexpected_proxy_header_is_a_bad_request() -> None:
    async with Upstream() as upstream, serving(upstream.port) as gateway:
        client = await gateway.connect(V1 + MODERN.request)
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert upstream.nobody_came()


async def test_a_header_that_does_not_end_is_cut_in_time(autojump_clock: MockClock) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=accepting("required"), timeouts="handshake: 200ms") as gateway,
    ):
        client = await gateway.connect(V1[:-1])
        assert (await client.head()).startswith(b"HTTP/1.1 408 ")


# -- towards the upstream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_upstream_gets_a_proxy_header_first(version: str) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, behind=f"send_proxy_protocol: {version}") as gateway,
    ):
        client = await gateway.connect(MODERN.request)
        ours = int(client.name.rpartition(":")[2])
        behind = await upstream.accept()
        expected = {
            "v1": f"PROXY TCP4 127.0.0.1 127.0.0.1 {ours} {gateway.port}\r\n".encode(),
            "v2": SIGNATURE
            + bytes.fromhex("21 11 0014 7f000001 7f000001")
            + struct.pack("!HH", ours, gateway.port)
            + bytes.fromhex("20 0005 00 00000001"),
        }[version]
        assert await behind.exactly(len(expected)) == expected
        assert (await behind.head()).startswith(b"GET /chat HTTP/1.1\r\n")


async def test_the_upstream_gets_the_version_of_the_clients_tls(authority: Authority) -> None:
    file = authority.issue("localhost")
    listener = f"tls: {{certificates: [{{certificate: {file}, private_key: {file}}}]}}"
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=listener, behind="send_proxy_protocol: v2") as gateway,
    ):
        client = await gateway.connect_tls(authority.client(), MODERN.request)
        ours = int(client.name.rpartition(":")[2])
        behind = await upstream.accept()
        expected = (
            SIGNATURE
            + bytes.fromhex("21 11 001e 7f000001 7f000001")
            + struct.pack("!HH", ours, gateway.port)
            + bytes.fromhex("20 000f 01 00000001 21 0007")
            + b"TLSv1.3"
        )
        assert await behind.exactly(len(expected)) == expected


@pytest.mark.parametrize(("version", "expected"), [("v1", V1), ("v2", V2_PLAIN)], ids=["to v1", "to v2"])
@pytest.mark.parametrize("header", [V1, V2], ids=["from v1", "from v2"])
async def test_the_upstream_gets_the_client_and_the_destination_that_a_proxy_named(
    header: bytes, version: str, expected: bytes
) -> None:
    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=accepting("required"), behind=f"send_proxy_protocol: {version}") as gateway,
    ):
        await gateway.connect(header + MODERN.request)
        behind = await upstream.accept()
        assert await behind.exactly(len(expected)) == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("20 0005 01 00000000", "20 0005 01 00000001"),
        ("20 000f 01 00000000 21 0007 544c5376312e32", "20 000f 01 00000001 21 0007 544c5376312e32"),
        # A version without TLS says nothing.
        ("20 000f 00 00000000 21 0007 544c5376312e32", "20 0005 00 00000001"),
    ],
    ids=["TLS", "TLSv1.2", "no TLS"],
)
async def test_the_tls_that_a_proxy_says_of_its_client_is_passed_on_with_its_version(rest: str, expected: str) -> None:
    def header(rest: str) -> bytes:
        body = bytes.fromhex("c0000207 c6336401 1267 01bb") + bytes.fromhex(rest)
        return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(body)) + body

    async with (
        Upstream() as upstream,
        serving(upstream.port, listener=accepting("required"), behind="send_proxy_protocol: v2") as gateway,
    ):
        await gateway.connect(header(rest) + MODERN.request)
        behind = await upstream.accept()
        assert await behind.exactly(len(header(expected))) == header(expected)
        assert (await behind.head()).startswith(b"GET /chat HTTP/1.1\r\n")
