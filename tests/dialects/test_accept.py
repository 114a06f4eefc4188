"""A key and its Accept, in the hybi drafts from 04 on and in RFC 6455; the origin, which has two names; 04's nonce."""

import base64

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.dialects.accept import accept_value, masking_secret
from wsgateway.errors import HandshakeError
from wsgateway.wire.heads import Headers, Response

from .opening import head_of, open_up, refusal, scripted, seeded

VERSIONS = {
    name: dialect.handshake.version for name, dialect in DIALECTS.items() if dialect.handshake.version is not None
}
EVERY = cases("name", VERSIONS)
# RFC 6455, 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
# As the draft prints it: its last letter holds bits that base64 leaves open.
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
    """A reply without the line that draft 04 alone has."""
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
    """A good reply. All but 04 take no notice of a nonce."""
    headers = [("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Accept", accept)]
    return Response(101, "OK", Headers([*headers, ("Sec-WebSocket-Nonce", NONCE_04)]))


@EVERY
@cases(("key", "accept"), ACCEPTS)
def test_the_answer_to_our_key_is_accepted(name: str, key: str, accept: str) -> None:
    asking = DIALECTS[name].handshake.asking(Offer("/", "example.com"), scripted(base64.b64decode(key)))
    assert asking.request.headers.one("Sec-WebSocket-Key") == key
    assert asking.check(reply_with(accept), b"") == Answer()
    with pytest.raises(HandshakeError, match="does not answer our key"):
        asking.check(reply_with(accept.swapcase()), b"")


# -- the nonce of draft 04 (4.3) -------------------------------------------------------------------------------


def test_both_ends_make_the_secret_of_draft_04_from_what_was_sent() -> None:
    """The text of both values, not what it stands for. Made with `printf %s%s%s KEY NONCE GUID | sha1sum`."""
    assert masking_secret(KEY, NONCE_04).hex() == "41e14f78311e4c34283e6d8b363b8848d58591a7"
    asking = DIALECTS["hybi-04"].handshake.asking(Offer("/", "example.com"), scripted(base64.b64decode(KEY)))
    assert asking.check(reply_with(ACCEPT), b"") == Answer()
    assert asking.secret.hex() == "41e14f78311e4c34283e6d8b363b8848d58591a7"


def test_our_nonce_is_the_base64_of_16_random_bytes() -> None:
    """As pywebsocket writes the same 16 bytes: its last letter differs from the draft's, and so does the secret."""
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
    assert opened.answering.secret.hex() == "23222d4ecf9af2084f4d83043abf7747dd56c5b7"


@cases("name", [name for name in VERSIONS if name != "hybi-04"])
def test_nobody_else_has_a_nonce(name: str) -> None:
    opened = open_up(head_of(*lines_of(name)))
    assert b"Nonce" not in opened.reply(Answer())
    assert opened.answering.secret == b""
    asking = DIALECTS[name].handshake.asking(Offer("/", "example.com"), scripted(base64.b64decode(KEY)))
    asking.check(reply_with(ACCEPT), b"")
    assert asking.secret == b""


# -- requests --------------------------------------------------------------------------------------------------


@EVERY
@cases(
    ("key", "said"),
    [
        (None, "Sec-WebSocket-Version without Sec-WebSocket-Key"),
        ("", "0 bytes"),
        ("not base64!", "not base64"),
        ("dGhlIHNhbXBsZSBub25jZQ", "not base64"),
        ("dGhl IHNhbXBsZSBub25jZQ==", "not base64"),
        ("dGhlIHNhbXBsZSBub25jZQ==\xe9", "not base64"),
    ],
)
def test_a_request_without_a_proper_key_is_refused(name: str, key: str | None, said: str) -> None:
    refused = refusal(head_of(*lines_of(name, key=key)))
    assert refused is not None
    assert said in str(refused)
    assert refused.status == 400


@EVERY
@cases("size", [1, 15, 17, 32])
def test_only_the_rfc_insists_on_a_key_of_16_bytes(name: str, size: int) -> None:
    """ws 0.4 for Node, of 2011, makes keys of 15."""
    refused = refusal(head_of(*lines_of(name, key=base64.b64encode(b"k" * size).decode())))
    if name == "rfc6455":
        assert refused is not None
        assert str(refused) == f"Sec-WebSocket-Key holds {size} bytes, 16 are needed"
    else:
        assert refused is None


@EVERY
@cases("again", [f"Sec-WebSocket-Key: {KEY}", "sec-websocket-key: x", "Sec-WebSocket-Version: 13"])
def test_a_key_and_a_version_stand_once(name: str, again: str) -> None:
    refused = refusal(head_of(*lines_of(name, again)))
    assert refused is not None
    assert "2 Sec-WebSocket-" in str(refused)
    assert refused.status == 400


ORIGINS: list[tuple[str, list[str], str | None]] = [
    ("hybi-04", ["Sec-WebSocket-Origin: 127.0.0.1"], "127.0.0.1"),  # libwebsockets says a bare host
    ("hybi-05", ["Origin: http://a"], "http://a"),
    ("hybi-06", [], None),
    ("hybi-07", [], None),
    ("hybi-07", ["Sec-WebSocket-Origin: http://a"], "http://a"),
    # Drafts 11 and 12, which are version 8 too, say Origin.
    ("hybi-08", ["Origin: http://a"], "http://a"),
    ("hybi-08", ["Origin: http://a", "Sec-WebSocket-Origin: http://a"], "http://a"),
    # ws 0.4 for Node, of 2011, says the host in the other one.
    ("hybi-08", ["Origin: http://b", "Sec-WebSocket-Origin: http://a"], "http://a"),
    ("rfc6455", [], None),
    ("rfc6455", ["Origin: null"], "null"),
    ("rfc6455", ["Origin: http://a", "Sec-WebSocket-Origin: http://b"], "http://a"),
    ("rfc6455", ["Sec-WebSocket-Origin: http://b"], "http://b"),
]


@cases(("name", "lines", "origin"), ORIGINS)
def test_the_origin_is_read_under_the_drafts_name_and_else_under_the_other(
    name: str, lines: list[str], origin: str | None
) -> None:
    offer = open_up(head_of(*lines_of(name, *lines))).answering.offer
    assert offer.origin == origin
    assert offer.headers == ()


@EVERY
def test_the_origin_is_sent_under_the_drafts_name(name: str) -> None:
    header = "Origin" if name == "rfc6455" else "Sec-WebSocket-Origin"
    request = DIALECTS[name].handshake.asking(Offer("/", "example.com", "http://a"), seeded()).request
    assert [each for each, value in request.headers if value == "http://a"] == [header]
    without = DIALECTS[name].handshake.asking(Offer("/", "example.com"), seeded()).request
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
    assert open_up(head_of(*lines_of(name, *lines))).answering.offer.subprotocols == subprotocols


@EVERY
@cases("value", ["chat superchat", "chat, chat", "a/b", "caf\xe9", "chat, @", '"chat"'])
def test_a_list_that_is_none_is_refused(name: str, value: str) -> None:
    refused = refusal(head_of(*lines_of(name, f"Sec-WebSocket-Protocol: {value}")))
    assert refused is not None
    assert "lists a name twice, or one that is not a token" in str(refused)
    assert refused.status == 400


@EVERY
def test_a_target_above_7f_is_for_old_webkits_alone(name: str) -> None:
    refused = refusal(head_of(*lines_of(name), start="GET /caf\xc3\xa9 HTTP/1.1"))
    assert refused is not None
    assert (str(refused), refused.status) == ("the target holds a byte above 7F", 400)
    assert open_up(head_of(*lines_of(name), start="GET /caf%C3%A9 HTTP/1.1")).answering.offer.target == "/caf%C3%A9"


# -- replies ---------------------------------------------------------------------------------------------------


@EVERY
def test_what_was_not_agreed_is_not_mentioned(name: str) -> None:
    """Safari breaks on an empty Sec-WebSocket-Protocol or -Extensions."""
    lines = lines_of(name, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate")
    reply = open_up(head_of(*lines)).reply(Answer())
    assert b"Protocol:" not in reply
    assert b"Extensions" not in reply


@EVERY
def test_what_was_agreed_stands_behind_the_accept(name: str) -> None:
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
    assert opened.answering.offer.extensions == ()
    asking = DIALECTS[name].handshake.asking(Offer("/", "example.com", extensions=(extension,)), seeded())
    assert "Sec-WebSocket-Extensions" not in asking.request.headers


@EVERY
def test_there_is_nothing_behind_a_head(name: str) -> None:
    opened = open_up(head_of(*lines_of(name)) + b"\x81\x80key!")
    assert opened.head.rest == b"\x81\x80key!"
    assert (opened.answering.challenge_bytes, opened.answering.proof(b"")) == (0, b"")
    asking = DIALECTS[name].handshake.asking(Offer("/", "example.com"), seeded())
    assert (asking.challenge, asking.proof_bytes) == (b"", 0)
