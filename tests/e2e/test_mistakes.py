"""Mistakes of the old libraries, and their results. Each test would fail if its library were right.

What a library does through the gateway is seen at the other side. Where chance would have a part in that, as when it
takes random bytes for the head of a frame, this test itself is its peer, byte for byte.
"""

import hashlib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest
from websockets.exceptions import InvalidStatus

from tests.dialects.families import COVERED, MORE
from tests.heads import switching
from tests.masks import masked

from .ends import Event, Library, OldEnd, opened
from .libraries import SPEAKERS, Role, Speaker
from .meetings import Meetings
from .programs import PATIENCE_SECONDS

FAULT = ("close", 1014, "")
"""what a client hears from the gateway when its upstream breaks the rules"""

# Of draft-hixie-thewebsocketprotocol-76, 1.2, with the numbers that are in its keys.
HIXIE_75 = ("Upgrade: WebSocket", "Connection: Upgrade", "Host: example.com", "Origin: http://example.com")
HIXIE_76 = (
    *HIXIE_75,
    "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
    "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
)
NUMBERS = (829309203).to_bytes(4, "big") + (259970620).to_bytes(4, "big")
CHALLENGE = b"^n:ds[4U"

# The text "Hello" in the frame of a client of hybi-05 and -06: the key in front masks all that follows it.
KEY = bytes.fromhex("37fa213d")
HELLO_05 = KEY + bytes.fromhex("b3ff69585b964e")


def hybi(version: int) -> tuple[str, ...]:
    """Return the headers of a request of hybi-04 or later."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return "Upgrade: websocket", "Connection: Upgrade", "Host: a", key, f"Sec-WebSocket-Version: {version}"


def exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, f"ended before {size} bytes: {data!r}"
        data += more
    return data


def head_from(sock: socket.socket) -> list[str]:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += exactly(sock, 1)
    return data.decode().split("\r\n")


@contextmanager
def asked(library: Library, *headers: str, behind: bytes = b"") -> Iterator[tuple[socket.socket, OldEnd]]:
    """Yield a connection to a library that is a server and has accepted this request."""
    library.forget()
    with socket.create_connection(("127.0.0.1", library.port), PATIENCE_SECONDS) as sock:
        sock.sendall("\r\n".join(["GET /demo HTTP/1.1", *headers, "", ""]).encode() + behind)
        with library.accept() as old:
            yield sock, old


@contextmanager
def asking(library: Library, dialect: str, subprotocol: str = "-") -> Iterator[tuple[socket.socket, OldEnd, list[str]]]:
    """Yield a connection from a library that is a client, and the head of its request."""
    library.forget()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        library.tell(f"open {dialect} {listener.getsockname()[1]} / {subprotocol}")
        sock, _ = listener.accept()
        with sock, OldEnd(library) as old:
            sock.settimeout(PATIENCE_SECONDS)
            yield sock, old, head_from(sock)


@contextmanager
def answered(library: Library, dialect: str, *headers: str) -> Iterator[tuple[socket.socket, OldEnd]]:
    """Yield a connection from a library that is a client and has accepted an answer."""
    with asking(library, dialect) as (sock, old, request):
        sock.sendall(switching("\r\n".join(request).encode(), *headers))
        assert old.next() == ("open", "")
        yield sock, old


def refusal(meetings: Meetings, speaker: Speaker) -> tuple[int, list[Event]]:
    """Return the status with which a modern client is refused, and the events of the library behind the gateway."""
    library = meetings.library(speaker.library)
    library.forget()
    with pytest.raises(InvalidStatus) as refused, opened(meetings.url(speaker)):
        raise AssertionError("it opened")
    old = OldEnd(library)
    events = [old.next()]
    # em-websocket tells of no end that is not that of a WebSocket.
    while events[-1] != ("end",) and events != [("error", "Protocol version 4 not supported")]:
        events.append(old.next())
    return refused.value.response.status_code, events


def servers(*speakers: tuple[str, str]) -> pytest.MarkDecorator:
    made = [Speaker(name, "server", dialect) for name, dialect in speakers]
    return pytest.mark.parametrize("speaker", made, ids=str)


# -- dialects that are taken for others ------------------------------------------------------------------------


@servers(
    *product(("websocket-driver", "netty"), MORE),
    ("websocket-ruby-unaided", "hybi-01"),
    ("websocket-ruby-unaided", "hybi-02"),
)
def test_many_servers_answer_the_first_drafts_of_hybi_in_frames_of_hixie(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        old.text("Hello")
        assert modern.next() == FAULT


@pytest.mark.parametrize("dialect", ["hybi-01", "hybi-02"])
def test_websocket_ruby_sends_frames_of_hixie_as_a_client_of_hybi_01_and_02(dialect: str, meetings: Meetings) -> None:
    with meetings.meeting(Speaker("websocket-ruby-unaided", "client", dialect)) as (old, modern):
        old.text("Hello")
        assert modern.next() == ("close", 1001, "")
        # It cannot read the Close with which the gateway answers, either.
        assert old.next() == ("error", "invalid_frame")


@pytest.mark.parametrize(("dialect", "heard"), [("hybi-05", ("close", None, "")), ("hybi-06", FAULT)])
def test_protocol_websocket_answers_hybi_05_and_06_in_frames_of_hybi_08(
    dialect: str, heard: Event, meetings: Meetings
) -> None:
    # Its number of a text is that of a Close there, and in 06 the text would begin with a code.
    with meetings.meeting(Speaker("protocol-websocket", "server", dialect)) as (old, modern):
        old.text("Hello")
        assert modern.next() == heard


@servers(*((name, "hybi-04") for name in ("protocol-websocket", "websocket-ruby")))
def test_no_old_library_has_a_nonce_for_hybi_04(speaker: Speaker, meetings: Meetings) -> None:
    assert refusal(meetings, speaker) == (502, [("open", ""), ("end",)])


@servers(
    ("em-websocket", "hybi-04"),
    *product(("netty", "websocket-driver"), COVERED),
    ("websocket-driver", "hybi-07"),
    ("websocket-driver", "hybi-08"),
)
def test_some_servers_refuse_a_draft(speaker: Speaker, meetings: Meetings) -> None:
    status, events = refusal(meetings, speaker)
    # Who has an answer of HTTP gives it to the client; em-websocket closes the connection.
    assert status == {"em-websocket": 502, "netty": 426, "websocket-driver": 400}[speaker.library]
    assert all(kind != "open" for kind, *_ in events)


def test_websocket_ruby_says_versions_that_no_draft_had(meetings: Meetings) -> None:
    library = meetings.library("websocket-ruby")
    with asking(library, "hybi-10") as (_, _, request):
        assert "Sec-WebSocket-Version: 10" in request  # which is 8 in draft 10
    library.tell(f"open hybi-10 {meetings.gateway.port} / -")
    with OldEnd(library) as old:
        assert old.next() == ("error", "invalid_status_code")


# -- masks -----------------------------------------------------------------------------------------------------


def test_websocket_ruby_masks_nothing_as_a_client_of_hybi_04(meetings: Meetings) -> None:
    nonce = "Sec-WebSocket-Nonce: AQIDBAUGBwgJCgsMDQ4PEA=="
    with answered(meetings.library("websocket-ruby"), "hybi-04", nonce) as (sock, old):
        old.text("Hello")
        assert exactly(sock, 7) == b"\x84\x05Hello"


@pytest.mark.parametrize("dialect", ["hybi-05", "hybi-06"])
def test_websocket_ruby_masks_as_in_hybi_07_as_a_client_of_hybi_05_and_06(dialect: str, meetings: Meetings) -> None:
    with answered(meetings.library("websocket-ruby"), dialect) as (sock, old):
        old.text("Hello")
        frame = exactly(sock, 11)
        assert frame[:2] == b"\x84\x85"
        assert masked(frame[6:], frame[2:6]) == b"Hello"


@pytest.mark.parametrize("version", [5, 6])
def test_websocket_ruby_expects_masks_of_hybi_07_as_a_server_of_hybi_05_and_06(
    version: int, meetings: Meetings
) -> None:
    with asked(meetings.library("websocket-ruby"), *hybi(version)) as (sock, old):
        head_from(sock)
        sock.sendall(HELLO_05)
        # It takes the key for the head, in which the first byte, 37, has bits that are reserved.
        assert old.next() == ("error", "reserved_bit_used")


@pytest.mark.parametrize("dialect", COVERED)
def test_what_websocket_ruby_hears_as_a_client_of_hybi_04_to_06_is_right(dialect: str, meetings: Meetings) -> None:
    with meetings.meeting(Speaker("websocket-ruby", "client", dialect)) as (old, modern):
        for text in ("Hello €", "", "x" * 70000):
            modern.text(text)
            assert old.next() == ("text", text)


@servers(("websocket-ruby", "hybi-05"), ("websocket-ruby", "hybi-06"))
def test_what_websocket_ruby_says_as_a_server_of_hybi_05_and_06_is_right(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        for text in ("Hello €", "", "x" * 70000):
            old.text(text)
            assert modern.next() == ("text", text)
        old.close(1000, "done")
        # It sends no S in 05, and no code from us in 06.
        assert modern.next() == ("close", None, "")


# -- handshakes ------------------------------------------------------------------------------------------------


def test_protocol_websocket_answers_hixie_75_as_if_it_were_76(meetings: Meetings) -> None:
    with asked(meetings.library("protocol-websocket"), *HIXIE_75) as (sock, _):
        # For WebKit this line must say Web Socket, in two words.
        assert head_from(sock)[0] == "HTTP/1.1 101 WebSocket Protocol Handshake"


def test_protocol_websocket_takes_any_connection_for_an_encrypted_one_if_a_proxy_says_which_it_is(
    meetings: Meetings,
) -> None:
    with asked(meetings.library("protocol-websocket"), *HIXIE_75, "X-Forwarded-Proto: http") as (sock, _):
        assert "WebSocket-Location: wss://example.com/demo" in head_from(sock)


def test_websocket_ruby_asks_for_a_subprotocol_of_hixie_76_as_in_75(meetings: Meetings) -> None:
    with asking(meetings.library("websocket-ruby"), "hixie-76", "chat") as (_, _, request):
        asked = [line for line in request if "Protocol" in line]
        assert asked == ["WebSocket-Protocol: chat"]


@pytest.mark.parametrize("challenge", [b"\n:ds[4U ", b"\0:ds[4U\0"])
def test_websocket_ruby_answers_a_challenge_without_the_white_space_at_its_ends(
    challenge: bytes, meetings: Meetings
) -> None:
    # Of random challenges, one in twenty is such. Our program helps the gem out of this; here it is alone.
    meetings.library("websocket-ruby")
    gem = "require 'websocket'; server = WebSocket::Handshake::Server.new; server << STDIN.read; print server"
    given = "\r\n".join(["GET /demo HTTP/1.1", *HIXIE_76, "", ""]).encode() + challenge
    answer = subprocess.run(["ruby", "-e", gem], input=given, capture_output=True, check=True).stdout

    without = challenge.strip(b" \n\0")
    assert answer.endswith(b"\r\n\r\n" + hashlib.md5(NUMBERS + without, usedforsecurity=False).digest())


@servers(*((each.library, each.dialect) for each in SPEAKERS if each.role == "server" and each.chooses_nothing))
def test_some_servers_say_nothing_about_subprotocols(speaker: Speaker, meetings: Meetings) -> None:
    # In hixie, a client of its own would have to refuse that.
    with meetings.meeting(speaker, "chat") as (_, modern):
        assert modern.subprotocol is None


# -- frames ----------------------------------------------------------------------------------------------------


def test_protocol_websocket_sends_binary_as_text_in_hixie(meetings: Meetings) -> None:
    with meetings.meeting(Speaker("protocol-websocket", "client", "hixie-76")) as (old, modern):
        old.binary(b"Hello")
        assert modern.next() == ("text", "Hello")


def test_websocket_ruby_leaves_out_the_code_of_a_close_in_hybi_06_and_not_its_reason(meetings: Meetings) -> None:
    with asked(meetings.library("websocket-ruby-unaided"), *hybi(6)) as (sock, old):
        head_from(sock)
        old.close(1000, "done")
        assert exactly(sock, 6) == b"\x81\x04done"


@pytest.mark.parametrize(
    ("library", "heard"),
    [
        ("websocket-ruby", ("error", "unknown_close_code")),
        ("websocket-driver", ("close", 1002, "restart")),
    ],
)
@pytest.mark.parametrize("role", ["client", "server"])
def test_some_libraries_do_not_know_the_codes_that_came_after_rfc_6455(
    library: str, heard: Event, role: Role, meetings: Meetings
) -> None:
    with meetings.meeting(Speaker(library, role, "rfc6455")) as (old, modern):
        modern.close(1012, "restart")
        assert old.next() == heard


@servers(("em-websocket", "hybi-05"), ("em-websocket", "hybi-06"))
def test_em_websocket_loses_a_message_in_three_fragments(speaker: Speaker, meetings: Meetings) -> None:
    with meetings.meeting(speaker) as (old, modern):
        modern.fragments("Hel", "lo")  # and an empty one at the end
        modern.text("after it")
        assert old.next() == ("text", "after it")


@pytest.mark.parametrize("headers", [HIXIE_75, HIXIE_76], ids=["hixie-75", "hixie-76"])
def test_netty_loses_the_beginning_of_a_text_of_hixie_that_does_not_come_at_once(
    headers: tuple[str, ...], meetings: Meetings
) -> None:
    behind = CHALLENGE if headers is HIXIE_76 else b""
    with asked(meetings.library("netty"), *headers, behind=behind) as (sock, old):
        sock.sendall(b"\x00before it\xff\x00Hel")
        assert old.next() == ("text", "before it")
        sock.sendall(b"lo\xff")
        # It has taken each byte for the first of a frame, up to the l.
        assert old.next() == ("text", "o")
