"""The hot restart: a new supervisor takes the place of an old one, and no client is refused.

    old supervisor                               new supervisor, started by the old one with the same command
    starts it, sends it all listener sockets     reads the file, opens more sockets if needed, starts its workers
                                                 sends "serving"
    tells systemd the new main process
    sends the census and all counts              tells systemd that it is ready, opens the admin pages
    drains, sends what its workers count,        goes on with the census, and adds the counts to its own
    and ends

Until the new supervisor serves, the old one serves as before. If the new one fails, nothing is lost. Metrics are those
of both: they go on as if nothing had happened, and have the sessions that still end in the old gateway.
"""

import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

import trio

from wsgateway.census.keeper import Census
from wsgateway.census.tally import Counts
from wsgateway.errors import HotRestartError
from wsgateway.observe.refusals import Refusal
from wsgateway.observe.shape import ShapeError
from wsgateway.run.adjustments import Adjustments
from wsgateway.run.control import Control, Said
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Counted, GatewayCounts, HandOver, Serving, TakeOver
from wsgateway.run.past_counts import PastCounts
from wsgateway.run.process import KILL_SECONDS, environment, spell_end

# The environment variable with the descriptor of the connection to the old supervisor.
VARIABLE = "WSGATEWAY_TAKE_OVER"
# For the new supervisor to serve. After this time it counts as stuck.
TAKE_OVER_SECONDS = 60.0
# How often the old supervisor sends its counts.
COUNT_SECONDS = 1.0


async def start_new_supervisor(
    command: Sequence[str], listening: Listening, processes: int, adjustments: Adjustments
) -> "NewSupervisor":
    """Start a new supervisor, and return it once it serves. It waits for the counts of this one.

    `processes` is how many processes the gateway has started. Raise HotRestartError if it does not serve; then it has
    ended.
    """
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise HotRestartError(f"it cannot be started: {error.strerror}") from None
    line = Control(ours)
    with theirs:
        theirs.set_inheritable(True)
        try:
            # Not by `subprocess`: it warns of children that have not ended before their parent.
            environ = {**environment(), VARIABLE: str(theirs.fileno())}
            pid = os.posix_spawn(command[0], list(command), environ)  # noqa: ASYNC221  it does not wait
        except OSError as error:
            line.close()
            raise HotRestartError(f"it cannot be started: {error.strerror}") from None
    serves = False
    try:
        with trio.move_on_after(TAKE_OVER_SECONDS):
            serves = await _introduced(line, listening, processes, adjustments)
    finally:
        if not serves:
            line.close()
            status = await _ended(pid)
    if not serves:
        raise HotRestartError(f"it ended {status} before it served")
    return NewSupervisor(pid, line)


async def _introduced(line: Control, listening: Listening, processes: int, adjustments: Adjustments) -> bool:
    """Send all sockets to the new supervisor. Return whether it serves then; otherwise it has ended."""
    told, sockets = listening.description()
    with suppress(OSError):  # it has ended, and `receive` says so, too
        await line.send(TakeOver.of(told, processes, adjustments).said(), sockets)
    return await line.receive() is not None


async def _ended(pid: int) -> str:
    """Wait for the end of a process, and kill it if that takes long. Return a text for how it ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:  # nothing tells when it ends, so it ends at once
        os.kill(pid, signal.SIGKILL)
    else:
        try:
            with trio.CancelScope(shield=True):
                with trio.move_on_after(KILL_SECONDS):
                    await trio.lowlevel.wait_readable(pidfd)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # no fault for a process that has ended
                await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
    _, status = os.waitpid(pid, 0)  # noqa: ASYNC222  it has ended, or is killed
    return spell_end(os.waitstatus_to_exitcode(status))


class OldSupervisor:
    """The old supervisor, as the new one sees it."""

    def __init__(self, control: Control, listening: Listening, order: TakeOver) -> None:
        self._control = control
        self.processes = order.processes
        """how many processes it has started"""
        self.adjustments = order.adjustments
        """what operators have changed"""
        self._sources: set[str] = set()
        self.listening = listening
        """all sockets that it has"""

    @classmethod
    async def find(cls) -> "OldSupervisor | None":
        """Return the supervisor that has started this process to take its place; None if there is none."""
        fd = os.environ.pop(VARIABLE, "")
        if not fd:
            return None
        sock = socket.socket(fileno=int(fd))
        sock.set_inheritable(False)  # the next supervisor may be started while this one still hears from the old one
        control = Control(sock)
        try:
            message = await control.receive()
        except OSError as error:
            control.close()
            raise HotRestartError(str(error)) from None
        if message is None:
            control.close()
            raise HotRestartError("the old supervisor has ended before it sent its sockets")
        order = TakeOver.read(message.said)
        return cls(control, Listening.described(order.sockets, message.sockets), order)

    async def relieve(self, census: Census, past: PastCounts) -> None:
        """Tell the old supervisor that this one serves, and wait for its census and its counts, or for its end."""
        with suppress(OSError):  # it has ended already, and this one serves
            await self._control.send(Serving().said())
            message = await self._control.receive()
            if message is not None:
                with suppress(ValueError):  # another version may have another census
                    self._sources.update(census.take_over(message.attached))
                with suppress(ShapeError):  # or other counts
                    handed = HandOver.read(message.said)
                    past.inherit(GatewayCounts(restarts=handed.restarts, status=handed.status))
                    past.refuse(handed.refusals)

    async def listen(self, census: Census, past: PastCounts) -> None:
        """Take what the old supervisor and its workers count until it ends."""
        try:
            with suppress(OSError):
                while (message := await self._control.receive()) is not None:
                    with suppress(ShapeError):  # a message of another version
                        self._take(message.said, census, past)
            for source in self._sources:
                census.lose(source)
            past.old_ended()
        finally:
            self._control.close()

    def _take(self, said: Said, census: Census, past: PastCounts) -> None:
        if said.get("do") == GatewayCounts.do:
            past.inherit(GatewayCounts.read(said))
            return
        counted = Counted.read(said)
        if counted.counts is None:
            self._sources.discard(counted.source)  # a process of ours may have its id, and its name, next
            census.lose(counted.source)
        else:
            self._sources.add(counted.source)
            census.count(counted.source, counted.counts)


class NewSupervisor:
    """The new supervisor, as the old one sees it: it gets the census, and all that is counted from then on."""

    def __init__(self, pid: int, control: Control) -> None:
        self.pid = pid
        self._control = control
        self._counted, self._to_send = trio.open_memory_channel[Counted](math.inf)
        self._closing = trio.Event()
        self._done = trio.Event()

    async def give(
        self,
        census: Census,
        counts: Callable[[], Awaitable[GatewayCounts]],
        refusals: Callable[[], list[Refusal]],
    ) -> None:
        """Give it the census, the counts and the refusals of the gateway, and pass on what is counted until `close`."""
        try:
            packed = await census.hand_over(self)
            now = await counts()
            handed = HandOver(restarts=now.restarts, status=now.status, refusals=refusals())
            await self._control.send(handed.said(), attached=packed)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_told, counts)
                async for each in self._to_send:
                    if not await self._tell(each.said()):
                        break
                self._closing.set()
        except OSError:
            pass  # it has ended; nobody has the census any more
        finally:
            self._to_send.close()
            self._control.close()
            self._done.set()

    async def _keep_told(self, counts: Callable[[], Awaitable[GatewayCounts]]) -> None:
        """Send the counts again and again, and once more when all sessions have ended."""
        wanted, last = True, False
        while wanted and not last:
            with trio.move_on_after(COUNT_SECONDS):
                await self._closing.wait()
            last = self._closing.is_set()
            wanted = await self._tell((await counts()).said())

    async def _tell(self, said: Said) -> bool:
        """Send a message. Return whether the new supervisor is still there."""
        try:
            await self._control.send(said)
        except OSError:
            return False
        return True

    def count(self, source: str, counts: Iterable[Counts]) -> None:
        """Give it what a worker has counted."""
        self._send(Counted(source=source, counts=list(counts)))

    def lose(self, source: str) -> None:
        """Tell it that a worker has ended."""
        self._send(Counted(source=source, counts=None))

    def _send(self, counted: Counted) -> None:
        with suppress(trio.BrokenResourceError):  # it has ended
            self._counted.send_nowait(counted)

    async def close(self) -> None:
        """Wait until it has got all."""
        self._counted.close()
        await self._done.wait()
