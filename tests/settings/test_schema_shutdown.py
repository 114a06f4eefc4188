"""How a process ends: what a file may say of it, and what that comes to."""

import pytest

from wsgateway.settings.load import parse
from wsgateway.settings.model import Shutdown

from .files import SMALL, report


@pytest.mark.parametrize(
    ("shutdown", "expected"),
    [
        ("{}", Shutdown(30.0, 10.0, 1012)),
        ("{drain: 4s}", Shutdown(4.0, 4.0, 1012)),
        ("{drain: 1h, spread: 1h}", Shutdown(3600.0, 3600.0, 1012)),
        ("{spread: none}", Shutdown(30.0, None, 1012)),
        ("{close_code: 1001}", Shutdown(30.0, 10.0, 1001)),
    ],
)
def test_sessions_are_ended_before_the_drain_is_over(shutdown: str, expected: Shutdown) -> None:
    assert parse(f"{SMALL}shutdown: {shutdown}\n", "f.yaml").shutdown == expected


def test_a_spread_that_is_too_long_is_told_with_its_place() -> None:
    assert report(f"{SMALL}shutdown:\n  drain: 5s\n  spread: 6s\n") == [
        "f.yaml:6:3: shutdown: a spread of 6 s is longer than the drain, which ends after 5 s"
    ]
