"""One client has one address, however it is written."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from wsgateway.wire.addresses import canonical, counted_as, unmapped_network


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:0207", "192.0.2.7"),
        ("0:0:0:0:0:ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7%eth0", "192.0.2.7"),
        # Neither "compatible" addresses nor those of NAT64 are the IPv4 in them.
        ("::192.0.2.7", "::c000:207"),
        ("64:ff9b::192.0.2.7", "64:ff9b::c000:207"),
    ],
)
def test_an_address_has_one_spelling(text: str, spelling: str) -> None:
    assert canonical(text) == spelling


@pytest.mark.parametrize("text", ["", "example.com", "192.0.2", "192.0.2.07", "::ffff:192.0.2.256", "%eth0", "[::1]"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        canonical(text)


@pytest.mark.parametrize(
    ("address", "prefix", "counted"),
    [
        ("192.0.2.7", 64, "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", 56, "2001:db8:1::/56"),
        ("2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6/128"),
    ],
)
def test_an_ipv6_client_is_counted_by_its_network(address: str, prefix: int, counted: str) -> None:
    assert counted_as(address, prefix) == counted


@pytest.mark.parametrize(
    ("network", "same"),
    [
        ("::ffff:10.0.0.0/104", IPv4Network("10.0.0.0/8")),
        ("::ffff:192.0.2.7", IPv4Network("192.0.2.7/32")),
        ("::ffff:0:0/96", IPv4Network("0.0.0.0/0")),
        # A network that holds more than IPv4 is one of IPv6.
        ("::ffff:0:0/95", IPv6Network("::fffe:0:0/95")),
        ("fd00::/8", IPv6Network("fd00::/8")),
        ("10.0.0.0/8", IPv4Network("10.0.0.0/8")),
    ],
)
def test_a_network_of_mapped_addresses_is_one_of_ipv4(network: str, same: IPv4Network | IPv6Network) -> None:
    assert unmapped_network(ip_network(network, strict=False)) == same
