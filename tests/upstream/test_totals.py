"""The totals of targets that were removed from the configuration: kept for some time, and for a few targets."""

from wsgateway.errors import Reason
from wsgateway.upstream.totals import TargetTotals

KEPT_SECONDS, MOST_KEPT = 600.0, 4


def test_the_totals_of_a_removed_target_are_kept_for_some_time() -> None:
    record = TargetTotals()
    record.set_targets(["ws://a", "ws://b"])
    record.served.update({"ws://a": 3, "ws://b": 4})
    record.failed("ws://a", Reason.TARGET_LOST)
    record.forget(0.0)
    record.set_targets(["ws://b"])
    record.forget(100.0)
    record.forget(100.0 + KEPT_SECONDS - 1)
    assert (record.served, record.failures) == ({"ws://a": 3, "ws://b": 4}, {"ws://a": {"target-lost": 1}})
    record.forget(100.0 + KEPT_SECONDS)
    assert (record.served, record.failures) == ({"ws://b": 4}, {})


def test_a_target_that_comes_back_counts_on() -> None:
    record = TargetTotals()
    record.set_targets(["ws://a"])
    record.served["ws://a"] = 3
    record.set_targets([])
    record.forget(0.0)
    record.set_targets(["ws://a"])
    record.forget(KEPT_SECONDS + 1)
    assert record.served == {"ws://a": 3}
    # If it is removed again, its time begins anew.
    record.set_targets([])
    record.forget(KEPT_SECONDS + 2)
    record.forget(KEPT_SECONDS + 3)
    assert record.served == {"ws://a": 3}


def test_the_totals_of_the_newest_removed_targets_are_kept() -> None:
    record = TargetTotals()
    for number in range(40):
        record.set_targets([f"ws://{number}"])
        record.failed(f"ws://{number}", Reason.TARGET_LOST)
        record.forget(float(number))
    assert list(record.failures) == [f"ws://{number}" for number in range(39 - MOST_KEPT, 40)]
