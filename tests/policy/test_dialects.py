"""Which dialects a route accepts, and what the others are told: the versions that would do, where there are any."""

import pytest

from tests.support import configuration
from wsgateway.dialects import DIALECTS
from wsgateway.errors import HandshakeError
from wsgateway.policy.dialects import check_dialect
from wsgateway.settings.load import parse
from wsgateway.settings.model import PathMatch, Route

UPSTREAM = parse(configuration(9), "test.yaml").upstreams["behind"]
WITHOUT_VERSION = ["hixie-75", "hixie-76", "hybi-01", "hybi-02", "hybi-03"]
WITH_VERSION = ["hybi-04", "hybi-05", "hybi-06", "hybi-07", "hybi-08", "rfc6455"]


def route(*accepted: str) -> Route:
    return Route("r", PathMatch(prefix="/"), UPSTREAM, tuple(DIALECTS[name] for name in accepted))


def refusal(accepted: list[str], dialect: str) -> HandshakeError:
    with pytest.raises(HandshakeError) as caught:
        check_dialect(route(*accepted), DIALECTS[dialect])
    return caught.value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_route_that_says_nothing_accepts_every_dialect(dialect: str) -> None:
    check_dialect(Route("r", PathMatch(prefix="/"), UPSTREAM), DIALECTS[dialect])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_route_may_accept_one_dialect_alone(dialect: str) -> None:
    check_dialect(route(dialect), DIALECTS[dialect])
    for name in DIALECTS:
        if name != dialect:
            assert str(refusal([dialect], name)) == f"{name} is not accepted here, only {dialect}"


def test_every_dialect_stands_in_one_of_the_two_lists() -> None:
    assert [*WITHOUT_VERSION, *WITH_VERSION] == list(DIALECTS)


# RFC 6455, 4.4: the numbers from the one that we would like best.
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
def test_who_named_a_version_is_told_which_would_do(dialect: str, accepted: list[str], versions: str) -> None:
    error = refusal(accepted, dialect)
    assert (error.status, error.headers) == (426, (("Upgrade", "websocket"), ("Sec-WebSocket-Version", versions)))


@pytest.mark.parametrize("dialect", WITHOUT_VERSION)
def test_who_named_no_version_is_told_none(dialect: str) -> None:
    for accepted in (["rfc6455"], WITH_VERSION, [name for name in DIALECTS if name != dialect]):
        error = refusal(accepted, dialect)
        assert (error.status, error.headers) == (400, ())


@pytest.mark.parametrize("dialect", WITH_VERSION)
def test_a_route_that_accepts_no_version_has_none_to_tell(dialect: str) -> None:
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
def test_the_message_names_what_came_and_what_would_do(dialect: str, accepted: list[str], message: str) -> None:
    assert str(refusal(accepted, dialect)) == message
