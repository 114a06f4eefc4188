"""The events of a page, read without a browser."""

import json
from collections.abc import Callable
from typing import Any

import h11

from tests.peers import Peer


class Events:
    """A client that reads what a page would show."""

    def __init__(self, peer: Peer, host: str) -> None:
        self._peer = peer
        self._host = host
        self._connection = h11.Connection(h11.CLIENT)
        self._text = ""
        self.shown: dict[str, Any] = {}

    async def ask(self) -> None:
        request = h11.Request(method="GET", target="/live", headers=[("Host", self._host)])
        await self._peer.send(self._connection.send(request) or b"", self._connection.send(h11.EndOfMessage()) or b"")
        while not isinstance(event := await self._next(), h11.Response):
            pass
        assert event.status_code == 200

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read until something holds for all that would be shown. Return that."""
        while not ("summary" in self.shown and holds(self.shown)):
            event = await self._next()
            assert isinstance(event, h11.Data), event
            self._text += event.data.decode()
            *blocks, self._text = self._text.split("\n\n")
            for line in "\n".join(blocks).splitlines():
                if line.startswith("data: "):
                    self.shown |= json.loads(line.removeprefix("data: "))
        return self.shown

    async def _next(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            self._connection.receive_data(await self._peer.once())
        return event
