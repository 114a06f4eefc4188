"""draft-hixie-thewebsocketprotocol-76: keys with spaces that count, 8 bytes after the head, and FF 00."""

import re
from collections.abc import Callable

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.dialects.hixie76 import key_number, make_challenge, make_key, proof_of
from wsgateway.errors import HttpRefusal
from wsgateway.wire.events import Close, Role
from wsgateway.wire.heads import Headers, Response

from .families import TWO_KEYS
from .feeding import CUTS, Heard, decoder_of, encoder_of, hear, text
from .opening import SAMPLE_REPLY_76, challenge_draws, head_of, open_up, refusal, seeded
from .vectors import by_id

EVERY_CUT = cases("cut", CUTS)
# The draft's own example (1.3).
KEY1, NUMBER1 = "4 @1  46546xW%0l 1 5", 829309203
KEY2, NUMBER2 = "12998 5 Y3 1  .P00", 259970620
CHALLENGE, PROOF = b"^n:ds[4U", b"8jKS'y:G*Co,Wxa-"
BASE = ("Upgrade: WebSocket", "Connection: Upgrade", "Host: example.com", "Origin: http://example.com")


def request(key1: str = KEY1, key2: str = KEY2, *more: str) -> bytes:
    return head_of(*BASE, f"Sec-WebSocket-Key1: {key1}", f"Sec-WebSocket-Key2: {key2}", *more) + CHALLENGE


# -- keys (5.2) ------------------------------------------------------------------------------------------------

NUMBERS = {
    "the draft's first": (KEY1, NUMBER1),
    "the draft's second": (KEY2, NUMBER2),
    "the draft's third (4.1)": ("18x 6]8vM;54 *(5:  {   U1]8  z [  8", 155712099),
    "the draft's fourth (4.1)": ("1_ tx7X d  <  nw  334J702) 7]o}` 0", 173347027),
    # Chrome 6 on Windows sent two spaces after the colon: the second is the key's only space.
    "a space in front": (" !0", 0),
    "a space at the end": ("8 ", 8),
    "spaces alone around": ("   6   ", 1),
    "zeros in front are no octal": ("0017 ", 17),
    "nothing but a zero": ("0 ", 0),
    "the largest number": ("4294967295 ", 4294967295),
    "the largest number, times 12": ("51539607540" + " " * 12, 4294967295),
    "quotes, commas, semicolons and colons": ('"1",;:\'2\\ =4', 124),
    "digits of other alphabets are none": ("1 \xb2\xb3\xbc", 1),
    "a tab is no space": ("4\t 2 ", 21),
    "256 characters": ("x" * 254 + "7 ", 7),
}


@cases(("key", "number"), NUMBERS.values(), ids=NUMBERS.keys())
def test_the_number_of_a_key_is_its_digits_divided_by_its_spaces(key: str, number: int) -> None:
    assert key_number("Key1", key) == number


WRONG_KEYS = {
    "no spaces (5.2, step 5)": ("12345", "has no space"),
    "nothing": ("", "has no space"),
    "no digits": ("abc def", "has no digit"),
    "spaces alone": ("   ", "has no digit"),
    "a remainder": ("13  ", "13 is not divisible by 2 spaces"),
    "one above 2^32 - 1": ("4294967296 ", "stands for 4294967296, at most 4294967295"),
    "far above 2^32 - 1": ("9" * 200 + " ", "at most 4294967295"),
    "257 characters": ("x" * 255 + "7 ", "has 257 characters, at most 256"),
    "thousands of digits": ("1" * 9000 + " ", "has 9001 characters, at most 256"),
    "only other spaces": ("12\t3\xa0", "has no space"),
}


@cases(("key", "said"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_a_key_that_no_client_makes_is_refused(key: str, said: str) -> None:
    with pytest.raises(HttpRefusal, match=re.escape(said)) as refused:
        key_number("Key1", key)
    assert refused.value.status == 400


@cases(("key", "said"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
@cases("number", [1, 2])
def test_a_request_with_a_wrong_key_is_refused(number: int, key: str, said: str) -> None:
    # A space that the client puts after the key would count, too.
    refused = refusal(request(key, KEY2) if number == 1 else request(KEY1, key))
    assert refused is not None
    assert said in str(refused)
    assert f"Key{number}" in str(refused)
    assert refused.status == 400


@cases(
    ("lines", "said"),
    [
        ((f"Sec-WebSocket-Key1: {KEY1}",), "Key1 needs Key2"),
        ((f"Sec-WebSocket-Key2: {KEY2}",), "Key1 needs Key2"),
        ((f"Sec-WebSocket-Key1: {KEY1}", f"Sec-WebSocket-Key2: {KEY2}", f"Sec-WebSocket-Key1: {KEY1}"), "2 Sec-"),
    ],
)
def test_there_are_two_keys(lines: tuple[str, ...], said: str) -> None:
    refused = refusal(head_of(*BASE, *lines))
    assert refused is not None
    assert said in str(refused)


def test_a_space_behind_the_colon_and_one_space_belongs_to_the_key() -> None:
    """Chrome 6 on Windows sent it. The MD5 of 0, 829309203 and the challenge was made with md5sum."""
    data = head_of(*BASE, "Sec-WebSocket-Key1:  !0", f"Sec-WebSocket-Key2: {KEY1}") + CHALLENGE
    assert open_up(data).reply(Answer())[-16:].hex() == "80da7541de592d3ee4c6770ca2f44a4a"


# -- proof (5.2) -----------------------------------------------------------------------------------------------


def test_the_drafts_own_numbers_and_challenge_give_the_drafts_own_proof() -> None:
    assert proof_of(NUMBER1, NUMBER2, CHALLENGE) == PROOF


def test_the_drafts_own_request_gets_the_drafts_own_reply() -> None:
    assert (
        open_up(by_id("hixie-76/handshake_request/c2s/draft_sample#1").wire).reply(Answer("sample")) == SAMPLE_REPLY_76
    )


def test_the_names_have_the_prefix_sec() -> None:
    """H8: a WebKit refuses the names without prefix."""
    reply = open_up(request(KEY1, KEY2, "Sec-WebSocket-Protocol: chat")).reply(Answer("chat"))
    assert b"\r\nWebSocket-" not in reply


def test_the_names_are_also_sent_without_sec_if_the_answer_has_unprefixed() -> None:
    """H9: a WebKit ignores them. Some clients were written after a text with these names."""
    data = request(KEY1, KEY2, "Sec-WebSocket-Protocol: chat")
    assert open_up(data).reply(Answer("chat", unprefixed=True, secure=True)) == (
        b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
        b"Upgrade: WebSocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Origin: http://example.com\r\n"
        b"Sec-WebSocket-Location: wss://example.com/chat\r\n"
        b"WebSocket-Origin: http://example.com\r\n"
        b"WebSocket-Location: wss://example.com/chat\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"\r\n" + PROOF
    )


def test_the_challenge_is_any_8_bytes() -> None:
    """Also with white space and NULs at its ends, which websocket-ruby strips; the MD5s were made with md5sum."""
    server_handshake = open_up(request()).server_handshake
    assert server_handshake.challenge_bytes == 8
    assert server_handshake.proof(b"\r\n\r\n\r\n\r\n").hex() == "fbfe51467eeb432cd8579391dfbe2996"
    assert server_handshake.proof(b"\0 a\t\n\r \0").hex() == "83110d5ee0e1236c33fe06aa61006f1a"


def test_the_drafts_own_proof_is_accepted_for_the_drafts_own_request() -> None:
    offer = Offer("/demo", "example.com", "http://example.com", ("sample",))
    client_handshake = DIALECTS["hixie-76"].handshake.client(offer, challenge_draws(KEY1, KEY2, challenge=CHALLENGE))
    assert client_handshake.challenge == CHALLENGE
    assert client_handshake.proof_bytes == 16
    headers = [
        ("Upgrade", "WebSocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Origin", "http://example.com"),
        ("Sec-WebSocket-Location", "ws://example.com/demo"),
        ("Sec-WebSocket-Protocol", "sample"),
    ]
    response = Response(101, "WebSocket Protocol Handshake", Headers(headers))
    assert client_handshake.check(response, PROOF) == Answer("sample")
    with pytest.raises(HttpRefusal, match="do not answer our challenge"):
        client_handshake.check(response, PROOF[::-1])


def test_our_keys_have_the_form_of_the_draft() -> None:
    """Section 4.1, steps 16 to 23; and no space at either end, where a header parser would trim it."""
    entropy = seeded()
    counts = set()
    for _ in range(1000):
        key, number = make_key(entropy)
        spaces, digits = key.count(" "), "".join(re.findall("[0-9]", key))
        noise = re.sub("[0-9 ]", "", key)
        assert int(digits) == number * spaces <= 2**32 - 1
        assert re.fullmatch(r"[\x21-\x2f\x3a-\x7e]+", noise)
        assert key == key.strip()
        counts.add((spaces, len(noise)))
    assert counts == {(spaces, noise) for spaces in range(1, 13) for noise in range(1, 13)}


def test_a_request_has_its_keys_after_the_headers_that_webkit_sends_before_them() -> None:
    offer = Offer("/", "example.com", "http://example.com", ("a", "b"), headers=(("Cookie", "c=1"),))
    client_handshake = DIALECTS["hixie-76"].handshake.client(offer, seeded())
    assert [name for name, _ in client_handshake.request.headers] == [
        "Upgrade",
        "Connection",
        "Host",
        "Origin",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Key1",
        "Sec-WebSocket-Key2",
        "Cookie",
    ]
    assert client_handshake.request.headers.one("Sec-WebSocket-Protocol") == "a,b"


def test_an_offer_without_an_origin_is_made_as_from_the_host_itself() -> None:
    client_handshake = DIALECTS["hixie-76"].handshake.client(Offer("/", "example.com:81"), seeded())
    assert client_handshake.request.headers.one("Origin") == "http://example.com:81"


# -- subprotocols ----------------------------------------------------------------------------------------------


@cases(
    ("asked", "chosen", "answered"),
    [("chat", "chat", "chat"), ("chat,superchat", "superchat", "superchat"), ("chat, superchat", "chat", "chat")],
)
def test_web_socket_js_gets_one_member_of_its_list(asked: str, chosen: str, answered: str) -> None:
    """It sends Protocol after the keys and wants one member back; a WebKit sends it before them and wants all of it."""
    reply = open_up(request(KEY1, KEY2, f"Sec-WebSocket-Protocol: {asked}")).reply(Answer(chosen))
    assert f"\r\nSec-WebSocket-Protocol: {answered}\r\n".encode() in reply


def test_web_socket_js_gets_back_a_value_that_is_no_list() -> None:
    reply = open_up(request(KEY1, KEY2, "Sec-WebSocket-Protocol: chat superchat")).reply(Answer())
    assert b"\r\nSec-WebSocket-Protocol: chat superchat\r\n" in reply


def test_a_client_that_offered_a_subprotocol_needs_one() -> None:
    opened = open_up(request(KEY1, KEY2, "Sec-WebSocket-Protocol: chat"))
    with pytest.raises(HttpRefusal, match="the client insists") as refused:
        opened.server_handshake.accept(Answer())
    assert refused.value.status == 502


def test_the_unprefixed_name_of_websocket_ruby_is_understood_and_answered_with_the_right_one() -> None:
    opened = open_up(request(KEY1, KEY2, "WebSocket-Protocol: chat"))
    assert opened.server_handshake.offer.subprotocols == ("chat",)
    assert b"\r\nSec-WebSocket-Protocol: chat\r\n" in opened.reply(Answer("chat"))


# -- closing (5.3) ---------------------------------------------------------------------------------------------


@EVERY_CUT
@cases("closing", [b"\xff\x00", b"\xff\x80\x00", b"\xff\x80\x80\x80\x00"])
@cases("role", Role)
def test_ff_and_a_length_of_0_closes(role: Role, closing: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    heard = hear(decoder_of("hixie-76", role), cut(b"\x00last\xff" + closing + b"\x00late\xff\xff\x01"))
    assert heard == Heard([text("last"), Close()])


@EVERY_CUT
@cases("data", [b"\x80\x00", b"\xfe\x00", b"\xff\x01\x00", b"\x01\xff\x00\xff", b"\x00\xff"])
def test_nothing_else_closes(data: bytes, cut: Callable[[bytes], list[bytes]]) -> None:
    """The FF 00 of an empty text and of the next text is no closing frame."""
    heard = hear(decoder_of("hixie-76", Role.SERVER), cut(data + b"\x00ok\xff"))
    assert Close() not in heard.events
    assert heard.events[-1] == text("ok")


@cases("close", [Close(), Close(1000), Close(1001, "bye")])
@cases("role", Role)
def test_a_close_has_no_code(role: Role, close: Close) -> None:
    assert encoder_of("hixie-76", role).send(close) == b"\xff\x00"


def test_the_challenge_that_we_send_is_visible() -> None:
    """The drafts' examples are visible. Servers strip white space from it (websocket-ruby), or read it as a line."""
    entropy = seeded()
    drawn = [make_challenge(entropy) for _ in range(4000)]
    assert {len(each) for each in drawn} == {8}
    assert set(b"".join(drawn)) == set(range(0x21, 0x7F))
    assert len(set(drawn)) == len(drawn)


@cases("name", TWO_KEYS)
@cases("byte", range(0x100))
def test_a_challenge_has_no_byte_that_confuses_servers(name: str, byte: int) -> None:
    client_handshake = DIALECTS[name].handshake.client(Offer("/", "example.com"), lambda count: bytes([byte] * count))
    assert all(0x21 <= each <= 0x7E for each in client_handshake.challenge)
