"""What a dialect is made of: the interfaces that each one implements and all the rest relies on.

A `Dialect` is a name, a `Handshake` and a `Framing`, composed, so that drafts that share one of them share it.
Nothing here touches a socket: handshakes turn requests into offers and answers into heads, framings turn bytes
into events and back, and every implementation passes the same battery of tests.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Role
from wsgateway.wire.heads import Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddities


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one peer may send. They are enforced before the bytes that break them go anywhere."""

    message_bytes: int = 16 * 1024 * 1024
    fragments: int = 65536
    join_bytes: int = 64 * 1024
    """how much of a message may be held back, so that it leaves as one frame"""


# -- framing: bytes <-> events ---------------------------------------------------------------------------------


class Decoder(Protocol):
    """Turns the bytes of one peer into events."""

    def receive(self, data: bytes) -> Iterator[Event]:
        """Takes any bytes, cut anywhere, empty too, and yields what they complete. Large frames come out in fragments.

        Must be iterated to its end before the next call. Keeps at most 139 bytes (a frame's head and a control
        frame's payload). After a Close it yields nothing more, whatever comes. Raises ProtocolError, after the
        events that were still good; then the decoder must not be used again.
        """

    def whole(self, data: bytes) -> bytes | None:
        """The payload, if the data is one short text message and none is under way; if not, None, and nothing is taken.

        Most reads are such; this says so at a third of the cost of `receive`, which says the same, of any length.
        """

    def finish(self) -> Close:
        """What the end of the stream means, if no Close has come: a goodbye, in dialects whose clients say it so.

        Raises ProtocolError (1006) where it is none, or comes inside a frame.
        """


class Encoder(Protocol):
    """Turns events into the bytes for one peer."""

    @property
    def inside(self) -> bool:
        """Whether a frame is begun, and its end is still to be written: nothing but the rest of it may be sent then."""

    def send(self, event: Event, before: bytes | bytearray = b"") -> bytes:
        """Returns the frame for an event, perhaps empty: a Close is no bytes where the dialect has none.

        `before` stands in front of a fragment's data in its frame: what was held back, which is not copied twice so.
        None may be given inside a frame.

        The events must be ones that the framing carries, and a message's fragments must be of one kind. A fragment of
        which bytes are `left` begins a frame of that length; the next events must be the rest of it. Where the length
        is not known, and the framing needs it, the fragment is a frame of its own.
        """

    def whole(self, text: bytes) -> bytes:
        """Returns the frame of a whole text message. None may be under way."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a frame, and what they mean."""

    data: bytes
    meaning: str
    """for people to read"""


class Dissector(Protocol):
    """Explains the bytes of one peer."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Takes any bytes and yields what they are made of, in order; a head that is not whole waits for its rest.

        Raises nothing: what breaks the rules is a part that says so, and all that follows belongs to it.
        """

    def finish(self) -> Iterator[Part]:
        """Yields what still waits for its rest, when no more bytes come."""


@dataclass(slots=True)
class Step:
    """What some bytes from one side came to."""

    forward: bytes
    """for the other side"""
    reply: bytes = b""
    """for the side that they came from: our own answer to a ping, whole frames"""
    ending: Close | ProtocolError | None = None
    """set once, by the last step: the side has said goodbye, or broken the rules"""
    close_bytes: int = 0
    """how many bytes at the end of `forward` are the side's own Close"""
    held: int = 0
    """how many bytes of a message are held back now, until it is whole"""


class Translator(Protocol):
    """One direction of a session: bytes of the source framing in, bytes of the target framing out."""

    messages: int
    """how many messages have gone through whole"""
    signs: int
    """how many pings and pongs have come, but for those of a keepalive (`wire.events.KEEPALIVE`)"""

    def feed(self, data: bytes) -> Step:
        """Takes any bytes from the source. `forward` must be sent, also from an ending; feed nothing after that."""

    def finish(self) -> Step:
        """Takes the end of the source's stream. The step is always an ending."""

    def unfinished(self) -> int | None:
        """Return how many bytes the source still owes of the frame that is under way, whether that has left in part or
        is held back: 0 between frames, None if nobody knows.

        A message that leaves as one frame counts as one: it is under way until its last fragment is whole. A head of
        which bytes are missing does not count. So a drain reads this many bytes more, or until this is 0, and loses
        nothing of what the source has begun.
        """

    def inside(self) -> bool:
        """Return whether the target has the beginning of a frame and not its end.

        Nothing but `forward` may be sent to the target then: no ping, no pong and no Close of ours.
        """

    def release(self) -> bytes | None:
        """Let go of what is held back, and return it for the other side: its message leaves in fragments.

        None: that may not be, and it is still held.
        """


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a dialect writes messages, and what it can say."""

    name: str
    carries_binary: bool
    carries_ping: bool
    close_codes: frozenset[int]
    """the codes that it can carry; empty if its Close has none"""
    has_close: bool
    """whether there is a closing frame at all"""
    answers_close: bool
    """whether every program that speaks it answers a closing frame"""
    delimits_text: bool
    """whether text ends at a byte that UTF-8 never has, so that only UTF-8 may be sent"""
    repairs_text: bool
    """whether honest peers send broken text, so that it is repaired and not refused"""
    decoding: Callable[[Role, Limits, bytes, Oddities], Decoder]
    """makes what `decoder` returns"""
    encoding: Callable[[Role, Iterator[bytes], bytes], Encoder]
    """makes what `encoder` returns"""
    dissecting: Callable[[Role, bytes], Dissector]
    """makes what `dissector` returns"""
    walker: Callable[[Role, Limits, bool], Translator] | None = None
    """passes frames on as they are, from the peer to whom we play that role; True: a compression was agreed.
    None: frames of this kind are decoded and encoded even towards their own kind"""

    def decoder(
        self, role: Role, limits: Limits = Limits(), secret: bytes = b"", oddities: Oddities | None = None
    ) -> Decoder:
        """For the frames that a peer sends to us, who play that role; `secret` comes from the handshake.

        `oddities` says what the peer may do otherwise than its draft says, by default what is allowed by default; what
        it has done is noted there.
        """
        return self.decoding(role, limits, secret, Oddities() if oddities is None else oddities)

    def encoder(self, role: Role, mask_keys: Iterator[bytes], secret: bytes = b"") -> Encoder:
        """For the frames that we send in that role; the iterator gives mask keys of 4 bytes, one for each frame that a
        client masks, none of which may be predictable; `secret` comes from the handshake."""
        return self.encoding(role, mask_keys, secret)

    def dissector(self, role: Role, secret: bytes = b"") -> Dissector:
        """As `decoder`, to explain the frames."""
        return self.dissecting(role, secret)


@dataclass(frozen=True, slots=True)
class Side:
    """What we speak on one connection, and as what."""

    framing: Framing
    role: Role
    """the part that we play"""
    secret: bytes = b""
    """what its handshake left for its frames"""
    takes_binary: bool = True
    """whether the peer can do with binary messages, where the framing carries them: not every browser of 2011 could"""
    oddities: Oddities = field(default_factory=Oddities, compare=False, repr=False)
    """what the peer may do otherwise than the drafts say, and what of it it has done"""
    joins: bool = False
    """whether the peer takes each frame for a message, so that every message must be one frame"""

    @property
    def text_only(self) -> bool:
        """Whether nothing but text may be sent to the peer, and nothing else comes from it."""
        return not (self.takes_binary and self.framing.carries_binary)

    def decoder(self, limits: Limits) -> Decoder:
        """For the frames that the peer sends."""
        return self.framing.decoder(self.role, limits, self.secret, self.oddities)

    def encoder(self, mask_keys: Iterator[bytes]) -> Encoder:
        """For the frames that the peer gets."""
        return self.framing.encoder(self.role, mask_keys, self.secret)


# What stands behind a head, in `Asking.notes`.
CHALLENGE = "the challenge"
PROOF = "the proof"

# -- handshake: heads <-> offers and answers -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client wants, in words that all dialects share."""

    target: str
    """path and query, percent-encoded, ASCII"""
    host: str
    """the value of Host"""
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    """offers of permessage-deflate, each with its parameters; other extensions cannot pass a gateway"""
    headers: tuple[tuple[str, str], ...] = ()
    """the other headers that go end to end: cookies, authorization, user agent"""
    secure: bool = False
    """whether the connection is encrypted, so that a server that repeats our address for it says wss"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server agreed to."""

    subprotocol: str | None = None
    extensions: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """the other headers that go end to end: cookies to set"""
    secure: bool = False
    """whether the client's own connection is encrypted, so that its address, where it is repeated, begins with wss"""
    host: str = ""
    """host and port of the client's own address, where that is repeated; empty: those of its Host"""
    unprefixed: bool = False
    """whether hixie-76 says WebSocket-Origin and -Location too, for clients that were written after such a print"""


class ServerHandshake(Protocol):
    """A client's handshake in our hands: we play the server."""

    offer: Offer
    challenge_bytes: int
    """how many bytes the client sends behind its head, as part of the handshake"""

    secret: bytes
    """what both ends know from the handshake, for `Side`; empty in all dialects but one, whose frames need it"""

    def accept(self, answer: Answer) -> Response:
        """The head that accepts. Raises HttpRefusal (502) if this client could not live with the answer."""

    def proof(self, challenge: bytes) -> bytes:
        """What follows the head: takes the `challenge_bytes` of the client, returns the answer to them."""


class ClientHandshake(Protocol):
    """Our handshake in a server's hands: we play the client."""

    request: Request
    challenge: bytes
    """what follows the head of the request"""
    proof_bytes: int
    """how many bytes the server sends behind its head, as part of the handshake"""
    secret: bytes
    """as in `Answering`; to be had once `check` is done"""
    notes: dict[str, str]
    """what the headers of both heads mean, by their names in lower case, and `CHALLENGE` and `PROOF`"""

    def check(self, response: Response, proof: bytes) -> Answer:
        """Takes a 101 and the `proof_bytes` behind it. Raises HttpRefusal (502) if they answer another request."""


class Handshake(Protocol):
    """How a dialect opens a connection."""

    @property
    def version(self) -> int | None:
        """The value of Sec-WebSocket-Version, where the dialect has one."""

    def recognises(self, request: Request) -> bool:
        """Whether the request is of this dialect. At most one dialect recognises a request."""

    def server(self, request: Request, entropy: Entropy) -> ServerHandshake:
        """Takes a request that it recognised. Raises HttpRefusal (400) for one that is broken."""

    def client(self, offer: Offer, entropy: Entropy) -> ClientHandshake:
        """Makes a request for the offer; what the dialect cannot say is left out."""


@dataclass(frozen=True)
class Dialect:
    """One way to speak WebSocket."""

    name: str
    handshake: Handshake
    framing: Framing
    spoken_by: str
    """the programs that sent it, for people to read"""


def by_name(dialects: Iterable[Dialect]) -> dict[str, Dialect]:
    """A table of dialects in the order given. Raises ValueError for a name that stands twice."""
    table: dict[str, Dialect] = {}
    for dialect in dialects:
        if dialect.name in table:
            raise ValueError(f"two dialects are called {dialect.name}")
        table[dialect.name] = dialect
    return table
