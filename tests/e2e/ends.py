"""The two ends of a connection through the gateway: an old library, which is a program, and `websockets` here.

Both have the same methods, so that a test need not know which of them is the client. What one receives is an
event, a tuple: ("text", str), ("binary", bytes), ("pong", bytes), ("close", code or None, reason), ("end",).

A program of an old library reads commands and writes events, one per line, whose bytes are in hex, and - if there are
none. It has one connection at a time, which its listener accepts or which it opens when told so:

    open DIALECT PORT PATH SUBPROTOCOL      listening PORT        once, if it is a server
    text BYTES, binary BYTES, ping BYTES    open SUBPROTOCOL
    fragments BYTES BYTES ...               text BYTES, binary BYTES, pong BYTES
    close CODE REASON                       close CODE REASON     the Close of the other end
    cut                                     error BYTES           what the library complains of
    mark WORD                               mark WORD
                                            end                   the connection is gone

Its library, or else the program, answers a ping by a pong and a Close by a Close. It ends when its input does.
"""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from .programs import PATIENCE_SECONDS, Program

Event = tuple[object, ...]

MESSAGE_BYTES = 16 * 1024 * 1024
_LINES, _LINE_CHARACTERS = 10, 200


class End(ABC):
    """One end of a connection. Leaving it cuts the connection, if it is still there."""

    subprotocol: str | None = None

    @abstractmethod
    def text(self, text: str) -> None:
        """Send a text message."""

    @abstractmethod
    def binary(self, data: bytes) -> None:
        """Send a binary message."""

    @abstractmethod
    def fragments(self, *texts: str) -> None:
        """Send a text message, in so many frames."""

    @abstractmethod
    def ping(self, data: bytes) -> None:
        """Send a ping, and wait for its pong."""

    @abstractmethod
    def close(self, code: int, reason: str) -> None:
        """Send a Close."""

    @abstractmethod
    def next(self) -> Event:
        """Return the next event."""

    @abstractmethod
    def leave(self) -> None:
        """Cut the connection, and wait until it is closed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


class Library(Program):
    """The program of an old library."""

    def __init__(self, *command: str) -> None:
        super().__init__(*command, listens=True)
        self.port: int | None = None
        self._marks = 0

    def settle(self) -> None:
        """Wait until it has started."""
        self.port = int(self.find_line(r"^listening (\d+)$")[1])

    def forget(self) -> None:
        """Drop the events until now, which nobody waits for any more if a test has failed."""
        self._marks += 1
        self.tell(f"mark {self._marks}")
        self.find_line(rf"^mark {self._marks}$")

    def open(self, dialect: str, port: int, path: str, subprotocol: str | None = None) -> "OldEnd":
        """Open a connection as a client."""
        self.tell(f"open {dialect} {port} {path} {subprotocol or '-'}")
        return self.accept()

    def accept(self) -> "OldEnd":
        """Return the connection that it has opened, or accepted as a server."""
        end = OldEnd(self)
        opened = end.next()
        assert opened[0] == "open", f"{opened}: {self}"
        end.subprotocol = str(opened[1]) or None
        return end

    def __str__(self) -> str:
        # The whole life of it, with messages of 64 KiB, would help nobody.
        lines = super().__str__().splitlines()
        return "\n".join(line[:_LINE_CHARACTERS] for line in [lines[0], *lines[1:][-_LINES:]])


class OldEnd(End):
    """The connection that the program of an old library has."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._ended = False

    def text(self, text: str) -> None:
        self._tell("text", text.encode())

    def binary(self, data: bytes) -> None:
        self._tell("binary", data)

    def fragments(self, *texts: str) -> None:
        self._tell("fragments", *(text.encode() for text in texts))

    def ping(self, data: bytes) -> None:
        self._tell("ping", data)
        heard = self.next()
        assert heard == ("pong", data), heard

    def close(self, code: int, reason: str) -> None:
        self._library.tell(f"close {code} {_hex(reason.encode())}")

    def next(self) -> Event:
        line = self._library.next_line()
        verb, *arguments = line.split(" ")
        values = ["" if each == "-" else each for each in arguments]
        match verb, values:
            case "open", [subprotocol]:
                return verb, subprotocol
            case "text" | "error", [data]:
                return verb, bytes.fromhex(data).decode()
            case "binary" | "pong", [data]:
                return verb, bytes.fromhex(data)
            case "close", [code, reason]:
                return verb, int(code) if code else None, bytes.fromhex(reason).decode()
            case "end", []:
                self._ended = True
                return (verb,)
        raise AssertionError(f"{line!r}: {self._library}")

    def leave(self) -> None:
        if not self._ended:
            self._library.tell("cut")
            self._library.find_line("^end$")  # whatever it has heard before
            self._ended = True

    def _tell(self, verb: str, *data: bytes) -> None:
        self._library.tell(" ".join([verb, *map(_hex, data)]))


class ModernEnd(End):
    """A connection of `websockets`."""

    def __init__(self, connection: Connection, done: threading.Event | None = None) -> None:
        self._connection = connection
        self._done = done
        self.subprotocol = connection.subprotocol

    def text(self, text: str) -> None:
        self._connection.send(text)

    def binary(self, data: bytes) -> None:
        self._connection.send(data)

    def fragments(self, *texts: str) -> None:
        self._connection.send(texts)

    def ping(self, data: bytes) -> None:
        assert self._connection.ping(data).wait(PATIENCE_SECONDS), "no pong"

    def close(self, code: int, reason: str) -> None:
        self._connection.close(code, reason)

    def next(self) -> Event:
        try:
            message = self._connection.recv(PATIENCE_SECONDS)
        except ConnectionClosed as closed:
            return ("end",) if closed.rcvd is None else ("close", *_code(closed.rcvd.code), closed.rcvd.reason)
        return ("text", message) if isinstance(message, str) else ("binary", message)

    def leave(self) -> None:
        self._connection.close_socket()
        if self._done is not None:
            self._done.set()


class Server:
    """A server on `websockets`, each connection of which is for a test. It accepts the subprotocol "chat"."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[ModernEnd] = queue.SimpleQueue()
        self._server = serve(
            self._arrive,
            "127.0.0.1",
            0,
            select_subprotocol=_choose,
            max_size=MESSAGE_BYTES,
            ping_interval=None,
        )
        self.port: int = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def accept(self) -> ModernEnd:
        """Return the connection that a client has opened, or wait for it."""
        return self._arrived.get(timeout=PATIENCE_SECONDS)

    def _arrive(self, connection: ServerConnection) -> None:
        done = threading.Event()
        self._arrived.put(ModernEnd(connection, done))
        done.wait(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()


@contextmanager
def opened(url: str, subprotocol: str | None = None) -> Iterator[ModernEnd]:
    """Yield a client on `websockets`."""
    offered = [Subprotocol(subprotocol)] if subprotocol else None
    made = connect(url, subprotocols=offered, max_size=MESSAGE_BYTES, ping_interval=None, proxy=None)
    with made as connection, ModernEnd(connection) as end:
        yield end


def _choose(_connection: ServerConnection, offered: Iterable[Subprotocol]) -> Subprotocol | None:
    return next((each for each in offered if each == "chat"), None)


def _code(code: int) -> tuple[int | None]:
    return (None if code == 1005 else code,)  # RFC 6455, 7.1.5: the name of having none


def _hex(data: bytes) -> str:
    return data.hex() or "-"
