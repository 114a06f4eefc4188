"""The control socket, which answers requests of root and of the gateway's own user alone (SO_PEERCRED, unix(7))."""

import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import trio

from wsgateway.errors import Reason
from wsgateway.observe.http_server import accept
from wsgateway.observe.log import Log
from wsgateway.observe.shape import shaped
from wsgateway.run.requests import MOST_FINDINGS, REQUEST_BYTES, ControlAnswer, ControlRequest, line_of, read_line
from wsgateway.settings.findings import guess

# Operators and their programs send few requests.
MOST_CONTROL_CLIENTS = 16
# For a request to arrive, and for an answer to be read. The command in between may take as long as it needs.
LINE_SECONDS = 10.0
_ROOT = 0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group

Commands = Mapping[str, Callable[[ControlRequest], Awaitable[ControlAnswer]]]


class ControlServer:
    """A server that answers one request on each connection."""

    def __init__(self, commands: Commands, log: Log) -> None:
        """Take the functions of the commands, by the names of the commands."""
        self._commands = commands
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
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        try:
            answer = await self._answer(stream)
            if answer is not None:
                with trio.move_on_after(LINE_SECONDS):
                    await stream.send_all(line_of(answer))
                    await stream.send_eof()
                    while await stream.receive_some():  # closing with unread bytes would send a reset
                        pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the client is disconnected

    async def _answer(self, stream: trio.SocketStream) -> ControlAnswer | None:
        line = None
        with trio.move_on_after(LINE_SECONDS):
            try:
                line = await read_line(stream, REQUEST_BYTES)
            except ValueError as error:
                return _refused(str(error))
        if line is None:
            return None
        credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(credentials)
        if uid not in (_ROOT, os.geteuid()):
            self._log.warning("control refused", pid=pid, uid=uid, **Reason.CONTROL_DENIED.facts)
            return _refused(f"user {uid} may not ask; root may, and user {os.geteuid()}, who runs the gateway")
        return await self._perform(line)

    async def _perform(self, line: bytes) -> ControlAnswer:
        try:
            request = shaped(ControlRequest, json.loads(line))
        except ValueError as error:
            return _refused(f"no request: {error}")
        command = self._commands.get(request.command)
        if command is None:
            return _refused(f"{request.command!r} is no command; {guess(request.command, self._commands)}")
        try:
            answer = await command(request)
        except Exception:  # noqa: BLE001  it is logged, and the client is told
            self._log.exception("bug", client="control", reason=Reason.BUG.value)
            return _refused("a bug of the gateway; its log says more")
        left_out = len(answer.findings) - MOST_FINDINGS
        if left_out <= 0:
            return answer
        return replace(answer, findings=[*answer.findings[:MOST_FINDINGS], f"and {left_out} more"])


def _refused(why: str) -> ControlAnswer:
    return ControlAnswer(ok=False, findings=[why])
