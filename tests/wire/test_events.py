"""The events that pass through the gateway."""

import pytest

from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role


def test_events_of_different_kinds_are_never_equal() -> None:
    events: list[Event] = [Fragment(Kind.TEXT, b"", True), Fragment(Kind.BINARY, b"", True), Ping(), Pong(), Close()]
    assert [events.index(event) for event in events] == [0, 1, 2, 3, 4]


def test_events_with_the_same_content_are_equal() -> None:
    assert Ping(b"x") == Ping(b"x")
    assert Close(1000, "bye") == Close(1000, "bye")
    assert Fragment(Kind.TEXT, b"x", True) != Fragment(Kind.TEXT, b"x", False)


def test_fields_that_are_left_out_are_empty() -> None:
    assert (Ping().data, Pong().data) == (b"", b"")
    assert (Close().code, Close().reason) == (None, "")


@pytest.mark.parametrize(
    ("close", "shown"),
    [
        (Close(), "no code"),
        (Close(1000), "1000"),
        (Close(1001, "bye"), "1001 'bye'"),
        # A reason of the peer cannot break out of its line of the log.
        (Close(1001, "a\nb"), "1001 'a\\nb'"),
    ],
)
def test_the_text_of_a_close_is_its_code_and_reason(close: Close, shown: str) -> None:
    assert str(close) == shown


def test_kinds_and_roles_are_keys_of_tables() -> None:
    assert {kind: kind.value for kind in Kind} == {Kind.TEXT: "text", Kind.BINARY: "binary"}
    assert {role: role.value for role in Role} == {Role.CLIENT: "client", Role.SERVER: "server"}
    assert len({Kind.TEXT, Kind.BINARY, Kind("text")}) == 2
