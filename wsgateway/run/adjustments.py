"""The changes of operators to a running gateway, which the file does not have: drained targets, and levels of the log.

The supervisor keeps it, and tells it to every worker: at its start, and after each change. In a hot restart the next
supervisor gets it. Nothing of it is written into a file, so a new start forgets it.
"""

from collections.abc import Mapping
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
    ends: Mapping[str, float] = field(default_factory=dict)
    """when levels end, by their networks and by Trio's clock; others last until they are changed"""

    def with_target(self, target: DrainedTarget, drained: bool) -> "Adjustments":
        """Return them with a target that is drained, or is not any more."""
        return replace(self, drained=self.drained | {target} if drained else self.drained - {target})

    def with_level(self, client: str, level: Level | None, end: float | None = None) -> "Adjustments":
        """Return them with a level for a network of clients, or for all if it is empty; None: that of the file.

        `end` is when it ends, by Trio's clock.
        """
        levels = {name: each for name, each in self.levels.items() if name != client}
        ends = {name: each for name, each in self.ends.items() if name != client}
        if level is not None:
            levels[client] = level
            ends |= {} if end is None else {client: end}
        return replace(self, levels=levels, ends=ends)

    def within(self, settings: Settings) -> "Adjustments":
        """Return them without the targets that a configuration does not have."""
        there = {(name, target.url.text) for name, each in settings.upstreams.items() for target in each.targets}
        return replace(self, drained=self.drained & there)

    def said(self) -> tuple[list[DrainedTarget], list[tuple[str, Level]]]:
        """Return the drained targets, and the levels, as messages have them."""
        return sorted(self.drained), list(self.levels.items())
