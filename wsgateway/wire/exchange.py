"""The rules for plain HTTP/1.1 that is passed on beside WebSocket: which requests, which headers, how a body is read.

`heads` reads and writes the heads. A body loses its framing and gets a new one from h11: no chunk sizes, chunk
extensions or trailers of a client reach an upstream. So an upstream cannot read them differently from the gateway (RFC
9112, 11.2).
"""

from collections.abc import Iterable
from dataclasses import replace

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.bodies import read_body
from wsgateway.wire.heads import Headers, Request, Response, plain_name
from wsgateway.wire.paths import check_path
from wsgateway.wire.repair import proper_host
from wsgateway.wire.request_head import RequestHead

# RFC 9110, 7.6.1, and the headers that tell where a body ends: meant for the next hop alone, or written anew for it.
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
# Of a request: the gateway answers Expect itself, and writes the Host itself.
_REQUESTS_OWN = frozenset(["expect", "host"])
# CONNECT would be a tunnel past all routes. TRACE would show a page the headers that the gateway adds about its user.
_NOT_PASSED = ("CONNECT", "TRACE")
_CONTINUE = "100-continue"
_NO_BODY = 204
_CHUNKS_END = b"\r\n\r\n"

Items = tuple[tuple[str, str], ...]


def checked(request: Request) -> Request:
    """Return a plain request unchanged if it may be passed on.

    Raise HttpRefusal (400, 417, 501) for one that a server after the gateway could read differently: two lengths of
    the body, a Host or a target that is not valid. Such a request is refused and not repaired.
    """
    headers = request.headers
    if request.method in _NOT_PASSED:
        raise HttpRefusal(Reason.REQUEST_UNSUPPORTED, f"{request.method} is not passed on")
    if "Transfer-Encoding" in headers:
        if request.version == "1.0":
            raise HttpRefusal(Reason.REQUEST_MALFORMED, "Transfer-Encoding in HTTP/1.0")
        if "Content-Length" in headers:
            raise HttpRefusal(Reason.REQUEST_MALFORMED, "Transfer-Encoding and Content-Length")
    host = headers.one("Host")
    if proper_host(host or "") is None and (host is not None or request.version != "1.0"):  # HTTP/1.0 has none
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "Host is not a host with an optional port")
    check_target(request.target)
    if request.version != "1.0" and headers.tokens("Expect") - {_CONTINUE}:
        raise HttpRefusal(Reason.REQUEST_UNSUPPORTED, f"Expect is something else than {_CONTINUE}", status=417)
    return request


def check_target(target: str) -> None:
    """Raise HttpRefusal (400) for a target that is not a path, or whose path may lead out of a route."""
    if not target.startswith("/") or "#" in target:
        raise HttpRefusal(Reason.REQUEST_MALFORMED, "the target is not a path with an optional query")
    check_path(target.partition("?")[0])


def request_headers(headers: Headers) -> Items:
    """Return the headers of a request that go to the upstream unchanged: not Host, and none about the body."""
    return end_to_end(headers, HOP_BY_HOP | _REQUESTS_OWN)


def body_headers(request: Request, body: "RequestBody") -> Items:
    """Return the headers about the body for the upstream, with Expect if the client still waits for a 100."""
    items = [("Expect", _CONTINUE)] if body.waits else []
    if "Transfer-Encoding" in request.headers:
        return ("Transfer-Encoding", "chunked"), *items
    # One header, also if the client sent several equal ones, or one with a list of equal lengths (RFC 9112, 6.3).
    lengths = request.headers.listed("Content-Length")
    return *(("Content-Length", str(int(length))) for length in lengths[:1]), *items


def passed_on(response: Response, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return an upstream's response for the client, with `headers` of the gateway after the upstream's own.

    A length stays where it stood, unless it has no meaning: beside a transfer coding (RFC 9112, 6.3), in an interim
    response or in a 204 (RFC 9110, 8.6).
    """
    dropped = HOP_BY_HOP
    if "Transfer-Encoding" not in response.headers and response.status >= 200 and response.status != _NO_BODY:
        dropped -= {"content-length"}
    return replace(response, headers=Headers([*end_to_end(response.headers, dropped), *headers]))


def end_to_end(headers: Headers, dropped: frozenset[str] = HOP_BY_HOP) -> Items:
    """Return the end-to-end headers: without those in `dropped`, and without those that Connection names."""
    # Hop-by-hop headers are dropped also if Connection does not name them, and Connection cannot remove a length.
    named = headers.tokens("Connection") - HOP_BY_HOP
    # CGI and WSGI read Transfer_Encoding as Transfer-Encoding: a dropped header is dropped in both spellings.
    kept = [item for item in headers if plain_name(item[0]) not in dropped]
    return tuple([item for item in kept if item[0].lower() not in named] if named else kept)


class RequestBody:
    """The body of a request that a `RequestHead` has read, and the bytes after it."""

    def __init__(self, head: RequestHead, request: Request) -> None:
        """Take the bytes that came with the head; `first` is the part of the body in them."""
        self._http = head.http
        self.chunked = "Transfer-Encoding" in request.headers
        self._last = b""  # three bytes at the most
        self.ended = False
        """whether the whole body is read"""
        self.first = self._read(head.rest)

    def receive(self, data: bytes) -> bytes:
        """Return the part of the body in more bytes of the client, at least one; none may come after the body.

        Raise HttpRefusal (400) if the body is malformed.
        """
        return self._read(data)

    @property
    def waits(self) -> bool:
        """Whether the client waits for a 100 and sends no body before it."""
        return self._http.they_are_waiting_for_100_continue

    @property
    def rest(self) -> bytes:
        """The bytes after the body, once the body has ended."""
        return self._http.trailing_data[0]

    def _read(self, data: bytes) -> bytes:
        if data:  # to h11, no bytes mean the end of the stream
            self._http.receive_data(data)
        body, self.ended = read_body(self._http, "request", Reason.REQUEST_MALFORMED)
        if self.chunked:
            # h11 accepts a line feed alone as the blank line after the trailers; a proxy before the gateway may not.
            seen = self._last + data
            if self.ended and not seen[: len(seen) - len(self.rest)].endswith(_CHUNKS_END):
                raise HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: no CR LF after the last chunk")
            self._last = seen[-len(_CHUNKS_END) + 1 :]
        return body
