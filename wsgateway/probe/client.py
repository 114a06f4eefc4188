"""The probe: it connects to a server as a client of any dialect, and reports the result."""

import os
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

import trio

from wsgateway.dialects import ClientHandshake, Dialect, Limits, Side
from wsgateway.dialects.base import CHALLENGE, PROOF, Decoder, Dissector, Encoder
from wsgateway.errors import ExhaustedError, ProbeError, ProtocolError, Reason, UntrustedError, UpstreamError
from wsgateway.net.channel import READ_BYTES, Channel, encrypt
from wsgateway.net.failure import in_words
from wsgateway.probe.address import Destination, destination
from wsgateway.probe.encryption import DEFAULT_PROFILE, Encryption, encryption_of
from wsgateway.trace.transcript import Line, Show, exchange_lines, frame_lines, printable, rest_lines
from wsgateway.upstream.connect import connect
from wsgateway.upstream.handshake import Refusal, shake_hands
from wsgateway.upstream.tls import client_context, explained, trusted
from wsgateway.wire.closecodes import NORMAL
from wsgateway.wire.events import Close, Event, Fragment, Kind, Ping, Pong, Role
from wsgateway.wire.masking import mask_keys

# For the server to answer the closing frame.
PATIENCE_SECONDS = 2.0
_PING = b"wsgateway"
# The option with which users set the profile of a probe.
_PROFILE_KEY = "--tls-profile"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """The options of a probe."""

    url: str
    """ws:// or wss://HOST[:PORT][/PATH][?QUERY]"""
    dialect: Dialect
    text: str | None = None
    """a message to send; the first message of the server is the answer. None: a ping, if the dialect has pings"""
    origin: str | None = None
    """None: http:// or https:// and the host of the URL"""
    subprotocols: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    """more headers to send"""
    tls: ssl.SSLContext | None = None
    """for wss; None: trust the certificates that the system trusts, or the pins"""
    seconds: float = 10.0
    """the time limit of the whole probe"""
    profile: str = DEFAULT_PROFILE
    """the name of the profile in `tls`, for error messages"""
    pins: tuple[str, ...] = ()
    """of certificates or public keys; the server must have one of them"""


@dataclass(slots=True)
class Report:
    """The result of a probe. Times are seconds; None: the probe ended before."""

    dialect: str
    accepted: bool = False
    status: int | None = None
    """of the server's HTTP answer, if it refused"""
    subprotocol: str | None = None
    handshake_seconds: float | None = None
    round_trip_seconds: float | None = None
    """from the message to the complete answer, or from the ping to its pong"""
    closed: str | None = None
    """how the server answered the closing frame"""
    error: str | None = None
    """the fault; None: there was none"""
    encryption: Encryption | None = None
    """the TLS of the server, trusted or not"""

    @property
    def result(self) -> str:
        """The result in one word. A server that refused has answered with a status; all else is a failure."""
        return "accepted" if self.accepted else "refused" if self.status else "failed"

    def __str__(self) -> str:
        parts = [f"{self.dialect}: {self.result}"]
        if self.handshake_seconds is not None:
            parts.append(f"handshake {milliseconds(self.handshake_seconds)}")
        if self.subprotocol is not None:
            parts.append(f"subprotocol {self.subprotocol}")
        if self.round_trip_seconds is not None:
            parts.append(f"round trip {milliseconds(self.round_trip_seconds)}")
        parts.extend(part for part in (self.closed, self.error) if part is not None)
        return ", ".join(parts)


def milliseconds(seconds: float) -> str:
    """Return a duration as reports show it."""
    return f"{seconds * 1000:.1f} ms"


async def probe(probe_request: ProbeRequest, show: Show) -> Report:
    """Probe a server. Call `show` with each line of the transcript at once.

    The report has everything that the server does. Raise ProbeError for a probe that cannot be made.
    """
    where = destination(probe_request.url, probe_request.origin, probe_request.subprotocols, probe_request.headers)
    try:
        (probe_request.text or "").encode()
    except UnicodeError as error:
        raise ProbeError(f"the text cannot be sent: {error}") from None
    report = Report(probe_request.dialect.name)
    with trio.move_on_after(probe_request.seconds) as scope:
        try:
            sock = await _connect(where, probe_request, report)
            with sock:
                await _Conversation(probe_request, where, sock, report, show).run()
        except ExhaustedError as error:
            report.error = f"no connection: {error}"
        except (UpstreamError, ProtocolError) as error:
            report.error = str(error)
        except OSError as error:
            report.error = f"connection lost: {in_words(error)}"
    if scope.cancelled_caught:
        report.error = f"no answer within {probe_request.seconds:g} s"
    return report


async def _connect(where: Destination, probe_request: ProbeRequest, report: Report) -> socket.socket:
    sock = await connect(where.host, where.port, probe_request.seconds)
    if not where.offer.secure:
        return sock
    try:
        context = probe_request.tls or client_context(probe_request.profile, None, anybody=bool(probe_request.pins))
        secure = await trusted(sock, context, where.host, probe_request.pins)
    except (ssl.SSLCertVerificationError, UntrustedError) as error:
        report.encryption = await _look(where, probe_request)
        why = explained(error, probe_request.profile, _PROFILE_KEY)[1] if isinstance(error, OSError) else str(error)
        raise UpstreamError(Reason.TARGET_DISTRUSTED, f"TLS failed: the certificate is not trusted: {why}") from None
    except OSError as error:
        reason, why = explained(error, probe_request.profile, _PROFILE_KEY)
        raise UpstreamError(reason, f"TLS failed: {why}") from None
    report.encryption = encryption_of(secure)
    return secure


async def _look(where: Destination, probe_request: ProbeRequest) -> Encryption | None:
    """Connect once more, to read the certificate of a server that is not trusted. Send no request."""
    with trio.move_on_after(PATIENCE_SECONDS), suppress(UpstreamError, ExhaustedError, OSError):
        sock = await connect(where.host, where.port, probe_request.seconds)
        with await encrypt(sock, client_context(probe_request.profile, None, anybody=True), where.host) as secure:
            return encryption_of(secure)
    return None


class _Tap(Channel):
    """A channel that keeps the bytes of a handshake."""

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
    """One connection of a probe: handshake, message, closing handshake."""

    _decoder: Decoder
    _encoder: Encoder
    _explain_theirs: Dissector
    _explain_ours: Dissector

    def __init__(
        self, probe_request: ProbeRequest, where: Destination, sock: socket.socket, report: Report, show: Show
    ) -> None:
        self._probe_request = probe_request
        self._offer = where.offer
        self._channel = Channel(sock)
        self._report = report
        self._show = show
        self._fault: ProtocolError | None = None
        self._closing = False

    async def run(self) -> None:
        """Run the connection, and fill the report."""
        client_handshake = self._probe_request.dialect.handshake.client(self._offer, os.urandom)
        early = await self._handshake(client_handshake)
        if early is None:
            return
        framing = self._probe_request.dialect.framing
        side = Side(framing, Role.CLIENT, client_handshake.secret)
        self._decoder = side.decoder(Limits())
        self._encoder = side.encoder(mask_keys(os.urandom))
        self._explain_theirs = framing.dissector(Role.CLIENT, client_handshake.secret)
        self._explain_ours = framing.dissector(Role.SERVER, client_handshake.secret)
        try:
            async with aclosing(self._events(early)) as events:
                if self._probe_request.text is not None:
                    await self._exchange(Fragment(Kind.TEXT, self._probe_request.text.encode(), final=True), events)
                elif framing.carries_ping:
                    await self._exchange(Ping(_PING), events)
                if self._report.error is None:
                    await self._close(events)
        finally:
            for line in rest_lines("<", self._explain_theirs):
                self._show(line)

    async def _handshake(self, client_handshake: ClientHandshake) -> bytes | None:
        """Return the bytes that came after the handshake; None if the server refused."""
        report = self._report
        tap = _Tap(self._channel.sock)
        begun = trio.current_time()
        early = b""
        try:
            result = await shake_hands(tap, client_handshake)
            if isinstance(result, Refusal):
                report.status = result.response.status
                report.error = printable(f"the server answered {report.status} {result.response.reason}").rstrip()
                return None
            early = result.early
            report.accepted = True
            report.handshake_seconds = trio.current_time() - begun
            report.subprotocol = result.answer.subprotocol
            return early
        finally:
            for line in exchange_lines(">", tap.sent, CHALLENGE, client_handshake.notes()):
                self._show(line)
            for line in exchange_lines("<", tap.received.removesuffix(early), PROOF, client_handshake.notes()):
                self._show(line)

    async def _events(self, early: bytes) -> AsyncGenerator[Event]:
        """Yield the server's events, to its end. Answer pings. Raise ProtocolError if the server breaks the rules."""
        data = early
        while True:
            if data:
                for event in self._decoded(data):
                    if isinstance(event, Ping):
                        await self._say(Pong(event.data))
                    elif isinstance(event, Close) and not self._closing:
                        await self._say(Close(event.code))
                    yield event
                if self._fault is not None:
                    raise self._fault
            data = await self._channel.receive(READ_BYTES)
            if not data:
                break
        self._show(Line("=", "the server closed the connection"))
        yield self._decoder.finish()

    def _decoded(self, data: bytes) -> list[Event]:
        """Show received bytes and their meaning, and return their events, also those before a fault."""
        for line in frame_lines("<", data, self._explain_theirs):
            self._show(line)
        events: list[Event] = []
        try:
            for event in self._decoder.receive(data):
                events.append(event)
        except ProtocolError as fault:
            self._fault = fault
        return events

    async def _say(self, event: Event) -> None:
        frame = self._encoder.send(event)
        if frame:
            for line in frame_lines(">", frame, self._explain_ours):
                self._show(line)
            await self._channel.send(frame)

    async def _exchange(self, probe_request: Fragment | Ping, events: AsyncGenerator[Event]) -> None:
        begun = trio.current_time()
        await self._say(probe_request)
        async for event in events:
            if isinstance(event, Close):
                self._report.error = f"the server closed the session instead of answering: {event}"
                return
            if event == Pong(_PING) or (
                isinstance(event, Fragment) and event.final and isinstance(probe_request, Fragment)
            ):
                self._report.round_trip_seconds = trio.current_time() - begun
                return

    async def _close(self, events: AsyncGenerator[Event]) -> None:
        framing = self._probe_request.dialect.framing
        self._closing = True
        await self._say(Close(NORMAL if NORMAL in framing.close_codes else None))
        if not framing.has_close:
            self._show(Line("=", "the probe closes the connection: this dialect has no closing frame"))
            self._channel.end()
        with trio.move_on_after(PATIENCE_SECONDS):
            async for event in events:
                if isinstance(event, Close):
                    self._report.closed = "closed by both"
                    return
        self._report.closed = f"no answer to the closing frame within {PATIENCE_SECONDS:g} s"
