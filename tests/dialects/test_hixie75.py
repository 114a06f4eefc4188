"""draft-hixie-thewebsocketprotocol-75: frames between 00 and FF, and a reply whose bytes are exact."""

from collections.abc import Callable

import pytest

from tests.cases import cases
from wsgateway.dialects import Answer, Limits
from wsgateway.errors import HttpRefusal, ProtocolError
from wsgateway.wire.events import Close, Event, Ping, Pong, Role
from wsgateway.wire.oddities import Oddity

from .feeding import CUTS, GENEROUS, Heard, binary, decoder_of, encoder_of, hear, text
from .opening import SAMPLE_REPLY_75, STRICT, head_of, open_up, refusal

EVERY_CUT = cases("cut", CUTS)
HIXIE = cases("name", ["hixie-75", "hixie-76"])
# The draft's own request (1.2).
SAMPLE = (
    "Upgrade: WebSocket",
    "Connection: Upgrade",
    "Host: example.com",
    "Origin: http://example.com",
    "WebSocket-Protocol: sample",
)
PLAIN = SAMPLE[:-1]

# -- frames (4.2) ----------------------------------------------------------------------------------------------

# What both drafts read from some bytes; F and T are experiments with WebKit 534.34.
FRAMES: dict[str, tuple[bytes, list[str]]] = {
    "an empty text": (b"\x00\xff", [""]),
    "a text (T1)": (b"\x00Hello\xff", ["Hello"]),
    "two texts": (b"\x00a\xff\x00b\xff", ["a", "b"]),
    "a NUL in a text (F1)": (b"\x00a\x00b\xff", ["a\0b"]),
    "a text in UTF-8 (F1)": (b"\x00\xe2\x82\xac\xf0\x9f\x98\x80\xff", ["\u20ac\U0001f600"]),
    "a byte order mark stays (F18)": (b"\x00\xef\xbb\xbfa\xff", ["\ufeffa"]),
    "a binary frame is passed over (F4)": (b"\x80\x03abc\x00ok\xff", ["ok"]),
    "a binary frame with FF and 00 in it": (b"\x80\x04\xff\x00\x00\xff\x00ok\xff", ["ok"]),
    "a binary frame of no bytes (F6)": (b"\x80\x00\x00ok\xff", ["ok"]),
    "a ping of RFC 6455 (F13)": (b"\x89\x00\x00ok\xff", ["ok"]),
    "a binary frame of 128 bytes (F7)": (b"\x80\x81\x00" + b"\xff" * 128 + b"\x00ok\xff", ["ok"]),
    "a binary frame of 16384 bytes": (b"\xfe\x81\x80\x00" + b"\x00" * 16384 + b"\x00ok\xff", ["ok"]),
    "zeros may lead a length (F16)": (b"\x80\x80\x80\x80\x03abc\x00ok\xff", ["ok"]),
    "FF with a length is passed over": (b"\xff\x03abc\x00ok\xff", ["ok"]),
    "a reserved frame is passed over (F8)": (b"\x01bad\xff\x7fbad\xff\x00ok\xff", ["ok"]),
    "an empty reserved frame": (b"\x01\xff\x00ok\xff", ["ok"]),
    "what begins like text is one bad frame (F9)": (b"ABC\x00lost\xff\x00ok\xff", ["ok"]),
    "an unfinished frame gives nothing": (b"\x00ok\xff\x80", ["ok"]),
    "an unfinished reserved frame gives nothing": (b"\x00ok\xff\x01ab", ["ok"]),
}


@EVERY_CUT
@HIXIE
@cases("role", Role)
@cases(("data", "texts"), FRAMES.values(), ids=FRAMES.keys())
def test_texts_are_read_and_all_else_is_skipped(
    name: str, role: Role, cut: Callable[[bytes], list[bytes]], data: bytes, texts: list[str]
) -> None:
    assert hear(decoder_of(name, role), cut(data)) == Heard([text(each) for each in texts])


@HIXIE
def test_broken_text_comes_out_as_it_came(name: str) -> None:
    """A WebKit sends a lone surrogate as three bytes (T4); the translator repairs it."""
    assert hear(decoder_of(name, Role.SERVER), [b"\x00\xed\xa0\x80x\xff"]) == Heard([text(b"\xed\xa0\x80x")])


@EVERY_CUT
def test_75_has_no_closing_frame(cut: Callable[[bytes], list[bytes]]) -> None:
    data = b"\x00a\xff\xff\x00\x00b\xff\xff\x80\x00\x00c\xff"
    assert hear(decoder_of("hixie-75", Role.SERVER), cut(data)) == Heard([text("a"), text("b"), text("c")])
    assert encoder_of("hixie-75", Role.SERVER).send(Close(1000, "bye")) == b""


@HIXIE
@EVERY_CUT
def test_the_received_part_of_an_unfinished_text_comes_out(name: str, cut: Callable[[bytes], list[bytes]]) -> None:
    assert hear(decoder_of(name, Role.SERVER), cut(b"\x00abc")) == Heard([], text("abc", final=False))


# A length above the limit is refused as soon as it is known (F14); the limit holds for frames without a meaning as for
# texts.
TOO_BIG = {
    "a text": b"\x00" + b"a" * 101,
    "a reserved frame": b"\x01" + b"a" * 101,
    "a length": b"\x80\x65",
    "a length of two bytes": b"\x80\x81\x00",
    "a length of 2^31": b"\x80\x88\x80\x80\x80\x00",
    "the beginning of a length": b"\x80\xff\xff",
}


@EVERY_CUT
@HIXIE
@cases("data", TOO_BIG.values(), ids=TOO_BIG.keys())
def test_a_frame_beyond_the_limit_is_too_big(name: str, cut: Callable[[bytes], list[bytes]], data: bytes) -> None:
    heard = hear(decoder_of(name, Role.SERVER, Limits(message_bytes=100)), cut(b"\x00ok\xff" + data))
    assert (heard.events, heard.fault) == ([text("ok")], 1009)


@EVERY_CUT
@HIXIE
@cases(
    "data",
    [
        b"\x00" + b"a" * 100 + b"\xff",
        b"\x01" + b"a" * 100 + b"\xff",
        b"\x80\x64" + b"a" * 100,
        b"\x80\x80\x64" + b"a" * 100,
    ],
)
def test_a_frame_may_be_as_long_as_the_limit(name: str, cut: Callable[[bytes], list[bytes]], data: bytes) -> None:
    heard = hear(decoder_of(name, Role.SERVER, Limits(message_bytes=100)), cut(data * 3 + b"\x00ok\xff"))
    assert (heard.events[-1], heard.fault) == (text("ok"), None)


@EVERY_CUT
@HIXIE
def test_a_length_has_ten_bytes_and_no_more(name: str, cut: Callable[[bytes], list[bytes]]) -> None:
    first, zero = b"\x80", b"\x80"
    ten, eleven = first + zero * 9 + b"\x03abc", first + zero * 10 + b"\x03abc"
    assert hear(decoder_of(name, Role.SERVER), cut(ten + b"\x00ok\xff")) == Heard([text("ok")])
    assert hear(decoder_of(name, Role.SERVER), cut(eleven + b"\x00ok\xff")) == Heard(fault=1002)


@EVERY_CUT
def test_a_length_of_2_to_the_32_is_not_cut_short(cut: Callable[[bytes], list[bytes]]) -> None:
    data = b"\x80\x90\x80\x80\x80\x00" + b"\x00not a text\xff" * 20
    assert hear(decoder_of("hixie-75", Role.SERVER, Limits(2**40, 1)), cut(data)) == Heard()


@HIXIE
@cases("data", [b"", b"\x00a\xff", b"\x80\x01a", b"\x01a\xff", b"\x80\x00"])
def test_the_end_of_the_stream_between_frames_is_a_close(name: str, data: bytes) -> None:
    """A WebKit up to mid 2011 sends no other close (C5, C6)."""
    decoder = decoder_of(name, Role.SERVER)
    hear(decoder, [data])
    assert decoder.finish() == Close()


@HIXIE
@cases(
    ("data", "where"),
    [
        (b"\x00", "in a text"),
        (b"\x00a", "in a text"),
        (b"\x01a", "in a reserved frame"),
        (b"\x80", "in the length"),
        (b"\x80\x81", "in the length"),
        (b"\x80\x02a", "in the bytes"),
    ],
)
def test_the_end_of_the_stream_inside_a_frame_is_a_fault(name: str, data: bytes, where: str) -> None:
    decoder = decoder_of(name, Role.SERVER)
    hear(decoder, [data])
    with pytest.raises(ProtocolError, match=where) as lost:
        decoder.finish()
    assert lost.value.close_code == 1006


@HIXIE
@cases("event", [Ping(b""), Pong(b""), binary(b"x"), text(b"a\xffb"), text(b"\xff", final=False)])
def test_events_that_have_no_frame_are_not_written(name: str, event: Event) -> None:
    """An FF byte in text would end its frame, and the rest could be frames that a client has forged."""
    with pytest.raises(ValueError, match=r"hixie|FF byte"):
        encoder_of(name, Role.SERVER).send(event)


@HIXIE
@cases("role", Role)
def test_fragments_are_one_frame(name: str, role: Role) -> None:
    encoder = encoder_of(name, role)
    sent = [text("Hel", final=False), text("", final=False), text("lo"), text(""), text("", final=False), text("x")]
    assert [encoder.send(event) for event in sent] == [b"\x00Hel", b"", b"lo\xff", b"\x00\xff", b"\x00", b"x\xff"]


def test_nothing_is_masked() -> None:
    for role in Role:
        assert encoder_of("hixie-75", role, iter(())).send(text("Hello")) == b"\x00Hello\xff"
    assert GENEROUS.message_bytes == 16 * 1024 * 1024


# -- handshake (3.1 and 3.2) -----------------------------------------------------------------------------------


def test_the_drafts_own_request_gets_the_drafts_own_reply() -> None:
    assert open_up(head_of(*SAMPLE, start="GET /demo HTTP/1.1")).reply(Answer("sample")) == SAMPLE_REPLY_75


@cases(
    ("start", "host", "secure", "location"),
    [
        ("GET / HTTP/1.1", "example.com", False, "ws://example.com/"),
        ("GET / HTTP/1.1", "example.com", True, "wss://example.com/"),
        ("GET /a?b=%20 HTTP/1.1", "example.com:8080", False, "ws://example.com:8080/a?b=%20"),
        ("GET /a HTTP/1.1", "[::1]:8443", True, "wss://[::1]:8443/a"),
        ("GET /caf\xc3\xa9 HTTP/1.1", "example.com", False, "ws://example.com/caf\xc3\xa9"),
        # H14 to H17: WebKit compares it byte by byte, so nothing is corrected
        ("GET /A?B HTTP/1.1", "Example.COM", False, "ws://Example.COM/A?B"),
    ],
)
def test_the_location_is_the_one_that_the_client_requested(start: str, host: str, secure: bool, location: str) -> None:
    lines = ["Upgrade: WebSocket", "Connection: Upgrade", f"Host: {host}", "Origin: http://example.com"]
    reply = open_up(head_of(*lines, start=start)).reply(Answer(secure=secure))
    assert f"\r\nWebSocket-Location: {location}\r\n".encode("latin-1") in reply


@cases("origin", ["http://example.com", "null", "file://", "http://App.Test:8080"])
def test_the_origin_comes_back_as_it_was_sent(origin: str) -> None:
    opened = open_up(head_of(*SAMPLE[:3], f"Origin: {origin}"))
    assert opened.server_handshake.offer.origin == origin
    assert f"\r\nWebSocket-Origin: {origin}\r\n".encode() in opened.reply(Answer())


def test_a_request_without_an_origin_gets_a_reply_without_one_if_allowed() -> None:
    """vti/protocol-websocket#10 and ninenines/cowboy#76: programs that are not browsers send none."""
    data = head_of(*SAMPLE[:3])
    opened = open_up(data)
    assert opened.server_handshake.offer.origin is None
    assert b"Origin" not in opened.reply(Answer())
    assert opened.request.oddities.needed == (Oddity.NO_ORIGIN,)
    refused = refusal(data, STRICT)
    assert refused is not None
    assert (str(refused), refused.status) == ("no Origin, which the reply must repeat", 400)
    assert "no-origin" in refused.remark


@cases(
    ("asked", "offered", "chosen"),
    [
        ("chat", ("chat",), "chat"),
        ("chat,superchat", ("chat", "superchat"), "superchat"),
        ("chat, chat", ("chat",), "chat"),
        # P5: a string with a space is one name, and a modern server cannot choose it
        ("chat superchat", (), None),
        ("/", ("/",), "/"),
        ("/,chat", ("/", "chat"), "chat"),
    ],
)
def test_valid_names_of_a_subprotocol_are_offered_and_the_whole_value_comes_back(
    asked: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    opened = open_up(head_of(*PLAIN, f"WebSocket-Protocol: {asked}"))
    assert opened.server_handshake.offer.subprotocols == offered
    assert f"\r\nWebSocket-Protocol: {asked}\r\n".encode() in opened.reply(Answer(chosen))


def test_a_client_that_offered_a_subprotocol_needs_one() -> None:
    """P2: a WebKit refuses a reply without it."""
    opened = open_up(head_of(*SAMPLE))
    with pytest.raises(HttpRefusal, match="none of the subprotocols 'sample' was chosen") as refused:
        opened.server_handshake.accept(Answer())
    assert refused.value.status == 502


@cases("lines", [PLAIN, (*PLAIN, "WebSocket-Protocol:")])
def test_a_client_that_offered_no_subprotocol_gets_none(lines: tuple[str, ...]) -> None:
    opened = open_up(head_of(*lines))
    assert opened.server_handshake.offer.subprotocols == ()
    assert b"WebSocket-Protocol" not in opened.reply(Answer("chat"))


@cases("control", ["\x01", "\x1b", "\x7f", "\t"])
def test_a_control_character_in_a_subprotocol_is_refused(control: str) -> None:
    """A value that is repeated in the reply is refused and not repaired."""
    data = head_of(*PLAIN, f"WebSocket-Protocol: ch{control}at")
    refused = refusal(data)
    assert refused is not None
    assert refused.status == 400


def test_only_the_cookies_of_an_answer_are_passed_on() -> None:
    answer = Answer(headers=(("Server", "x"), ("Set-Cookie", "a=1"), ("X-Y", "z"), ("set-cookie", "b=2")))
    reply = open_up(head_of(*PLAIN)).reply(answer)
    assert reply.endswith(b"WebSocket-Location: ws://example.com/chat\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\n")
    assert b"Server" not in reply


def test_an_empty_cookie_of_web_socket_js_is_not_passed_on() -> None:
    opened = open_up(head_of(*PLAIN, "Cookie: ", "User-Agent: x"))
    assert opened.server_handshake.offer.headers == (("User-Agent", "x"),)


def test_there_is_no_challenge_and_no_proof() -> None:
    server_handshake = open_up(head_of(*PLAIN)).server_handshake
    assert (server_handshake.challenge_bytes, server_handshake.proof(b"")) == (0, b"")


def test_the_names_are_written_once_even_if_those_of_hixie_76_are_written_twice() -> None:
    opened = open_up(head_of(*SAMPLE))
    assert opened.reply(Answer("sample", unprefixed=True)) == open_up(head_of(*SAMPLE)).reply(Answer("sample"))
