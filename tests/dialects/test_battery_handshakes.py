"""Tests for the handshake of every dialect, in both roles, through the interfaces of `dialects.base` alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import repeat

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, ClientHandshake, Dialect, Offer, ServerHandshake, Side, recognise
from wsgateway.dialects.base import by_name
from wsgateway.errors import HttpRefusal
from wsgateway.wire.events import Role
from wsgateway.wire.heads import Headers, Response
from wsgateway.wire.oddities import DEFAULT, Oddities, Oddity, Tolerance
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

from .feeding import GENEROUS, Heard, hear, text
from .opening import LIMITS, seeded
from .vectors import MASK_KEY

# What dialects cannot express of an Offer and an Answer: permessage-deflate is RFC 7692, for RFC 6455 only. A hixie
# reply has no end-to-end headers but cookies, and repeats a list of subprotocols whole, so that it does not show the
# choice. The first drafts of hybi open as hixie-76 does; all drafts with a version use Sec-WebSocket-Accept as proof.
HAVE_EXTENSIONS = {"rfc6455"}
HAVE_NO_PROOF = {"hixie-75"}
ACCEPT = {name for name, dialect in DIALECTS.items() if dialect.handshake.version is not None}
REPEAT_LISTS = set(DIALECTS) - ACCEPT
TWO_KEYS = REPEAT_LISTS - HAVE_NO_PROOF

OFFER = Offer(target="/chat?room=%20%C3%A9", host="example.com:8080", origin="http://app.example.com")
COOKIES = (("Cookie", "a=1; b=2"), ("User-Agent", "Test/1.0"))
OFFERS = {
    "plain": OFFER,
    "root": replace(OFFER, target="/", host="[::1]:9000"),
    "with a subprotocol": replace(OFFER, subprotocols=("chat",)),
    "with several subprotocols": replace(OFFER, subprotocols=("chat", "superchat", "v2.chat")),
    "with cookies": replace(OFFER, headers=COOKIES),
    "with a null origin": replace(OFFER, origin="null"),
    "with an extension": replace(OFFER, extensions=("permessage-deflate; client_max_window_bits",)),
    "with everything": replace(OFFER, subprotocols=("chat",), headers=COOKIES, extensions=("permessage-deflate",)),
}


@dataclass
class Shaken:
    """Both ends of one handshake."""

    server_handshake: ServerHandshake
    client_handshake: ClientHandshake
    response: Response
    proof: bytes

    def check(self) -> Answer:
        return self.client_handshake.check(self.response, self.proof)


def shake_hands(dialect: Dialect, offer: Offer, answer: Answer, seed: int = 1) -> Shaken:
    """Do both sides of a handshake, over bytes."""
    client_handshake = dialect.handshake.client(offer, seeded(seed))
    client, server = ResponseHead(LIMITS), RequestHead(LIMITS)
    request = server.receive(client.request(client_handshake.request) + client_handshake.challenge)
    assert request is not None
    assert recognise(request) is dialect
    server_handshake = dialect.handshake.server(request, seeded(seed + 1000))
    assert server.rest == client_handshake.challenge
    assert server_handshake.challenge_bytes == len(client_handshake.challenge)
    reply = server.switch(server_handshake.accept(answer)) + server_handshake.proof(server.rest)
    response = client.receive(reply + b"\0first frame")
    assert response is not None
    assert client.rest[client_handshake.proof_bytes :] == b"\0first frame"
    return Shaken(server_handshake, client_handshake, response, client.rest[: client_handshake.proof_bytes])


@pytest.fixture(params=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@cases("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_offer_arrives_as_far_as_the_dialect_can_express_it(dialect: Dialect, offer: Offer) -> None:
    answer = Answer(offer.subprotocols[-1] if offer.subprotocols else None)
    arrived = shake_hands(dialect, offer, answer).server_handshake.offer
    assert arrived == (offer if dialect.name in HAVE_EXTENSIONS else replace(offer, extensions=()))


@cases("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_answer_arrives_as_far_as_the_dialect_can_express_it(dialect: Dialect, offer: Offer) -> None:
    answer = Answer(
        subprotocol=offer.subprotocols[-1] if offer.subprotocols else None,
        extensions=("permessage-deflate; server_no_context_takeover",)
        if offer.extensions and dialect.name in HAVE_EXTENSIONS
        else (),
        headers=(("Set-Cookie", "sid=1; Path=/"), ("Set-Cookie", "lang=en")),
    )
    expected = answer
    if len(offer.subprotocols) > 1 and dialect.name in REPEAT_LISTS:
        expected = replace(answer, subprotocol=offer.subprotocols[0])  # a repeated list means its first member
    for seed in range(20):
        assert shake_hands(dialect, offer, answer, seed).check() == expected, seed


def test_an_offer_may_be_declined_if_the_client_accepts_that(dialect: Dialect) -> None:
    offer = OFFERS["with several subprotocols"]
    if dialect.name in REPEAT_LISTS:
        with pytest.raises(HttpRefusal, match="the client insists") as refused:
            shake_hands(dialect, offer, Answer())
        assert refused.value.status == 502
        return
    assert shake_hands(dialect, offer, Answer()).check() == Answer()


def test_two_requests_never_have_the_same_secrets(dialect: Dialect) -> None:
    first, second = (dialect.handshake.client(OFFER, seeded(seed)) for seed in (1, 2))
    same = (first.challenge, list(first.request.headers)) == (second.challenge, list(second.request.headers))
    assert same is (dialect.name in HAVE_NO_PROOF)


def test_both_ends_take_what_their_frames_need_from_the_handshake(dialect: Dialect) -> None:
    """In nearly all dialects they need nothing."""
    secrets = set()
    for seed in range(3):
        shaken = shake_hands(dialect, OFFER, Answer(), seed)
        shaken.check()
        client = Side(dialect.framing, Role.CLIENT, shaken.client_handshake.secret)
        server = Side(dialect.framing, Role.SERVER, shaken.server_handshake.secret)
        for sender, receiver in ((client, server), (server, client)):
            data = sender.encoder(repeat(MASK_KEY)).send(text("Hello"))
            assert hear(receiver.decoder(GENEROUS), [data]) == Heard([text("Hello")])
        secrets.add(shaken.client_handshake.secret)
    assert secrets == {b""} or len(secrets) == 3, "a secret is of one connection alone"


def test_an_address_that_is_repeated_says_whether_the_connection_is_encrypted(dialect: Dialect) -> None:
    """A wrong scheme is not refused: Perl's Protocol::WebSocket sends it."""
    for secure, scheme in ((False, "ws"), (True, "wss")):
        shaken = shake_hands(dialect, replace(OFFER, secure=secure), Answer(secure=secure))
        assert shaken.check() == Answer()
        locations = [value for name, value in shaken.response.headers if name.lower().endswith("-location")]
        repeats = dialect.name in REPEAT_LISTS
        assert locations == ([f"{scheme}://example.com:8080/chat?room=%20%C3%A9"] if repeats else [])
        assert shake_hands(dialect, replace(OFFER, secure=secure), Answer(secure=not secure)).check() == Answer()


def without(*names: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [(name, value) for name, value in headers if name not in names]


def with_value(name: str, value: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [*without(name)(headers), (name, value)]


def twice(name: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [*headers, *[(each, value) for each, value in headers if each == name]]


FALSE_ORIGIN = "http://evil.example.com"
# A change to a valid reply, the dialects that it concerns, and a part of the resulting error text.
WRONG_REPLIES: list[tuple[set[str], Callable[[Headers], list[tuple[str, str]]], str]] = [
    (set(DIALECTS), without("Upgrade"), "Upgrade"),
    (set(DIALECTS), without("Connection"), "Connection: Upgrade"),
    (set(DIALECTS), with_value("Upgrade", "h2c"), "h2c"),
    (set(DIALECTS), with_value("Upgrade", "websocket, h2c"), "h2c"),
    (set(DIALECTS), with_value("Connection", "close"), "Connection: Upgrade"),
    (ACCEPT, without("Sec-WebSocket-Accept"), "Accept None"),
    (ACCEPT, with_value("Sec-WebSocket-Accept", ""), "Accept ''"),
    # The sample of the RFC, which is right for the RFC's own key only.
    (ACCEPT, with_value("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "does not answer our key"),
    (ACCEPT, twice("Sec-WebSocket-Accept"), "2 Sec-WebSocket-Accept headers"),
    (ACCEPT, with_value("Sec-WebSocket-Protocol", "other"), "'other', which was not offered"),
    (ACCEPT, with_value("Sec-WebSocket-Protocol", "Chat"), "'Chat', which was not offered"),
    (ACCEPT, with_value("Sec-WebSocket-Protocol", "chat, superchat"), "not offered"),
    (ACCEPT, twice("Sec-WebSocket-Protocol"), "2 Sec-WebSocket-Protocol headers"),
    (ACCEPT, with_value("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"), "not offered"),
    (ACCEPT, with_value("Sec-WebSocket-Extensions", "permessage-deflate"), "not offered"),
    ({"hybi-04"}, without("Sec-WebSocket-Nonce"), "no Sec-WebSocket-Nonce"),
    ({"hybi-04"}, with_value("Sec-WebSocket-Nonce", ""), "no Sec-WebSocket-Nonce"),
    ({"hybi-04"}, twice("Sec-WebSocket-Nonce"), "2 Sec-WebSocket-Nonce headers"),
    ({"hixie-75"}, without("WebSocket-Origin"), "WebSocket-Origin None"),
    ({"hixie-75"}, with_value("WebSocket-Origin", FALSE_ORIGIN), "ours is 'http://app.example.com'"),
    ({"hixie-75"}, twice("WebSocket-Origin"), "2 WebSocket-Origin headers"),
    ({"hixie-75"}, without("WebSocket-Location"), "WebSocket-Location None"),
    ({"hixie-75"}, with_value("WebSocket-Location", "ws://example.com:8080/other"), "we requested"),
    ({"hixie-75"}, with_value("WebSocket-Location", "wss://www.example.com:8080/chat?room=%20%C3%A9"), "we requested"),
    (TWO_KEYS, without("Sec-WebSocket-Origin"), "Sec-WebSocket-Origin None"),
    (TWO_KEYS, with_value("Sec-WebSocket-Origin", FALSE_ORIGIN), "ours is 'http://app.example.com'"),
    (TWO_KEYS, with_value("Sec-WebSocket-Location", "ws://example.com:8080/chat"), "we requested"),
    (TWO_KEYS, with_value("Sec-WebSocket-Location", "example.com:8080/chat?room=%20%C3%A9"), "we requested"),
    (TWO_KEYS - {"hixie-76"}, with_value("Sec-WebSocket-Protocol", "Chat"), "subprotocol 'Chat'"),
    (TWO_KEYS, twice("Sec-WebSocket-Protocol"), "2 Sec-WebSocket-Protocol headers"),
]


@cases(
    ("name", "damage", "said"),
    [(name, damage, said) for names, damage, said in WRONG_REPLIES for name in DIALECTS if name in names],
)
def test_a_wrong_reply_is_refused(name: str, damage: Callable[[Headers], list[tuple[str, str]]], said: str) -> None:
    shaken = shake_hands(DIALECTS[name], OFFERS["with a subprotocol"], Answer("chat"))
    assert shaken.check().subprotocol == "chat"
    wrong = replace(shaken.response, headers=Headers(damage(shaken.response.headers)))
    with pytest.raises(HttpRefusal) as refused:
        shaken.client_handshake.check(wrong, shaken.proof)
    assert said in str(refused.value)
    assert refused.value.status == 502


@cases("damage", [without, lambda name: with_value(name, "")], ids=["missing", "empty"])
def test_a_reply_without_a_subprotocol_chooses_none(
    dialect: Dialect, damage: Callable[[str], Callable[[Headers], list[tuple[str, str]]]]
) -> None:
    """This holds even where a draft requires the client to refuse it: em-websocket and faye's driver answer so."""
    name = "WebSocket-Protocol" if dialect.name == "hixie-75" else "Sec-WebSocket-Protocol"
    for offer in ("with a subprotocol", "with several subprotocols"):
        shaken = shake_hands(dialect, OFFERS[offer], Answer("chat"))
        silent = replace(shaken.response, headers=Headers(damage(name)(shaken.response.headers)))
        assert shaken.client_handshake.check(silent, shaken.proof) == Answer()


@cases("tolerance", [DEFAULT["upstream"], frozenset()], ["default", "none"])
@cases("chosen", ["*", "sample", "null"])
def test_a_subprotocol_that_was_not_offered_is_ignored_from_hixie_and_refused_from_others(
    dialect: Dialect, chosen: str, tolerance: Tolerance
) -> None:
    """gimite/web-socket-ruby of 2010 sends the name of its example, others a star or null, to every client."""
    shaken = shake_hands(dialect, OFFER, Answer())
    name = "WebSocket-Protocol" if dialect.name == "hixie-75" else "Sec-WebSocket-Protocol"
    oddities = Oddities(tolerance)
    headers = Headers([*shaken.response.headers, (name, chosen)])
    wrong = replace(shaken.response, headers=headers, oddities=oddities)
    if tolerance and dialect.name in ("hixie-75", "hixie-76"):
        assert shaken.client_handshake.check(wrong, shaken.proof).subprotocol is None
        assert oddities.needed == (Oddity.UNASKED_SUBPROTOCOL,)
        return
    with pytest.raises(HttpRefusal) as refused:
        shaken.client_handshake.check(wrong, shaken.proof)
    assert repr(chosen) in str(refused.value)
    assert refused.value.status == 502
    assert bool(refused.value.remark) is (dialect.name in ("hixie-75", "hixie-76"))


def test_the_answer_to_another_request_is_refused_by_all_dialects_with_a_proof(dialect: Dialect) -> None:
    client_handshake = dialect.handshake.client(OFFER, seeded(2))
    answered = shake_hands(dialect, OFFER, Answer(), seed=1)
    if dialect.name in HAVE_NO_PROOF:
        assert client_handshake.check(answered.response, answered.proof) == Answer()
        return
    with pytest.raises(HttpRefusal, match=r"our (key|challenge)"):
        client_handshake.check(answered.response, answered.proof)


@cases("name", sorted(TWO_KEYS))
@cases("proof", [b"", b"8jKS'y:G*Co,Wxa-", b"8jKS'y:G*Co,Wxa", b"\0" * 16])
def test_a_proof_that_is_not_ours_is_refused(name: str, proof: bytes) -> None:
    shaken = shake_hands(DIALECTS[name], OFFER, Answer())
    assert len(shaken.proof) == 16
    with pytest.raises(HttpRefusal, match="our challenge") as refused:
        shaken.client_handshake.check(shaken.response, proof)
    assert refused.value.status == 502


# -- the list of dialects --------------------------------------------------------------------------------------


def test_each_dialect_stands_in_the_list_under_its_name(dialect: Dialect) -> None:
    assert DIALECTS[dialect.name] is dialect
    assert dialect.spoken_by


def test_the_same_name_twice_is_an_error(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match=f"two dialects are called {dialect.name}"):
        by_name([dialect, dialect])


def test_the_abilities_of_a_framing_do_not_contradict_each_other(dialect: Dialect) -> None:
    framing = dialect.framing
    assert framing.has_close or not framing.close_codes
    assert framing.has_close or not framing.answers_close
    assert framing.carries_binary or framing.delimits_text
