"""The replay of a recording: what one side sent is sent again, and what the server answers now is compared.

The bytes are those of the recording, also broken ones. They are sent in its order, but not at its speed: before each of
them the server has time to answer as much as it did then.

Two things are not as they were. Frames of hybi-04 are masked with a number of the server, so they get the mask that its
new number asks for. Messages under an extension are compressed, so their frames are compared byte by byte.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from socket import socket

import trio

from wsgateway.errors import ExhaustedError, Reason, RecordingError, UpstreamError
from wsgateway.net.channel import READ_BYTES, Channel, encrypt
from wsgateway.net.failure import in_words
from wsgateway.probe.address import destination
from wsgateway.probe.encryption import DEFAULT_PROFILE
from wsgateway.probe.remask import Remasked
from wsgateway.trace.har import Message, MessageReader, messages
from wsgateway.trace.recording import Chunk, Connection
from wsgateway.trace.transcript import hexadecimal, printable
from wsgateway.upstream.connect import connect
from wsgateway.upstream.tls import client_context
from wsgateway.wire.events import Kind

_END_OF_HEAD = b"\r\n\r\n"
# Headers that differ from one answer to the next, and of which the peer of a WebSocket takes no notice.
_PASSED_OVER = frozenset({"date", "server", "set-cookie", "keep-alive", "x-request-id", "sec-websocket-nonce"})
MOST_SHOWN = 20
_MOST_CHARACTERS = 60


@dataclass(slots=True)
class Replayed:
    """The result of a replay."""

    differences: list[str]
    """texts for people, the first ones of many; empty: the server has answered as it did then"""
    messages: int = 0
    """how many messages the server has sent; 0 with an extension"""
    remark: str = ""
    """a sentence about what could not be compared, or another way than else"""


class _Progress:
    """The part of its answer that a server has given."""

    def __init__(self, connection: Connection, opaque: bool) -> None:
        self._messages = MessageReader(connection, "<")
        self._opaque = opaque
        self.reached = (0, 0, 0)
        """heads, bytes of the proof, and messages; bytes of frames where these are not read"""

    def feed(self, chunk: Chunk) -> None:
        if chunk.way == "<":
            heads, proof, count = self.reached
            proof += len(chunk.data) if chunk.belongs_to == "proof" else 0
            count += len(self._messages.feed(chunk))
            if self._opaque and chunk.belongs_to == "frames":
                count += len(chunk.data)
            self.reached = heads + (chunk.belongs_to == "head"), proof, count


class _Answer:
    """The answer of a server, in the parts that a recording has: heads, proof, frames."""

    def __init__(self, recorded: Connection) -> None:
        self._missing = len(recorded.bytes_of("proof", "<"))
        self._data = b""
        self._switched = False
        self.connection = Connection(framing=recorded.framing, secret=recorded.secret)
        self._progress = _Progress(self.connection, bool(recorded.extensions))
        self._more = trio.Event()
        self.ended = False
        """whether it sends no more"""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, or none: the end of the stream."""
        self.ended = self.ended or not data
        self._data += data
        while not self._switched and _END_OF_HEAD in self._data:
            head, end, self._data = self._data.partition(_END_OF_HEAD)
            self._switched = head.startswith(b"HTTP/1.1 101")
            self._add("head", head + end)
        if self._switched:
            proof, frames, self._data = self._data[: self._missing], self._data[self._missing :], b""
            self._missing -= len(proof)
            self._add("proof", proof)
            self._add("frames", frames)
        self._more.set()

    def _add(self, belongs_to: str, data: bytes) -> None:
        if data:
            chunk = Chunk(0.0, "<", belongs_to, data)
            self.connection.chunks.append(chunk)
            self._progress.feed(chunk)

    async def wait(self, reached: tuple[int, int, int]) -> None:
        """Wait until the server has answered as much as that, or sends no more."""
        while not (self.ended or all(now >= then for now, then in zip(self._progress.reached, reached, strict=True))):
            self._more = trio.Event()
            await self._more.wait()


def _steps(recorded: Connection) -> Iterator[tuple[Chunk | None, tuple[int, int, int]]]:
    """Yield what was sent to the server, and how far it had answered before that; at last None, and all of it."""
    progress = _Progress(recorded, bool(recorded.extensions))
    for chunk in recorded.chunks:
        if chunk.way == ">":
            yield chunk, progress.reached
        progress.feed(chunk)
    yield None, progress.reached


async def replay(recorded: Connection, url: str, seconds: float) -> Replayed:
    """Play what was sent to a server against the server at a URL, ws:// or wss://, and compare its answers.

    `seconds` is how long to wait for an answer each time. The certificate of the server is not checked: a recording has
    no secrets. Raise RecordingError for a recording that cannot be played, ProbeError for a wrong URL, and OSError and
    UpstreamError if there is no connection.
    """
    sent = [each for each in recorded.chunks if each.way == ">"]
    if not sent or sent[0].belongs_to != "head":
        raise RecordingError("the recording has no request on this side")
    where = destination(url, None, (), ())
    try:
        sock = await connect(where.host, where.port, seconds)
    except ExhaustedError as error:
        raise OSError(str(error)) from None
    if where.offer.secure:
        sock = await _encrypted(sock, where.host, seconds)
    with sock:
        return await play(Channel(sock), recorded, seconds)


async def _encrypted(sock: socket, host: str, seconds: float) -> socket:
    """Start TLS on a connection. Raise UpstreamError."""
    try:
        with trio.fail_after(seconds):
            return await encrypt(sock, client_context(DEFAULT_PROFILE, None, anybody=True), host)
    except trio.TooSlowError:
        raise UpstreamError(Reason.TARGET_SILENT, f"TLS failed: no answer within {seconds:g} s") from None
    except OSError as error:
        raise UpstreamError(Reason.TARGET_TLS_FAILED, f"TLS failed: {in_words(error)}") from None


async def play(channel: Channel, recorded: Connection, seconds: float) -> Replayed:
    """Play what was sent to a server on a connection to another one, and compare its answers, as `replay` does."""
    answer, steps = _Answer(recorded), list(_steps(recorded))
    unlike: list[str] = []
    remasked: Remasked | None = None

    def to_send(chunk: Chunk) -> bytes:
        nonlocal remasked
        if not recorded.secret or chunk.belongs_to != "frames":
            return chunk.data
        remasked = remasked or Remasked(recorded, answer.connection)
        return remasked.feed(chunk.data)

    async def listen() -> None:
        with suppress(OSError):  # what is missing of its answer is a difference
            while data := await channel.receive(READ_BYTES):
                answer.feed(data)
        answer.feed(b"")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        for number, (chunk, reached) in enumerate(steps):
            part = f"before part {number + 1} of the {len(steps) - 1} that were sent"
            place = "at the end" if chunk is None else part
            with trio.move_on_after(seconds) as waiting:
                await answer.wait(reached)
            if waiting.cancelled_caught:
                unlike.append(f"{place}: within {seconds:g} s the server has answered less than in the recording")
                break
            if chunk is None or answer.ended:
                break
            try:
                if chunk.belongs_to == "end":
                    with suppress(OSError):  # the server may have closed the connection already
                        channel.end()
                await channel.send(to_send(chunk))
            except OSError as error:
                unlike.append(f"{place}: {in_words(error)}")
                break
        nursery.cancel_scope.cancel()
    found = [*_differences(recorded, answer.connection), *unlike]
    more = [f"and {len(found) - MOST_SHOWN} more"] if len(found) > MOST_SHOWN else []
    return Replayed(
        found[:MOST_SHOWN] + more, len(messages(answer.connection, "<")), _remark(recorded, answer.connection)
    )


def _differences(then: Connection, now: Connection) -> Iterator[str]:
    """Yield what differs between two answers of a server."""
    (line_then, headers_then), (line_now, headers_now) = _head(then), _head(now)
    if line_then != line_now:
        yield _differ("the answer", line_then, line_now)
    for name in sorted({*headers_then, *headers_now}):
        if line_now and headers_then.get(name) != headers_now.get(name):
            yield _differ(f"the header {name}", headers_then.get(name), headers_now.get(name))
    proof_then, proof_now = then.bytes_of("proof", "<"), now.bytes_of("proof", "<")
    if proof_then != proof_now:
        yield _differ("the proof", hexadecimal(proof_then), hexadecimal(proof_now))
    if then.extensions:
        yield from _frames_differ(then, now)
        return
    said_then, said_now = messages(then, "<"), messages(now, "<")
    for number in range(max(len(said_then), len(said_now))):
        one, other = (_shown(said[number]) if number < len(said) else None for said in (said_then, said_now))
        if one != other:
            yield _differ(f"message {number + 1}", one, other)


def _frames_differ(then: Connection, now: Connection) -> Iterator[str]:
    """Yield the first place where the frames of two answers differ, if both have the same extensions."""
    one, other = (each.bytes_of("frames", "<") for each in (then, now))
    if then.extensions == now.extensions and one != other:
        at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        yield _differ(
            f"the frames, from byte {at + 1} on of {len(one)}", hexadecimal(one[at:]), hexadecimal(other[at:])
        )


def _remark(then: Connection, now: Connection) -> str:
    if not then.extensions:
        return ""
    if then.extensions == now.extensions:
        return f"the extension {then.extensions} changes what frames hold: their bytes were compared, and no messages"
    return f"the recording has the extension {then.extensions}, and the answer now differs: no messages were compared"


def _differ(what: str, then: str | None, now: str | None) -> str:
    def cut(text: str | None) -> str:
        if text is None:
            return "missing"
        return printable(text[:_MOST_CHARACTERS]) + ("..." if len(text) > _MOST_CHARACTERS else "") or "nothing"

    return f"{what}: recorded {cut(then)}, now {cut(now)}"


def _shown(message: Message) -> str:
    if isinstance(message.kind, Kind):
        data = message.data
        said = hexadecimal(data) if message.kind is Kind.BINARY else repr(data.decode(errors="replace"))
        return f"{message.kind.value} of {len(data)} bytes, {said}"
    return f"close {message.data.decode()}"


def _head(connection: Connection) -> tuple[str, dict[str, str]]:
    """Return the first line of the last head of a server, and the headers that matter, by name."""
    first, every = connection.head("<")
    headers: dict[str, str] = {}
    for name, value in every:
        if name.lower() not in _PASSED_OVER:
            before = headers.get(name.lower())
            headers[name.lower()] = value if before is None else f"{before}, {value}"
    return first, headers
