"""The bytes that peers send in their dialects, written by tests and not by the code under test.

A word is a kind and its payload: a whole text or binary message, the parts of a text in fragments (begin, more, end),
ping, pong, close. Every mask has the key of the drafts' example, 37 FA 21 3D.
"""

import hashlib

from tests.dialects.families import HIXIE
from tests.dialects.feeding import frame
from tests.dialects.layouts import LAYOUTS, Masked
from tests.dialects.vectors import MASK_KEY
from tests.masks import masked
from wsgateway.wire.events import Role

from .passing import SECRETS

Word = tuple[str, bytes]

_CLOSING_FRAMES = {"hixie-75": b"", "hixie-76": b"\xff\x00"}
# The bytes that begin and end the parts of a text, between 00 and FF.
_AROUND = {"text": (b"\0", b"\xff"), "begin": (b"\0", b""), "more": (b"", b""), "end": (b"", b"\xff")}
# The opcode of a frame, and whether the frame ends its message.
_FRAMES = {
    "begin": ("text", False), "more": ("more", False), "end": ("more", True), "text": ("text", True),
    "begin binary": ("binary", False), "binary": ("binary", True),
    "ping": ("ping", True), "pong": ("pong", True), "close": ("close", True),
}  # fmt: skip


def said(dialect: str, role: Role, *words: Word) -> bytes:
    """Return what a peer sends; `role` is ours towards it."""
    return _spelt(dialect, role is Role.SERVER, SECRETS[role], words)


def told(dialect: str, role: Role, *words: Word) -> bytes:
    """Return what we send to a peer; `role` is ours towards it."""
    return _spelt(dialect, role is Role.CLIENT, SECRETS[role], words)


def _spelt(dialect: str, masks: bool, secret: bytes, words: tuple[Word, ...]) -> bytes:
    if dialect in HIXIE:
        return b"".join(_delimited(dialect, *word) for word in words)
    return b"".join(_frame(dialect, masks, secret, *word) for word in words)


def _delimited(dialect: str, what: str, payload: bytes) -> bytes:
    if what == "close":
        return _CLOSING_FRAMES[dialect]
    before, behind = _AROUND[what]
    return before + payload + behind


def _frame(dialect: str, masks: bool, secret: bytes, what: str, payload: bytes) -> bytes:
    layout = LAYOUTS[dialect]
    first = layout.first(*_FRAMES[what])
    if not masks or layout.masked is Masked.NOTHING:
        return frame(first, payload)
    if layout.masked is Masked.PAYLOAD:
        return frame(first, payload, masked=True)
    key = hashlib.sha1(MASK_KEY + secret).digest() if layout.needs_secret else MASK_KEY
    return MASK_KEY + masked(frame(first, payload), key)
