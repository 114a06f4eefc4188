"""The health of an address: how checks and failures change it."""

import pytest

from wsgateway.settings.health import ActiveCheck, HealthChecks, PassiveCheck
from wsgateway.upstream.health import Health

ASKED = HealthChecks(active=ActiveCheck(rise=2, fall=3))
NOTICED = HealthChecks(passive=PassiveCheck(failures=3, window_seconds=10, eject_seconds=30, eject_most_seconds=100))
HALF = HealthChecks(passive=PassiveCheck(failures=5, window_seconds=10, clients=3, share_percent=50))


def answers(health: Health, said: str) -> str:
    """Return the state after each check: + is a good one."""
    shown = ""
    for each in said:
        changed = health.answered(each == "+")
        state = health.state(0.0)
        shown += state[0].upper() if changed else state[0]
    return shown


@pytest.mark.parametrize(
    ("said", "states"),
    [
        ("", ""),
        ("+++", "uuu"),
        ("--+--+", "uuuuuu"),
        ("---", "uuD"),
        ("---+-+", "uuDddd"),
        ("---++", "uuDdU"),
        ("-----++--+---", "uuDdddUuuuuuD"),
    ],
)
def test_answers_in_a_row_bring_it_down_and_up(said: str, states: str) -> None:
    assert answers(Health(ASKED), said) == states


def fail(health: Health, *times: float) -> None:
    for each in times:
        health.failed(each)


@pytest.mark.parametrize(
    ("times", "due"),
    [
        ((), False),
        ((0, 1), False),
        ((0, 1, 2), True),
        ((0, 5, 10), True),
        ((0, 5, 10.5), False),
        ((0, 9, 11, 12), True),
        ((0, 0, 0), True),
    ],
)
def test_so_many_failures_in_a_window_are_too_many(times: tuple[float, ...], due: bool) -> None:
    health = Health(NOTICED)
    fail(health, *times)
    assert health.due(times[-1] if times else 0) is due


ATTEMPTS: dict[str, tuple[str, bool]] = {
    # + is a success, - is a failure that no client can cause, a to d are clients with a failure that they can cause.
    "as many as are needed": ("-----", True),
    "one less": ("----", False),
    "half of them": ("+++++-----", True),
    "less than half of them": ("++++++-----", False),
    "half of many": ("+" * 100 + "-" * 100, True),
    "less than half of many": ("+" * 100 + "-" * 99, False),
    "one client": ("a" * 100, False),
    "two clients": ("ab" * 50, False),
    "three clients": ("abcab", True),
    "three clients, four times": ("abca", False),
    "three clients among others": ("+++++abcab", True),
    "three clients among too many others": ("++++++abcab", False),
    "one client beside what nobody can cause": ("aaaa-", False),
    "what one client causes is not among the attempts": ("a" * 100 + "-----", True),
    "what one client causes does not outweigh the others": ("a" * 100 + "++++++-----", False),
    "three clients beside what nobody can cause": ("ab--c", True),
}


def attempt(health: Health, what: str, now: float) -> None:
    match what:
        case "+":
            health.served(now)
        case "-":
            health.failed(now)
        case client:
            health.failed(now, client)


@pytest.mark.parametrize(("attempts", "due"), ATTEMPTS.values(), ids=ATTEMPTS)
@pytest.mark.parametrize("step", [0, 0.01, 0.05])
def test_failures_count_by_clients_and_as_a_share_of_all_attempts(attempts: str, due: bool, step: float) -> None:
    health = Health(HALF)
    for number, each in enumerate(attempts):
        attempt(health, each, number * step)
    assert health.due((len(attempts) - 1) * step) is due


def test_clients_are_forgotten_with_their_failures() -> None:
    health = Health(HALF)
    for now, client in (0, "a"), (6, "b"), (10.5, "c"), (11, "c"), (11, "c"), (11, "c"), (11, "c"):
        health.failed(now, client)
    assert not health.due(11)
    health.failed(12, "d")
    assert health.due(12)


def test_successful_attempts_are_forgotten_too() -> None:
    health = Health(HALF)
    for _ in range(100):
        health.served(0)
    fail(health, 9, 9, 9, 9, 9)
    assert not health.due(9)
    assert health.due(10.5)


def test_attempts_a_tenth_of_the_window_apart_are_forgotten_separately() -> None:
    health = Health(HALF)
    health.served(0)
    fail(health, 1, 1, 1, 1, 1)
    assert health.due(10.5)
    health = Health(HALF)
    fail(health, 0, 0.9, 0.9, 0.9, 0.9)
    assert health.due(10)
    assert not health.due(10.1)


def test_the_memory_of_attempts_does_not_grow() -> None:
    health = Health(HALF)

    def remembered() -> int:
        slots = health._slots
        return len(slots) + sum(len(slot.clients) for slot in slots)

    sizes = []
    for number in range(20_000):
        attempt(health, f"192.0.2.{number}", number / 1000)
        health.served(number / 1000)
        sizes.append(remembered())
    assert max(sizes) <= 11 * (1 + 3)


def test_failures_that_are_not_counted_are_never_too_many() -> None:
    health = Health(HealthChecks(passive=PassiveCheck(failures=None)))
    fail(health, *[0.0] * 100)
    assert not health.due(0)


def test_an_ejection_lasts_its_time_and_forgets_the_failures() -> None:
    health = Health(HealthChecks(passive=PassiveCheck(failures=3, window_seconds=100, eject_seconds=30)))
    fail(health, 0, 1, 2)
    assert health.eject(2) == 30
    assert [health.state(now) for now in (2, 31.9, 32)] == ["ejected", "ejected", "up"]
    fail(health, 32, 33)
    assert not health.due(33)
    fail(health, 34)
    assert health.due(34)


def test_an_ejection_that_follows_soon_is_twice_as_long_up_to_a_bound() -> None:
    health = Health(NOTICED)
    now, lengths = 0.0, []
    for _ in range(4):
        lengths.append(health.eject(now))
        now += lengths[-1] + 1
    assert lengths == [30, 60, 100, 100]
    now += 100
    assert health.eject(now) == 30
    # It is soon while less time has passed since its end than the ejection took.
    assert health.eject(now + 59.9) == 60
    assert health.eject(now + 59.9 + 120) == 30


def test_an_address_that_is_down_stays_down_while_it_is_ejected() -> None:
    health = Health(HealthChecks(ASKED.active, NOTICED.passive))
    answers(health, "---")
    health.eject(0)
    assert health.state(1) == "down"
    answers(health, "++")
    assert health.state(1) == "ejected"
