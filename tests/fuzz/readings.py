"""One reading of bytes by the gateway, and one by h11, in a form in which the two can be compared."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import h11

from wsgateway.errors import HttpRefusal
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.oddities import Oddities, Oddity, Tolerance
from wsgateway.wire.request_head import RequestHead
from wsgateway.wire.response_head import ResponseHead

Fields = tuple[tuple[bytes, bytes], ...]
Kind = Literal["read", "refused", "waits"]
"""what became of bytes: heads that are read, a refusal, or the wait for more"""
_Connection = h11.Connection


@dataclass(frozen=True)
class Head:
    """A head that was read."""

    first: tuple[object, ...]
    """method, target and version; or status and reason"""
    fields: Fields
    """the names in lower case"""


@dataclass(frozen=True)
class Reading:
    """What a reader made of some bytes."""

    heads: tuple[Head, ...] = ()
    refused: bool = False
    rest: bytes = b""
    """the bytes after the last head; of a response with a body: its body, as far as it has come"""
    whole: bool = False
    """whether the body of a response is complete"""

    @property
    def kind(self) -> Kind:
        return "refused" if self.refused else "read" if self.heads else "waits"


@dataclass(frozen=True)
class Ours:
    """A reading by the gateway, and how it came about."""

    reading: Reading
    needed: tuple[Oddity, ...]
    """the oddities that were allowed and shown"""
    by_h11: bool
    """whether h11 was asked for anything"""
    message: Request | Response | None = None
    """what was read last"""


class _Counted(h11.Connection):
    made = 0

    def __init__(self, *arguments: object, **more: object) -> None:
        type(self).made += 1
        super().__init__(*arguments, **more)  # type: ignore[arg-type]


@contextmanager
def counted() -> Iterator[None]:
    """Count the connections of h11 that the gateway makes."""
    h11.Connection = _Counted  # type: ignore[misc]
    try:
        yield
    finally:
        h11.Connection = _Connection  # type: ignore[misc]


def _fields(items: Sequence[tuple[str, str]]) -> Fields:
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in items)


# -- requests ----------------------------------------------------------------------------------------------------


def our_request(pieces: Sequence[bytes], tolerance: Tolerance) -> Ours:
    """Return what the gateway makes of the bytes of a client."""
    oddities = Oddities(tolerance)
    head = RequestHead(plain=True, oddities=oddities, own_host=lambda: "192.0.2.1")
    made = _Counted.made
    reading, request = Reading(), None
    try:
        for piece in pieces:
            if request is not None:
                reading = Reading(reading.heads, rest=reading.rest + piece)
                continue
            request = head.receive(piece)
            if request is not None:
                first = (request.method.encode(), request.target.encode(), request.version.encode())
                reading = Reading((Head(first, _fields(list(request.headers))),), rest=head.rest)
    except HttpRefusal:
        reading = Reading(refused=True)
    return Ours(reading, oddities.needed, _Counted.made > made, request)


def their_request(data: bytes) -> Reading:
    """Return what h11 makes of the bytes of a client."""
    connection = _Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return Reading(refused=True)
    if not isinstance(event, h11.Request):
        return Reading()
    head = Head((bytes(event.method), bytes(event.target), bytes(event.http_version)), _their_fields(event))
    return Reading((head,), rest=connection.trailing_data[0])


def _their_fields(event: h11.Request | h11.Response | h11.InformationalResponse) -> Fields:
    return tuple((bytes(name), bytes(value)) for name, value in event.headers)


# -- responses ---------------------------------------------------------------------------------------------------


def our_responses(asked: Request, pieces: Sequence[bytes]) -> Ours:
    """Return what the gateway makes of the bytes of a server, after this request. An empty piece is its end."""
    head = ResponseHead()
    made = _Counted.made
    heads: list[Head] = []
    last: Response | None = None
    body, refused = b"", False
    try:
        head.request(asked)
        for piece in pieces:
            if last is not None and last.status == 101:
                body += piece
            elif last is not None:
                body += b"" if head.ended else head.body(piece)
            else:
                for last in filter(_notes(heads), head.responses(piece)):
                    body = head.rest if last.status == 101 else head.first_body()
    except HttpRefusal:
        refused = True
    return Ours(Reading(tuple(heads), refused, body, head.ended), (), _Counted.made > made, last)


def _notes(heads: list[Head]) -> Callable[[Response], bool]:
    """Note a head, and return whether it is the last."""

    def note(response: Response) -> bool:
        heads.append(Head((response.status, response.reason.encode("latin-1")), _fields(list(response.headers))))
        return response.status == 101 or response.status >= 200

    return note


def their_responses(asked: Request, data: bytes, ended: bool) -> Reading:
    """Return what h11 makes of the bytes of a server, after this request; `ended`: nothing follows them."""
    connection = _Connection(h11.CLIENT)
    connection.send(h11.Request(method=asked.method, target=asked.target, headers=asked.headers.encoded()))
    connection.send(h11.EndOfMessage())
    heads: list[Head] = []
    body = b""
    try:
        if data:
            connection.receive_data(data)
        if ended:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            match event:
                case h11.InformationalResponse() | h11.Response():
                    heads.append(Head((event.status_code, bytes(event.reason)), _their_fields(event)))
                    if event.status_code == 101:
                        return Reading(tuple(heads), False, connection.trailing_data[0])
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    return Reading(tuple(heads), False, body, True)
                case _:
                    return Reading(tuple(heads), False, body)
    except h11.RemoteProtocolError:
        return Reading(tuple(heads), True, body)


# -- what is written ---------------------------------------------------------------------------------------------


def our_written(target: str, items: Sequence[tuple[str, str]]) -> tuple[bytes | None, bool]:
    """Return the head of this GET as the gateway writes it, None if it cannot be written; and whether h11 was asked."""
    made = _Counted.made
    try:
        written = ResponseHead().request(Request(target, Headers(items)))
    except (h11.LocalProtocolError, UnicodeError):
        written = None
    return written, _Counted.made > made


def their_written(target: str, items: Sequence[tuple[str, str]]) -> bytes | None:
    """Return the same as h11 writes it, with the Host where it stands in these headers."""
    headers = Headers(items)
    try:
        request = h11.Request(method="GET", target=target, headers=headers.encoded())
        connection = _Connection(h11.CLIENT)
        written = connection.send(request)
        end = connection.send(h11.EndOfMessage())
    except (h11.LocalProtocolError, UnicodeError):
        return None
    # h11 writes Host first, and one of several equal lengths. Here all stay as they are given.
    return b"\r\n".join([written.partition(b"\r\n")[0], *map(b"%s: %s".__mod__, headers.encoded()), b"", end])


def our_switch(asked: bytes, reason: str, items: Sequence[tuple[str, str]]) -> tuple[bytes | None, bool]:
    """Return a 101 as the gateway writes it, after this request; and whether h11 was asked."""
    made = _Counted.made
    head = RequestHead()
    head.receive(asked)
    try:
        written = head.switch(Response(101, reason, Headers(items)))
    except (h11.LocalProtocolError, UnicodeError):
        written = None
    return written, _Counted.made > made


def their_switch(asked: bytes, reason: str, items: Sequence[tuple[str, str]]) -> bytes | None:
    """Return the same as h11 writes it."""
    connection = _Connection(h11.SERVER)
    connection.receive_data(asked)
    connection.next_event()
    try:
        event = h11.InformationalResponse(
            status_code=101, headers=Headers(items).encoded(), reason=reason.encode("latin-1")
        )
        return connection.send(event)
    except (h11.LocalProtocolError, UnicodeError):
        return None
