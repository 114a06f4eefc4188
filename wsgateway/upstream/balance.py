"""The balancing methods, which choose one of several candidates. Each is a class that keeps its candidates in order.

A choice among a thousand candidates costs about the same as one among ten: of each weight, only the first candidate is
looked at. All methods use weights: a candidate of weight 3 is chosen three times as often as one of weight 1, or gets
three times as many sessions.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from heapq import nlargest
from typing import Generic, Protocol, TypeVar

from wsgateway.settings.basics import BalanceMethod

Random = Callable[[], float]
"""returns a number from 0 (included) to 1 (excluded)"""
Place = tuple[int, ...]

# The scores of a key are remembered for this many keys, the newest: some 2 MiB.
MOST_KEYS = 8192
# Of these candidates: all of them are rarely down or full.
BEST_KEPT = 8


class Candidate(Protocol):
    """The properties of a candidate that methods use. It must be removed before its place or its weight changes."""

    name: str
    """the identity for hashes, the same in every process and after every restart"""
    place: Place
    """the order of candidates that are equal otherwise; no two have the same"""
    weight: int
    open: int
    """how many sessions it has now"""
    credit: int
    """the state of round robin, while the candidate is in no balancer: how much it is behind its share"""


C = TypeVar("C", bound=Candidate)


class Balancer(Protocol[C]):
    """A method with its candidates."""

    def __len__(self) -> int:
        """Return the number of candidates."""

    def __contains__(self, candidate: object) -> bool:
        """Return whether it is one of the candidates."""

    def put(self, candidate: C) -> None:
        """Add a candidate, if it is not there, and note how many sessions it has."""

    def remove(self, candidate: C) -> None:
        """Remove a candidate."""

    def choose(self, key: str | None = None) -> C:
        """Return one of the candidates, of which there must be at least one. `key` is the text to hash."""


class RoundRobin(Generic[C]):
    """Choose the next one, smoothly: weights 5, 1 and 1 give a a b a c a a, not five times the first (as in nginx).

    For each choice, every candidate gets as much credit as it weighs; the one with the most credit is chosen, and pays
    the weights of all. Candidates of the same weight get the same, so their order changes only by what they pay. So
    their credit is not changed for each choice: it is computed from the number of choices so far.
    """

    def __init__(self) -> None:
        self._choices = 0
        self._weights = 0  # of all candidates together
        self._lines: dict[int, list[tuple[int, Place, C]]] = {}
        """by weight: the candidates with their debts and places, the next one first"""
        self._debts: dict[C, int] = {}
        """what each candidate has paid so far, less the credit that it came with"""

    def __len__(self) -> int:
        return len(self._debts)

    def __contains__(self, candidate: object) -> bool:
        return candidate in self._debts

    def __iter__(self) -> Iterator[C]:
        return iter(self._debts)

    def put(self, candidate: C) -> None:
        if candidate not in self._debts:
            self._weights += candidate.weight
            self._line_up(candidate, candidate.weight * self._choices - candidate.credit)

    def remove(self, candidate: C) -> None:
        weight, debt = candidate.weight, self._debts.pop(candidate)
        line = self._lines[weight]
        del line[bisect_left(line, (debt, candidate.place))]
        if not line:
            del self._lines[weight]
        self._weights -= weight
        candidate.credit = weight * self._choices - debt

    def choose(self, key: str | None = None) -> C:
        self._choices += 1
        _, line = min(self._lines.items(), key=self._need)
        debt, _, chosen = line.pop(0)
        self._line_up(chosen, debt + self._weights)
        return chosen

    def _line_up(self, candidate: C, debt: int) -> None:
        self._debts[candidate] = debt
        insort(self._lines.setdefault(candidate.weight, []), (debt, candidate.place, candidate))

    def _need(self, line: tuple[int, list[tuple[int, Place, C]]]) -> tuple[int, Place]:
        """Return what decides between the first ones of two lines: the least is chosen."""
        weight, candidates = line
        debt, place, _ = candidates[0]
        return debt - weight * self._choices, place


class LeastConnections(Generic[C]):
    """Choose the candidate that then has the fewest sessions for its weight; equal ones take turns."""

    def __init__(self) -> None:
        self._loads: list[float] = []  # the least first
        self._of_load: dict[float, RoundRobin[C]] = {}
        self._load_of: dict[C, float] = {}

    def __len__(self) -> int:
        return len(self._load_of)

    def __contains__(self, candidate: object) -> bool:
        return candidate in self._load_of

    def put(self, candidate: C) -> None:
        load = load_of(candidate)
        if candidate in self._load_of:
            if self._load_of[candidate] == load:
                return
            self.remove(candidate)
        if load not in self._of_load:
            self._of_load[load] = RoundRobin()
            insort(self._loads, load)
        self._of_load[load].put(candidate)
        self._load_of[candidate] = load

    def remove(self, candidate: C) -> None:
        load = self._load_of.pop(candidate)
        equals = self._of_load[load]
        equals.remove(candidate)
        if not equals:
            del self._of_load[load]
            del self._loads[bisect_left(self._loads, load)]

    def choose(self, key: str | None = None) -> C:
        return self._of_load[self._loads[0]].choose()


def load_of(candidate: Candidate) -> float:
    """Return the sessions for its weight that a candidate has if it is chosen."""
    return (candidate.open + 1) / candidate.weight


class LessOfTwo(Generic[C]):
    """Choose the less busy one of two random candidates.

    This is nearly as even as a look at all of them, and several gateways do not all choose the same candidate.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._weights = 0  # of all candidates together
        self._lines: dict[int, list[tuple[Place, C]]] = {}
        """by weight: the places of the candidates, and they themselves"""
        self._candidates: set[C] = set()

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, candidate: object) -> bool:
        return candidate in self._candidates

    def put(self, candidate: C) -> None:
        if candidate not in self._candidates:
            self._candidates.add(candidate)
            self._weights += candidate.weight
            insort(self._lines.setdefault(candidate.weight, []), (candidate.place, candidate))

    def remove(self, candidate: C) -> None:
        self._candidates.remove(candidate)
        self._weights -= candidate.weight
        line = self._lines[candidate.weight]
        del line[bisect_left(line, (candidate.place,))]
        if not line:
            del self._lines[candidate.weight]

    def choose(self, key: str | None = None) -> C:
        first = self._at_random()
        if len(self._candidates) == 1:
            return first
        self.remove(first)
        second = self._at_random()
        self.put(first)
        return min(first, second, key=load_of)

    def _at_random(self) -> C:
        at = self._random() * self._weights if len(self._candidates) > 1 else 0.0
        for weight, line in self._lines.items():
            share = weight * len(line)
            if at < share:
                break
            at -= share
        return line[min(int(at / weight), len(line) - 1)][1]


class ByHash(Generic[C]):
    """Choose the candidate with the best score for the key (rendezvous hashing); without a key, the next one in turn.

    When a candidate is lost, only its own keys move, and they spread over all the others; when it comes back, it gets
    the same keys. A score needs a hash of the candidate and the key, so a key that is new costs one for each candidate.
    """

    def __init__(self) -> None:
        self._candidates = RoundRobin[C]()
        self._scored: dict[C, int] | None = None
        """the candidates, and some that were removed, with the weights for which scores are remembered"""
        self._best: dict[bytes, list[C]] = {}
        """by a hash of the key: those with the best scores; the key that was last used is the last"""

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, candidate: object) -> bool:
        return candidate in self._candidates

    def put(self, candidate: C) -> None:
        self._candidates.put(candidate)
        if self._scored is not None and self._scored.get(candidate) != candidate.weight:
            self._forget()

    def remove(self, candidate: C) -> None:
        self._candidates.remove(candidate)

    def choose(self, key: str | None = None) -> C:
        if key is None:
            return self._candidates.choose()
        data = key.encode("utf-8", "surrogateescape")
        if self._scored is None:
            self._scored = {each: each.weight for each in self._candidates}
        for each in self._best_of(data, self._scored):
            if each in self._candidates:
                return each
        if len(self._scored) > 2 * len(self._candidates):
            self._forget()  # most of those with scores have been removed
            return self.choose(key)
        return max(self._candidates, key=partial(_score, data))

    def _best_of(self, key: bytes, scored: Iterable[C]) -> list[C]:
        """Return those with the best scores for a key, the best one first."""
        known = blake2b(key, digest_size=16).digest()  # a key may be long
        best = self._best.pop(known, None)
        if best is None:
            best = nlargest(BEST_KEPT, scored, key=partial(_score, key))
            if len(self._best) == MOST_KEYS:
                del self._best[next(iter(self._best))]
        self._best[known] = best
        return best

    def _forget(self) -> None:
        self._scored = None
        self._best.clear()


def _score(key: bytes, candidate: Candidate) -> tuple[float, str]:
    """Return a score from a hash, the same in every process; each candidate is best as often as its weight says.

    The name decides between equal scores.
    """
    digest = blake2b(b"%b\0%b" % (candidate.name.encode(), key), digest_size=8).digest()
    # 52 bits and a half: a float can hold this, so it is neither 0 nor 1.
    share = ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2**52
    return candidate.weight / -math.log(share), candidate.name


def balancer(method: BalanceMethod, random: Random) -> Balancer[C]:
    """Return a method without candidates."""
    match method:
        case "least_connections":
            return LeastConnections()
        case "random":
            return LessOfTwo(random)
        case "hash":
            return ByHash()
    return RoundRobin()
