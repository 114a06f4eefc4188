"""A head without its secrets: what a trace shows, and what a recording holds."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

HIDDEN = b"***"
"""stands for every secret"""

# Headers whose value proves who somebody is: RFC 6265, RFC 2965, RFC 9110 (11.6, 11.7), and common ones of proxies.
_HEADERS = frozenset(
    {
        b"cookie", b"cookie2", b"set-cookie", b"set-cookie2", b"authorization", b"proxy-authorization",
        b"x-forwarded-access-token", b"x-api-key", b"x-auth-token",
    }
)  # fmt: skip
# A name has no question mark here, so that a text of nothing else is read in one pass.
_QUERY_PART = re.compile(rb"([?&;])([^?=&;\s#]*)=[^&;\s#]*")


def concealed(head: bytes, query_names: Iterable[str]) -> bytes:
    """Return a head of HTTP/1.1 without its secrets: the values of some headers, and of some names in the query.

    The names are compared without regard to case, and with %-codes decoded. Queries are in the request line, and in
    headers that hold a URL, such as Referer, Location and WebSocket-Location.
    """
    names = frozenset(name.lower().encode() for name in query_names)

    def part(found: re.Match[bytes]) -> bytes:
        mark, name = found.groups()
        return mark + name + b"=" + HIDDEN if unquote_to_bytes(name).lower() in names else found[0]

    lines, hides = [], False
    for line in head.split(b"\n"):
        if line[:1] not in (b" ", b"\t"):  # otherwise it continues the value of the line before (RFC 9112, 5.2)
            name, colon, _ = line.partition(b":")
            hides = bool(colon) and name.strip().lower() in _HEADERS
            shown = name + b": " + HIDDEN if hides else _QUERY_PART.sub(part, line)
        else:
            shown = line[:1] + HIDDEN if hides else _QUERY_PART.sub(part, line)
        lines.append(shown + b"\r" if line.endswith(b"\r") and not shown.endswith(b"\r") else shown)
    return b"\n".join(lines)
