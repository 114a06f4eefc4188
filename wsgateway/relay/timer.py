"""The timeouts of a session: it is checked by a ping when it is silent, and closed when that lasts too long.

Moving bytes records no time, because that would cost something for every message. Instead each session is checked
regularly, and its counters are compared with those of the last check. So times are as coarse as the checks.

    a side is silent     it is sent a ping, if its dialect has one; without an answer it counts as disconnected
    a side is stuck      its kernel acknowledges nothing of what it is sent: it counts as disconnected
    a session is idle    no message in either direction, and no ping of a side's own: both sides are sent a Close
    a session is old     as if it were idle
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.errors import ProtocolError, Reason
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import Ended, Endpoint
from wsgateway.wire.events import KEEPALIVE, Ping
from wsgateway.wire.state import State


@dataclass(frozen=True, slots=True)
class RelayTimeouts:
    """The timeouts of a session in seconds; None: no timeout."""

    idle: float | None = None
    """the longest time without a message or ping in either direction; a keepalive's pings and pongs do not count"""
    lifetime: float | None = None
    """the longest time of a session"""
    send: float | None = None
    """the longest time in which a side takes nothing of what it is sent"""
    ping: float | None = None
    """the silence of a side after which it is sent a ping"""
    pong: float = 20.0
    """the longest time until it has sent anything after that ping"""


FOR_EVER = RelayTimeouts()


@dataclass(frozen=True, slots=True)
class SideTimerState(State):
    """The state of the timer of one side; times are seconds that have passed since then, as clocks differ."""

    received: int
    heard: float
    moved: float
    taken: tuple[int, int]
    queued: bool
    others: int
    pinged: float | None
    ping_waits: bool
    turn: int | None


@dataclass(frozen=True, slots=True)
class TimerState(State):
    """The state of the timer of a session."""

    client: SideTimerState
    upstream: SideTimerState
    began: float
    active: float
    activity: int


class _SideTimer:
    """The state of one side at the last check."""

    __slots__ = ("endpoint", "heard", "moved", "others", "ping_waits", "pinged", "queued", "received", "taken", "turn")

    def __init__(self, endpoint: Endpoint, now: float) -> None:
        self.endpoint = endpoint
        self.received = endpoint.received
        self.heard = self.moved = now
        self.taken = (0, 0)
        """how much the side had taken; two values differ if it has taken more"""
        self.queued = False
        """whether something was on its way to it"""
        self.others = 0
        """how many bytes had come from the other side"""
        self.pinged: float | None = None
        """when the time for its answer to a ping began; None: no ping waits for an answer"""
        self.ping_waits = False
        """whether our ping comes after something that the side has not taken yet"""
        self.turn: int | None = None
        """the progress of the side when it has taken the ping; None: the ping is still in our backlog"""

    def state(self, now: float) -> SideTimerState:
        """Return the state; what it says of the sent bytes belongs to the socket."""
        pinged = None if self.pinged is None else now - self.pinged
        return SideTimerState(
            self.received,
            now - self.heard,
            now - self.moved,
            self.taken,
            self.queued,
            self.others,
            pinged,
            self.ping_waits,
            self.turn,
        )

    def resume(self, state: SideTimerState, now: float) -> None:
        """Go on from a state."""
        self.received, self.heard, self.moved = state.received, now - state.heard, now - state.moved
        self.taken, self.queued, self.others = state.taken, state.queued, state.others
        self.pinged = None if state.pinged is None else now - state.pinged
        self.ping_waits, self.turn = state.ping_waits, state.turn

    def advanced(self) -> bool:
        """Return whether the side has taken anything since the last check, or has nothing to take."""
        endpoint, taken, others = self.endpoint, self.taken, self.others
        self.others = endpoint.peer.received
        if not (self.queued or endpoint.backlog or self.others != others):
            return True  # no system call for a session in which nothing happens
        if endpoint.outgoing is None:
            # The other side is read only when the backlog is sent, so a backlog of equal length may be a new one.
            self.taken, self.queued = (len(endpoint.backlog), self.others), bool(endpoint.backlog)
        else:
            acknowledged, on_its_way = endpoint.outgoing.progress()
            self.taken, self.queued = (acknowledged, 0), on_its_way or bool(endpoint.backlog)
        if self.ping_waits and self.turn is None and self.others != others:
            self.note_ping_end()
        return self.taken != taken or not self.queued

    def ping(self, now: float, send_ping: Callable[[Endpoint], None]) -> None:
        """Send a ping, and start the time for its answer."""
        self.pinged, self.ping_waits, self.turn = now, self.queued, None
        send_ping(self.endpoint)
        if self.ping_waits and not self.endpoint.backlog:
            self.note_ping_end()

    def note_ping_end(self) -> None:
        """Note the progress that the side will have when it has taken the ping, which is no longer in our backlog."""
        outgoing = self.endpoint.outgoing
        self.turn = 0 if outgoing is None else outgoing.sent_total()

    @property
    def has_ping(self) -> bool:
        """Whether the side has taken the ping, as far as that can be known."""
        return not self.queued or (
            self.turn is not None and (self.endpoint.outgoing is None or self.taken[0] >= self.turn)
        )


class SessionTimer:
    """The timer of one session."""

    __slots__ = ("_active", "_activity", "_began", "_client", "_relay_timeouts", "_upstream", "client")

    def __init__(self, client: Endpoint, upstream: Endpoint, relay_timeouts: RelayTimeouts, now: float) -> None:
        self.client = client
        self._client = _SideTimer(client, now)
        self._upstream = _SideTimer(upstream, now)
        self._relay_timeouts = relay_timeouts
        self._began = self._active = now
        self._activity = 0

    def state(self, now: float) -> TimerState:
        """Return the state between two checks."""
        client, upstream = self._client.state(now), self._upstream.state(now)
        return TimerState(client, upstream, now - self._began, now - self._active, self._activity)

    def resume(self, state: TimerState, now: float) -> None:
        """Go on from a state."""
        self._client.resume(state.client, now)
        self._upstream.resume(state.upstream, now)
        self._began, self._active, self._activity = now - state.began, now - state.active, state.activity

    def check(self, now: float, mask_keys: Iterator[bytes], send: Callable[[Endpoint, bytes], None]) -> Ended | None:
        """Send pings that are due, and return the end of the session if a timeout has passed; `now` is in seconds."""
        relay_timeouts = self._relay_timeouts

        def send_ping(endpoint: Endpoint) -> None:
            send(endpoint, endpoint.side.encoder(mask_keys).send(Ping(KEEPALIVE)))

        activity, under_way = 0, False
        for side in (self._client, self._upstream):
            advanced = side.advanced()
            fault = self._stuck(side, now, advanced) or self._silent(side, now, advanced, send_ping)
            if fault is not None:
                return Ended(side.endpoint, fault)
            translator = side.endpoint.translator
            activity += side.endpoint.messages + translator.heartbeats
            # A message counts only while its bytes come. How much of one in hixie is still to come is not known.
            under_way = under_way or (side.heard == now and translator.unfinished() != 0)
        if activity != self._activity or under_way:
            self._activity, self._active = activity, now
        if relay_timeouts.idle is not None and now - self._active >= relay_timeouts.idle:
            return Ended(None, ServerClose(Reason.IDLE_TIMEOUT, f"no message for {relay_timeouts.idle:g} s"))
        if relay_timeouts.lifetime is not None and now - self._began >= relay_timeouts.lifetime:
            return Ended(None, ServerClose(Reason.LIFETIME_OVER, f"older than {relay_timeouts.lifetime:g} s"))
        return None

    def _stuck(self, side: _SideTimer, now: float, advanced: bool) -> ProtocolError | None:
        send = self._relay_timeouts.send
        if advanced:
            side.moved = now
        elif send is not None and now - side.moved >= send:
            return ProtocolError(Reason.SEND_TIMEOUT, f"takes nothing of what it is sent for {send:g} s")
        return None

    def _silent(
        self, side: _SideTimer, now: float, advanced: bool, send_ping: Callable[[Endpoint], None]
    ) -> ProtocolError | None:
        endpoint, relay_timeouts = side.endpoint, self._relay_timeouts
        # A side that is not read, because the other side is slow or a rate is limited, does not count as silent.
        if endpoint.received != side.received or endpoint.peer.backlog or endpoint.paused:
            side.received, side.heard, side.pinged, side.ping_waits = endpoint.received, now, None, False
        elif side.pinged is not None:
            if side.ping_waits:
                # The time for an answer begins when the side has the ping, and again whenever it takes bytes before it.
                if advanced:
                    side.pinged = now
                side.ping_waits = not side.has_ping
            if now - side.pinged >= relay_timeouts.pong:
                return ProtocolError(Reason.PING_TIMEOUT, f"no answer to a ping within {relay_timeouts.pong:g} s")
        elif (
            relay_timeouts.ping is not None
            and now - side.heard >= relay_timeouts.ping
            and endpoint.side.framing.carries_ping
            and not endpoint.peer.translator.inside()
        ):
            side.ping(now, send_ping)
        return None


class SessionTimers:
    """The timers of all sessions, the one that was checked longest ago first."""

    def __init__(self) -> None:
        self._timers: deque[SessionTimer] = deque()

    def __len__(self) -> int:
        return len(self._timers)

    def add(self, timer: SessionTimer) -> None:
        """Take a timer that is new, or was checked just now."""
        self._timers.append(timer)

    def take(self, parts: int) -> Iterator[SessionTimer]:
        """Take one of so many parts of the timers out, without those whose relay has ended."""
        for _ in range(-(-len(self) // parts)):
            timer = self._timers.popleft()
            if timer.client.on_end is not None:
                yield timer

    def of(self, client: Endpoint) -> SessionTimer | None:
        """Return the timer of a relay; None if it has none. This looks at all timers."""
        return next((timer for timer in self._timers if timer.client is client), None)
