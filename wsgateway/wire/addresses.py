"""IP addresses in their one spelling, so that one client is one client at every entrance: as an accepted connection, in
a PROXY header, in `Forwarded`, in `X-Forwarded-For`, and in a network that the configuration names.

IPv4 that was mapped into IPv6 (::ffff:192.0.2.7; RFC 4291, 2.5.5.2) is IPv4. IPv6 is written as RFC 5952 has it.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

# ::ffff:0:0/96 holds all of IPv4.
_MAPPED_PREFIX = 96
_MAPPED = IPv6Network(f"::ffff:0:0/{_MAPPED_PREFIX}")


def unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return IPv4 as such where it was mapped into IPv6; any other address as it is."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def unmapped_network(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return a network of mapped addresses as one of IPv4; any other network as it is."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED_PREFIX))
    return network


def canonical(text: str) -> str:
    """Return the one spelling of an address. A zone (`%eth0`) is left out: it means something on one machine only.

    Raises ValueError for text that is no address.
    """
    return str(unmapped(ip_address(text.partition("%")[0])))


def counted_as(address: str, ipv6_prefix: int) -> str:
    """Return what stands for an address where clients are counted: the address itself for IPv4, its network for IPv6.

    Takes a canonical address, and the length of the prefix in bits: whoever has IPv6 has a whole network of addresses.
    """
    return str(ip_network((address, ipv6_prefix), strict=False)) if ":" in address else address
