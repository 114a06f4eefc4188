"""The recording of one session: a file with a line of JSON for each thing that happened, in the order of time.

    {"recording": 1, "session": "1.7", "began": 1764540000.25, "client": "192.0.2.7:50123", "dialect": "hixie-76"}
    {"at": 0.0, "peer": "client", "way": ">", "of": "head", "data": "R0VUIC9jaGF0IEhUVFAvMS4x..."}
    {"at": 0.004, "peer": "client", "framing": "hixie-76"}
    {"at": 9.4, "peer": "client", "way": ">", "of": "end", "data": ""}
    {"at": 9.5, "by": "client", "reason": "closed", "why": "close 1000"}

`at` is in seconds since the session began; `way` is > to the server and < from it; `data` is base64. Heads have no
secrets, but the payload of messages is there. Unknown keys and lines are passed over, so that newer files can be read.
"""

import base64
import binascii
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from wsgateway.dialects import DIALECTS
from wsgateway.dialects.base import Framing
from wsgateway.errors import RecordingError
from wsgateway.trace.traces import PEERS, Item

VERSION = 1
# The end of a session and the last line are written even if the file is full.
MOST_FILE_BYTES = 16 * 1024 * 1024
# What is longer is no line of a recording, which has the bytes of one read.
_MOST_LINE_CHARACTERS = 16 * 1024 * 1024
# The lines of a session for people are not in its file: they can be made from the bytes.
_NOT_WRITTEN = frozenset({"line", "lost"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes on the wire."""

    at: float
    way: str
    belongs_to: str
    data: bytes


@dataclass(slots=True)
class Connection:
    """The bytes that went over the connection of the gateway with one peer."""

    chunks: list[Chunk] = field(default_factory=list)
    framing: Framing | None = None
    """None: it was refused"""
    secret: bytes = b""

    def bytes_of(self, belongs_to: str, way: str) -> bytes:
        """Return all bytes of one direction that belong to a head, to a proof or to frames."""
        return b"".join(each.data for each in self.chunks if (each.belongs_to, each.way) == (belongs_to, way))

    def heads(self, way: str) -> list[bytes]:
        """Return the heads of one direction, each with its end: several, if there were interim responses."""
        return [each.data for each in self.chunks if (each.belongs_to, each.way) == ("head", way)]

    def head(self, way: str) -> tuple[str, list[tuple[str, str]]]:
        """Return the first line of the last head of one direction, and its headers, also of one that breaks rules."""
        last = self.heads(way)[-1:]
        first, *lines = b"".join(last).decode("latin-1").lstrip("\r\n").split("\n")
        parted = (line.partition(":") for line in lines)
        return first.rstrip("\r"), [(name.strip(), value.strip()) for name, colon, value in parted if colon]

    @property
    def extensions(self) -> str:
        """The extensions that the server has accepted, which change the payload of frames, as deflate does."""
        return ", ".join(value for name, value in self.head("<")[1] if name.lower() == "sec-websocket-extensions")


@dataclass(slots=True)
class Recording:
    """A recorded session."""

    facts: dict[str, Any]
    """the first line"""
    connections: dict[str, Connection]
    """of the client, and of the upstream"""
    end: dict[str, Any]
    """who ended the session, the reason, and a text; empty: the recording ends before"""
    whole: bool = True
    """whether nothing is missing"""


class Recorder:
    """A writer of files in a directory, one for each session."""

    def __init__(self, folder: Path) -> None:
        """Make the directory, if it is missing. Raise OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, tuple[Path, IO[str]]] = {}

    def take(self, item: Item) -> Path | None:
        """Write an item of a trace. Return the file if it is complete. Raise OSError."""
        session = str(item.get("session", ""))
        if item["kind"] == "session":
            self._begin(session, item)
        found = self._files.get(session)
        if found is None or item["kind"] == "session" or item["kind"] in _NOT_WRITTEN:
            return None
        path, file = found
        line = {name: value for name, value in item.items() if name not in ("kind", "session")}
        if item["kind"] == "end":
            _write(file, line)
            self._close(session)
            return path
        if file.tell() + len(str(item.get("data", ""))) < MOST_FILE_BYTES:
            _write(file, line)
        else:
            _write(file, {"at": item["at"], "full": True})
            del self._files[session]
            file.close()
            return path
        return None

    def lost(self) -> None:
        """Note in all open files that something is missing."""
        for _, file in self._files.values():
            _write(file, {"lost": True})

    def close(self) -> list[Path]:
        """Close all files, and return those of sessions that go on."""
        paths = [path for path, _ in self._files.values()]
        for session in list(self._files):
            self._close(session)
        return paths

    def _begin(self, session: str, item: Item) -> None:
        path = self._folder / f"{session}-{item.get('dialect') or 'unknown'}.jsonl"
        number = 1
        while path.exists():  # of another run of the gateway
            number += 1
            path = self._folder / f"{session}-{item.get('dialect') or 'unknown'}-{number}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # others may not read what users write
        file = os.fdopen(descriptor, "w", encoding="utf-8")
        self._files[session] = path, file
        facts = {name: value for name, value in item.items() if name not in ("kind", "at")}
        _write(file, {"recording": VERSION, **facts})

    def _close(self, session: str) -> None:
        _, file = self._files.pop(session)
        file.close()


def _write(file: IO[str], line: dict[str, Any]) -> None:
    file.write(json.dumps(line) + "\n")


def read(path: Path) -> Recording:
    """Return a recording. Raise RecordingError if the file is none, with the line, and OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = _lines(path, file)
        facts = next(lines, None)
        if facts is None or facts.get("recording") != VERSION:
            raise RecordingError(f"{path}: no recording of version {VERSION}, as `wsgateway trace --record` makes it")
        found = Recording(facts, {peer: Connection() for peer in PEERS}, {})
        for line in lines:
            connection = found.connections.get(str(line.get("peer")))
            if "reason" in line or "by" in line:
                found.end = line
            elif "lost" in line or "full" in line:
                found.whole = False
            elif connection is not None and "framing" in line:
                connection.framing = _framing(path, str(line["framing"]))
                connection.secret = _secret(path, str(line.get("secret", "")))
            elif connection is not None and "data" in line:
                connection.chunks.append(_chunk(path, line))
        return found


def _lines(path: Path, file: IO[str]) -> Iterator[dict[str, Any]]:
    for number, text in enumerate(iter(lambda: file.readline(_MOST_LINE_CHARACTERS), ""), 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise RecordingError(f"{path}:{number}: this is no object of JSON on one line")
        yield line


def _chunk(path: Path, line: dict[str, Any]) -> Chunk:
    try:
        data = base64.b64decode(line["data"], validate=True)
        return Chunk(float(line["at"]), str(line["way"]), str(line["of"]), data)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise RecordingError(f"{path}: bytes that cannot be read: {error}") from None


def _secret(path: Path, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RecordingError(f"{path}: the secret {text[:64]!r} is not hexadecimal") from None


def _framing(path: Path, name: str) -> Framing:
    for dialect in DIALECTS.values():
        if dialect.framing.name == name:
            return dialect.framing
    raise RecordingError(f"{path}: a framing {name!r}, which this version does not know")
