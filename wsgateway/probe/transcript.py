"""What a probe shows: every byte that went over the wire, with its meaning beside it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping

# Enough to see a head, a mask and the first words.
MAX_BYTES_SHOWN = 24
MAX_CHARACTERS_SHOWN = 60
# A server that refuses may say why.
MAX_BODY_CHARACTERS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    direction: Literal[">", "<", "="]
    """sent, received, or a remark of ours"""
    text: str
    """a line of a head, bytes in hexadecimal, or the remark"""
    meaning: str = ""

    def __str__(self) -> str:
        return f"{self.direction} {self.text:<{3 * MAX_BYTES_SHOWN}} {self.meaning}".rstrip()


Show = Callable[[Line], None]


def exchange_lines(direction: Literal[">", "<"], data: bytes, behind: str) -> Iterator[Line]:
    """One side of a handshake: the lines of its head, and what stands behind it, by that name or as a body."""
    head, _, rest = data.partition(b"\r\n\r\n")
    refused = direction == "<" and not head.startswith(b"HTTP/1.1 101")
    if head:
        for line in head.split(b"\r\n"):
            yield Line(direction, _printable(line.decode("utf-8", "backslashreplace")))
        yield Line(direction, "")
    if rest:
        text = _printable(rest.decode(errors="replace").strip())[:MAX_BODY_CHARACTERS_SHOWN]
        yield Line(direction, hexadecimal(rest), f"{len(rest)} bytes, {f'a body: {text}' if refused else behind}")


def hexadecimal(data: bytes) -> str:
    """Bytes as people read them: the first of them, and how many there are if that is not all."""
    if len(data) <= MAX_BYTES_SHOWN:
        return data.hex(" ")
    return f"{data[: MAX_BYTES_SHOWN - 6].hex(' ')} ... ({len(data)} bytes)"


def describe(event: Event) -> str:
    """An event in words."""
    match event:
        case Fragment(kind=Kind.TEXT, data=data, final=final):
            text = _printable(data.decode(errors="replace"))
            shown = text if len(text) <= MAX_CHARACTERS_SHOWN else f"{text[:MAX_CHARACTERS_SHOWN]}..."
            return f'text "{shown}"' + ("" if final else " (to be continued)")
        case Fragment(data=data, final=final):
            return f"binary, {len(data)} bytes" + ("" if final else " (to be continued)")
        case Close():
            return f"close, {_printable(str(event))}"
        case _:
            return f"{'ping' if isinstance(event, Ping) else 'pong'}, {len(event.data)} bytes"


def _printable(text: str) -> str:
    """The text with its controls escaped: what a server says must not move the cursor of who reads it."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
