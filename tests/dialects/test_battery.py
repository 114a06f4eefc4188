"""What every dialect does, in both roles, seen through the interfaces of `dialects.base` alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import pytest

from wsgateway.dialects import DIALECTS, Answer, Asking, Dialect, Framing, Limits, Offer, recognise
from wsgateway.dialects.base import by_name
from wsgateway.errors import HandshakeError, ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Ping, Pong, Role
from wsgateway.wire.heads import Headers, RequestHead, Response, ResponseHead
from wsgateway.wire.masking import xor_mask

from .feeding import CUTS, GENEROUS, Heard, binary, hear, other, text
from .opening import LIMITS, seeded

# -- framing ---------------------------------------------------------------------------------------------------


def keys() -> Iterator[bytes]:
    """Mask keys, each another one."""
    return ((number % 2**32).to_bytes(4, "big") for number in count(0x37FA213D, 0x01030507))


@dataclass(frozen=True)
class Wire:
    """One direction of a connection: what we write as `sender` comes to us as the other role."""

    framing: Framing
    sender: Role

    def write(self, *events: Event) -> bytes:
        encoder = self.framing.encoder(self.sender, keys())
        return b"".join(map(encoder.send, events))

    def read(self, data: bytes, cut: Callable[[bytes], list[bytes]] = CUTS[0], limits: Limits = GENEROUS) -> Heard:
        return hear(self.framing.decoder(other(self.sender), limits), cut(data))

    def message(self, data: bytes) -> Fragment:
        """A message of the kind that needs no UTF-8, where there is one."""
        return binary(data) if self.framing.carries_binary else text(data)


@pytest.fixture(
    params=[(name, role) for name in DIALECTS for role in Role], ids=lambda each: f"{each[0]}-{each[1].value}"
)
def wire(request: pytest.FixtureRequest) -> Wire:
    name, sender = request.param
    return Wire(DIALECTS[name].framing, sender)


@pytest.fixture(params=["in C", "in Python"])
def masking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks by `websockets.speedups`, and by the fallback for hosts that do not have it."""
    if request.param == "in Python":
        monkeypatch.setattr("wsgateway.dialects.framing.apply_mask", xor_mask)


TEXTS = {
    "empty": "",
    "short": "Hello",
    "multibyte": "\u20ac\U0001f600\u00fc",
    "of NULs": "a\0b\0",
    "of 125 bytes": "a" * 125,
    "of 126 bytes": "a" * 126,
    "of 127 bytes": "a" * 127,
    "of 65535 bytes": "a" * 65535,
    "of 65536 bytes": "a" * 65536,
    "of a MiB": "\u00e9" * (512 * 1024),
    "of a MiB and odd": "\u20ac" * (350 * 1000 + 1),
}


@pytest.mark.usefixtures("masking")
@pytest.mark.parametrize("message", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_arrives_as_it_was_sent(wire: Wire, message: str) -> None:
    heard = wire.read(wire.write(text(message)))
    assert heard == Heard([text(message)])


@pytest.mark.usefixtures("masking")
@pytest.mark.parametrize("size", [0, 1, 4, 125, 126, 127, 65535, 65536, 1024 * 1024])
def test_a_binary_message_arrives_as_it_was_sent(wire: Wire, size: int) -> None:
    message = binary((bytes(range(256)) * (size // 256 + 1))[:size])
    if not wire.framing.carries_binary:
        with pytest.raises(ValueError, match="binary"):
            wire.write(message)
        return
    assert wire.read(wire.write(message)) == Heard([message])


@pytest.mark.usefixtures("masking")
@pytest.mark.parametrize("cut", CUTS)
def test_fragments_arrive_as_one_message(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    # The euro sign is cut in two, and a fragment may be empty, the last one too.
    sent = [
        text(b"", False),
        text(b"10 \xe2", False),
        text(b"\x82\xac" + b"!" * 300, False),
        text(b"", True),
        text("x"),
    ]
    assert wire.read(wire.write(*sent), cut) == Heard([text("10 \u20ac" + "!" * 300), text("x")])


@pytest.mark.parametrize("cut", CUTS)
def test_many_messages_arrive_in_their_order(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    sent: list[Event] = [text("n" * (number % 140)) for number in range(300)]
    assert wire.read(wire.write(*sent), cut) == Heard(sent)


def test_an_unfinished_message_comes_out_as_far_as_it_is_here(wire: Wire) -> None:
    unfinished = wire.read(wire.write(text("a" * 1000))[:500]).unfinished
    assert unfinished is not None
    assert 500 - 14 <= len(unfinished.data) < 500  # a head takes 14 bytes at most


@pytest.mark.usefixtures("masking")
@pytest.mark.parametrize("message", TEXTS.values(), ids=TEXTS.keys())
def test_a_whole_text_is_written_and_read_as_any_other(wire: Wire, message: str) -> None:
    encoder = wire.framing.encoder(wire.sender, keys())
    data = encoder.whole(message.encode())
    assert data == wire.write(text(message))
    decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
    payload = decoder.whole(data)
    if payload is None:
        assert len(message) > 125, "short messages are taken"
        assert hear(decoder, [data]) == Heard([text(message)])
    else:
        assert payload == message.encode()
    assert hear(decoder, [wire.write(text("next"))]) == Heard([text("next")])


def test_only_one_whole_text_is_a_whole_text(wire: Wire) -> None:
    one = wire.write(text("one"))
    not_one = [one[:-1], one + one, one + one[:1], one[:1], wire.write(text("o", False)), wire.write(Close())]
    if wire.framing.carries_binary:
        not_one += [wire.write(wire.message(b"one")), wire.write(Ping(b"one")), wire.write(Close(1000, "one"))]
    for data in filter(None, not_one):
        decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
        assert decoder.whole(data) is None
        assert decoder.whole(one) == b"one", "nothing was taken"


def test_a_whole_text_is_none_while_something_else_is_under_way(wire: Wire) -> None:
    one = wire.write(text("one"))
    for before in (one[:-1], one[:1], wire.write(text("begun", False))):
        decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
        hear(decoder, [before])
        assert decoder.whole(one) is None


def test_a_whole_text_beyond_the_limit_is_left_to_receive(wire: Wire) -> None:
    for size in (11, 125):
        decoder = wire.framing.decoder(other(wire.sender), Limits(message_bytes=10))
        data = wire.write(text("a" * size))
        assert decoder.whole(data) is None
        assert hear(decoder, [data]) == Heard(fault=1009)


def test_no_bytes_are_no_whole_text(wire: Wire) -> None:
    assert wire.framing.decoder(other(wire.sender), GENEROUS).whole(b"") is None


def test_after_a_close_no_text_is_whole(wire: Wire) -> None:
    if not wire.framing.has_close:
        return
    decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
    hear(decoder, [wire.write(Close())])
    assert decoder.whole(wire.write(text("late"))) is None


def test_a_whole_text_with_what_would_end_it_is_not_written(wire: Wire) -> None:
    if not wire.framing.delimits_text:
        return
    with pytest.raises(ValueError, match="FF byte"):
        wire.framing.encoder(wire.sender, keys()).whole(b"a\xffb")


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("control", [Ping(b""), Ping(b"\0" * 125), Pong(b""), Pong(b"p" * 125)], ids=str)
def test_a_control_frame_arrives_between_fragments(
    wire: Wire, control: Ping | Pong, cut: Callable[[bytes], list[bytes]]
) -> None:
    if not wire.framing.carries_ping:
        with pytest.raises(ValueError, match="no frame"):
            wire.write(control)
        return
    heard = wire.read(wire.write(control, text("Hel", False), control, text("lo"), control), cut)
    assert heard == Heard([control, control, text("Hello"), control])


@pytest.mark.parametrize("cut", CUTS)
def test_after_a_close_nothing_is_heard(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    behind = [b"", wire.write(text("late"), Close()), b"\xff" * 300, b"\0" * 300, bytes(range(256))]
    for rest in behind:
        heard = wire.read(wire.write(text("last"), Close()) + rest, cut)
        if wire.framing.has_close:
            assert heard == Heard([text("last"), Close()])
        else:
            assert heard.events[0] == text("last")
            assert Close() not in heard.events


def test_after_a_close_later_reads_are_ignored(wire: Wire) -> None:
    if not wire.framing.has_close:
        assert wire.write(Close()) == b""
        return
    decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
    assert hear(decoder, [wire.write(Close())]).events == [Close()]
    assert hear(decoder, [wire.write(text("late")), b"\xff", b"\0" * 5000, b""]) == Heard()


@pytest.mark.parametrize("code", [*range(990, 1020), 2999, 3000, 4000, 4999, 5000])
def test_a_close_code_travels_where_the_dialect_has_it(wire: Wire, code: int) -> None:
    data = wire.write(Close(code, "bye"))
    if not wire.framing.has_close:
        assert data == b""
    elif code in wire.framing.close_codes:
        assert wire.read(data) == Heard([Close(code, "bye")])
    else:
        assert data == wire.write(Close())
        assert wire.read(data) == Heard([Close()])


def test_codes_that_are_not_for_the_wire_are_in_no_dialect(wire: Wire) -> None:
    assert wire.framing.close_codes.isdisjoint({*range(1000), 1004, 1005, 1006, 1015, *range(1016, 3000), 5000})


def test_a_long_reason_is_cut_between_characters(wire: Wire) -> None:
    if not wire.framing.close_codes:
        return
    # 41 euro signs are 123 bytes, all that there is room for; a letter in front of them leaves room for 40.
    assert wire.read(wire.write(Close(1000, "\u20ac" * 41))).events == [Close(1000, "\u20ac" * 41)]
    assert wire.read(wire.write(Close(1000, "x" + "\u20ac" * 41))).events == [Close(1000, "x" + "\u20ac" * 40)]


def test_a_stream_that_ends_without_a_close(wire: Wire) -> None:
    """Is a goodbye in the dialects whose clients know no other; in the others never."""
    decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
    hear(decoder, [wire.write(text("last"))])
    if not wire.framing.answers_close:
        assert decoder.finish() == Close()
        return
    with pytest.raises(ProtocolError, match="without a Close") as lost:
        decoder.finish()
    assert lost.value.close_code == 1006


def test_a_stream_that_ends_inside_a_frame_is_a_fault(wire: Wire) -> None:
    decoder = wire.framing.decoder(other(wire.sender), GENEROUS)
    hear(decoder, [wire.write(text("last"))[:-1]])
    with pytest.raises(ProtocolError) as lost:
        decoder.finish()
    assert lost.value.close_code == 1006


# -- limits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("limit", [0, 1, 125, 126, 1000])
def test_a_message_may_be_as_long_as_the_limit(wire: Wire, limit: int, cut: Callable[[bytes], list[bytes]]) -> None:
    message = wire.message(b"a" * limit)
    data = wire.write(message, message)
    assert wire.read(data, cut, Limits(message_bytes=limit)) == Heard([message, message])


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("limit", [0, 1, 125, 126, 1000])
def test_a_message_beyond_the_limit_is_too_big(wire: Wire, limit: int, cut: Callable[[bytes], list[bytes]]) -> None:
    good, bad = wire.message(b"a" * limit), wire.message(b"b" * (limit + 1))
    heard = wire.read(wire.write(good, bad, good), cut, Limits(message_bytes=limit))
    assert (heard.events, heard.fault) == ([good], 1009)
    if heard.unfinished is not None:
        assert len(heard.unfinished.data) <= limit


@pytest.mark.parametrize("limit", [65535, 65536, 1024 * 1024])
def test_nothing_of_a_message_that_is_too_long_comes_out_if_it_comes_in_one_read(wire: Wire, limit: int) -> None:
    good, bad = wire.message(b"a" * limit), wire.message(b"b" * (limit + 1))
    assert wire.read(wire.write(good, good), limits=Limits(message_bytes=limit)) == Heard([good, good])
    assert wire.read(wire.write(good, bad), limits=Limits(message_bytes=limit)) == Heard([good], fault=1009)


@pytest.mark.parametrize("cut", CUTS)
def test_a_message_in_fragments_counts_as_one(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    fragments = [text("a" * 50, False), text("b" * 50, False), text("c", True)]
    data = wire.write(text("good"), *fragments)
    assert wire.read(data, cut, Limits(message_bytes=101)).fault is None
    heard = wire.read(data, cut, Limits(message_bytes=100))
    assert (heard.events, heard.fault) == ([text("good")], 1009)
    if heard.unfinished is not None:
        assert (b"a" * 50 + b"b" * 50).startswith(heard.unfinished.data)


@pytest.mark.parametrize("cut", CUTS)
def test_each_message_counts_from_its_own_beginning(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    in_pieces = [text("a" * 50, False), text("b" * 40, False), text("c" * 10)]
    limits = Limits(message_bytes=100, fragments=3)
    said = [text("a" * 50 + "b" * 40 + "c" * 10), text("d" * 100)]
    assert wire.read(wire.write(*in_pieces, text("d" * 100)) * 3, cut, limits) == Heard(said * 3)


@pytest.mark.parametrize("cut", CUTS)
def test_a_message_may_have_as_many_fragments_as_the_limit(wire: Wire, cut: Callable[[bytes], list[bytes]]) -> None:
    def in_pieces(number: int) -> bytes:
        return wire.write(*[text("-", final=at == number) for at in range(1, number + 1)], text("next"))

    limits = Limits(fragments=5)
    assert wire.read(in_pieces(5), cut, limits) == Heard([text("-----"), text("next")])
    heard = wire.read(in_pieces(6), cut, limits)
    if wire.framing.delimits_text:  # where a message is one frame, however it was sent
        assert heard == Heard([text("------"), text("next")])
    else:
        assert heard == Heard([], text("-----", False), 1009)


def test_events_come_out_before_the_fault_behind_them(wire: Wire) -> None:
    limits = Limits(message_bytes=10)
    decoder = wire.framing.decoder(other(wire.sender), limits)
    arriving = decoder.receive(wire.write(text("one"), text("two"), text("b" * 11)))
    assert next(arriving) == text("one")
    assert next(arriving) == text("two")
    with pytest.raises(ProtocolError):
        next(arriving)


# -- handshake -------------------------------------------------------------------------------------------------

# What the dialects cannot say of an Offer and an Answer: permessage-deflate is RFC 7692, on RFC 6455; a hixie reply
# takes no headers but cookies, and repeats a list of subprotocols whole, which leaves open which one was chosen.
HAVE_EXTENSIONS = {"rfc6455"}
REPEAT_LISTS = {"hixie-75", "hixie-76"}

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

    offer: Offer
    asking: Asking
    response: Response
    proof: bytes


def shake_hands(dialect: Dialect, offer: Offer, answer: Answer, seed: int = 1) -> Shaken:
    """Asks and answers over bytes."""
    asking = dialect.handshake.asking(offer, seeded(seed))
    client, server = ResponseHead(LIMITS), RequestHead(LIMITS)
    request = server.receive(client.request(asking.request) + asking.challenge)
    assert request is not None
    assert recognise(request) is dialect
    answering = dialect.handshake.answering(request)
    assert server.rest == asking.challenge
    assert answering.challenge_bytes == len(asking.challenge)
    reply = server.switch(answering.accept(answer)) + answering.proof(server.rest)
    response = client.receive(reply + b"\0first frame")
    assert response is not None
    assert client.rest[asking.proof_bytes :] == b"\0first frame"
    return Shaken(answering.offer, asking, response, client.rest[: asking.proof_bytes])


@pytest.fixture(params=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_offer_arrives_as_far_as_the_dialect_can_say_it(dialect: Dialect, offer: Offer) -> None:
    answer = Answer(offer.subprotocols[-1] if offer.subprotocols else None)
    arrived = shake_hands(dialect, offer, answer).offer
    assert arrived == (offer if dialect.name in HAVE_EXTENSIONS else replace(offer, extensions=()))


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS.keys())
def test_an_answer_arrives_as_far_as_the_dialect_can_say_it(dialect: Dialect, offer: Offer) -> None:
    answer = Answer(
        subprotocol=offer.subprotocols[-1] if offer.subprotocols else None,
        extensions=("permessage-deflate; server_no_context_takeover",)
        if offer.extensions and dialect.name in HAVE_EXTENSIONS
        else (),
        headers=(("Set-Cookie", "sid=1; Path=/"), ("Set-Cookie", "lang=en")),
    )
    expected = answer
    if len(offer.subprotocols) > 1 and dialect.name in REPEAT_LISTS:
        expected = replace(answer, subprotocol=None)
    for seed in range(20):
        shaken = shake_hands(dialect, offer, answer, seed)
        assert shaken.asking.check(shaken.response, shaken.proof) == expected, seed


def test_an_offer_may_be_declined_where_the_client_can_live_with_it(dialect: Dialect) -> None:
    offer = OFFERS["with several subprotocols"]
    if dialect.name in REPEAT_LISTS:
        with pytest.raises(HandshakeError, match="the client insists") as refused:
            shake_hands(dialect, offer, Answer())
        assert refused.value.status == 502
        return
    shaken = shake_hands(dialect, offer, Answer())
    assert shaken.asking.check(shaken.response, shaken.proof) == Answer()


def test_two_requests_never_have_the_same_secrets(dialect: Dialect) -> None:
    first, second = (dialect.handshake.asking(OFFER, seeded(seed)) for seed in (1, 2))
    same = (first.challenge, list(first.request.headers)) == (second.challenge, list(second.request.headers))
    assert same is (dialect.name == "hixie-75")  # which has none


def without(*names: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [(name, value) for name, value in headers if name not in names]


def with_value(name: str, value: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [*without(name)(headers), (name, value)]


def twice(name: str) -> Callable[[Headers], list[tuple[str, str]]]:
    return lambda headers: [*headers, *[(each, value) for each, value in headers if each == name]]


FALSE_ORIGIN = "http://evil.example.com"
HYBI = {"hybi-07", "hybi-08", "rfc6455"}
# What is done to a good reply, to which dialects, and what is said of it.
WRONG_REPLIES: list[tuple[set[str], Callable[[Headers], list[tuple[str, str]]], str]] = [
    (set(DIALECTS), without("Upgrade"), "Upgrade"),
    (set(DIALECTS), without("Connection"), "Connection: Upgrade"),
    (set(DIALECTS), with_value("Upgrade", "h2c"), "h2c"),
    (set(DIALECTS), with_value("Upgrade", "websocket, h2c"), "h2c"),
    (set(DIALECTS), with_value("Connection", "close"), "Connection: Upgrade"),
    (HYBI, without("Sec-WebSocket-Accept"), "Accept None"),
    (HYBI, with_value("Sec-WebSocket-Accept", ""), "Accept ''"),
    # The RFC's own sample, which answers the RFC's own key and no other.
    (HYBI, with_value("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "does not answer our key"),
    (HYBI, twice("Sec-WebSocket-Accept"), "2 Sec-WebSocket-Accept headers"),
    (HYBI, with_value("Sec-WebSocket-Protocol", "other"), "'other', which nobody offered"),
    (HYBI, with_value("Sec-WebSocket-Protocol", "Chat"), "'Chat', which nobody offered"),
    (HYBI, with_value("Sec-WebSocket-Protocol", "chat, superchat"), "which nobody offered"),
    (HYBI, twice("Sec-WebSocket-Protocol"), "2 Sec-WebSocket-Protocol headers"),
    (HYBI, with_value("Sec-WebSocket-Extensions", "x-webkit-deflate-frame"), "which nobody offered"),
    (HYBI, with_value("Sec-WebSocket-Extensions", "permessage-deflate"), "which nobody offered"),
    ({"hixie-75"}, without("WebSocket-Origin"), "WebSocket-Origin None"),
    ({"hixie-75"}, with_value("WebSocket-Origin", FALSE_ORIGIN), "ours is 'http://app.example.com'"),
    ({"hixie-75"}, twice("WebSocket-Origin"), "2 WebSocket-Origin headers"),
    ({"hixie-75"}, without("WebSocket-Location"), "WebSocket-Location None"),
    ({"hixie-75"}, with_value("WebSocket-Location", "ws://example.com:8080/other"), "we asked"),
    ({"hixie-75"}, without("WebSocket-Protocol"), "subprotocol None"),
    ({"hixie-75"}, with_value("WebSocket-Protocol", "other"), "subprotocol 'other'"),
    ({"hixie-76"}, without("Sec-WebSocket-Origin"), "Sec-WebSocket-Origin None"),
    ({"hixie-76"}, with_value("Sec-WebSocket-Origin", FALSE_ORIGIN), "ours is 'http://app.example.com'"),
    ({"hixie-76"}, with_value("Sec-WebSocket-Location", "ws://example.com:8080/chat"), "we asked"),
    ({"hixie-76"}, without("Sec-WebSocket-Protocol"), "subprotocol None"),
    ({"hixie-76"}, with_value("Sec-WebSocket-Protocol", "Chat"), "subprotocol 'Chat'"),
    ({"hixie-76"}, twice("Sec-WebSocket-Protocol"), "2 Sec-WebSocket-Protocol headers"),
]


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [(name, damage, said) for names, damage, said in WRONG_REPLIES for name in DIALECTS if name in names],
)
def test_a_wrong_reply_is_refused(name: str, damage: Callable[[Headers], list[tuple[str, str]]], said: str) -> None:
    shaken = shake_hands(DIALECTS[name], OFFERS["with a subprotocol"], Answer("chat"))
    assert shaken.asking.check(shaken.response, shaken.proof).subprotocol == "chat"
    wrong = replace(shaken.response, headers=Headers(damage(shaken.response.headers)))
    with pytest.raises(HandshakeError) as refused:
        shaken.asking.check(wrong, shaken.proof)
    assert said in str(refused.value)
    assert refused.value.status == 502


def test_a_subprotocol_that_nobody_asked_for_is_refused(dialect: Dialect) -> None:
    shaken = shake_hands(dialect, OFFER, Answer())
    name = "WebSocket-Protocol" if dialect.name == "hixie-75" else "Sec-WebSocket-Protocol"
    wrong = replace(shaken.response, headers=Headers([*shaken.response.headers, (name, "chat")]))
    with pytest.raises(HandshakeError, match="'chat'"):
        shaken.asking.check(wrong, shaken.proof)


def test_the_answer_to_another_request_is_refused_by_all_who_prove_anything(dialect: Dialect) -> None:
    asking = dialect.handshake.asking(OFFER, seeded(2))
    answered = shake_hands(dialect, OFFER, Answer(), seed=1)
    if dialect.name == "hixie-75":
        assert asking.check(answered.response, answered.proof) == Answer()
        return
    with pytest.raises(HandshakeError, match=r"our (key|challenge)"):
        asking.check(answered.response, answered.proof)


@pytest.mark.parametrize("proof", [b"", b"8jKS'y:G*Co,Wxa-", b"8jKS'y:G*Co,Wxa", b"\0" * 16])
def test_a_proof_that_is_not_ours_is_refused(proof: bytes) -> None:
    shaken = shake_hands(DIALECTS["hixie-76"], OFFER, Answer())
    assert len(shaken.proof) == 16
    with pytest.raises(HandshakeError, match="our challenge") as refused:
        shaken.asking.check(shaken.response, proof)
    assert refused.value.status == 502


# -- the list of dialects --------------------------------------------------------------------------------------


def test_each_dialect_stands_in_the_list_under_its_name(dialect: Dialect) -> None:
    assert DIALECTS[dialect.name] is dialect
    assert dialect.spoken_by


def test_the_same_name_twice_is_an_error(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match=f"two dialects are called {dialect.name}"):
        by_name([dialect, dialect])


def test_a_framing_says_what_it_can_say_without_contradiction(dialect: Dialect) -> None:
    framing = dialect.framing
    assert framing.has_close or not framing.close_codes
    assert framing.has_close or not framing.answers_close
    assert framing.carries_binary or framing.delimits_text
