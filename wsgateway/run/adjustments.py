"""What operators have changed in a running gateway, and the file does not say: drained targets, and levels of the log.

The supervisor keeps it, and tells it to every worker: at its start, and after each change. Nothing of it is written
into a file, so a new start forgets it.
"""

from dataclasses import dataclass, field, replace

from wsgateway.observe.log import Levels
from wsgateway.settings.process import Level
from wsgateway.settings.whole import Settings

DrainedTarget = tuple[str, str]
"""the name of an upstream, and the url of one of its targets"""


@dataclass(frozen=True)
class Adjustments:
    """All changes."""

    drained: frozenset[DrainedTarget] = frozenset()
    """the targets that get no new sessions"""
    levels: Levels = field(default_factory=dict)
    """levels of the log in place of that of the file"""

    def with_target(self, target: DrainedTarget, drained: bool) -> "Adjustments":
        """Return them with a target that is drained, or is not any more."""
        return replace(self, drained=self.drained | {target} if drained else self.drained - {target})

    def with_level(self, client: str, level: Level | None) -> "Adjustments":
        """Return them with a level for a network of clients, or for all if it is empty; None: that of the file."""
        others = {name: each for name, each in self.levels.items() if name != client}
        return replace(self, levels=others if level is None else {**others, client: level})

    def within(self, settings: Settings) -> "Adjustments":
        """Return them without the targets that a configuration does not have."""
        there = {(name, target.url.text) for name, each in settings.upstreams.items() for target in each.targets}
        return replace(self, drained=self.drained & there)

    def said(self) -> tuple[list[DrainedTarget], list[tuple[str, Level]]]:
        """Return the drained targets, and the levels, as messages have them."""
        return sorted(self.drained), list(self.levels.items())
