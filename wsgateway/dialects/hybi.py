"""The hybi drafts, draft-ietf-hybi-thewebsocketprotocol-07 and -08: one row each, and what they share.

    draft   Sec-WebSocket-Version   origin header           frames      sent by
    07      7                       Sec-WebSocket-Origin    RFC 6455's  Firefox 6
    08      8                       Sec-WebSocket-Origin    RFC 6455's  Chrome 14 and 15, Firefox 7 to 10

Drafts 09 to 12 announce themselves as version 8 too. Against RFC 6455 there are fewer close codes, and nobody
insists that a length be written in its shortest form.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from wsgateway.dialects.base import Answer, Answering, Asking, Dialect, Offer
from wsgateway.dialects.frames import FrameRules
from wsgateway.dialects.framing import framing
from wsgateway.dialects.upgrade import check_switch, end_to_end, valid_subprotocols
from wsgateway.errors import HandshakeError
from wsgateway.wire.closecodes import DRAFT_CODES
from wsgateway.wire.events import Close, Kind, Ping, Pong
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy

# RFC 6455, 1.3, and the drafts from 04 on.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OTHER_NAME = {"Origin": "Sec-WebSocket-Origin", "Sec-WebSocket-Origin": "Origin"}
OPCODES_07 = {None: 0x0, Kind.TEXT: 0x1, Kind.BINARY: 0x2, Close: 0x8, Ping: 0x9, Pong: 0xA}


def accept_value(key: str) -> str:
    """The Sec-WebSocket-Accept for a Sec-WebSocket-Key: both are base64 (draft 04, 1.3, to RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class AcceptHandshake:
    """Sec-WebSocket-Key in, Sec-WebSocket-Accept out: drafts 05 to 17 and RFC 6455."""

    version: int
    origin_header: str
    """what the draft calls the origin; the other name counts when this one is missing"""
    key_bytes: int | None
    """how many bytes a key stands for; None: any number. ws 0.4 for Node, of 2011, makes keys of 15"""
    compression: bool
    """whether permessage-deflate may be agreed (RFC 7692, on RFC 6455 alone)"""

    def recognises(self, request: Request) -> bool:
        return request.headers.one("Sec-WebSocket-Version") == str(self.version)

    def answering(self, request: Request) -> Answering:
        return _Answering(self, request)

    def asking(self, offer: Offer, entropy: Entropy) -> Asking:
        return _Asking(self, offer, base64.b64encode(entropy(16)).decode("ascii"))

    def origin(self, headers: Headers) -> str | None:
        """The origin of a request. If both names stand there they may differ: ws 0.4 says Host in the other one."""
        named = headers.one(self.origin_header)
        return named if named is not None else headers.one(_OTHER_NAME[self.origin_header])


class _Answering:
    """The server's side of it."""

    challenge_bytes = 0

    def __init__(self, handshake: AcceptHandshake, request: Request) -> None:
        headers = request.headers
        if request.raw_target:
            raise HandshakeError("the target holds a byte above 7F")
        key = headers.one("Sec-WebSocket-Key")
        if key is None:
            raise HandshakeError("Sec-WebSocket-Version without Sec-WebSocket-Key")
        try:
            nonce = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            raise HandshakeError("Sec-WebSocket-Key is not base64") from None
        if not nonce or len(nonce) != (handshake.key_bytes or len(nonce)):
            raise HandshakeError(
                f"Sec-WebSocket-Key holds {len(nonce)} bytes, {handshake.key_bytes or 'some'} are needed"
            )
        names = headers.listed("Sec-WebSocket-Protocol")
        subprotocols = valid_subprotocols(names)
        if len(subprotocols) != len(names):
            raise HandshakeError("Sec-WebSocket-Protocol lists a name twice, or one that is not a token")
        self._key = key
        self.offer = Offer(
            target=request.target,
            host=headers.one("Host") or "",
            origin=handshake.origin(headers),
            subprotocols=subprotocols,
            extensions=_deflate_offers(headers) if handshake.compression else (),
            headers=end_to_end(headers),
        )

    def accept(self, answer: Answer) -> Response:
        items = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_value(self._key))]
        # An empty Sec-WebSocket-Protocol or -Extensions breaks Safari: no answer, no header.
        if answer.subprotocol is not None:
            items.append(("Sec-WebSocket-Protocol", answer.subprotocol))
        if answer.extensions:
            items.append(("Sec-WebSocket-Extensions", ", ".join(answer.extensions)))
        return Response(101, "Switching Protocols", Headers([*items, *answer.headers]))

    def proof(self, challenge: bytes) -> bytes:
        return b""


class _Asking:
    """The client's side of it."""

    challenge = b""
    proof_bytes = 0

    def __init__(self, handshake: AcceptHandshake, offer: Offer, key: str) -> None:
        self._key = key
        self._subprotocols = offer.subprotocols
        self._extensions = offer.extensions if handshake.compression else ()
        items = [
            ("Host", offer.host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", str(handshake.version)),
        ]
        if offer.origin is not None:
            items.append((handshake.origin_header, offer.origin))
        if offer.subprotocols:
            items.append(("Sec-WebSocket-Protocol", ", ".join(offer.subprotocols)))
        if self._extensions:
            items.append(("Sec-WebSocket-Extensions", ", ".join(self._extensions)))
        self.request = Request(offer.target, Headers([*items, *offer.headers]))

    def check(self, response: Response, proof: bytes) -> Answer:
        headers = response.headers
        try:
            check_switch(headers)
            accept = headers.one("Sec-WebSocket-Accept")
            subprotocol = headers.one("Sec-WebSocket-Protocol")
        except HandshakeError as error:
            raise HandshakeError(str(error), 502) from None
        if accept != accept_value(self._key):
            raise HandshakeError(f"Sec-WebSocket-Accept {accept!r} does not answer our key", 502)
        if subprotocol is not None and subprotocol not in self._subprotocols:
            raise HandshakeError(f"subprotocol {subprotocol!r}, which nobody offered", 502)
        extensions = tuple(headers.listed("Sec-WebSocket-Extensions"))
        offered = bool(self._extensions)
        if len(extensions) > 1 or any(not offered or _token(each) != "permessage-deflate" for each in extensions):
            raise HandshakeError(f"extensions {', '.join(extensions)!r}, which nobody offered", 502)
        return Answer(subprotocol, extensions, end_to_end(headers))


def _deflate_offers(headers: Headers) -> tuple[str, ...]:
    """The offers of permessage-deflate. None of its parameters holds a comma, so a list is cut at each."""
    return tuple(each for each in headers.listed("Sec-WebSocket-Extensions") if _token(each) == "permessage-deflate")


def _token(extension: str) -> str:
    return extension.partition(";")[0].strip().lower()


# Both drafts write the frames of RFC 6455.
FRAMES_07 = framing("hybi-07", FrameRules(numbers=OPCODES_07, close_codes=DRAFT_CODES, minimal_lengths=False))


def _draft(number: int, spoken_by: str) -> Dialect:
    handshake = AcceptHandshake(version=number, origin_header="Sec-WebSocket-Origin", key_bytes=None, compression=False)
    return Dialect(f"hybi-{number:02}", handshake, FRAMES_07, spoken_by)


DRAFTS = (
    _draft(7, "Firefox 6"),
    _draft(8, "Chrome 14 and 15, Firefox 7 to 10"),
)
