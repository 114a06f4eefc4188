"""One process that serves, as its supervisor tells it: `python -m wsgateway.run.worker DESCRIPTOR NUMBER`.

The number is which worker of the gateway it is, for whoever lists processes. The descriptor is its end of the line to
the supervisor. When nobody is at the other end any more, it drains.
"""

import signal
import socket
import sys

import trio

from wsgateway.errors import SettingsError
from wsgateway.observe.log import make_log
from wsgateway.observe.status import ProcessStatus
from wsgateway.observe.writer import Writer
from wsgateway.run.control import Control, Message
from wsgateway.run.limits import raise_limit, share, within
from wsgateway.run.listening import Listening
from wsgateway.run.messages import (
    Configure,
    Drain,
    End,
    FromWorker,
    Refused,
    SendStatus,
    Serving,
    StatusReport,
    Stay,
    ToldToEnd,
    Up,
    to_worker,
)
from wsgateway.run.service import Service
from wsgateway.run.settings_transfer import VERSION, unpacked
from wsgateway.serve.gateway import tls_contexts
from wsgateway.settings.load import Source
from wsgateway.settings.whole import Settings

# A terminal sends these to all processes of a command, and they are for the supervisor.
_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# Whoever ends a whole service tells all its processes: SIGTERM, and SIGABRT is how systemd ends one whose watchdog was
# not fed. The supervisor knows what is meant. If it does not say so, it cannot.
_END = (signal.SIGTERM, signal.SIGABRT)
WORD_SECONDS = 3.0
# For the last numbers, which the supervisor has to read.
LAST_WORD_SECONDS = 1.0


class Worker:
    """A service, and the line by which it is told what to do."""

    def __init__(self, control: Control, writer: Writer) -> None:
        self._control = control
        self._writer = writer
        self._word = trio.Event()  # of the supervisor, whether to end

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
            log = make_log(settings.logging, self._writer)
            service = Service(settings, log, self._listening.shared())
        except (SettingsError, OSError) as error:
            await self._say(Refused(why=str(error)))
            return 1
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*_END) as signals:
                nursery.start_soon(self._serve, service, nursery.cancel_scope)
                nursery.start_soon(self._obey, service, nursery.cancel_scope)
                async for _ in signals:
                    nursery.start_soon(self._ask_whether_to_end, service)
        return 0

    async def _ask_whether_to_end(self, service: Service) -> None:
        """Ask the supervisor what a signal means, and drain if it does not say."""
        word = self._word
        with trio.move_on_after(WORD_SECONDS):
            await self._say(ToldToEnd())
            await word.wait()
            return
        service.drain()

    def _hear_word(self) -> None:
        """Take the word of the supervisor for all signals that have come until now."""
        self._word.set()
        self._word = trio.Event()

    async def _serve(self, service: Service, everything: trio.CancelScope) -> None:
        try:
            await service.run()
        finally:
            with trio.move_on_after(LAST_WORD_SECONDS, shield=True):
                await self._report(service)
            everything.cancel()

    async def _obey(self, service: Service, everything: trio.CancelScope) -> None:
        await self._say(Serving())
        async with trio.open_nursery() as changes:
            while (message := await self._message()) is not None:
                match to_worker(message.said):
                    case SendStatus():
                        await self._report(service)
                    case Configure() as order:  # meanwhile it still reports its status
                        changes.start_soon(self._reload, service, order, message)
                    case Stay():
                        self._hear_word()
                    case Drain(others_accept=others_accept):
                        self._hear_word()
                        service.drain(others_accept)
                    case End():
                        everything.cancel()
            service.drain()

    async def _message(self) -> Message | None:
        while True:
            try:
                return await self._control.receive()
            except OSError as error:
                await self._say(Refused(why=str(error)))

    async def _reload(self, service: Service, order: Configure, message: Message) -> None:
        """Take the new configuration, and close what listened for the old one; or say why not."""
        try:
            settings, new = await _configuration(order, message)
            contexts = await trio.to_thread.run_sync(tls_contexts, settings, abandon_on_cancel=True)
            new = new.known_from(self._listening)
            service.reload(settings, new.shared(), contexts)
        except (SettingsError, OSError) as error:
            for sock in message.sockets:
                sock.close()
            await self._say(Refused(why=str(error)))
        else:
            self._listening = new
            await self._say(Serving())

    async def _report(self, service: Service) -> None:
        age = trio.current_time() - service.beat()
        status: ProcessStatus = {**service.status(), "log_lines_dropped": self._writer.dropped}
        await self._say(StatusReport(age=age, status=status))

    async def _say(self, message: FromWorker) -> None:
        try:
            await self._control.send(message.said())
        except OSError:  # the supervisor is gone, which `_obey` learns, too
            return


async def _configuration(order: Configure, message: Message) -> tuple[Settings, Listening]:
    """Return the settings and the sockets of a message. Raise SettingsError if they cannot be used.

    Long work is done beside the relay: in portions, or by a thread.
    """
    if message.attached and order.version == VERSION:
        whole = await unpacked(message.attached)
    else:
        source = Source(order.file, order.text, order.directory)
        whole = await trio.to_thread.run_sync(source.settings, True, abandon_on_cancel=True)
    settings = within(share(whole, order.workers), raise_limit())
    return settings, Listening.of(order.sockets, message.sockets)


def main() -> int:
    """Run the process; the descriptor of its line is an argument."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with Writer.of_process() as writer:
        control = Control(socket.socket(fileno=int(sys.argv[1])))
        return trio.run(Worker(control, writer).run)


if __name__ == "__main__":
    sys.exit(main())
