"""One process that serves: listeners up, sessions until a signal, then a graceful end."""

import signal
import socket
from collections.abc import AsyncIterator

import trio

from wsgateway.errors import SettingsError
from wsgateway.observe.log import Log
from wsgateway.run.systemd import notify
from wsgateway.serve.gateway import Gateway
from wsgateway.serve.listeners import Acceptor, listen
from wsgateway.settings.advice import advice
from wsgateway.settings.model import Address, Listener, Settings

# The steps of a goodbye, each of which may take `timeouts.close`: finish a frame, tell, await the answer, close.
CLOSE_STEPS = 4

# The first ends all sessions with a goodbye; a second one does not wait for that.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

Bound = list[tuple[Listener, socket.socket]]


def bind(settings: Settings) -> Bound:
    """Listens on all addresses. Raises SettingsError if one cannot be listened on; then none is."""
    bound: Bound = []
    try:
        for listener in settings.listeners:
            for address in listener.bind:
                bound.extend((listener, sock) for sock in listen(address))
    except SettingsError:
        for _, sock in bound:
            sock.close()
        raise
    return bound


async def serve(settings: Settings, log: Log, bound: Bound, stop: trio.Event) -> None:
    """Serves on sockets that listen, until `stop` is set; then ends all sessions with their own goodbye, in bounded
    time. Closes the sockets. Cancel it to end at once.
    """
    gateway = Gateway(settings, log)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.engine.run)
            nursery.start_soon(gateway.pools.run)
            async with trio.open_nursery() as sessions:
                acceptors = trio.CancelScope()
                sessions.start_soon(_accept, gateway, bound, sessions, acceptors)
                await stop.wait()
                acceptors.cancel()
                gateway.stop()
                longest = max(route.timeouts.close_seconds for route in settings.routes)
                sessions.cancel_scope.deadline = trio.current_time() + CLOSE_STEPS * longest
            nursery.cancel_scope.cancel()
    finally:
        for _, sock in bound:
            sock.close()


async def _accept(gateway: Gateway, bound: Bound, sessions: trio.Nursery, scope: trio.CancelScope) -> None:
    """Accepts on all listeners until the scope is cancelled, and closes them: the kernel refuses later clients."""
    acceptors: dict[str, Acceptor] = {}
    with scope:
        async with trio.open_nursery() as nursery:
            for listener, sock in bound:
                acceptor = acceptors.setdefault(listener.name, Acceptor(gateway, listener, sessions))
                nursery.start_soon(acceptor.run, sock)
    for _, sock in bound:
        sock.close()


async def serve_until_signalled(settings: Settings, log: Log, bound: Bound) -> None:
    """As `serve`; SIGTERM or SIGINT stops it, and a second one ends it at once. Keeps systemd informed."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
            nursery.start_soon(_watch, signals, stop, nursery.cancel_scope, log)
            for listener, sock in bound:
                host, port = sock.getsockname()[:2]
                log.info("listening", listener=listener.name, address=str(Address(host, port)))
            for sentence in advice(settings):
                log.warning("advice", why=sentence)
            _tell_manager(log, "READY=1")
            await serve(settings, log, bound, stop)
            nursery.cancel_scope.cancel()


async def _watch(signals: AsyncIterator[int], stop: trio.Event, scope: trio.CancelScope, log: Log) -> None:
    async for number in signals:
        name = signal.Signals(number).name
        if stop.is_set():
            log.warning("ended at once", why=name)
            scope.cancel()
        else:
            log.info("stopping", why=name)
            _tell_manager(log, "STOPPING=1")
            stop.set()


def _tell_manager(log: Log, state: str) -> None:
    """Tells systemd. A manager that cannot be told is no reason not to serve (sd_notify(3))."""
    try:
        notify(state)
    except OSError as error:
        log.warning("systemd not told", state=state, why=str(error))
