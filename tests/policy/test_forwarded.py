"""The identity of a client: what a trusted proxy says about it counts, what it says itself does not."""

from ipaddress import ip_network

import pytest

from wsgateway.dialects import Headers
from wsgateway.errors import HttpRefusal
from wsgateway.policy.forwarded import Identity, identify
from wsgateway.settings.basics import is_among

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
PROXY = "10.0.0.1"


def of(*headers: tuple[str, str], peer: str = PROXY, secure: bool = False) -> Identity:
    """Return the identity of the sender of these headers and Host: ws.example.com."""
    return identify(peer, secure, Headers([("Host", "ws.example.com"), *headers]), TRUSTED)


def known(ip: str, *chain: str, secure: bool = False, host: str = "ws.example.com") -> Identity:
    return Identity(ip, secure, host, chain, trusted=PROXY in (ip, *chain))


# -- who is not trusted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "admin.example.com"),
        ("Forwarded", "for=192.0.2.1;proto=https;host=admin.example.com"),
    ],
)
def test_forwarded_headers_of_an_untrusted_client_are_ignored(header: tuple[str, str]) -> None:
    assert of(header, peer="203.0.113.9") == known("203.0.113.9")
    assert of(header, peer="2001:db8::9", secure=True) == known("2001:db8::9", secure=True)


def test_no_peer_is_trusted_without_networks() -> None:
    headers = Headers([("Host", "h"), ("X-Forwarded-For", "192.0.2.1")])
    assert identify(PROXY, False, headers, ()) == Identity(PROXY, False, "h")


def test_a_trusted_peer_without_forwarded_headers_is_the_client() -> None:
    assert of() == known(PROXY)
    assert of(secure=True) == known(PROXY, secure=True)


def test_a_request_without_host_has_an_empty_one() -> None:
    assert identify(PROXY, False, Headers([]), TRUSTED) == Identity(PROXY, False, "", trusted=True)


def test_a_unix_socket_has_no_address_and_is_trusted_by_its_name_alone() -> None:
    headers = Headers([("Host", "h"), ("X-Forwarded-For", "198.51.100.9, 192.0.2.1"), ("X-Forwarded-Proto", "https")])
    everybody = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert identify("unix", False, headers, everybody) == Identity("unix", False, "h")
    assert identify("unix", False, headers, ("unix",)) == Identity("192.0.2.1", True, "h", ("unix",), trusted=True)
    assert identify("unix", False, Headers([("Host", "h")]), ("unix",)) == Identity("unix", False, "h", trusted=True)
    assert is_among("10.0.0.1", ("unix", *TRUSTED))
    assert not is_among("192.0.2.1", ("unix", *TRUSTED))


def test_two_hosts_are_refused() -> None:
    with pytest.raises(HttpRefusal) as caught:
        of(("Host", "other.example.com"))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("fd12::1", True),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_trust_is_a_matter_of_networks(address: str, expected: bool) -> None:
    assert is_among(address, TRUSTED) is expected


# -- X-Forwarded-* ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.1", known("192.0.2.1", PROXY)),
        ("192.0.2.1:4711", known("192.0.2.1", PROXY)),
        ("2001:DB8::1", known("2001:db8::1", PROXY)),
        ("[2001:db8::1]", known("2001:db8::1", PROXY)),
        ("[2001:db8::1]:4711", known("2001:db8::1", PROXY)),
        # What stands before the last untrusted address was written by that client itself.
        ("198.51.100.7, 192.0.2.1", known("192.0.2.1", PROXY)),
        ("10.9.9.9, 192.0.2.1", known("192.0.2.1", PROXY)),
        ("192.0.2.1, 10.0.0.2", known("192.0.2.1", "10.0.0.2", PROXY)),
        ("192.0.2.1, 10.0.0.3, 10.0.0.2", known("192.0.2.1", "10.0.0.3", "10.0.0.2", PROXY)),
        ("192.0.2.1, fd00::2", known("192.0.2.1", "fd00::2", PROXY)),
        ("10.0.0.3, 10.0.0.2", known("10.0.0.3", "10.0.0.2", PROXY)),
        ("10.0.0.1", known("10.0.0.1", PROXY)),
        ("fe80::1%evil=1", known(PROXY)),
        ("unknown", known(PROXY)),
        ("", known(PROXY)),
        ("192.0.2.1, unknown", known(PROXY)),
        ("192.0.2.1, unknown, 10.0.0.2", known("10.0.0.2", PROXY)),
        ("192.0.2.300", known(PROXY)),
        ("localhost", known(PROXY)),
    ],
)
def test_addresses_are_used_from_the_last_to_the_first_untrusted_one(value: str, expected: Identity) -> None:
    assert of(("X-Forwarded-For", value)) == expected


def test_several_headers_are_one_list() -> None:
    headers = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "192.0.2.1, 10.0.0.2")]
    assert of(*headers) == known("192.0.2.1", "10.0.0.2", PROXY)


@pytest.mark.parametrize(
    ("proto", "behind_plain", "behind_tls"),
    [
        ("https", True, True),
        ("HTTPS", True, True),
        ("wss", True, True),
        ("http", False, False),
        ("ws", False, False),
        ("", False, True),
        ("https, http", False, False),
        ("http, https", True, True),
    ],
)
@pytest.mark.parametrize("address", [[("X-Forwarded-For", "192.0.2.1")], []])
def test_a_proxy_gives_the_scheme_of_its_client(
    address: list[tuple[str, str]], proto: str, behind_plain: bool, behind_tls: bool
) -> None:
    for secure, expected in (False, behind_plain), (True, behind_tls):
        assert of(*address, ("X-Forwarded-Proto", proto), secure=secure).secure is expected


def test_a_proxy_gives_the_host_that_its_client_requested() -> None:
    headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Host", "evil.example, chat.example.com:8443")]
    assert of(*headers) == known("192.0.2.1", PROXY, host="chat.example.com:8443")


@pytest.mark.parametrize("host", ["", "a b", "chat.example.com/x", "\x85", "chat.example.com:port", '"'])
def test_an_invalid_host_is_ignored_even_from_a_proxy(host: str) -> None:
    headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Host", host)]
    assert of(*headers) == known("192.0.2.1", PROXY)


# -- Forwarded -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", known("192.0.2.1", PROXY)),
        ("For=192.0.2.1; PROTO=https", known("192.0.2.1", PROXY, secure=True)),
        ('for="192.0.2.1:4711"', known("192.0.2.1", PROXY)),
        ('for="[2001:db8::1]"', known("2001:db8::1", PROXY)),
        ('for="[2001:db8::1]:4711";proto=wss', known("2001:db8::1", PROXY, secure=True)),
        ('for="\\1\\92.0.2.1"', known("192.0.2.1", PROXY)),
        ("for=192.0.2.1;host=chat.example.com;by=10.0.0.1", known("192.0.2.1", PROXY, host="chat.example.com")),
        ('for=192.0.2.1;host="chat.example.com:8443"', known("192.0.2.1", PROXY, host="chat.example.com:8443")),
        ("for=198.51.100.7;proto=https, for=192.0.2.1", known("192.0.2.1", PROXY)),
        ("for=192.0.2.1;proto=https,for=10.0.0.2;proto=http", known("192.0.2.1", "10.0.0.2", PROXY, secure=True)),
        ('for=192.0.2.1;by="a, for=198.51.100.7"', known("192.0.2.1", PROXY)),
        ("for=unknown", known(PROXY)),
        ("for=_hidden", known(PROXY)),
        ('for="_gazonk:80"', known(PROXY)),
        ("for=192.0.2.1, for=unknown", known(PROXY)),
        ("for=192.0.2.1, for=unknown, for=10.0.0.2", known("10.0.0.2", PROXY)),
        # A proxy that hides its client's address may still give the scheme and the host.
        ("for=unknown;proto=https;host=chat.example.com", known(PROXY, secure=True, host="chat.example.com")),
        ("proto=https", known(PROXY, secure=True)),
        ("for=192.0.2.1;proto=https, for=unknown;proto=http", known(PROXY)),
        ("for=192.0.2.1, ,", known("192.0.2.1", PROXY)),
        (" , for=192.0.2.1;;", known("192.0.2.1", PROXY)),
        ("", known(PROXY)),
        # A malformed list of parameters is ignored, because quotes of two authors may be mixed up in it.
        (",,;;==", known(PROXY)),
        ("192.0.2.1", known(PROXY)),
        ('for="192.0.2.1', known(PROXY)),
        ('for=198.51.100.7;host=", for="[2001:db8::1]"', known(PROXY)),
        ('for="192.0.2.1\\', known(PROXY)),
        ('for="192.0.2.1, for=198.51.100.7', known(PROXY)),
        ('"for=192.0.2.1"', known(PROXY)),
    ],
)
def test_an_element_of_forwarded_comes_from_one_proxy(value: str, expected: Identity) -> None:
    assert of(("Forwarded", value)) == expected


def test_several_headers_forwarded_are_one_list() -> None:
    headers = [("Forwarded", "for=198.51.100.7"), ("Forwarded", "for=192.0.2.1"), ("Forwarded", "for=10.0.0.2")]
    assert of(*headers) == known("192.0.2.1", "10.0.0.2", PROXY)


def test_a_malformed_header_hides_only_those_before_it() -> None:
    broken = ("Forwarded", 'for=198.51.100.7;host="')
    assert of(broken, ("Forwarded", 'for="[2001:db8::1]"')) == known("2001:db8::1", PROXY)
    assert of(broken, ("Forwarded", "for=10.0.0.2")) == known("10.0.0.2", PROXY)


def test_forwarded_takes_the_place_of_all_other_headers() -> None:
    headers = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil")]
    assert of(*headers, ("Forwarded", "for=192.0.2.1")) == known("192.0.2.1", PROXY)


# -- the client's own address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "plain", "encrypted"),
    [
        # The host that a proxy gives, and the host in the client's own address.
        ([], "ws.example.com", "ws.example.com"),
        ([("X-Forwarded-Host", "public.example:8443")], "public.example:8443", "public.example:8443"),
        ([("X-Forwarded-Port", "8443")], "ws.example.com:8443", "ws.example.com:8443"),
        ([("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "8443")], "a:8443", "a:8443"),
        ([("Forwarded", "host=public.example")], "public.example", "public.example"),
        ([("Forwarded", 'for=192.0.2.1;host="public.example:8443"')], "public.example:8443", "public.example:8443"),
        # A browser leaves the default port of the scheme out.
        ([("X-Forwarded-Port", "443")], "ws.example.com:443", "ws.example.com"),
        ([("X-Forwarded-Port", "80")], "ws.example.com", "ws.example.com:80"),
        ([("X-Forwarded-Host", "a:443")], "a:443", "a"),
        ([("X-Forwarded-Host", "a:80")], "a", "a:80"),
        ([("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "443")], "a:443", "a"),
        # The client wrote the port in the host; a proxy behind a mapped port knows only its own port.
        ([("X-Forwarded-Host", "a:30443"), ("X-Forwarded-Port", "443")], "a:30443", "a:30443"),
        # The nearest proxy wrote the last entry; anybody may have written those before it.
        ([("X-Forwarded-Port", "1, 8443")], "ws.example.com:8443", "ws.example.com:8443"),
        ([("X-Forwarded-Port", "1"), ("X-Forwarded-Port", "8443")], "ws.example.com:8443", "ws.example.com:8443"),
        ([("X-Forwarded-Host", "evil, a:1"), ("X-Forwarded-Port", "2")], "a:1", "a:1"),
        ([("X-Forwarded-For", "192.0.2.1, 10.0.0.2"), ("X-Forwarded-Port", "8443")],) + ("ws.example.com:8443",) * 2,
        ([("X-Forwarded-Host", "[2001:db8::1]")], "[2001:db8::1]", "[2001:db8::1]"),
        ([("X-Forwarded-Host", "[2001:db8::1]:443")], "[2001:db8::1]:443", "[2001:db8::1]"),
        ([("X-Forwarded-Host", "[2001:db8::1]"), ("X-Forwarded-Port", "8443")],) + ("[2001:db8::1]:8443",) * 2,
        # Forwarded has no parameter for the port alone, and where it stands the other headers are ignored.
        ([("Forwarded", "for=192.0.2.1"), ("X-Forwarded-Port", "8443")], "ws.example.com", "ws.example.com"),
        *(
            ([("X-Forwarded-Port", port)], "ws.example.com", "ws.example.com")
            for port in ("", "0", "65536", "123456", "-1", "+80", "8 0", "8443/x", "\u0663", "x")
        ),
        *(
            ([("X-Forwarded-Host", host), ("X-Forwarded-Port", "8443")],) + ("ws.example.com:8443",) * 2
            for host in ("a b", "a/x", "2001:db8::1", "a:port", "a@b")
        ),
    ],
)
def test_the_address_of_a_client_has_the_host_and_port_that_its_proxy_gives(
    headers: list[tuple[str, str]], plain: str, encrypted: str
) -> None:
    identity = of(*headers)
    assert (identity.authority(False), identity.authority(True)) == (plain, encrypted)
    stranger = of(*headers, peer="203.0.113.9")
    assert (stranger.authority(False), stranger.authority(True)) == ("ws.example.com", "ws.example.com")


@pytest.mark.parametrize("host", ["h:80", "h:443", "h:", "h", "[::1]:443", ""])
def test_a_host_that_the_client_sent_is_repeated_unchanged(host: str) -> None:
    identity = identify("203.0.113.9", True, Headers([("Host", host)]), TRUSTED)
    assert identity.authority(True) == identity.authority(False) == host


def test_a_proxy_may_add_the_default_port_to_the_host() -> None:
    identity = identify(PROXY, False, Headers([("Host", "h:443"), ("X-Forwarded-Proto", "https")]), TRUSTED)
    assert identity.authority(identity.secure) == "h"


def test_without_a_host_there_is_no_address() -> None:
    assert identify(PROXY, False, Headers([("X-Forwarded-Port", "8443")]), TRUSTED).authority(False) == ""
