"""What has happened since the start, in numbers: sessions, what has gone through them, and what did not become one.

Nothing is counted here while a session runs: its own figures are added at its end, and to every snapshot until then,
so that no number lags and none is counted twice.
"""

from collections import Counter
from collections.abc import Iterable, Set
from operator import add
from typing import Literal, NamedTuple, Protocol

from wsgateway.census.tally import Counted
from wsgateway.errors import Reason
from wsgateway.observe.histogram import HANDSHAKE_SECONDS, SESSION_SECONDS, Histogram
from wsgateway.observe.status import CountersStatus
from wsgateway.wire.oddities import Oddities, Oddity

By = Literal["client", "upstream", "gateway"]
"""who has ended a session"""
NONE = "none"
"""in place of the status, route or dialect of a client that had none yet"""


def session_id(process: int, number: int) -> str:
    """Return the id by which operators list and close the session of a process that has this number."""
    return f"{process}-{number}"


class Figures(NamedTuple):
    """The figures of a session: what has gone through it; in is what came from the client."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int


# Where a direction stands in `Figures`.
_TRAFFIC = {"messages": {"in": 0, "out": 1}, "bytes": {"in": 2, "out": 3}}


class Live(Counted, Protocol):
    """A session that runs."""

    number: int
    """set at its beginning: no other one of this process has it"""

    @property
    def dialect(self) -> str:
        """What its client speaks."""

    @property
    def route_name(self) -> str:
        """Which route it took."""

    @property
    def oddities(self) -> Iterable[Oddities]:
        """What its peers have done otherwise than the drafts say."""

    def figures(self) -> Figures:
        """Return the messages and bytes so far."""


class Known(Protocol):
    """The facts about a client that gets no session. Empty: not known yet."""

    listener: str
    route: str
    dialect: str


class Counters:
    """The counts since the start, and the sessions that run."""

    def __init__(self) -> None:
        self.live: dict[int, Live] = {}
        """the sessions that run, by their numbers, the oldest first"""
        self._begun = 0
        self.policies = 0
        """policy requests that were answered"""
        self.http: Counter[str] = Counter()
        """exchanges of plain HTTP, by the class of the status that the client got: 2xx; none: it got no answer"""
        self.handshakes = Histogram(HANDSHAKE_SECONDS)
        """from the request of a client to the end of its handshake"""
        self._durations = Histogram(SESSION_SECONDS)
        self._opened: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._ended_by: Counter[tuple[str, Reason]] = Counter()
        self._refused: Counter[tuple[str, Reason]] = Counter()
        self._refused_by: dict[str, Counter[str]] = {"listener": Counter(), "route": Counter(), "dialect": Counter()}
        self._disconnected: Counter[Reason] = Counter()
        self._through: dict[str, list[int]] = {}
        self._odd: Counter[str] = Counter()
        self._passed_over = 0

    def opened(self, session: Live) -> None:
        """Note the beginning of a session, and give it its number."""
        self.came(session)
        self._opened[session.dialect] += 1

    def came(self, session: Live) -> None:
        """Note a session that has begun in another process, where neither it nor its figures count any more."""
        self._begun += 1
        session.number = self._begun
        self.live[session.number] = session

    def left(self, session: Live) -> None:
        """Forget a session that goes on in another process, which has its figures."""
        del self.live[session.number]

    def ended(self, session: Live, by: By, reason: Reason, seconds: float) -> Figures:
        """Note the end of a session that has lasted so long. Return its messages and bytes."""
        figures = session.figures()
        del self.live[session.number]
        self._ended[session.dialect] += 1
        self._ended_by[by, reason] += 1
        self._durations.observe(seconds)
        _add(self._through, session.dialect, figures)
        for each in session.oddities:
            if each.needed:
                self.odd(each.needed)
            self._passed_over += each.passed_over
        return figures

    def refused(self, status: int | None, reason: Reason, client: Known) -> None:
        """Note a refused client with its status; None: it got no answer."""
        self._refused[_named(status), reason] += 1
        for what, by_name in self._refused_by.items():
            by_name[getattr(client, what) or NONE] += 1

    def keep(self, listeners: Set[str], routes: Set[str]) -> None:
        """Forget what was counted by listeners and routes that there are no longer: each reload may name others."""
        for what, known in (("listener", listeners), ("route", routes)):
            by_name = self._refused_by[what]
            for name in by_name.keys() - known - {NONE}:
                del by_name[name]

    def disconnected(self, reason: Reason) -> None:
        """Note a client that disconnected before it had a session."""
        self._disconnected[reason] += 1

    def exchange(self, status: int | None) -> None:
        """Note the end of a plain HTTP exchange; None: the client got no status."""
        self.http[_named(status) if status is None else f"{status // 100}xx"] += 1

    def odd(self, oddities: Iterable[Oddity]) -> None:
        """Note the oddities of a request that is over."""
        self._odd.update(map(str, oddities))

    @property
    def sessions_ended(self) -> int:
        """How many sessions are over."""
        return self._ended.total()

    def status(self) -> CountersStatus:
        """Return all counts as plain data: maps of numbers."""
        running: Counter[tuple[str, str]] = Counter()
        through = {dialect: list(figures) for dialect, figures in self._through.items()}
        odd, passed_over = self._odd.copy(), self._passed_over
        for session in self.live.values():  # thousands, once a second, while their bytes wait
            dialect = session.dialect
            running[dialect, session.route_name] += 1
            _add(through, dialect, session.figures())
            for each in session.oddities:
                if each.needed:
                    odd.update(map(str, each.needed))
                passed_over += each.passed_over
        sessions: dict[str, dict[str, int]] = {}
        for (dialect, route), count in running.items():
            sessions.setdefault(dialect, {})[route] = count
        return {
            "sessions": sessions,
            "opened": dict(self._opened),
            "ended": dict(self._ended),
            "ended_by": _nested(self._ended_by),
            "traffic": {
                what: {way: {name: figures[at] for name, figures in through.items()} for way, at in ways.items()}
                for what, ways in _TRAFFIC.items()
            },
            "handshakes": self.handshakes.status(),
            "durations": self._durations.status(),
            "oddities": dict(odd),
            "passed_over": passed_over,
            "refused": _nested(self._refused),
            "refused_by": {what: dict(by_name) for what, by_name in self._refused_by.items()},
            "disconnected": {reason.value: count for reason, count in self._disconnected.items()},
            "http": dict(self.http),
            "policies": self.policies,
        }


def _add(through: dict[str, list[int]], dialect: str, figures: Figures) -> None:
    totals = through.get(dialect)
    through[dialect] = list(figures) if totals is None else list(map(add, totals, figures))


def _named(status: int | None) -> str:
    return NONE if status is None else str(status)


def _nested(counts: Counter[tuple[str, Reason]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (first, reason), count in counts.items():
        nested.setdefault(first, {})[reason.value] = count
    return nested
