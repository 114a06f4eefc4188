"""The admin pages: a small server of HTTP for programs that ask how the gateway is."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import h11
import trio

from wsgateway.observe.log import Log

# Nobody asks often; who does not take an answer has a bug.
MOST_CLIENTS = 16
REQUEST_SECONDS = 10.0
MOST_HEAD_BYTES = 8192
_READ_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Awaitable[Reply]]]
"""by their path"""


class Admin:
    """Answers one request on each connection."""

    def __init__(self, pages: Pages, admits: Callable[[str], bool], log: Log) -> None:
        """`admits` takes an address and says whether it may ask. Who comes by a Unix socket may."""
        self._pages = pages
        self._admits = admits
        self.log = log
        self._room = trio.CapacityLimiter(MOST_CLIENTS)

    async def run(self, socks: list[socket.socket], scope: trio.CancelScope) -> None:
        """Serves on sockets that listen and are the caller's, until the scope is cancelled; who has come by then is
        still answered."""
        async with trio.open_nursery() as clients:
            with scope:
                async with trio.open_nursery() as nursery:
                    for sock in socks:
                        nursery.start_soon(self._accept, sock, clients)

    async def _accept(self, sock: socket.socket, clients: trio.Nursery) -> None:
        while True:
            # Those for whom there is no room wait in the kernel.
            async with self._room:
                await trio.lowlevel.wait_readable(sock)
            try:
                client, peer = sock.accept()
            except OSError:  # gone, or no descriptor is left, which others give back
                await trio.sleep(0.1)
                continue
            if client.family != socket.AF_UNIX and not self._admits(peer[0]):
                client.close()
                continue
            client.setblocking(False)
            token = object()
            with trio.CancelScope(shield=True):  # who is accepted must not be lost
                await self._room.acquire_on_behalf_of(token)
            clients.start_soon(self._serve, trio.SocketStream(trio.socket.from_stdlib_socket(client)), token)

    async def _serve(self, stream: trio.SocketStream, token: object) -> None:
        try:
            with trio.move_on_after(REQUEST_SECONDS):
                await self._answer(stream)
        except (h11.RemoteProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
            return  # its own fault, and it sees no answer
        except Exception:  # a bug of ours costs its own request
            self.log.exception("bug", client="admin")
        finally:
            self._room.release_on_behalf_of(token)
            stream.socket.close()

    async def _answer(self, stream: trio.SocketStream) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_HEAD_BYTES)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(_READ_BYTES))
        if not isinstance(event, h11.Request):
            return
        reply = await self._reply(event)
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ]
        data = connection.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        if event.method != b"HEAD":
            data += reply.body
        await stream.send_all(data)
        await stream.send_eof()

    async def _reply(self, request: h11.Request) -> Reply:
        page = self._pages.get(request.target.decode("latin-1").partition("?")[0])
        if page is None:
            return Reply(404, f"There are {', '.join(self._pages)}.\n".encode())
        if request.method not in (b"GET", b"HEAD"):
            return Reply(405, b"GET is allowed.\n")
        return await page()
