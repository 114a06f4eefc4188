"""Histograms: which bucket a value is in, and how they are added."""

import pytest

from wsgateway.observe.histogram import (
    HANDSHAKE_SECONDS,
    LAG_SECONDS,
    QUEUE_SECONDS,
    SESSION_SECONDS,
    Histogram,
    cumulated,
)
from wsgateway.observe.lag import NOTES_OF_A_PERIOD, LoopLag
from wsgateway.observe.status import merged

BOUNDS = (0.5, 1, 86400)


@pytest.mark.parametrize(
    ("value", "bucket"),
    [(0, "0.5"), (0.5, "0.5"), (0.500001, "1"), (1, "1"), (1.5, "86400"), (86400, "86400"), (86400.5, "+Inf")],
)
def test_a_bound_belongs_to_its_bucket(value: float, bucket: str) -> None:
    histogram = Histogram(BOUNDS)
    histogram.observe(value)
    assert histogram.status() == {"buckets": {bucket: 1}, "sum": value}


def test_nothing_is_told_of_what_has_not_happened_and_all_buckets_are_there() -> None:
    assert Histogram(BOUNDS).status() == {}
    assert cumulated({}, BOUNDS) == [("0.5", 0), ("1", 0), ("86400", 0), ("+Inf", 0)]


def test_histograms_of_several_processes_are_added() -> None:
    first, second = Histogram(BOUNDS), Histogram(BOUNDS)
    for histogram, value in ((first, 0.25), (first, 2.0), (second, 3.0), (second, 1e6)):
        histogram.observe(value)
    together = merged([first.status(), second.status(), {}])
    assert together == {"buckets": {"0.5": 1, "86400": 2, "+Inf": 1}, "sum": 1_000_005.25}
    assert cumulated(together, BOUNDS) == [("0.5", 1), ("1", 1), ("86400", 3), ("+Inf", 4)]


@pytest.mark.parametrize("bounds", [HANDSHAKE_SECONDS, SESSION_SECONDS, QUEUE_SECONDS, LAG_SECONDS])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_the_worst_lag_is_known_for_one_period_at_least_and_two_at_most() -> None:
    lag = LoopLag()
    assert lag.worst == 0.0
    lag.note(0.75)
    for _ in range(2 * NOTES_OF_A_PERIOD - 1):
        lag.note(0.001)
        assert lag.worst == 0.75
    lag.note(0.002)
    assert lag.worst == 0.002
    assert lag.histogram.status() == {
        "buckets": {"0.001": 2 * NOTES_OF_A_PERIOD - 1, "0.0025": 1, "1": 1},
        "sum": pytest.approx(0.75 + (2 * NOTES_OF_A_PERIOD - 1) * 0.001 + 0.002),
    }
