"""The section `shutdown`."""

import pytest

from wsgateway.settings.load import parse
from wsgateway.settings.process import Shutdown

from .files import SMALL, report


@pytest.mark.parametrize(
    ("shutdown", "expected"),
    [
        ("{}", Shutdown(30.0, 10.0, 1012)),
        ("{drain: 4s}", Shutdown(4.0, 10.0, 1012)),
        ("{drain: 1h, spread: 1h}", Shutdown(3600.0, 3600.0, 1012)),
        ("{spread: none}", Shutdown(30.0, None, 1012)),
        ("{close_code: 1001}", Shutdown(30.0, 10.0, 1001)),
        ("{delay: 5s}", Shutdown(30.0, 10.0, 1012, 5.0)),
        ("{delay: none}", Shutdown(30.0, 10.0, 1012, None)),
    ],
)
def test_the_drain_is_as_the_file_says(shutdown: str, expected: Shutdown) -> None:
    assert parse(f"{SMALL}shutdown: {shutdown}\n", "f.yaml").shutdown == expected


@pytest.mark.parametrize(
    ("shutdown", "seconds"),
    [("{}", 10.0), ("{drain: 4s}", 4.0), ("{drain: 1h, spread: 1h}", 3600.0), ("{spread: none}", 0.0)],
)
def test_sessions_are_closed_before_the_drain_is_over(shutdown: str, seconds: float) -> None:
    assert parse(f"{SMALL}shutdown: {shutdown}\n", "f.yaml").shutdown.spread_over == seconds


@pytest.mark.parametrize(
    ("delay", "why"),
    [
        ("5", "5 has no unit; write 5s (or with ms, m, h or d), or none"),
        ("0s", "'0s' is too short, it must be more than 0s, or none"),
        ("soon", "'soon' is not a duration; write it as 10s, 500ms, 2m, 1h or 30d, or none"),
    ],
)
def test_a_wrong_delay_is_reported_with_its_place(delay: str, why: str) -> None:
    assert report(f"{SMALL}shutdown:\n  delay: {delay}\n") == [f"f.yaml:6:10: shutdown.delay: {why}"]


def test_a_spread_that_is_too_long_is_reported_with_its_place() -> None:
    assert report(f"{SMALL}shutdown:\n  drain: 5s\n  spread: 6s\n") == [
        "f.yaml:6:3: shutdown: a spread of 6 s is longer than the drain, which ends after 5 s"
    ]
