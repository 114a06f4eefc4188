"""The totals of targets by their URLs. They outlive the addresses of a target, and pools."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from wsgateway.errors import Reason
from wsgateway.observe.histogram import HANDSHAKE_SECONDS, QUEUE_SECONDS, Histogram

# The totals of a removed target are kept for this time, so that metrics can still be read. Of each upstream at most
# this many removed targets are kept, the newest, because every reload of a file may name other targets.
KEPT_SECONDS = 600.0
MOST_KEPT = 4


@dataclass(slots=True)
class TargetTotals:
    """The counts of clients that the targets of an upstream have served and failed, and of how long clients waited."""

    served: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    """by the names of their reasons"""
    handshakes: Histogram = field(default_factory=lambda: Histogram(HANDSHAKE_SECONDS))
    """how long an address took to accept a connection and to answer a handshake"""
    queued: Histogram = field(default_factory=lambda: Histogram(QUEUE_SECONDS))
    """how long a client has waited for room, whether there was some at last or not"""
    _urls: frozenset[str] = frozenset()
    _removed: dict[str, float] = field(default_factory=dict)

    def failed(self, url: str, reason: Reason) -> None:
        """Count a failure of a target."""
        self.failures.setdefault(url, Counter())[reason.value] += 1

    def set_targets(self, urls: Iterable[str]) -> None:
        """Set the URLs of the targets that the upstream has from now on."""
        self._urls = frozenset(urls)

    def forget(self, now: float) -> None:
        """Forget targets that were removed long ago; `now` is in seconds of any clock."""
        self._removed = {url: when for url, when in self._removed.items() if url not in self._urls}
        for url in (*self.served, *self.failures):
            if url not in self._urls:
                self._removed.setdefault(url, now)
        newest = list(self._removed)[-MOST_KEPT:]
        for url, when in list(self._removed.items()):
            if now - when >= KEPT_SECONDS or url not in newest:
                del self._removed[url]
                self.served.pop(url, None)
                self.failures.pop(url, None)
