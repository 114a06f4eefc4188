"""The counts for limits: open connections, and token buckets; and the cleanups at the end of a block."""

import pytest

from wsgateway.errors import Reason, ReasonedError
from wsgateway.serve.limits import MOST_BUCKETS, Cleanup, ConnectionCounts, RateLimiter
from wsgateway.settings.basics import Rate

# More than are kept before full ones are forgotten.
MANY = 5000


def too_many() -> ReasonedError:
    return ReasonedError(Reason.ADDRESS_FULL, "too many")


def test_open_connections_are_counted_for_each_key() -> None:
    counts = ConnectionCounts()
    first, second = (counts.one_more("one", 2, too_many) for _ in range(2))
    counts.one_more("other", 1, too_many)
    with pytest.raises(ReasonedError, match="too many"):
        counts.one_more("one", 2, too_many)
    assert counts["one"] == 2, "what was refused is not counted"
    first()
    counts.one_more("one", 2, too_many)()
    second()
    assert (counts["one"], counts["other"]) == (0, 1)


def test_without_a_limit_any_number_may_be_open() -> None:
    counts = ConnectionCounts()
    closings = [counts.one_more("one", None, too_many) for _ in range(MANY)]
    assert counts["one"] == MANY
    for close in closings:
        close()
    assert counts["one"] == 0


def test_a_key_without_open_connections_is_forgotten() -> None:
    counts = ConnectionCounts()
    for number in range(3):
        counts.one_more(number, 1, too_many)()
    with pytest.raises(ReasonedError):
        counts.one_more("never", 0, too_many)
    assert counts["never"] == 0
    assert not counts._open


def test_each_key_has_a_bucket_of_its_own() -> None:
    rate_limiters, rate = RateLimiter(), Rate(2, 8.0)
    assert [rate_limiters.missing("one", rate, 0.0) for _ in range(3)] == [0, 0, 4.0]
    assert rate_limiters.missing("other", rate, 0.0) == 0
    assert rate_limiters.missing("one", rate, 3.0) == 1.0, "who is refused takes nothing"
    assert rate_limiters.missing("one", rate, 4.0) == 0


def test_of_very_many_buckets_those_that_are_full_again_are_forgotten() -> None:
    rate_limiters, rate = RateLimiter(), Rate(1, 10.0)
    for number in range(MANY):
        assert rate_limiters.missing(number, rate, 10.0 * number) == 0
    assert len(rate_limiters._buckets) < MANY, "all but the last are full again"
    assert rate_limiters.missing(MANY - 1, rate, 10.0 * (MANY - 1)) == 10.0


def test_of_very_many_buckets_those_that_are_not_full_are_kept() -> None:
    rate_limiters, rate = RateLimiter(), Rate(1, 10.0)
    for number in range(3 * MANY):
        assert rate_limiters.missing(number, rate, 0.0) == 0
    for number in range(3 * MANY):
        assert rate_limiters.missing(number, rate, 5.0) == 5.0
    # They are checked again when there are twice as many, and not each time.
    looked_at = rate_limiters._many
    assert 3 * MANY < looked_at <= 6 * MANY
    for number in range(looked_at):
        assert rate_limiters.missing(("late", number), rate, 100.0) == 0
    assert len(rate_limiters._buckets) <= looked_at
    assert rate_limiters.missing(0, rate, 100.0) == 0, "it was full, and is a new one"


def test_of_more_buckets_than_may_be_kept_the_one_used_least_recently_is_forgotten() -> None:
    rate_limiters, rate = RateLimiter(), Rate(1, 10.0)
    for number in range(MOST_BUCKETS):
        assert rate_limiters.missing(number, rate, 0.0) == 0
    assert rate_limiters.missing(0, rate, 1.0) == 9.0, "and so it is used again"
    for number in range(3):
        assert rate_limiters.missing(("late", number), rate, 1.0) == 0
    assert len(rate_limiters._buckets) == MOST_BUCKETS
    assert rate_limiters.missing(0, rate, 1.0) == 9.0
    assert rate_limiters.missing(4, rate, 1.0) == 9.0
    assert rate_limiters.missing(3, rate, 1.0) == 0, "it was forgotten, and is a new one"


def test_cleanups_run_last_to_first_and_once() -> None:
    done: list[str] = []

    def fail() -> None:
        with cleanup:
            cleanup.extend([lambda: done.append("first"), lambda: done.append("last")])
            raise ValueError("inside")

    cleanup = Cleanup()
    with pytest.raises(ValueError, match="inside"):
        fail()
    assert done == ["last", "first"]
    assert not cleanup


def test_all_cleanups_run_if_one_raises() -> None:
    done: list[str] = []

    def broken() -> None:
        raise ValueError("a bug")

    cleanup = Cleanup([lambda: done.append("first"), broken, broken, lambda: done.append("last")])
    with pytest.raises(ValueError, match="a bug"):
        cleanup.run()
    assert done == ["last", "first"]
