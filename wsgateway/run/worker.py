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
from wsgateway.observe.writer import Writer
from wsgateway.run.control import Control, Message
from wsgateway.run.limits import raise_limit, share, within
from wsgateway.run.listening import Listening
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
        """Serves until it is told to end, or its supervisor is gone. Returns the exit status of the process."""
        try:
            return await self._run()
        finally:
            self._control.close()

    async def _run(self) -> int:
        await self._say(is_="up")
        try:
            order = await self._control.receive()
            if order is None:
                return 0
            settings, self._listening = await _configuration(order)
            log = make_log(settings.logging, self._writer)
            service = Service(settings, log, self._listening.shared())
        except (SettingsError, OSError) as error:
            await self._say(is_="refused", why=str(error))
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
            await self._say(is_="told to end")
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
        await self._say(is_="serving")
        async with trio.open_nursery() as changes:
            while (order := await self._order()) is not None:
                match order.said["do"]:
                    case "report":
                        await self._report(service)
                    case "reload":  # meanwhile it still says how it is
                        changes.start_soon(self._reload, service, order)
                    case "stay":
                        self._hear_word()
                    case "drain":
                        self._hear_word()
                        service.drain(order.said["others_accept"])
                    case "end":
                        everything.cancel()
            service.drain()

    async def _order(self) -> Message | None:
        while True:
            try:
                return await self._control.receive()
            except OSError as error:
                await self._say(is_="refused", why=str(error))

    async def _reload(self, service: Service, order: Message) -> None:
        """Take the new configuration, and close what listened for the old one; or say why not."""
        try:
            settings, new = await _configuration(order)
            contexts = await trio.to_thread.run_sync(tls_contexts, settings, abandon_on_cancel=True)
            new = new.known_from(self._listening)
            service.reload(settings, new.shared(), contexts)
        except (SettingsError, OSError) as error:
            for sock in order.sockets:
                sock.close()
            await self._say(is_="refused", why=str(error))
        else:
            self._listening = new
            await self._say(is_="serving")

    async def _report(self, service: Service) -> None:
        age = trio.current_time() - service.beat()
        status = {**service.status(), "log_lines_dropped": self._writer.dropped}
        await self._say(is_="report", age=age, status=status)

    async def _say(self, is_: str, **more: object) -> None:
        try:
            await self._control.send({"is": is_, **more})
        except OSError:  # the supervisor is gone, which `_obey` learns, too
            return


async def _configuration(order: Message) -> tuple[Settings, Listening]:
    """Return what an order tells. What takes long is done beside the relay: in portions, or by a thread. Raise
    SettingsError for what cannot be had."""
    if order.attached and order.said["version"] == VERSION:
        whole = await unpacked(order.attached)
    else:
        source = Source(order.said["file"], order.said["text"], order.said["directory"])
        whole = await trio.to_thread.run_sync(source.settings, True, abandon_on_cancel=True)
    settings = within(share(whole, order.said["workers"]), raise_limit())
    return settings, Listening.of(order.said["sockets"], order.sockets)


def main() -> int:
    """Runs the process; the line's descriptor is its argument."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    with Writer.of_process() as writer:
        control = Control(socket.socket(fileno=int(sys.argv[1])))
        return trio.run(Worker(control, writer).run)


if __name__ == "__main__":
    sys.exit(main())
