"""The close codes that may be sent in a Close frame (RFC 6455, 7.4, and the IANA registry)."""

NORMAL = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
ABNORMAL = 1006
INVALID_TEXT = 1007
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013
BAD_GATEWAY = 1014

# Draft 06 defines the first four codes, and one for a message that is too big. The number of that one is 1004 there
# (see `FrameRules.too_big`).
CODES_06 = frozenset({*range(1000, 1004), TOO_BIG})
# Draft 12 is still version 8 and lists 1007 to 1011. So these are passed on to versions 7 and 8 as a peer sent them.
# Only 1007 is not sent to version 7, because its draft has no rule about broken text. 3000 and above belong to
# libraries and applications.
CODES_07 = CODES_06 | {*range(1008, 1012), *range(3000, 5000)}
CODES_08 = CODES_07 | {INVALID_TEXT}
# 1012 to 1014 were registered after RFC 6455. 1004, 1005, 1006 and 1015 must never be sent (7.4.1).
RFC6455_CODES = CODES_08 | {*range(1012, 1015)}

# A control frame carries 125 bytes; two of them are the code.
MAX_REASON_BYTES = 123


def cut_reason(reason: str) -> bytes:
    """Return the reason as UTF-8, cut between characters to the length that a Close frame can carry."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore").encode()
