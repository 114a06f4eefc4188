"""How one supervisor takes the place of another without a client noticing.

    old                                          new, started by it with the same command
    starts it, and gives it all that listens     reads the file, opens what else it needs, starts its workers
                                                 serving
    tells systemd who is the main process now
    hangs up                                     tells systemd that it is ready, opens the admin pages
    drains, and ends

Until the new one says that it serves, the old one serves as before; a new one that fails is no loss.
"""

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

import trio

from wsgateway.errors import WsgatewayError
from wsgateway.run.control import Control
from wsgateway.run.listening import Listening
from wsgateway.run.messages import Serving, TakeOver
from wsgateway.run.process import KILL_SECONDS, environment, spell_end

# Where the new one finds its end of the line.
VARIABLE = "WSGATEWAY_TAKE_OVER"
# For the new one to come up; then it is taken for stuck.
TAKE_OVER_SECONDS = 60.0


class HotRestartError(WsgatewayError):
    """The new supervisor did not come up."""


async def start_new_supervisor(command: Sequence[str], listening: Listening) -> tuple[int, Control]:
    """Starts a new supervisor. Returns its process id and the line to it, once it serves and waits for us to
    hang up.

    Raises HotRestartError if it does not serve; then it is gone.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    line = Control(ours)
    with theirs:
        theirs.set_inheritable(True)
        try:
            # Not by `subprocess`, whose processes are meant to end before those that have started them.
            environ = {**environment(), VARIABLE: str(theirs.fileno())}
            pid = os.posix_spawn(command[0], list(command), environ)  # noqa: ASYNC221  it waits for nothing
        except OSError as error:
            line.close()
            raise HotRestartError(f"it cannot be started: {error.strerror}") from None
    serves = False
    try:
        with trio.move_on_after(TAKE_OVER_SECONDS):
            serves = await _introduced(line, listening)
    finally:
        if not serves:
            line.close()
            status = await _ended(pid)
    if not serves:
        raise HotRestartError(f"it ended {status} before it served")
    return pid, line


async def _introduced(line: Control, listening: Listening) -> bool:
    """Gives all that listens to the new one. Whether it serves then; else it has ended."""
    told, sockets = listening.told()
    with suppress(OSError):  # it has ended, and that can be heard, too
        await line.send(TakeOver(sockets=told).said(), sockets)
    return await line.receive() is not None


async def _ended(pid: int) -> str:
    """Waits for the end of a process that has nothing to do any more, and makes an end of it if that takes long."""
    pidfd = os.pidfd_open(pid)
    try:
        with trio.CancelScope(shield=True):
            with trio.move_on_after(KILL_SECONDS):
                await trio.lowlevel.wait_readable(pidfd)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # which one that has ended does not mind
            await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    _, status = os.waitpid(pid, 0)  # noqa: ASYNC222  it has ended
    return spell_end(os.waitstatus_to_exitcode(status))


class OldSupervisor:
    """The old supervisor, as the new one sees it."""

    def __init__(self, control: Control, listening: Listening) -> None:
        self._control = control
        self.listening = listening
        """all that it has"""

    @classmethod
    async def find(cls) -> "OldSupervisor | None":
        """The supervisor that has started this process to take its place, if one has."""
        fd = os.environ.pop(VARIABLE, "")
        if not fd:
            return None
        control = Control(socket.socket(fileno=int(fd)))
        try:
            message = await control.receive()
        except OSError as error:
            raise HotRestartError(str(error)) from None
        if message is None:
            control.close()
            raise HotRestartError("who was to be relieved is gone")
        return cls(control, Listening.of(TakeOver.model_validate(message.said).sockets, message.sockets))

    async def relieve(self) -> None:
        """Says that we serve, and waits until the old one has stepped down, or is gone."""
        with suppress(OSError):  # gone already: all the better that we are there
            await self._control.send(Serving().said())
            await self._control.receive()
        self._control.close()
