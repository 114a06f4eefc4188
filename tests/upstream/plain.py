"""The choice of a target in plain words: by a look at all of them each time. Tests compare the pool with it."""

import math
from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

from wsgateway.settings.basics import BalanceMethod


class Candidate(Protocol):
    name: str
    weight: int
    open: int


C = TypeVar("C", bound=Candidate)


class Plain:
    """The methods that leave nothing to chance, with the credit of round robin."""

    def __init__(self) -> None:
        self.credit: dict[object, int] = {}

    def choose(self, method: BalanceMethod, candidates: Sequence[C], key: str | None) -> C:
        """Return one of the candidates, the order of which decides between equal ones."""
        match method:
            case "least_connections":
                least = min(map(load, candidates))
                return self._next([each for each in candidates if load(each) == least])
            case "hash" if key is not None:
                return max(candidates, key=lambda each: (_score(key, each), each.name))
        return self._next(candidates)

    def _next(self, candidates: Sequence[C]) -> C:
        for each in candidates:
            self.credit[each] = self.credit.get(each, 0) + each.weight
        chosen = max(candidates, key=self.credit.__getitem__)
        self.credit[chosen] -= sum(each.weight for each in candidates)
        return chosen


def load(candidate: Candidate) -> float:
    return (candidate.open + 1) / candidate.weight


def _score(key: str, candidate: Candidate) -> float:
    digest = blake2b(f"{candidate.name}\0{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return candidate.weight / -math.log(((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52)


def less_of_two(candidates: Sequence[C], random: Callable[[], float]) -> C:
    """Return the less busy one of two that chance has chosen."""
    if len(candidates) == 1:
        return candidates[0]
    first = _at_random(candidates, random)
    second = _at_random([each for each in candidates if each is not first], random)
    return min(first, second, key=load)


def _at_random(candidates: Sequence[C], random: Callable[[], float]) -> C:
    remaining = random() * sum(each.weight for each in candidates)
    for each in candidates:
        remaining -= each.weight
        if remaining < 0:
            return each
    return candidates[-1]


class Address(Candidate, Protocol):
    @property
    def rank(self) -> tuple[bool, int]: ...
    @property
    def has_room(self) -> bool: ...


A = TypeVar("A", bound=Address)


def candidates(addresses: Sequence[A], tried: Collection[A], is_up: Callable[[A], bool]) -> list[A]:
    """Return the addresses to choose from: those of the best rank that are up, and have room."""
    untried = [each for each in addresses if each not in tried]
    up = [each for each in untried if is_up(each)]
    best = min((each.rank for each in up), default=None)
    return [each for each in ([each for each in up if each.rank == best] or untried) if each.has_room]
