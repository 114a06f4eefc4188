"""The health of one address of a target: a state that health checks and clients' attempts change.

It has no clock of its own.

    up          --  `fall` health checks in a row fail                 -->  down
    down        --  `rise` health checks in a row succeed              -->  up
    not ejected --  too many attempts in a window fail, see `due`      -->  ejected
    ejected     --  the time of the ejection is over                   -->  not ejected

An ejection that follows on another one, in less time than that one took, takes twice as long.

A client can make its own attempts fail: by a path on which the application closes the connection or never answers. So
such failures count only if several clients have them. Until then they count neither as failures nor among the attempts
of which failures are a share.
"""

from collections import deque
from typing import Literal

from wsgateway.settings.health import ActiveCheck, HealthChecks, PassiveCheck

State = Literal["up", "down", "ejected"]
_NO_CHECK = ActiveCheck()
# A window has this many slots. Attempts are forgotten slot by slot, so memory does not grow with traffic.
_SLOTS = 10


class _Slot:
    """The results of attempts in a part of the window."""

    __slots__ = ("begun", "clients", "failed", "failed_clients", "served")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.served = 0
        self.failed = 0
        """failures that no client can cause"""
        self.failed_clients = 0
        """failures that a client may have caused"""
        self.clients: set[str] = set()
        """the clients of these, only as many as are needed for the failures to count"""


class Health:
    """The health of one address. Times are in seconds of any clock that never goes back."""

    __slots__ = ("_active", "_ejected_for", "_ejected_until", "_passive", "_row", "_slots", "_up")

    def __init__(self, checks: HealthChecks) -> None:
        self._active = checks.active or _NO_CHECK
        self._passive: PassiveCheck = checks.passive
        self._up = True
        self._row = 0  # results in a row that contradict `_up`
        self._slots: deque[_Slot] = deque()
        self._ejected_for = 0.0
        self._ejected_until: float | None = None

    def state(self, now: float) -> State:
        """Return the state. Without health checks an address is assumed to be up."""
        if not self._up:
            return "down"
        return "ejected" if self.ejected(now) else "up"

    def ejected(self, now: float) -> bool:
        """Return whether the address is ejected, also while it is down."""
        return self._ejected_until is not None and now < self._ejected_until

    def answered(self, well: bool) -> bool:
        """Note the result of a health check. Return whether it has changed `up` to `down`, or back."""
        self._row = 0 if well is self._up else self._row + 1
        if self._row < (self._active.rise if well else self._active.fall):
            return False
        self._up, self._row = well, 0
        return True

    def served(self, now: float) -> None:
        """Note a successful attempt of a client."""
        self._slot(now).served += 1

    def failed(self, now: float, client: str | None = None) -> None:
        """Note a failed attempt; `client` is the client that may have caused the failure itself."""
        slot = self._slot(now)
        if client is None:
            slot.failed += 1
            return
        slot.failed_clients += 1
        if len(slot.clients) < self._passive.clients:
            slot.clients.add(client)

    def _slot(self, now: float) -> _Slot:
        """Return the current slot, and forget slots outside of the window."""
        window = self._passive.window_seconds
        while self._slots and now - self._slots[0].begun > window:
            self._slots.popleft()
        if not self._slots or now - self._slots[-1].begun >= window / _SLOTS:
            self._slots.append(_Slot(now))
        return self._slots[-1]

    def due(self, now: float) -> bool:
        """Return whether an ejection is due: enough failed attempts in the window, and a large enough share of all."""
        passive = self._passive
        if passive.failures is None:
            return False
        self._slot(now)
        failed = sum(slot.failed for slot in self._slots)
        if len(set[str]().union(*(slot.clients for slot in self._slots))) >= passive.clients:
            failed += sum(slot.failed_clients for slot in self._slots)
        attempts = failed + sum(slot.served for slot in self._slots)
        return failed >= passive.failures and 100 * failed >= passive.share_percent * attempts

    def eject(self, now: float) -> float:
        """Eject the address. Return for how many seconds."""
        passive = self._passive
        soon = self._ejected_until is not None and now - self._ejected_until < self._ejected_for
        seconds = self._ejected_for * 2 if soon else passive.eject_seconds
        self._ejected_for = min(seconds, passive.eject_most_seconds)
        self._ejected_until = now + self._ejected_for
        self._slots.clear()
        return self._ejected_for
