"""The number of connections of each worker: who leaves clients to others, and when."""

from collections.abc import Iterator

import pytest

from wsgateway.serve.scoreboard import MOST_LOOKS, TOLERATED, Scoreboard, ScoreboardEntry


@pytest.fixture
def memory() -> Iterator[Scoreboard]:
    memory = Scoreboard()
    yield memory
    memory.close()


def of(memory: Scoreboard, *numbers: int) -> list[ScoreboardEntry]:
    """Return workers that accept clients and have so many connections."""
    tallies = []
    for worker, connections in enumerate(numbers, 1):
        memory.add(worker)
        tallies.append(memory.entry(worker))
        tallies[-1].add(connections)
        tallies[-1].begin()
    return tallies


def ahead(memory: Scoreboard, *numbers: int) -> list[bool]:
    """Return which of the workers with so many connections leave clients to others."""
    return [each.is_ahead() for each in of(memory, *numbers)]


@pytest.mark.parametrize(
    ("numbers", "leave"),
    [
        ([0], ""),
        ([900], ""),
        ([0, 0], ""),
        ([4, 0], ""),
        ([5, 0], "1"),
        ([0, 5], "2"),
        ([105, 100], ""),
        ([107, 100], ""),
        ([108, 100], "1"),
        ([1032, 1000], ""),
        ([1040, 1000], "1"),
        ([60, 60, 50], "12"),
        ([60, 50, 40], "12"),
        ([60, 60, 60], ""),
        ([0, 900, 900], "23"),
    ],
)
def test_a_worker_that_has_some_more_than_another_leaves_clients_to_it(
    numbers: list[int], leave: str, memory: Scoreboard
) -> None:
    found = ahead(memory, *numbers)
    assert "".join(str(worker) for worker, is_ahead in enumerate(found, 1) if is_ahead) == leave


def test_connections_that_end_are_no_longer_counted(memory: Scoreboard) -> None:
    first, second = of(memory, 50, 30)
    assert first.is_ahead()
    first.add(-20)
    assert not first.is_ahead()
    second.add(-20)
    assert first.is_ahead()


def test_a_worker_that_does_not_accept_clients_does_not_count(memory: Scoreboard) -> None:
    first, second = of(memory, 50, 0)
    second.end()
    assert not first.is_ahead()
    second.add(1)  # of its listener, as a stream of HTTP/2
    assert not first.is_ahead()
    second.begin()
    assert first.is_ahead()
    memory.remove(2)  # it has died
    assert not first.is_ahead()
    memory.add(2)  # and the next one has not begun
    assert not first.is_ahead()


def test_one_that_never_gets_further_is_left_out_until_it_does(memory: Scoreboard) -> None:
    first, second, third = of(memory, 50, 0, 40)
    for _ in range(MOST_LOOKS):
        assert first.is_ahead()
        third.add(1)
    assert not first.is_ahead()
    second.add(1)
    assert first.is_ahead()


def test_a_process_alone_leaves_clients_to_nobody() -> None:
    alone = ScoreboardEntry()
    alone.begin()
    alone.add(1000)
    assert not alone.is_ahead()
    alone.end()


def test_a_worker_with_a_number_beyond_the_memory_counts_for_itself(memory: Scoreboard) -> None:
    memory.add(10**6)
    far = memory.entry(10**6)
    far.begin()
    far.add(1000)
    [first] = of(memory, 0)
    assert not far.is_ahead()
    first.add(TOLERATED + 1)
    assert not first.is_ahead()
    memory.remove(10**6)


def test_two_processes_share_the_memory_by_its_descriptor(memory: Scoreboard) -> None:
    [first] = of(memory, 50)
    memory.add(2)
    there = Scoreboard(memory.descriptor)  # as another process does
    second = there.entry(2)
    second.begin()
    assert first.is_ahead()
    second.add(50)
    assert not first.is_ahead()
