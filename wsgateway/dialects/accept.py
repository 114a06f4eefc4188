"""The handshake of the hybi drafts from 04 on, and of RFC 6455, 4: the server proves that it has read a random key.

Accept = base64(SHA-1(key + GUID)). The drafts differ in the version number and in the name of the origin header; in
draft 04 the server also sends a nonce. Each is a row in `hybi`.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from wsgateway.dialects.base import Answer, ClientHandshake, Offer, ServerHandshake
from wsgateway.dialects.upgrade import check_switch, end_to_end, listed_subprotocols
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.heads import Headers, Request, Response
from wsgateway.wire.masking import Entropy
from wsgateway.wire.oddities import Oddity

# RFC 6455, 1.3, and the drafts from 04 on.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OTHER_NAME = {"Origin": "Sec-WebSocket-Origin", "Sec-WebSocket-Origin": "Origin"}
# Draft 04, 4.3.
_MASKING_GUID = b"61AC5F19-FBBA-4540-B96F-6561F1AB40A8"
_NONCE = "Sec-WebSocket-Nonce"
# The proof is that the server repeats the key in the accept value. The form of the key does not matter for that.
_KEY = re.compile(r"[!-~]{1,256}")


def accept_value(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key, both base64 (draft 04, 1.3, to RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()).decode("ascii")


def masking_secret(key: str, nonce: str) -> bytes:
    """Return the 20 bytes from which draft 04 makes its masks (4.3). Both values are taken as sent, not decoded."""
    joined = key.encode("latin-1") + nonce.encode("latin-1") + _MASKING_GUID
    return hashlib.sha1(joined, usedforsecurity=False).digest()


@dataclass(frozen=True, kw_only=True)
class AcceptHandshake:
    """A handshake with Sec-WebSocket-Key and Sec-WebSocket-Accept: hybi drafts from 04 on, and RFC 6455."""

    version: int
    origin_header: str
    """the draft's name for the origin; the other name is used when this one is missing"""
    key_bytes: int | None
    """how many bytes a key encodes; None: any number, because ws 0.4 for Node, of 2011, makes keys of 15"""
    compression: bool
    """whether permessage-deflate may be agreed (RFC 7692, with RFC 6455 alone)"""
    nonce: bool = False
    """whether the server adds 16 random bytes for the masks (draft 04 alone)"""

    def recognises(self, request: Request) -> bool:
        return request.headers.one("Sec-WebSocket-Version") == str(self.version)

    def server(self, request: Request, entropy: Entropy) -> ServerHandshake:
        return _HybiServerHandshake(self, request, _random(entropy) if self.nonce else "")

    def client(self, offer: Offer, entropy: Entropy) -> ClientHandshake:
        return _HybiClientHandshake(self, offer, _random(entropy))

    def origin(self, headers: Headers) -> str | None:
        """Return the origin of a request. With both names the values may differ: ws 0.4 sends the host in the other."""
        named = headers.one(self.origin_header)
        return named if named is not None else headers.one(_OTHER_NAME[self.origin_header])


class _HybiServerHandshake:
    """The server's side of this handshake."""

    challenge_bytes = 0

    def __init__(self, handshake: AcceptHandshake, request: Request, nonce: str) -> None:
        headers = request.headers
        key = headers.one("Sec-WebSocket-Key")
        if key is None:
            raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, "Sec-WebSocket-Version without Sec-WebSocket-Key")
        if not _KEY.fullmatch(key):
            raise HttpRefusal(
                Reason.HANDSHAKE_MALFORMED,
                f"Sec-WebSocket-Key has {len(key)} characters, 1 to 256 that are visible are possible",
            )
        if not _is_key(key, handshake.key_bytes):
            wrong = HttpRefusal(
                Reason.HANDSHAKE_MALFORMED, f"Sec-WebSocket-Key is not base64 of {handshake.key_bytes or 'any'} bytes"
            )
            request.oddities.need(Oddity.KEY_FORM, wrong)
        self._key = key
        self._nonce = nonce
        self.secret = masking_secret(key, nonce) if nonce else b""
        self.offer = Offer(
            target=request.target,
            host=headers.one("Host") or "",
            origin=handshake.origin(headers),
            subprotocols=listed_subprotocols(headers, request.oddities),
            extensions=_deflate_offers(headers) if handshake.compression else (),
            headers=end_to_end(headers),
        )

    def accept(self, answer: Answer) -> Response:
        items = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_value(self._key))]
        if self._nonce:
            items.append((_NONCE, self._nonce))
        # An empty Sec-WebSocket-Protocol or -Extensions breaks Safari: without an answer there is no header.
        if answer.subprotocol is not None:
            items.append(("Sec-WebSocket-Protocol", answer.subprotocol))
        if answer.extensions:
            items.append(("Sec-WebSocket-Extensions", ", ".join(answer.extensions)))
        return Response(101, "Switching Protocols", Headers([*items, *answer.headers]))

    def proof(self, challenge: bytes) -> bytes:
        return b""


class _HybiClientHandshake:
    """The client's side of this handshake."""

    challenge = b""
    proof_bytes = 0
    secret = b""

    def __init__(self, handshake: AcceptHandshake, offer: Offer, key: str) -> None:
        self._key = key
        self._nonce = handshake.nonce
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

    def notes(self) -> dict[str, str]:
        notes = {
            "sec-websocket-key": "16 random bytes, in base64",
            "sec-websocket-version": "the dialect",
            "sec-websocket-accept": "the proof, SHA-1 of the key and "
            f"{_GUID.decode()}, in base64: {accept_value(self._key)} is right",
            "sec-websocket-protocol": "what we offered, and one of it in the answer",
        }
        if self._nonce:
            notes[_NONCE.lower()] = (
                f"our masks come from SHA-1 of the key, this and {_MASKING_GUID.decode()}, and 4 bytes a frame"
            )
        return notes

    def check(self, response: Response, proof: bytes) -> Answer:
        headers = response.headers
        try:
            check_switch(headers)
            accept = headers.one("Sec-WebSocket-Accept")
            # pywebsocket of draft 04 sends an empty one when there is none.
            subprotocol = headers.one("Sec-WebSocket-Protocol") or None
            nonce = headers.one(_NONCE)
        except HttpRefusal as error:
            raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, str(error)) from None
        if accept != accept_value(self._key):
            raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, f"Sec-WebSocket-Accept {accept!r} does not answer our key")
        if subprotocol is not None and subprotocol not in self._subprotocols:
            raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, f"subprotocol {subprotocol!r}, which was not offered")
        extensions = tuple(headers.listed("Sec-WebSocket-Extensions"))
        offered = bool(self._extensions)
        if len(extensions) > 1 or any(not offered or _token(each) != "permessage-deflate" for each in extensions):
            raise HttpRefusal(
                Reason.TARGET_HANDSHAKE_WRONG, f"extensions {', '.join(extensions)!r}, which were not offered"
            )
        if self._nonce:
            if not nonce:
                raise HttpRefusal(Reason.TARGET_HANDSHAKE_WRONG, f"no {_NONCE}, without which nothing can be masked")
            self.secret = masking_secret(self._key, nonce)
        return Answer(subprotocol, extensions, end_to_end(headers))


def _is_key(key: str, size: int | None) -> bool:
    """Return whether a key is base64 of `size` bytes; with None, of any number of bytes but 0."""
    try:
        random = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(random) == size if size is not None else bool(random)


def _random(entropy: Entropy) -> str:
    """Return 16 random bytes in base64, the form of keys and nonces."""
    return base64.b64encode(entropy(16)).decode("ascii")


def _deflate_offers(headers: Headers) -> tuple[str, ...]:
    """Return the offers of permessage-deflate. Its parameters contain no comma, so the list is cut at every comma."""
    return tuple(each for each in headers.listed("Sec-WebSocket-Extensions") if _token(each) == "permessage-deflate")


def _token(extension: str) -> str:
    return extension.partition(";")[0].strip().lower()
