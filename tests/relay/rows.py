"""Rows of bytes: what arrives in one read, and what is sent for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from tests.cases import Decorator, cases
from tests.dialects.families import NAMES
from wsgateway.relay.translate import TranslationOptions
from wsgateway.wire.events import Role

from .passing import CLIENT, UPSTREAM, USUAL, Ending, Passed, direction, put_through

both_roles = cases("role", [CLIENT, UPSTREAM], ids=["from a client", "from an upstream"])


def from_each_of(sources: Iterable[str]) -> Decorator:
    """Return the pairs of each of these with every dialect."""
    return cases(("source", "target"), list(product(sources, NAMES)))


@dataclass(frozen=True)
class Row:
    """One read from each of some dialects, towards each of other dialects that have other frames."""

    why: str
    role: Role
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    received: str
    forward: str
    reply: str = ""
    ending: Ending = None

    def check(self, source: str, target: str, options: TranslationOptions = USUAL) -> None:
        """Check that the read is sent on in one write."""
        passed = put_through(direction(source, target, self.role, options), [bytes.fromhex(self.received)])
        assert passed == Passed([bytes.fromhex(self.forward)], bytes.fromhex(self.reply), self.ending)


def each_of(rows: list[Row], targets: tuple[str, ...] = ()) -> Decorator:
    """Return each row with its dialects; if targets are given, only those with these."""
    tried = [
        (row, source, target)
        for row in rows
        for source in row.sources
        for target in row.targets
        if not targets or target in targets
    ]
    return cases(("row", "source", "target"), tried, [_named(*case) for case in tried])


def _named(row: Row, source: str, target: str) -> str:
    return f"{row.why} from {source} {'client' if row.role is CLIENT else 'upstream'} to {target}"
