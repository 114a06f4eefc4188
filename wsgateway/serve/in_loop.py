"""The driver of a machine by callbacks of the relay's loop: no task and no cancel scope, for plain sockets.

    a socket is ready, or a time has come -> the action is done, or has failed -> the machine yields the next one

What needs more than sockets goes on in a task, from the same action on: see `in_task`.
"""

import math
import select
import socket
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

from wsgateway.errors import ExhaustedError, ReasonedError
from wsgateway.net.alarms import Alarm
from wsgateway.net.channel import Channel
from wsgateway.net.failure import in_words
from wsgateway.serve.actions import Action, Await, Machine, Reach, Receive, Send
from wsgateway.serve.disconnect import GRACE_SECONDS, disconnected_waiting
from wsgateway.serve.gateway import GatewayState
from wsgateway.serve.request import Client
from wsgateway.trace.tap import LEAST_AT_ONCE_BYTES
from wsgateway.upstream.search import Dial

T = TypeVar("T")

_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_RESET = select.EPOLLERR | select.EPOLLHUP
_ENDED = select.EPOLLRDHUP | _RESET

# The most actions that are carried out without waiting. After them a task goes on, which lets others run in between.
MOST_ACTIONS = 32
# The results of an action that is not done yet, and of one for which a task is needed.
_WAITS = object()
_TASK = object()


class _Side:
    """One of the two sockets, with the events that epoll has reported of it and that were not used up yet."""

    __slots__ = ("_engine", "_fd", "driver", "ready", "sock")

    def __init__(self, driver: "LoopDriver[Any]", sock: socket.socket) -> None:
        self.driver: LoopDriver[Any] | None = driver
        """the driver; None: it has ended"""
        self._engine = driver.gateway.engine
        self._fd = sock.fileno()
        self.sock = sock
        self.ready = 0
        self._engine.watches.watch(sock, self._on_ready)

    def _on_ready(self, events: int) -> None:
        self.ready |= events
        if self.driver is not None:
            self.driver.go_on()

    def receive(self, limit: int) -> Any:
        """Return the next bytes, or _WAITS. Raise OSError."""
        if not self.ready & (_IN | _ENDED):
            return _WAITS
        try:
            data = self.sock.recv(limit)
        except BlockingIOError:
            self.ready &= ~_IN
            return _WAITS
        # Whatever comes after it is a new event; an end is still to be read.
        if len(data) < min(limit, LEAST_AT_ONCE_BYTES):
            self.ready &= ~_IN
        return data

    def send(self, data: bytes) -> bytes:
        """Send bytes, and return the rest, for which it must wait. Raise OSError."""
        try:
            while data:
                data = data[self.sock.send(data) :]
        except BlockingIOError:
            self.ready &= ~_OUT
        return data

    def forget(self) -> None:
        """Take no more events. The machine may have closed the socket."""
        watches = self._engine.watches
        if self.sock.fileno() < 0:
            watches.forget(self._fd)
        else:
            watches.unwatch(self._fd)


class LoopDriver(Generic[T]):
    """One machine, and the sockets for which it waits."""

    __slots__ = (
        "_action", "_alarm", "_client", "_client_side", "_dial", "_dial_until", "_finished", "_grace_until",
        "_hand_over", "_limit_until", "_machine", "_patience_until", "_unsent", "_upstream_side", "gateway",
    )  # fmt: skip

    def __init__(
        self,
        gateway: GatewayState,
        client: Client,
        machine: Machine[T],
        finished: Callable[[T | None, Exception | None], None],
        hand_over: Callable[[Machine[T], Action], None],
    ) -> None:
        """Take a client with a plain socket.

        `finished` is called at the end with what the machine has returned or raised; with None and None if it was cut
        off. `hand_over` is called instead if a task must go on from an action. Both then have the sockets, and must not
        raise.
        """
        self.gateway = gateway
        self._client = client
        self._machine = machine
        self._finished = finished
        self._hand_over = hand_over
        self._alarm = Alarm(gateway.alarms, self._alarmed)
        self._client_side = _Side(self, client.channel.sock)
        self._upstream_side: _Side | None = None
        self._action: Action
        self._unsent = b""
        self._dial: Dial | None = None
        self._dial_until = self._grace_until = self._limit_until = self._patience_until = math.inf

    def begin(self) -> None:
        """Begin the machine."""
        self.gateway.owner.add(self)
        self._resume(None, None)

    def go_on(self) -> None:
        """Carry out the present action, if that is possible now, and those that follow."""
        try:
            result = self._carry_out()
        except (OSError, ReasonedError) as error:
            self._resume(None, error)
            return
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own connection
            self._finish(None, bug)
            return
        if result is not _WAITS:
            self._resume(result, None)
        elif self._action.watched and self._client_side.ready & _ENDED:
            self._client_ended()

    def cut(self) -> None:
        self._release()
        self._machine.close()
        self._forget_sides()
        self._finished(None, None)

    @property
    def deadline(self) -> float:
        """The time by which the present action must be done; a drain moves it."""
        return self._limit_until

    @deadline.setter
    def deadline(self, when: float) -> None:
        self._limit_until = when
        self._set_alarm()

    # -- the machine ---------------------------------------------------------------------------------------------

    def _resume(self, result: Any, error: Exception | None) -> None:
        """Give the machine the result of its action, or the error; carry out its actions until one has to wait."""
        for number in count():
            try:
                action = self._machine.send(result) if error is None else self._machine.throw(error)
            except StopIteration as stop:
                result = stop.value
                break  # what follows is not in the context of an exception, with all of the session
            except Exception as raised:  # noqa: BLE001  `finished` tells refusals from bugs
                self._finish(None, raised)
                return
            try:
                # Two sides that are always ready would keep the loop for ever.
                result, error = self._begin_action(action) if number < MOST_ACTIONS else _TASK, None
            except (OSError, ReasonedError) as caught:
                result, error = None, caught
            except Exception as bug:  # noqa: BLE001  a bug of ours costs its own connection
                self._finish(None, bug)
                return
            if result is _WAITS:
                self._set_times(action)
                return
            if result is _TASK:
                self._release()
                self._forget_sides()
                self.gateway.owner.remove(self)
                self._hand_over(self._machine, action)
                return
        self._finish(result, None)

    def _begin_action(self, action: Action) -> Any:
        # `match` would take several times as long as `isinstance`.
        self._action = action
        if isinstance(action, Send):
            self._unsent = action.data
        elif isinstance(action, Await) or (isinstance(action, Reach) and not self._begin_dial(action)):
            return _TASK
        return self._carry_out()

    def _carry_out(self) -> Any:
        """Return the result of the present action, or _WAITS. Raise its errors."""
        action = self._action
        if isinstance(action, Receive):
            return self._side(action.channel).receive(action.limit_bytes)
        if isinstance(action, Send):
            self._unsent = self._side(action.channel).send(self._unsent)
            return _WAITS if self._unsent else None
        return self._connected()

    def _side(self, channel: Channel) -> _Side:
        side = self._client_side if channel is self._client.channel else self._upstream_side
        assert side is not None, "a machine uses an upstream that it has reached"
        return side

    # -- connecting ----------------------------------------------------------------------------------------------

    def _begin_dial(self, action: Reach) -> bool:
        """Begin to connect. Return whether sockets are all that is needed for it."""
        self._forget_upstream()
        self._dial = None if action.preface else action.search.dial(action.lease, action.seconds)
        if self._dial is None:
            return False
        try:
            self._upstream_side = _Side(self, self._dial.sock)
        except OSError as error:
            self._forget_upstream()
            raise ExhaustedError(in_words(error)) from None
        return True

    def _connected(self) -> Any:
        dial, side = self._dial, self._upstream_side
        assert dial is not None, "it was begun"
        assert side is not None, "it was begun"
        if not dial.connected:
            if not side.ready & (_OUT | _RESET):
                return _WAITS
            dial.check()
        self._dial = None
        return dial.sock

    def _forget_upstream(self) -> None:
        """Watch the upstream's socket no longer; close it if the machine does not have it yet."""
        if self._upstream_side is not None:
            self._upstream_side.forget()
            self._upstream_side = None
        if self._dial is not None:
            self._dial.sock.close()
            self._dial = None

    # -- times ---------------------------------------------------------------------------------------------------

    def _set_times(self, action: Action) -> None:
        """Set the times for an action that has to wait."""
        assert not isinstance(action, Await), "a task carries it out"
        gateway, limit = self.gateway, action.limit
        self._limit_until = math.inf if limit is None else limit.deadline
        self._dial_until = self._patience_until = math.inf
        if limit is None or limit.stopping is None:
            gateway.waiting.pop(self, None)
        else:
            gateway.waiting[self] = limit.until
            if gateway.closing_at is not None:
                self._limit_until = min(limit.deadline, limit.until, gateway.closing_at)
        if self._dial is not None:
            self._dial_until = gateway.clock() + self._dial.seconds
        elif isinstance(action, Receive) and action.patience is not None:
            self._patience_until = gateway.clock() + action.patience
        if not action.watched:
            self._grace_until = math.inf
        elif self._client_side.ready & _ENDED:
            self._grace_until = math.inf  # bytes have moved
            self._client_ended()
            return
        self._set_alarm()

    def _set_alarm(self) -> None:
        self._alarm.deadline = min(self._limit_until, self._dial_until, self._patience_until, self._grace_until)

    def _client_ended(self) -> None:
        """Take note that the client has hung up while the gateway works for it; see `disconnect`."""
        if self._client_side.ready & _RESET:
            self._resume(None, disconnected_waiting())
        elif self._grace_until == math.inf:
            self._grace_until = self.gateway.clock() + GRACE_SECONDS
            self._set_alarm()

    def _alarmed(self) -> None:
        try:
            self._time_is_over(self.gateway.clock())
        except Exception as bug:  # noqa: BLE001  a bug of ours costs its own connection
            self._finish(None, bug)

    def _time_is_over(self, now: float) -> None:
        action = self._action
        if self._grace_until <= now:
            self._resume(None, disconnected_waiting())
        elif self._dial is not None and self._dial_until <= now:
            error = self._dial.late()
            self._forget_upstream()
            self._resume(None, error)
        elif self._patience_until <= now:
            self._resume(None, None)
        elif self._limit_until <= now and not isinstance(action, Await) and (limit := action.limit) is not None:
            if isinstance(action, Receive) and self._read_late(action):
                return
            stops = limit.stopping is not None and self._limit_until < limit.deadline
            self._resume(None, limit.stopping() if stops and limit.stopping is not None else limit.late())
        else:
            self._set_alarm()

    def _read_late(self, action: Receive) -> bool:
        """Read what has come already: a busy process may be late. Return whether there was anything."""
        self._side(action.channel).ready |= _IN
        try:
            result = self._carry_out()
        except OSError as error:
            self._resume(None, error)
            return True
        if result is _WAITS:
            return False
        self._resume(result, None)
        return True

    # -- the end -------------------------------------------------------------------------------------------------

    def _finish(self, result: T | None, error: Exception | None) -> None:
        self._release()
        self.gateway.owner.remove(self)
        self._machine.close()
        self._forget_sides()
        self._finished(result, error)

    def _release(self) -> None:
        self._alarm.stop()
        self.gateway.waiting.pop(self, None)
        self._client_side.forget()
        self._forget_upstream()

    def _forget_sides(self) -> None:
        """Take no more events, and drop what refers to this driver, so that it needs no garbage collection."""
        for side in (self._client_side, self._upstream_side):
            if side is not None:
                side.driver = None
