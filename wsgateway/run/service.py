"""What one process serves: listeners up, sessions, and a graceful end."""

from dataclasses import replace
from socket import socket

import trio

from wsgateway.observe.log import Log
from wsgateway.run.sockets import Sockets, close, shares
from wsgateway.serve.gateway import Gateway
from wsgateway.serve.listeners import Acceptor
from wsgateway.settings.model import Settings

# The steps of a goodbye, each of which may take `timeouts.close`: finish a frame, tell, await the answer, close.
CLOSE_STEPS = 4


class Service:
    """Serves on sockets that listen, which it owns."""

    def __init__(self, settings: Settings, log: Log, sockets: Sockets) -> None:
        self._gateway = Gateway(settings, log)
        self._bound = list(shares(settings, sockets))
        self._sockets = sockets
        self._accepting: dict[socket, trio.CancelScope] = {}
        self._nursery: trio.Nursery | None = None
        self._stop = trio.Event()

    async def run(self) -> None:
        """Serves until it is drained; cancel it to end at once."""
        try:
            await self._serve()
        finally:
            close(self._sockets)

    async def _serve(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._gateway.engine.run)
            async with trio.open_nursery() as self._nursery:
                self._accept()
                await self._stop.wait()
                for scope in self._accepting.values():
                    scope.cancel()
                self._gateway.stop()
                longest = max(route.timeouts.close_seconds for route in self._gateway.settings.routes)
                self._nursery.cancel_scope.deadline = trio.current_time() + CLOSE_STEPS * longest
            nursery.cancel_scope.cancel()

    def _accept(self) -> None:
        """Accepts on all sockets that are bound, and on no others."""
        assert self._nursery is not None, "it runs"
        for sock in self._accepting.keys() - {sock for _, sock in self._bound}:
            self._accepting.pop(sock).cancel()
        acceptors: dict[str, Acceptor] = {}
        for listener, sock in self._bound:
            acceptor = acceptors.setdefault(listener.name, Acceptor(self._gateway, listener, self._nursery))
            if sock not in self._accepting:
                self._accepting[sock] = trio.CancelScope()
                self._nursery.start_soon(self._run, acceptor, sock, self._accepting[sock])

    async def _run(self, acceptor: Acceptor, sock: socket, scope: trio.CancelScope) -> None:
        with scope:
            await acceptor.run(sock)
        if self._stop.is_set():
            sock.close()

    def reload(self, settings: Settings, sockets: Sockets) -> None:
        """Takes a new configuration. Raises SettingsError, and changes nothing."""
        self._gateway = replace(self._gateway, settings=settings)
        self._bound = list(shares(settings, sockets))
        self._sockets = sockets
        if self._nursery is not None:
            for scope in self._accepting.values():
                scope.cancel()
            self._accepting.clear()
            self._accept()

    def drain(self) -> None:
        """Begins to drain; `run` returns when that is done."""
        self._stop.set()

    def status(self) -> dict[str, object]:
        """What goes on, in numbers."""
        return {"draining": self._stop.is_set(), "sessions": {"by_dialect": {"any": len(self._gateway.engine)}}}

    def beat(self) -> float:
        """Trio's time of the last turn of the relay loop."""
        return trio.current_time()
