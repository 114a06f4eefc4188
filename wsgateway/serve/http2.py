"""A connection of HTTP/2: its frames become streams, and each is served in the same way as a connection (`stream`).

h2 implements the protocol. This module has the tasks: one reads, one writes, each stream has its own. A client that
does not read is not read either, so that data to send does not pile up: there is at most one frame for each stream. A
read is small, because h2 needs 20 ms for 16 KiB of the smallest frames, in which no other client is served.

    what a client could use too much of    its limit
    streams at the same time               `streams`; those that are ending count, up to as many again
    frames without content: resets,        `control_rate`; WINDOW_UPDATE frames that match what we sent are free
      pings, settings, window updates ...  (`FrameHeads`)
    a table for the headers that we send   4096 bytes, the default of HPACK
    headers                                the listener's `head_size` (431), four times that for h2 (the connection)
    a frame, continuations of a head       16 KiB (`FrameHeads`), 64 of them (h2)
    data that no session takes             a window of 64 KiB for each stream
    time without a stream                  `timeouts.handshake` until the first request, then `idle`
    time without reading                   `timeouts.send`
"""

import math
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from errno import ECONNRESET

import trio
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, StreamClosedError
from h2.settings import SettingCodes, Settings
from hpack import Encoder
from hyperframe.frame import GoAwayFrame

from wsgateway.errors import ClientDisconnectedError, HttpRefusal, ProtocolError, Reason, ReasonedError
from wsgateway.net.channel import READ_BYTES
from wsgateway.net.failure import in_words
from wsgateway.policy.rates import Bucket
from wsgateway.serve.preamble import stopped
from wsgateway.serve.request import Client, RequestContext
from wsgateway.serve.stream import Stream
from wsgateway.wire.heads import Headers, Request
from wsgateway.wire.http2 import FrameHeads, HeaderList, request_of
from wsgateway.wire.oddities import Oddities

ServeStream = Callable[[Client, trio.CancelScope, HttpRefusal | None], Awaitable[None]]
"""serves a stream, or refuses it, and closes its socket; see `Stream.run` for the scope"""

# The window that RFC 9113, 6.9.2, gives to each stream, and to all of them together unless it is raised.
_WINDOW_BYTES = 65535
_MOST_WINDOW_BYTES = 2**31 - 1
# A head that is a little too large is answered. One that is larger than this, times the limit, ends the connection.
_OVERSIZE = 4
# How many bytes of sent headers are kept, so that they can be sent shorter the next time.
_TABLE_BYTES = 4096
_CALM = ErrorCodes.ENHANCE_YOUR_CALM
# The texts of h2 repeat bytes of the client, which must not be in the log.
_REPEATED = re.compile(r"[^ -~]|: | \{?b?'")


class _BoundedEncoder(Encoder):
    """An encoder whose table holds at most 4096 bytes (RFC 9113, 6.5.2: the default), whatever a client allows.

    Every sent header is searched for in the table, and stays in memory.
    """

    @property
    def header_table_size(self) -> int:
        """The limit of the table in bytes."""
        return self.header_table.maxsize

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        self.header_table.maxsize = size = min(value, _TABLE_BYTES)
        if self.header_table.resized:
            # RFC 7541, 4.2: the next header block must announce the smallest size in between, and the last.
            smallest = min([*self.table_size_changes, size])
            self.table_size_changes = [smallest, size] if smallest < size else [size]


class _Connection(H2Connection):
    # For how many closed streams h2 remembers how they ended: enough for frames that are still on their way.
    MAX_CLOSED_STREAMS = 1024


class Http2Connection:
    """One connection of HTTP/2."""

    def __init__(self, context: RequestContext, serve: ServeStream) -> None:
        """Take the context of a client that has agreed on HTTP/2."""
        tls = context.listener.tls
        assert tls is not None, "HTTP/2 is agreed in TLS"
        assert tls.http2 is not None, "HTTP/2 is agreed only if it is offered"
        self._rule = tls.http2
        self._context = context
        self._client = context.client
        self._serve = serve
        self._timeouts = context.gateway.settings.defaults.timeouts
        head_bytes = context.listener.limits.head_bytes
        self._h2 = _Connection(H2Configuration(client_side=False))
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: self._rule.streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: head_bytes,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            },
        )
        self._h2.encoder = _BoundedEncoder()
        self._heads = FrameHeads(settings_sent=1)
        self._h2.decoder.max_header_list_size = _OVERSIZE * head_bytes
        now = trio.current_time()
        self._control = None if self._rule.control_rate is None else Bucket(self._rule.control_rate, now)
        self._streams: dict[int, Stream] = {}
        self._waiting: set[Stream] = set()
        """the streams that wait for room in a window"""
        self._out = bytearray()
        self._unsent = trio.Event()
        self._sent = trio.lowlevel.ParkingLot()
        self._reading = trio.CancelScope()
        self._fault: ReasonedError | OSError
        """why reading has ended, or will end if nothing comes"""
        self._unreachable = False
        """whether the client cannot be sent anything any more"""
        self._draining = False
        """whether new streams are refused"""
        self._over = False

    async def run(self) -> None:
        """Serve until the connection ends, and always raise why: ProtocolError, ClientDisconnectedError or OSError."""
        self._h2.initiate_connection()
        # So that streams whose data is not read do not block the others.
        self._h2.increment_flow_control_window(min(_MOST_WINDOW_BYTES, self._rule.streams * _WINDOW_BYTES))
        self._await_request(self._timeouts.handshake_seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            nursery.start_soon(self._watch_drain)
            async with trio.open_nursery() as self._nursery:
                with self._reading:
                    await self._read()
                self._over = True
                for stream in self._streams.values():
                    stream.cut()
                await self._close()
            nursery.cancel_scope.cancel()
        raise self._fault

    async def refuse(self, error: HttpRefusal) -> None:
        """Refuse a client that is above a limit."""
        self._h2.initiate_connection()
        self._h2.close_connection(_CALM, error.reason.encode())
        with trio.move_on_after(self._timeouts.close_seconds):
            await self._client.channel.send(self._h2.data_to_send())
            await self._client.channel.linger()

    # -- the tasks ----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read until this is cancelled, or there is a fault."""
        try:
            while True:
                await self._flush()
                data = await self._client.channel.receive(READ_BYTES)
                if not data:
                    raise ClientDisconnectedError(Reason.DISCONNECTED_IDLE, "with the end of its connection")
                self._meter(self._heads.look(data))
                for event in self._h2.receive_data(data):
                    self._handle(event)
        except H2Error as error:
            text = _REPEATED.split(str(error))[0].strip()
            # After a GOAWAY h2 takes no frames, not even of the same read, and sends none for those before it.
            self._end(_went() if self._heads.goes_away else ProtocolError(Reason.HTTP2_FAULT, f"HTTP/2: {text}"))
        except ProtocolError as error:
            self._h2.close_connection(_CALM)
            self._end(ProtocolError(error.reason, f"HTTP/2: {error}"))
        except ClientDisconnectedError as error:
            self._end(error)
        except OSError as error:
            self._end(error, unreachable=True)

    async def _write(self) -> None:
        """Write the data to send, whenever there is some."""
        seconds = self._timeouts.send_seconds
        try:
            while True:
                await self._unsent.wait()
                self._unsent = trio.Event()
                data, self._out = bytes(self._out), bytearray()
                with trio.fail_after(seconds) as scope:

                    def moved(scope: trio.CancelScope = scope) -> None:
                        scope.deadline = trio.current_time() + seconds

                    await self._client.channel.send_steadily(data, moved)
                self._sent.unpark_all()
        except OSError as error:
            self._end(error, unreachable=True)
        except trio.TooSlowError:
            text = f"the client takes nothing of what it is sent for {seconds:g} s"
            self._end(ProtocolError(Reason.ANSWER_NOT_TAKEN, text), unreachable=True)
        self._sent.unpark_all()

    async def _watch_drain(self) -> None:
        """Refuse new streams when the gateway stops, and let open ones end."""
        try:
            with self._context.gateway.time_limit(math.inf, stopped, stopped, -math.inf):
                await trio.sleep_forever()
        except ClientDisconnectedError:
            self._draining = True
            # h2 would send nothing more after a GOAWAY of its own.
            self._push(GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id).serialize())
            if not self._streams:
                self._end(stopped())

    def _end(self, fault: ReasonedError | OSError, *, unreachable: bool = False) -> None:
        """Stop reading. Only the first fault counts. `unreachable`: the client cannot be sent anything any more."""
        if not self._reading.cancel_called:
            self._fault, self._unreachable = fault, unreachable
            self._reading.cancel()

    async def _run(self, stream: Stream, error: HttpRefusal | None) -> None:
        try:
            await stream.run(lambda client, asking: self._serve(client, asking, error), self._timeouts.send_seconds)
        except Exception:  # a bug of ours costs no other stream
            self._context.gateway.log.exception("bug", **self._context.facts.known(), reason=Reason.BUG)
        finally:
            self._forget(stream)

    async def _close(self) -> None:
        """Send the client the fault, if that is possible, and close the connection."""
        if self._unreachable:
            return
        if self._reading.cancelled_caught:  # else the client has disconnected, or h2 has already sent it
            self._h2.close_connection()
        with trio.move_on_after(self._timeouts.close_seconds):
            await self._flush()
            await self._client.channel.linger()

    # -- frames of the client ------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._begin(event)
            case DataReceived():
                self._receive(event)
            case StreamEnded() if event.stream_id in self._streams:
                self._streams[event.stream_id].end()
            case StreamReset() if event.stream_id in self._streams:
                self._streams[event.stream_id].cut()
            case WindowUpdated() if event.stream_id:
                if event.stream_id in self._streams:
                    self._streams[event.stream_id].room.unpark_all()
            case WindowUpdated() | RemoteSettingsChanged():
                self._make_room()
            case ConnectionTerminated():
                raise _went()

    def _begin(self, event: RequestReceived) -> None:
        number = event.stream_id
        headers: HeaderList = [(bytes(name), bytes(value)) for name, value in event.headers or ()]
        request, refused = Request("/", Headers([("Host", "")])), None
        try:
            oddities = Oddities(self._context.listener_state.listener.tolerance)
            request = request_of(headers, event.stream_ended is not None, os.urandom, oddities)
        except HttpRefusal as error:
            refused = error
        try:
            if self._draining or len(self._streams) >= 2 * self._rule.streams:
                self._reset(number, ErrorCodes.REFUSED_STREAM)
                return
            stream = Stream(number, self, self._client, request)
        except OSError as error:
            self._context.refused(ProtocolError(Reason.OUT_OF_RESOURCES, in_words(error)))
            self._reset(number, ErrorCodes.REFUSED_STREAM)
            return
        self._streams[number] = stream
        self._reading.deadline = math.inf
        self._nursery.start_soon(self._run, stream, refused)

    def _receive(self, event: DataReceived) -> None:
        size = event.flow_controlled_length or 0
        if size and not event.data and event.stream_ended is None:
            self._meter(1)  # only padding
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self._h2.acknowledge_received_data(size, event.stream_id)
        else:
            stream.receive(event.data or b"", size)

    def _make_room(self) -> None:
        """Wake the streams that waited for room in a window, and have some now."""
        for stream in self._waiting:
            if self._h2.local_flow_control_window(stream.number) > 0:
                stream.room.unpark_all()

    def _meter(self, frames: int) -> None:
        """Count frames that only cost work. Raise ProtocolError if the rate allows no more."""
        if frames and self._control is not None and self._control.take(trio.current_time(), frames):
            text = f"more than {self._rule.control_rate} resets, pings, settings and the like"
            raise ProtocolError(Reason.HTTP2_FLOOD, text)

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.number]
        if self._over:
            return
        self._h2.acknowledge_received_data(stream.unacknowledged, stream.number)
        if not stream.closed and not (stream.whole and stream.ended):
            # RFC 9113, 8.1: a client with its whole answer need not send more; RFC 8441, 5: a connection that is cut.
            code = ErrorCodes.CANCEL if stream.websocket else ErrorCodes.INTERNAL_ERROR
            code = ErrorCodes.PROTOCOL_ERROR if stream.malformed else code
            self._reset(stream.number, ErrorCodes.NO_ERROR if stream.whole else code)
        self._push()
        if self._streams:
            return
        if self._draining:
            self._end(stopped())
        else:
            self._await_request(self._rule.idle_seconds)

    def _await_request(self, seconds: float) -> None:
        """Set the timeout of a connection without a stream."""
        if not self._reading.cancel_called:
            self._reading.deadline = trio.current_time() + seconds
            self._fault = ClientDisconnectedError(Reason.DISCONNECTED_IDLE, f"without a request for {seconds:g} s")

    def _reset(self, number: int, code: ErrorCodes) -> None:
        with suppress(StreamClosedError):  # the client has reset it first
            self._h2.reset_stream(number, code)

    # -- frames of streams (`Frames`) ----------------------------------------------------------------------------

    def answer(self, stream: Stream, headers: HeaderList) -> None:
        self._check(stream)
        self._h2.send_headers(stream.number, headers)
        self._push()

    async def send(self, stream: Stream, data: bytes) -> None:
        while data:
            self._check(stream)
            room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
            if room > 0:
                self._h2.send_data(stream.number, data[:room])
                self._heads.sent(min(room, len(data)))
                data = data[room:]
                await self._flush()
            else:
                await self._wait_for_room(stream)

    async def _wait_for_room(self, stream: Stream) -> None:
        self._waiting.add(stream)
        try:
            await stream.room.park()
        finally:
            self._waiting.discard(stream)

    def finish(self, stream: Stream) -> None:
        self._check(stream)
        self._h2.end_stream(stream.number)
        self._push()

    def acknowledge(self, stream: Stream, size: int) -> None:
        self._check(stream)
        self._h2.acknowledge_received_data(size, stream.number)
        self._push()

    def _check(self, stream: Stream) -> None:
        if stream.closed or self._over:
            raise ConnectionResetError(ECONNRESET, os.strerror(ECONNRESET))

    def _push(self, data: bytes = b"") -> None:
        self._out += self._h2.data_to_send() + data
        if self._out:
            self._unsent.set()

    async def _flush(self) -> None:
        """Wait until the data to send has been written."""
        self._push()
        if self._out:
            await self._sent.park()


def _went() -> ClientDisconnectedError:
    return ClientDisconnectedError(Reason.DISCONNECTED_IDLE, "with a GOAWAY")
