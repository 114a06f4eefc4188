"""A worker process, which serves as its supervisor orders.

    python -m wsgateway.run.worker DESCRIPTOR NUMBER SCOREBOARD

DESCRIPTOR is its end of the connection to the supervisor. When the supervisor has ended, the worker drains. NUMBER is
for people who list processes, and for the scoreboard. SCOREBOARD is the descriptor of its memory; if there is none, the
worker knows nothing of other workers.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable

import trio

from wsgateway.census.tally import Counts
from wsgateway.errors import SettingsError
from wsgateway.observe.log import make_log
from wsgateway.observe.status import ProcessStatus
from wsgateway.observe.writer import Writer
from wsgateway.run.control import Control, Message
from wsgateway.run.garbage import settle
from wsgateway.run.limits import raise_limit, share, within
from wsgateway.run.listening import Listening
from wsgateway.run.messages import (
    Adjust,
    Ask,
    CensusCounts,
    Configure,
    Drain,
    End,
    Forget,
    FromWorker,
    More,
    Refused,
    SendStatus,
    Serving,
    StatusReport,
    Stay,
    ToldToEnd,
    Up,
    to_worker,
)
from wsgateway.run.questions import Questions
from wsgateway.run.service import Service
from wsgateway.run.settings_transfer import VERSION, unpacked
from wsgateway.serve.gateway import tls_contexts
from wsgateway.serve.scoreboard import Scoreboard, ScoreboardEntry
from wsgateway.settings.whole import Settings

# A terminal sends these to all processes of a command, but they are for the supervisor.
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# A whole service may be ended by a signal to all its processes: SIGTERM, or SIGABRT from systemd's watchdog. The
# supervisor decides what a worker does then. If it sends no order, it cannot.
_END = (signal.SIGTERM, signal.SIGABRT)
ORDER_SECONDS = 3.0
# For the last report, which the supervisor must still read.
LAST_REPORT_SECONDS = 1.0


class Worker:
    """A service, and the connection with the orders for it."""

    def __init__(
        self,
        control: Control,
        writer: Writer,
        entry: ScoreboardEntry,
        prepared: Callable[[], object] = lambda: None,
    ) -> None:
        """Take a function that is called once, when everything is made and nothing is served yet: `prepared`."""
        self._control = control
        self._writer = writer
        self._entry = entry
        self._prepared = prepared
        self._ordered = trio.Event()  # set by the order that follows a signal

    async def run(self) -> int:
        """Serve until it is ordered to end, or its supervisor is disconnected. Return the exit status."""
        try:
            return await self._run()
        finally:
            self._control.close()

    async def _run(self) -> int:
        await self._say(Up())
        try:
            message = await self._control.receive()
            order = None if message is None else to_worker(message.said)
            if message is None or not isinstance(order, Configure):
                return 0
            settings, self._listening = await _configuration(order, message)
            self._log = log = make_log(settings.logging, self._writer)
            service = Service(settings, log, self._listening.shared(), self._entry, order.process)
            self._adjust(service, order)
            self._questions = Questions(service.functions, self._say, log)
            self._prepared()
        except (SettingsError, OSError) as error:
            await self._say(Refused.of(error))
            return 1
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*_END) as signals:
                nursery.start_soon(self._serve, service, nursery.cancel_scope)
                nursery.start_soon(self._obey, service, nursery.cancel_scope)
                nursery.start_soon(service.send_counts, self._say_counts)
                async for _ in signals:
                    nursery.start_soon(self._request_order, service)
        return 0

    async def _request_order(self, service: Service) -> None:
        """Ask the supervisor for an order after a signal, and drain if none comes."""
        ordered = self._ordered
        with trio.move_on_after(ORDER_SECONDS):
            await self._say(ToldToEnd())
            await ordered.wait()
            return
        service.drain()

    def _take_order(self) -> None:
        """Take an order of the supervisor as the one for all signals that have come until now."""
        self._ordered.set()
        self._ordered = trio.Event()

    async def _serve(self, service: Service, everything: trio.CancelScope) -> None:
        try:
            await service.run()
        finally:
            with trio.move_on_after(LAST_REPORT_SECONDS, shield=True):
                await service.send_last_counts(self._say_counts)
                await self._report(service)
            everything.cancel()

    async def _obey(self, service: Service, everything: trio.CancelScope) -> None:
        await self._say(Serving())
        async with trio.open_nursery() as tasks:
            while (message := await self._message()) is not None:
                match to_worker(message.said):
                    case SendStatus():
                        await self._report(service)
                    case Configure() as order:  # meanwhile it still reports its status
                        tasks.start_soon(self._reload, service, order, message)
                    case Adjust() as adjust:
                        self._adjust(service, adjust)
                    case Ask() as ask:
                        tasks.start_soon(self._questions.answer, ask)
                    case More(number=number):
                        self._questions.more(number)
                    case Forget(number=number):
                        self._questions.forget(number)
                    case Stay():
                        self._take_order()
                    case Drain(others_accept=others_accept):
                        self._take_order()
                        service.drain(others_accept)
                    case End():
                        everything.cancel()
            service.drain()

    def _adjust(self, service: Service, order: Configure | Adjust) -> None:
        """Take what operators have changed."""
        service.drain_targets(order.drained)
        self._log.use(dict(order.levels))

    async def _message(self) -> Message | None:
        while True:
            try:
                return await self._control.receive()
            except OSError as error:
                await self._say(Refused.of(error))

    async def _reload(self, service: Service, order: Configure, message: Message) -> None:
        """Serve another configuration, and close sockets that only the old one used; or report why that is refused."""
        try:
            settings, new = await _configuration(order, message)
            contexts = await trio.to_thread.run_sync(tls_contexts, settings, abandon_on_cancel=True)
            new = new.known_from(self._listening)
            service.reload(settings, new.shared(), contexts)
            self._adjust(service, order)
        except (SettingsError, OSError) as error:
            for sock in message.sockets:
                sock.close()
            await self._say(Refused.of(error))
        else:
            self._listening = new
            await self._say(Serving())

    async def _report(self, service: Service) -> None:
        age = trio.current_time() - service.beat()
        writer = self._writer
        status: ProcessStatus = {
            **service.status(),
            "log_lines_dropped": writer.dropped,
            "log_queue_bytes": writer.waiting_bytes,
        }
        await self._say(StatusReport(age=age, lag=service.loop_lag, status=status, refusals=service.new_refusals()))

    async def _say_counts(self, counts: list[Counts]) -> None:
        await self._say(CensusCounts(counts=counts))

    async def _say(self, message: FromWorker) -> None:
        try:
            await self._control.send(message.said())
        except OSError:  # the supervisor has ended, which `_obey` notices, too
            return


async def _configuration(order: Configure, message: Message) -> tuple[Settings, Listening]:
    """Return the settings and the sockets of a message. Raise SettingsError if they cannot be used.

    Long work is done beside the relay: in portions, or by a thread.
    """
    if message.attached and order.version == VERSION:
        whole = await unpacked(message.attached)
    else:
        from wsgateway.settings.load import Source  # large, and only needed beside a supervisor of another version

        source = Source(order.file, order.text, order.directory)
        whole = await trio.to_thread.run_sync(source.settings, True, abandon_on_cancel=True)
    settings = within(share(whole, order.workers), raise_limit())
    return settings, Listening.described(order.sockets, message.sockets)


def main() -> int:
    """Run the process; the descriptor of its connection is the first argument."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with Writer.of_process() as writer:
        control = Control(socket.socket(fileno=int(sys.argv[1])))
        return trio.run(Worker(control, writer, _entry(*map(int, sys.argv[2:])), settle).run)


def _entry(number: int, descriptor: int | None = None) -> ScoreboardEntry:
    if descriptor is None:
        return ScoreboardEntry()
    memory = Scoreboard(descriptor)
    memory.close()
    return memory.entry(number)


if __name__ == "__main__":
    # A thread may hang in a read of a file. Its stream is locked then, and newer C libraries wait for it in exit(3).
    os._exit(main())
