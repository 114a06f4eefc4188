"""Which close codes may travel (RFC 6455, 7.4), and how a reason is cut."""

import pytest

from wsgateway.wire.closecodes import DRAFT_CODES, MAX_REASON_BYTES, RFC6455_CODES, cut_reason


@pytest.mark.parametrize(
    ("code", "by_the_rfc", "by_the_drafts"),
    [
        (0, False, False),
        (999, False, False),
        (1000, True, True),
        (1001, True, True),
        (1002, True, True),
        (1003, True, True),
        (1004, False, False),  # reserved
        (1005, False, False),  # 7.4.1: means that there was no code
        (1006, False, False),  # 7.4.1: means that there was no Close
        (1007, True, False),
        (1011, True, False),
        (1012, True, False),  # 1012 to 1014 stand in the IANA registry
        (1014, True, False),
        (1015, False, False),  # 7.4.1: means that TLS failed
        (1016, False, False),
        (2999, False, False),
        (3000, True, True),
        (4999, True, True),
        (5000, False, False),
        (65535, False, False),
    ],
)
def test_only_codes_that_are_for_the_wire_may_travel(code: int, by_the_rfc: bool, by_the_drafts: bool) -> None:
    assert (code in RFC6455_CODES, code in DRAFT_CODES) == (by_the_rfc, by_the_drafts)


@pytest.mark.parametrize(
    ("reason", "written"),
    [
        ("", b""),
        ("bye", b"bye"),
        ("a" * 123, b"a" * 123),
        ("a" * 124, b"a" * 123),
        ("\u20ac" * 41, b"\xe2\x82\xac" * 41),
        ("a" + "\u20ac" * 41, b"a" + b"\xe2\x82\xac" * 40),
        ("aa" + "\U0001f600" * 31, b"aa" + b"\xf0\x9f\x98\x80" * 30),
        ("a\ud800b", b"a?b"),  # half a character cannot be written
    ],
)
def test_a_reason_is_cut_between_characters(reason: str, written: bytes) -> None:
    assert cut_reason(reason) == written
    assert len(written) <= MAX_REASON_BYTES == 123
