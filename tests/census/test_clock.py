"""The time of the census, while the clock of the machine leaps."""

from wsgateway.census.clock import DOUBT_SECONDS, SETTLED_SECONDS, CensusClock

from .counting import NOON, YEAR, Clocks


def clock_of(clocks: Clocks, latest: float = 0.0) -> CensusClock:
    return CensusClock(lambda: clocks.wall, lambda: clocks.steady, latest)


def test_the_census_has_the_time_of_the_clock() -> None:
    clocks = Clocks()
    clock = clock_of(clocks)
    assert clock.now() == (NOON, False, False)
    clocks.pass_(60)
    assert clock.now() == (NOON + 60, False, False)


def test_a_clock_that_goes_back_a_year_and_on_again_changes_nothing() -> None:
    clocks = Clocks()
    clock = clock_of(clocks)
    clock.now()
    clocks.wall -= YEAR
    clocks.pass_(600)
    assert clock.now() == (NOON, False, False)
    clocks.wall += YEAR
    assert clock.now() == (NOON + 600, False, False)


def test_a_clock_that_stays_back_for_a_day_is_believed() -> None:
    clocks = Clocks()
    clock = clock_of(clocks, latest=NOON + YEAR)  # a file from a time when the clock was wrong
    assert clock.now().time == NOON + YEAR
    clocks.pass_(DOUBT_SECONDS)
    now = clock.now()
    assert (now.time, now.back) == (NOON + DOUBT_SECONDS, True)
    clocks.pass_(1)
    now = clock.now()
    assert (now.time, now.back) == (NOON + DOUBT_SECONDS + 1, False)


def test_a_clock_decides_what_is_old_when_it_has_run_for_an_hour_without_a_leap() -> None:
    clocks = Clocks()
    clock = clock_of(clocks)
    clocks.pass_(SETTLED_SECONDS - 1)
    assert not clock.now().settled
    clocks.pass_(1)
    assert clock.now().settled
    clocks.wall += YEAR
    assert not clock.now().settled
    clocks.pass_(SETTLED_SECONDS)
    assert clock.now().settled
    clocks.wall -= YEAR
    clocks.pass_(2 * SETTLED_SECONDS)
    assert not clock.now().settled  # it is in doubt
