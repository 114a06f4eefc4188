"""The heads of upgrades, read and written without h11: a request for WebSocket, and the 101 that answers it.

Every session has two of each, and for h11 they would be most of the work of its opening. What is read here, h11 would
read alike; what is written here, h11 would write alike. All that is unusual is left to h11, which then reads, writes or
refuses it: see `request_head` and `response_head`. `python -m tests.fuzz.heads` compares the two.

A head that is read is without the blank line at its end; one that is written has it. Each function takes time in
proportion to its size.
"""

import re
from collections.abc import Iterator

from wsgateway.wire.heads import Headers, Request, Response, requests_websocket
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.repair import NOT_CONTROLS

_LINE_END = b"\r\n"
_END = b"\r\n\r\n"
# RFC 9112, 5: a name is a token, and a colon follows it at once. No line holds a CR.
_NAME = r"\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):"
_FIELD = re.compile(_NAME + r"[ \t]*([^\r \t][^\r]*[^\r \t]|[^\r \t]?)")
_SENT = re.compile(_NAME + r" ?([^\r]*)")
_REQUEST_LINE = re.compile(rb"GET [!-~]+ HTTP/(1\.[01])(?=\r\n)")
# As many digits as h11 allows.
_LENGTH = re.compile(r"[0-9]{1,20}")
# Without a reason, or of HTTP/1.0, it is not usual.
SWITCH = b"HTTP/1.1 101 "


def headers_of(head: bytes) -> Headers | None:
    """Return the headers of a head; None if there is anything unusual in it.

    Usual are lines that end in CR LF, have no other control characters than tabs, and begin with a name and a colon.
    """
    lines = head.count(_LINE_END)
    if head.translate(None, NOT_CONTROLS) != _LINE_END * lines:
        return None
    text = head.decode("latin-1")
    found = _FIELD.findall(text)
    return Headers(found, _sent(text)) if len(found) == lines else None


def _sent(text: str) -> Iterator[str]:
    """Yield the values of a head as they were sent: all that stands after the colon and one space."""
    for found in _SENT.finditer(text):
        yield found[2]


def is_usual(headers: Headers) -> bool:
    """Return whether a request with these headers is an upgrade, and its body, if any, has a length in one number.

    What becomes of other lengths, of transfer codings and of several Hosts is for h11 to say.
    """
    lengths = headers.every("Content-Length")
    return (
        requests_websocket(headers)
        and len(headers.every("Host")) == 1
        and "Transfer-Encoding" not in headers
        and (not lengths or (len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) is not None))
    )


def version_of(head: bytes) -> str | None:
    """Return the version of HTTP in the first line of a GET; None for any other first line."""
    found = _REQUEST_LINE.match(head)
    return None if found is None else found[1].decode("ascii")


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
    if request.method != "GET" or not is_usual(request.headers) or _announces_body(request.headers):
        return None
    head = _written(f"GET {request.target} HTTP/1.1", request.headers)
    return None if head is None or version_of(head) is None else head


def written_switch(response: Response) -> bytes | None:
    """Return the head of a 101; None if there is anything unusual in it."""
    if _announces_body(response.headers):
        return None
    return _written(f"HTTP/1.1 101 {response.reason}", response.headers)


def _announces_body(headers: Headers) -> bool:
    return "Content-Length" in headers or "Transfer-Encoding" in headers


def _written(start: str, headers: Headers) -> bytes | None:
    """Return a head that is read as these headers and no others, whatever they contain; None if this one is not."""
    head = "\r\n".join([start, *[f"{name}: {value}" for name, value in headers]]).encode("latin-1")
    read = headers_of(head)
    return None if read is None or list(read) != list(headers) else head + _END
