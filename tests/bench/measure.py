"""How something is measured: figures, their medians, and tables of them.

Only ratios within one run are worth anything. All subjects of a table are up at the same time, each round measures all
of them in an order of its own, and a figure is the median of its rounds.
"""

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .clients import Crowd, Figures, clients
from .subjects import Subject


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 0.8
    """of each measurement"""
    warm_seconds: float = 0.25
    """before each, so that caches are warm and reads have their size"""
    connects: int = 500
    """sessions that are opened and closed. Each keeps a port of the machine for a minute, and there are 28000"""
    settle_seconds: float = 1.0
    """before memory is looked at"""
    most_sessions: int = 8000
    most_routes: int = 5000


QUICK = Effort(1, seconds=0.1, warm_seconds=0.05, connects=20, settle_seconds=0.1, most_sessions=50, most_routes=100)


@dataclass(frozen=True)
class Place:
    """Where it is measured."""

    folder: Path
    """has the programs in C"""
    upstream: int
    """its port"""
    effort: Effort

    def own(self) -> Path:
        """Return a new folder."""
        folder = self.folder / f"{random.randrange(1 << 32):08x}"
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class Point:
    """One thing to measure."""

    subject: Subject
    crowd: Crowd
    dialect: str = "rfc6455"
    connects: bool = False
    """whether sessions are opened and closed, and say nothing"""


@dataclass(frozen=True)
class Table:
    """Figures for people: the first column says of what."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        told = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines]
        return "\n  ".join([self.title, *told])


def measure(place: Place, points: list[Point]) -> list[Figures]:
    """Return the figures of each point: the medians of all rounds."""
    found: list[list[Figures]] = [[] for _ in points]
    for _ in range(place.effort.rounds):
        for at in random.sample(range(len(points)), len(points)):
            found[at].append(_once(place, points[at]))
    return list(map(_medians, found))


def _once(place: Place, point: Point) -> Figures:
    with clients(place.folder, point.subject, point.dialect, point.crowd) as several:
        if point.connects:
            several.connect(place.effort.connects // 5)
            return several.connect(place.effort.connects)
        opened = several.open()
        several.echo(place.effort.warm_seconds)
        found = several.echo(place.effort.seconds)
        return replace(found, wrong=found.wrong + opened.wrong)


def _medians(several: list[Figures]) -> Figures:
    def median(of: Callable[[Figures], float]) -> float:
        return statistics.median(map(of, several))

    return Figures(
        round(median(lambda each: each.count)),
        max(each.wrong for each in several),
        round(median(lambda each: each.p50_us)),
        round(median(lambda each: each.p99_us)),
        max(each.most_us for each in several),
        cpu_us=median(lambda each: each.cpu_us),
    )
