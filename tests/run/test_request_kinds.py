"""The table of requests: which values of their fields are allowed, up to each bound, and what is said of others."""

import math
import re

import pytest

from wsgateway.run.request_kinds import REQUEST_KINDS
from wsgateway.run.requests import Fact

LEVEL: dict[str, Fact] = {"level": "debug"}
IDS = " ".join(["1-2"] * 1000)

ALLOWED: list[tuple[str, dict[str, Fact]]] = [
    ("trace", {}),
    ("trace", {"payload": 0}),
    ("trace", {"payload": 65536}),
    ("log-level", LEVEL),
    ("log-level", {**LEVEL, "seconds": 0.5}),
    ("log-level", {**LEVEL, "client": "192.0.2.0/24"}),
    ("sessions", {"limit": 0}),
    ("sessions", {"after": IDS}),
    ("sessions", {"after": "999999999999999999-999999999999999999"}),
]
REFUSED: list[tuple[str, dict[str, Fact], str]] = [
    ("trace", {"payload": -1}, "payload: -1 is not from 0 to 65536"),
    ("trace", {"payload": 65537}, "payload: 65537 is not from 0 to 65536"),
    ("trace", {"target": "ws://a"}, "target: a session is chosen before it has one"),
    ("trace", {"client": "here"}, "client: "),
    ("log-level", {**LEVEL, "seconds": 0.0}, "seconds: 0.0 is no time span, it must be more than 0"),
    ("log-level", {**LEVEL, "seconds": math.inf}, "seconds: inf is no time span"),
    ("log-level", {**LEVEL, "seconds": 10**400}, f"seconds: {10**400} is no time span"),
    ("log-level", {**LEVEL, "client": "here"}, "client: "),
    ("sessions", {"client": "here"}, "client: "),
    ("sessions", {"after": f"{IDS} 1-2"}, "after: "),
    ("sessions", {"after": "1-2 1000000000000000000-1"}, "after: "),
    ("sessions", {"after": ""}, "after: '' is no list of ids, as 1-7 2-9"),
    ("close", {"client": "here"}, "client: "),
]


@pytest.mark.parametrize(("name", "arguments"), ALLOWED)
def test_values_up_to_a_bound_are_read(name: str, arguments: dict[str, Fact]) -> None:
    fields = REQUEST_KINDS[name].read(arguments)
    assert arguments.items() <= vars(fields).items()


@pytest.mark.parametrize(("name", "arguments", "why"), REFUSED)
def test_values_beyond_a_bound_are_refused_with_the_bound(name: str, arguments: dict[str, Fact], why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        REQUEST_KINDS[name].read(arguments)


def test_of_an_earlier_list_the_last_session_of_each_process_is_known() -> None:
    fields = REQUEST_KINDS["sessions"].read({"after": "1-7 2-9 1-3"})
    assert [fields.last_of(process) for process in (1, 2, 3)] == [7, 9, 0]  # type: ignore[attr-defined]
