"""The demo as a program: upstream, gateway and page, started together on loopback and stopped by one signal.

The gateway is the one that `wsgateway run` starts, between two addresses. It stops first, so that every session
still has its upstream to say goodbye to.
"""

import socket
from contextlib import ExitStack, closing
from dataclasses import replace

import trio

from wsgateway.demo.site import Site
from wsgateway.demo.upstream import Upstream
from wsgateway.observe.log import Log
from wsgateway.run.alone import serve_until_signalled
from wsgateway.run.listening import Listening
from wsgateway.run.service import Service
from wsgateway.serve.listeners import listen
from wsgateway.settings.basics import Address
from wsgateway.settings.load import single
from wsgateway.settings.process import Shutdown
from wsgateway.settings.routing import Origins

HOST = "127.0.0.1"


class Demo:
    """Listens from the moment it is made. Must be run then."""

    def __init__(self, port: int, page_port: int, log: Log) -> None:
        """Takes the ports of the gateway and of the page; 0: the system chooses. Raises SettingsError for one that is
        taken; then nothing listens."""
        self._log = log
        with ExitStack() as opened:
            self._upstream_listener = opened.enter_context(_listen(0))
            self._page_listener = opened.enter_context(_listen(page_port))
            settings = single(str(Address(HOST, port)), f"ws://{_address(self._upstream_listener)}").settings()
            self._listening = Listening({}).fitted(settings)
            opened.pop_all()
        self.gateway = _address(self._listening.every()[0][1])
        """the gateway's address"""
        self.page = _address(self._page_listener)
        """the page's address"""
        self._settings = replace(
            settings,
            routes=tuple(replace(each, origins=self._origins()) for each in settings.routes),
            shutdown=Shutdown(spread_seconds=None),  # whoever presses Ctrl-C waits for it
        )

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT. A second one ends it at once."""
        upstream, site = Upstream(self._log), Site(self.gateway, self._log)
        with self._upstream_listener, self._page_listener, closing(self._listening):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(upstream.serve, self._upstream_listener)
                nursery.start_soon(site.serve, self._page_listener)
                await serve_until_signalled(Service(self._settings, self._log, self._listening.shared()), self._log)
                nursery.cancel_scope.cancel()

    def _origins(self) -> Origins:
        """No other page in the visitor's browser may join the chat. Probes say that they come from the gateway."""
        ports = (self.page.port, self.gateway.port)
        return Origins(tuple(f"http://{host}:{port}" for host in (HOST, "localhost") for port in ports))

    def __str__(self) -> str:
        return (
            f"The page:       http://{self.page}/\n"
            f"The gateway:    ws://{self.gateway}/echo and ws://{self.gateway}/chat\n"
            f"Another client: wsgateway probe ws://{self.gateway}/echo --dialect hixie-76 --send hello --trace\n"
            "Ctrl-C ends it. Warnings follow, if there are any."
        )


def _listen(port: int) -> socket.socket:
    return listen(Address(HOST, port))[0]


def _address(listener: socket.socket) -> Address:
    return Address(HOST, listener.getsockname()[1])
