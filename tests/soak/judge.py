"""What may happen to a client, and when: everything else is a fault of the gateway."""

import math
from collections import Counter
from dataclasses import dataclass, field

import trio

from wsgateway.dialects import Dialect
from wsgateway.serve.gateway import REQUEST_GRACE_SECONDS
from wsgateway.wire.closecodes import BAD_GATEWAY, GOING_AWAY
from wsgateway.wire.events import Close

RESTARTING = 1012
# For a busy machine to notice what has happened.
LATE_SECONDS = 10.0
# What says that nobody can serve just now.
REFUSALS = (502, 503, 504)
SHOWN_FAULTS = 50


@dataclass(eq=False)
class Call:
    """A connection of a client, and what has been done to it."""

    what: str
    port: int
    """of the client"""
    listener: str
    begun: float
    asked: float = 0.0
    """when it had sent its request"""
    upstream: str | None = None
    """which one is behind it, as far as it knows"""
    worker_killed: bool = False
    upstream_killed: bool = False
    slow: bool = False
    """whether it reads so slowly that a drain may be over before it has read all"""

    def __str__(self) -> str:
        return f"{self.what} client 127.0.0.1:{self.port} at {self.listener}"


@dataclass
class Period:
    """A time in which something goes on."""

    begun: float
    ended: float = math.inf

    def end(self) -> None:
        self.ended = trio.current_time()


class Periods:
    """All times in which it did."""

    def __init__(self) -> None:
        self._all: list[Period] = []

    def begin(self) -> Period:
        self._all.append(Period(trio.current_time()))
        return self._all[-1]

    def since(self, moment: float) -> bool:
        """Return whether it went on at any time from a moment to now."""
        return any(period.ended >= moment for period in self._all)


@dataclass
class Judge:
    """Keeps the books of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    """what has happened, for people"""
    faults: list[str] = field(default_factory=list)
    live: set[Call] = field(default_factory=set)
    outages: Periods = field(default_factory=Periods)
    """an upstream was not there"""
    drains: Periods = field(default_factory=Periods)
    """workers were leaving"""
    removals: Periods = field(default_factory=Periods)
    """the second listener was being removed"""

    def fault(self, what: str) -> None:
        """Note what must not be."""
        self.faults.append(what)
        self.counts["faults"] += 1
        if len(self.faults) <= SHOWN_FAULTS:
            print(f"fault: {what}", flush=True)

    def not_connected(self, call: Call, error: OSError) -> None:
        """Note that a client was refused before it could say anything."""
        if call.listener != "public" and self.removals.since(call.begun):
            self.counts["came to a listener that was removed"] += 1
        else:
            self.fault(f"{call}: not connected: {error}")

    def refused(self, call: Call, status: int) -> None:
        """Note that a client got another status than it wanted."""
        if status not in REFUSALS:
            self.fault(f"{call}: answered {status}")
        elif status == 503 and self.drains.since(call.begun):
            self.counts["refused by a worker that was leaving"] += 1
        elif self.outages.since(call.begun):
            self.counts["refused while an upstream was gone"] += 1
        else:
            self.fault(f"{call}: answered {status} while all upstreams were there")

    def unanswered(self, call: Call, why: object) -> None:
        """Note that a client got no answer to its request, or half of it."""
        if call.worker_killed:
            self.counts["lost with a worker, before an answer"] += 1
        elif call.listener != "public" and self.removals.since(call.begun):
            self.counts["came to a listener that was removed"] += 1
        elif call.asked - call.begun > REQUEST_GRACE_SECONDS and self.drains.since(call.begun):
            self.counts["asked a worker that was leaving too late"] += 1
        else:
            self.fault(f"{call}: no answer: {why}; asked {call.asked - call.begun:.3f} s after it came")

    def closed(self, call: Call, dialect: Dialect, close: Close, parting: bool) -> None:
        """Note that a session ended with a goodbye. `parting`: the client had said its own, and had all messages."""
        if parting:
            self.counts["closed by their client"] += 1
        elif call.upstream_killed and (close.code == BAD_GATEWAY or not dialect.framing.has_close):
            self.counts["lost with an upstream"] += 1
        elif call.worker_killed and not dialect.framing.has_close:
            self.counts["lost with a worker"] += 1
        elif not self.drains.since(trio.current_time() - LATE_SECONDS):
            self.fault(f"{call}: closed ({close}) while nothing was leaving")
        elif close.code != restart_code(dialect):
            self.fault(f"{call}: told {close} by what was leaving")
        else:
            self.counts["closed by a drain"] += 1

    def cut(self, call: Call, inside: bool, why: object) -> None:
        """Note that a session ended without a goodbye. `inside`: in a message."""
        if call.worker_killed:
            self.counts["lost with a worker"] += 1
        elif call.upstream_killed:
            self.counts["lost with an upstream"] += 1
        elif call.slow and self.drains.since(trio.current_time() - LATE_SECONDS):
            self.counts["slow readers cut by a drain"] += 1
        else:
            self.fault(f"{call}: cut without a goodbye{' inside a message' if inside else ''}: {why}")


def restart_code(dialect: Dialect) -> int | None:
    """Return what a client is told when its worker leaves."""
    codes = dialect.framing.close_codes
    return next((code for code in (RESTARTING, GOING_AWAY) if code in codes), None)
