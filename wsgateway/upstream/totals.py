"""What targets have done so far, by their urls: addresses of a target come and go, and so do pools."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

# A target that left the file is told of for so long, so that whoever reads figures gets its last ones. Of each upstream
# that is at most so many targets, the newest: a file may name another one with every reload.
KEPT_SECONDS = 600.0
MOST_KEPT = 4


@dataclass(slots=True)
class TargetTotals:
    """How often the targets of an upstream have served clients, and failed them."""

    served: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    _urls: frozenset[str] = frozenset()
    _left: dict[str, float] = field(default_factory=dict)

    def take(self, urls: Iterable[str]) -> None:
        """Take the targets that the upstream has from now on."""
        self._urls = frozenset(urls)

    def forget(self, now: float) -> None:
        """Forget targets that left the upstream long ago, by the time in seconds of any clock."""
        self._left = {url: when for url, when in self._left.items() if url not in self._urls}
        for url in (*self.served, *self.failures):
            if url not in self._urls:
                self._left.setdefault(url, now)
        newest = list(self._left)[-MOST_KEPT:]
        for url, when in list(self._left.items()):
            if now - when >= KEPT_SECONDS or url not in newest:
                del self._left[url]
                self.served.pop(url, None)
                self.failures.pop(url, None)
