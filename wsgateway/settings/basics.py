"""Words that several parts of the configuration share: addresses, networks, rates."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal

Network = IPv4Network | IPv6Network
UNIX: Final = "unix"
"""stands for whoever comes by a Unix socket, as there are no addresses"""
Peers = Network | Literal["unix"]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or whom to call."""

    host: str
    """an IPv4 or IPv6 address, without brackets, or a name"""
    port: int
    """0: the system chooses one"""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Where to listen, for programs of this machine alone."""

    path: str
    """of the socket, which is made"""

    def __str__(self) -> str:
        return f"{UNIX}:{self.path}"


@dataclass(frozen=True, slots=True)
class SystemdSocket:
    """Sockets that systemd listens on for us, and passes on under this name."""

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}"


Bind = Address | UnixAddress | SystemdSocket
"""where clients come in"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of something in so long."""

    count: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.count} in {self.seconds:g} s"
