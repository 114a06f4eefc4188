"""The choice among several candidates, by each method."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import get_args

import pytest

from wsgateway.settings.basics import BalanceMethod
from wsgateway.upstream.balance import choose

METHODS: tuple[BalanceMethod, ...] = get_args(BalanceMethod)


@dataclass(eq=False)
class Candidate:
    name: str
    weight: int = 1
    open: int = 0
    credit: float = 0.0


def candidates(**weights: int) -> list[Candidate]:
    return [Candidate(name, weight) for name, weight in weights.items()]


def numbers(*these: float) -> Callable[[], float]:
    """Return the same number every time."""
    return iter(these).__next__


def never() -> float:
    raise AssertionError("nothing here is left to chance")


def order(method: BalanceMethod, among: list[Candidate], times: int) -> str:
    """Return the names of the chosen candidates, one after another; sessions stay open."""
    chosen = ""
    for _ in range(times):
        each = choose(method, among, None, never)
        each.open += 1
        chosen += each.name
    return chosen


def keys(count: int) -> Iterator[str]:
    return map(str, range(count))


def by_hash(among: list[Candidate], count: int) -> dict[str, str]:
    """Return the candidate for each key."""
    return {key: choose("hash", among, key, never).name for key in keys(count)}


@pytest.mark.parametrize("method", METHODS)
def test_a_single_candidate_is_chosen(method: BalanceMethod) -> None:
    (alone,) = candidates(a=3)
    assert all(choose(method, [alone], "key", never) is alone for _ in range(5))


@pytest.mark.parametrize(
    ("weights", "chosen"),
    [
        ({"a": 1, "b": 1, "c": 1}, "abcabcabc"),
        # The example of nginx, whose method this is.
        ({"a": 5, "b": 1, "c": 1}, "aabacaaaabacaa"),
        ({"a": 3, "b": 1}, "aabaaaba"),
        ({"a": 2, "b": 2}, "abab"),
    ],
)
def test_round_robin_chooses_each_as_often_as_its_weight_says(weights: dict[str, int], chosen: str) -> None:
    assert order("round_robin", candidates(**weights), len(chosen)) == chosen


def test_round_robin_does_not_favour_a_candidate_that_comes_back() -> None:
    among = candidates(a=1, b=1, c=1)
    assert order("round_robin", among, 2) == "ab"
    assert order("round_robin", among[::2], 4) == "ccac"
    assert Counter(order("round_robin", among, 30)) == {"a": 10, "b": 10, "c": 10}


@pytest.mark.parametrize(
    ("weights", "open_", "chosen"),
    [
        ({"a": 1, "b": 1}, [2, 1], "b"),
        ({"a": 1, "b": 1, "c": 1}, [2, 0, 1], "bcb"),
        ({"a": 3, "b": 1}, [2, 1], "a"),
        ({"a": 3, "b": 1}, [3, 0], "b"),
        ({"a": 1, "b": 1}, [1, 1], "abab"),
        ({"a": 3, "b": 1}, [0, 0], "aabaaaba"),
    ],
)
def test_the_one_with_the_fewest_for_its_weight_is_chosen(
    weights: dict[str, int], open_: list[int], chosen: str
) -> None:
    among = candidates(**weights)
    for each, count in zip(among, open_, strict=True):
        each.open = count
    assert Counter(order("least_connections", among, len(chosen))) == Counter(chosen)


@pytest.mark.parametrize(
    ("draws", "chosen"),
    [
        ((0.0, 0.0), "b"),  # a and b, of which b is less busy
        ((0.0, 0.99), "a"),  # a and c
        ((0.99, 0.99), "b"),  # c and b
        ((0.5, 0.0), "b"),  # b and a
    ],
)
def test_of_two_that_chance_picks_the_less_busy_is_chosen(draws: tuple[float, float], chosen: str) -> None:
    among = candidates(a=1, b=1, c=1)
    for each, count in zip(among, (1, 0, 5), strict=True):
        each.open = count
    assert choose("random", among, None, numbers(*draws)).name == chosen


@pytest.mark.parametrize("method", ["random", "least_connections"])
def test_how_busy_one_would_be_counts_the_session_that_it_is_chosen_for(method: BalanceMethod) -> None:
    a, b = among = candidates(a=1, b=4)
    a.open, b.open = 0, 4
    # 1 for 1 is less than 5 for 4; if it counted twice, 2 for 1 would be more than 6 for 4.
    assert choose(method, among, None, numbers(0.1, 0.1)).name == "a"
    assert choose(method, among, None, numbers(0.9, 0.1)).name == "a"


def test_chance_obeys_weights() -> None:
    among, chance = candidates(a=8, b=1, c=1), Random(1).random
    counts = Counter(choose("random", among, None, chance).name for _ in range(2000))
    assert counts["a"] > 1500
    assert min(counts["b"], counts["c"]) > 20


def test_a_hash_gives_each_as_many_keys_as_its_weight_says() -> None:
    counts = Counter(by_hash(candidates(a=1, b=1, c=2), 8000).values())
    assert abs(counts["a"] - 2000) < 200
    assert abs(counts["b"] - 2000) < 200
    assert abs(counts["c"] - 4000) < 200


def test_a_hash_is_the_same_everywhere_and_in_any_order() -> None:
    among = candidates(a=1, b=2, c=3)
    assert by_hash(among, 100) == by_hash(among[::-1], 100)
    # The choices when this was written: other ones would move the clients of every upgraded gateway.
    assert "".join(by_hash(candidates(a=1, b=1, c=1), 24).values()) == "accbacbabbbbabbbbcacccac"


def test_a_hash_moves_only_the_keys_of_the_one_that_is_lost_and_spreads_them() -> None:
    whole, without = candidates(a=1, b=1, c=1, d=1), candidates(a=1, b=1, d=1)
    before, after = by_hash(whole, 3000), by_hash(without, 3000)
    moved = Counter(after[key] for key in before if before[key] != after[key])
    assert all(before[key] == "c" for key in before if before[key] != after[key])
    assert min(moved.values()) > 180
    assert moved.keys() == {"a", "b", "d"}


def test_a_hash_moves_no_key_from_one_other_to_another_when_a_weight_grows() -> None:
    before, after = by_hash(candidates(a=1, b=1, c=1), 3000), by_hash(candidates(a=1, b=1, c=2), 3000)
    assert {after[key] for key in before if before[key] != after[key]} == {"c"}


def test_clients_without_a_key_are_distributed_in_turn() -> None:
    assert order("hash", candidates(a=1, b=2), 6) == "babbab"


def test_any_text_is_a_key() -> None:
    among = candidates(a=1, b=1)
    assert choose("hash", among, "", never) in among
    assert choose("hash", among, "\xff\udcff", never) in among
