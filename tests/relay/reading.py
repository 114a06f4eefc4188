"""A reader of the frames that are sent to a target, without our code: it uses the layouts of the vectors, and for RFC
6455 the library websockets."""

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from websockets.frames import Frame as Websockets
from websockets.streams import StreamReader

from tests.dialects.families import HIXIE
from tests.dialects.layouts import LAYOUTS, Masked
from tests.masks import masked as unmasked
from wsgateway.wire.events import Role

from .passing import SECRETS


class Frame(NamedTuple):
    """A frame, or a text of hixie."""

    opcode: str
    """text, binary, more, ping, pong or close"""
    final: bool
    payload: bytes


def frames_of(dialect: str, role: Role, data: bytes) -> tuple[list[Frame], bytes]:
    """Return the frames that a target gets from us, and the beginning of a cut one; `role` is ours towards it."""
    if dialect in HIXIE:
        return _texts(data)
    if dialect == "rfc6455":
        return _read_by_websockets(data, masked=role is Role.CLIENT)
    frames: list[Frame] = []
    at = 0
    while (found := _frame(dialect, role, data[at:])) is not None:
        frame, size = found
        frames.append(frame)
        at += size
    return frames, data[at:]


def _texts(data: bytes) -> tuple[list[Frame], bytes]:
    *whole, rest = data.split(b"\xff")
    assert all(text.startswith(b"\0") for text in whole), data
    return [Frame("text", True, text[1:]) for text in whole], rest


def _read_by_websockets(data: bytes, *, masked: bool) -> tuple[list[Frame], bytes]:
    reader = StreamReader()
    reader.feed_data(data)
    frames: list[Frame] = []
    rest = data
    names = {0: "more", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
    while rest:
        parsing = Websockets.parse(reader.read_exact, mask=masked)
        try:
            next(parsing)
        except StopIteration as parsed:
            frame: Websockets = parsed.value
            frames.append(Frame(names[frame.opcode], frame.fin, bytes(frame.data)))
            rest = bytes(reader.buffer)
        else:
            break
    return frames, rest


def _frame(dialect: str, role: Role, data: bytes) -> tuple[Frame, int] | None:
    """Return the first frame and its size in bytes; None if it is incomplete."""
    layout = LAYOUTS[dialect]
    masks = role is Role.CLIENT
    covered = masks and layout.masked is Masked.FRAME
    masked = masks and layout.masked is Masked.PAYLOAD
    if len(data) < (6 if covered else 2):
        return None
    plain, front = data, 0
    if covered:
        key = data[:4]
        if layout.needs_secret:
            key = hashlib.sha1(key + SECRETS[role]).digest()
        plain, front = unmasked(data[4:], key), 4
    first, second = plain[0], plain[1]
    assert bool(second & 0x80) is masked
    length, body = second & 0x7F, 2
    if length > 125:
        size = 2 if length == 126 else 8
        length, body = int.from_bytes(plain[2 : 2 + size]), 2 + size
    key_bytes = 4 if masked else 0
    stop = body + key_bytes + length
    if len(plain) < stop:
        return None
    payload = plain[body + key_bytes : stop]
    if masked:
        payload = unmasked(payload, plain[body : body + 4])
    opcode = {number: name for name, number in layout.numbers.items()}[first & 0x0F]
    return Frame(opcode, bool(first & 0x80) is layout.first_bit_ends, payload), front + stop


# -- what becomes of the bytes of a message, by Python's own means -----------------------------------------------------

Convert = Callable[[bytes, bool], bytes]
"""takes the received bytes of a message, and whether they are all of it; returns the converted bytes"""


def expected_frames(kind: str, fragments: list[bytes], convert: Convert) -> Iterator[Frame]:
    """Return the frames of a message that keeps its fragments: none is empty unless it came empty."""
    came = left = b""
    written = 0
    opcode = kind
    for number, fragment in enumerate(fragments, 1):
        final = number == len(fragments)
        came += fragment
        left += fragment
        becomes = convert(came, final)
        if left and not becomes[written:] and not final:
            continue
        yield Frame(opcode, final, becomes[written:])
        written, left, opcode = len(becomes), b"", "more"
