"""Requests and replies of other implementations: requests recognised and answered, replies checked."""

import base64

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer
from wsgateway.errors import HttpRefusal
from wsgateway.wire.masking import Entropy
from wsgateway.wire.response_head import ResponseHead

from .opening import LIMITS, Opened, challenge_draws, open_up, scripted
from .vectors import Vector, by_id, vectors


def fields(head: bytes) -> dict[str, str]:
    """Return the headers of a head, cut by hand."""
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


# -- requests --------------------------------------------------------------------------------------------------

REQUESTS = vectors("handshake_request", "ok", "deviation", "wrong")


def test_every_dialect_has_requests_of_others() -> None:
    assert {request.dialect for request in vectors("handshake_request", "ok")} == set(DIALECTS)


@cases("request_vector", REQUESTS, ids=str)
def test_a_request_is_recognised_and_understood(request_vector: Vector) -> None:
    """Return the wrong ones too: websocket-ruby's drafts with two keys name the subprotocol as 75 does."""
    opened = open_up(request_vector.wire)
    sent = fields(request_vector.wire)
    offer = opened.server_handshake.offer
    assert opened.dialect.name == request_vector.dialect, request_vector.status_reason
    assert sum(dialect.handshake.recognises(opened.request) for dialect in DIALECTS.values()) == 1
    assert offer.host == sent["Host"]
    assert offer.origin == (sent.get("Origin") or sent.get("Sec-WebSocket-Origin"))
    asked = sent.get("Sec-WebSocket-Protocol") or sent.get("WebSocket-Protocol") or ""
    assert offer.subprotocols == (tuple(asked.replace(",", " ").split()) if asked != "chat superchat" else ())
    assert dict(offer.headers).get("Cookie") == sent.get("Cookie")
    assert opened.head.rest == request_vector.wire.partition(b"\r\n\r\n")[2]


# The values below were copied from the recorded requests.
@cases(
    ("name", "target", "location"),
    [
        ("phantomjs_T10", "/caf%C3%A9/%C3%A9?q=a%20b", "ws://127.0.0.1:46745/caf\xc3\xa9/\xc3\xa9?q=a%20b"),
        ("phantomjs_T11", "/", "ws://127.0.0.1:46615/"),
        ("phantomjs_T12", "/?", "ws://127.0.0.1:34815/?"),
        ("phantomjs_S1", "/demo?x=1", "ws://127.0.0.1:34829/demo?x=1"),
    ],
)
def test_the_location_that_a_webkit_requested_comes_back_as_it_was_sent(name: str, target: str, location: str) -> None:
    opened = open_up(by_id(f"hixie-76/handshake_request/c2s/{name}#1").wire)
    assert opened.server_handshake.offer.target == target
    assert f"\r\nSec-WebSocket-Location: {location}\r\n".encode("latin-1") in opened.reply(Answer())


@cases(
    ("name", "asked", "chosen"),
    [("P1", "chat", "chat"), ("P5", "chat superchat", None), ("P6", "chat,superchat", "superchat")],
)
def test_a_webkit_gets_back_its_whole_subprotocol_string(name: str, asked: str, chosen: str | None) -> None:
    opened = open_up(by_id(f"hixie-76/handshake_request/c2s/phantomjs_{name}#1").wire)
    assert f"\r\nSec-WebSocket-Protocol: {asked}\r\n".encode() in opened.reply(Answer(chosen))


# -- replies, in the server role -------------------------------------------------------------------------------

# A header without a value, which pywebsocket sent before it had subprotocols, and which breaks Safari.
NO_PROTOCOL = b"Sec-WebSocket-Protocol: \r\n"


def split_reply(data: bytes) -> tuple[list[str], bytes]:
    """Return the lines of a reply's head, and what follows it."""
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def subprotocol_of(data: bytes) -> str | None:
    """Return the subprotocol that a reply names, if it names one."""
    lines, _ = split_reply(data)
    return next((line.partition(": ")[2] for line in lines if "WebSocket-Protocol: " in line), None) or None


def insists(reply: Vector) -> bool:
    """Return whether a client that offered a subprotocol must get one back: it must if it has no version (P2)."""
    return "Sec-WebSocket-Version" not in fields(by_id(reply.request_id).wire)


def nonce_of(reply: Vector) -> Entropy | None:
    """Return entropy that makes the nonce of this reply, if it has one."""
    nonce = fields(reply.wire).get("Sec-WebSocket-Nonce")
    return None if nonce is None else scripted(base64.b64decode(nonce))


def our_reply(reply: Vector) -> bytes:
    """Return our answer to the same request, with the subprotocol that this reply has."""
    opened = open_up(by_id(reply.request_id).wire, nonce_of(reply))
    chosen = subprotocol_of(reply.wire)
    if chosen is None and insists(reply):
        # em-websocket and faye send none, nor does websocket-ruby for its odd request. WebKit needs one, so we send it.
        chosen = next(iter(opened.server_handshake.offer.subprotocols), None)
    return opened.reply(Answer(chosen))


@cases("reply", vectors("handshake_response", "ok"), ids=str)
def test_our_reply_has_the_same_lines_and_the_same_proof(reply: Vector) -> None:
    lines, proof = split_reply(our_reply(reply))
    their_lines, their_proof = split_reply(reply.wire)
    ours_alone = set(lines) - set(their_lines)
    if subprotocol_of(reply.wire) is None and insists(reply):
        ours_alone = {line for line in ours_alone if "WebSocket-Protocol: " not in line}
    assert lines[0] == their_lines[0]
    assert ours_alone == set()
    assert set(their_lines) <= set(lines)
    assert proof == their_proof


SAME_TO_THE_BYTE = [
    reply
    for reply in vectors("handshake_response", "ok", "deviation")
    if reply.producer.startswith(("websocket-ruby", "websocket-driver", "pywebsocket"))
    and by_id(reply.request_id).status == "ok"
]


def test_every_dialect_has_a_reply_to_match_to_the_byte() -> None:
    assert {reply.dialect for reply in SAME_TO_THE_BYTE} == set(DIALECTS)


@cases("reply", SAME_TO_THE_BYTE, ids=str)
def test_our_reply_is_the_same_to_the_byte(reply: Vector) -> None:
    assert our_reply(reply) == reply.wire.replace(NO_PROTOCOL, b""), reply.status_reason


@cases("request_vector", [each for each in REQUESTS if each.dialect == "hixie-75"], ids=str)
def test_the_first_three_lines_of_hixie_75_are_those_that_webkit_compares(request_vector: Vector) -> None:
    opened = open_up(request_vector.wire)
    reply = opened.reply(Answer(next(iter(opened.server_handshake.offer.subprotocols), None)))
    assert reply.startswith(
        b"HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nWebSocket-Origin: "
    )


# -- replies, in the client role -------------------------------------------------------------------------------


def draws(opened: Opened, sent: dict[str, str]) -> Entropy:
    """Return entropy that makes the keys of a request again."""
    if "Sec-WebSocket-Key1" in sent:
        keys = (sent["Sec-WebSocket-Key1"], sent["Sec-WebSocket-Key2"])
        return challenge_draws(*keys, challenge=opened.head.rest[:8])
    return scripted(base64.b64decode(sent["Sec-WebSocket-Key"])) if "Sec-WebSocket-Key" in sent else scripted()


def checked_by_us(reply: Vector) -> Answer:
    """Check a reply against the same request of ours: the same keys and challenge, the same offer."""
    request = by_id(reply.request_id).wire
    opened = open_up(request)
    client_handshake = opened.dialect.handshake.client(opened.server_handshake.offer, draws(opened, fields(request)))
    if client_handshake.challenge:
        # These programs draw from all bytes; we draw only visible ones.
        client_handshake.challenge = opened.head.rest[:8]
    head = ResponseHead(LIMITS)
    head.request(client_handshake.request)
    response = head.receive(reply.wire)
    assert response is not None
    assert response.status == 101
    return client_handshake.check(response, head.rest[: client_handshake.proof_bytes])


# Our error text for a reply that cannot be used, by the reason why it is wrong; None: it can be used. A browser
# compared the whole status line, and required a subprotocol; we read only the status, and accept a missing subprotocol.
WRONG = {
    "status line must be": None,
    "requested subprotocol is not echoed": None,
    "Sec-WebSocket-Nonce missing": "no Sec-WebSocket-Nonce",
}


def fault_in(reply: Vector) -> str | None:
    """Return our error text for a reply; None if it is valid."""
    if reply.status != "wrong":
        return None
    said = [text for why, text in WRONG.items() if reply.status_reason.startswith(why)]
    assert len(said) == 1, f"no word, or two, on what to make of this: {reply.status_reason}"
    return said[0]


REPLIES = vectors("handshake_response", "ok", "deviation", "wrong")


@cases("reply", [each for each in REPLIES if fault_in(each) is None], ids=str)
def test_a_reply_to_us_is_accepted(reply: Vector) -> None:
    assert checked_by_us(reply) == Answer(subprotocol_of(reply.wire)), reply.status_reason


@cases("reply", [each for each in REPLIES if fault_in(each) is not None], ids=str)
def test_a_reply_to_us_that_lacks_something_is_refused(reply: Vector) -> None:
    with pytest.raises(HttpRefusal) as refused:
        pytest.fail(f"accepted as {checked_by_us(reply)}, though: {reply.status_reason}")
    assert str(refused.value).startswith(fault_in(reply) or "")
    assert refused.value.status == 502


@cases("reply", vectors("handshake_response", "refusal"), ids=str)
def test_a_refusal_is_read_as_a_refusal(reply: Vector) -> None:
    """faye sends this answer to versions that it does not know."""
    ours = DIALECTS[reply.dialect].handshake
    request = next(each for each in vectors("handshake_request", "ok") if each.dialect == reply.dialect)
    head = ResponseHead(LIMITS)
    head.request(open_up(request.wire).request)
    response = head.receive(reply.wire)
    assert response is not None
    assert (response.status, response.reason) == (400, "Bad Request")
    assert head.first_body() == f"Unsupported WebSocket version: {ours.version}".encode()
    assert head.ended
