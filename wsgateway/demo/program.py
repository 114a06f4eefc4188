"""The demo as a program: upstream, gateway and page, started together on loopback and stopped by one signal.

The gateway is a `wsgateway.Gateway`. It stops first, so that sessions can still do the closing handshake with their
upstream.
"""

import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
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
from wsgateway.settings.defaults import Origins
from wsgateway.settings.load import single
from wsgateway.settings.process import Shutdown
from wsgateway.settings.whole import Settings

# With an upstream for each, these need fewer descriptors than the 1024 that a process usually has.
GATEWAY_CONNECTIONS = 400


class Demo:
    """The three servers. The upstream and the page listen at once, and `run` must follow."""

    def __init__(self, port: int, page_port: int, log: Log) -> None:
        """Take the ports of the gateway and of the page; 0: the system chooses.

        Raise SettingsError if the page's port is taken; then nothing listens.
        """
        self._log = log
        with ExitStack() as opened:
            self._upstream_listener = opened.enter_context(_listen(0))
            self._page_listener = opened.enter_context(_listen(page_port))
            opened.pop_all()
        self.page = _address(self._page_listener)
        """the page's address"""
        self._bind = self.gateway = Address(LOOPBACK, port)
        """the gateway's address; port 0 is replaced when it serves"""

    async def run(self, show: Callable[[Self], object]) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends it at once. Call `show` when all of it serves.

        Raise SettingsError if the port of the gateway is taken.
        """
        gateway, failure = Gateway(self._settings(), self._log), None
        with self._upstream_listener, self._page_listener, trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, ReceivedSignals(signals), gateway, nursery.cancel_scope, self._log)
                nursery.start_soon(DemoUpstream(self._log).serve, self._upstream_listener)
                try:
                    [[self.gateway]] = (await nursery.start(_serve, gateway, nursery.cancel_scope)).values()
                except SettingsError as error:
                    failure = error
                    nursery.cancel_scope.cancel()
                else:
                    with suppress(SettingsError):  # a signal has come already, and it drains
                        await gateway.reload(self._settings())  # now that the port is known
                    nursery.start_soon(Site(self.gateway, self._log).serve, self._page_listener)
                    show(self)
        if failure is not None:
            raise failure

    def _settings(self) -> Settings:
        """Return the settings of the gateway, whose port is part of them."""
        upstream = _address(self._upstream_listener)
        settings = single(str(self._bind), f"ws://{upstream}").settings()
        return replace(
            settings,
            listeners=tuple(replace(each, max_connections=GATEWAY_CONNECTIONS) for each in settings.listeners),
            routes=tuple(replace(each, origins=self._origins()) for each in settings.routes),
            shutdown=Shutdown(spread_seconds=None),  # the user has pressed Ctrl-C, and waits
        )

    def _origins(self) -> Origins:
        """Allow the pages of the demo, and no others in the same browser. Probes have the origin of the gateway."""
        ports = (self.page.port, self.gateway.port)
        return Origins(
            tuple(f"http://{host}:{port}" for host in (LOOPBACK, "localhost") for port in ports), opaque="refuse"
        )

    def __str__(self) -> str:
        return (
            f"The page:       http://{self.page}/\n"
            f"The gateway:    ws://{self.gateway}/echo and ws://{self.gateway}/chat\n"
            f"Another client: wsgateway probe ws://{self.gateway}/echo --dialect hixie-76 --send hello --trace\n"
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
