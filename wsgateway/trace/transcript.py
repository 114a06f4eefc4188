"""The lines of a transcript: every byte that was sent and received, with its meaning."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from wsgateway.dialects.base import Dissector, Part

# Enough for the head of a frame, a mask and the first words.
MAX_BYTES_SHOWN = 24
MAX_CHARACTERS_SHOWN = 160
# A server that refuses may send a reason.
MAX_BODY_CHARACTERS_SHOWN = 200

Direction = Literal[">", "<", "="]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    direction: Direction
    """to the server, from the server, or a remark that belongs to no bytes"""
    text: str
    """a line of a head, bytes in hexadecimal, or the remark"""
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.direction} {self.text:<{3 * MAX_BYTES_SHOWN}} {self.meaning}".rstrip()


Show = Callable[[Line], None]


def exchange_lines(direction: Direction, data: bytes, behind: str, notes: Mapping[str, str]) -> Iterator[Line]:
    """Yield the lines of one side of a handshake: those of its head, and the bytes after it under a name.

    The notes are those of `ClientHandshake`: the meaning of a header, by its name.
    """
    head, rest, interim = b"", data, True
    while interim and rest:
        head, end, rest = rest.partition(b"\r\n\r\n")
        # A server may send interim responses before its answer.
        interim = head.startswith(b"HTTP/1.1 1") and not head.startswith(b"HTTP/1.1 101")
        for line in head.removesuffix(b"\r\n").split(b"\r\n"):
            name = line.partition(b":")[0].decode("latin-1").lower()
            yield Line(direction, printable(line.decode("utf-8", "backslashreplace")), printable(notes.get(name, "")))
        if end:
            yield Line(direction, "")
    refused = direction == "<" and not head.startswith(b"HTTP/1.1 101")
    if rest and refused:
        text = printable(rest.decode(errors="replace").strip())[:MAX_BODY_CHARACTERS_SHOWN]
        yield Line(direction, hexadecimal(rest), f"{len(rest)} bytes, a body: {text}")
    elif rest:
        yield Line(direction, hexadecimal(rest), f"{behind}: {notes.get(behind, f'{len(rest)} bytes')}")


def frame_lines(direction: Direction, data: bytes, dissector: Dissector) -> Iterator[Line]:
    """Yield the frames of one side, part by part."""
    return (part_line(direction, part) for part in dissector.feed(data))


def rest_lines(direction: Direction, dissector: Dissector) -> Iterator[Line]:
    """Yield the incomplete bytes of a side at the end."""
    return (part_line(direction, part) for part in dissector.finish())


def part_line(direction: Direction, part: Part) -> Line:
    """Return the line of a part of a frame."""
    meaning = printable(part.meaning)
    cut = f"{meaning[:MAX_CHARACTERS_SHOWN]}..." if len(meaning) > MAX_CHARACTERS_SHOWN else meaning
    return Line(direction, hexadecimal(part.data), cut)


def hexadecimal(data: bytes) -> str:
    """Return bytes as people read them: the first of them, and their number if there are more."""
    if len(data) <= MAX_BYTES_SHOWN:
        return data.hex(" ")
    return f"{data[: MAX_BYTES_SHOWN - 6].hex(' ')} ... ({len(data)} bytes)"


def printable(text: str) -> str:
    """Return the text with its control characters escaped, so that a server cannot move the reader's cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
