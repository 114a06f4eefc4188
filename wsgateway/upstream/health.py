"""Whether something can be relied on: a state that questions and clients' attempts change. It has no clock of its own.

    up        --  `fall` questions in a row fail                    -->  down       (active checks)
    down      --  `rise` questions in a row are answered well       -->  up
    not       --  too many attempts in a window fail, see `due`     -->  ejected    (passive checks)
    ejected   --  its time is over                                  -->  not

An ejection that follows soon on another, in less time than that took, lasts twice as long.

A client can make its own attempts fail: it asks for a path on which the application hangs up, or never answers. So
these failures count only if several clients meet them; until then they count for nothing, neither as failures nor among
the attempts of which failures are a share.
"""

from collections import deque
from typing import Literal

from wsgateway.settings.pooling import ActiveCheck, HealthChecks, PassiveCheck

State = Literal["up", "down", "ejected"]
_ASKED_NOTHING = ActiveCheck()
# A window is this many slots long: attempts are forgotten with their slot, so what is kept does not grow with traffic.
_SLOTS = 10


class _Slot:
    """What became of the attempts in a part of the window."""

    __slots__ = ("begun", "clients", "failed", "failed_clients", "served")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.served = 0
        self.failed = 0
        """by what no client can cause"""
        self.failed_clients = 0
        """by what a client may have caused"""
        self.clients: set[str] = set()
        """which clients these were: as many as are needed for them to count, and no more"""


class Health:
    """The state of one place. Times are seconds of any clock that never goes back."""

    __slots__ = ("_active", "_ejected_for", "_ejected_until", "_passive", "_row", "_slots", "_up")

    def __init__(self, checks: HealthChecks) -> None:
        self._active = checks.active or _ASKED_NOTHING
        self._passive: PassiveCheck = checks.passive
        self._up = True
        self._row = 0  # answers in a row that contradict `_up`
        self._slots: deque[_Slot] = deque()
        self._ejected_for = 0.0
        self._ejected_until: float | None = None

    def state(self, now: float) -> State:
        """What it is. That it is up without being asked is an assumption."""
        if not self._up:
            return "down"
        return "ejected" if self.ejected(now) else "up"

    def ejected(self, now: float) -> bool:
        """Return whether it is ejected, also while it is down."""
        return self._ejected_until is not None and now < self._ejected_until

    def answered(self, well: bool) -> bool:
        """Notes how a question was answered. Whether that has changed `up` to `down`, or back."""
        self._row = 0 if well is self._up else self._row + 1
        if self._row < (self._active.rise if well else self._active.fall):
            return False
        self._up, self._row = well, 0
        return True

    def served(self, now: float) -> None:
        """Note that a client was served."""
        self._slot(now).served += 1

    def failed(self, now: float, client: str | None = None) -> None:
        """Note that a client was not served. `client` is who it was, if it may have caused that itself."""
        slot = self._slot(now)
        if client is None:
            slot.failed += 1
            return
        slot.failed_clients += 1
        if len(slot.clients) < self._passive.clients:
            slot.clients.add(client)

    def _slot(self, now: float) -> _Slot:
        """Return the slot of now, and forget those that are out of the window."""
        window = self._passive.window_seconds
        while self._slots and now - self._slots[0].begun > window:
            self._slots.popleft()
        if not self._slots or now - self._slots[-1].begun >= window / _SLOTS:
            self._slots.append(_Slot(now))
        return self._slots[-1]

    def due(self, now: float) -> bool:
        """Return whether so many attempts in the window have failed, and so large a share of them, that it should be
        ejected."""
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
        """Ejects it. Returns for how many seconds."""
        passive = self._passive
        soon = self._ejected_until is not None and now - self._ejected_until < self._ejected_for
        seconds = self._ejected_for * 2 if soon else passive.eject_seconds
        self._ejected_for = min(seconds, passive.eject_most_seconds)
        self._ejected_until = now + self._ejected_for
        self._slots.clear()
        return self._ejected_for
