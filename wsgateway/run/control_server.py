"""The control socket, which answers requests of root and of the gateway's own user alone (SO_PEERCRED, unix(7))."""

import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from wsgateway.errors import Reason
from wsgateway.observe.http_server import accept
from wsgateway.observe.log import Facts, Log
from wsgateway.observe.shape import shaped
from wsgateway.run.request_kinds import is_stream
from wsgateway.run.requests import (
    MOST_FINDINGS,
    REQUEST_BYTES,
    ControlAnswer,
    ControlRequest,
    Item,
    LineReader,
    Send,
    line_of,
    line_of_items,
    refused,
)

# Operators and their programs send few requests.
MOST_CONTROL_CLIENTS = 16
# For a request to arrive, and for a line to be read. The command in between may take as long as it needs.
LINE_SECONDS = 10.0
# For a line of a stream to be read: a person who reads it may stop for a while, and gets no more lines meanwhile.
STREAM_LINE_SECONDS = 600.0
_ROOT = 0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group

Perform = Callable[[ControlRequest, Facts, Send], Awaitable[ControlAnswer]]
"""carries out a request, given the facts about who asks, and what sends items"""


class ControlServer:
    """A server that answers one request on each connection."""

    def __init__(self, perform: Perform, log: Log) -> None:
        """Take the function that carries out requests."""
        self._perform = perform
        self._log = log
        self._places = trio.Semaphore(MOST_CONTROL_CLIENTS)

    async def run(self, socks: list[socket.socket], scope: trio.CancelScope) -> None:
        """Serve on listening sockets, which are the caller's, until the scope is cancelled.

        Clients that have sent a command by then are still answered.
        """
        async with trio.open_nursery() as clients:
            with scope:
                async with trio.open_nursery() as nursery:
                    for sock in socks:
                        nursery.start_soon(accept, sock, self._serve, self._places, clients, self._log)

    async def _serve(self, sock: socket.socket) -> None:
        with trio.CancelScope() as connected:
            await _Client(trio.SocketStream(trio.socket.from_stdlib_socket(sock)), connected).serve(self._answer)

    async def _answer(self, client: "_Client") -> ControlAnswer | None:
        try:
            line = await client.line()
        except ValueError as error:
            return refused(str(error))
        if line is None:
            return None
        pid, uid = client.credentials()
        if uid not in (_ROOT, os.geteuid()):
            self._log.warning("control refused", pid=pid, uid=uid, **Reason.CONTROL_DENIED.facts)
            return refused(f"user {uid} may not ask; root may, and user {os.geteuid()}, who runs the gateway")
        try:
            request = shaped(ControlRequest, json.loads(line))
        except (ValueError, RecursionError) as error:
            return refused(f"no request: {error}")
        who = {"uid": uid, "pid": pid}
        if is_stream(request.command):
            return await client.streamed(lambda: self._perform(request, who, client.send))
        return await self._perform(request, who, client.send)


class _Client:
    """A connection to the control socket."""

    def __init__(self, stream: trio.SocketStream, connected: trio.CancelScope) -> None:
        """Take the scope that is cancelled when the client is disconnected, or does not read."""
        self._stream = stream
        self._connected = connected
        self._line_seconds = LINE_SECONDS

    async def serve(self, answered: Callable[["_Client"], Awaitable[ControlAnswer | None]]) -> None:
        answer = await answered(self)
        if answer is None:
            return
        left_out = len(answer.findings) - MOST_FINDINGS
        if left_out > 0:
            answer = replace(answer, findings=[*answer.findings[:MOST_FINDINGS], f"and {left_out} more"])
        await self._write(line_of(answer))
        try:
            with trio.move_on_after(LINE_SECONDS):
                await self._stream.send_eof()
                while await self._stream.receive_some():  # closing with unread bytes would send a reset
                    pass
        except trio.BrokenResourceError:
            return  # it is disconnected

    async def line(self) -> bytes | None:
        """Return the line with the request; None if there is none in time. Raise ValueError for a long one."""
        with trio.move_on_after(LINE_SECONDS):
            try:
                return await LineReader(self._stream, REQUEST_BYTES).next()
            except trio.BrokenResourceError:
                return None
        return None

    def credentials(self) -> tuple[int, int]:
        """Return the process id and the user id of the client."""
        pid, uid, _ = _CREDENTIALS.unpack(
            self._stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        return pid, uid

    async def streamed(self, perform: Callable[[], Awaitable[ControlAnswer]]) -> ControlAnswer:
        """Return what a function returns that may last long. Notice meanwhile that the client is disconnected."""
        self._line_seconds = STREAM_LINE_SECONDS
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wait_for_end)
            answer = await perform()
            nursery.cancel_scope.cancel()
        return answer

    async def _wait_for_end(self) -> None:
        try:
            while await self._stream.receive_some():
                pass
        except trio.BrokenResourceError:
            pass
        self._connected.cancel()

    async def send(self, items: list[Item]) -> None:
        """Send items."""
        await self._write(line_of_items(items))

    async def _write(self, line: bytes) -> None:
        """Send a line. If the client does not read it, or is disconnected, cancel what is done for it."""
        try:
            with trio.move_on_after(self._line_seconds) as scope:
                await self._stream.send_all(line)
        except trio.BrokenResourceError:
            self._connected.cancel()
        if scope.cancelled_caught:
            self._connected.cancel()
        await trio.lowlevel.checkpoint()
