"""RFC 6455: the extension that may be agreed, and two independent implementations as peers in both roles."""

import random
from collections.abc import Callable, Iterator

import pytest
import wsproto
import wsproto.events
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from wsproto.connection import Connection, ConnectionType

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.errors import HttpRefusal
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.heads import Headers, Response
from wsgateway.wire.response_head import ResponseHead

from .feeding import CUTS, Heard, binary, byte_by_byte, decoder_of, encoder_of, hear, other, text
from .opening import LIMITS, head_of, open_up, scripted, seeded

BOTH = cases("role", Role)
EVERY_CUT = cases("cut", CUTS)

# -- permessage-deflate (RFC 7692) -----------------------------------------------------------------------------

ACCEPT = ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
LINES = [
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


@cases(
    ("lines", "extensions"),
    [
        ([], ()),
        (["permessage-deflate"], ("permessage-deflate",)),
        (["permessage-deflate; client_max_window_bits"], ("permessage-deflate; client_max_window_bits",)),
        (["Permessage-Deflate ;server_max_window_bits=10"], ("Permessage-Deflate ;server_max_window_bits=10",)),
        (["x-webkit-deflate-frame, permessage-deflate"], ("permessage-deflate",)),
        (["permessage-deflate; x=1, permessage-deflate"], ("permessage-deflate; x=1", "permessage-deflate")),
        (["permessage-bzip2", "permessage-deflate"], ("permessage-deflate",)),
        (["deflate-stream"], ()),
        (["permessage-deflate2"], ()),
    ],
)
def test_of_the_extensions_only_permessage_deflate_is_offered_on(lines: list[str], extensions: tuple[str, ...]) -> None:
    data = head_of(*LINES, *[f"Sec-WebSocket-Extensions: {line}" for line in lines])
    assert open_up(data).server_handshake.offer.extensions == extensions


@cases(
    ("offered", "agreed", "said"),
    [
        (("permessage-deflate",), "permessage-deflate", None),
        (("permessage-deflate",), "permessage-deflate; server_no_context_takeover", None),
        (("permessage-deflate",), "x-webkit-deflate-frame", "not offered"),
        (("permessage-deflate",), "permessage-deflate, permessage-deflate", "not offered"),
        (("permessage-deflate",), "permessage-deflate, foo", "not offered"),
        ((), "permessage-deflate", "not offered"),
        ((), "foo", "not offered"),
    ],
)
def test_only_an_extension_that_was_offered_may_be_agreed(
    offered: tuple[str, ...], agreed: str, said: str | None
) -> None:
    offer = Offer("/", "example.com", extensions=offered)
    client_handshake = DIALECTS["rfc6455"].handshake.client(offer, scripted(b"the sample nonce"))
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ACCEPT, ("Sec-WebSocket-Extensions", agreed)]
    response = Response(101, "Switching Protocols", Headers(headers))
    if said is None:
        assert client_handshake.check(response, b"") == Answer(extensions=(agreed,))
        return
    with pytest.raises(HttpRefusal, match=said):
        client_handshake.check(response, b"")


# -- independent peers: frames ---------------------------------------------------------------------------------


def conversation(cut: Callable[[bytes], list[bytes]], ending: Close) -> list[Event]:
    """Draw messages of all sizes, with control frames between and inside them; only short ones are fed byte by byte."""
    chance = random.Random(6455)
    sizes = [0, 1, 5, 125, 126, 127, 1000, *([65535, 65536, 70_001] if cut is not byte_by_byte else [])]
    events: list[Event] = []
    for size in sizes:
        events += [binary(chance.randbytes(size)), text("\u00e9" * (size // 2)), Ping(chance.randbytes(size % 126))]
    events += [text("Hel", final=False), Pong(b"p"), text("", final=False), Ping(b""), text("lo")]
    events += [binary(b"\0", final=False), binary(b"\xff" * 300)]
    return [*events, ending]


ENDINGS = cases("ending", [Close(), Close(1000), Close(4999, "\u20ac" * 41)], ids=str)


def joined(events: list[Event]) -> list[Event]:
    """Return the events with whole messages, each where it ends."""
    return hear(decoder_of("rfc6455", Role.CLIENT), [written(Role.SERVER, events)]).events


def written(role: Role, events: list[Event]) -> bytes:
    draw = seeded()
    keys: Iterator[bytes] = iter(lambda: draw(4), b"")
    encoder = encoder_of("rfc6455", role, keys)
    return b"".join(map(encoder.send, events))


def websockets_peer(role: Role) -> Protocol:
    """Return another implementation in that role."""
    return Protocol(Side.CLIENT if role is Role.CLIENT else Side.SERVER, state=State.OPEN, max_size=None)


OPCODES = {Opcode.TEXT: Kind.TEXT, Opcode.BINARY: Kind.BINARY}


def heard_by_websockets(role: Role, pieces: list[bytes]) -> list[Event]:
    """Return what `websockets` reads from our bytes, every frame as it stands."""
    peer = websockets_peer(role)
    for piece in pieces:
        peer.receive_data(piece)
    assert peer.parser_exc is None
    events: list[Event] = []
    kind = Kind.TEXT
    for frame in peer.events_received():
        assert isinstance(frame, Frame)
        match frame.opcode:
            case Opcode.PING:
                events.append(Ping(bytes(frame.data)))
            case Opcode.PONG:
                events.append(Pong(bytes(frame.data)))
            case Opcode.CLOSE:
                assert peer.close_rcvd is not None
                has_code = peer.close_rcvd.code != 1005
                events.append(Close(peer.close_rcvd.code if has_code else None, peer.close_rcvd.reason))
            case _:
                kind = OPCODES.get(frame.opcode, kind)
                events.append(Fragment(kind, bytes(frame.data), frame.fin))
    return events


@ENDINGS
@EVERY_CUT
@BOTH
def test_websockets_reads_our_frames(role: Role, cut: Callable[[bytes], list[bytes]], ending: Close) -> None:
    said = conversation(cut, ending)
    assert heard_by_websockets(other(role), cut(written(role, said))) == said


@ENDINGS
@EVERY_CUT
@BOTH
def test_we_read_the_frames_of_websockets(role: Role, cut: Callable[[bytes], list[bytes]], ending: Close) -> None:
    peer = websockets_peer(role)
    continuing = False
    for event in conversation(cut, ending):
        match event:
            case Fragment(kind, data, final):
                if continuing:
                    peer.send_continuation(data, final)
                elif kind is Kind.TEXT:
                    peer.send_text(data, final)
                else:
                    peer.send_binary(data, final)
                continuing = not final
            case Ping(data):
                peer.send_ping(data)
            case Pong(data):
                peer.send_pong(data)
            case Close(None):
                peer.send_close()
            case Close(code, reason):
                peer.send_close(code, reason)
    wire = b"".join(peer.data_to_send())
    assert hear(decoder_of("rfc6455", other(role)), cut(wire)) == Heard(joined(conversation(cut, ending)))


def wsproto_peer(role: Role) -> Connection:
    return Connection(ConnectionType.CLIENT if role is Role.CLIENT else ConnectionType.SERVER)


def heard_by_wsproto(role: Role, pieces: list[bytes]) -> list[Event]:
    """Return what `wsproto` reads from our bytes, in whole messages."""
    peer = wsproto_peer(role)
    events: list[Event] = []
    message = b""
    for piece in filter(None, pieces):
        peer.receive_data(piece)
        for event in peer.events():
            match event:
                case wsproto.events.TextMessage() | wsproto.events.BytesMessage():
                    is_text = isinstance(event, wsproto.events.TextMessage)
                    message += event.data.encode() if is_text else bytes(event.data)
                    if event.message_finished:
                        events.append(text(message) if is_text else binary(message))
                        message = b""
                case wsproto.events.Ping(payload):
                    events.append(Ping(bytes(payload)))
                case wsproto.events.Pong(payload):
                    events.append(Pong(bytes(payload)))
                case wsproto.events.CloseConnection(code, reason):
                    events.append(Close(int(code) if code != 1005 else None, reason or ""))
    return events


@ENDINGS
@EVERY_CUT
@BOTH
def test_wsproto_reads_our_frames(role: Role, cut: Callable[[bytes], list[bytes]], ending: Close) -> None:
    said = conversation(cut, ending)
    assert heard_by_wsproto(other(role), cut(written(role, said))) == joined(said)


@ENDINGS
@EVERY_CUT
@BOTH
def test_we_read_the_frames_of_wsproto(role: Role, cut: Callable[[bytes], list[bytes]], ending: Close) -> None:
    peer = wsproto_peer(role)
    wire = b""
    for event in conversation(cut, ending):
        match event:
            case Fragment(Kind.TEXT, data, final):
                wire += peer.send(wsproto.events.TextMessage(data.decode(), message_finished=final))
            case Fragment(Kind.BINARY, data, final):
                wire += peer.send(wsproto.events.BytesMessage(data, message_finished=final))
            case Ping(data):
                wire += peer.send(wsproto.events.Ping(data))
            case Pong(data):
                wire += peer.send(wsproto.events.Pong(data))
            case Close(code, reason):
                wire += peer.send(wsproto.events.CloseConnection(code, reason))
    assert hear(decoder_of("rfc6455", other(role)), cut(wire)) == Heard(joined(conversation(cut, ending)))


# -- independent peers: handshakes -----------------------------------------------------------------------------


def test_a_client_of_websockets_accepts_our_answer() -> None:
    client = ClientProtocol(parse_uri("ws://example.com:8080/chat?x=1"), origin="http://a", subprotocols=["chat", "b"])  # type: ignore[arg-type]
    client.send_request(client.connect())
    opened = open_up(b"".join(client.data_to_send()))
    assert opened.dialect.name == "rfc6455"
    assert opened.server_handshake.offer.target == "/chat?x=1"
    assert (opened.server_handshake.offer.host, opened.server_handshake.offer.origin) == (
        "example.com:8080",
        "http://a",
    )
    client.receive_data(opened.reply(Answer("b")) + written(Role.SERVER, [text("first")]))
    assert client.handshake_exc is None
    assert (client.state, client.subprotocol) == (State.OPEN, "b")


def test_a_server_of_websockets_accepts_our_request() -> None:
    server = ServerProtocol(subprotocols=["chat"])  # type: ignore[list-item]
    offer = Offer("/chat?x=1", "example.com", "http://a", ("other", "chat"))
    client_handshake = DIALECTS["rfc6455"].handshake.client(offer, seeded())
    head = ResponseHead(LIMITS)
    server.receive_data(head.request(client_handshake.request))
    (request,) = server.events_received()
    server.send_response(server.accept(request))  # type: ignore[arg-type]
    assert server.handshake_exc is None
    response = head.receive(b"".join(server.data_to_send()))
    assert response is not None
    assert client_handshake.check(response, b"").subprotocol == "chat"


def test_a_client_of_wsproto_accepts_our_answer() -> None:
    client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
    opened = open_up(client.send(wsproto.events.Request(host="example.com", target="/chat", subprotocols=["chat"])))
    client.receive_data(opened.reply(Answer("chat")))
    (accepted,) = client.events()
    assert accepted == wsproto.events.AcceptConnection(subprotocol="chat")


def test_a_server_of_wsproto_accepts_our_request() -> None:
    server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
    client_handshake = DIALECTS["rfc6455"].handshake.client(
        Offer("/chat", "example.com", subprotocols=("chat",)), seeded()
    )
    head = ResponseHead(LIMITS)
    server.receive_data(head.request(client_handshake.request))
    (request,) = server.events()
    assert isinstance(request, wsproto.events.Request)
    assert (request.target, request.host, request.subprotocols) == ("/chat", "example.com", ["chat"])
    response = head.receive(server.send(wsproto.events.AcceptConnection(subprotocol="chat")))
    assert response is not None
    assert client_handshake.check(response, b"") == Answer("chat")
