"""Which close codes may travel in a Close frame (RFC 6455, 7.4, and the IANA registry)."""

NORMAL = 1000
GOING_AWAY = 1001
UNSUPPORTED_DATA = 1003
ABNORMAL = 1006
INVALID_TEXT = 1007
TOO_BIG = 1009
BAD_GATEWAY = 1014

# 1004, 1005, 1006 and 1015 are for programs to tell each other, never for the wire.
RFC6455_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})
# The drafts 07 and 08 know the first four, and leave 3000 and above to libraries and applications.
DRAFT_CODES = frozenset({*range(1000, 1004), *range(3000, 5000)})

# A control frame carries 125 bytes; two of them are the code.
MAX_REASON_BYTES = 123


def cut_reason(reason: str) -> bytes:
    """The reason as UTF-8, cut between characters to what a Close frame can carry."""
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore").encode()
