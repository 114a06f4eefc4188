"""The identity of a client: by its connection, or by what a trusted proxy says (RFC 7239, and X-Forwarded-*)."""

import re
from dataclasses import dataclass

from wsgateway.dialects import Headers
from wsgateway.settings.basics import Peers, is_among
from wsgateway.wire.addresses import canonical
from wsgateway.wire.repair import is_host

# RFC 7239, 4: values are tokens or quoted. Addresses are also accepted without quotes if they have a port or brackets.
# The patterns never backtrack, because the beginning of a header may come from anybody.
_PARAMETER = re.compile(r'([A-Za-z0-9_-]++)=(?:"((?:[^"\\]|\\.)*+)"|([^;,"\s]++))')
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+")++')
_AUTHORITY = re.compile(r"([^:\[\]]+|\[[^\]]*\])(?::([0-9]{0,5}))?")
_DIGITS = re.compile(r"[0-9]{1,5}")
_MOST_PORT = 65535
_LIST = re.compile(rf"\s*+(?:{_PARAMETER.pattern})?+(?:\s*+[;,]\s*+(?:{_PARAMETER.pattern})?+)*+\s*+")


@dataclass(slots=True)
class Identity:
    """The identity of a client, and the facts about its connection."""

    ip: str
    """UNIX if it is not known"""
    secure: bool
    """whether the client's own connection, to us or to its first proxy, is encrypted"""
    host: str
    """the host that it requested"""
    chain: tuple[str, ...] = ()
    """the trusted proxies between the client and us, nearest to the client first; the last is the peer"""
    trusted: bool = False
    """whether the peer is a trusted proxy, so that its headers count"""
    port: int | None = None
    """the port that the client used, if a trusted proxy gives it in a header of its own"""

    def authority(self, secure: bool) -> str:
        """Return host and port as in the client's own address, which begins with wss if `secure`, otherwise with ws.

        A host from a trusted proxy loses the default port of the scheme, because browsers leave that out (drafts
        hixie-75 and -76, 4.1). A host from the client is returned as it was sent: a client that writes the port expects
        it back.
        """
        found = _AUTHORITY.fullmatch(self.host) if self.trusted else None
        if found is None:
            return self.host
        name, port = found.groups()
        # The client wrote a port in the host. X-Forwarded-Port may be the port of a proxy whose port is mapped.
        number = int(port) if port else self.port
        return name if number in (None, 443 if secure else 80) else f"{name}:{number}"


def identify(peer: str, secure: bool, headers: Headers, trusted: tuple[Peers, ...]) -> Identity:
    """Return the identity of a client, given the address of the connection's peer (or UNIX) and its encryption.

    Use Forwarded, or else X-Forwarded-For, -Proto, -Host and -Port: from the last entry backwards, as long as the
    writer of an entry is trusted. Raise HttpRefusal (400) for two Host headers.
    """
    host = headers.one("Host") or ""
    if not is_among(peer, trusted):
        return Identity(peer, secure, host)
    hops = _forwarded(headers) if "Forwarded" in headers else _x_forwarded(headers)
    ip, chain, entry = peer, [peer], {}
    for hop in reversed(hops):
        entry = hop
        address = _address(hop.get("for", ""))
        if address is None:
            break
        ip = address
        if not is_among(address, trusted):
            break
        chain.insert(0, address)
    if ip == chain[0]:
        chain = chain[1:]
    proto, named = entry.get("proto", "").lower(), entry.get("host", "")
    secure = proto in ("https", "wss") if proto else secure
    port = entry.get("port", "")
    number = int(port) if _DIGITS.fullmatch(port) and 0 < int(port) <= _MOST_PORT else None
    return Identity(ip, secure, named if is_host(named) else host, tuple(chain), trusted=True, port=number)


def _forwarded(headers: Headers) -> list[dict[str, str]]:
    hops: list[dict[str, str]] = []
    for line in headers.every("Forwarded"):
        if _LIST.fullmatch(line) is None:
            # A quote of the client may be closed by one of its proxy, so the authors of the parts are not known.
            hops.append({})
            continue
        for element in filter(None, map(_PARAMETER.findall, _ELEMENT.findall(line))):
            hops.append({name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in element})
    return hops


def _x_forwarded(headers: Headers) -> list[dict[str, str]]:
    listed = {name: headers.listed(f"X-Forwarded-{name}") for name in ("proto", "host", "port")}
    # Not every proxy writes each of them, so positions do not correspond: the last entry is from the nearest proxy.
    shared = {name: values[-1] for name, values in listed.items() if values}
    # A proxy may give these values without an address.
    return [{"for": address} | shared for address in headers.listed("X-Forwarded-For") or [""]]


def _address(text: str) -> str | None:
    """Return the address in 192.0.2.7, 192.0.2.7:4711 or [2001:db8::1]:4711; None if it is hidden or unknown."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        # ipaddress accepts any zone, but a zone has a meaning on the machine of its writer only.
        return None if "%" in bare else canonical(bare)
    except ValueError:
        return None
