"""Which configuration serves, and how the last reload went, for whoever asks: metrics, status, systemd, operators."""

import hashlib
from collections.abc import Callable

from wsgateway.observe.status import Status
from wsgateway.settings.load import Source


class ConfigurationState:
    """The configuration that serves. The start counts as a reload that went well."""

    def __init__(self, source: Source, clock: Callable[[], float]) -> None:
        """`clock` tells the time in seconds since 1970."""
        self._clock = clock
        self._why: list[str] = []
        self.serves(source)

    def serves(self, source: Source) -> None:
        """Have another configuration that serves."""
        self._at = self._since = self._clock()
        self._why = []
        self.file = source.file
        self.sha256 = hashlib.sha256(source.text.encode()).hexdigest()

    def refused(self, why: list[str]) -> None:
        """Have a reload that was refused, for these reasons, the first of them first."""
        self._at, self._why = self._clock(), why

    def status(self) -> Status:
        """Return it as data for JSON. Times are seconds since 1970."""
        return {
            "configuration": {"file": self.file, "sha256": self.sha256, "since": round(self._since, 3)},
            "reload": {"ok": not self._why, "at": round(self._at, 3), "why": self._why[0] if self._why else None},
        }
