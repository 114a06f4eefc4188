"""The configuration that serves, and the result of the last reload: for metrics, status, systemd and operators."""

from collections.abc import Callable

from wsgateway.errors import Reason
from wsgateway.observe.status import ConfigurationStatus
from wsgateway.settings.load import Source

NO_FILE = "settings of a program"


class ConfigurationState:
    """The configuration that serves. The start counts as a reload that went well."""

    def __init__(self, source: Source | None, clock: Callable[[], float]) -> None:
        """Take what was read first; None for settings that a program has made. `clock` returns seconds since 1970."""
        self._clock = clock
        self._reason: Reason | None = None
        self._why: list[str] = []
        self.serves(source)

    def serves(self, source: Source | None) -> None:
        """Record that another configuration serves."""
        self._at = self._since = self._clock()
        self._reason, self._why = None, []
        self.file = NO_FILE if source is None else source.file
        self.sha256 = "" if source is None else source.sha256

    def refused(self, reason: Reason, why: list[str]) -> None:
        """Record that a reload was refused, with its problems in their order."""
        self._at, self._reason, self._why = self._clock(), reason, why

    def status(self) -> ConfigurationStatus:
        """Return the status of it."""
        return {
            "configuration": {"file": self.file, "sha256": self.sha256, "since": round(self._since, 3)},
            "reload": {
                "ok": self._reason is None,
                "at": round(self._at, 3),
                "reason": None if self._reason is None else self._reason.value,
                "why": self._why[0] if self._why else None,
            },
        }
