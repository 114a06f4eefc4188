"""The balancing methods, which choose one of several candidates. Each is a function, and `choose` calls the right one.

A method keeps its state in the candidates, so nothing remains of a removed candidate. All methods use weights: a
candidate of weight 3 is chosen three times as often as one of weight 1, or gets three times as many sessions.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Protocol, TypeVar

from wsgateway.settings.basics import BalanceMethod


class Candidate(Protocol):
    """The properties of a candidate that methods use."""

    name: str
    """the identity for hashes, the same in every process and after every restart"""
    weight: int
    open: int
    """how many sessions it has now"""
    credit: float
    """the state of round robin: how much the candidate is behind its share"""


C = TypeVar("C", bound=Candidate)
Random = Callable[[], float]
"""returns a number from 0 (included) to 1 (excluded)"""


def choose(method: BalanceMethod, candidates: Sequence[C], key: str | None, random: Random) -> C:
    """Return one of the candidates, of which there must be at least one.

    `key` is the text to hash; the method "hash" without a key is round robin.
    """
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
    """Return the next one, smoothly: weights 5, 1 and 1 give a a b a c a a, not five times the first (as in nginx)."""
    for each in candidates:
        each.credit += each.weight
    chosen = max(candidates, key=lambda each: each.credit)
    chosen.credit -= sum(each.weight for each in candidates)
    return chosen


def _least_connections(candidates: Sequence[C]) -> C:
    """Return the one that then has the fewest sessions for its weight; equal ones take turns."""
    least = min((each.open + 1) / each.weight for each in candidates)
    return _round_robin([each for each in candidates if (each.open + 1) / each.weight == least])


def _less_of_two(candidates: Sequence[C], random: Random) -> C:
    """Return the less busy one of two random candidates.

    This is nearly as even as a look at all of them, and several gateways do not all choose the same candidate.
    """
    first = _at_random(candidates, random)
    second = _at_random([each for each in candidates if each is not first], random)
    return min(first, second, key=lambda each: (each.open + 1) / each.weight)


def _at_random(candidates: Sequence[C], random: Random) -> C:
    remaining = random() * sum(each.weight for each in candidates)
    for each in candidates:
        remaining -= each.weight
        if remaining < 0:
            return each
    return candidates[-1]


def _by_hash(candidates: Sequence[C], key: str) -> C:
    """Return the candidate with the best score for the key (rendezvous hashing).

    When a candidate is lost, only its own keys move, and they spread over all the others; when it comes back, it gets
    the same keys.
    """
    return max(candidates, key=lambda each: (_score(key, each), each.name))


def _score(key: str, candidate: Candidate) -> float:
    """Return a score from a hash, the same in every process; each candidate is best as often as its weight says."""
    digest = blake2b(f"{candidate.name}\0{key}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    # 52 bits and a half: a float can hold this, so it is neither 0 nor 1.
    return candidate.weight / -math.log(((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52)
