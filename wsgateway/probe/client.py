"""Connects to a server as a client of any dialect does, and reports how it went."""

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import trio

from wsgateway.dialects import Dialect, Limits, Offer
from wsgateway.errors import ProtocolError, UpstreamError, WsgatewayError
from wsgateway.net.channel import Channel
from wsgateway.probe.transcript import Line, Show, describe, exchange_lines, hexadecimal
from wsgateway.upstream.connect import connect
from wsgateway.upstream.handshake import Refusal, shake_hands
from wsgateway.wire.closecodes import NORMAL
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.heads import is_token
from wsgateway.wire.masking import mask_keys

_READ_BYTES = 64 * 1024
# How long the server may take to answer our goodbye.
PATIENCE_SECONDS = 2.0


class ProbeError(WsgatewayError):
    """What is asked of a probe makes no sense: an address that is none."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks of a server."""

    url: str
    """ws://HOST[:PORT][/PATH][?QUERY]"""
    dialect: Dialect
    text: str | None = None
    """a message to send; the first message of the server counts as the answer"""
    origin: str | None = None
    """http:// and the host of the URL, if there is none"""
    subprotocols: tuple[str, ...] = ()
    seconds: float = 10.0
    """for all of it"""


@dataclass(slots=True)
class Report:
    """How a probe went. Times are seconds; None: it did not come to that."""

    dialect: str
    accepted: bool = False
    subprotocol: str | None = None
    handshake_seconds: float | None = None
    round_trip_seconds: float | None = None
    """from our message to the whole answer"""
    closed: str | None = None
    """what the server did when we said goodbye"""
    error: str | None = None
    """why it did not go as it should"""

    def __str__(self) -> str:
        parts = [f"{self.dialect}: {'accepted' if self.accepted else 'not accepted'}"]
        if self.handshake_seconds is not None:
            parts.append(f"handshake {self.handshake_seconds * 1000:.1f} ms")
        if self.subprotocol is not None:
            parts.append(f"subprotocol {self.subprotocol}")
        if self.round_trip_seconds is not None:
            parts.append(f"round trip {self.round_trip_seconds * 1000:.1f} ms")
        parts.extend(part for part in (self.closed, self.error) if part is not None)
        return ", ".join(parts)


async def probe(question: Question, show: Show) -> Report:
    """Asks a server, and shows each line of the transcript when it happens.

    Whatever the server does is in the report. Raises ProbeError for an address that is none.
    """
    host, port, offer = _offer(question)
    report = Report(question.dialect.name)
    with trio.move_on_after(question.seconds) as scope:
        try:
            sock = await connect(host, port, question.seconds)
            with sock:
                await _Conversation(question, sock, report, show).run(offer)
        except (UpstreamError, ProtocolError) as error:
            report.error = str(error)
        except OSError as error:
            report.error = f"connection lost: {error}"
    if scope.cancelled_caught:
        report.error = f"no answer within {question.seconds:g} s"
    return report


def _offer(question: Question) -> tuple[str, int, Offer]:
    try:
        url = urlsplit(question.url)
        port = 80 if url.port is None else url.port
        if not port:
            raise ValueError("nobody listens on port 0")
    except ValueError as error:
        raise ProbeError(f"{question.url!r} is not an address: {error}") from None
    if url.scheme == "wss":
        raise ProbeError("wss:// is not possible in this version: it speaks no TLS")
    if url.scheme != "ws" or not url.hostname:
        raise ProbeError(f"{question.url!r} is not an address of the form ws://HOST[:PORT][/PATH]")
    path = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    target = f"{path}?{quote(url.query, safe='/?%:@!$&()*+,;=~-._')}" if url.query else path
    host = url.netloc.rpartition("@")[2]
    origin = question.origin if question.origin is not None else f"http://{host}"
    for what, value in (("host", host), ("origin", origin)):
        if not (value.isascii() and value.isprintable() and " " not in value):
            raise ProbeError(f"the {what} {value!r} holds something else than printable ASCII")
    for name in question.subprotocols:
        if not is_token(name):
            raise ProbeError(f"the subprotocol {name!r} is not a token")
    try:
        url.hostname.encode("idna")
        (question.text or "").encode()
    except UnicodeError as error:
        raise ProbeError(f"the host or the text cannot be sent: {error}") from None
    return url.hostname, port, Offer(target, host, origin, question.subprotocols)


class _Tap(Channel):
    """A channel that remembers the bytes of a handshake."""

    __slots__ = ("received", "sent")

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.sent = self.received = b""

    async def receive(self, limit: int) -> bytes:
        data = await super().receive(limit)
        self.received += data
        return data

    async def send(self, data: bytes) -> None:
        self.sent += data
        await super().send(data)


class _Conversation:
    """One connection of a probe: handshake, message, goodbye."""

    def __init__(self, question: Question, sock: socket.socket, report: Report, show: Show) -> None:
        framing = question.dialect.framing
        self._question = question
        self._sock = sock
        self._channel = Channel(sock)
        self._report = report
        self._show = show
        self._fault: ProtocolError | None = None
        self._decoder = framing.decoder(Role.CLIENT, Limits())
        self._encoder = framing.encoder(Role.CLIENT, mask_keys(os.urandom))

    async def run(self, offer: Offer) -> None:
        """Fills the report."""
        early = await self._handshake(offer)
        if early is None:
            return
        async with aclosing(self._events(early)) as events:
            if self._question.text is not None:
                await self._exchange(self._question.text, events)
            if self._report.error is None:
                await self._part(events)

    async def _handshake(self, offer: Offer) -> bytes | None:
        """Returns what came behind the handshake; None if the server refused."""
        report, dialect = self._report, self._question.dialect
        tap = _Tap(self._sock)
        begun = trio.current_time()
        try:
            result = await shake_hands(tap, dialect, offer)
        except (UpstreamError, OSError, trio.Cancelled):
            self._show_handshake(tap, b"")
            raise
        if isinstance(result, Refusal):
            self._show_handshake(tap, b"")
            report.error = f"the server answered {result.response.status} {result.response.reason}"
            return None
        self._show_handshake(tap, result.early)
        report.accepted = True
        report.handshake_seconds = trio.current_time() - begun
        report.subprotocol = result.answer.subprotocol
        return result.early

    def _show_handshake(self, tap: _Tap, early: bytes) -> None:
        for line in exchange_lines(">", tap.sent, "the challenge"):
            self._show(line)
        for line in exchange_lines("<", tap.received.removesuffix(early), "the proof"):
            self._show(line)

    async def _events(self, early: bytes) -> AsyncGenerator[Event]:
        """What the server says, to its end; pings are answered. Raises ProtocolError if the server breaks the rules."""
        data = early
        while True:
            if data:
                for event in self._take(data):
                    if isinstance(event, Ping):
                        await self._say(Pong(event.data))
                    yield event
                if self._fault is not None:
                    raise self._fault
            data = await self._channel.receive(_READ_BYTES)
            if not data:
                self._show(Line("=", "the server closed the connection"))
                yield self._decoder.finish()
                return

    def _take(self, data: bytes) -> list[Event]:
        """Shows what came, and what it means. What is good of it counts, also before a fault."""
        events: list[Event] = []
        try:
            for event in self._decoder.receive(data):
                events.append(event)
        except ProtocolError as fault:
            self._fault = fault
        meanings = [*map(describe, events), *([str(self._fault)] if self._fault else [])]
        self._show(Line("<", hexadecimal(data), "; ".join(meanings) or "a part of a frame"))
        return events

    async def _say(self, event: Event) -> None:
        frame = self._encoder.send(event)
        if frame:
            self._show(Line(">", hexadecimal(frame), describe(event)))
            await self._channel.send(frame)

    async def _exchange(self, text: str, events: AsyncGenerator[Event]) -> None:
        begun = trio.current_time()
        await self._say(Fragment(Kind.TEXT, text.encode(), final=True))
        async for event in events:
            if isinstance(event, Close):
                self._report.error = f"the server closed instead of an answer: {event}"
                return
            if isinstance(event, Fragment) and event.final:
                self._report.round_trip_seconds = trio.current_time() - begun
                return

    async def _part(self, events: AsyncGenerator[Event]) -> None:
        framing = self._question.dialect.framing
        await self._say(Close(NORMAL if NORMAL in framing.close_codes else None))
        if not framing.has_close:
            self._show(Line("=", "we close the connection: this dialect has no closing frame"))
            self._sock.shutdown(socket.SHUT_WR)
        with trio.move_on_after(PATIENCE_SECONDS):
            async for event in events:
                if isinstance(event, Close):
                    self._report.closed = "closed by both"
                    return
        self._report.closed = f"no answer to our close within {PATIENCE_SECONDS:g} s"
