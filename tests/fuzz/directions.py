"""The directions of sessions that are compared."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from tests.relay.in_c import Both
from wsgateway.dialects import DIALECTS, Framing, Limits, Side
from wsgateway.dialects.base import Translator
from wsgateway.relay.translate import TranslationOptions, translator
from wsgateway.wire.binary import BinaryRule
from wsgateway.wire.events import Role

FRAMINGS = list({id(dialect.framing): dialect.framing for dialect in DIALECTS.values()}.values())


def mask_keys() -> Iterator[bytes]:
    """Yield keys that all differ; two iterators yield the same."""
    return ((number * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "big") for number in count(1))


@dataclass(frozen=True)
class Case:
    """A direction, with the options of its route."""

    source: Framing
    target: Framing
    role: Role
    """ours towards the source"""
    options: TranslationOptions
    joins: bool

    def translator(self, keys: Iterator[bytes]) -> Translator:
        other = Role.CLIENT if self.role is Role.SERVER else Role.SERVER
        source, target = Side(self.source, self.role), Side(self.target, other, joins=self.joins)
        return translator(source, target, self.options, keys)


def cases(chance: random.Random) -> list[Case]:
    """Return every pair of framings in both roles, with options by chance; the pairs that C handles, several times."""
    made = []
    for source in FRAMINGS:
        for target in FRAMINGS:
            known = source.layout is not None and target.layout is not None
            for _ in range(4 if known else 1):
                for role in Role:
                    limits = Limits(
                        message_bytes=chance.choice((130, 1000, 70_000, 1 << 24)),
                        fragments=chance.choice((2, 65536)),
                        join_bytes=chance.choice((100, 65536)),
                    )
                    rule = BinaryRule(chance.choice(("reject", "base64", "latin-1")), chance.choice(("none", "base64")))
                    text = chance.choice(("replace", "replace", "close"))
                    options = TranslationOptions(limits, rule, text, chance.random() < 0.3 and source is target)
                    made.append(Case(source, target, role, options, chance.random() < 0.05))
    return made


def both(case: Case) -> Both:
    """Return the translators of a case."""
    return Both(case.translator, mask_keys())
