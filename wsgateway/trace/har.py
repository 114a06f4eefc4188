"""A recording as an HTTP Archive (HAR 1.2), with messages as browsers write them: `_webSocketMessages`."""

import base64
from datetime import UTC, datetime
from typing import Any, NamedTuple

from wsgateway.dialects.base import Limits
from wsgateway.errors import ProtocolError
from wsgateway.trace.recording import Chunk, Connection, Recording
from wsgateway.wire.events import Close, Fragment, Kind, Role

_OPCODES = {Kind.TEXT: 1, Kind.BINARY: 2}
_CLOSE_OPCODE = 8
# A recording has at most this much of a message.
_LIMITS = Limits(1 << 30)
_READERS = {">": Role.SERVER, "<": Role.CLIENT}
_NOT_READ = "; its messages are compressed, and are not listed"
_TYPES = {">": "send", "<": "receive"}


def archive(recording: Recording, version: str) -> dict[str, Any]:
    """Return the archive of a session, with an entry for each of its connections; `version` is that of the program."""
    began = float(recording.facts.get("began", 0.0))
    entries = [
        _entry(connection, began, peer) for peer, connection in recording.connections.items() if connection.chunks
    ]
    return {"log": {"version": "1.2", "creator": {"name": "wsgateway", "version": version}, "entries": entries}}


class Message(NamedTuple):
    """A message, or a Close."""

    at: float
    kind: Kind | type[Close]
    data: bytes
    """its payload; of a Close, its code and reason as a text"""


class MessageReader:
    """A reader of the messages of one direction of a connection. They end at a frame that cannot be read.

    With an extension frames are not read: their payload is compressed, and the extension may give bits another meaning.
    """

    def __init__(self, connection: Connection, way: str) -> None:
        """Read with the framing of the connection; without one it has no messages."""
        framing = None if connection.extensions else connection.framing
        self._decoder = None if framing is None else framing.decoder(_READERS[way], _LIMITS, connection.secret)
        self._way = way
        self._data = b""

    def feed(self, chunk: Chunk) -> list[Message]:
        """Return the messages that end in a chunk."""
        found: list[Message] = []
        if self._decoder is None or chunk.way != self._way or chunk.belongs_to != "frames":
            return found
        try:
            for event in self._decoder.receive(chunk.data):
                if isinstance(event, Close):
                    found.append(Message(chunk.at, Close, str(event).encode()))
                elif isinstance(event, Fragment):
                    self._data += event.data
                    if event.final:
                        found.append(Message(chunk.at, event.kind, self._data))
                        self._data = b""
        except ProtocolError:
            self._decoder = None
        return found


def messages(connection: Connection, way: str) -> list[Message]:
    """Return all messages of one direction of a connection."""
    reader = MessageReader(connection, way)
    return [message for chunk in connection.chunks for message in reader.feed(chunk)]


def host_of(connection: Connection) -> str:
    """Return the Host of the request; empty if there is none."""
    return {name.lower(): value for name, value in connection.head(">")[1]}.get("host", "")


def _entry(connection: Connection, began: float, peer: str) -> dict[str, Any]:
    line, request = connection.head(">")
    answer, response = connection.head("<")
    method, _, target = line.partition(" ")
    host = host_of(connection) or "unknown"
    status, _, phrase = answer.partition(" ")[2].partition(" ")
    last = max((chunk.at for chunk in connection.chunks), default=0.0)
    said = sorted(
        (_message(way, began, each) for way in _TYPES for each in messages(connection, way)),
        key=lambda message: message["time"],
    )
    return {
        "startedDateTime": datetime.fromtimestamp(began, UTC).isoformat(),
        "time": last * 1000,
        "request": {
            "method": method,
            "url": f"ws://{host}{target.partition(' ')[0]}",
            **_described(connection, request, ">"),
            "queryString": [],
        },
        "response": {
            "status": int(status) if status.isdigit() else 0,
            "statusText": phrase,
            **_described(connection, response, "<"),
            "content": {"size": 0, "mimeType": "x-unknown"},
            "redirectURL": "",
        },
        "cache": {},
        "timings": {"send": 0, "wait": last * 1000, "receive": 0},
        "comment": f"the connection of the gateway with the {peer}{_NOT_READ if connection.extensions else ''}",
        "_resourceType": "websocket",
        "_webSocketMessages": said,
    }


def _message(way: str, began: float, message: Message) -> dict[str, Any]:
    at, kind, data = message
    if isinstance(kind, Kind):
        opcode = _OPCODES[kind]
        text = base64.b64encode(data).decode() if kind is Kind.BINARY else data.decode(errors="replace")
    else:
        opcode, text = _CLOSE_OPCODE, data.decode()
    return {"type": _TYPES[way], "time": began + at, "opcode": opcode, "data": text}


def _described(connection: Connection, headers: list[tuple[str, str]], way: str) -> dict[str, Any]:
    return {
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": name, "value": value} for name, value in headers],
        "headersSize": sum(map(len, connection.heads(way))),
        "bodySize": 0,
    }
