"""The token bucket; the test passes the time."""

import pytest

from wsgateway.policy.rates import Bucket
from wsgateway.settings.basics import Rate


def test_as_many_tokens_as_the_rate_allows_can_be_taken_at_once() -> None:
    bucket = Bucket(Rate(3, 1.0), 100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(1 / 3)


def test_tokens_taken_at_the_pace_of_the_rate_never_run_out() -> None:
    bucket = Bucket(Rate(2, 1.0), 0.0)
    bucket.take(0.0, 2)
    assert [bucket.take(step / 2) for step in range(1, 100)] == [0.0] * 99


def test_tokens_taken_too_early_are_missing_later() -> None:
    bucket = Bucket(Rate(60, 60.0), 0.0)
    assert bucket.take(0.0, 60) == 0.0
    assert [bucket.take(0.0) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert bucket.take(4.0) == 0.0
    assert bucket.take(4.0) == 1.0


def test_many_may_be_taken_at_once() -> None:
    bucket = Bucket(Rate(10, 1.0), 0.0)
    assert bucket.take(0.0, 25) == 1.5


def test_time_fills_a_bucket_to_its_size_and_not_further() -> None:
    bucket = Bucket(Rate(2, 1.0), 0.0)
    assert bucket.take(0.0, 2) == 0.0
    assert bucket.take(1000.0, 2) == 0.0
    assert bucket.take(1000.0) == 0.5


def test_a_token_can_be_given_back() -> None:
    bucket = Bucket(Rate(1, 1.0), 0.0)
    assert bucket.take(0.0) == 0.0
    for _ in range(5):
        assert bucket.take(0.0) == 1.0
        bucket.give_back()
    assert bucket.take(1.0) == 0.0


def test_a_bucket_is_full_when_all_tokens_are_back() -> None:
    bucket = Bucket(Rate(2, 60.0), 0.0)
    assert bucket.full(0.0)
    bucket.take(0.0)
    assert not bucket.full(0.0)
    assert not bucket.full(29.0)
    assert bucket.full(30.0)
    bucket.take(30.0, 4)
    assert not bucket.full(149.0)
    assert bucket.full(150.0)
