"""The request for an upstream, rewritten by the route, and the answer for the client."""

from dataclasses import replace

import pytest

from wsgateway.dialects import Answer, Offer
from wsgateway.policy.passing import client_answer, location_secure, rewritten, upstream_host, upstream_offer
from wsgateway.settings.basics import Url
from wsgateway.settings.defaults import LocationScheme
from wsgateway.settings.routes import HeaderRules, Rewrite
from wsgateway.settings.upstreams import Target

from .contexts import CONTEXT, IDENTITY, OFFER, ROUTE, TOLD, UPSTREAM

# -- the path --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strip", "add", "target", "expected"),
    [
        ("", "", "/chat?a=/b", "/chat?a=/b"),
        ("/chat", "", "/chat/room", "/room"),
        ("/chat/", "", "/chat/room", "/room"),
        ("/chat", "", "/chat", "/"),
        ("/chat", "", "/chat/", "/"),
        ("/chat", "", "/chat?x=/chat", "/?x=/chat"),
        ("/chat", "", "/chat/?", "/?"),
        ("/chat", "", "/chat/chat", "/chat"),
        ("/chat", "", "/chatter", "/chatter"),
        ("/chat", "", "/x/chat", "/x/chat"),
        ("/chat", "", "/?/chat", "/?/chat"),
        ("/a/b", "", "/a/b/c", "/c"),
        ("/", "", "/chat", "/chat"),
        ("", "/v1", "/chat", "/v1/chat"),
        ("", "/v1/", "/chat?x", "/v1/chat?x"),
        ("", "/", "/chat", "/chat"),
        ("", "/v1", "/", "/v1/"),
        ("/chat", "/v1", "/chat/room?x", "/v1/room?x"),
        ("/chat", "/v1", "/chat", "/v1/"),
        ("/chat", "/v1", "/news", "/v1/news"),
        # The rest stays as it was sent.
        ("/chat", "", "/%63hat/r%6Fom", "/r%6Fom"),
        ("/chat", "", "//chat//room?//", "//room?//"),
        ("/chat", "/v1", "//ch%61t", "/v1/"),
        ("", "/v1", "//%63hat", "/v1//%63hat"),
    ],
)
def test_a_path_is_rewritten_by_whole_segments_and_keeps_its_query(
    strip: str, add: str, target: str, expected: str
) -> None:
    assert rewritten(Rewrite(strip, add), target) == expected


@pytest.mark.parametrize(
    ("strip", "add", "target", "expected"),
    [
        ("", "", "//%63hat//r%6F%2fom?%61//b", "/chat/ro%2Fom?%61//b"),
        ("/chat", "", "//%63hat//r%6Fom", "/room"),
        ("/chat", "/v1", "//%63hat", "/v1/"),
    ],
)
def test_a_path_may_be_passed_on_in_normalised_form(strip: str, add: str, target: str, expected: str) -> None:
    assert rewritten(Rewrite(strip, add, "normalised"), target) == expected


# -- the host --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("preserve", Target(Url("a", 9000, "")), "ws.example.com:8443"),
        ("target", Target(Url("a", 9000, "")), "a:9000"),
        ("target", Target(Url("a", 80, "")), "a"),
        ("target", Target(Url("a", 443, "")), "a:443"),
        ("target", Target(Url("a", 443, "", "wss")), "a"),
        ("target", Target(Url("a", 80, "", "wss")), "a:80"),
        ("target", Target(Url("a", 443, "", "https")), "a"),
        ("target", Target(Url("::1", 80, "", "http")), "[::1]"),
        ("target", Target(Url("::1", 9000, "")), "[::1]:9000"),
        ("inner.example:81", Target(Url("a", 9000, "")), "inner.example:81"),
    ],
)
def test_the_host_is_that_of_the_client_of_the_target_or_of_the_settings(
    host: str, target: Target, expected: str
) -> None:
    assert upstream_host(replace(UPSTREAM, host=host), target, "ws.example.com:8443") == expected


# -- the offer -------------------------------------------------------------------------------------------------


def test_an_offer_is_rewritten_and_all_else_of_it_stays() -> None:
    upstream = replace(UPSTREAM, host="target")
    route = replace(ROUTE, rewrite=Rewrite("/chat", "/v1"))
    assert upstream_offer(route, upstream, upstream.targets[0], OFFER, CONTEXT) == Offer(
        "/v1/room?x",
        "10.0.1.11:9000",
        "http://page",
        ("a", "b"),
        ("permessage-deflate",),
        (("Cookie", "c"), *TOLD),
        secure=False,  # as the target is
    )


def test_translated_messages_cannot_be_compressed() -> None:
    target = UPSTREAM.targets[0]
    assert upstream_offer(ROUTE, UPSTREAM, target, OFFER, CONTEXT).extensions == ("permessage-deflate",)
    assert upstream_offer(ROUTE, UPSTREAM, target, OFFER, replace(CONTEXT, text_only=True)).extensions == ()
    none = replace(ROUTE, extensions="none")
    assert upstream_offer(none, UPSTREAM, target, OFFER, CONTEXT).extensions == ()


def test_joined_messages_cannot_be_compressed() -> None:
    target = UPSTREAM.targets[0]
    for route, upstream in [
        (replace(ROUTE, fragments="join"), UPSTREAM),
        (ROUTE, replace(UPSTREAM, fragments="join")),
    ]:
        assert upstream_offer(route, upstream, target, OFFER, CONTEXT).extensions == ()


@pytest.mark.parametrize(
    ("rules", "sent", "expected"),
    [
        (HeaderRules(), "http://page", "http://page"),
        (HeaderRules(), None, None),
        (HeaderRules(remove=("origin",)), "http://page", None),
        (HeaderRules(set=(("ORIGIN", "http://{client_ip}"),)), "http://page", "http://192.0.2.1"),
        (HeaderRules(set=(("Origin", "http://ours"),), remove=("origin",)), None, "http://ours"),
        # Origin is a part of the handshake.
        (HeaderRules(keep=()), "http://page", "http://page"),
    ],
)
def test_the_origin_is_a_header_that_a_route_may_set_and_remove(
    rules: HeaderRules, sent: str | None, expected: str | None
) -> None:
    offer = upstream_offer(
        replace(ROUTE, headers=rules), UPSTREAM, UPSTREAM.targets[0], replace(OFFER, origin=sent), CONTEXT
    )
    assert offer.origin == expected
    assert "origin" not in [name.lower() for name, _ in offer.headers]


def test_an_offer_of_the_handshake_alone_has_no_header_and_no_extension() -> None:
    route = replace(ROUTE, headers=HeaderRules(keep=()))
    offer = upstream_offer(route, UPSTREAM, UPSTREAM.targets[0], OFFER, CONTEXT)
    assert (offer.headers, offer.extensions) == ((), ())
    assert (offer.target, offer.host, offer.origin, offer.subprotocols) == (
        "/chat/room?x",
        "ws.example.com",
        "http://page",
        ("a", "b"),
    )


# -- the answer ------------------------------------------------------------------------------------------------


def test_an_answer_names_the_address_that_the_client_used() -> None:
    context = replace(CONTEXT, identity=replace(IDENTITY, trusted=True, host="public.example", port=8443))
    answer = Answer("a", ("permessage-deflate",), (("Set-Cookie", "c=d"),))
    assert client_answer(ROUTE, UPSTREAM, answer, OFFER, context) == replace(
        answer, secure=True, host="public.example:8443"
    )
    assert client_answer(replace(ROUTE, unprefixed_headers=True), UPSTREAM, answer, OFFER, context).unprefixed


def test_the_default_port_of_the_repeated_scheme_is_left_out() -> None:
    context = replace(CONTEXT, identity=replace(IDENTITY, trusted=True, secure=False, port=443))
    for scheme, host in (("auto", "ws.example.com:443"), ("wss", "ws.example.com")):
        route = replace(ROUTE, location_scheme=scheme)
        assert client_answer(route, UPSTREAM, Answer(), OFFER, context).host == host


@pytest.mark.parametrize(
    ("scheme", "plain", "encrypted"), [("auto", False, True), ("ws", False, False), ("wss", True, True)]
)
def test_the_repeated_address_has_the_clients_scheme_unless_the_route_sets_it(
    scheme: LocationScheme, plain: bool, encrypted: bool
) -> None:
    route = replace(ROUTE, location_scheme=scheme)
    assert location_secure(route, replace(IDENTITY, secure=False)) is plain
    assert location_secure(route, IDENTITY) is encrypted
