"""A request that is read, and the response to it that is written: an upgrade and its 101 by `upgrades`, others by h11.

A head is left to h11 if it is no upgrade, or an unusual one. Then h11 has the whole exchange from the first byte on, as
it has if an upgrade is refused: only h11 reads and writes bodies.

Bytes above 7F in a request target (WebKits of 2010 sent raw UTF-8) are percent-encoded before either reads them.
Oddities that are allowed are repaired here too (see `oddities` and `repair`): after this the target of a request is a
path, and its Host names the host that counts.
"""

from collections.abc import Callable, Sequence

import h11

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire import repair, upgrades
from wsgateway.wire.bodies import malformed
from wsgateway.wire.foreign import not_upgradable
from wsgateway.wire.heads import LIMITS, Headers, HeadLimits, Request, Response, requests_websocket
from wsgateway.wire.incoming import IncomingHead, bare_line_feed
from wsgateway.wire.oddities import Oddities, Oddity

_LINE_END = b"\r\n"
_END = b"\r\n\r\n"


class RequestHead:
    """The server's end of one HTTP/1.1 exchange: it reads a request and writes one response.

    `rest` is what the client sends after its head, byte for byte. `exchange` reads a body from it, by means of `http`.
    """

    def __init__(
        self,
        limits: HeadLimits = LIMITS,
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
        self._incoming = IncomingHead(limits.head_bytes, self.oddities)
        self._upgrade = b""  # the head of an upgrade, which h11 has not read
        self._http: h11.Connection | None = None
        self._switched = False
        self._bodiless = False

    @property
    def http(self) -> h11.Connection:
        """The same exchange in h11, which has read the same head. It is made when it is needed: for a session never."""
        assert not self._switched, "a 101 is the end of HTTP"
        if self._http is None:
            self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
            if self._upgrade:
                self._http.receive_data(self._upgrade + _END)
                self._http.next_event()
        return self._http

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

    def _parse(self, sent_head: bytes) -> Request:
        """Return the request of a head, which has no blank line at its end."""
        self._limits.check_count(sent_head.count(_LINE_END), Reason.REQUEST_TOO_LARGE)
        head, headers = sent_head, upgrades.headers_of(sent_head)
        if headers is None or "Host" not in headers:
            head, headers = self._repair(sent_head)
        start = head.partition(_LINE_END)[0]
        words = start.split(b" ")
        sent = words[1] if len(words) == 3 else b""
        plain = repair.encoded_target(sent)
        if sent != plain:
            words[1] = plain
            head = b" ".join(words) + head[len(start) :]
        method, version = "GET", upgrades.version_of(words) if upgrades.is_usual(headers) else None
        if version is None:
            event = self._read_by_h11(head)
            method, version = event.method.decode("ascii"), event.http_version.decode("ascii")
        else:
            self._upgrade = head
        if version not in ("1.0", "1.1"):
            raise not_upgradable(version)
        if version == "1.0" and not self._plain:
            self.oddities.need(Oddity.HTTP_1_0, not_upgradable(version))
        if sent != plain:
            repair.need_raw_target(self.oddities)
        return self._settled(method, sent, headers, version)

    def _read_by_h11(self, head: bytes) -> h11.Request:
        """Return the head as h11 reads it. Raise HttpRefusal (400) if it refuses it."""
        try:
            self.http.receive_data(head + _END)
            event = self.http.next_event()
        except h11.RemoteProtocolError as error:
            raise HttpRefusal(Reason.REQUEST_MALFORMED, malformed("request", error)) from None
        assert isinstance(event, h11.Request), f"a whole head is a request or an error, not {event!r}"
        self._bodiless = event.method == b"HEAD"
        return event

    def _repair(self, head: bytes) -> tuple[bytes, Headers]:
        """Return a head with the Host that an upgrade lacks, and without control characters; and its headers."""
        sent_lines = head.split(_LINE_END)
        if b"\r\nhost:" not in head.lower():
            sent_lines += self._host_line(sent_lines)
        lines = repair.checked_lines(sent_lines, self.oddities)
        return _LINE_END.join(lines), _headers(lines[1:], sent_lines[1:])

    def _host_line(self, lines: list[bytes]) -> list[bytes]:
        """Return the Host line that an upgrade request lacks; no line for other requests, which HTTP/1.1 refuses."""
        if not requests_websocket(_headers(lines[1:], [])):
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
        if self._upgrade and self._http is None and response.status == 101:
            head = upgrades.written_switch(response)
            if head is not None:
                self._switched = True
                return head
        event = h11.InformationalResponse(
            status_code=response.status, headers=response.headers.encoded(), reason=response.reason.encode("latin-1")
        )
        return self.http.send(event) or b""

    def respond(self, response: Response) -> bytes:
        """Return the head of a final response; `body` writes its body, and `end` must end it."""
        event = h11.Response(
            status_code=response.status, headers=response.headers.encoded(), reason=response.reason.encode("latin-1")
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


def _is_bare_upgrade(request: Request) -> bool:
    """Return whether only frames follow. After LF alone, others may see a body begin elsewhere (RFC 9112, 11.2)."""
    lengths = request.headers.every("Content-Length")
    return requests_websocket(request.headers) and "Transfer-Encoding" not in request.headers and set(lengths) <= {"0"}


def _headers(lines: Sequence[bytes], sent: Sequence[bytes]) -> Headers:
    """Return the headers of lines; `sent` is these lines as the client sent them."""
    items, raw = ([line.decode("latin-1").partition(":") for line in each] for each in (lines, sent))
    return Headers(
        [(name, value.strip(" \t")) for name, _, value in items], [value.removeprefix(" ") for _, _, value in raw]
    )
