"""Servers of all dialects behind the gateway.

`asked` leaves the answer to the test, which writes its bytes. `accepted` answers in whichever dialect it is asked, by
the library's own parts: what its bytes are is for other tests.
"""

import hashlib
import os
import re
from dataclasses import dataclass, field

from tests.openings import BY_DIALECT
from tests.support import Peer, Running, Upstream, head_of
from wsgateway.dialects import Answer, Limits, Side, recognise
from wsgateway.dialects.base import Decoder, Encoder
from wsgateway.errors import ProtocolError
from wsgateway.wire.events import Close, Event, Fragment, Kind, Role
from wsgateway.wire.heads import HeadLimits, RequestHead
from wsgateway.wire.masking import mask_keys

MODERN = BY_DIALECT["rfc6455"]
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\n"
NOTHING = Answer()
HELLO = Fragment(Kind.TEXT, b"Hello", final=True)


@dataclass
class Behind:
    """The server's end of a session whose handshake is over."""

    peer: Peer
    request: bytes
    dialect: str
    decoder: Decoder
    encoder: Encoder
    _events: list[Event] = field(default_factory=list)

    async def event(self) -> Event:
        """The next event; a text in fragments is put together."""
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
        """How the connection ends, behind all events that were awaited: nothing more may come before it but a Close."""
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
    """Accepts the next WebSocket in whichever dialect it asks, and sends `behind` in the same write."""
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
# What a server of hixie repeats to the client of MODERN.
REPEATED = ("Origin: http://example.com", "Location: ws://server.example.com/chat")
REPLY_75 = head_of("HTTP/1.1 101 Web Socket Protocol Handshake", *UPGRADE, *(f"WebSocket-{each}" for each in REPEATED))
REPLY_76 = head_of(
    "HTTP/1.1 101 WebSocket Protocol Handshake", *UPGRADE, *(f"Sec-WebSocket-{each}" for each in REPEATED)
)


def proof_of(request: bytes, challenge: bytes) -> bytes:
    """The 16 bytes by which a server of hixie-76 answers (draft 76, 5.2)."""
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
    """An upstream that has read a request, and has not answered yet."""

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
