"""draft-hixie-thewebsocketprotocol-75: no proof, text between 00 and FF, no closing frame.

The reply's first three lines are exact to the byte, since WebKit compared them so; order, spelling and the reason
matter. The client's Origin and the address that it asked for come back as they were sent.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from wsgateway.dialects.base import Answer, Answering, Asking, Dialect, Framing, Limits, Offer
from wsgateway.dialects.upgrade import check_switch, end_to_end, is_plain, valid_subprotocols
from wsgateway.errors import HandshakeError, ProtocolError
from wsgateway.wire.closecodes import ABNORMAL, TOO_BIG
from wsgateway.wire.events import Close, Event, Fragment, Kind
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy

# -- framing (section 4.2) -------------------------------------------------------------------------------------

# A length is a number in base 128; zeros may lead it (80 80 80 03 is 3). Ten groups hold 2^63 and more.
MAX_LENGTH_BYTES = 10


class _State(enum.Enum):
    BETWEEN = "between frames"
    TEXT = "in a text, up to FF"
    SKIPPED_TEXT = "in a reserved frame, up to FF"
    LENGTH = "in the length of a frame without a meaning"
    SKIPPED_BYTES = "in the bytes of such a frame"


# A member of an Enum is looked up in Python each time; these are needed for every message.
_BETWEEN, _TEXT, _KIND = _State.BETWEEN, _State.TEXT, Kind.TEXT


class DelimitedDecoder:
    """Frames of both hixie drafts -> events. What has no meaning is passed over, as the drafts ask."""

    __slots__ = ("_closed", "_closing_frame", "_first", "_length", "_length_bytes", "_limit", "_seen", "_state")

    def __init__(self, limits: Limits, closing_frame: bool) -> None:
        self._limit = limits.message_bytes
        self._closing_frame = closing_frame
        self._state = _BETWEEN
        self._first = 0  # the byte that began the frame
        self._length = 0  # of a frame to be passed over: read so far, then left
        self._length_bytes = 0
        self._seen = 0  # bytes of the text so far
        self._closed = False

    def receive(self, data: bytes) -> Iterator[Event]:
        at, have = 0, len(data)
        while at < have and not self._closed:
            state = self._state
            if state is _BETWEEN:
                state = self._state = self._begin(data[at])
                at += 1
            if state is _TEXT:
                end = data.find(0xFF, at)
                if end >= 0:
                    self._state = _BETWEEN
                stop = end if end >= 0 else have
                self._seen += stop - at
                if self._seen > self._limit:
                    raise self._too_big(self._seen)
                yield Fragment(_KIND, data[at:stop], end >= 0)
                at = stop + 1
            elif at < have:
                at, closing = self._pass_over(state, data, at)
                if closing:
                    self._closed = True
                    yield Close()

    def _begin(self, first: int) -> _State:
        """Takes the first byte of a frame; returns what follows it."""
        self._seen = 0
        if not first:
            return _TEXT
        self._first = first
        self._length = self._length_bytes = 0
        return _State.LENGTH if first & 0x80 else _State.SKIPPED_TEXT

    def _pass_over(self, state: _State, data: bytes, at: int) -> tuple[int, bool]:
        """Reads on in a frame without a meaning. Returns where it stopped, and whether that was a closing frame."""
        if state is _State.LENGTH:
            return at + 1, self._read_length(data[at])
        if state is _State.SKIPPED_BYTES:
            skipped = min(self._length, len(data) - at)
            self._length -= skipped
            if not self._length:
                self._state = _BETWEEN
            return at + skipped, False
        end = data.find(0xFF, at)
        stop = end if end >= 0 else len(data)
        self._seen += stop - at
        if self._seen > self._limit:
            raise self._too_big(self._seen)
        if end >= 0:
            self._state = _BETWEEN
        return stop + 1, False

    def _too_big(self, size: int) -> ProtocolError:
        return ProtocolError(f"frame of {size} bytes or more, limit {self._limit}", TOO_BIG)

    def whole(self, data: bytes) -> bytes | None:
        end = len(data) - 1
        if self._state is not _BETWEEN or self._closed or not 0 < end <= self._limit:
            return None
        return None if data[0] or data.find(0xFF) != end else data[1:end]

    def finish(self) -> Close:
        # In 75 there is no other goodbye, and WebKits before mid 2011 know no other in 76.
        if self._state is not _BETWEEN:
            raise ProtocolError(f"the connection ended {self._state.value}", ABNORMAL)
        return Close()

    def _read_length(self, byte: int) -> bool:
        """Takes the next byte of a length. Whether it ends the closing frame."""
        self._length = self._length * 128 + (byte & 0x7F)
        self._length_bytes += 1
        if self._length > self._limit:
            raise self._too_big(self._length)
        if byte & 0x80:
            if self._length_bytes == MAX_LENGTH_BYTES:
                raise ProtocolError(f"frame length of more than {MAX_LENGTH_BYTES} bytes")
            return False
        self._state = _State.SKIPPED_BYTES if self._length else _BETWEEN
        # hixie-76, 5.3: FF and a length of 0 is the closing frame. In 75 it is one more frame to pass over.
        return self._closing_frame and self._first == 0xFF and not self._length


class DelimitedEncoder:
    """Events -> frames of both hixie drafts: a message is one text frame, streamed."""

    __slots__ = ("_closing_frame", "_inside")

    def __init__(self, closing_frame: bytes) -> None:
        self._closing_frame = closing_frame
        self._inside = False

    def whole(self, text: bytes) -> bytes:
        if 0xFF in text:
            raise ValueError("text with an FF byte")
        return b"\x00" + text + b"\xff"

    def send(self, event: Event) -> bytes:
        """As any encoder. Raises ValueError for what the drafts cannot say, and for text with an FF byte: it would
        end the frame, and what follows would be taken for a frame of its own."""
        if isinstance(event, Close):
            return self._closing_frame
        if not isinstance(event, Fragment) or event.kind is not _KIND:
            raise ValueError(f"no frame of hixie can say {type(event).__name__} or binary")
        if b"\xff" in event.data:
            raise ValueError("text with an FF byte")
        start = b"" if self._inside else b"\x00"
        self._inside = not event.final
        return start + event.data + (b"\xff" if event.final else b"")


def delimited_framing(name: str, closing_frame: bytes) -> Framing:
    """The framing of both hixie drafts; the closing frame may be none."""
    return Framing(
        name=name,
        carries_binary=False,
        carries_ping=False,
        close_codes=frozenset(),
        has_close=bool(closing_frame),
        # WebKits before mid 2011 take the closing frame for one without a meaning.
        answers_close=False,
        delimits_text=True,
        repairs_text=True,
        decoder=lambda role, limits: DelimitedDecoder(limits, bool(closing_frame)),
        encoder=lambda role, mask_keys: DelimitedEncoder(closing_frame),
    )


# -- handshake (sections 3.1 and 3.2) --------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What hixie-75 and -76 call the same things."""

    reason: str
    prefix: str

    def header(self, name: str) -> str:
        """The full name of a handshake header."""
        return f"{self.prefix}WebSocket-{name}"


NAMES_75 = Names("Web Socket Protocol Handshake", "")


class HixieAnswering:
    """The server's side of both hixie handshakes; 75 has no challenge."""

    challenge_bytes = 0

    def __init__(self, request: Request, names: Names) -> None:
        headers = request.headers
        origin = headers.one("Origin")
        if origin is None:
            raise HandshakeError("no Origin, which the reply must repeat")
        self._names = names
        self._request = request
        self._origin = origin
        # websocket-ruby's client says WebSocket-Protocol in 76 too.
        self._asked = headers.one(names.header("Protocol")) or headers.one("WebSocket-Protocol") or None
        if not is_plain(self._asked or ""):
            raise HandshakeError(f"{names.header('Protocol')} holds a control or a byte above 7E")
        members = [name.strip(" \t") for name in (self._asked or "").split(",")]
        self.offer = Offer(
            target=request.target,
            host=headers.one("Host") or "",
            origin=origin,
            subprotocols=valid_subprotocols(members),
            headers=end_to_end(headers),
        )

    def accept(self, answer: Answer) -> Response:
        request = self._request
        scheme = "wss" if request.secure else "ws"
        location = f"{scheme}://{request.headers.one('Host')}{request.sent_target}"
        names = self._names
        items = [
            ("Upgrade", "WebSocket"),  # Opera 12 compares the case
            ("Connection", "Upgrade"),
            (names.header("Origin"), self._origin),
            (names.header("Location"), location),
        ]
        if self._asked is not None:
            items.append((names.header("Protocol"), self._subprotocol(self._asked, answer)))
        # These clients read a head with care and little else than cookies from it.
        items += [(name, value) for name, value in answer.headers if name.lower() == "set-cookie"]
        return Response(101, names.reason, Headers(items))

    def _subprotocol(self, asked: str, answer: Answer) -> str:
        """What to answer a client that asked: it refuses any reply that it would not have given itself."""
        if self.offer.subprotocols and answer.subprotocol is None:
            raise HandshakeError(f"none of the subprotocols {asked!r} was chosen, and the client insists on one", 502)
        # WebKit joins a list by commas and wants all of it back; what is not a list comes back as it is, too.
        return asked

    def proof(self, challenge: bytes) -> bytes:
        return b""


class HixieAsking:
    """The client's side of both hixie handshakes; 75 has no challenge."""

    challenge = b""
    proof_bytes = 0

    def __init__(self, offer: Offer, names: Names) -> None:
        self._names = names
        self._origin = offer.origin or f"http://{offer.host}"
        self._location = f"ws://{offer.host}{offer.target}"
        self._subprotocols = offer.subprotocols
        items = [
            ("Upgrade", "WebSocket"),
            ("Connection", "Upgrade"),
            ("Host", offer.host),
            ("Origin", self._origin),
        ]
        if offer.subprotocols:
            items.append((names.header("Protocol"), ",".join(offer.subprotocols)))
        self.request = Request(offer.target, Headers([*items, *self.keys(), *offer.headers]))

    def keys(self) -> list[tuple[str, str]]:
        """The headers that carry a challenge."""
        return []

    def check(self, response: Response, proof: bytes) -> Answer:
        headers, names = response.headers, self._names
        try:
            check_switch(headers)
            origin = headers.one(names.header("Origin"))
            location = headers.one(names.header("Location"))
            subprotocol = headers.one(names.header("Protocol"))
        except HandshakeError as error:
            raise HandshakeError(str(error), 502) from None
        if origin != self._origin:
            raise HandshakeError(f"{names.header('Origin')} {origin!r}, ours is {self._origin!r}", 502)
        if location != self._location:
            raise HandshakeError(f"{names.header('Location')} {location!r}, we asked {self._location!r}", 502)
        allowed = (*self._subprotocols, ",".join(self._subprotocols)) if self._subprotocols else (None,)
        if subprotocol not in allowed:
            raise HandshakeError(f"subprotocol {subprotocol!r}, we offered {', '.join(self._subprotocols)!r}", 502)
        # A server that repeats a whole list has not said which one it means.
        chosen = subprotocol if subprotocol in self._subprotocols else None
        return Answer(chosen, (), end_to_end(headers))


class Hixie75Handshake:
    """No key, no version: what is left when no other dialect knows the request."""

    version = None

    def recognises(self, request: Request) -> bool:
        return not any(name in request.headers for name in _OF_OTHERS)

    def answering(self, request: Request) -> Answering:
        return HixieAnswering(request, NAMES_75)

    def asking(self, offer: Offer, entropy: Entropy) -> Asking:
        return HixieAsking(offer, NAMES_75)


_OF_OTHERS = (
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Key1",
    "Sec-WebSocket-Key2",
    "Sec-WebSocket-Draft",
)

HIXIE75 = Dialect(
    name="hixie-75",
    handshake=Hixie75Handshake(),
    framing=delimited_framing("hixie-75", closing_frame=b""),
    spoken_by="Chrome 4 and 5, Safari 5.0.0, web-socket-js (Flash) before June 2010",
)
