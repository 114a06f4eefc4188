"""Subprotocols, which a route may rename for the upstream."""

from dataclasses import replace

import pytest

from wsgateway.dialects import DIALECTS, Answer
from wsgateway.policy.passing import HeaderContext, client_answer, upstream_offer
from wsgateway.settings.routes import Route
from wsgateway.wire.binary import BinaryRule

from .contexts import CONTEXT, OFFER, ROUTE, UPSTREAM

BASE64 = BinaryRule("base64", "base64")
TEXT_ONLY = replace(CONTEXT, text_only=True)


def named(route: Route, offered: str, chosen: str | None, context: HeaderContext = CONTEXT) -> tuple[str, str | None]:
    """Return the names offered to the upstream, and the name sent to the client when the upstream chooses one."""
    offer = replace(OFFER, subprotocols=tuple(offered.split()))
    told = client_answer(route, UPSTREAM, Answer(chosen), offer, context)
    return " ".join(upstream_offer(route, UPSTREAM, UPSTREAM.targets[0], offer, context).subprotocols), told.subprotocol


@pytest.mark.parametrize(
    ("renames", "offered", "asked", "chosen", "told"),
    [
        ((), "a b", "a b", "b", "b"),
        ((), "a b", "a b", None, None),
        ((("a", "x"),), "a b", "x b", "x", "a"),
        ((("a", "x"),), "a b", "x b", "b", "b"),
        ((("a", "x"),), "a b", "x b", None, None),
        ((("a", "x"),), "b", "b", "b", "b"),
        ((("a", "x"),), "", "", None, None),
        # Renamed to a name that is offered too: it is offered once, in the first place, and answered by that name.
        ((("a", "x"),), "a b x", "x b", "x", "x"),
        ((("a", "x"),), "x b a", "x b", "x", "x"),
        # Two names become one: the client gets the one that it prefers.
        ((("a", "x"), ("b", "x")), "b a", "x", "x", "b"),
        # Two names are swapped.
        ((("a", "b"), ("b", "a")), "a b", "b a", "a", "b"),
        # No name is renamed twice.
        ((("a", "b"), ("b", "c")), "a", "b", "b", "a"),
        ((("A", "x"),), "a", "a", "a", "a"),
    ],
)
def test_a_subprotocol_is_renamed_on_its_way_and_back(
    renames: tuple[tuple[str, str], ...], offered: str, asked: str, chosen: str | None, told: str | None
) -> None:
    assert named(replace(ROUTE, subprotocols=renames), offered, chosen) == (asked, told)


@pytest.mark.parametrize(
    ("offered", "asked", "told"),
    [
        ("base64", "binary", "base64"),
        ("binary", "binary", "binary"),
        ("binary base64", "binary", "base64"),
        ("base64 binary", "binary", "base64"),
        ("chat base64", "chat binary", "base64"),
    ],
)
def test_base64_is_offered_as_binary_by_a_route_that_converts_it(offered: str, asked: str, told: str) -> None:
    assert named(replace(ROUTE, binary=BASE64), offered, "binary", TEXT_ONLY) == (asked, told)


def test_a_client_with_binary_messages_keeps_both_names() -> None:
    assert named(replace(ROUTE, binary=BASE64), "binary base64", "binary") == ("binary base64", "binary")
    assert named(replace(ROUTE, binary=BASE64), "binary base64", "base64") == ("binary base64", "base64")


@pytest.mark.parametrize(
    "route",
    [
        ROUTE,
        replace(ROUTE, binary=BinaryRule("base64", "none")),
        replace(ROUTE, binary=BinaryRule("base64", "hex")),
        replace(ROUTE, binary=BinaryRule("hex", "hex")),
        replace(ROUTE, binary=BASE64, subprotocols=()),
        replace(ROUTE, binary=BASE64, subprotocols=(("chat", "binary"),)),
    ],
)
def test_base64_stays_base64_elsewhere_and_with_names_of_the_routes_own(route: Route) -> None:
    assert named(route, "base64", "base64", TEXT_ONLY) == ("base64", "base64")


def test_base64_stays_base64_for_an_upstream_that_has_no_binary_messages_itself() -> None:
    old = replace(UPSTREAM, dialect=DIALECTS["hixie-76"])
    route = replace(ROUTE, binary=BASE64)
    offer = replace(OFFER, subprotocols=("base64",))
    assert upstream_offer(route, old, old.targets[0], offer, TEXT_ONLY).subprotocols == ("base64",)
    assert client_answer(route, old, Answer("base64"), offer, TEXT_ONLY).subprotocol == "base64"
