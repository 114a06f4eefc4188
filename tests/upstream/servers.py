"""Servers of all dialects behind the gateway.

With `asked` the test writes the bytes of the answer. `accepted` answers in the dialect of the request, by the library's
own parts: their bytes are compared in other tests.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field

from tests.heads import head_of
from tests.openings import BY_DIALECT
from tests.peers import Peer
from tests.support import Running, Upstream
from wsgateway.dialects import Answer, Limits, Side, recognise
from wsgateway.dialects.base import Decoder, Encoder
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Kind, Role
from wsgateway.wire.heads import HeadLimits
from wsgateway.wire.masking import mask_keys
from wsgateway.wire.request_head import RequestHead

MODERN = BY_DIALECT["rfc6455"]
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\n"
NOTHING = Answer()
HELLO = Fragment(Kind.TEXT, b"Hello", final=True)


@dataclass
class Behind:
    """The server's end of a session after its handshake."""

    peer: Peer
    request: bytes
    dialect: str
    decoder: Decoder
    encoder: Encoder
    _events: list[Event] = field(default_factory=list)

    async def event(self) -> Event:
        """Return the next event; the fragments of a text are joined."""
        text = b""
        while True:
            while not self._events:
                data = await self.peer.once()
                assert data, "ended before an event"
                self._events.extend(self.decoder.receive(data))
            event = self._events.pop(0)
            if not isinstance(event, Fragment) or event.kind is Kind.BINARY:
                return event
            text += event.data
            if event.final:
                return Fragment(Kind.TEXT, text, final=True)

    async def end(self) -> str:
        """Return how the connection ends; before the end only a Close may come."""
        rest = await self.peer.rest()
        events = [*self._events, *self.decoder.receive(rest)]
        if events:
            assert [type(event) for event in events] == [Close], events
            return "close"
        try:
            self.decoder.finish()
        except ProtocolError as fault:
            return str(fault)
        return "end"

    async def say(self, *events: Event) -> None:
        await self.peer.send(b"".join(map(self.encoder.send, events)))


async def accepted(upstream: Upstream, answer: Answer = NOTHING, behind: bytes = b"") -> Behind:
    """Accept the next WebSocket in the dialect of its request, and send `behind` in the same write."""
    peer = await upstream.accept()
    request = await peer.head()
    head = RequestHead(HeadLimits())
    parsed = head.receive(request)
    assert parsed is not None, "a whole head was read"
    dialect = recognise(parsed)
    server_handshake = dialect.handshake.server(parsed, os.urandom)
    challenge = await peer.exactly(server_handshake.challenge_bytes)
    await peer.send(head.switch(server_handshake.accept(answer)) + server_handshake.proof(challenge) + behind)
    side = Side(dialect.framing, Role.SERVER, server_handshake.secret)
    return Behind(peer, request, dialect.name, side.decoder(Limits()), side.encoder(mask_keys(os.urandom)))


# -- by hand ---------------------------------------------------------------------------------------------------------

UPGRADE = ("Upgrade: WebSocket", "Connection: Upgrade")
# The headers that a server of hixie repeats to the client of MODERN.
REPEATED = ("Origin: http://example.com", "Location: ws://server.example.com/chat")
REPLY_75 = head_of("HTTP/1.1 101 Web Socket Protocol Handshake", *UPGRADE, *(f"WebSocket-{each}" for each in REPEATED))
REPLY_76 = head_of(
    "HTTP/1.1 101 WebSocket Protocol Handshake", *UPGRADE, *(f"Sec-WebSocket-{each}" for each in REPEATED)
)


def proof_of(request: bytes, challenge: bytes) -> bytes:
    """Return the 16 bytes with which a server of hixie-76 answers (draft 76, 5.2)."""
    joined = b""
    for name in ("Key1", "Key2"):
        found = re.search(rf"\r\nSec-WebSocket-{name}: ([^\r]*)\r\n", request.decode("latin-1"))
        assert found is not None
        number, rest = divmod(int(re.sub("[^0-9]", "", found[1])), found[1].count(" "))
        assert rest == 0
        joined += number.to_bytes(4, "big")
    return hashlib.md5(joined + challenge, usedforsecurity=False).digest()


@dataclass
class RouteQuery:
    """Connect a client, and return its session when the upstream has read the request and not yet answered."""

    client: Peer
    behind: Peer
    request: bytes
    challenge: bytes

    @property
    def proof(self) -> bytes:
        return proof_of(self.request, self.challenge)


async def asked(
    upstream: Upstream, gateway: Running, request: bytes = MODERN.request, challenge_bytes: int = 0
) -> RouteQuery:
    client = await gateway.connect(request)
    behind = await upstream.accept()
    return RouteQuery(client, behind, await behind.head(), await behind.exactly(challenge_bytes))
