"""What is passed on of plain HTTP/1.1, beside WebSocket: which requests may be, which headers, and how a body is read.

`heads` reads and writes the heads. Behind them a body loses its framing and gets a new one from h11: nothing of a
client's chunk sizes, chunk extensions and trailers reaches an upstream, which cannot read them differently from us
then (RFC 9112, 11.2).
"""

from collections.abc import Iterable
from dataclasses import replace

from wsgateway.errors import HttpRefusal
from wsgateway.wire.bodies import read_body
from wsgateway.wire.heads import Headers, Request, RequestHead, Response
from wsgateway.wire.paths import check_path
from wsgateway.wire.repair import proper_host

# RFC 9110, 7.6.1, and what says where the message ends: meant for the next hop alone, or written anew for it.
HOP_BY_HOP = frozenset(
    [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
# Of a request: the gateway expects for itself, and has its own word on which host that is.
_REQUESTS_OWN = frozenset(["expect", "host"])
# CONNECT would be a tunnel past all routes; TRACE would show a page what our headers say of its user.
_NOT_PASSED = ("CONNECT", "TRACE")
_CONTINUE = "100-continue"
_NO_BODY = 204
_CHUNKS_END = b"\r\n\r\n"

Items = tuple[tuple[str, str], ...]


def checked(request: Request) -> Request:
    """Return a plain request that may be passed on.

    What could make a server behind us read the request differently is refused and not mended: two ways to tell where
    the body ends, a Host or a target that is not one. Raises HttpRefusal (400, 417, 501).
    """
    headers = request.headers
    if request.method in _NOT_PASSED:
        raise HttpRefusal(f"{request.method} is not passed on", 501)
    if "Transfer-Encoding" in headers:
        if request.version == "1.0":
            raise HttpRefusal("Transfer-Encoding in HTTP/1.0")
        if "Content-Length" in headers:
            raise HttpRefusal("Transfer-Encoding and Content-Length")
    host = headers.one("Host")
    if proper_host(host or "") is None and (host is not None or request.version != "1.0"):  # HTTP/1.0 has none
        raise HttpRefusal("Host is not a host with an optional port")
    check_target(request.target)
    if request.version != "1.0" and headers.tokens("Expect") - {_CONTINUE}:
        raise HttpRefusal(f"Expect is something else than {_CONTINUE}", 417)
    return request


def check_target(target: str) -> None:
    """Raises HttpRefusal (400) for a target that is no path, or whose path may lead out of a route."""
    if not target.startswith("/") or "#" in target:
        raise HttpRefusal("the target is not a path with an optional query")
    check_path(target.partition("?")[0])


def request_headers(headers: Headers) -> Items:
    """The headers of a request that are meant for the upstream, as they came; not Host, and nothing of the body."""
    return end_to_end(headers, HOP_BY_HOP | _REQUESTS_OWN)


def body_headers(request: Request, body: "RequestBody") -> Items:
    """What tells the upstream how the body comes, and that the client waits for its word, if it still does."""
    items = [("Expect", _CONTINUE)] if body.waits else []
    if "Transfer-Encoding" in request.headers:
        return ("Transfer-Encoding", "chunked"), *items
    # One, where there are several that say the same, or one that says it several times (RFC 9112, 6.3).
    lengths = request.headers.listed("Content-Length")
    return *(("Content-Length", str(int(length))) for length in lengths[:1]), *items


def passed_on(response: Response, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """An upstream's response as the client gets it, with headers of our own behind those that are for it.

    A length stays where it stood, unless it does not count: beside a transfer coding (RFC 9112, 6.3), in an interim
    response or a 204 (RFC 9110, 8.6).
    """
    dropped = HOP_BY_HOP
    if "Transfer-Encoding" not in response.headers and response.status >= 200 and response.status != _NO_BODY:
        dropped -= {"content-length"}
    return replace(response, headers=Headers([*end_to_end(response.headers, dropped), *headers]))


def end_to_end(headers: Headers, dropped: frozenset[str] = HOP_BY_HOP) -> Items:
    """The headers that concern the other end: without those that are named, and those that Connection names."""
    # What is always meant for one hop does not wait to be named, and a length cannot be called off.
    named = headers.tokens("Connection") - HOP_BY_HOP
    # CGI and WSGI take Transfer_Encoding for Transfer-Encoding: what we drop goes in either spelling.
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in named and name.lower().replace("_", "-") not in dropped
    )


class RequestBody:
    """The body of a request that a `RequestHead` has read, and what comes behind it."""

    def __init__(self, head: RequestHead, request: Request) -> None:
        """Takes what came with the head: the first of the body is in `first`."""
        self._http = head.http
        self.chunked = "Transfer-Encoding" in request.headers
        self._last = b""  # three bytes at the most
        self.ended = False
        """whether all of the body is read"""
        self.first = self._read(head.rest)

    def receive(self, data: bytes) -> bytes:
        """Takes more bytes of the client, not none. Returns the body in them; nothing must come behind the last.

        Raises HttpRefusal (400) if the body is malformed.
        """
        return self._read(data)

    @property
    def waits(self) -> bool:
        """Whether the client waits for a 100, and sends nothing before."""
        return self._http.they_are_waiting_for_100_continue

    @property
    def rest(self) -> bytes:
        """What came behind the body, once that has ended."""
        return self._http.trailing_data[0]

    def _read(self, data: bytes) -> bytes:
        if data:  # none at all would say to h11 that the stream has ended
            self._http.receive_data(data)
        body, self.ended = read_body(self._http, "request", 400)
        if self.chunked:
            # h11 takes line feeds alone for the blank line behind the trailers, and a proxy before us may not.
            seen = self._last + data
            if self.ended and not seen[: len(seen) - len(self.rest)].endswith(_CHUNKS_END):
                raise HttpRefusal("malformed request: no CR LF behind the last chunk")
            self._last = seen[-len(_CHUNKS_END) + 1 :]
        return body
