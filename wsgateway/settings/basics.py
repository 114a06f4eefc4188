"""Single values of the configuration that have parts: addresses, URLs, rates, a way to balance."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Literal

from wsgateway.settings.regexes import Regex

Network = IPv4Network | IPv6Network
UNIX: Final = "unix"
"""stands for all clients that connect to a Unix socket, since they have no address"""
Peers = Network | Literal["unix"]


def is_among(address: str, networks: tuple[Peers, ...]) -> bool:
    """Return whether a canonical address is in one of the networks; UNIX only matches UNIX."""
    if not networks or address == UNIX:
        return address in networks
    ip = ip_address(address)
    return any(ip.version == network.version and ip in network for network in networks if network != UNIX)


@dataclass(frozen=True, slots=True)
class Address:
    """Describe an address to listen on, or to connect to."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    """0: the system chooses one"""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Describe a Unix socket to listen on, for programs of this machine."""

    path: str
    """of the socket, which is made there"""

    def __str__(self) -> str:
        return f"{UNIX}:{self.path}"


@dataclass(frozen=True, slots=True)
class SystemdSocket:
    """Describe the sockets that systemd opens, and passes on under this name."""

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}"


Bind = Address | UnixAddress | SystemdSocket
"""what a listener listens on"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Describe how many of something may happen in how long a time."""

    count: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.count} in {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Url:
    """Describe where a target is, and how it is spoken to."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    text: str
    """as the operator wrote it"""
    scheme: str = "ws"
    """ws, wss, http or https"""
    has_port: bool = field(default=False, compare=False)
    """whether the operator wrote the port"""

    @property
    def secure(self) -> bool:
        """Whether connections to it are encrypted."""
        return self.scheme in ("wss", "https")

    @property
    def address(self) -> Address | None:
        """The address; None if the host is a name that has to be looked up."""
        try:
            ip_address(self.host)
        except ValueError:
            return None
        return Address(self.host, self.port)

    @property
    def authority(self) -> str:
        """The Host of a request that names the target itself."""
        default = 443 if self.secure else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return self.text


BalanceMethod = Literal["round_robin", "least_connections", "random", "hash"]
HashSource = Literal["ip", "cookie", "header", "query", "path"]


@dataclass(frozen=True, slots=True)
class Balance:
    """Describe how one of several targets is chosen."""

    method: BalanceMethod = "round_robin"
    source: HashSource = "ip"
    """hash: what is hashed, so that equal values lead to the same target"""
    name: str = ""
    """hash: the name of the cookie, header or query parameter"""
    path: Regex | None = None
    """hash: the expression of which the first group in the path is hashed"""

    def __str__(self) -> str:
        what = self.name if self.path is None else self.path.pattern
        return self.method if self.method != "hash" else f"hash of {self.source} {what}".rstrip()
