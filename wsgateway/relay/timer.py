"""What becomes of a session in which nothing happens: it is asked, and ended when it has been silent for too long.

Nothing is noted when bytes move, as that would cost every message: each session is looked at now and then, and what
has changed since the last look tells. So times are as coarse as the looks.

    a side is silent     it is asked by a ping, where its dialect has one; without an answer it is gone
    a side is stuck      its kernel acknowledges nothing of what it is sent: it is gone
    a session is idle    no message has gone either way, and no ping of a side's own: both sides get a goodbye
    a session is old     as if it were idle
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wsgateway.errors import ProtocolError
from wsgateway.relay.closing import ServerClose
from wsgateway.relay.endpoint import Ended, Endpoint
from wsgateway.wire.closecodes import ABNORMAL
from wsgateway.wire.events import KEEPALIVE, Ping


@dataclass(frozen=True, slots=True)
class RelayTimeouts:
    """How long each thing may last, in seconds; None: for ever."""

    idle: float | None = None
    """without a message or a ping, either way; what a keepalive asks and answers does not count"""
    lifetime: float | None = None
    """altogether"""
    send: float | None = None
    """that a side takes nothing"""
    ping: float | None = None
    """of a side's silence, until it is asked"""
    pong: float = 20.0
    """until it has said anything then"""


FOR_EVER = RelayTimeouts()


class _SideTimer:
    """What was seen of one side."""

    __slots__ = ("asked", "behind", "endpoint", "heard", "moved", "others", "queued", "received", "taken", "turn")

    def __init__(self, endpoint: Endpoint, now: float) -> None:
        self.endpoint = endpoint
        self.received = endpoint.received
        self.heard = self.moved = now
        self.taken = (0, 0)
        """what the side had taken, in figures that differ when it has taken more"""
        self.queued = False
        """whether something was on its way to it"""
        self.others = 0
        """bytes that had come from the other side"""
        self.asked: float | None = None
        """when the time for its answer began; None: it is not asked"""
        self.behind = False
        """whether our ping stands behind something that the side has not taken"""
        self.turn: int | None = None
        """what it has taken when it has taken the ping; None: the ping has not left our backlog"""

    def advanced(self) -> bool:
        """Return whether the side has taken anything since the last look, or there is nothing for it to take."""
        endpoint, taken, others = self.endpoint, self.taken, self.others
        self.others = endpoint.peer.received
        if not (self.queued or endpoint.backlog or self.others != others):
            return True  # a session in which nothing happens costs no system call
        if endpoint.outgoing is None:
            # The other side is read on only when the backlog is out: one of the same length may be another one.
            self.taken, self.queued = (len(endpoint.backlog), self.others), bool(endpoint.backlog)
        else:
            acknowledged, on_its_way = endpoint.outgoing.progress()
            self.taken, self.queued = (acknowledged, 0), on_its_way or bool(endpoint.backlog)
        if self.behind and self.turn is None and self.others != others:
            self.find_listener_state()
        return self.taken != taken or not self.queued

    def ask(self, now: float, ping: Callable[[Endpoint], None]) -> None:
        """Send a ping."""
        self.asked, self.behind, self.turn = now, self.queued, None
        ping(self.endpoint)
        if self.behind and not self.endpoint.backlog:
            self.find_listener_state()

    def find_listener_state(self) -> None:
        """Note where the ping ends in what the side is sent. It has left our backlog."""
        outgoing = self.endpoint.outgoing
        self.turn = 0 if outgoing is None else outgoing.sent_total()

    @property
    def has_ping(self) -> bool:
        """Whether the side has taken the ping, as far as we can know."""
        return not self.queued or (
            self.turn is not None and (self.endpoint.outgoing is None or self.taken[0] >= self.turn)
        )


class SessionTimer:
    """Looks at one session."""

    __slots__ = ("_activity", "_began", "_client", "_relay_timeouts", "_said", "_upstream", "client")

    def __init__(self, client: Endpoint, upstream: Endpoint, relay_timeouts: RelayTimeouts, now: float) -> None:
        self.client = client
        self._client = _SideTimer(client, now)
        self._upstream = _SideTimer(upstream, now)
        self._relay_timeouts = relay_timeouts
        self._began = self._said = now
        self._activity = 0

    def look(self, now: float, mask_keys: Iterator[bytes], send: Callable[[Endpoint, bytes], None]) -> Ended | None:
        """Takes the time, in seconds of any clock; sends pings. Why the session is to end, if it is."""
        relay_timeouts = self._relay_timeouts

        def ping(endpoint: Endpoint) -> None:
            send(endpoint, endpoint.side.encoder(mask_keys).send(Ping(KEEPALIVE)))

        for look in (self._client, self._upstream):
            advanced = look.advanced()
            fault = self._stuck(look, now, advanced) or self._silent(look, now, advanced, ping)
            if fault is not None:
                return Ended(look.endpoint, fault)
        activity = sum(
            look.endpoint.translator.messages + look.endpoint.translator.heartbeats
            for look in (self._client, self._upstream)
        )
        # A message that stands still is none; of one in hixie nobody knows how much is missing.
        under_way = any(
            look.heard == now and look.endpoint.translator.unfinished() != 0 for look in (self._client, self._upstream)
        )
        if activity != self._activity or under_way:
            self._activity, self._said = activity, now
        if relay_timeouts.idle is not None and now - self._said >= relay_timeouts.idle:
            return Ended(None, ServerClose(f"no message for {relay_timeouts.idle:g} s"))
        if relay_timeouts.lifetime is not None and now - self._began >= relay_timeouts.lifetime:
            return Ended(None, ServerClose(f"older than {relay_timeouts.lifetime:g} s"))
        return None

    def _stuck(self, look: _SideTimer, now: float, advanced: bool) -> ProtocolError | None:
        send = self._relay_timeouts.send
        if advanced:
            look.moved = now
        elif send is not None and now - look.moved >= send:
            return ProtocolError(f"takes nothing of what it is sent for {send:g} s", ABNORMAL)
        return None

    def _silent(
        self, look: _SideTimer, now: float, advanced: bool, ping: Callable[[Endpoint], None]
    ) -> ProtocolError | None:
        endpoint, relay_timeouts = look.endpoint, self._relay_timeouts
        # Who is not read, because the other side is slow or a rate is kept, cannot be heard.
        if endpoint.received != look.received or endpoint.peer.backlog or endpoint.paused:
            look.received, look.heard, look.asked, look.behind = endpoint.received, now, None, False
        elif look.asked is not None:
            if look.behind:
                # Its time begins when it has the ping, and anew whenever it takes something of what stands before that.
                if advanced:
                    look.asked = now
                look.behind = not look.has_ping
            if now - look.asked >= relay_timeouts.pong:
                return ProtocolError(f"no answer to a ping within {relay_timeouts.pong:g} s", ABNORMAL)
        elif (
            relay_timeouts.ping is not None
            and now - look.heard >= relay_timeouts.ping
            and endpoint.side.framing.carries_ping
            and not endpoint.peer.translator.inside()
        ):
            look.ask(now, ping)
        return None
