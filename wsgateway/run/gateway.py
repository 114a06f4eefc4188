"""A gateway inside a program of Trio: in one process, without a supervisor, and without signals.

    serve -> sessions ... reload ... reload ... drain -> nothing new, sessions are closed -> serve returns

Cancelling `serve` is the other way to end it: then all connections are closed at once.
"""

import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import trio

from wsgateway.census.keeper import Census
from wsgateway.census.tally import Counts
from wsgateway.errors import Problem, Reason, SettingsError
from wsgateway.observe.log import Log, make_log
from wsgateway.observe.names import names_of
from wsgateway.observe.processes import build, figures
from wsgateway.observe.status import ProcessStatus, Status, WorkerStatus
from wsgateway.observe.writer import STANDARD_ERROR, Writer
from wsgateway.run.admin_pages import AdminPages, Behind
from wsgateway.run.announcements import log_advice, log_listening, log_not_reloaded, log_refused_reload
from wsgateway.run.certificates import certificate_status, warn_daily
from wsgateway.run.configuration_state import ConfigurationState
from wsgateway.run.limits import share, warn_of_few, within
from wsgateway.run.listening import Listening, addresses_of, differences, shares
from wsgateway.run.operator import commander_of
from wsgateway.run.service import Service
from wsgateway.serve.bind import address_of
from wsgateway.serve.gateway import tls_contexts
from wsgateway.settings.basics import Address, UnixAddress
from wsgateway.settings.certificates import Known, known
from wsgateway.settings.load import Source, read
from wsgateway.settings.whole import Settings

Configuration = str | os.PathLike[str] | Settings
"""The name of a YAML file, or settings, as `wsgateway.settings.load` returns them."""
Addresses = dict[str, list[Address | UnixAddress]]
"""What each listener is bound to, by the name of the listener."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A configuration, as this process serves it."""

    source: Source | None
    """None: it came from no file"""
    settings: Settings
    """with fewer connections, if there are too few descriptors"""
    wanted: Settings
    """with as many as the configuration allows"""
    certificates: tuple[Known, ...]


@dataclass(slots=True)
class _Running:
    """The parts of a gateway that serves."""

    loaded: _Loaded
    listening: Listening
    service: Service
    state: ConfigurationState
    admin: AdminPages
    log: Log
    begun: float
    """by Trio's clock"""
    census: Census
    at_start: Settings

    async def count(self, counts: list[Counts]) -> None:
        """Add what the service has counted for the census."""
        self.census.count("gateway", counts)


class Gateway:
    """A gateway in this process, for programs of Trio.

    The keys `workers` and `control` are ignored, and there are no `systemd:` sockets: they need `wsgateway run`.
    Several gateways may serve in one program.
    """

    def __init__(self, configuration: Configuration, log: Log | None = None) -> None:
        """Take a file or settings; nothing is read and no socket is opened before `serve`.

        `log` may be a logger of structlog. By default lines go to standard error, as `logging` says.
        """
        self._configuration = configuration
        self._log = log
        self._writer: Writer | None = None
        self._running: _Running | None = None
        self._begun = False
        self._draining = False
        self._reloading = trio.Lock()

    async def serve(self, *, task_status: trio.TaskStatus[Addresses] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `drain` has ended it, or until it is cancelled. `nursery.start` returns the bound addresses.

        Raise SettingsError with all problems of the configuration, or if an address cannot be bound; RuntimeError if it
        is called twice.
        """
        if self._begun:
            raise RuntimeError("this gateway serves already, or has served; make another one")
        self._begun = True
        loaded = await trio.to_thread.run_sync(_load, self._configuration, abandon_on_cancel=True)
        async with self._logging(loaded.settings) as log:
            listening = await Listening({}).fitted_beside(loaded.settings)
            await self._serve(loaded, listening, log, task_status)

    async def _serve(
        self, loaded: _Loaded, listening: Listening, log: Log, task_status: trio.TaskStatus[Addresses]
    ) -> None:
        try:
            service = Service(loaded.settings, log, listening.shared())
            async with trio.open_nursery() as nursery:
                state = ConfigurationState(loaded.source, time.time)
                census = Census(loaded.settings.census, log)
                behind = Behind(self._status, census.charts, commander_of(service, log))
                admin = AdminPages(behind, nursery, log)
                running = _Running(
                    loaded, listening, service, state, admin, log, trio.current_time(), census, loaded.settings
                )
                self._running = running
                nursery.start_soon(warn_daily, lambda: running.loaded.certificates, log, time.time)
                nursery.start_soon(running.census.run)
                nursery.start_soon(service.send_counts, running.count)
                self._announce(running, Listening({}))
                admin.serve(loaded.settings, listening)
                task_status.started(self.addresses)
                if self._draining:
                    self.drain()
                await service.run()
                nursery.cancel_scope.cancel()
        finally:
            ended, self._running = self._running, None
            listening = listening if ended is None else ended.listening
            listening.close()
            if ended is not None:
                with trio.CancelScope(shield=True):
                    await ended.service.send_last_counts(ended.count)
                    await ended.census.close()

    async def reload(self, configuration: Configuration | None = None) -> None:
        """Serve another configuration from now on; by default the same file, read again.

        Sessions go on as they began, and listeners that stay keep their sockets. The keys that the reference says to
        need a restart, as `logging` and `census`, stay as they were at the start. Raise SettingsError with all
        problems; then nothing has changed. Raise RuntimeError if the gateway does not serve.
        """
        async with self._reloading:
            running = self._now()
            wanted = self._configuration if configuration is None else configuration
            try:
                await self._reload(running, wanted)
            except SettingsError as error:
                running.state.refused(error.reason, log_refused_reload(error, running.log))
                raise
            self._configuration = wanted

    async def _reload(self, running: _Running, wanted: Configuration) -> None:
        loaded = await trio.to_thread.run_sync(_load, wanted, abandon_on_cancel=True)
        contexts = await trio.to_thread.run_sync(tls_contexts, loaded.settings, abandon_on_cancel=True)
        before = running.listening
        after = await before.fitted_beside(loaded.settings)
        # There is no checkpoint from here on, so that the opened sockets always have an owner.
        try:
            if self._running is not running:
                raise SettingsError([Problem("reload", 0, 0, "the gateway has ended")], Reason.GATEWAY_STOPPING)
            running.service.reload(loaded.settings, after.shared(), contexts)
        except SettingsError:
            after.close_what_is_not_in(before)
            raise
        old, running.loaded, running.listening = running.loaded, loaded, after
        running.state.serves(loaded.source)
        if loaded.settings.admin != old.settings.admin:
            running.admin.serve(loaded.settings, after)
        before.close_what_is_not_in(after)
        self._announce(running, before)
        log_not_reloaded(running.at_start, loaded.settings, running.log)
        changed = differences(old.settings, loaded.settings)
        running.log.info("reloaded", **changed, routes=len(loaded.settings.routes))

    def drain(self) -> None:
        """Begin to end, as `shutdown` in the configuration says: accept no client, close all sessions.

        Then `serve` returns; one that has not begun yet returns at once.
        """
        self._draining = True
        if self._running is not None:
            self._running.listening.remove_listener_files()
            self._running.service.drain()

    def status(self) -> Status:
        """Return what the admin page `/status` says: see `Status`. Raise RuntimeError if the gateway does not serve."""
        running = self._now()
        dropped = 0 if self._writer is None else self._writer.dropped
        waiting = 0 if self._writer is None else self._writer.waiting_bytes
        gateway: ProcessStatus = {
            **running.service.status(),
            "log_lines_dropped": dropped,
            "log_queue_bytes": waiting,
        }
        worker: WorkerStatus = {
            "worker": 1,
            "state": "leaving" if self._draining else "serving",
            "pid": os.getpid(),
            "age_seconds": round(trio.current_time() - running.begun, 3),
            "restarts": 0,
            "loop_lag_seconds": running.service.loop_lag,
            "status": gateway,
        }
        return {
            "draining": self._draining,
            "ready": not self._draining,
            "not_serving": None,
            "restarts": 0,
            "gateway": gateway,
            "workers": [worker],
            **running.state.status(),
            "certificates": list(certificate_status(running.loaded.certificates)),
            "addresses": addresses_of(running.loaded.settings, running.listening),
            "census": running.census.summary(),
            "names": names_of(running.loaded.settings),
            "build": build(),
            "processes": [],
        }

    @property
    def addresses(self) -> Addresses:
        """What each listener is bound to now: for port 0 the port that the system has chosen."""
        running = self._now()
        found: Addresses = {listener.name: [] for listener in running.loaded.settings.listeners}
        for listener, sock in shares(running.loaded.settings, running.listening.shared()):
            found[listener.name].append(address_of(sock))
        return found

    async def _status(self) -> Status:
        processes = await trio.to_thread.run_sync(figures, {"gateway": os.getpid()})
        status = self.status()
        status["processes"] = processes
        return status

    def _now(self) -> _Running:
        if self._running is None:
            raise RuntimeError("this gateway does not serve")
        return self._running

    def _announce(self, running: _Running, before: Listening) -> None:
        loaded, log = running.loaded, running.log
        log_advice(loaded.wanted, loaded.certificates, log, time.time())
        warn_of_few(loaded.wanted, _descriptors(), log)
        log_listening(loaded.settings, running.listening, before, log)

    @asynccontextmanager
    async def _logging(self, settings: Settings) -> AsyncIterator[Log]:
        """Return the log of the program, or one to standard error that is written out at the end."""
        if self._log is not None:
            yield self._log
            return
        self._writer = writer = Writer(STANDARD_ERROR)
        try:
            yield make_log(settings.logging, writer)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(writer.stop)


def _load(configuration: Configuration) -> _Loaded:
    """Read a configuration. With thousands of routes this takes seconds. Raise SettingsError."""
    if isinstance(configuration, Settings):
        source, whole = None, configuration
    else:
        source = read(os.fspath(configuration))
        whole = source.settings(read_files=True)
    # The control socket is for the command line, which asks a supervisor.
    wanted = share(replace(whole, control=None), workers=1)
    return _Loaded(source, within(wanted, _descriptors()), wanted, known(wanted))


def _descriptors() -> int:
    """Return how many descriptors this process may have. To raise the limit is the program's to decide."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
