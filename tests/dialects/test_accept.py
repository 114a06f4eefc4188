"""A key and its Accept, in hybi drafts from 04 on and in RFC 6455; the origin with its two names; the nonce of 04."""

import base64
import hashlib
import re

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.dialects.accept import accept_value, masking_secret
from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, Response
from wsgateway.wire.oddities import EVERY as ALLOWED
from wsgateway.wire.oddities import Oddity

from .opening import STRICT, head_of, open_up, refusal, scripted, seeded

VERSIONS = {
    name: dialect.handshake.version for name, dialect in DIALECTS.items() if dialect.handshake.version is not None
}
EVERY = cases("name", VERSIONS)
# RFC 6455, 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
# As printed in the draft: the last letter has bits that base64 does not define.
NONCE_04 = "AQIDBAUGBwgJCgsMDQ4PEC=="


def lines_of(name: str, *more: str, key: str | None = KEY) -> list[str]:
    lines = [
        "Host: example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Version: {VERSIONS[name]}",
    ]
    return [*lines, *([f"Sec-WebSocket-Key: {key}"] if key is not None else []), *more]


# -- Accept ----------------------------------------------------------------------------------------------------

ACCEPTS = [
    (KEY, ACCEPT),
    # Not from the RFC: checked with `openssl sha1`.
    ("2SCVXUeP9cTjV+0mWB8J6A==", "mLDKNeBNWz6T9SxU+o0Fy/HgeSw="),
    ("mh3xLXeRuIWNPwq7ATG9jA==", "SIEylb7zRYJAEgiqJXaOW3V+ZWQ="),
    ("xqBt3ImNzJbYqRINxEFlkg==", "K7DJLdLooIwIG/MOpvWFB3y3FE8="),
]


@cases(("key", "accept"), ACCEPTS)
def test_known_keys_have_known_answers(key: str, accept: str) -> None:
    assert accept_value(key) == accept


def without_nonce(reply: bytes) -> bytes:
    """Return a reply without the line that only draft 04 has."""
    return b"".join(line for line in reply.splitlines(keepends=True) if not line.startswith(b"Sec-WebSocket-Nonce: "))


@EVERY
@cases(("key", "accept"), ACCEPTS)
def test_a_key_is_answered(name: str, key: str, accept: str) -> None:
    assert without_nonce(open_up(head_of(*lines_of(name, key=key))).reply(Answer())) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n"
        b"\r\n"
    )


def reply_with(accept: str) -> Response:
    """Return a valid reply. All drafts but 04 ignore a nonce."""
    headers = [("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Accept", accept)]
    return Response(101, "OK", Headers([*headers, ("Sec-WebSocket-Nonce", NONCE_04)]))


@EVERY
@cases(("key", "accept"), ACCEPTS)
def test_the_answer_to_our_key_is_accepted(name: str, key: str, accept: str) -> None:
    client_handshake = DIALECTS[name].handshake.client(Offer("/", "example.com"), scripted(base64.b64decode(key)))
    assert client_handshake.request.headers.one("Sec-WebSocket-Key") == key
    assert client_handshake.check(reply_with(accept), b"") == Answer()
    with pytest.raises(HttpRefusal, match="does not answer our key"):
        client_handshake.check(reply_with(accept.swapcase()), b"")


# -- the nonce of draft 04 (4.3) -------------------------------------------------------------------------------


def test_both_ends_make_the_secret_of_draft_04_from_what_was_sent() -> None:
    """Both values are used as text, not decoded. Made with `printf %s%s%s KEY NONCE GUID | sha1sum`."""
    assert masking_secret(KEY, NONCE_04).hex() == "41e14f78311e4c34283e6d8b363b8848d58591a7"
    client_handshake = DIALECTS["hybi-04"].handshake.client(Offer("/", "example.com"), scripted(base64.b64decode(KEY)))
    assert client_handshake.check(reply_with(ACCEPT), b"") == Answer()
    assert client_handshake.secret.hex() == "41e14f78311e4c34283e6d8b363b8848d58591a7"


def test_our_nonce_is_the_base64_of_16_random_bytes() -> None:
    """pywebsocket writes the same 16 bytes so: its last letter differs from the draft's, and so does the secret."""
    opened = open_up(head_of(*lines_of("hybi-04")), scripted(bytes(range(1, 17))))
    assert opened.reply(Answer("chat")) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Nonce: AQIDBAUGBwgJCgsMDQ4PEA==\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"\r\n"
    )
    assert opened.server_handshake.secret.hex() == "23222d4ecf9af2084f4d83043abf7747dd56c5b7"


@cases("name", [name for name in VERSIONS if name != "hybi-04"])
def test_no_other_dialect_has_a_nonce(name: str) -> None:
    opened = open_up(head_of(*lines_of(name)))
    assert b"Nonce" not in opened.reply(Answer())
    assert opened.server_handshake.secret == b""
    client_handshake = DIALECTS[name].handshake.client(Offer("/", "example.com"), scripted(base64.b64decode(KEY)))
    client_handshake.check(reply_with(ACCEPT), b"")
    assert client_handshake.secret == b""


# -- requests --------------------------------------------------------------------------------------------------


@EVERY
@cases(
    ("key", "said"),
    [
        (None, "Sec-WebSocket-Version without Sec-WebSocket-Key"),
        ("", "0 characters, 1 to 256 that are visible"),
        ("not-base64!", "not base64"),
        ("dGhlIHNhbXBsZSBub25jZQ", "not base64"),
        ("dGhl IHNhbXBsZSBub25jZQ==", "1 to 256 that are visible"),
        ("dGhlIHNhbXBsZSBub25jZQ==\xe9", "1 to 256 that are visible"),
    ],
)
def test_a_request_without_a_proper_key_is_refused(name: str, key: str | None, said: str) -> None:
    refused = refusal(head_of(*lines_of(name, key=key)), STRICT)
    assert refused is not None
    assert said in str(refused)
    assert refused.status == 400


# Clients in the field, from reports about them.
KEY_FORMS = {
    "a key of 15 bytes (ws 0.4 for Node, of 2011)": base64.b64encode(bytes(15)).decode(),
    "21 characters (uNetworking/bindings#15, ArduinoHttpClient)": "5RdYWpPZNAdmqOTGyeq7o",
    "32 bytes (websockets/ws#1571, a charging station)": "JCMCrKJENqcrTU9erFxGoiP5P8JhjeocERQs9vgR/Y4=",
    "8 bytes (flutter-webrtc/dart-sip-ua#110)": "qjaovfzeqzo=",
    "12 bytes (Spinoco/fs2-http#8)": "U3RyZWFtKDIsID8p",
    "17 bytes (lighttpd/lighttpd1.4#123)": "MDAwMDAwMDAwMDAwMDAwMAo=",
    "24 bytes (ktorio/ktor#861)": base64.b64encode(bytes(24)).decode(),
    "a UUID (koush/AndroidAsync#28)": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "1 character": "x",
    "256 characters": "~" * 256,
}


@EVERY
@cases("key", KEY_FORMS.values(), KEY_FORMS)
def test_a_key_of_another_form_is_answered_as_it_was_sent_if_allowed(name: str, key: str) -> None:
    data = head_of(*lines_of(name, key=key))
    opened = open_up(data)
    # RFC 6455, 4.2.2, item 5.4.
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    assert b"\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n" in opened.reply(Answer())
    # The drafts before RFC 6455 do not say how long a key is.
    odd = name == "rfc6455" or not re.fullmatch("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}=+)?", key)
    assert opened.request.oddities.needed == ((Oddity.KEY_FORM,) if odd else ())
    refused = refusal(data, STRICT)
    assert (refused is not None) is odd
    if refused is not None:
        assert str(refused).startswith("Sec-WebSocket-Key is not base64 of ")
        assert (refused.status, "key-form" in refused.remark) == (400, True)


@EVERY
@cases("key", ["", "a b", "caf\xe9", "~" * 257])
def test_a_key_with_invisible_characters_is_always_refused(name: str, key: str) -> None:
    refused = refusal(head_of(*lines_of(name, key=key)), ALLOWED["client"])
    assert refused is not None
    assert "1 to 256 that are visible" in str(refused)


@EVERY
@cases("again", [f"Sec-WebSocket-Key: {KEY}", "sec-websocket-key: x", "Sec-WebSocket-Version: 13"])
def test_a_second_key_or_version_is_refused(name: str, again: str) -> None:
    refused = refusal(head_of(*lines_of(name, again)))
    assert refused is not None
    assert "2 Sec-WebSocket-" in str(refused)
    assert refused.status == 400


ORIGINS: list[tuple[str, list[str], str | None]] = [
    ("hybi-04", ["Sec-WebSocket-Origin: 127.0.0.1"], "127.0.0.1"),  # libwebsockets sends a host alone
    ("hybi-05", ["Origin: http://a"], "http://a"),
    ("hybi-06", [], None),
    ("hybi-07", [], None),
    ("hybi-07", ["Sec-WebSocket-Origin: http://a"], "http://a"),
    # Drafts 11 and 12, which are version 8 too, use Origin.
    ("hybi-08", ["Origin: http://a"], "http://a"),
    ("hybi-08", ["Origin: http://a", "Sec-WebSocket-Origin: http://a"], "http://a"),
    # ws 0.4 for Node, of 2011, sends the host in the other header.
    ("hybi-08", ["Origin: http://b", "Sec-WebSocket-Origin: http://a"], "http://a"),
    ("rfc6455", [], None),
    ("rfc6455", ["Origin: null"], "null"),
    ("rfc6455", ["Origin: http://a", "Sec-WebSocket-Origin: http://b"], "http://a"),
    ("rfc6455", ["Sec-WebSocket-Origin: http://b"], "http://b"),
]


@cases(("name", "lines", "origin"), ORIGINS)
def test_the_origin_is_read_from_the_drafts_header_or_else_from_the_other(
    name: str, lines: list[str], origin: str | None
) -> None:
    offer = open_up(head_of(*lines_of(name, *lines))).server_handshake.offer
    assert offer.origin == origin
    assert offer.headers == ()


@EVERY
def test_the_origin_is_sent_under_the_drafts_name(name: str) -> None:
    header = "Origin" if name == "rfc6455" else "Sec-WebSocket-Origin"
    request = DIALECTS[name].handshake.client(Offer("/", "example.com", "http://a"), seeded()).request
    assert [each for each, value in request.headers if value == "http://a"] == [header]
    without = DIALECTS[name].handshake.client(Offer("/", "example.com"), seeded()).request
    assert header not in without.headers


@EVERY
@cases(
    ("lines", "subprotocols"),
    [
        ([], ()),
        (["Sec-WebSocket-Protocol: chat"], ("chat",)),
        (["Sec-WebSocket-Protocol: chat, superchat"], ("chat", "superchat")),
        (["Sec-WebSocket-Protocol: chat,superchat"], ("chat", "superchat")),
        (["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"], ("chat", "superchat")),
        (["Sec-WebSocket-Protocol: "], ()),
    ],
)
def test_subprotocols_are_a_list(name: str, lines: list[str], subprotocols: tuple[str, ...]) -> None:
    assert open_up(head_of(*lines_of(name, *lines))).server_handshake.offer.subprotocols == subprotocols


# Clients in the field, from reports about them.
ODD_LISTS = {
    "a slash (EarthScope/ringserver#1)": ("seedlink/3.1", ("seedlink/3.1",)),
    "slashes (solid/specification#163)": ("solid/0.1.0-alpha", ("solid/0.1.0-alpha",)),
    "a colon (python-websockets/websockets#1147)": ("ogmios.v1:compact", ("ogmios.v1:compact",)),
    "an address": ("http://example.com/chat", ("http://example.com/chat",)),
    "a semicolon for a comma (tidwall/SwiftWebSocket#40)": ("chat; superchat", ("chat; superchat",)),
    "spaces for commas (statianzo/Fleck#112)": ("binary base64 plain", ("binary base64 plain",)),
    "a name twice": ("ocpp1.6, ocpp1.6", ("ocpp1.6",)),
    "base64 beside it": ("ocpp1.6, QWxhZGRpbjpvcGVuIHNlc2FtZQ==", ("ocpp1.6", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")),
    "quotes": (' "chat" ,\t@', ('"chat"', "@")),
}


@EVERY
@cases(("value", "names"), ODD_LISTS.values(), ODD_LISTS)
def test_names_that_are_no_tokens_are_offered_if_allowed(name: str, value: str, names: tuple[str, ...]) -> None:
    data = head_of(*lines_of(name, f"Sec-WebSocket-Protocol: {value}"))
    opened = open_up(data)
    assert opened.server_handshake.offer.subprotocols == names
    assert opened.request.oddities.needed == (Oddity.SUBPROTOCOL_NAMES,)
    assert f"\r\nSec-WebSocket-Protocol: {names[0]}\r\n".encode() in opened.reply(Answer(names[0]))
    refused = refusal(data, STRICT)
    assert refused is not None
    assert "lists a name twice, or one that is not a token" in str(refused)
    assert (refused.status, "subprotocol-names" in refused.remark) == (400, True)


@EVERY
def test_a_name_twice_over_two_headers_counts_once(name: str) -> None:
    lines = ["Sec-WebSocket-Protocol: ocpp1.6", "Sec-WebSocket-Protocol: ocpp1.6"]
    assert open_up(head_of(*lines_of(name, *lines))).server_handshake.offer.subprotocols == ("ocpp1.6",)


@EVERY
@cases("value", ["caf\xe9", "chat, \xff"])
def test_a_name_that_is_not_ascii_is_always_refused(name: str, value: str) -> None:
    refused = refusal(head_of(*lines_of(name, f"Sec-WebSocket-Protocol: {value}")), ALLOWED["client"])
    assert refused is not None
    assert "a control or a byte above 7E" in str(refused)
    assert refused.status == 400


@EVERY
def test_bytes_above_7f_in_a_target_are_encoded_if_allowed(name: str) -> None:
    """gimite/web-socket-js, 2012 to 2015: Flash sends the page's address unescaped in version 13, too."""
    data = head_of(*lines_of(name), start="GET /caf\xc3\xa9?n=Jos\xc3\xa9 HTTP/1.1")
    opened = open_up(data)
    assert opened.server_handshake.offer.target == "/caf%C3%A9?n=Jos%C3%A9"
    assert opened.request.oddities.needed == (Oddity.RAW_TARGET,)
    refused = refusal(data, STRICT)
    assert refused is not None
    assert (str(refused), refused.status) == ("the target holds a byte above 7F", 400)
    opened = open_up(head_of(*lines_of(name), start="GET /caf%C3%A9 HTTP/1.1"), tolerance=STRICT)
    assert opened.server_handshake.offer.target == "/caf%C3%A9"


# -- replies ---------------------------------------------------------------------------------------------------


@EVERY
def test_headers_without_an_agreed_value_are_left_out(name: str) -> None:
    """Safari breaks on an empty Sec-WebSocket-Protocol or -Extensions."""
    lines = lines_of(name, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate")
    reply = open_up(head_of(*lines)).reply(Answer())
    assert b"Protocol:" not in reply
    assert b"Extensions" not in reply


@EVERY
def test_agreed_values_follow_the_accept(name: str) -> None:
    answer = Answer("chat", ("permessage-deflate",), (("Set-Cookie", "a=1"), ("Server", "x")))
    reply = open_up(head_of(*lines_of(name, "Sec-WebSocket-Protocol: chat"))).reply(answer)
    assert without_nonce(reply).partition(ACCEPT.encode())[2] == (
        b"\r\nSec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        b"Set-Cookie: a=1\r\nServer: x\r\n\r\n"
    )


@cases("name", [name for name in VERSIONS if name != "rfc6455"])
@cases("extension", ["deflate-stream", "x-webkit-deflate-frame", "permessage-deflate"])
def test_the_drafts_have_no_extension_that_passes_a_gateway(name: str, extension: str) -> None:
    opened = open_up(head_of(*lines_of(name, f"Sec-WebSocket-Extensions: {extension}")))
    assert opened.server_handshake.offer.extensions == ()
    client_handshake = DIALECTS[name].handshake.client(Offer("/", "example.com", extensions=(extension,)), seeded())
    assert "Sec-WebSocket-Extensions" not in client_handshake.request.headers


@EVERY
def test_no_bytes_follow_a_head(name: str) -> None:
    opened = open_up(head_of(*lines_of(name)) + b"\x81\x80key!")
    assert opened.head.rest == b"\x81\x80key!"
    assert (opened.server_handshake.challenge_bytes, opened.server_handshake.proof(b"")) == (0, b"")
    client_handshake = DIALECTS[name].handshake.client(Offer("/", "example.com"), seeded())
    assert (client_handshake.challenge, client_handshake.proof_bytes) == (b"", 0)
