"""One process that serves: listeners up, sessions until a signal, then a graceful end."""

import signal
from collections.abc import AsyncIterator

import trio

from wsgateway.errors import SettingsError
from wsgateway.observe.log import Log
from wsgateway.run.service import Service
from wsgateway.run.sockets import Sockets, bind, close, shares
from wsgateway.run.systemd import notify
from wsgateway.serve.listeners import address_of
from wsgateway.settings.advice import advice
from wsgateway.settings.load import load
from wsgateway.settings.model import Settings

# The first ends all sessions with a goodbye; a second one does not wait for that.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve_until_signalled(settings: Settings, log: Log, sockets: Sockets, file: str | None = None) -> None:
    """Serves on sockets that listen, and closes them. SIGTERM or SIGINT drains it, and a second one ends it at once;
    SIGHUP has it read its file again, if there is one. Keeps systemd informed."""
    with trio.open_signal_receiver(*STOP_SIGNALS, signal.SIGHUP) as signals:
        service = Service(settings, log, sockets)
        _tell_listening(log, settings, service, sockets)
        for sentence in advice(settings):
            log.warning("advice", why=sentence)
        _tell_manager(log, "READY=1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, service, nursery.cancel_scope, log, file)
            await service.run()
            nursery.cancel_scope.cancel()


async def _obey(
    signals: AsyncIterator[int], service: Service, scope: trio.CancelScope, log: Log, file: str | None
) -> None:
    stopping = False
    async for number in signals:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            _reload(service, log, file)
        elif stopping:
            log.warning("ended at once", why=name)
            scope.cancel()
        else:
            stopping = True
            log.info("stopping", why=name)
            _tell_manager(log, "STOPPING=1")
            service.drain()


def _reload(service: Service, log: Log, file: str | None) -> None:
    """Reads the file again. If anything is wrong with it, it says what, and all is as before."""
    if file is None:
        log.warning("reload refused", why="there is no file to be read again")
        return
    opened: Sockets = {}
    try:
        settings = load(file)
        opened = bind(settings, service.sockets).opened
        service.reload(settings, opened)
    except SettingsError as error:
        close(opened)
        for problem in error.problems:
            log.error("reload refused", why=str(problem))
    else:
        _tell_listening(log, settings, service, opened)


def _tell_listening(log: Log, settings: Settings, service: Service, opened: Sockets) -> None:
    """Logs where it listens since now."""
    new = [sock for each in opened.values() for sock in each]
    for listener, sock in shares(settings, service.sockets):
        if sock in new:
            log.info("listening", listener=listener.name, address=str(address_of(sock)))


def _tell_manager(log: Log, state: str) -> None:
    """Tells systemd. A manager that cannot be told is no reason not to serve (sd_notify(3))."""
    try:
        notify(state)
    except OSError as error:
        log.warning("systemd not told", state=state, why=str(error))
