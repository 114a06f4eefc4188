"""Which close codes may travel in a Close frame (RFC 6455, 7.4, and the IANA registry)."""

NORMAL = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
ABNORMAL = 1006
INVALID_TEXT = 1007
POLICY_VIOLATION = 1008
TOO_BIG = 1009
BAD_GATEWAY = 1014

# 1004, 1005, 1006 and 1015 are for programs to tell each other, never for the wire.
RFC6455_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
# Draft 06 knows the first four and one for a message that is too big, which became 1009 only in the standard (see
# `FrameRules.too_big`). 07 leaves 3000 and above to libraries and applications; 1007 came while the version was 8.
CODES_06 = frozenset({*range(1000, 1004), TOO_BIG})
CODES_07 = CODES_06 | {*range(3000, 5000)}
CODES_08 = CODES_07 | {INVALID_TEXT}

# A control frame carries 125 bytes; two of them are the code.
MAX_REASON_BYTES = 123


def cut_reason(reason: str) -> bytes:
    """The reason as UTF-8, cut between characters to what a Close frame can carry."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore").encode()
