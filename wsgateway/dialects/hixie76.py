"""draft-hixie-thewebsocketprotocol-76, the same as draft-ietf-hybi-thewebsocketprotocol-00.

As hixie-75, but: an MD5 answers two keys in the head and 8 bytes after it, the names have the prefix Sec-, and FF 00
closes.
"""

import hashlib
import re
from dataclasses import dataclass

from wsgateway.dialects.base import CHALLENGE, PROOF, Answer, ClientHandshake, Dialect, Offer, ServerHandshake
from wsgateway.dialects.delimited import delimited_framing
from wsgateway.dialects.hixie75 import HixieClientHandshake, HixieNames, HixieServerHandshake
from wsgateway.errors import HttpRefusal, Reason
from wsgateway.wire.heads import Request, Response
from wsgateway.wire.masking import Entropy

NAMES_76 = HixieNames("WebSocket Protocol Handshake", "Sec-")
CHALLENGE_BYTES = 8
PROOF_BYTES = 16
MAX_KEY_CHARACTERS = 256
_MAX_NUMBER = 2**32 - 1
_VISIBLE = range(0x21, 0x7F)
# Section 4.1, step 17: the characters between the digits of a key; neither digits nor spaces.
_NOISE = [chr(code) for code in (*range(0x21, 0x30), *range(0x3A, 0x7F))]
_NO_DIGITS = re.compile("[^0-9]+")


def key_number(name: str, key: str) -> int:
    """Return the number in a key: its digits, divided by the number of its spaces (section 5.2, steps 4 to 6).

    Take all that stood after the colon and one space. Raise HttpRefusal (400) for a key that no client makes.
    """
    if len(key) > MAX_KEY_CHARACTERS:
        raise HttpRefusal(
            Reason.HANDSHAKE_MALFORMED, f"{name} has {len(key)} characters, at most {MAX_KEY_CHARACTERS} are allowed"
        )
    digits = _NO_DIGITS.sub("", key)
    spaces = key.count(" ")
    if not spaces:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"{name} has no space")
    if not digits:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"{name} has no digit")
    number, remainder = divmod(int(digits), spaces)
    if remainder:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"{name}: {digits} is not divisible by {spaces} spaces")
    if number > _MAX_NUMBER:
        raise HttpRefusal(Reason.HANDSHAKE_MALFORMED, f"{name} stands for {number}, at most {_MAX_NUMBER} is possible")
    return number


def proof_of(number1: int, number2: int, challenge: bytes) -> bytes:
    """Return the 16 bytes that answer a challenge (section 5.2, steps 7 to 9)."""
    joined = number1.to_bytes(4, "big") + number2.to_bytes(4, "big") + challenge
    return hashlib.md5(joined, usedforsecurity=False).digest()


class _Hixie76ServerHandshake(HixieServerHandshake):
    challenge_bytes = CHALLENGE_BYTES

    def __init__(self, request: Request) -> None:
        super().__init__(request, NAMES_76)
        self._numbers = [key_number(name, request.headers.raw(name) or "") for name in _KEYS]
        # WebKit sends Protocol before the keys. web-socket-js (Flash) sends it after them, and wants one member back.
        at, key2 = request.headers.index(NAMES_76.header("Protocol")), request.headers.index(_KEYS[1])
        self._wants_member = at is not None and key2 is not None and at > key2

    def _subprotocol(self, requested: str, answer: Answer) -> str:
        whole = super()._subprotocol(requested, answer)
        return answer.subprotocol if self._wants_member and answer.subprotocol is not None else whole

    def proof(self, challenge: bytes) -> bytes:
        number1, number2 = self._numbers
        return proof_of(number1, number2, challenge)


class _Hixie76ClientHandshake(HixieClientHandshake):
    proof_bytes = PROOF_BYTES

    def __init__(self, draft: int, offer: Offer, entropy: Entropy) -> None:
        self._draft = draft
        self.is_hixie = not draft
        self._keys = [make_key(entropy) for _ in _KEYS]
        self.challenge = make_challenge(entropy)
        super().__init__(offer, NAMES_76)

    def keys(self) -> list[tuple[str, str]]:
        keys = [(name, key) for name, (key, _) in zip(_KEYS, self._keys, strict=True)]
        return [*keys, (_DRAFT, str(self._draft))] if self._draft else keys

    def notes(self) -> dict[str, str]:
        notes = super().notes()
        (_, number1), (_, number2) = self._keys
        for name, (key, number) in zip(_KEYS, self._keys, strict=True):
            spaces = key.count(" ")
            notes[name.lower()] = f"its digits, {number * spaces}, by its spaces, {spaces}: {number}"
        notes[CHALLENGE] = "8 random characters"
        notes[PROOF] = (
            f"MD5 of {number1} and {number2}, in 4 bytes each, and the challenge:"
            f" {proof_of(number1, number2, self.challenge).hex(' ')} is right"
        )
        notes[_DRAFT.lower()] = "frames of this draft, and not those of hixie-76"
        return notes

    def check(self, response: Response, proof: bytes) -> Answer:
        answer = super().check(response, proof)
        (_, number1), (_, number2) = self._keys
        if proof != proof_of(number1, number2, self.challenge):
            raise HttpRefusal(
                Reason.TARGET_HANDSHAKE_WRONG, f"the 16 bytes {proof.hex(' ')} do not answer our challenge"
            )
        return answer


def make_key(entropy: Entropy) -> tuple[str, int]:
    """Return a key and its number (section 4.1, steps 16 to 23)."""

    def below(bound: int) -> int:
        return int.from_bytes(entropy(8), "big") % bound

    spaces = 1 + below(12)
    number = below(_MAX_NUMBER // spaces + 1)
    key = list(str(number * spaces))
    for _ in range(1 + below(12)):
        key.insert(below(len(key) + 1), _NOISE[below(len(_NOISE))])
    for _ in range(spaces):
        key.insert(1 + below(len(key) - 1), " ")  # not at either end, where a header parser would trim it
    return "".join(key), number


def make_challenge(entropy: Entropy) -> bytes:
    """Return the 8 bytes after the head of a request (section 4.1, step 26), each from 21 to 7E.

    The draft allows any bytes, but has visible ASCII in all of its examples. Servers rely on that: some read them as a
    line and strip white space, start again at LF, or end at NUL.
    """
    return bytes(_VISIBLE[(byte - _VISIBLE[0]) % len(_VISIBLE)] for byte in entropy(CHALLENGE_BYTES))


_KEYS = ("Sec-WebSocket-Key1", "Sec-WebSocket-Key2")
_DRAFT = "Sec-WebSocket-Draft"


@dataclass(frozen=True)
class KeysHandshake:
    """A handshake with two keys and no version: hixie-76, and the drafts 01 to 03 of hybi, which send their number."""

    draft: int
    """the number in Sec-WebSocket-Draft; 0 is hixie-76, whose clients need not send it"""
    version = None

    def recognises(self, request: Request) -> bool:
        headers = request.headers
        if "Sec-WebSocket-Version" in headers or not all(name in headers for name in _KEYS):
            return False
        draft = headers.one(_DRAFT)
        return ("0" if draft is None else draft) == str(self.draft)

    def server(self, request: Request, entropy: Entropy) -> ServerHandshake:
        return _Hixie76ServerHandshake(request)

    def client(self, offer: Offer, entropy: Entropy) -> ClientHandshake:
        return _Hixie76ClientHandshake(self.draft, offer, entropy)


HIXIE76 = Dialect(
    name="hixie-76",
    handshake=KeysHandshake(draft=0),
    framing=delimited_framing("hixie-76", closing_frame=b"\xff\x00"),
    spoken_by="Chrome 6 to 13, Safari 5, iOS 4.2 to 5, Firefox 4, Opera 11, PhantomJS 1, TV sets of 2010 to 2013",
)
