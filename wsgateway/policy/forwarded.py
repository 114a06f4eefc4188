"""Who a client is: by its connection, or by what a proxy that is trusted says of it (RFC 7239, and X-Forwarded-*)."""

import ipaddress
import re
from dataclasses import dataclass

from wsgateway.dialects import Headers
from wsgateway.settings.basics import UNIX, Peers
from wsgateway.wire.addresses import canonical
from wsgateway.wire.repair import is_host

# RFC 7239, 4: parameters are tokens, or stand in quotes. Addresses with a port or in brackets are taken without them.
# Nothing is tried twice: the beginning of a header may be from anybody.
_PARAMETER = re.compile(r'([A-Za-z0-9_-]++)=(?:"((?:[^"\\]|\\.)*+)"|([^;,"\s]++))')
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+")++')
_AUTHORITY = re.compile(r"([^:\[\]]+|\[[^\]]*\])(?::([0-9]{0,5}))?")
_DIGITS = re.compile(r"[0-9]{1,5}")
_MOST_PORT = 65535
_LIST = re.compile(rf"\s*+(?:{_PARAMETER.pattern})?+(?:\s*+[;,]\s*+(?:{_PARAMETER.pattern})?+)*+\s*+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a client is, and how it came."""

    ip: str
    """UNIX, where nobody knows it"""
    secure: bool
    """whether its own connection, to us or to the first proxy, is encrypted"""
    host: str
    """for which it asked"""
    chain: tuple[str, ...] = ()
    """the proxies that it came through and that are trusted, nearest to the client first; the last is the peer"""
    trusted: bool = False
    """whether the peer is a proxy that is trusted, so that its word counts"""
    port: int | None = None
    """the port that the client used, if a trusted proxy names it beside the host"""

    def authority(self, secure: bool) -> str:
        """Return host and port as the client has them in its own address: ws, or wss if `secure`.

        What a trusted proxy says loses the port of the scheme, because browsers leave that out (drafts hixie-75 and
        -76, 4.1). What a client says itself is returned as it was sent: who writes the port expects it back.
        """
        found = _AUTHORITY.fullmatch(self.host) if self.trusted else None
        if found is None:
            return self.host
        name, port = found.groups()
        # A port in the host was written by the client; X-Forwarded-Port may be that of a proxy behind a mapped port.
        number = int(port) if port else self.port
        return name if number in (None, 443 if secure else 80) else f"{name}:{number}"


def identify(peer: str, secure: bool, headers: Headers, trusted: tuple[Peers, ...]) -> Identity:
    """Takes the address of the connection's peer, or UNIX, and whether the connection is encrypted.

    Believes what stands in Forwarded, or else in X-Forwarded-For, -Proto, -Host and -Port, from the last entry on for
    as long as who wrote it is trusted. Raises HttpRefusal (400) for two headers Host.
    """
    host = headers.one("Host") or ""
    if not is_trusted(peer, trusted):
        return Identity(peer, secure, host)
    hops = _forwarded(headers) if "Forwarded" in headers else _x_forwarded(headers)
    ip, chain, told = peer, [peer], {}
    for hop in reversed(hops):
        told = hop
        address = _address(hop.get("for", ""))
        if address is None:
            break
        ip = address
        if not is_trusted(address, trusted):
            break
        chain.insert(0, address)
    if ip == chain[0]:
        chain = chain[1:]
    proto, named = told.get("proto", "").lower(), told.get("host", "")
    secure = proto in ("https", "wss") if proto else secure
    port = told.get("port", "")
    number = int(port) if _DIGITS.fullmatch(port) and 0 < int(port) <= _MOST_PORT else None
    return Identity(ip, secure, named if is_host(named) else host, tuple(chain), trusted=True, port=number)


def is_trusted(address: str, trusted: tuple[Peers, ...]) -> bool:
    """Whether an address is in one of the networks; UNIX is in itself."""
    if not trusted or address == UNIX:
        return address in trusted
    ip = ipaddress.ip_address(address)
    return any(ip.version == network.version and ip in network for network in trusted if network != UNIX)


def _forwarded(headers: Headers) -> list[dict[str, str]]:
    hops: list[dict[str, str]] = []
    for line in headers.every("Forwarded"):
        if _LIST.fullmatch(line) is None:
            # A client's quote may have been closed by that of its proxy: nobody knows who said what of it.
            hops.append({})
            continue
        for element in filter(None, map(_PARAMETER.findall, _ELEMENT.findall(line))):
            hops.append({name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in element})
    return hops


def _x_forwarded(headers: Headers) -> list[dict[str, str]]:
    said = {name: headers.listed(f"X-Forwarded-{name}") for name in ("proto", "host", "port")}
    # Not every proxy writes each of them, so entries of one place do not belong together: the last is the nearest's.
    shared = {name: values[-1] for name, values in said.items() if values}
    # Without any address the proxy may still say how its client came.
    return [{"for": address} | shared for address in headers.listed("X-Forwarded-For") or [""]]


def _address(text: str) -> str | None:
    """The address in 192.0.2.7, 192.0.2.7:4711 or [2001:db8::1]:4711; None if it is hidden or unknown."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        # A zone, which ipaddress takes whatever it holds, means something on the machine of its writer only.
        return None if "%" in bare else canonical(bare)
    except ValueError:
        return None
