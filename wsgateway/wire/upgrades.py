"""The heads of upgrades, read and written without h11: a request for WebSocket, and the 101 that answers it.

Every session has two of each, and for h11 they would be most of the work of its opening. What is read here, h11 would
read alike; what is written here, h11 would write alike. All that is unusual is left to h11, which then reads, writes or
refuses it: see `request_head` and `response_head`. `python -m tests.fuzz.heads` compares the two.

A head that is read is without the blank line at its end; one that is written has it. Each function takes time in
proportion to its size.
"""

import re
from itertools import repeat

from wsgateway.wire.heads import Headers, Request, Response, requests_websocket
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.repair import NOT_CONTROLS

_LINE_END = b"\r\n"
_END = b"\r\n\r\n"
_WHITE = " \t"
_OF_A_BODY = frozenset(["content-length", "transfer-encoding"])
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}
# As many digits as h11 allows.
_LENGTH = re.compile(r"[0-9]{1,20}")
# Without a reason, or of HTTP/1.0, it is not usual.
SWITCH = b"HTTP/1.1 101 "


def headers_of(head: bytes) -> Headers | None:
    """Return the headers of a head; None if there is anything unusual in it.

    Usual are lines that end in CR LF, have no other control characters than tabs, and begin with a name and a colon.
    """
    _, *lines = head.decode("latin-1").split("\r\n")
    if head.translate(None, NOT_CONTROLS) != _LINE_END * len(lines):
        return None
    parts = [line.partition(":") for line in lines]
    items = [(name, value.strip(_WHITE)) for name, colon, value in parts if colon]
    if len(items) < len(lines):
        return None
    headers = Headers(items, (value.removeprefix(" ") for _, _, value in parts))
    return headers if headers.are_named else None


def is_usual(headers: Headers) -> bool:
    """Return whether a request with these headers is an upgrade, and its body, if any, has a length in one number.

    What becomes of other lengths, of transfer codings and of several Hosts is for h11 to say.
    """
    lengths = headers.every("Content-Length")
    one_number = not lengths or (len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) is not None)
    return one_number and "Transfer-Encoding" not in headers and _is_upgrade(headers)


def _is_upgrade(headers: Headers) -> bool:
    """Return whether the headers request an upgrade to WebSocket, and name one host."""
    return requests_websocket(headers) and len(headers.every("Host")) == 1


def version_of(words: list[bytes]) -> str | None:
    """Return the version of HTTP in the first line of a GET, cut at its spaces; None for any other first line.

    The line has no control characters but tabs, and its target is percent-encoded.
    """
    if len(words) != 3 or words[0] != b"GET" or not words[1] or b"\t" in words[1]:
        return None
    return _VERSIONS.get(words[2])


def switch_of(head: bytes, oddities: Oddities) -> Response | None:
    """Return the 101 with this head, whose first line begins with `SWITCH`; None if there is anything unusual in it.

    `oddities` become those of the response.
    """
    headers = headers_of(head)
    if headers is None or _announces_body(headers):
        return None
    reason = head.partition(_LINE_END)[0].removeprefix(SWITCH).decode("latin-1")
    return Response(101, reason, headers, oddities)


def written_request(request: Request) -> bytes | None:
    """Return the head of a request; None if it is no upgrade, or an unusual one."""
    if request.method != "GET" or not _is_upgrade(request.headers) or _announces_body(request.headers):
        return None
    start = f"GET {request.target} HTTP/1.1"
    if not start.isascii() or version_of(start.encode("ascii").split(b" ")) is None:
        return None
    return _written(start, request.headers)


def written_switch(response: Response) -> bytes | None:
    """Return the head of a 101; None if there is anything unusual in it."""
    if _announces_body(response.headers):
        return None
    return _written(f"HTTP/1.1 101 {response.reason}", response.headers)


def _announces_body(headers: Headers) -> bool:
    return headers.has_any(_OF_A_BODY)


def _written(start: str, headers: Headers) -> bytes | None:
    """Return a head that is read as these headers and no others, whatever they contain; None if there is none."""
    values = [value for _, value in headers]
    if values != list(map(str.strip, values, repeat(_WHITE))):
        return None
    head = "\r\n".join([start, *map(": ".join, headers)]).encode("latin-1")
    if not headers.are_named or head.translate(None, NOT_CONTROLS) != _LINE_END * len(headers):
        return None
    return head + _END
