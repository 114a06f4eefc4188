"""The hash key that sends related requests to the same target."""

import re

import pytest

from wsgateway.dialects import Headers, Request
from wsgateway.policy.affinity import affinity
from wsgateway.settings.basics import UNIX, Balance

REQUEST = Request(
    "/chat?user=a%20b&empty=&user=c",
    Headers([("Cookie", "x=1; sid=s=1; sid=2"), ("cookie", "late=3; bare"), ("X-User", "me"), ("X-User", "you")]),
)


@pytest.mark.parametrize(
    ("balance", "key"),
    [
        (Balance("round_robin"), None),
        (Balance("hash", "ip"), "192.0.2.7"),
        (Balance("hash", "cookie", "sid"), "s=1"),
        (Balance("hash", "cookie", "late"), "3"),
        (Balance("hash", "cookie", "bare"), None),
        (Balance("hash", "cookie", "SID"), None),
        (Balance("hash", "header", "x-user"), "me"),
        (Balance("hash", "header", "X-Other"), None),
        (Balance("hash", "query", "user"), "a b"),
        (Balance("hash", "query", "empty"), ""),
        (Balance("hash", "query", "none"), None),
        (Balance("hash", "path", path=re.compile("/(c.)")), "ch"),
        (Balance("hash", "path", path=re.compile("/chat()")), ""),
        (Balance("hash", "path", path=re.compile("/chat/(.*)")), None),
        (Balance("hash", "path", path=re.compile("/(x)?chat")), None),
        (Balance("hash", "path", path=re.compile("(user)")), None),  # it stands in the query alone
    ],
    ids=str,
)
def test_the_hash_key_is_the_property_that_the_balance_names(balance: Balance, key: str | None) -> None:
    assert affinity(balance, REQUEST, "192.0.2.7") == key


def test_clients_without_an_address_do_not_all_go_to_one_target() -> None:
    assert affinity(Balance("hash", "ip"), REQUEST, UNIX) is None


def test_all_requests_of_a_session_of_sockjs_have_its_key() -> None:
    # SockJS protocol 0.3.3: /PREFIX/SERVER/SESSION/TRANSPORT, and /PREFIX/info before there is a session.
    balance = Balance("hash", "path", path=re.compile("/[^/]+/[^/]+/([^/]+)/"))
    paths = ("/echo/000/abc/xhr_streaming", "/echo/001/abc/xhr_send?t=1", "/echo/000/abc/websocket", "/echo/info")
    keys = [affinity(balance, Request(path, Headers([])), "192.0.2.7") for path in paths]
    assert keys == ["abc", "abc", "abc", None]
