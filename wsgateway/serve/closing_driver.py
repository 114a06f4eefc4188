"""The driver of a closing handshake: it carries out the actions of its machines by callbacks of the relay's loop.

    a socket is ready, or a time has come -> what can be done is done -> the machines yield their next actions

No task is needed, over TLS neither: whatever an operation of TLS waits for is an event of the socket, too.
"""

import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import trio

from wsgateway.net.alarms import Alarm, Alarms
from wsgateway.net.channel import Channel
from wsgateway.relay.endpoint import Endpoint
from wsgateway.relay.watches import SocketWatches
from wsgateway.serve.closing import Deliver, HalfClose, Machine, Pause, Take, Together
from wsgateway.trace.tap import LEAST_AT_ONCE_BYTES

_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_ENDED = select.EPOLLRDHUP | select.EPOLLERR | select.EPOLLHUP
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# The most actions of a machine before the rest of the loop has its turn: a side may send without end.
_MOST_ACTIONS = 32
# The result of an action that is not done yet.
_WAITS = object()


class _Side:
    """One of the two sockets, with the events that epoll has reported of it and that were not used up yet."""

    __slots__ = ("_awaited", "_endpoint", "_fd", "_go_on", "_plain", "_ready", "_watches")

    def __init__(self, endpoint: Endpoint, watches: SocketWatches, go_on: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._plain = endpoint.tls is None
        # It is tried to send without an event. TLS may hold bytes that have come, and is tried after any event.
        self._ready = _OUT if self._plain else _IN | _OUT
        self._awaited = 0  # the events that an action has waited for
        self._watches = watches
        self._go_on = go_on
        self._fd = -1  # as long as nothing was waited for

    def take(self, limit: int, late: bool) -> Any:
        """Return the next bytes, none at the end, or _WAITS; `late`: look for bytes whose event is still to come."""
        try:
            data = self._endpoint.sock.recv(limit) if late or self._ready & (_IN | _ENDED) else None
        except _WOULD_BLOCK:
            data = None
        except OSError:
            return b""
        # More is a new event, but an end is still to be read.
        if self._plain and (data is None or len(data) < min(limit, LEAST_AT_ONCE_BYTES)):
            self._ready &= ~_IN
        return data if data is not None else _WAITS if self._awaits(_IN | _ENDED) else b""

    def deliver(self) -> Any:
        """Send the backlog. Return whether the side is connected, or _WAITS."""
        endpoint = self._endpoint
        try:
            while endpoint.backlog and self._ready & _OUT:
                endpoint.backlog = endpoint.backlog[endpoint.sock.send(endpoint.backlog) :]
        except _WOULD_BLOCK:
            if self._plain:
                self._ready &= ~_OUT
        except OSError:
            endpoint.backlog = b""
            return False
        if not endpoint.backlog:
            return True
        if self._awaits(_OUT | _ENDED):
            return _WAITS
        endpoint.backlog = b""
        return False

    def _awaits(self, events: int) -> bool:
        """Wait for events, too. Return whether that is possible: the kernel may have no memory for it."""
        self._awaited |= events
        if self._fd < 0:
            try:
                self._watches.watch(self._endpoint.sock, self._on_ready)
            except OSError:
                return False
            self._fd = self._endpoint.sock.fileno()
        return True

    def _on_ready(self, events: int) -> None:
        self._ready |= events
        if events & self._awaited or not self._plain:
            self._go_on()

    def forget(self) -> None:
        """Take no more events. The caller closes the socket next."""
        if self._fd >= 0:
            self._watches.forget(self._fd)
        self._go_on = _nothing  # it refers to what refers to this


def _nothing() -> None:
    """Do nothing."""


class _Branch:
    """A machine that is being driven, and the action at which it stands."""

    __slots__ = ("action", "machine", "number")

    def __init__(self, machine: Machine[None], number: int = 0) -> None:
        self.number = number
        """its place among those that run at the same time"""
        self.machine: Machine[None] | None = machine
        """None: it has ended"""
        self.action: Any = None
        """None: it has not begun"""


class ClosingDriver:
    """The machines of one closing handshake."""

    __slots__ = ("_alarm", "_branches", "_finished", "_root", "_sides", "_together", "_watches")

    def __init__(
        self,
        watches: SocketWatches,
        alarms: Alarms,
        machine: Machine[None],
        finished: Callable[[Exception | None], None],
    ) -> None:
        """Take a machine, and what to call at its end; with the error if it is a bug, while that is handled.

        `finished` must not raise.
        """
        self._watches = watches
        self._alarm = Alarm(alarms, self._go_on)
        self._finished = finished
        self._root = _Branch(machine)
        self._branches = [self._root]
        self._together: Together | None = None
        self._sides: dict[Endpoint, _Side] = {}

    def begin(self) -> None:
        """Begin; it may end before this returns."""
        self._go_on()

    def cut(self) -> None:
        """End at once, without a call of `finished`."""
        self._alarm.stop()
        for branch in (*self._branches, self._root):
            if branch.machine is not None:
                branch.machine.close()
                branch.machine = None
        self._branches.clear()
        for side in self._sides.values():
            side.forget()
        self._sides.clear()

    def _end(self, error: Exception | None) -> None:
        self.cut()
        self._finished(error)

    # -- the machines --------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Carry out all actions that are possible now, and those that follow."""
        try:
            if self._root.action is None:
                self._resume(self._root, None)
            self._try(trio.current_time())
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own session
            self._end(bug)

    def _try(self, now: float) -> None:
        tried: list[_Branch] = []
        while tried != self._branches:  # some have ended, or begun
            tried = self._branches.copy()
            for branch in tried:
                if self._goes_on(branch, now):
                    self._alarm.deadline = now
                    return
        if self._root.machine is None:
            self._end(None)
        else:
            self._alarm.deadline = min([branch.action.until.when for branch in tried])

    def _goes_on(self, branch: _Branch, now: float) -> bool:
        """Let a machine go on until it has to wait. Return whether it could go on, but has had its turn."""
        for number in range(_MOST_ACTIONS):
            if branch.machine is None or branch.action.__class__ is Together:
                return False
            result = self._result_of(branch.action, now, waited=not number)
            if result is _WAITS:
                return False
            self._resume(branch, result)
        return True

    def _resume(self, branch: _Branch, result: Any) -> None:
        """Give a machine the result of its action, and take the next one."""
        assert branch.machine is not None, "it has not ended"
        try:
            branch.action = branch.machine.send(result)
        except StopIteration:
            branch.machine = None
            self._machine_ended(branch)
            return
        if isinstance(branch.action, Together):
            self._together = branch.action
            self._branches = [_Branch(machine, number) for number, machine in enumerate(branch.action.machines)]
            for each in tuple(self._branches):
                if each.machine is not None:
                    self._resume(each, None)

    def _machine_ended(self, branch: _Branch) -> None:
        """Go on with the machine that waits for others, if they are over."""
        self._branches.remove(branch)
        together = self._together
        if branch is self._root or together is None:
            return
        if together.until_last and branch.number == len(together.machines) - 1:
            for other in self._branches:
                if other.machine is not None:
                    other.machine.close()
                    other.machine = None
            self._branches.clear()
        if not self._branches:
            self._together = None
            self._branches.append(self._root)
            self._resume(self._root, None)

    # -- the actions ---------------------------------------------------------------------------------------------

    def _result_of(self, action: Take | Deliver | HalfClose | Pause, now: float, waited: bool) -> Any:
        """Return the result of an action, or _WAITS.

        An action that has `waited` is tried also when its time is over: a busy process may be late, while what was
        awaited is here.
        """
        # `match` would take several times as long as `isinstance`.
        if isinstance(action, HalfClose):
            return _half_close(action)
        late, result = action.until.when <= now, _WAITS
        if waited or not late:
            if isinstance(action, Take):
                result = self._side(action.endpoint).take(action.limit_bytes, late)
            elif isinstance(action, Deliver):
                result = self._side(action.endpoint).deliver()
        return None if late and result is _WAITS else result

    def _side(self, endpoint: Endpoint) -> _Side:
        side = self._sides.get(endpoint)
        if side is None:
            side = self._sides[endpoint] = _Side(endpoint, self._watches, self._go_on)
        return side


def _half_close(action: HalfClose) -> bool:
    endpoint = action.endpoint
    if endpoint.tls is not None:
        if not action.below_tls:
            return False
        with suppress(OSError):
            Channel(endpoint.sock).end()
    with suppress(OSError):  # it is disconnected, which the next read reports
        endpoint.sock.shutdown(socket.SHUT_WR)
    return True
