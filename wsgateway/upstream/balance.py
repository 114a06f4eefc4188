"""Which of several candidates serves next. Each method is a function, and `METHODS` has them all.

A candidate carries what the methods remember of it, so nothing is left behind by one that is gone. All methods obey
weights: a candidate of weight 3 is chosen three times as often as one of weight 1, or holds three times as many.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

from wsgateway.settings.pooling import BalanceMethod


class Candidate(Protocol):
    """What a method looks at."""

    name: str
    """by which a hash tells it from the others, in every process and after every restart"""
    weight: int
    open: int
    """how many sessions it holds"""
    credit: float
    """what round robin owes it"""


C = TypeVar("C", bound=Candidate)
Random = Callable[[], float]
"""Gives numbers from 0 up to, but not, 1."""


def choose(method: BalanceMethod, candidates: Sequence[C], key: str | None, random: Random) -> C:
    """One of the candidates, of which there is one at least. `key` is what is hashed; without one, they take turns."""
    if len(candidates) == 1:
        return candidates[0]
    match method:
        case "least_connections":
            return _least_connections(candidates)
        case "random":
            return _less_of_two(candidates, random)
        case "hash" if key is not None:
            return _by_hash(candidates, key)
    return _round_robin(candidates)


def _round_robin(candidates: Sequence[C]) -> C:
    """Smooth: with weights 5, 1 and 1 it is a a b a c a a, not five times the first (as nginx does it)."""
    for each in candidates:
        each.credit += each.weight
    chosen = max(candidates, key=lambda each: each.credit)
    chosen.credit -= sum(each.weight for each in candidates)
    return chosen


def _least_connections(candidates: Sequence[C]) -> C:
    """The one with the fewest for its weight when it has got this one, too. Equal ones take turns."""
    least = min((each.open + 1) / each.weight for each in candidates)
    return _round_robin([each for each in candidates if (each.open + 1) / each.weight == least])


def _less_of_two(candidates: Sequence[C], random: Random) -> C:
    """The less busy of two that chance picks: nearly as even as to look at all, and many gateways make no herd."""
    first = _at_random(candidates, random)
    second = _at_random([each for each in candidates if each is not first], random)
    return min(first, second, key=lambda each: (each.open + 1) / each.weight)


def _at_random(candidates: Sequence[C], random: Random) -> C:
    left = random() * sum(each.weight for each in candidates)
    for each in candidates:
        left -= each.weight
        if left < 0:
            return each
    return candidates[-1]


def _by_hash(candidates: Sequence[C], key: str) -> C:
    """Rendezvous hashing: every candidate draws a lot for the key, and the best has it. When one is lost only its own
    keys move, and they spread over all the others; when it comes back it gets the same ones."""
    return max(candidates, key=lambda each: (_lot(key, each), each.name))


def _lot(key: str, candidate: Candidate) -> float:
    """A lot from a hash, the same everywhere; the best of many is won by each as often as its weight says."""
    digest = blake2b(f"{candidate.name}\0{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    # 52 bits and a half: a float holds that, so it is neither 0 nor 1.
    return candidate.weight / -math.log(((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52)
