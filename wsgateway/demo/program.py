"""The demo as a program: upstream, gateway and page, started together on loopback and stopped by one signal.

The gateway is a `wsgateway.Gateway`, and all that a browser needs is behind its port: a request for WebSocket goes to
the upstream, and any other to the page. So one port is enough for a tunnel. The gateway stops first, so that sessions
can still do the closing handshake with their upstream.
"""

import json
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Self

import trio

from wsgateway.demo import LOOPBACK
from wsgateway.demo.site import Site
from wsgateway.demo.upstream import DemoUpstream
from wsgateway.errors import SettingsError
from wsgateway.observe.log import Log
from wsgateway.run.gateway import Addresses, Gateway
from wsgateway.run.stop_signals import STOP_SIGNALS, ReceivedSignals
from wsgateway.serve.bind import listen
from wsgateway.settings.basics import Address
from wsgateway.settings.load import parse
from wsgateway.settings.whole import Settings

# With an upstream for each, these need fewer descriptors than the 1024 that a process usually has.
GATEWAY_CONNECTIONS = 400
# Names and ports under which the page may be open at once.
_MOST_PAGES = 16


class Demo:
    """The three servers. The upstream and the page listen at once, and `run` must follow."""

    def __init__(self, port: int, log: Log) -> None:
        """Take the port of the gateway; 0: the system chooses."""
        self._log = log
        with ExitStack() as opened:
            self._upstream_listener = opened.enter_context(_listen(0))
            self._site_listener = opened.enter_context(_listen(0))
            opened.pop_all()
        self.upstream, self.site = _address(self._upstream_listener), _address(self._site_listener)
        """the addresses of the server and of the page's own server, which the gateway connects to"""
        self._bind = self.gateway = Address(LOOPBACK, port)
        """the address of the gateway, and of the page; port 0 is replaced when it serves"""
        self._pages: dict[str, None] = {}

    async def run(self, show: Callable[[Self], object]) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends it at once. Call `show` when all of it serves.

        Raise SettingsError if the port of the gateway is taken.
        """
        self._gateway, failure = Gateway(self._settings(), self._log), None
        with self._upstream_listener, self._site_listener, trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, ReceivedSignals(signals), self._gateway, nursery.cancel_scope, self._log)
                nursery.start_soon(DemoUpstream(self._log).serve, self._upstream_listener)
                try:
                    [[self.gateway]] = (await nursery.start(_serve, self._gateway, nursery.cancel_scope)).values()
                except SettingsError as error:
                    failure = error
                    nursery.cancel_scope.cancel()
                else:
                    for host in (LOOPBACK, "localhost"):  # now that the port is known
                        await self._allow(f"{host}:{self.gateway.port}")
                    site = Site(self.gateway, self.upstream, self._allow, self._log)
                    nursery.start_soon(site.serve, self._site_listener)
                    show(self)
        if failure is not None:
            raise failure

    async def _allow(self, host: str) -> None:
        """Let the page connect that a browser has loaded from this host: a tunnel may begin at another port."""
        if host not in self._pages and len(self._pages) < _MOST_PAGES:
            self._pages[host] = None
            with suppress(SettingsError):  # a signal has come already, and it drains
                await self._gateway.reload(self._settings())

    def _settings(self) -> Settings:
        """Return the settings of the gateway."""
        text = {
            "version": 1,
            "listeners": [{"bind": [str(self._bind)], "max_connections": GATEWAY_CONNECTIONS}],
            "routes": [
                {
                    "match": {"path": {"prefix": "/"}},
                    "upstream": "server",
                    "http_upstream": "page",
                    "origins": {"allow": [f"http://{host}" for host in self._pages], "opaque": "refuse"},
                }
            ],
            "upstreams": {
                "server": {"targets": [{"url": f"ws://{self.upstream}"}]},
                "page": {"targets": [{"url": f"http://{self.site}"}]},
            },
            "shutdown": {"spread": "none"},  # the user has pressed Ctrl-C, and waits
        }
        return parse(json.dumps(text), "demo")

    def __str__(self) -> str:
        return (
            f"The page:       http://{self.gateway}/\n"
            f"The gateway:    ws://{self.gateway}/echo and ws://{self.gateway}/chat\n"
            f"The server:     ws://{self.upstream}/echo, without the gateway\n"
            f"Another client: wsgateway probe ws://{self.gateway}/echo --dialect hixie-76 --send hello --trace\n"
            f"From elsewhere: ssh -L {self.gateway.port}:{self.gateway} HOST, and then the page\n"
            "Ctrl-C ends it. Warnings follow, if there are any."
        )


async def _serve(gateway: Gateway, everything: trio.CancelScope, *, task_status: trio.TaskStatus[Addresses]) -> None:
    """Serve until the gateway has drained, and end everything then."""
    await gateway.serve(task_status=task_status)
    everything.cancel()


async def _watch(signals: ReceivedSignals, gateway: Gateway, everything: trio.CancelScope, log: Log) -> None:
    """Drain the gateway at the first signal, and end everything at the second."""
    log.info("stopping", why=(await anext(signals)).name)
    gateway.drain()
    log.warning("ended at once", why=(await anext(signals)).name)
    everything.cancel()


def _listen(port: int) -> socket.socket:
    return listen(Address(LOOPBACK, port))[0]


def _address(listener: socket.socket) -> Address:
    return Address(LOOPBACK, listener.getsockname()[1])
