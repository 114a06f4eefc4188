"""The last refusals of a process."""

from itertools import count

from wsgateway.errors import BRIEF_CHARACTERS, Reason
from wsgateway.observe.refusals import MOST_REFUSALS, Refusals, newest


def test_a_refusal_is_told_with_its_time_its_reason_and_who_it_was() -> None:
    refusals = Refusals(lambda: 7.12345)
    facts = {"client": "192.0.2.7:50123", "agent": "old"}
    refusals.note(Reason.ROUTE_MISSING, 404, "no route for /x", facts)
    refusals.note(Reason.TLS_FAILED, None, "alert", {"client": "unix"})
    assert refusals.last() == [
        {"at": 7.123, "reason": "route-missing", "status": 404, "why": "no route for /x", **facts},
        {"at": 7.123, "reason": "tls-failed", "why": "alert", "client": "unix"},
    ]


def test_only_the_last_ones_are_kept_however_many_there_are() -> None:
    times = count(1.0)
    refusals = Refusals(lambda: next(times))
    for _ in range(3 * MOST_REFUSALS):
        refusals.note(Reason.ROUTE_MISSING, 404, "", {"client": "unix"})
    assert [each["at"] for each in refusals.last()] == list(range(2 * MOST_REFUSALS + 1, 3 * MOST_REFUSALS + 1))


def test_what_a_client_makes_up_is_cut() -> None:
    refusals = Refusals()
    refusals.note(Reason.ROUTE_MISSING, 404, "w" * 9999, {"client": "unix", "path": "/" * 9999})
    (told,) = refusals.last()
    assert told["why"] == "w" * BRIEF_CHARACTERS
    assert told["path"] == "/" * BRIEF_CHARACTERS


def test_what_is_new_is_told_once() -> None:
    times = iter(range(10_000))
    refusals = Refusals(lambda: next(times))
    assert refusals.new() == []
    for many, told in ((2, [0, 1]), (0, []), (1, [2]), (MOST_REFUSALS + 5, list(range(8, MOST_REFUSALS + 8)))):
        for _ in range(many):
            refusals.note(Reason.ROUTE_MISSING, 404, "", {})
        assert [each["at"] for each in refusals.new()] == told
    assert len(refusals.last()) == MOST_REFUSALS


def test_the_newest_of_several_processes_are_kept() -> None:
    of_one, of_other = ([{"at": float(at)} for at in range(begin, 400, 2)] for begin in (0, 1))
    assert [each["at"] for each in newest([*of_one, *of_other])] == list(range(200, 400))
