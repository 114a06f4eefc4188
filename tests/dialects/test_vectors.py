"""Everything that other implementations wrote: frames in four ways, requests and replies in both roles."""

import base64

import pytest

from wsgateway.dialects import DIALECTS, Answer
from wsgateway.errors import HandshakeError
from wsgateway.wire.events import Close, Event, Ping, Pong, Role
from wsgateway.wire.heads import ResponseHead

from .feeding import binary, byte_by_byte, cut_at_random, decoder_of, encoder_of, hear, text, whole
from .opening import LIMITS, challenge_draws, open_up, scripted
from .vectors import Vector, by_id, distinct, vectors

# -- frames ----------------------------------------------------------------------------------------------------

# What a Close means stands in its name; some producers do not say what they put into it.
CLOSES = {"close_empty": Close(), "close_1000": Close(1000), "close_1001_bye": Close(1001, "bye")}
FRAGMENTED: dict[str, list[Event]] = {
    "text_fragmented_Hel_lo": [text("Hel", final=False), text("lo")],
    "text_fragmented_Hel_ping_lo": [text("Hel", final=False), Ping(b"p"), text("lo")],
}
# A text that comes behind: between 00 and FF, or in a frame of RFC 6455 without and with a mask.
BEHIND_HIXIE = bytes.fromhex("00 6d6f7265 ff")
BEHIND = {Role.SERVER: bytes.fromhex("81 04 6d6f7265"), Role.CLIENT: bytes.fromhex("81 84 37fa213d 5a955358")}


def expected(vector: Vector) -> list[Event]:
    """The events in a vector, messages whole."""
    match vector.type:
        case "close" if vector.dialect == "hixie-75":
            return []  # no closing frame in 75: FF and a length of 0 is a frame to pass over
        case "close" if vector.dialect == "hixie-76":
            return [Close()]
        case "close" if vector.status == "deviation":
            return [Close(1000)]  # websocket-ruby makes a Close without a code one with 1000
        case "close":
            return [CLOSES[vector.name]]
        case "ping":
            return [Ping(vector.payload)]
        case "pong":
            return [Pong(vector.payload)]
        case "binary":
            return [binary(vector.payload)]
    between: list[Event] = [Ping(b"p")] if vector.name == "text_fragmented_Hel_ping_lo" else []
    return [*between, text(vector.payload)]


UNDERSTOOD = pytest.mark.parametrize("vector", distinct(vectors("frame", "ok", "deviation")), ids=str)


@UNDERSTOOD
def test_a_frame_is_understood_whole(vector: Vector) -> None:
    heard = hear(decoder_of(vector.dialect, vector.receiver), whole(vector.wire))
    assert (heard.events, heard.unfinished, heard.fault) == (expected(vector), None, None)


@UNDERSTOOD
def test_a_frame_is_understood_byte_by_byte(vector: Vector) -> None:
    heard = hear(decoder_of(vector.dialect, vector.receiver), byte_by_byte(vector.wire))
    assert (heard.events, heard.unfinished, heard.fault) == (expected(vector), None, None)


@UNDERSTOOD
def test_a_frame_is_understood_cut_at_random(vector: Vector) -> None:
    for seed in range(5):
        heard = hear(decoder_of(vector.dialect, vector.receiver), cut_at_random(vector.wire, seed))
        assert (heard.events, heard.unfinished, heard.fault) == (expected(vector), None, None), seed


@UNDERSTOOD
def test_a_frame_is_understood_with_another_behind_it(vector: Vector) -> None:
    behind = BEHIND_HIXIE if vector.dialect.startswith("hixie") else BEHIND[vector.sender]
    heard = hear(decoder_of(vector.dialect, vector.receiver), whole(vector.wire + behind))
    events = expected(vector)
    said_goodbye = any(isinstance(event, Close) for event in events)
    assert heard.events == events + ([] if said_goodbye else [text("more")])
    assert heard.fault is None


@pytest.mark.parametrize("vector", distinct(vectors("frame", "ok")), ids=str)
def test_our_frame_is_the_same_to_the_byte(vector: Vector) -> None:
    encoder = encoder_of(vector.dialect, vector.sender)
    events = FRAGMENTED.get(vector.name) or expected(vector)
    assert b"".join(map(encoder.send, events)) == vector.wire


# Protocol::WebSocket writes what hixie cannot say as if it were text. The bytes are what counts: where the payload has
# an FF the text ends, and the rest is a frame that begins with 80 and announces 127 bytes.
READ_FROM_WRONG_FRAMES = {
    "binary": ([text(b"\0")], "0000ff 80 7f ff"),
    "ping_empty": ([text("")], "00ff"),
    "ping_hello": ([text("Hello")], "0048656c6c6fff"),
    "pong_hello": ([text("Hello")], "0048656c6c6fff"),
}


@pytest.mark.parametrize("cut", [whole, byte_by_byte])
@pytest.mark.parametrize("vector", vectors("frame", "wrong"), ids=str)
def test_a_wrong_frame_is_read_as_what_its_bytes_say(vector: Vector, cut) -> None:
    events, wire = READ_FROM_WRONG_FRAMES[vector.name]
    assert vector.wire == bytes.fromhex(wire), vector.status_reason
    decoder = decoder_of(vector.dialect, vector.receiver)
    heard = hear(decoder, cut(vector.wire))
    assert (heard.events, heard.fault) == (events, None)
    if vector.name == "binary":
        # One of the 127 bytes has come; with the other 126 the frame is over.
        assert hear(decoder, [b"\xff" * 126 + BEHIND_HIXIE]).events == [text("more")]


# -- requests --------------------------------------------------------------------------------------------------

REQUESTS = vectors("handshake_request", "ok", "deviation", "wrong")
# The field in which each dialect names the subprotocol and the origin.
PROTOCOL_LINE = {"hixie-75": "WebSocket-Protocol"}


def fields(head: bytes) -> dict[str, str]:
    """The headers of a head, cut by hand."""
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("request_vector", REQUESTS, ids=str)
def test_a_request_is_recognised_and_understood(request_vector: Vector) -> None:
    """Those that are wrong too: websocket-ruby's 76 names the subprotocol as 75 does."""
    opened = open_up(request_vector.wire)
    sent = fields(request_vector.wire)
    offer = opened.answering.offer
    assert opened.dialect.name == request_vector.dialect
    assert offer.host == sent["Host"]
    assert offer.origin == (sent.get("Origin") or sent.get("Sec-WebSocket-Origin"))
    asked = sent.get("Sec-WebSocket-Protocol") or sent.get("WebSocket-Protocol") or ""
    assert offer.subprotocols == (tuple(asked.replace(",", " ").split()) if asked != "chat superchat" else ())
    assert dict(offer.headers).get("Cookie") == sent.get("Cookie")
    assert opened.head.rest == request_vector.wire.partition(b"\r\n\r\n")[2]


# The values below were read off the recorded requests.
@pytest.mark.parametrize(
    ("name", "target", "location"),
    [
        ("phantomjs_T10", "/caf%C3%A9/%C3%A9?q=a%20b", "ws://127.0.0.1:46745/caf\xc3\xa9/\xc3\xa9?q=a%20b"),
        ("phantomjs_T11", "/", "ws://127.0.0.1:46615/"),
        ("phantomjs_T12", "/?", "ws://127.0.0.1:34815/?"),
        ("phantomjs_S1", "/demo?x=1", "ws://127.0.0.1:34829/demo?x=1"),
    ],
)
def test_the_location_that_a_webkit_asked_for_comes_back_as_it_sent_it(name: str, target: str, location: str) -> None:
    opened = open_up(by_id(f"hixie-76/handshake_request/c2s/{name}#1").wire)
    assert opened.answering.offer.target == target
    assert f"\r\nSec-WebSocket-Location: {location}\r\n".encode("latin-1") in opened.reply(Answer())


@pytest.mark.parametrize(
    ("name", "asked", "chosen"),
    [("P1", "chat", "chat"), ("P5", "chat superchat", None), ("P6", "chat,superchat", "superchat")],
)
def test_a_webkit_gets_back_the_whole_string_that_it_asked_with(name: str, asked: str, chosen: str | None) -> None:
    opened = open_up(by_id(f"hixie-76/handshake_request/c2s/phantomjs_{name}#1").wire)
    assert f"\r\nSec-WebSocket-Protocol: {asked}\r\n".encode() in opened.reply(Answer(chosen))


# -- replies, in the server role -------------------------------------------------------------------------------


def split_reply(data: bytes) -> tuple[list[str], bytes]:
    """The lines of a reply's head, and what follows it."""
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def subprotocol_of(lines: list[str]) -> str | None:
    return next((line.partition(": ")[2] for line in lines if "WebSocket-Protocol: " in line), None)


def our_reply(reply: Vector) -> bytes:
    """What we answer to the same request, with the subprotocol that this reply has."""
    opened = open_up(by_id(reply.request_id).wire)
    chosen = subprotocol_of(split_reply(reply.wire)[0])
    if chosen is None and reply.dialect.startswith("hixie"):
        # Not echoed by em-websocket and faye, nor to websocket-ruby's odd request. A WebKit insists on it, so do we.
        chosen = next(iter(opened.answering.offer.subprotocols), None)
    return opened.reply(Answer(chosen))


@pytest.mark.parametrize("reply", vectors("handshake_response", "ok"), ids=str)
def test_our_reply_has_the_same_lines_and_the_same_proof(reply: Vector) -> None:
    lines, proof = split_reply(our_reply(reply))
    their_lines, their_proof = split_reply(reply.wire)
    ours_alone = set(lines) - set(their_lines)
    if subprotocol_of(their_lines) is None and reply.dialect.startswith("hixie"):
        ours_alone = {line for line in ours_alone if "WebSocket-Protocol: " not in line}
    assert lines[0] == their_lines[0]
    assert ours_alone == set()
    assert set(their_lines) <= set(lines)
    assert proof == their_proof


SAME_TO_THE_BYTE = [
    reply
    for reply in vectors("handshake_response", "ok")
    if reply.producer.startswith(("websocket-ruby", "websocket-driver", "pywebsocket"))
    and by_id(reply.request_id).status == "ok"
]


def test_every_dialect_has_a_reply_to_match_to_the_byte() -> None:
    assert {reply.dialect for reply in SAME_TO_THE_BYTE} == set(DIALECTS)


@pytest.mark.parametrize("reply", SAME_TO_THE_BYTE, ids=str)
def test_our_reply_is_the_same_to_the_byte(reply: Vector) -> None:
    assert our_reply(reply) == reply.wire


@pytest.mark.parametrize("request_vector", [each for each in REQUESTS if each.dialect == "hixie-75"], ids=str)
def test_the_first_three_lines_of_hixie_75_are_those_that_webkit_compares(request_vector: Vector) -> None:
    opened = open_up(request_vector.wire)
    reply = opened.reply(Answer(next(iter(opened.answering.offer.subprotocols), None)))
    assert reply.startswith(
        b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nWebSocket-Origin: "
    )


# -- replies, in the client role -------------------------------------------------------------------------------


def checked_by_us(reply: Vector) -> Answer:
    """What we make of a reply when we made the same request: the same keys and challenge, the same offer."""
    request = by_id(reply.request_id)
    opened = open_up(request.wire)
    sent = fields(request.wire)
    if reply.dialect == "hixie-76":
        entropy = challenge_draws(
            sent["Sec-WebSocket-Key1"], sent["Sec-WebSocket-Key2"], challenge=opened.head.rest[:8]
        )
    elif reply.dialect == "hixie-75":
        entropy = scripted()
    else:
        nonce = base64.b64decode(sent["Sec-WebSocket-Key"])
        entropy = scripted(nonce)
    asking = opened.dialect.handshake.asking(opened.answering.offer, entropy)
    head = ResponseHead(LIMITS)
    head.request(asking.request)
    response = head.receive(reply.wire)
    assert response is not None
    assert response.status == 101
    return asking.check(response, head.rest[: asking.proof_bytes])


def repeats_the_subprotocol(reply: Vector) -> bool:
    """Whether a reply has a subprotocol if the request had: hixie's clients insist on it (experiment P2)."""
    asked = b"WebSocket-Protocol: " in by_id(reply.request_id).wire
    return not asked or b"WebSocket-Protocol: " in reply.wire or not reply.dialect.startswith("hixie")


REPLIES = vectors("handshake_response", "ok", "deviation", "wrong")


@pytest.mark.parametrize("reply", [each for each in REPLIES if repeats_the_subprotocol(each)], ids=str)
def test_a_reply_to_us_is_accepted(reply: Vector) -> None:
    """Perl's hixie-75 too, whose status line no WebKit liked: we read its number alone."""
    assert checked_by_us(reply) == Answer(subprotocol_of(split_reply(reply.wire)[0]))


@pytest.mark.parametrize("reply", [each for each in REPLIES if not repeats_the_subprotocol(each)], ids=str)
def test_a_hixie_reply_without_the_subprotocol_that_we_asked_for_is_refused(reply: Vector) -> None:
    with pytest.raises(HandshakeError, match="subprotocol None, we offered") as refused:
        checked_by_us(reply)
    assert refused.value.status == 502


@pytest.mark.parametrize("reply", vectors("handshake_response", "refusal"), ids=str)
def test_a_refusal_is_read_as_one(reply: Vector) -> None:
    """faye's answer to versions 7 and 8."""
    head = ResponseHead(LIMITS)
    head.request(open_up(by_id("hybi-08/handshake_request/c2s/noproto#1").wire).request)
    response = head.receive(reply.wire)
    assert response is not None
    assert (response.status, response.reason) == (400, "Bad Request")
    number = reply.dialect.removeprefix("hybi-0")
    assert head.first_body() == f"Unsupported WebSocket version: {number}".encode()
    assert head.ended
