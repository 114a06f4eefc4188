"""What a metric is: a place in the status, and the values of its labels on the way there."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wsgateway.observe.known import Known

EACH = "*"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text of the status that becomes the value of a label: 1 for the text itself, 0 for each other possible text."""

    values: tuple[str, ...] = ()
    """the possible texts; empty: any text"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Texts of the status, under these keys, that become the values of labels; the number is always 1."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsThere:
    """1 for a text of the status, 0 for None."""


PathStep = str | tuple[str, ...] | OneOf | Facts | IsThere
Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric: a number of the status, or several that differ by labels."""

    name: str
    """without what `full` adds"""
    path: tuple[PathStep, ...]
    """the keys that lead to it. EACH stands for every key, which is the value of a label, and a tuple for every entry
    of a list, of which these are the values of labels"""
    help: str
    labels: tuple[str, ...] = ()
    """their names, in the order of the path"""
    together: Callable[[float, float], float] = operator.add
    """combines several numbers with equal labels, as of one target in several workers"""
    zeros: tuple[Known, ...] = ()
    """the values of labels for which there is a 0 from the start, in the order of the labels, each with each"""
    bounds: tuple[float, ...] = ()
    """of the buckets of a histogram"""
    prefix: str = "wsgateway"

    def full(self, kind: Kind) -> str:
        """Return the name as Prometheus has it."""
        return f"{self.prefix}_{self.name}{'_total' if kind == 'counter' else ''}"
