"""The close codes that may be sent (RFC 6455, 7.4), and how a reason is cut."""

import pytest

from wsgateway.wire.closecodes import (
    CODES_06,
    CODES_07,
    CODES_08,
    MAX_REASON_BYTES,
    RFC6455_CODES,
    cut_reason,
)

SETS = [CODES_06, CODES_07, CODES_08, RFC6455_CODES]
# A code, and the first of these sets that contains it.
CODES: list[tuple[int, frozenset[int] | None]] = [
    (0, None),
    (999, None),
    (1000, CODES_06),
    (1001, CODES_06),
    (1002, CODES_06),
    (1003, CODES_06),
    (1004, None),  # reserved; draft 06 uses it for what is 1009 here
    (1005, None),  # 7.4.1: means that there was no code
    (1006, None),  # 7.4.1: means that there was no Close
    (1007, CODES_08),
    (1008, CODES_07),  # 1008 to 1011 stand in draft 12, which is of version 8
    (1009, CODES_06),
    (1010, CODES_07),
    (1011, CODES_07),
    (1012, RFC6455_CODES),  # 1012 to 1014 stand in the IANA registry
    (1013, RFC6455_CODES),
    (1014, RFC6455_CODES),
    (1015, None),  # 7.4.1: means that TLS failed
    (1016, None),
    (2999, None),
    (3000, CODES_07),
    (4999, CODES_07),
    (5000, None),
    (65535, None),
]


@pytest.mark.parametrize(("code", "first"), CODES)
def test_only_codes_that_may_be_sent_are_in_the_sets(code: int, first: frozenset[int] | None) -> None:
    """A later draft has all codes of an earlier one."""
    since = len(SETS) if first is None else SETS.index(first)
    assert [code in codes for codes in SETS] == [at >= since for at in range(len(SETS))]


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
