"""draft-hixie-thewebsocketprotocol-76, the same as draft-ietf-hybi-thewebsocketprotocol-00.

As hixie-75, but: two keys in the head and 8 bytes behind it are answered by an MD5, the names are prefixed by Sec-,
and FF 00 closes.
"""

import hashlib
import re

from wsgateway.dialects.base import Answer, Answering, Asking, Dialect, Offer
from wsgateway.dialects.hixie75 import HixieAnswering, HixieAsking, Names, delimited_framing
from wsgateway.errors import HandshakeError
from wsgateway.wire.heads import Request, Response
from wsgateway.wire.masking import Entropy

NAMES_76 = Names("WebSocket Protocol Handshake", "Sec-")
CHALLENGE_BYTES = 8
PROOF_BYTES = 16
MAX_KEY_CHARACTERS = 256
_MAX_NUMBER = 2**32 - 1
# Section 4.1, step 17: what may stand between the digits of a key; neither a digit nor a space.
_NOISE = [chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x7F))]


def key_number(name: str, key: str) -> int:
    """The number in a key (section 5.2, steps 4 to 6): its digits, divided by how many spaces it has.

    Takes all that stood behind the colon and one space. Raises HandshakeError (400) for a key that no client makes.
    """
    if len(key) > MAX_KEY_CHARACTERS:
        raise HandshakeError(f"{name} has {len(key)} characters, at most {MAX_KEY_CHARACTERS} are allowed")
    digits = re.sub("[^0-9]", "", key)
    spaces = key.count(" ")
    if not spaces:
        raise HandshakeError(f"{name} has no space")
    if not digits:
        raise HandshakeError(f"{name} has no digit")
    number, remainder = divmod(int(digits), spaces)
    if remainder:
        raise HandshakeError(f"{name}: {digits} is not divisible by {spaces} spaces")
    if number > _MAX_NUMBER:
        raise HandshakeError(f"{name} stands for {number}, at most {_MAX_NUMBER} is possible")
    return number


def proof_of(number1: int, number2: int, challenge: bytes) -> bytes:
    """The 16 bytes that answer a challenge (section 5.2, steps 7 to 9)."""
    joined = number1.to_bytes(4, "big") + number2.to_bytes(4, "big") + challenge
    return hashlib.md5(joined, usedforsecurity=False).digest()


class _Answering(HixieAnswering):
    challenge_bytes = CHALLENGE_BYTES

    def __init__(self, request: Request) -> None:
        super().__init__(request, NAMES_76)
        self._numbers = [key_number(name, request.headers.raw(name) or "") for name in _KEYS]
        # WebKit sends Protocol before the keys; web-socket-js (Flash) behind them, and wants one member of its list.
        at, key2 = request.headers.index(NAMES_76.header("Protocol")), request.headers.index(_KEYS[1])
        self._wants_member = at is not None and key2 is not None and at > key2

    def _subprotocol(self, asked: str, answer: Answer) -> str:
        whole = super()._subprotocol(asked, answer)
        return answer.subprotocol if self._wants_member and answer.subprotocol is not None else whole

    def proof(self, challenge: bytes) -> bytes:
        number1, number2 = self._numbers
        return proof_of(number1, number2, challenge)


class _Asking(HixieAsking):
    proof_bytes = PROOF_BYTES

    def __init__(self, offer: Offer, entropy: Entropy) -> None:
        self._keys = [make_key(entropy) for _ in _KEYS]
        self.challenge = entropy(CHALLENGE_BYTES)
        super().__init__(offer, NAMES_76)

    def keys(self) -> list[tuple[str, str]]:
        return [(name, key) for name, (key, _) in zip(_KEYS, self._keys, strict=True)]

    def check(self, response: Response, proof: bytes) -> Answer:
        answer = super().check(response, proof)
        (_, number1), (_, number2) = self._keys
        if proof != proof_of(number1, number2, self.challenge):
            raise HandshakeError(f"the 16 bytes {proof.hex(' ')} do not answer our challenge", 502)
        return answer


def make_key(entropy: Entropy) -> tuple[str, int]:
    """A key and its number (section 4.1, steps 16 to 23)."""

    def below(bound: int) -> int:
        return int.from_bytes(entropy(8), "big") % bound

    spaces = 1 + below(12)
    number = below(_MAX_NUMBER // spaces + 1)
    key = list(str(number * spaces))
    for _ in range(1 + below(12)):
        key.insert(below(len(key) + 1), _NOISE[below(len(_NOISE))])
    for _ in range(spaces):
        key.insert(1 + below(len(key) - 1), " ")  # not at either end, where a parser of headers would trim it
    return "".join(key), number


_KEYS = ("Sec-WebSocket-Key1", "Sec-WebSocket-Key2")


class Hixie76Handshake:
    """Two keys, and no version. Some clients say that they are draft 0 of hybi."""

    version = None

    def recognises(self, request: Request) -> bool:
        headers = request.headers
        return (
            all(name in headers for name in _KEYS)
            and "Sec-WebSocket-Version" not in headers
            and headers.one("Sec-WebSocket-Draft") in (None, "0")
        )

    def answering(self, request: Request) -> Answering:
        return _Answering(request)

    def asking(self, offer: Offer, entropy: Entropy) -> Asking:
        return _Asking(offer, entropy)


HIXIE76 = Dialect(
    name="hixie-76",
    handshake=Hixie76Handshake(),
    framing=delimited_framing("hixie-76", closing_frame=b"\xff\x00"),
    spoken_by="Chrome 6 to 13, Safari 5, iOS 4.2 to 5, Firefox 4, Opera 11, PhantomJS 1, TV sets of 2010 to 2013",
)
