"""The clients that a route accepts, and the refusals of others: with the accepted versions, if there are any."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.dialects.families import WITH_VERSION, WITHOUT_VERSION
from wsgateway.dialects import DIALECTS
from wsgateway.errors import HttpRefusal
from wsgateway.policy.checks import ClientFacts, admit, results
from wsgateway.settings.basics import Url
from wsgateway.settings.defaults import Origins
from wsgateway.settings.routes import Match, PathMatch, Route
from wsgateway.settings.upstreams import Target, Upstream

UPSTREAM = Upstream((Target(Url("127.0.0.1", 9, "ws://127.0.0.1:9")),), name="behind")
EVERYWHERE = Match(path=PathMatch(prefix="/"))


def route(*accepted: str) -> Route:
    return Route(name="r", match=EVERYWHERE, upstream=UPSTREAM, dialects=tuple(DIALECTS[name] for name in accepted))


def refusal(accepted: Sequence[str], dialect: str) -> HttpRefusal:
    with pytest.raises(HttpRefusal) as caught:
        admit(route(*accepted), ClientFacts(DIALECTS[dialect], None))
    return caught.value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_route_that_says_nothing_accepts_every_dialect(dialect: str) -> None:
    admit(Route(name="r", match=EVERYWHERE, upstream=UPSTREAM), ClientFacts(DIALECTS[dialect], None))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_route_may_accept_one_dialect_alone(dialect: str) -> None:
    admit(route(dialect), ClientFacts(DIALECTS[dialect], None))
    for name in DIALECTS:
        if name != dialect:
            assert str(refusal([dialect], name)) == f"{name} is not accepted here, only {dialect}"


# RFC 6455, 4.4: the versions, the best first.
@pytest.mark.parametrize(
    ("dialect", "accepted", "versions"),
    [
        ("hybi-04", ["rfc6455"], "13"),
        ("rfc6455", ["hybi-04"], "4"),
        ("hybi-07", ["hixie-75", "hixie-76", "hybi-04", "hybi-05", "hybi-06", "hybi-08", "rfc6455"], "13, 8, 6, 5, 4"),
        ("hybi-08", ["rfc6455", "hybi-04", "hybi-07"], "13, 7, 4"),
        ("rfc6455", ["hybi-01", "hybi-02", "hybi-03", "hybi-08"], "8"),
    ],
)
def test_the_refusal_of_a_version_lists_the_accepted_ones(dialect: str, accepted: list[str], versions: str) -> None:
    error = refusal(accepted, dialect)
    assert (error.status, error.headers) == (426, (("Upgrade", "websocket"), ("Sec-WebSocket-Version", versions)))


@pytest.mark.parametrize("dialect", WITHOUT_VERSION)
def test_the_refusal_of_a_request_without_version_lists_none(dialect: str) -> None:
    for accepted in (["rfc6455"], WITH_VERSION, [name for name in DIALECTS if name != dialect]):
        error = refusal(accepted, dialect)
        assert (error.status, error.headers) == (400, ())


@pytest.mark.parametrize("dialect", WITH_VERSION)
def test_a_route_that_accepts_no_version_lists_none(dialect: str) -> None:
    for accepted in (["hixie-76"], WITHOUT_VERSION):
        error = refusal(accepted, dialect)
        assert (error.status, error.headers) == (400, ())


@pytest.mark.parametrize(
    ("dialect", "accepted", "message"),
    [
        ("hixie-75", ["rfc6455"], "hixie-75 is not accepted here, only rfc6455"),
        (
            "hybi-08",
            ["hixie-76", "hybi-07", "rfc6455"],
            "hybi-08 is not accepted here, only hixie-76, hybi-07, rfc6455",
        ),
        ("rfc6455", ["hixie-75", "hixie-76"], "rfc6455 is not accepted here, only hixie-75, hixie-76"),
    ],
)
def test_the_text_names_the_dialect_and_the_accepted_ones(dialect: str, accepted: list[str], message: str) -> None:
    assert str(refusal(accepted, dialect)) == message


# -- all checks ------------------------------------------------------------------------------------------------


STRICT = Origins(("https://app.example.com",), missing="refuse", opaque="refuse")


def checked(origin: str | None, upstream: Upstream | None = UPSTREAM, **differs: Any) -> list[tuple[str, Any, Any]]:
    """Return the result of each check for a client of RFC 6455: status and text of a refusal."""
    facts = ClientFacts(DIALECTS["rfc6455"], origin)
    return [
        (name, error and error.status, error and str(error))
        for name, error in results(Route(name="r", match=EVERYWHERE, upstream=upstream, **differs), facts)
    ]


def test_an_allowed_client_passes_every_check() -> None:
    passed = [("upstream", None, None), ("dialect", None, None), ("origin", None, None)]
    assert checked("https://app.example.com", origins=STRICT) == passed


def test_every_check_has_a_result_even_if_the_first_refuses() -> None:
    assert checked("http://evil.example", None, origins=STRICT, dialects=(DIALECTS["hixie-76"],)) == [
        ("upstream", 404, "there is no WebSocket under this address"),
        ("dialect", 400, "rfc6455 is not accepted here, only hixie-76"),
        ("origin", 403, "the Origin 'http://evil.example' is not allowed here"),
    ]


def test_the_first_refusal_is_raised() -> None:
    strict = Route(
        name="r",
        match=EVERYWHERE,
        upstream=None,
        http_upstream=UPSTREAM,
        origins=STRICT,
        dialects=(DIALECTS["hixie-76"],),
    )
    with pytest.raises(HttpRefusal) as caught:
        admit(strict, ClientFacts(DIALECTS["rfc6455"], "http://evil.example"))
    assert (caught.value.status, str(caught.value)) == (404, "there is no WebSocket under this address")


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        (None, "a client without Origin is not allowed here"),
        ("null", "the Origin 'null' is not allowed here"),
        ("http://app.example.com", "the Origin 'http://app.example.com' is not allowed here"),
        ("a\tb", "the Origin 'a\\tb' is not allowed here"),
    ],
)
def test_an_origin_that_is_not_allowed_gets_403(origin: str | None, message: str) -> None:
    with pytest.raises(HttpRefusal) as caught:
        admit(
            Route(name="r", match=EVERYWHERE, upstream=UPSTREAM, origins=STRICT),
            ClientFacts(DIALECTS["rfc6455"], origin),
        )
    assert (caught.value.status, str(caught.value), caught.value.headers) == (403, message, ())
