"""Which route an offer takes: the first that matches, by its path as the client wrote it."""

import pytest

from tests.support import configuration
from wsgateway.dialects import Offer
from wsgateway.errors import HandshakeError
from wsgateway.policy.routes import decide
from wsgateway.settings.load import parse
from wsgateway.settings.model import PathMatch, Route

UPSTREAM = parse(configuration(9), "test.yaml").upstreams["behind"]
ROUTES = (
    Route("exact", PathMatch(exact="/chat"), UPSTREAM),
    Route("deep", PathMatch(prefix="/chat/room"), UPSTREAM),
    Route("chat", PathMatch(prefix="/chat"), UPSTREAM),
    Route("slash", PathMatch(prefix="/news/"), UPSTREAM),
    Route("encoded", PathMatch(prefix="/caf%C3%A9"), UPSTREAM),
)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/chat", "exact"),
        ("/chat?a=/b", "exact"),
        ("/chat?", "exact"),
        ("/chat/", "chat"),
        ("/chat/room", "deep"),
        ("/chat/room/1?x", "deep"),
        ("/chat/rooms", "chat"),
        ("/chat/a", "chat"),
        ("/chat//a", "chat"),
        ("/news", "slash"),
        ("/news/", "slash"),
        ("/news/today", "slash"),
        ("/caf%C3%A9/x", "encoded"),
    ],
)
def test_the_first_route_that_matches_is_taken(target: str, name: str) -> None:
    assert decide(ROUTES, Offer(target, "example.com")).name == name


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/chatter",
        "/Chat",
        "/c",
        "/x/chat",
        "/newspaper",
        "/?/chat",
        "/%63hat",  # compared as it stands: who decodes it decodes what a route behind it would not
        "/caf%c3%a9",
        "//chat",
    ],
)
def test_a_target_that_no_route_takes_is_404(target: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        decide(ROUTES, Offer(target, "example.com"))
    assert caught.value.status == 404
    assert str(caught.value) == "nothing is served under this path"


def test_a_route_for_the_root_takes_everything() -> None:
    routes = [*ROUTES, Route("rest", PathMatch(prefix="/"), UPSTREAM)]
    for target in "/", "/chatter", "//", "/?x":
        assert decide(routes, Offer(target, "example.com")).name == "rest"
