"""The supervisor: the process that an operator starts. It opens the sockets and keeps the workers, which serve clients.

HUP          reload: the file is read and checked; if it has a problem, that is logged, and nothing changes
USR2         hot restart: a new supervisor is started by the same command, and this one drains (see `hot_restart`)
TERM, INT    drain, after `shutdown.delay`; a second signal ends everything at once (see `stop_signals`)
"""

import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from wsgateway.census.keeper import Census
from wsgateway.errors import BrokenFileError, HotRestartError, Reason, SettingsError, StartError, WsgatewayError
from wsgateway.observe.log import Logger
from wsgateway.observe.metrics import counted
from wsgateway.observe.names import names_of
from wsgateway.observe.processes import build, figures
from wsgateway.observe.status import ProcessStatus, Status, merged, sentence
from wsgateway.run.admin_pages import AdminPages, Behind
from wsgateway.run.announcements import findings, log_advice, log_listening, log_not_reloaded, log_refused_reload
from wsgateway.run.certificates import certificate_status, warn_daily
from wsgateway.run.commander import Commander
from wsgateway.run.configuration_state import ConfigurationState
from wsgateway.run.control_server import ControlServer
from wsgateway.run.generation import Generation, LoadedConfiguration
from wsgateway.run.hot_restart import OldSupervisor, start_new_supervisor
from wsgateway.run.limits import raise_limit, share, warn_of_few
from wsgateway.run.listening import Listening, addresses_of, differences
from wsgateway.run.messages import GatewayCounts
from wsgateway.run.operator import Operator
from wsgateway.run.process import WorkerProcess
from wsgateway.run.questions import BUG
from wsgateway.run.request_kinds import Nothing
from wsgateway.run.requests import ControlAnswer, Fact, Send, refused
from wsgateway.run.settings_transfer import packed
from wsgateway.run.stop_signals import STOP_SIGNALS, ReceivedSignals
from wsgateway.run.systemd import Manager, listening_sockets, reloading, watchdog_seconds
from wsgateway.run.worker_pool import HUNG_WORKER_SECONDS, WorkerPool
from wsgateway.serve.bind import address_of
from wsgateway.serve.scoreboard import Scoreboard
from wsgateway.settings.basics import SystemdSocket
from wsgateway.settings.certificates import known
from wsgateway.settings.load import Source
from wsgateway.settings.process import Logging

SIGNALS = (*STOP_SIGNALS, signal.SIGHUP, signal.SIGUSR2)
# How often the workers are checked.
CHECK_SECONDS = 1.0
# How many changes may wait while another one is made.
_CHANGES = 4


class Supervisor:
    """A whole gateway, from its start to its end."""

    def __init__(
        self,
        read: Callable[[], Source],
        make: Callable[[Logging], Logger],
        command: Sequence[str],
        hung_seconds: float = HUNG_WORKER_SECONDS,
        dropped: Callable[[], int] = lambda: 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take functions: `read` returns the configuration as it is now, `make` a log, `dropped` its lost lines.

        `command` starts the new supervisor of a hot restart. `now` returns the time, in seconds since 1970.
        """
        self._read = read
        self._make_log = make
        self._dropped = dropped
        self._command = command
        self._hung_seconds = hung_seconds
        self._now = now
        self._changes = trio.CancelScope()
        self._control = trio.CancelScope()
        self._stopping = False
        self._starting = trio.CancelScope()  # until it has its sockets
        self._has_sockets = False
        self._waiting: set[trio.Event] = set()  # of the clients that wait for a change
        self._wanted, self._wishes = trio.open_memory_channel[Callable[[], Awaitable[object]]](_CHANGES)

    def _made(self) -> LoadedConfiguration:
        """Read the configuration as it is now. Raise SettingsError if it cannot be used.

        With thousands of routes this takes seconds, so a thread may do it.
        """
        source = self._read()
        settings = source.settings(read_files=True)
        return LoadedConfiguration(source, settings, known(settings), packed(settings), source.whole())

    async def run(self) -> None:
        """Serve until a signal ends it.

        Raise BrokenFileError for a configuration that cannot be used, and SettingsError, StartError or HotRestartError
        if the gateway cannot start for another reason, or cannot go on.
        """
        try:
            made = self._made()
        except SettingsError as error:
            raise BrokenFileError(error.problems) from None
        self._at_start = made.settings
        self._loaded = ConfigurationState(made.source, self._now)
        self._log = self._make_log(made.settings.logging)
        self._manager = Manager(self._log)
        self._limit = raise_limit()
        failure: WsgatewayError | None = None
        memory = Scoreboard()
        self._census = Census(made.settings.census, self._log, self._now)
        try:
            async with trio.open_nursery() as self._nursery:
                start = partial(WorkerProcess.start, scoreboard=memory, census=self._census)
                self._worker_pool = WorkerPool(self._log, self._nursery, self._hung_seconds, start)
                await self._nursery.start(self._watch_signals)
                try:
                    await self._supervise(made)
                except WsgatewayError as error:  # it would leave the nursery in a group
                    failure = error
                await self._census.close()
                self._nursery.cancel_scope.cancel()
        finally:
            memory.close()
            if self._has_sockets:
                self._generation.listening.close()
        if failure := failure or self._worker_pool.failure:
            raise failure

    async def _supervise(self, made: LoadedConfiguration) -> None:
        with self._starting:
            old_supervisor = await OldSupervisor.find()
            there = _passed_by_systemd() if old_supervisor is None else old_supervisor.listening
            there.owns_files = old_supervisor is None
            if old_supervisor is not None:
                self._worker_pool.processes = old_supervisor.processes
                self._worker_pool.adjustments = old_supervisor.adjustments.within(made.settings)
            try:
                self._generation = Generation(made, await there.fitted_beside(made.settings))
            except (SettingsError, trio.Cancelled):
                there.close()
                raise
        if self._starting.cancelled_caught:
            return
        self._has_sockets = True
        if self._stopping:  # a signal came with the last socket
            return
        if old_supervisor is None:
            there.close_what_is_not_in(self._generation.listening)
        try:
            await self._worker_pool.start(self._generation)
            await self._serve(old_supervisor)
            await self._worker_pool.ended()
        except StartError:
            await self._worker_pool.ended()
            raise

    async def _serve(self, old_supervisor: OldSupervisor | None) -> None:
        if self._worker_pool.draining:
            return
        if old_supervisor is not None:
            await old_supervisor.relieve(self._census, self._worker_pool.past)
            self._nursery.start_soon(old_supervisor.listen, self._census, self._worker_pool.past)
            self._generation.listening.owns_files = old_supervisor.listening.owns_files = True
            old_supervisor.listening.close_what_is_not_in(self._generation.listening)
        self._tell_of(self._generation)
        log_listening(self._generation.settings, self._generation.listening, Listening({}), self._log)
        self._operator = Operator(
            self._worker_pool, lambda: self._generation.settings, self._asked_to_change, self._nursery, self._log
        )
        self._operator.go_on()
        functions = {"reload": self._asked_to_reload, **self._operator.functions}
        self._commander = Commander(functions, self._worker_pool, self._log)
        behind = Behind(self._status, self._census.charts, self._commander)
        self._admin = AdminPages(behind, self._nursery, self._log)
        self._admin.serve(self._generation.settings, self._generation.listening)
        self._start_control()
        self._manager.tell("READY=1")
        self._nursery.start_soon(self._watch_workers)
        self._nursery.start_soon(self._change)
        self._nursery.start_soon(self._census.run)
        self._nursery.start_soon(warn_daily, lambda: self._generation.made.certificates, self._log, self._now)

    def _tell_of(self, generation: Generation) -> None:
        log_advice(generation.settings, generation.made.certificates, self._log, self._now())
        warn_of_few(share(generation.settings, generation.workers), self._limit, self._log)

    # -- signals ---------------------------------------------------------------------------------------------------

    async def _watch_signals(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(*SIGNALS) as signals:
            task_status.started()
            async for number in ReceivedSignals(signals):
                name = number.name
                if number in STOP_SIGNALS:
                    await self._stop(name)
                elif not self._worker_pool.draining:
                    try:
                        self._wanted.send_nowait(self._reload if number == signal.SIGHUP else self._restart)
                    except trio.WouldBlock:
                        why = f"{_CHANGES} changes wait already; send {name} again later"
                        self._log.warning("signal ignored", **Reason.CHANGES_WAITING.facts, why=why)

    async def _stop(self, name: str) -> None:
        first, self._stopping = not self._stopping, True
        if not first:
            self._log.warning("ended at once", why=name)
            self._worker_pool.end()
        elif not self._has_sockets:  # a name to listen on may hang in the resolver
            self._log.info("stopping", why=name)
            self._starting.cancel()
        elif self._worker_pool.draining:  # after a hot restart, or when all starts failed: it ends anyway
            self._log.info("stopping", why=name)
        else:
            # A gateway that does not serve yet gets no clients, so there is no reason to wait.
            delay = self._generation.settings.shutdown.delay_seconds or 0.0 if self._worker_pool.ready else 0.0
            self._log.info("stopping", why=name, **{"delay_seconds": delay} if delay else {})
            self._manager.tell("STOPPING=1")
            self._worker_pool.draining = True
            self._nursery.start_soon(self._drain, delay)

    async def _drain(self, delay: float = 0.0, relieved: bool = False) -> None:
        """Drain the worker pool after a delay, in which it serves but is not ready.

        `relieved`: a new supervisor accepts the clients that wait at the sockets.
        """
        self._changes.cancel()
        await trio.sleep(delay)
        await self._worker_pool.drain(others_accept=relieved)
        # The admin pages stay until the end, for health checks.
        self._generation.listening.close_listeners()

    async def _change(self) -> None:
        """Make one change after the other. A bug in a change is logged, and sessions go on."""
        with self._changes:
            async for change in self._wishes:
                try:
                    await change()
                except Exception:  # noqa: BLE001  a bug in a change ends no gateway, and is logged
                    self._log.exception("bug", reason=Reason.BUG.value)
        for done in self._waiting:
            done.set()

    # -- changes ---------------------------------------------------------------------------------------------------

    async def _asked_to_reload(self, fields: Nothing, send: Send) -> ControlAnswer:
        """Reload, and return the result."""
        return await self._asked_to_change(self._reload)

    async def _asked_to_change(self, make: Callable[[], Awaitable[ControlAnswer]]) -> ControlAnswer:
        """Make a change after those that wait already, and return the result."""
        answer = refused("the gateway stops, and changes nothing any more", reason=Reason.GATEWAY_STOPPING.value)
        done = trio.Event()

        async def change() -> None:
            nonlocal answer
            try:
                answer = await make()
            except Exception:
                answer = BUG
                raise
            finally:
                done.set()

        if not self._worker_pool.draining:
            try:
                self._wanted.send_nowait(change)
            except trio.WouldBlock:
                return refused("too many changes wait already", reason=Reason.CHANGES_WAITING.value)
            self._waiting.add(done)
            try:
                await done.wait()
            finally:
                self._waiting.remove(done)
        return answer

    async def _reload(self) -> ControlAnswer:
        """Read the file again, and have all workers serve it; or change nothing, and return why."""
        self._manager.tell(reloading())
        old = self._generation
        try:
            made = await trio.to_thread.run_sync(self._made, abandon_on_cancel=True)
            new = Generation(made, await old.listening.fitted_beside(made.settings))
            await self._switch_to(new)
        except (SettingsError, StartError) as error:
            why = log_refused_reload(error, self._log)
            self._loaded.refused(error.reason, why)
            answer = refused(*why, reason=error.reason.value)
        except Exception:
            self._loaded.refused(Reason.BUG, BUG.findings)
            self._manager.tell("READY=1")
            raise
        else:
            self._loaded.serves(made.source)
            facts: dict[str, Fact] = {"file": made.source.file, "sha256": self._loaded.sha256}
            facts |= {"routes": len(made.settings.routes), "workers": new.workers}
            found = findings(self._at_start, made.settings, made.certificates, self._now())
            answer = ControlAnswer(ok=True, findings=found, facts=facts)
        self._manager.tell("READY=1")
        return answer

    async def _switch_to(self, new: Generation) -> None:
        """Have all workers serve a generation. Raise StartError if one does not; then nothing has changed."""
        old = self._generation
        try:
            await self._worker_pool.change(new)
        except StartError:
            new.listening.close_what_is_not_in(old.listening)
            raise
        self._generation = new
        if new.settings.admin != old.settings.admin:
            self._admin.serve(new.settings, new.listening)
        if new.settings.control != old.settings.control:
            self._start_control()
        old.listening.close_what_is_not_in(new.listening)
        self._tell_of(new)
        log_not_reloaded(self._at_start, new.settings, self._log)
        told = differences(old.settings, new.settings)
        self._log.info("reloaded", **told, routes=len(new.settings.routes), workers=new.workers)
        log_listening(new.settings, new.listening, old.listening, self._log)

    async def _restart(self) -> None:
        if os.getpid() == 1:
            why = "this is process 1, with which a container ends; start the new version in another container"
            self._log.error("hot restart failed", **Reason.HOT_RESTART_FAILED.facts, why=why)
            return
        self._log.info("hot restart begins")
        pool, listening = self._worker_pool, self._generation.listening
        try:
            new = await start_new_supervisor(self._command, listening, pool.processes, pool.adjustments)
        except HotRestartError as error:
            self._log.error("hot restart failed", **error.reason.facts, why=error.why)
            return
        self._generation.listening.owns_files = False
        self._admin.stop()
        self._control.cancel()
        self._manager.tell(f"MAINPID={new.pid}")
        self._manager.leave_to_another()
        self._nursery.start_soon(new.give, self._census, self._counts, self._worker_pool.refusals)
        self._log.info("hot restart done", to=new.pid)
        self._nursery.start_soon(self._drain, 0.0, True)

    async def _counts(self) -> GatewayCounts:
        await self._worker_pool.report()
        pool = self._worker_pool.status()
        status = merged([counted(pool["gateway"]), ProcessStatus(log_lines_dropped=self._dropped())])
        return GatewayCounts(restarts=pool["restarts"], status=status)

    # -- status -----------------------------------------------------------------------------------------------------

    async def _watch_workers(self) -> None:
        """Ask the workers again and again whether they live, and send their status to systemd."""
        limit = watchdog_seconds()
        pause = CHECK_SECONDS if limit is None else min(CHECK_SECONDS, limit / 4)
        said, due = "", trio.current_time()
        while True:
            silent = self._worker_pool.check(due)
            news = []
            if limit is not None and silent < limit / 2:
                news.append("WATCHDOG=1")
            if said != (said := f"STATUS={sentence({**self._worker_pool.status(), **self._loaded.status()})}"):
                news.append(said)
            if news:
                self._manager.tell(*news)
            due = trio.current_time() + pause
            await trio.sleep_until(due)

    def _start_control(self) -> None:
        self._control.cancel()
        socks = self._generation.listening.own("control")
        for sock in socks:
            self._log.info("control socket", address=str(address_of(sock)))
        self._control = trio.CancelScope()
        self._nursery.start_soon(ControlServer(self._commander.perform, self._log).run, socks, self._control)

    async def _status(self) -> Status:
        await self._worker_pool.report()
        pool, of_supervisor = self._worker_pool.status(), ProcessStatus(log_lines_dropped=self._dropped())
        pids = {f"worker-{each['worker']}": each["pid"] for each in pool["workers"]}
        processes = await trio.to_thread.run_sync(figures, {"supervisor": os.getpid(), **pids})
        return {
            **pool,
            **self._loaded.status(),
            "gateway": merged([pool["gateway"], of_supervisor]),
            "certificates": list(certificate_status(self._generation.made.certificates)),
            "addresses": addresses_of(self._generation.settings, self._generation.listening),
            "census": self._census.summary(),
            "names": names_of(self._generation.settings),
            "build": build(),
            "processes": processes,
        }


def _passed_by_systemd() -> Listening:
    return Listening({SystemdSocket(name): [socks] for name, socks in listening_sockets().items()})
