"""The choice among several candidates, by each method."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, product
from math import lcm
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.steps import steps
from wsgateway.settings.basics import BalanceMethod
from wsgateway.upstream.balance import Balancer, balancer

from .plain import Plain, less_of_two

# Of what a choice by hash remembers.
MOST_KEYS, BEST_KEPT = 8192, 8

METHODS: tuple[BalanceMethod, ...] = get_args(BalanceMethod)
PLACES = count()


@dataclass(eq=False)
class Candidate:
    name: str
    weight: int = 1
    open: int = 0
    credit: int = 0

    def __post_init__(self) -> None:
        self.place = (next(PLACES),)


def candidates(**weights: int) -> list[Candidate]:
    return [Candidate(name, weight) for name, weight in weights.items()]


def numbers(*these: float) -> Callable[[], float]:
    """Return these numbers, one after the other."""
    return iter(these).__next__


def never() -> float:
    raise AssertionError("nothing here is left to chance")


def among(method: BalanceMethod, them: list[Candidate], random: Callable[[], float] = never) -> Balancer[Candidate]:
    """Return a balancer of these candidates."""
    made: Balancer[Candidate] = balancer(method, random)
    for each in them:
        made.put(each)
    return made


def order(them: Balancer[Candidate], times: int) -> str:
    """Return the names of the chosen candidates, one after another; sessions stay open."""
    return "".join(opened(them).name for _ in range(times))


def opened(them: Balancer[Candidate], key: str | None = None) -> Candidate:
    each = them.choose(key)
    each.open += 1
    them.put(each)
    return each


def by_hash(them: list[Candidate], count: int) -> dict[str, str]:
    """Return the candidate for each key."""
    made = among("hash", them)
    return {key: made.choose(key).name for key in map(str, range(count))}


@pytest.mark.parametrize("method", METHODS)
def test_a_single_candidate_is_chosen(method: BalanceMethod) -> None:
    (alone,) = candidates(a=3)
    made = among(method, [alone])
    assert all(made.choose("key") is alone for _ in range(5))
    assert (len(made), alone in made) == (1, True)
    made.remove(alone)
    assert (len(made), alone in made) == (0, False)


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
    assert order(among("round_robin", candidates(**weights)), len(chosen)) == chosen


def test_round_robin_does_not_favour_a_candidate_that_comes_back() -> None:
    them = candidates(a=1, b=1, c=1)
    made = among("round_robin", them)
    assert order(made, 2) == "ab"
    made.remove(them[1])
    assert order(made, 4) == "ccac"
    made.put(them[1])
    assert Counter(order(made, 30)) == {"a": 10, "b": 10, "c": 10}


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
    them = candidates(**weights)
    for each, number in zip(them, open_, strict=True):
        each.open = number
    assert Counter(order(among("least_connections", them), len(chosen))) == Counter(chosen)


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
    them = candidates(a=1, b=1, c=1)
    for each, number in zip(them, (1, 0, 5), strict=True):
        each.open = number
    assert among("random", them, numbers(*draws)).choose().name == chosen


@pytest.mark.parametrize("draws", [(), (0.1, 0.1), (0.9, 0.1)], ids=str)
def test_how_busy_one_would_be_counts_the_session_that_it_is_chosen_for(draws: tuple[float, ...]) -> None:
    a, b = them = candidates(a=1, b=4)
    a.open, b.open = 0, 4
    # 1 for 1 is less than 5 for 4; if it counted twice, 2 for 1 would be more than 6 for 4.
    method: BalanceMethod = "random" if draws else "least_connections"
    assert among(method, them, numbers(*draws)).choose() is a


def test_chance_obeys_weights() -> None:
    made = among("random", candidates(a=8, b=1, c=1), Random(1).random)
    counts = Counter(made.choose().name for _ in range(2000))
    assert counts["a"] > 1500
    assert min(counts["b"], counts["c"]) > 5  # it takes both, of which neither is the one of weight 8


def test_a_hash_gives_each_as_many_keys_as_its_weight_says() -> None:
    counts = Counter(by_hash(candidates(a=1, b=1, c=2), 8000).values())
    assert abs(counts["a"] - 2000) < 200
    assert abs(counts["b"] - 2000) < 200
    assert abs(counts["c"] - 4000) < 200


def test_a_hash_is_the_same_everywhere_and_in_any_order() -> None:
    them = candidates(a=1, b=2, c=3)
    assert by_hash(them, 100) == by_hash(them[::-1], 100)
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
    assert order(among("hash", candidates(a=1, b=2)), 6) == "babbab"


def test_any_text_is_a_key() -> None:
    made = among("hash", candidates(a=1, b=1))
    for key in ("", "\xff\udcff", "a" * 100_000):
        assert made.choose(key) is made.choose(key)


# -- the same choices as by a look at all ---------------------------------------------------------------------------

Step = tuple[str, int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.sampled_from(["open", "open", "open", "close", "leave", "come", "weigh"]), st.integers(0, 20)),
    max_size=60,
)
WEIGHTS = st.lists(st.sampled_from([1, 1, 2, 3, 7]), min_size=1, max_size=14)


def run(method: BalanceMethod, them: list[Candidate], course: list[Step]) -> Iterator[tuple[str, str]]:
    """Yield, for each session of a course, which candidate is chosen, and which one by a look at all of them."""
    made, plain = among(method, them), Plain()
    there = list(them)
    for what, number in course:
        each = them[number % len(them)]
        match what:
            case "open" if there:
                key = str(number % 5) if number % 3 else None
                expected = plain.choose(method, there, key)
                yield opened(made, key).name, expected.name
            case "close" if each.open:
                each.open -= 1
                if each in made:
                    made.put(each)
            case "leave" | "weigh" if each in made:
                made.remove(each)
                there.remove(each)
                each.weight = number % 4 + 1 if what == "weigh" else each.weight
            case "come" if each not in made:
                made.put(each)
                there = [one for one in them if one in made]


@pytest.mark.parametrize("method", sorted({*METHODS} - {"random"}))
@given(WEIGHTS, STEPS)
def test_it_chooses_as_by_a_look_at_all(method: BalanceMethod, weights: list[int], course: list[Step]) -> None:
    chosen = list(run(method, [Candidate(str(at), weight) for at, weight in enumerate(weights)], course))
    assert [name for name, _ in chosen] == [expected for _, expected in chosen]


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2], [3, 1, 2, 1], [2, 2, 5, 1]])
def test_chance_chooses_each_as_often_as_by_a_look_at_all(weights: list[int]) -> None:
    them = [Candidate(str(at), weight, open=at % 3) for at, weight in enumerate(weights)]
    total = sum(weights)
    # Numbers at equal distances, so that each is chosen for as many of them as it is likely, exactly.
    firsts, seconds = total, lcm(*(total - weight for weight in weights))
    chosen, expected = Counter[str](), Counter[str]()
    for pair in product(*([(at + 0.5) / size for at in range(size)] for size in (firsts, seconds))):
        chosen[among("random", them, numbers(*pair)).choose().name] += 1
        expected[less_of_two(them, numbers(*pair)).name] += 1
    assert chosen == expected


# -- what a choice costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_a_choice_among_a_thousand_takes_as_many_steps_as_among_ten(method: BalanceMethod) -> None:
    def taken(size: int) -> int:
        made = among(method, [Candidate(str(at), 1 + at % 2) for at in range(size)], Random(1).random)
        order(made, 2 * size)
        made.choose("key")
        return max(steps(lambda: opened(made, "key")) for _ in range(20))

    assert taken(1000) <= taken(10) + 3


def test_scores_are_computed_once_for_a_key() -> None:
    made = among("hash", [Candidate(str(at)) for at in range(1000)])
    new = steps(lambda: made.choose("key"))
    known = [steps(lambda: made.choose("key")) for _ in range(3)]
    assert max(known) < new / 50


def test_scores_of_the_keys_that_were_used_last_are_remembered() -> None:
    made = among("hash", [Candidate(str(at)) for at in range(20)])
    for key in range(MOST_KEYS):
        made.choose(str(key))
    made.choose("0")
    made.choose("one more")
    known, forgotten = (steps(lambda key=key: made.choose(key)) for key in ("0", "1"))  # type: ignore[misc]
    assert forgotten > 3 * known


def test_keys_have_their_candidates_when_nearly_all_are_lost() -> None:
    them = [Candidate(str(at)) for at in range(100)]
    made = among("hash", them)
    before = {key: made.choose(key) for key in map(str, range(50))}
    for each in them[BEST_KEPT:]:
        made.remove(each)
    left = them[:BEST_KEPT]
    assert {key: made.choose(key).name for key in before} == by_hash(left, 50)
    for each in them[BEST_KEPT:]:
        made.put(each)
    assert {key: made.choose(key) for key in before} == before
