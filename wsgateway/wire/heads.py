"""The heads of HTTP/1.1 requests and responses, read and written by h11.

Two things that h11 does not do are done here. A header's value is also kept as it stood after the colon and one space:
a hixie-76 key may begin with a space that counts, and h11 trims it. Bytes above 7F in a request target (WebKits of
2010 sent raw UTF-8) are percent-encoded before h11 sees them.

Oddities of a request that are allowed are repaired here too (see `oddities` and `repair`): after this its target is a
path, and its Host names the host that counts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import h11

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire import repair
from wsgateway.wire.bodies import malformed, read_body
from wsgateway.wire.foreign import ENOUGH_BYTES, check_response, not_upgradable
from wsgateway.wire.incoming import IncomingHead, bare_line_feed
from wsgateway.wire.oddities import Oddities, Oddity

_LINE_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """The bounds of a head: its size in bytes with the blank line, and the number of its headers.

    16 KiB is twice what Apache accepts for one line, and what h11 allows. No browser sends 100 headers.
    """

    head_bytes: int = 16 * 1024
    headers: int = 100

    def check_count(self, count: int, reason: Reason) -> None:
        """Raise HttpRefusal for more headers than are allowed."""
        if count > self.headers:
            raise HttpRefusal(reason, f"{count} headers, at most {self.headers} are allowed")


_LIMITS = HeadLimits()


class Headers:
    """Headers in the order of the wire. Names are found in any case; values are the bytes as text (Latin-1)."""

    __slots__ = ("_index", "_items", "_raw")

    def __init__(self, items: Iterable[tuple[str, str]], raw: Iterable[str] | None = None) -> None:
        """Take names and trimmed values; for a head that was read also its untrimmed values, in the same order."""
        self._items = tuple(items)
        self._raw = tuple(raw) if raw is not None else tuple(value for _, value in self._items)
        self._index: dict[str, list[int]] | None = None

    @property
    def _places(self) -> dict[str, list[int]]:
        """The positions of the headers by name, made on first use: most heads that are written need none."""
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
        """Return the position of the first header of this name; None if there is none."""
        places = self._places.get(name.lower())
        return places[0] if places else None

    def every(self, name: str) -> list[str]:
        """Return the trimmed values of all headers of this name."""
        return [self._items[at][1] for at in self._places.get(name.lower(), ())]

    def one(self, name: str) -> str | None:
        """Return the trimmed value, None if there is none. Raise HttpRefusal (400) if there are several headers."""
        values = self.every(name)
        if len(values) > 1:
            raise HttpRefusal(Reason.REQUEST_MALFORMED, f"{len(values)} {name} headers, at most one is allowed")
        return values[0] if values else None

    def raw(self, name: str) -> str | None:
        """Return the value as `one` does, but with everything that stood after the colon and one space."""
        self.one(name)
        at = self.index(name)
        return None if at is None else self._raw[at]

    def sent(self, name: str) -> list[str]:
        """Return the values as `every` does, but with the control characters that have been removed from them."""
        return [self._raw[at].strip(" \t") for at in self._places.get(name.lower(), ())]

    def replaced(self, name: str, value: str) -> "Headers":
        """Return these headers with another value for every header of this name."""
        places = self._places.get(name.lower(), ())
        items = ((each, value) if at in places else (each, old) for at, (each, old) in enumerate(self._items))
        return Headers(items, (value if at in places else old for at, old in enumerate(self._raw)))

    def listed(self, name: str) -> list[str]:
        """Return the members of a comma-separated list, which may span several headers; empty members do not count."""
        parts = (part.strip(" \t") for value in self.every(name) for part in value.split(","))
        return [part for part in parts if part]

    def tokens(self, name: str) -> set[str]:
        """Return the members of a list in lower case, for a list that is compared without regard to case."""
        return {part.lower() for part in self.listed(name)}


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request."""

    target: str
    """as h11 read it: percent-encoded, ASCII"""
    headers: Headers
    method: str = "GET"
    raw_target: bytes = b""
    """as the client sent it; empty if that is the same"""
    version: str = "1.1"
    """the version of HTTP"""
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """the oddities that its client is allowed and has shown"""

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
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """the oddities that its server is allowed and has shown"""


class RequestHead:
    """The server's end of one HTTP/1.1 exchange: it reads a request and writes one response.

    `rest` is what the client sends after its head, byte for byte. `exchange` reads a body from it, by means of `http`.
    """

    def __init__(
        self,
        limits: HeadLimits = _LIMITS,
        plain: bool = False,
        oddities: Oddities | None = None,
        own_host: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Take the limits; `plain`: accept HTTP/1.0 too, which cannot be upgraded and is refused otherwise.

        `oddities` holds the oddities that the client is allowed (default: the default of the table), and records those
        that it shows. `own_host` returns the Host for a client that may send none; None if there is none.
        """
        self._limits = limits
        self._plain = plain
        self.oddities = Oddities() if oddities is None else oddities
        self._own_host = own_host
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
        self._incoming = IncomingHead(limits.head_bytes, self.oddities)
        self._bodiless = False

    @property
    def begun(self) -> bool:
        """Whether any byte of the request has come."""
        return self._incoming.begun

    @property
    def rest(self) -> bytes:
        """The bytes after the head, byte for byte."""
        return self._incoming.rest

    def receive(self, data: bytes) -> Request | None:
        """Return the request once bytes of the client complete its head; None until then.

        Raise HttpRefusal (400 or 431) for a head that is malformed or too large.
        """
        head = self._incoming.receive(data)
        if head is None:
            return None
        request = self._parse(head)
        if Oddity.BARE_LF in self.oddities.needed and not _is_bare_upgrade(request):
            raise bare_line_feed()
        return request

    def _parse(self, head: bytes) -> Request:
        """Return the request of a head, which has no blank line at its end."""
        sent_lines = head.split(_LINE_END)
        self._limits.check_count(len(sent_lines) - 1, Reason.REQUEST_TOO_LARGE)
        if b"\r\nhost:" not in head.lower():
            sent_lines += self._host_line(sent_lines)
        lines = repair.checked_lines(sent_lines, self.oddities)
        words = lines[0].split(b" ")
        sent = words[1] if len(words) == 3 else b""
        plain = repair.encoded_target(sent)
        if sent != plain:
            lines = [b" ".join([words[0], plain, words[2]]), *lines[1:]]
        try:
            self.http.receive_data(_LINE_END.join([*lines, b"", b""]))
            event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise HttpRefusal(Reason.REQUEST_MALFORMED, malformed("request", error)) from None
        assert isinstance(event, h11.Request), f"a whole head is a request or an error, not {event!r}"
        self._bodiless = event.method == b"HEAD"
        version = event.http_version.decode("ascii")
        if version not in ("1.0", "1.1"):
            raise not_upgradable(version)
        if version == "1.0" and not self._plain:
            self.oddities.need(Oddity.HTTP_1_0, not_upgradable(version))
        if sent != plain:
            repair.need_raw_target(self.oddities)
        headers = _headers(lines[1:], None if lines[1:] == sent_lines[1:] else sent_lines[1:])
        return self._settled(event.method.decode("ascii"), sent, headers, version)

    def _host_line(self, lines: list[bytes]) -> list[bytes]:
        """Return the Host line that an upgrade request lacks; no line for other requests, which HTTP/1.1 refuses."""
        if not requests_websocket(Request("/", _headers(lines[1:]))):
            return []
        self.oddities.need(Oddity.NO_HOST, HttpRefusal(Reason.REQUEST_MALFORMED, "malformed request: no Host"))
        host = repair.authority_of(lines[0]) or self._own_host()
        if host is None:
            raise HttpRefusal(Reason.REQUEST_MALFORMED, "no Host, and a Unix socket has no address that could stand in")
        return [b"Host: " + host.encode("latin-1")]

    def _settled(self, method: str, sent: bytes, headers: Headers, version: str) -> Request:
        """Return the request with a path as its target, and the Host that counts."""
        hosts = headers.every("Host")
        named = hosts[0] if len(hosts) == 1 else ""
        host = named if repair.is_host(named) else repair.repaired_host(named, self.oddities)
        if not sent.startswith(b"/") and (found := repair.origin_form(sent, host, self.oddities)) is not None:
            sent, host = found
        if host != named:
            headers = headers.replaced("Host", host)
        target = repair.encoded_target(sent).decode("ascii")
        return Request(target, headers, method, b"" if sent.isascii() else sent, version, self.oddities)

    def switch(self, response: Response) -> bytes:
        """Return the bytes of a 101 or another interim response. Names, their order and the reason stay as given."""
        event = h11.InformationalResponse(
            status_code=response.status, headers=_encoded(response.headers), reason=response.reason.encode("latin-1")
        )
        return self.http.send(event) or b""

    def respond(self, response: Response) -> bytes:
        """Return the head of a final response; `body` writes its body, and `end` must end it."""
        event = h11.Response(
            status_code=response.status, headers=_encoded(response.headers), reason=response.reason.encode("latin-1")
        )
        return self.http.send(event) or b""

    def body(self, data: bytes) -> bytes:
        """Return a piece of the response's body, framed as its head announced; nothing for the answer to a HEAD."""
        return b"" if self._bodiless else self.http.send(h11.Data(data=data)) or b""

    def end(self) -> bytes:
        """Return the end of the response's body."""
        return self.http.send(h11.EndOfMessage()) or b""

    @property
    def reusable(self) -> bool:
        """Whether request and response are complete, and neither has announced that it is the last."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE


class ResponseHead:
    """The client's end of one HTTP/1.1 exchange: it writes a request and reads its response.

    What the server sends after a 101 is kept in `rest`, byte for byte.
    """

    def __init__(self, limits: HeadLimits = _LIMITS, oddities: Oddities | None = None) -> None:
        """Take the limits, and the oddities that the server is allowed, as in `RequestHead`."""
        self._limits = limits
        self._oddities = Oddities() if oddities is None else oddities
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.head_bytes)
        self._taken = 0  # bytes of the server before its head was complete
        self._first = b""
        self.ended = False

    def request(self, request: Request) -> bytes:
        """Return the bytes of a request without a body."""
        return self.head(request) + self.end()

    def head(self, request: Request) -> bytes:
        """Return the head of a request; `send` writes its body, and `end` must end it."""
        headers = _encoded(request.headers)
        head = self._http.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
        # h11 writes Host first. Servers of hixie-75 may compare the first lines with those of the draft.
        lines = (name + b": " + value for name, value in headers)
        return b"\r\n".join([head.partition(b"\r\n")[0], *lines, b"", b""])

    def send(self, data: bytes) -> bytes:
        """Return a piece of the request's body, framed as its head announced."""
        return self._http.send(h11.Data(data=data)) or b""

    def end(self) -> bytes:
        """Return the end of the request's body."""
        return self._http.send(h11.EndOfMessage()) or b""

    def receive(self, data: bytes) -> Response | None:
        """Return the final response or the 101, once its head is complete; skip other interim responses."""
        return next(filter(_is_last, self.responses(data)), None)

    def responses(self, data: bytes) -> list[Response]:
        """Return the heads that bytes of the server (none: the end of its stream) complete, interim ones too.

        After a 101 or a final response there is no other head: do not call this again. The limit is one for all heads.
        Raise HttpRefusal (502) if one is malformed, or if they are too large.
        """
        if len(self._first) < ENOUGH_BYTES:
            self._first += data[:ENOUGH_BYTES]
            check_response(self._first)
        room = (limit := self._limits.head_bytes) - self._taken
        self._taken += len(data)
        found = self._take(data[:room]) if room or not data else []  # b"" would tell h11 that the stream has ended
        if len(data) > room:
            if not found or not _is_last(found[-1]):
                raise HttpRefusal(Reason.TARGET_ANSWER_MALFORMED, f"the head is larger than {limit} bytes")
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
            raise HttpRefusal(Reason.TARGET_ANSWER_MALFORMED, malformed("response", error)) from None
        return found

    def _response(self, event: h11.InformationalResponse | h11.Response) -> Response:
        self._limits.check_count(len(event.headers), Reason.TARGET_ANSWER_MALFORMED)
        items = [(name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers.raw_items()]
        return Response(event.status_code, event.reason.decode("latin-1"), Headers(items), self._oddities)

    @property
    def rest(self) -> bytes:
        """The bytes after the head."""
        return self._http.trailing_data[0]

    def body(self, data: bytes) -> bytes:
        """Return the part of the body in more bytes of the server (none: the end of its stream), after the head.

        `ended` becomes true with the last piece. Pass b"" only at the end of the stream: `first_body` returns what came
        together with the head. Raise HttpRefusal (502) if the body is malformed.
        """
        self._http.receive_data(data)
        return self.first_body()

    def first_body(self) -> bytes:
        """Return the part of the body that came together with the head."""
        body, self.ended = read_body(self._http, "response", Reason.TARGET_ANSWER_MALFORMED)
        return body


def requests_websocket(request: Request) -> bool:
    """Return whether Upgrade names WebSocket, alone or in a list, which the dialects judge.

    An upgrade to anything else is hop-by-hop, and the request is as plain as without it (RFC 9110, 7.8).
    """
    return any(each.partition("/")[0].lower() == "websocket" for each in request.headers.listed("Upgrade"))


def _is_last(response: Response) -> bool:
    return response.status == 101 or response.status >= 200


def _is_bare_upgrade(request: Request) -> bool:
    """Return whether only frames follow. After LF alone, others may see a body begin elsewhere (RFC 9112, 11.2)."""
    lengths = request.headers.every("Content-Length")
    return requests_websocket(request) and "Transfer-Encoding" not in request.headers and set(lengths) <= {"0"}


def _headers(lines: list[bytes], sent: list[bytes] | None = None) -> Headers:
    """Return the headers of a head that h11 accepted. The list of h11 itself joins repeated headers and trims values.

    `sent`: the lines as the client sent them, where they differ.
    """
    parts, raw = ([line.decode("latin-1").partition(":") for line in each] for each in (lines, sent or ()))
    items = ((name, value.strip(" \t")) for name, _, value in parts)
    return Headers(items, (value.removeprefix(" ") for _, _, value in raw or parts))


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
