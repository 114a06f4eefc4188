"""The interfaces of a dialect, which each dialect implements and all other code relies on.

A `Dialect` is composed of a name, a `Handshake` and a `Framing`, so that drafts can share a handshake or a framing.
Nothing here touches a socket: handshakes turn requests into offers and answers into heads, framings turn bytes
into events and back. Every implementation passes the same battery of tests.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Role
from wsgateway.wire.heads import Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddities
from wsgateway.wire.state import Resumable


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of what one peer may send. They are enforced before bytes that exceed them are passed on."""

    message_bytes: int = 16 * 1024 * 1024
    fragments: int = 65536
    join_bytes: int = 64 * 1024
    """how many bytes of a message may be held back, so that it is sent as one frame"""


class Layout(NamedTuple):
    """The frames that are whole messages."""

    text: int
    """the first byte of a text; 0: texts are delimited by 00 and FF"""
    binary: int
    """the first byte of a binary message; -1: there is none that may be passed on"""
    masked: bool
    """whether a mask covers the payload; in a `Framing`: of clients"""


class Plan(NamedTuple):
    """The facts by which the engine in C passes on whole messages of one direction."""

    walks: bool
    """whether frames pass unchanged; otherwise they are written anew"""
    extension: int
    """the bit of the first byte that an extension may set"""
    checks: bool
    """whether text must be UTF-8"""
    source: Layout
    target: Layout
    message_bytes: int
    """the longest message"""


# -- framing: bytes <-> events ---------------------------------------------------------------------------------


class Decoder(Resumable, Protocol):
    """A decoder of the bytes of one peer into events."""

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events that some bytes complete. Take any bytes, cut anywhere, also none.

        Large frames are yielded in fragments. The iterator must be exhausted before the next call. Keep at most 139
        bytes (the head of a frame and the payload of a control frame). After a Close yield nothing more, whatever
        comes. Raise ProtocolError, after the events before the fault; the decoder must not be used after that.
        """

    def whole(self, data: bytes) -> bytes | None:
        """Return the payload if the data is exactly one text message and no message is begun; None otherwise.

        With None the data is not consumed: pass it to `receive`, which handles messages of any length. Most reads are
        one message, and this costs a third of `receive`. It may be None for messages of more than 64 KiB.
        """

    @property
    def at_rest(self) -> bool:
        """Whether the next byte begins a message; false after a Close."""

    def finish(self) -> Close:
        """Return the Close that the end of the stream means, in dialects whose clients close without a closing frame.

        Raise ProtocolError (1006) where the end is not a close, or comes inside a frame.
        """


class Encoder(Resumable, Protocol):
    """An encoder of events into the bytes for one peer."""

    @property
    def inside(self) -> bool:
        """Whether a frame is begun and not ended: then only the rest of it may be sent."""

    def send(self, event: Event, before: bytes | bytearray = b"") -> bytes:
        """Return the frame for an event; no bytes for a Close where the dialect has no closing frame.

        `before` is put in front of a fragment's data in its frame: held data, which is copied only once like this. It
        must be empty inside a frame.

        The framing must carry the event, and all fragments of a message must be of one kind. A fragment with
        `remaining` bytes begins a frame of that length; the next events must be the rest of the frame. If the length is
        not known, and the framing needs it, the fragment becomes a frame of its own.
        """

    def whole(self, text: bytes) -> bytes:
        """Return the frame of a whole text message. No message may be begun."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a frame, and their meaning."""

    data: bytes
    meaning: str
    """a text for people"""
    brief: str = ""
    """the same text without what a peer has written, if the bytes may be that; empty: they belong to the dialect"""


class Dissector(Protocol):
    """A dissector that explains the bytes of one peer."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Yield the parts of any bytes, in order. Keep a head that is not complete until its rest comes.

        Never raise: a part whose bytes break the rules says so, and all following bytes belong to it.
        """

    def finish(self) -> Iterator[Part]:
        """Yield the bytes that are still kept, at the end of the stream."""


@dataclass(slots=True)
class Step:
    """The result of some bytes from one side."""

    forward: bytes
    """bytes for the other side"""
    reply: bytes = b""
    """bytes for the side that sent the data: the gateway's own answer to a ping, in whole frames"""
    ending: Close | ProtocolError | None = None
    """set once, by the last step: the side has sent its Close, or has broken the rules"""
    close_bytes: int = 0
    """how many bytes at the end of `forward` are the Close of this side"""
    held: int = 0
    """how many bytes of a message are held back now, until it is complete"""


class Translator(Resumable, Protocol):
    """A translator of one direction of a session: bytes of the source framing in, bytes of the target framing out."""

    messages: int
    """how many messages have been passed on completely"""
    heartbeats: int
    """how many pings and pongs have come, without those of a keepalive (`wire.events.KEEPALIVE`)"""

    @property
    def plan(self) -> Plan | None:
        """How C may pass whole messages on in the translator's place; None: it may not."""

    @property
    def at_rest(self) -> bool:
        """Whether C may do so now: the next byte begins a message, or belongs to the frame that a walker passes on."""

    def feed(self, data: bytes) -> Step:
        """Return the result of any bytes from the source. Send its `forward` also if it has an ending; then stop."""

    def finish(self) -> Step:
        """Return the result of the end of the source's stream: always a step with an ending."""

    def unfinished(self) -> int | None:
        """Return how many bytes of the current frame the source has still to send; 0 between frames, None if unknown.

        The frame counts whether a part of it has been sent on or all of it is held back. A message that is sent as one
        frame counts as one frame, until its last fragment is complete. An incomplete head does not count. So a drain
        that reads this many bytes more, or until this is 0, loses nothing that the source has begun.
        """

    def inside(self) -> bool:
        """Return whether the target has received the beginning of a frame and not its end.

        Then only `forward` may be sent to the target: no ping, no pong and no Close of the gateway.
        """

    def release(self) -> bytes | None:
        """Return what is held back, for the other side, and hold it no longer: its message is sent in fragments.

        Return None if the message must not be sent in fragments; it is then still held.
        """


@dataclass(frozen=True, kw_only=True)
class Framing:
    """The way in which a dialect writes messages, and its abilities."""

    name: str
    carries_binary: bool
    carries_ping: bool
    close_codes: frozenset[int]
    """the close codes that it can carry; empty if its Close has no code"""
    has_close: bool
    """whether the dialect has a closing frame"""
    answers_close: bool
    """whether every program that speaks it answers a closing frame"""
    delimits_text: bool
    """whether text ends at a byte that UTF-8 never has, so that only UTF-8 may be sent"""
    repairs_text: bool
    """whether regular peers send broken text, so that it is repaired and not refused"""
    decoding: Callable[[Role, Limits, bytes, Oddities], Decoder]
    """the function behind `decoder`"""
    encoding: Callable[[Role, Iterator[bytes], bytes], Encoder]
    """the function behind `encoder`"""
    dissecting: Callable[[Role, bytes], Dissector]
    """the function behind `dissector`"""
    layout: Layout | None = None
    """the frames that are whole messages; None: their heads cannot be read as they come"""
    walker: Callable[[Role, Limits, bool], Translator] | None = None
    """makes a translator that passes frames of the peer on unchanged; it takes our role towards the peer, and whether
    compression was agreed. None: frames are decoded and encoded even if both sides have this framing"""

    def decoder(
        self, role: Role, limits: Limits = Limits(), secret: bytes = b"", oddities: Oddities | None = None
    ) -> Decoder:
        """Return a decoder for the frames that a peer sends; `role` is our role, `secret` comes from the handshake.

        `oddities` holds the oddities that the peer is allowed (default: the default of the table), and records those
        that it shows.
        """
        return self.decoding(role, limits, secret, Oddities() if oddities is None else oddities)

    def encoder(self, role: Role, mask_keys: Iterator[bytes], secret: bytes = b"") -> Encoder:
        """Return an encoder for the frames that we send in that role; `secret` comes from the handshake.

        `mask_keys` yields mask keys of 4 bytes, one for each frame that a client masks; none may be predictable.
        """
        return self.encoding(role, mask_keys, secret)

    def dissector(self, role: Role, secret: bytes = b"") -> Dissector:
        """Return a dissector for the frames that a peer sends; `role` and `secret` are as for `decoder`."""
        return self.dissecting(role, secret)


@dataclass(slots=True)
class Side:
    """One connection as its frames need it: the framing, and our role."""

    framing: Framing
    role: Role
    """the part that we play"""
    secret: bytes = b""
    """the secret that its handshake made for its frames"""
    takes_binary: bool = True
    """whether the peer can use binary messages, if the framing carries them: not every browser of 2011 could"""
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """the oddities that the peer is allowed and has shown"""
    joins: bool = False
    """whether the peer reads each frame as a message, so that every message must be one frame"""

    @property
    def text_only(self) -> bool:
        """Whether only text may be sent to the peer, and only text comes from it."""
        return not (self.takes_binary and self.framing.carries_binary)

    @property
    def reads(self) -> Layout | None:
        """The frames that the peer sends, if they are whole messages."""
        layout = self.framing.layout
        return layout and Layout(layout.text, layout.binary, layout.masked and self.role is Role.SERVER)

    @property
    def writes(self) -> Layout | None:
        """The frames that are sent to the peer, if they are whole messages."""
        layout = self.framing.layout
        return layout and Layout(layout.text, layout.binary, layout.masked and self.role is Role.CLIENT)

    def decoder(self, limits: Limits) -> Decoder:
        """Return a decoder for the frames that the peer sends."""
        return self.framing.decoder(self.role, limits, self.secret, self.oddities)

    def encoder(self, mask_keys: Iterator[bytes]) -> Encoder:
        """Return an encoder for the frames that are sent to the peer."""
        return self.framing.encoder(self.role, mask_keys, self.secret)


# The keys in `ClientHandshake.notes()` for the bytes after a head.
CHALLENGE = "the challenge"
PROOF = "the proof"

# -- handshake: heads <-> offers and answers -------------------------------------------------------------------


@dataclass(slots=True)
class Offer:
    """A client's request in terms that all dialects share."""

    target: str
    """path and query, percent-encoded, ASCII"""
    host: str
    """the value of Host"""
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    """offers of permessage-deflate, each with its parameters; other extensions cannot pass through a gateway"""
    headers: tuple[tuple[str, str], ...] = ()
    """the other headers that go end to end: cookies, authorization, user agent"""
    secure: bool = False
    """whether the connection is encrypted; a server that repeats our address then repeats it with wss"""


@dataclass(slots=True)
class Answer:
    """The parts of a connection to which a server has agreed."""

    subprotocol: str | None = None
    extensions: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """the other headers that go end to end: cookies to set"""
    secure: bool = False
    """whether the client's own connection is encrypted, so that its address, where it is repeated, begins with wss"""
    host: str = ""
    """host and port for the client's own address, where that is repeated; empty: those of the client's Host"""
    unprefixed: bool = False
    """whether hixie-76 sends WebSocket-Origin and -Location too, for clients written after a text with these names"""


class ServerHandshake(Protocol):
    """The server's side of a handshake, for one request of a client."""

    offer: Offer
    challenge_bytes: int
    """how many bytes of the handshake follow the head of the client's request"""

    secret: bytes
    """a value that both ends compute from the handshake, for `Side`; empty in all dialects but one"""

    def accept(self, answer: Answer) -> Response:
        """Return the head that accepts. Raise HttpRefusal (502) if this client would refuse the answer."""

    def proof(self, challenge: bytes) -> bytes:
        """Return the bytes that follow the head, given the `challenge_bytes` bytes of the client."""


class ClientHandshake(Protocol):
    """The client's side of a handshake, for one connection to a server."""

    request: Request
    challenge: bytes
    """the bytes after the head of the request"""
    proof_bytes: int
    """how many bytes of the handshake follow the head of the server's response"""
    secret: bytes
    """as in `ServerHandshake`; set by `check`"""

    def notes(self) -> dict[str, str]:
        """Return the meanings of the headers of both heads, by their names in lower case, as texts for people.

        `CHALLENGE` and `PROOF` are keys, too, where the dialect has them.
        """

    def check(self, response: Response, proof: bytes) -> Answer:
        """Return the answer in a 101 and the `proof_bytes` after it. Raise HttpRefusal (502) if they are wrong."""


class Handshake(Protocol):
    """The way in which a dialect opens a connection."""

    @property
    def version(self) -> int | None:
        """The value of Sec-WebSocket-Version; None where the dialect has none."""

    def recognises(self, request: Request) -> bool:
        """Return whether the request is of this dialect. At most one dialect recognises a request."""

    def server(self, request: Request, entropy: Entropy) -> ServerHandshake:
        """Return the server's side for a request of this dialect. Raise HttpRefusal (400) for one that is broken."""

    def client(self, offer: Offer, entropy: Entropy) -> ClientHandshake:
        """Return the client's side with a request for the offer; what the dialect cannot express is left out."""


@dataclass(frozen=True, eq=False)
class Dialect:
    """One variant of the WebSocket protocol."""

    name: str
    handshake: Handshake
    framing: Framing
    spoken_by: str
    """the programs that used it, as a text for people"""


def by_name(dialects: Iterable[Dialect]) -> dict[str, Dialect]:
    """Return the dialects by name, in the given order. Raise ValueError for a name that occurs twice."""
    table: dict[str, Dialect] = {}
    for dialect in dialects:
        if dialect.name in table:
            raise ValueError(f"two dialects are called {dialect.name}")
        table[dialect.name] = dialect
    return table
