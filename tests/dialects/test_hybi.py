"""The hybi drafts 07 and 08: a key and its Accept, as in RFC 6455, and another name for the origin."""

import base64

import pytest

from wsgateway.dialects import DIALECTS, Answer, Offer
from wsgateway.dialects.hybi import accept_value
from wsgateway.errors import HandshakeError
from wsgateway.wire.heads import Headers, Response

from .opening import head_of, open_up, refusal, scripted, seeded

VERSIONS = {"hybi-07": "7", "hybi-08": "8", "rfc6455": "13"}
EVERY = pytest.mark.parametrize("name", VERSIONS)
# RFC 6455, 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


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


@pytest.mark.parametrize(("key", "accept"), ACCEPTS)
def test_known_keys_have_known_answers(key: str, accept: str) -> None:
    assert accept_value(key) == accept


@EVERY
@pytest.mark.parametrize(("key", "accept"), ACCEPTS)
def test_a_key_is_answered(name: str, key: str, accept: str) -> None:
    assert open_up(head_of(*lines_of(name, key=key))).reply(Answer()) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n"
        b"\r\n"
    )


@EVERY
@pytest.mark.parametrize(("key", "accept"), ACCEPTS)
def test_the_answer_to_our_key_is_accepted(name: str, key: str, accept: str) -> None:
    asking = DIALECTS[name].handshake.asking(Offer("/", "example.com"), scripted(base64.b64decode(key)))
    assert asking.request.headers.one("Sec-WebSocket-Key") == key
    headers = [("Upgrade", "WebSocket"), ("Connection", "keep-alive, Upgrade"), ("Sec-WebSocket-Accept", accept)]
    assert asking.check(Response(101, "OK", Headers(headers)), b"") == Answer()
    wrong = [*headers[:2], ("Sec-WebSocket-Accept", accept.swapcase())]
    with pytest.raises(HandshakeError, match="does not answer our key"):
        asking.check(Response(101, "OK", Headers(wrong)), b"")


# -- requests --------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize(
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
@pytest.mark.parametrize("size", [1, 15, 17, 32])
def test_only_the_rfc_insists_on_a_key_of_16_bytes(name: str, size: int) -> None:
    """ws 0.4 for Node, of 2011, makes keys of 15."""
    refused = refusal(head_of(*lines_of(name, key=base64.b64encode(b"k" * size).decode())))
    if name == "rfc6455":
        assert refused is not None
        assert str(refused) == f"Sec-WebSocket-Key holds {size} bytes, 16 are needed"
    else:
        assert refused is None


@EVERY
@pytest.mark.parametrize("again", [f"Sec-WebSocket-Key: {KEY}", "sec-websocket-key: x", "Sec-WebSocket-Version: 13"])
def test_a_key_and_a_version_stand_once(name: str, again: str) -> None:
    refused = refusal(head_of(*lines_of(name, again)))
    assert refused is not None
    assert "2 Sec-WebSocket-" in str(refused)
    assert refused.status == 400


ORIGINS: list[tuple[str, list[str], str | None]] = [
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


@pytest.mark.parametrize(("name", "lines", "origin"), ORIGINS)
def test_the_origin_is_read_under_the_drafts_name_and_else_under_the_other(
    name: str, lines: list[str], origin: str | None
) -> None:
    offer = open_up(head_of(*lines_of(name, *lines))).answering.offer
    assert offer.origin == origin
    assert offer.headers == ()


@pytest.mark.parametrize(
    ("name", "header"),
    [("hybi-07", "Sec-WebSocket-Origin"), ("hybi-08", "Sec-WebSocket-Origin"), ("rfc6455", "Origin")],
)
def test_the_origin_is_sent_under_the_drafts_name(name: str, header: str) -> None:
    request = DIALECTS[name].handshake.asking(Offer("/", "example.com", "http://a"), seeded()).request
    assert [each for each, value in request.headers if value == "http://a"] == [header]
    without = DIALECTS[name].handshake.asking(Offer("/", "example.com"), seeded()).request
    assert header not in without.headers


@EVERY
@pytest.mark.parametrize(
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
@pytest.mark.parametrize("value", ["chat superchat", "chat, chat", "a/b", "caf\xe9", "chat, @", '"chat"'])
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
    assert reply.partition(ACCEPT.encode())[2] == (
        b"\r\nSec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        b"Set-Cookie: a=1\r\nServer: x\r\n\r\n"
    )


@pytest.mark.parametrize("name", ["hybi-07", "hybi-08"])
@pytest.mark.parametrize("extension", ["deflate-stream", "x-webkit-deflate-frame", "permessage-deflate"])
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
