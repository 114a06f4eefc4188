"""Which sessions a filter means."""

import re
from dataclasses import dataclass

import pytest

from wsgateway.observe.session_filter import SessionFilter


@dataclass
class Session:
    """A session as a filter sees it."""

    dialect: str = "hixie-76"
    route: str = "chat"
    target: str = "ws://127.0.0.1:9000"
    agent: str = "Mozilla/5.0 (Macintosh) AppleWebKit/534"
    client_ip: str = "192.0.2.7"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"dialect": "hixie-76"}, True),
        ({"dialect": "hixie-75..76"}, True),
        ({"dialect": "hybi-01..08"}, False),
        ({"client": "192.0.2.7"}, True),
        ({"client": "192.0.2.0/24"}, True),
        ({"client": "192.0.2.8"}, False),
        ({"client": "2001:db8::/32"}, False),
        ({"client": "unix"}, False),
        ({"route": "chat"}, True),
        ({"route": "chat2"}, False),
        ({"target": "ws://127.0.0.1:9000"}, True),
        ({"target": "ws://127.0.0.1:9001"}, False),
        ({"agent": "applewebkit/534"}, True),
        ({"agent": "Gecko"}, False),
        ({"dialect": "hixie-76", "client": "192.0.2.0/24", "route": "chat", "agent": "Mac"}, True),
        ({"dialect": "hixie-76", "client": "192.0.2.0/24", "route": "news", "agent": "Mac"}, False),
    ],
)
def test_each_part_that_is_given_must_hold(given: dict[str, str], expected: bool) -> None:
    assert SessionFilter(**given).matches(Session()) is expected


def test_clients_of_unix_sockets_have_no_network() -> None:
    assert SessionFilter(client="unix").matches(Session(client_ip="unix"))
    assert not SessionFilter(client="0.0.0.0/0").matches(Session(client_ip="unix"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dialect": "hixie76"}, "dialect: 'hixie76' is not a dialect; did you mean 'hixie-76'?"),
        ({"client": "10.0"}, "client: '10.0' is neither a network, as 10.0.0.0/8 or 192.0.2.7, nor unix"),
    ],
)
def test_what_cannot_be_meant_is_an_error(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(said)}$"):
        SessionFilter(**given)
