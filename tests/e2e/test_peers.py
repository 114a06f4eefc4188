"""Every client, through the gateway, with every upstream: messages of one arrive at the other, and its Close."""

import pytest

from .clients import Client
from .scenario import BINARIES, BURST, LAST_WORDS, TEXTS, Seen
from .servers import Gateway, Upstream

NO_CODE = 1005  # RFC 6455, 7.1.5: what an endpoint reports of a Close without a code
ABNORMAL = 1006  # RFC 6455, 7.1.5: and of no Close at all


def address(scenario: str, request: pytest.FixtureRequest) -> str:
    """Return a path that no other test has, so that the upstream's report is for this test."""
    return f"/{scenario}?test={request.node.callspec.id}"


def closing(client: Client, code: int, reason: str) -> Seen:
    """Return what a client reports of such an end, if it can."""
    return {"code": code, "reason": reason} if client.tells_codes else {"code": None, "reason": None}


def test_messages_of_every_size_return_as_they_were_and_the_client_closes(
    client: Client, gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest
) -> None:
    path = address("echo", request)

    seen = client.play("echo", gateway.url(path))

    names = [*TEXTS, *BINARIES] if client.sends_binary else [*TEXTS]
    assert seen == {
        "errors": [],
        "echoes": dict.fromkeys(names, "same"),
        "burst": BURST,
        "close": closing(client, 1000, "done"),
    }
    arrived = {"code": 1000, "reason": "done"} if client.tells_codes else {"code": NO_CODE, "reason": ""}
    assert upstream.closing(path) == arrived


def test_what_an_upstream_says_before_it_closes_arrives_and_so_does_the_close(
    client: Client, gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest
) -> None:
    path = address("close", request)

    seen = client.play("close", gateway.url(path))

    assert seen == {"errors": [], "messages": [LAST_WORDS], "close": closing(client, 1001, "bye")}
    assert upstream.closing(path)["code"] != ABNORMAL, "the upstream's Close was not answered"
