"""What the program sees of the sections about its processes: how they end, what they log, and who may ask them."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from wsgateway.settings.basics import Address, Network, UnixAddress
from wsgateway.wire.addresses import canonical

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class Shutdown:
    """How a process ends that is told to."""

    drain_seconds: float = 30.0
    """until whatever is left is ended at once"""
    spread_seconds: float | None = 10.0
    """over which sessions are ended one after the other, no longer than the drain; None: all at once"""
    close_code: int = 1012
    """what they are told, where their dialect has it"""
    delay_seconds: float | None = None
    """before the drain, in which it is not ready and still accepts; None: the drain begins at once"""


@dataclass(frozen=True, slots=True)
class Logging:
    """What is logged, and how a line looks."""

    level: Level = "info"
    format: Format = "text"
    value_characters: int = 200
    """how much a line has of a value that others can make long"""
    queue_bytes: int = 1024 * 1024
    """how much may wait in each process for whoever reads the log"""


@dataclass(frozen=True, slots=True)
class Admin:
    """Where the gateway tells of itself: metrics, health and status."""

    bind: Address | UnixAddress
    allow: tuple[Network, ...] = ()
    """who may ask, beside this machine"""
    names: tuple[str, ...] = ()
    """of the gateway, in lower case, as clients that ask by a name write it in Host"""

    def admits(self, ip: str) -> bool:
        """Whether an address may ask."""
        address = ip_address(canonical(ip))
        return address.is_loopback or any(address in network for network in self.allow)

    def is_named(self, host: str) -> bool:
        """Return whether the value of a Host header, with or without a port, is an address, localhost or one of the
        names. Any other name may be one that a page of another site has led a browser here by (DNS rebinding)."""
        name = host.lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        try:
            ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return name.removesuffix(".") in ("localhost", *self.names)
        return True
