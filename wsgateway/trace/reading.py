"""The bytes of one direction of a connection, read for people: heads without secrets, and frames part by part."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wsgateway.dialects.base import Dissector, Part
from wsgateway.trace.secrets import concealed
from wsgateway.trace.transcript import Direction, Line, exchange_lines, hexadecimal, part_line

# Oddities that clients may have: lines that end in LF alone, and empty lines before a request.
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_EMPTY_LINES = re.compile(rb"(?:\r?\n)*")
# What is kept of a direction until its meaning is known. A head has 16 KiB at most, unless the file allows more.
MOST_KEPT_BYTES = 64 * 1024


Section = Literal["head", "proof", "frames", "rest"]
"""what bytes belong to: a head, the challenge or proof behind it, frames, or none of these: a body, half a head"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one direction, without secrets, and the lines about them."""

    belongs_to: Section
    data: bytes
    lines: list[Line]


class Reading:
    """A reading of one direction, from its first byte on: heads at first, and frames after `begin_frames`."""

    __slots__ = ("_direction", "_dissector", "_heads_ended", "_kept", "_payload_bytes", "_query_names")

    def __init__(self, direction: Direction, payload_bytes: int, query_names: Iterable[str] = ()) -> None:
        """Show at most `payload_bytes` of a piece of payload; `query_names` are the secrets in the query of a URL."""
        self._direction = direction
        self._payload_bytes = payload_bytes
        self._query_names = tuple(query_names)
        self._dissector: Dissector | None = None
        self._kept = b""  # a head that is not whole, or what has come after the heads
        self._heads_ended = False

    def feed(self, data: bytes) -> list[Piece]:
        """Return the pieces that can be told from any bytes."""
        if self._dissector is not None:
            return [Piece("frames", data, self._part_lines(self._dissector.feed(data)))]
        self._kept += data
        pieces = []
        while not self._heads_ended and (head := _first_head(self._kept)):
            self._kept = self._kept[len(head) :]
            # A server may send interim responses before its answer.
            self._heads_ended = not head.startswith(b"HTTP/1.1 1") or head.startswith(b"HTTP/1.1 101")
            head = concealed(head, self._query_names)
            plain = _LINE_END.sub(b"\r\n", head[_begin_of(head) :])
            pieces.append(Piece("head", head, list(exchange_lines(self._direction, plain, "", {}))))
        self._kept = self._kept[:MOST_KEPT_BYTES]
        return pieces

    def begin_frames(self, dissector: Dissector, early: bytes, name: str) -> list[Piece]:
        """Return the pieces of what came after the head.

        All bytes from `early` on are frames; those before it are the challenge or the proof, as `name` says.
        """
        proof, self._kept = self._kept.removesuffix(early), b""
        if proof and not self._heads_ended:  # a head of which too little was kept
            self._kept, pieces = proof, []
            pieces = self.finish()
        else:
            pieces = [Piece("proof", proof, [Line(self._direction, hexadecimal(proof), name)])] if proof else []
        self._dissector = dissector
        return pieces + self.feed(early) if early else pieces

    def finish(self) -> list[Piece]:
        """Return the pieces of what is still kept, at the end of the stream."""
        if self._dissector is not None:
            lines = self._part_lines(self._dissector.finish())
            return [Piece("frames", b"", lines)] if lines else []
        kept, self._kept = self._kept, b""
        if not kept:
            return []
        what = "a body" if self._heads_ended else "a head that is not whole"
        line = Line(self._direction, "", f"{len(kept)} bytes, {what}")
        return [Piece("rest", kept if self._heads_ended else concealed(kept, self._query_names), [line])]

    def _part_lines(self, parts: Iterable[Part]) -> list[Line]:
        return [part_line(self._direction, self._limited(part)) for part in parts]

    def _limited(self, part: Part) -> Part:
        """Return a part without what may not be shown of its payload."""
        if not part.brief or len(part.data) <= self._payload_bytes:
            return part
        if not self._payload_bytes:
            return Part(b"", part.brief)
        return Part(part.data[: self._payload_bytes], part.brief)


def _first_head(data: bytes) -> bytes:
    """Return the head with which bytes begin, with its end; nothing as long as it is not whole."""
    end = _END_OF_HEAD.search(data, _begin_of(data))
    return data[: end.end()] if end else b""


def _begin_of(data: bytes) -> int:
    """Return where the first line begins that is not empty."""
    empty = _EMPTY_LINES.match(data)
    return empty.end() if empty else 0
