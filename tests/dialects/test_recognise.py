"""The dialect of a request, by its headers alone."""

import pytest

from tests.cases import cases
from wsgateway.dialects import DIALECTS, recognise
from wsgateway.errors import HttpRefusal

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
    # First, a version decides,
    ([version("4"), KEY], "hybi-04"),
    ([version("5"), KEY], "hybi-05"),
    ([version("6"), KEY], "hybi-06"),
    ([version("7"), KEY], "hybi-07"),
    ([version("8"), KEY], "hybi-08"),
    ([version("13"), KEY], "rfc6455"),
    ([version("13")], "rfc6455"),  # which then refuses it for its missing key
    ([KEY1, version("13"), KEY, KEY2], "rfc6455"),
    ([draft("2"), version("6"), KEY], "hybi-06"),
    ([draft("3"), KEY1, KEY2, version("8"), KEY], "hybi-08"),
    ([draft("x"), version("4"), KEY], "hybi-04"),
    ([draft("1"), draft("2"), version("13"), KEY], "rfc6455"),
    # then a draft with two keys,
    ([draft("0"), KEY1, KEY2], "hixie-76"),  # as pywebsocket's client sends it
    ([draft("1"), KEY1, KEY2], "hybi-01"),
    ([draft("2"), KEY1, KEY2], "hybi-02"),
    ([draft("3"), KEY1, KEY2], "hybi-03"),
    ([KEY1, KEY2, KEY, draft("3")], "hybi-03"),
    # then two keys alone,
    ([KEY1, KEY2], "hixie-76"),
    ([KEY2, CHROME, KEY1], "hixie-76"),
    ([("sec-websocket-key1", "1 "), ("SEC-WEBSOCKET-KEY2", "1 ")], "hixie-76"),
    # and a request without any of these is hixie-75.
    ([], "hixie-75"),
    ([("Origin", "http://a"), ("WebSocket-Protocol", "chat")], "hixie-75"),
    ([("Sec-WebSocket-Protocol", "chat")], "hixie-75"),
    ([CHROME], "hixie-75"),  # User-Agent never decides
]


@cases(("headers", "name"), RECOGNISED)
def test_a_request_is_recognised(headers: list[tuple[str, str]], name: str) -> None:
    assert recognise(request_of(*UPGRADE, *headers)).name == name


@cases("headers", [headers for headers, _ in RECOGNISED])
def test_one_dialect_recognises_it_and_no_other(headers: list[tuple[str, str]]) -> None:
    request = request_of(*UPGRADE, *headers)
    assert sum(dialect.handshake.recognises(request) for dialect in DIALECTS.values()) == 1


VERSIONS = [dialect.handshake.version for dialect in DIALECTS.values() if dialect.handshake.version is not None]
POSSIBLE = ", ".join(map(str, sorted(VERSIONS, reverse=True)))
# Drafts 09 to 12 send 8; of all programs only websocket-ruby sends another number.
STRANGE = ["9", "10", "11", "12", "14", "0", "1", "-1", "013", "13.0", "", "13, 8", "8, 13", "13,13", "x", "8;", "\xb2"]


@cases("more", [[], [draft("1"), KEY1, KEY2]])
@cases("value", STRANGE)
def test_the_refusal_of_an_unknown_version_lists_the_known_ones(value: str, more: list[tuple[str, str]]) -> None:
    """RFC 6455, 4.2.2 and 4.4. Other headers are not tried then."""
    with pytest.raises(HttpRefusal) as refused:
        recognise(request_of(*UPGRADE, version(value), KEY, *more))
    assert str(refused.value) == f"Sec-WebSocket-Version is {value!r}, possible are {POSSIBLE}"
    assert refused.value.status == 426
    assert refused.value.headers == (("Upgrade", "websocket"), ("Sec-WebSocket-Version", POSSIBLE))


@cases("value", ["4", "5", "10", "-1", "01", "+1", "1.0", "", "0x1", "1, 2", "draft", "\xb9"])
def test_a_draft_that_no_draft_with_two_keys_has_is_refused(value: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        recognise(request_of(*UPGRADE, draft(value), KEY1, KEY2))
    assert str(refused.value) == f"Sec-WebSocket-Draft is {value!r}, which is not the number of a draft with two keys"
    assert refused.value.status == 400


@cases(
    ("headers", "said"),
    [
        ([KEY], "a key without its other half"),
        ([KEY1], "a key without its other half"),
        ([KEY2], "a key without its other half"),
        ([KEY, KEY1], "a key without its other half"),
        ([draft("0")], "Sec-WebSocket-Draft without Sec-WebSocket-Key1 and -Key2"),
        ([draft("0"), KEY1], "Sec-WebSocket-Draft without Sec-WebSocket-Key1 and -Key2"),
        ([draft("2"), KEY], "Sec-WebSocket-Draft without Sec-WebSocket-Key1 and -Key2"),
        ([draft("0"), draft("0"), KEY1, KEY2], "2 Sec-WebSocket-Draft headers"),
        ([draft("1"), draft("2"), KEY1, KEY2], "2 Sec-WebSocket-Draft headers"),
        ([version("13"), version("13"), KEY], "2 Sec-WebSocket-Version headers"),
        ([version("13"), version("8"), KEY], "2 Sec-WebSocket-Version headers"),
        ([version("13"), version("x"), KEY1, KEY2], "2 Sec-WebSocket-Version headers"),
    ],
)
def test_a_request_of_no_dialect_is_refused(headers: list[tuple[str, str]], said: str) -> None:
    """None of them becomes hixie-75, which has no proof."""
    with pytest.raises(HttpRefusal) as refused:
        recognise(request_of(*UPGRADE, *headers))
    assert said in str(refused.value)
    assert refused.value.status == 400


def test_a_request_that_is_no_upgrade_is_refused_before_all_other_checks() -> None:
    with pytest.raises(HttpRefusal, match="no Upgrade") as refused:
        recognise(request_of(("Host", "example.com"), version("99")))
    assert refused.value.status == 426


def test_the_known_versions_are_listed_newest_first() -> None:
    assert "13, 8, 7, 6, 5, 4" in POSSIBLE


def test_each_version_is_of_one_dialect() -> None:
    assert len(set(VERSIONS)) == len(VERSIONS)
