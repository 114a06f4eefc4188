"""One address of a target, where a server listens: what balance and health know of it."""

import trio

from wsgateway.observe.status import TargetStatus
from wsgateway.settings.basics import Address
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.health import Health, State
from wsgateway.upstream.resolve import ResolvedAddress


class TargetAddress:
    """An address, and what has become of the sessions that went there."""

    __slots__ = (
        "address",
        "checking",
        "credit",
        "failures",
        "health",
        "last_failure",
        "leaving",
        "name",
        "named",
        "open",
        "rank",
        "served",
        "state",
        "target",
        "weight",
    )

    def __init__(self, upstream: Upstream, target: Target, found: ResolvedAddress) -> None:
        self.target = target
        self.address: Address = found.address
        self.name = str(found.address)
        """by which it is told from the others"""
        self.named = target.url.address is None
        """whether its target is a name, which may have other addresses, too"""
        self.open = 0
        self.credit = 0.0
        self.health = Health(upstream.health)
        self.state: State = "up"
        """as it was seen last"""
        self.served = 0
        self.failures = 0
        self.last_failure: str | None = None
        self.leaving = False
        """whether the resolver does not know it any more: it keeps the sessions that it has"""
        self.checking = trio.CancelScope()
        """of the task that asks it whether it can serve"""
        self.update(found)

    def update(self, found: ResolvedAddress) -> None:
        """Takes what the resolver says of it now."""
        self.weight = found.weight
        self.rank = (self.target.backup, found.rank)
        """lower ones come first"""

    @property
    def has_room(self) -> bool:
        """Whether its target's limit allows one session more."""
        return self.target.max_connections is None or self.open < self.target.max_connections

    @property
    def names(self) -> tuple[str, str]:
        """The URL of its target, and the address if the target is a name; otherwise an empty text."""
        return self.target.url.text, self.name if self.named else ""

    @property
    def facts(self) -> dict[str, str]:
        """What the log says of it: the address, too, if the target is a name."""
        return {"target": self.target.url.text, **({"address": self.name} if self.named else {})}

    def status(self) -> TargetStatus:
        """Plain data, for whoever wants to show it."""
        return {
            "url": self.target.url.text,
            "address": self.name,
            "state": "draining" if self.leaving else self.state,
            "weight": self.weight,
            "backup": self.target.backup,
            "open": self.open,
            "served": self.served,
            "failures": self.failures,
            "last_failure": self.last_failure,
        }
