"""The traces of a process: what they want to see, and the sessions that they follow.

A session is followed from its first byte on. Until its dialect and its route are known, its bytes are kept; then it is
decided whether a trace wants it. A trace that is read too slowly loses lines, and nothing else waits for it.
"""

import base64
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from socket import socket
from types import MappingProxyType
from typing import Any, Literal, get_args

import trio

from wsgateway.dialects.base import CHALLENGE, PROOF, Side
from wsgateway.errors import TooManyTracesError
from wsgateway.trace.reading import Piece, Reading
from wsgateway.trace.tap import tap, untap
from wsgateway.wire.events import Role

MOST_TRACES = 4
# What waits for the reader of a trace. One item has at most the bytes of one read.
MOST_WAITING = 1000
MOST_WAITING_CHARACTERS = 4 * 1024 * 1024
# The items that are sent together.
ITEMS_AT_ONCE = 100
# What is kept of a connection until it is decided whether it is traced.
MOST_UNDECIDED_BYTES = 64 * 1024

Peer = Literal["client", "upstream"]
Way = Literal[">", "<"]
Fact = str | int | float | bool
Item = dict[str, Fact]
"""something that the reader of a trace gets: its `kind` says what it is"""
Wants = Callable[[Any], bool]
"""returns whether a trace wants the session with these facts, as far as they are known"""

PEERS: tuple[Peer, ...] = get_args(Peer)
WAYS: tuple[Way, ...] = get_args(Way)
# What the first bytes after the head are called, and the role of the side that reads the frames.
_PROOFS: Mapping[Way, str] = {">": CHALLENGE, "<": PROOF}
_READERS: Mapping[Way, Role] = {">": Role.SERVER, "<": Role.CLIENT}


class Trace:
    """A watch over sessions, and the items for its reader."""

    def __init__(self, wants: Wants, payload_bytes: int, records: bool) -> None:
        """Show at most `payload_bytes` of a piece of payload; `records`: give all bytes, for recordings."""
        self.wants = wants
        self.payload_bytes = payload_bytes
        self.records = records
        self.over = False
        """whether nobody reads it any more"""
        self._waiting: deque[tuple[int, Item]] = deque()
        self._characters = 0
        self._lost = 0
        self._more = trio.Event()

    def add(self, item: Item) -> None:
        """Add an item for the reader. It is lost if too much waits already, or nobody reads."""
        if self.over:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        size = sum(len(value) for value in item.values() if isinstance(value, str))
        if self._characters + size > MOST_WAITING_CHARACTERS:
            self._lost += 1
        else:
            self._waiting.append((size, item))
            self._characters += size
        self._more.set()

    def end(self) -> None:
        """Keep nothing more: the reader has gone. Sessions that are followed refer to this as long as they last."""
        self.over = True
        self._waiting.clear()
        self._characters = 0

    async def items(self) -> list[Item]:
        """Wait for the next items, at least one. The last of them tells how many were lost behind it, if any were."""
        while not self._waiting:
            self._more = trio.Event()
            await self._more.wait()
        sized = [self._waiting.popleft() for _ in range(min(ITEMS_AT_ONCE, len(self._waiting)))]
        self._characters -= sum(size for size, _ in sized)
        items = [item for _, item in sized]
        if self._lost and not self._waiting:
            items.append({"kind": "lost", "items": self._lost})
            self._lost = 0
        return items


class _Follower:
    """One trace that follows one session."""

    def __init__(self, trace: Trace, session: str, query_names: tuple[str, ...]) -> None:
        self.trace = trace
        self._session = session
        self._query_names = query_names
        self._readings: dict[tuple[Peer, Way], Reading] = {}
        for peer in PEERS:
            self.begin(peer)

    def begin(self, peer: Peer) -> None:
        for way in WAYS:
            self._readings[peer, way] = Reading(way, self.trace.payload_bytes, self._query_names)

    def add(self, kind: str, at: float, facts: Mapping[str, Fact]) -> None:
        self.trace.add({"kind": kind, "session": self._session, "at": round(at, 6), **facts})

    def feed(self, at: float, peer: Peer, way: Way, data: bytes) -> None:
        if data:
            self._add_pieces(at, peer, way, self._readings[peer, way].feed(data))
        else:
            self.add("bytes", at, {"peer": peer, "way": way, "of": "end", "data": ""})
            self.add("remark", at, {"peer": peer, "text": f"the {peer} sends no more"})

    def begin_frames(self, at: float, peer: Peer, side: Side, early: bytes) -> None:
        from_peer = ">" if peer == "client" else "<"
        secret = {"secret": side.secret.hex()} if side.secret else {}
        self.add("frames", at, {"peer": peer, "framing": side.framing.name, **secret})
        for way in WAYS:
            dissector = side.framing.dissector(_READERS[way], side.secret)
            reading = self._readings[peer, way]
            pieces = reading.begin_frames(dissector, early if way == from_peer else b"", _PROOFS[way])
            self._add_pieces(at, peer, way, pieces)

    def finish(self, at: float, peer: Peer) -> None:
        for way in WAYS:
            self._add_pieces(at, peer, way, self._readings[peer, way].finish())

    def _add_pieces(self, at: float, peer: Peer, way: Way, pieces: list[Piece]) -> None:
        for piece in pieces:
            if self.trace.records and piece.data:
                data = base64.b64encode(piece.data).decode()
                of = piece.belongs_to
                self.add("bytes", at, {"peer": peer, "way": way, "of": of, "data": data})
            for line in piece.lines:
                self.add("line", at, {"peer": peer, "way": way, "text": line.text, "meaning": line.meaning})


class FollowedSession:
    """A connection whose bytes are shown to the traces that want it."""

    def __init__(self, traces: "Traces", session: str) -> None:
        self._traces = traces
        self._session = session
        self._begun = traces.clock()
        self._undecided: list[tuple[float, Peer, Way, bytes]] | None = []
        self._undecided_bytes = 0
        self._followers: list[_Follower] = []
        self._tapped: list[socket] = []

    def watch(self, sock: socket, peer: Peer) -> None:
        """See the bytes of the connection to a peer from now on."""
        for follower in self._followers:  # another target was tried before
            follower.finish(self._now(), peer)
            follower.begin(peer)
        from_peer: Way = ">" if peer == "client" else "<"
        to_peer: Way = "<" if peer == "client" else ">"
        self._tapped.append(sock)
        tap(sock, lambda data: self._see(peer, from_peer, data), lambda data: self._see(peer, to_peer, data))

    def begin_again(self, data: bytes) -> None:
        """Forget the bytes so far: they were a request without a session, and `data` begins the next one."""
        if self._undecided is not None:
            self._undecided, self._undecided_bytes = [], 0
            self._see("client", ">", data)

    def decide(self, facts: Any, described: Mapping[str, Fact]) -> bool:
        """Show the session, from its head on, to the traces that want it. Return whether there is any."""
        undecided, self._undecided = self._undecided, None
        if undecided is not None:
            began = round(self._traces.wall_clock() - self._now(), 3)
            for trace in self._traces.running:
                if trace.wants(facts):
                    follower = _Follower(trace, self._session, self._traces.query_names)
                    follower.add("session", 0.0, {"began": began, **described})
                    for each in undecided:
                        follower.feed(*each)
                    self._followers.append(follower)
            self._leave_if_unwanted()
        return bool(self._followers)

    def begin_frames(self, peer: Peer, side: Side, early: bytes) -> None:
        """Read frames of the connection to a peer from now on; `early` are those that came with its handshake."""
        for follower in self._followers:
            follower.begin_frames(self._now(), peer, side, early)

    def remark(self, text: str) -> None:
        """Show a text about the session."""
        for follower in self._followers:
            follower.add("remark", self._now(), {"text": text})

    def end(self, facts: Mapping[str, Fact] = MappingProxyType({})) -> None:
        """Show the end of the session, with its reason if there was a session. Do nothing if it has been shown."""
        for follower in self._followers:
            for peer in PEERS:
                follower.finish(self._now(), peer)
            follower.add("end", self._now(), facts)
        self._followers, self._undecided = [], None
        self._tapped.clear()

    def _leave_if_unwanted(self) -> None:
        """Let the relay in C have the session again if no trace wants it."""
        if not self._followers:
            for sock in self._tapped:
                untap(sock)
            self._tapped.clear()

    def _now(self) -> float:
        return self._traces.clock() - self._begun

    def _see(self, peer: Peer, way: Way, data: bytes) -> None:
        if self._undecided is not None:
            data = data[: MOST_UNDECIDED_BYTES - self._undecided_bytes]
            self._undecided_bytes += len(data)
            if data:
                self._undecided.append((self._now(), peer, way, data))
            return
        if any(follower.trace.over for follower in self._followers):
            self._followers = [follower for follower in self._followers if not follower.trace.over]
            self._leave_if_unwanted()
        for follower in self._followers:
            follower.feed(self._now(), peer, way, data)


class Traces:
    """All traces of a process."""

    def __init__(self, clock: Callable[[], float] = trio.current_time) -> None:
        self.clock = clock
        self.wall_clock: Callable[[], float] = time.time
        self.query_names: tuple[str, ...] = ()
        """the names in the query of a URL whose values are secret"""
        self.process = 0
        """the number of the process, with which names of sessions begin"""
        self.running: list[Trace] = []
        self._count = 0

    @contextmanager
    def begin(self, wants: Wants, payload_bytes: int, records: bool) -> Iterator[Trace]:
        """Yield a new trace, which watches during the block. Raise TooManyTracesError."""
        if len(self.running) >= MOST_TRACES:
            raise TooManyTracesError(f"{MOST_TRACES} traces are running, and more are not possible at once")
        trace = Trace(wants, payload_bytes, records)
        self.running.append(trace)
        try:
            yield trace
        finally:
            self.running.remove(trace)
            trace.end()

    def follow(self) -> FollowedSession:
        """Return a new connection that a trace may want."""
        self._count += 1
        return FollowedSession(self, f"{self.process}.{self._count}")
