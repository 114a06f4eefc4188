"""One address of a target, with its state for balance and health."""

from itertools import count

import trio

from wsgateway.errors import UpstreamError
from wsgateway.observe.status import TargetStatus
from wsgateway.settings.basics import Address
from wsgateway.settings.upstreams import Target, Upstream
from wsgateway.upstream.balance import Place
from wsgateway.upstream.candidates import Rank
from wsgateway.upstream.health import Health, State
from wsgateway.upstream.resolve import ResolvedAddress

# Two addresses have the same place for a moment, when one takes that of the other.
_numbers = count()


class TargetAddress:
    """An address at which a target listens, and the totals of its sessions."""

    __slots__ = (
        "_number",
        "address",
        "checking",
        "credit",
        "drained",
        "failures",
        "health",
        "last_failure",
        "name",
        "named",
        "open",
        "place",
        "rank",
        "removed",
        "served",
        "state",
        "target",
        "weight",
    )

    def __init__(self, upstream: Upstream, target: Target, found: ResolvedAddress, place: tuple[int, int]) -> None:
        self._number = next(_numbers)
        self.target = target
        self.address: Address = found.address
        self.name = str(found.address)
        """the identity of the address"""
        self.named = target.url.address is None
        """whether its target is a host name, which may have other addresses, too"""
        self.open = 0
        self.credit = 0
        self.health = Health(upstream.health)
        self.state: State = "up"
        """the state when it was last looked at"""
        self.served = 0
        self.failures = 0
        self.last_failure: UpstreamError | None = None
        self.removed = False
        """whether the resolver no longer returns it: it only keeps the sessions that it has"""
        self.drained = False
        """whether an operator has drained its target: it only keeps the sessions that it has"""
        self.checking = trio.CancelScope()
        """the scope of the task that makes its health checks"""
        self.update(found, place)

    def update(self, found: ResolvedAddress, place: tuple[int, int]) -> None:
        """Take the resolver's present weight and rank, and the place among all addresses of the pool."""
        self.place: Place = (*place, self._number)
        """the number of the target, that of the address among those of the target, and one that only this one has"""
        self.weight = found.weight
        self.rank: Rank = (self.target.backup, found.rank)
        """lower ones are used first"""

    @property
    def has_room(self) -> bool:
        """Whether its target's limit allows another session."""
        return self.target.max_connections is None or self.open < self.target.max_connections

    @property
    def names(self) -> tuple[str, str]:
        """The URL of its target, and the address if the target is a name; otherwise an empty text."""
        return self.target.url.text, self.name if self.named else ""

    @property
    def facts(self) -> dict[str, str]:
        """The fields that name it in the log; the address is one if the target is a host name."""
        return {"target": self.target.url.text, **({"address": self.name} if self.named else {})}

    def status(self) -> TargetStatus:
        """Return the status as plain data."""
        return {
            "url": self.target.url.text,
            "address": self.name,
            "state": "draining" if self.removed else "drained" if self.drained else self.state,
            "weight": self.weight,
            "backup": self.target.backup,
            "open": self.open,
            "served": self.served,
            "failures": self.failures,
            "last_failure": None if self.last_failure is None else str(self.last_failure),
            "last_reason": None if self.last_failure is None else self.last_failure.reason.value,
        }
