"""Whether something can be relied on: a state that questions and failures change. It has no clock of its own.

    up        --  `fall` questions in a row fail                -->  down       (active checks)
    down      --  `rise` questions in a row are answered well   -->  up
    not       --  `failures` clients in a window are failed     -->  ejected    (passive checks)
    ejected   --  its time is over                              -->  not

An ejection that follows soon on another, in less time than that took, lasts twice as long.
"""

from collections import deque
from typing import Literal

from wsgateway.settings.pooling import ActiveCheck, HealthChecks, PassiveCheck

State = Literal["up", "down", "ejected"]
_ASKED_NOTHING = ActiveCheck()


class Health:
    """The state of one place. Times are seconds of any clock that never goes back."""

    __slots__ = ("_active", "_ejected_for", "_ejected_until", "_failed", "_passive", "_row", "_up")

    def __init__(self, checks: HealthChecks) -> None:
        self._active = checks.active or _ASKED_NOTHING
        self._passive: PassiveCheck = checks.passive
        self._up = True
        self._row = 0  # answers in a row that contradict `_up`
        self._failed: deque[float] = deque(maxlen=checks.passive.failures or 1)
        self._ejected_for = 0.0
        self._ejected_until: float | None = None

    def state(self, now: float) -> State:
        """What it is. That it is up without being asked is an assumption."""
        if not self._up:
            return "down"
        return "ejected" if self._ejected_until is not None and now < self._ejected_until else "up"

    def answered(self, well: bool) -> bool:
        """Notes how a question was answered. Whether that has changed `up` to `down`, or back."""
        self._row = 0 if well is self._up else self._row + 1
        if self._row < (self._active.rise if well else self._active.fall):
            return False
        self._up, self._row = well, 0
        return True

    def failed(self, now: float) -> None:
        """Notes that a client could not be served."""
        self._failed.append(now)

    def due(self, now: float) -> bool:
        """Whether it has failed so often in the window that it should be ejected."""
        passive = self._passive
        return (
            passive.failures is not None
            and len(self._failed) == passive.failures
            and now - self._failed[0] <= passive.window_seconds
        )

    def eject(self, now: float) -> float:
        """Ejects it. Returns for how many seconds."""
        passive = self._passive
        soon = self._ejected_until is not None and now - self._ejected_until < self._ejected_for
        seconds = self._ejected_for * 2 if soon else passive.eject_seconds
        self._ejected_for = min(seconds, passive.eject_most_seconds)
        self._ejected_until = now + self._ejected_for
        self._failed.clear()
        return self._ejected_for
