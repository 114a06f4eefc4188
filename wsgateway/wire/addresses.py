"""IP addresses in one spelling, so that one client has one address in every source.

Sources are an accepted connection, a PROXY header, `Forwarded`, `X-Forwarded-For`, and a network in the configuration.
IPv4 that was mapped into IPv6 (::ffff:192.0.2.7; RFC 4291, 2.5.5.2) becomes IPv4. IPv6 is written as in RFC 5952.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# ::ffff:0:0/96 holds all of IPv4.
_MAPPED_PREFIX = 96
_MAPPED = IPv6Network(f"::ffff:0:0/{_MAPPED_PREFIX}")


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address inside an address that maps IPv4 into IPv6; any other address unchanged."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def unmapped_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return the IPv4 network inside a network of mapped addresses; any other network unchanged."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED_PREFIX))
    return network


def canonical(text: str) -> str:
    """Return the one spelling of an address, without its zone (`%eth0`), which has a meaning on one machine only.

    Raise ValueError for text that is not an address.
    """
    return str(unmapped(ip_address(text.partition("%")[0])))


def counted_as(address: str, ipv6_prefix: int) -> str:
    """Return the text by which a client is counted: its address for IPv4, its network for IPv6.

    Take a canonical address, and the length of the network's prefix in bits. A client with IPv6 has a whole network of
    addresses, so that counting single addresses would not limit it.
    """
    return str(ip_network((address, ipv6_prefix), strict=False)) if ":" in address else address
