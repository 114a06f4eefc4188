"""Which dialect a request is of, by its headers alone."""

import pytest

from wsgateway.dialects import DIALECTS, recognise
from wsgateway.errors import HandshakeError

from .opening import request_of

UPGRADE = (("Host", "example.com"), ("Upgrade", "WebSocket"), ("Connection", "Upgrade"))
KEY = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
KEY1 = ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5")
KEY2 = ("Sec-WebSocket-Key2", "12998 5 Y3 1  .P00")
CHROME = ("User-Agent", "Mozilla/5.0 AppleWebKit/537.36 Chrome/120.0 Safari/537.36")


def version(value: str) -> tuple[str, str]:
    return ("Sec-WebSocket-Version", value)


def draft(value: str) -> tuple[str, str]:
    return ("Sec-WebSocket-Draft", value)


RECOGNISED: list[tuple[list[tuple[str, str]], str]] = [
    ([], "hixie-75"),
    ([("Origin", "http://a"), ("WebSocket-Protocol", "chat")], "hixie-75"),
    ([("Sec-WebSocket-Protocol", "chat")], "hixie-75"),
    ([CHROME], "hixie-75"),  # never by User-Agent
    ([KEY1, KEY2], "hixie-76"),
    ([KEY2, CHROME, KEY1], "hixie-76"),
    ([("sec-websocket-key1", "1 "), ("SEC-WEBSOCKET-KEY2", "1 ")], "hixie-76"),
    ([draft("0"), KEY1, KEY2], "hixie-76"),  # as pywebsocket's client says
    ([version("7"), KEY], "hybi-07"),
    ([version("8"), KEY], "hybi-08"),
    ([version("13"), KEY], "rfc6455"),
    ([version("13")], "rfc6455"),  # and refused for its missing key
    ([KEY1, version("13"), KEY, KEY2], "rfc6455"),
]


@pytest.mark.parametrize(("headers", "name"), RECOGNISED)
def test_a_request_is_recognised(headers: list[tuple[str, str]], name: str) -> None:
    assert recognise(request_of(*UPGRADE, *headers)).name == name


@pytest.mark.parametrize("headers", [headers for headers, _ in RECOGNISED])
def test_one_dialect_recognises_it_and_no_other(headers: list[tuple[str, str]]) -> None:
    request = request_of(*UPGRADE, *headers)
    assert sum(dialect.handshake.recognises(request) for dialect in DIALECTS.values()) == 1


@pytest.mark.parametrize("value", ["4", "5", "6", "9", "10", "12", "14", "0", "-1", "013", "13.0", "", "13, 8", "x"])
def test_a_version_that_nobody_speaks_is_told_which_ones_we_do(value: str) -> None:
    """RFC 6455, 4.2.2 and 4.4."""
    with pytest.raises(HandshakeError) as refused:
        recognise(request_of(*UPGRADE, version(value), KEY))
    assert str(refused.value) == f"Sec-WebSocket-Version is {value!r}, possible are 13, 8, 7"
    assert refused.value.status == 426
    assert refused.value.headers == (("Sec-WebSocket-Version", "13, 8, 7"),)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ([KEY], "a key without its other half"),
        ([KEY1], "a key without its other half"),
        ([KEY2], "a key without its other half"),
        ([KEY, KEY1], "a key without its other half"),
        ([draft("1"), KEY1, KEY2], "Sec-WebSocket-Draft is '1', possible is 0"),
        ([draft("2"), KEY1, KEY2], "Sec-WebSocket-Draft is '2', possible is 0"),
        ([draft("0")], "Sec-WebSocket-Draft is '0', possible is 0, with two keys"),
        ([draft("0"), KEY1], "with two keys"),
        ([draft("0"), draft("0"), KEY1, KEY2], "2 Sec-WebSocket-Draft headers"),
        ([version("13"), version("13"), KEY], "2 Sec-WebSocket-Version headers"),
        ([version("13"), version("8"), KEY], "2 Sec-WebSocket-Version headers"),
    ],
)
def test_a_request_of_no_dialect_is_refused(headers: list[tuple[str, str]], said: str) -> None:
    """None of them falls back to hixie-75, which proves nothing."""
    with pytest.raises(HandshakeError) as refused:
        recognise(request_of(*UPGRADE, *headers))
    assert said in str(refused.value)
    assert refused.value.status == 400


def test_what_is_no_upgrade_is_refused_before_anything_else() -> None:
    with pytest.raises(HandshakeError, match="no Upgrade") as refused:
        recognise(request_of(("Host", "example.com"), version("99")))
    assert refused.value.status == 426


def test_each_version_is_of_one_dialect() -> None:
    versions = {dialect.name: dialect.handshake.version for dialect in DIALECTS.values()}
    assert versions == {"hixie-75": None, "hixie-76": None, "hybi-07": 7, "hybi-08": 8, "rfc6455": 13}
