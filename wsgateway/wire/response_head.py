"""A request that is written, and the response to it that is read: an upgrade and its 101 by `upgrades`, others by h11.

What is no upgrade, or unusual, is left to h11. It also gets the upgrade and all that the server has sent, from the
first byte on, if that is something else than a usual 101: only h11 reads and writes bodies.
"""

import h11

from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire import upgrades
from wsgateway.wire.bodies import malformed, read_body
from wsgateway.wire.foreign import ENOUGH_BYTES, check_response
from wsgateway.wire.heads import LIMITS, Headers, HeadLimits, Request, Response
from wsgateway.wire.incoming import IncomingSwitch
from wsgateway.wire.oddities import Oddities


class ResponseHead:
    """The client's end of one HTTP/1.1 exchange: it writes a request and reads its response.

    What the server sends after a 101 is kept in `rest`, byte for byte.
    """

    def __init__(self, limits: HeadLimits = LIMITS, oddities: Oddities | None = None) -> None:
        """Take the limits, and the oddities that the server is allowed, as in `RequestHead`."""
        self._limits = limits
        self._oddities = Oddities() if oddities is None else oddities
        self._connection: h11.Connection | None = None
        self._asked: Request | None = None  # an upgrade, which h11 has not written
        self._incoming = IncomingSwitch()
        self._taken = 0  # bytes of the server before its head was complete
        self._first = b""
        self.ended = False

    @property
    def _http(self) -> h11.Connection:
        """The same exchange in h11, which is made when it is needed: for a session never."""
        if self._connection is None:
            self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=self._limits.head_bytes)
        return self._connection

    def request(self, request: Request) -> bytes:
        """Return the bytes of a request without a body."""
        head = upgrades.written_request(request)
        if head is None:
            return self.head(request) + self.end()
        self._asked = request
        return head

    def head(self, request: Request) -> bytes:
        """Return the head of a request; `send` writes its body, and `end` must end it."""
        headers = request.headers.encoded()
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
        if self._asked is None:
            return self._by_h11(data)
        head = self._incoming.receive(data, self._limits.head_bytes)
        if head is None and self._incoming.usual:
            return []
        response = None if head is None else upgrades.switch_of(head, self._oddities)
        if response is None:
            return self._begin_h11(self._asked, data)
        self._limits.check_count(len(response.headers), Reason.TARGET_ANSWER_MALFORMED)
        return [response]

    def _begin_h11(self, asked: Request, data: bytes) -> list[Response]:
        """Give h11 the upgrade that was asked for, and all that has come; `data` came last, none at the end."""
        self._asked = None
        self.head(asked)
        self.end()
        received = self._incoming.received
        found = self._by_h11(received) if received else []
        return found if data else self._by_h11(data)

    def _by_h11(self, data: bytes) -> list[Response]:
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
        return self._incoming.rest if self._connection is None else self._connection.trailing_data[0]

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


def _is_last(response: Response) -> bool:
    return response.status == 101 or response.status >= 200
