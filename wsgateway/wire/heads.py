"""The heads of HTTP/1.1 requests and responses, read and written by h11.

Two things that h11 will not do are done beside it: a header's value is also kept as it stood after the colon
and one space (a hixie-76 key may begin with a space that counts, and h11 trims), and bytes above 7F in a
request target (WebKits of 2010 sent raw UTF-8) are percent-encoded before h11 sees them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import h11

from wsgateway.errors import HandshakeError

_END = b"\r\n\r\n"
# The first byte of a TLS connection (RFC 8446, 5.1).
_TLS_HANDSHAKE = 0x16
# The characters of a token (RFC 9110, 5.6.2) and of a Host: a name, an IPv4 or an IPv6 address, perhaps a port.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_BYTES_OF_H11 = re.compile(r": (?:bytearray\()?b['\"]")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


def is_token(text: str) -> bool:
    """Whether the text is an HTTP token, as a subprotocol or a header name must be."""
    return _TOKEN.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether the text is a host with or without a port."""
    return _HOST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds on a head: its size with the blank line, and how many headers it has.

    16 KiB is twice what Apache takes for one line, and what h11 allows; nobody's browser sends 100 headers.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100


_LIMITS = HeadLimits()


class Headers:
    """Headers in the order of the wire. Names are found in any case; values are text of the bytes (Latin-1)."""

    __slots__ = ("_index", "_items", "_raw")

    def __init__(self, items: Iterable[tuple[str, str]], raw: Iterable[str] | None = None) -> None:
        """Takes names and trimmed values, and for a head that was read its values as they stood, in the same order."""
        self._items = tuple(items)
        self._raw = tuple(raw) if raw is not None else tuple(value for _, value in self._items)
        self._index: dict[str, list[int]] | None = None

    @property
    def _places(self) -> dict[str, list[int]]:
        """Where headers of each name stand. Many are written, and never asked for one."""
        if self._index is None:
            self._index = {}
            for at, (name, _) in enumerate(self._items):
                self._index.setdefault(name.lower(), []).append(at)
        return self._index

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._places

    def index(self, name: str) -> int | None:
        """Where the first header of this name stands."""
        places = self._places.get(name.lower())
        return places[0] if places else None

    def every(self, name: str) -> list[str]:
        """The trimmed values of all headers of this name."""
        return [self._items[at][1] for at in self._places.get(name.lower(), ())]

    def one(self, name: str) -> str | None:
        """The trimmed value, None if there is none. Raises HandshakeError (400) if there are several."""
        values = self.every(name)
        if len(values) > 1:
            raise HandshakeError(f"{len(values)} {name} headers, at most one is allowed")
        return values[0] if values else None

    def raw(self, name: str) -> str | None:
        """As `one`, with all that stood after the colon and one space."""
        self.one(name)
        at = self.index(name)
        return None if at is None else self._raw[at]

    def listed(self, name: str) -> list[str]:
        """The members of a comma-separated list, which may be spread over several headers; empty ones do not count."""
        parts = (part.strip(" \t") for value in self.every(name) for part in value.split(","))
        return [part for part in parts if part]

    def tokens(self, name: str) -> set[str]:
        """The members of a list in which case does not matter, in lower case."""
        return {part.lower() for part in self.listed(name)}


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request."""

    target: str
    """as h11 saw it: percent-encoded, ASCII"""
    headers: Headers
    method: str = "GET"
    raw_target: bytes = b""
    """as the client sent it; empty if that is the same"""
    version: str = "1.1"
    """of HTTP"""

    @property
    def sent_target(self) -> str:
        """The target exactly as the client sent it, as text of its bytes (Latin-1)."""
        return self.raw_target.decode("latin-1") or self.target


@dataclass(frozen=True, slots=True)
class Response:
    """The head of a response."""

    status: int
    reason: str
    headers: Headers = field(default_factory=lambda: Headers(()))


class RequestHead:
    """The server's end of one HTTP/1.1 exchange: a request is read, one response is written.

    What the client sends behind its head is kept in `rest`, byte for byte; `exchange` goes on with it, and with `http`,
    if that is a body.
    """

    def __init__(self, limits: HeadLimits = _LIMITS, plain: bool = False) -> None:
        """`plain`: HTTP/1.0 is read too, which cannot be upgraded, and is refused otherwise."""
        self._limits = limits
        self._plain = plain
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._buffer = b""
        self.begun = False
        """whether any of the request has come"""
        self._bodiless = False
        self.rest = b""

    def receive(self, data: bytes) -> Request | None:
        """Takes bytes of the client until they are a whole head; then returns it.

        Raises HandshakeError (400 or 431) for one that is malformed or too large.
        """
        if not self._buffer and data and not is_token(chr(data[0])):
            raise HandshakeError("this is not HTTP" + (": it looks like TLS" if data[0] == _TLS_HANDSHAKE else ""))
        self.begun = self.begun or bool(data)
        searched = max(0, len(self._buffer) - len(_END) + 1)
        self._buffer += data
        end = self._buffer.find(_END, searched)
        if end < 0 or end + len(_END) > self._limits.head_bytes:
            if end >= 0 or len(self._buffer) >= self._limits.head_bytes:
                raise HandshakeError(f"the head is larger than {self._limits.head_bytes} bytes", 431)
            return None
        head = self._buffer[: end + len(_END)]
        self.rest = self._buffer[end + len(_END) :]
        self._buffer = b""
        return self._parse(head)

    def _parse(self, head: bytes) -> Request:
        lines = head[: -len(_END)].split(b"\r\n")
        _check_lines(lines, self._limits)
        words = lines[0].split(b" ")
        sent = words[1] if len(words) == 3 else b""
        plain = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], sent)
        try:
            self.http.receive_data(head.replace(sent, plain, 1) if sent != plain else head)
            event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise HandshakeError(_malformed("request", error)) from None
        assert isinstance(event, h11.Request), f"a whole head is a request or an error, not {event!r}"
        self._bodiless = event.method == b"HEAD"
        version = event.http_version.decode("ascii")
        if version != "1.1" and not (self._plain and version == "1.0"):
            raise not_upgradable(version)
        return Request(
            target=event.target.decode("ascii"),
            headers=_headers(lines[1:]),
            method=event.method.decode("ascii"),
            raw_target=sent if sent != plain else b"",
            version=version,
        )

    def switch(self, response: Response) -> bytes:
        """The bytes of a 101, or of another interim response. Names, their spelling, order and the reason come out as
        they are given."""
        event = h11.InformationalResponse(
            status_code=response.status, headers=_encoded(response.headers), reason=response.reason.encode("latin-1")
        )
        return self.http.send(event) or b""

    def respond(self, response: Response) -> bytes:
        """The head of any other response; its body goes through `body` and must end with `end`."""
        event = h11.Response(
            status_code=response.status, headers=_encoded(response.headers), reason=response.reason.encode("latin-1")
        )
        return self.http.send(event) or b""

    def body(self, data: bytes) -> bytes:
        """A piece of the response's body, framed as its head announced. The answer to a HEAD has none."""
        return b"" if self._bodiless else self.http.send(h11.Data(data=data)) or b""

    def end(self) -> bytes:
        """The end of the response's body."""
        return self.http.send(h11.EndOfMessage()) or b""

    @property
    def reusable(self) -> bool:
        """Whether request and response are whole, and neither has said that there will be no other."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE


class ResponseHead:
    """The client's end of one HTTP/1.1 exchange: a request is written, its response is read.

    What the server sends behind a 101 is kept in `rest`, byte for byte.
    """

    def __init__(self, limits: HeadLimits = _LIMITS) -> None:
        self._limits = limits
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.head_bytes)
        self._taken = 0  # bytes of the server before its head was whole
        self.ended = False

    def request(self, request: Request) -> bytes:
        """The bytes of a request without a body."""
        return self.head(request) + self.end()

    def head(self, request: Request) -> bytes:
        """The head of a request, whose body goes through `send` and must end with `end`."""
        headers = _encoded(request.headers)
        head = self._http.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
        # h11 puts Host first. Servers of hixie-75 may compare the first lines as the draft has them.
        lines = (name + b": " + value for name, value in headers)
        return b"\r\n".join([head.partition(b"\r\n")[0], *lines, b"", b""])

    def send(self, data: bytes) -> bytes:
        """A piece of the request's body, framed as its head announced."""
        return self._http.send(h11.Data(data=data)) or b""

    def end(self) -> bytes:
        """The end of the request's body."""
        return self._http.send(h11.EndOfMessage()) or b""

    def receive(self, data: bytes) -> Response | None:
        """As `responses`; other interim responses than 101 are passed over."""
        last = self.responses(data)[-1:]
        return last[0] if last and _is_last(last[0]) else None

    def responses(self, data: bytes) -> list[Response]:
        """Takes bytes of the server (none: the end of its stream). Returns the heads that are whole, interim ones too.

        Behind a 101 and any that is not interim comes no other, and must not be asked for. The limit is one for all.
        Raises HandshakeError (502) if one is malformed, or they are too large.
        """
        room = self._limits.head_bytes - self._taken
        self._taken += len(data)
        # No bytes at all would say to h11 that the stream has ended.
        found = self._take(data[:room]) if room or not data else []
        if len(data) > room:
            if not found or not _is_last(found[-1]):
                raise HandshakeError(f"the head is larger than {self._limits.head_bytes} bytes", 502)
            self._http.receive_data(data[room:])
        return found

    def _take(self, data: bytes) -> list[Response]:
        found: list[Response] = []
        try:
            self._http.receive_data(data)
            while not found or not _is_last(found[-1]):
                event = self._http.next_event()
                if not isinstance(event, h11.InformationalResponse | h11.Response):
                    break
                found.append(self._response(event))
        except h11.RemoteProtocolError as error:
            raise HandshakeError(_malformed("response", error), 502) from None
        return found

    def _response(self, event: h11.InformationalResponse | h11.Response) -> Response:
        if len(event.headers) > self._limits.headers:
            raise HandshakeError(f"{len(event.headers)} headers, at most {self._limits.headers} are allowed", 502)
        items = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers.raw_items()]
        return Response(event.status_code, event.reason.decode("latin-1"), Headers(items))

    @property
    def rest(self) -> bytes:
        """What came behind the head."""
        return self._http.trailing_data[0]

    def body(self, data: bytes) -> bytes:
        """Takes more bytes of the server (none: its stream has ended) once the head is read. Returns the body in them.

        `ended` turns true with the last piece. Call it with b"" only at the end of the stream: the head's own read may
        have brought some of the body, which `first_body` gives. Raises HandshakeError (502) if it is malformed.
        """
        self._http.receive_data(data)
        return self.first_body()

    def first_body(self) -> bytes:
        """What of the body is here already."""
        body, self.ended = read_body(self._http, "response", 502)
        return body


def read_body(http: h11.Connection, what: str, status: int) -> tuple[bytes, bool]:
    """The body in what h11 has been given since the last time, and whether that was the end of it.

    Must not be called again then. Raises HandshakeError with this status if it is malformed; `what` names it.
    """
    pieces = []
    try:
        while isinstance(event := http.next_event(), h11.Data):
            pieces.append(event.data)
    except h11.RemoteProtocolError as error:
        raise HandshakeError(_malformed(what, error), status) from None
    return b"".join(pieces), isinstance(event, h11.EndOfMessage)


def not_upgradable(version: str) -> HandshakeError:
    """What is said to an older HTTP (RFC 6455, 4.1: at least 1.1)."""
    return HandshakeError(f"HTTP/{version} cannot be upgraded, HTTP/1.1 can")


def _is_last(response: Response) -> bool:
    return response.status == 101 or response.status >= 200


def _check_lines(lines: list[bytes], limits: HeadLimits) -> None:
    """Refuses what h11 would mend: line feeds alone, folded lines, spaces around a header's name."""
    if len(lines) - 1 > limits.headers:
        raise HandshakeError(f"{len(lines) - 1} headers, at most {limits.headers} are allowed", 431)
    for line in lines:
        if _CONTROL.search(line):
            raise HandshakeError("malformed request: a control character inside a line, as CR, LF or NUL")
    for line in lines[1:]:
        name, colon, _ = line.partition(b":")
        if not colon or not is_token(name.decode("latin-1")):
            raise HandshakeError("malformed request: a header line without a proper name")


def _malformed(what: str, error: h11.RemoteProtocolError) -> str:
    """What h11 says, without the bytes that it repeats."""
    return f"malformed {what}: {_BYTES_OF_H11.split(str(error))[0]}"


def _headers(lines: list[bytes]) -> Headers:
    """The headers of a head that h11 found good. Its own list will not do: it joins what is repeated, and it trims."""
    parts = [line.decode("latin-1").partition(":") for line in lines]
    return Headers(
        ((name, value.strip(" \t")) for name, _, value in parts), (value.removeprefix(" ") for _, _, value in parts)
    )


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
