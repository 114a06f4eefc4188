"""What a worker counts for the census: sessions and refusals by their profiles, until the supervisor takes the counts.

A session costs one lookup at its beginning and none at its end. Nothing is counted for a message: what has gone through
a session is read from its own figures, at its end and now and then before. The memory is bounded: see `MOST_KNOWN`.
"""

from collections.abc import Callable, Iterable
from operator import add, sub
from typing import NamedTuple, NotRequired, Protocol, TypedDict

OTHER = "other"
"""what stands for the values beyond a bound"""

# So many profiles are remembered. When there are more, some client makes up names: then all are forgotten, which costs
# nothing but new entries, and what waits is sent at once.
MOST_KNOWN = 1000
# The most profiles that may wait. The supervisor takes them sooner; if it cannot, what is new has its dialect alone.
MOST_WAITING = 2000
NOTHING: tuple[int, ...] = (0, 0, 0, 0)
"""the figures of a session through which nothing has gone"""


class Profile(NamedTuple):
    """The facts under which a session, or a refused client, is counted. Empty: not known, or there is none."""

    dialect: str
    route: str
    listener: str
    host: str
    origin: str
    agent: str
    """User-Agent, as it came"""
    tls: str
    """the version of TLS"""
    oddities: tuple[object, ...]
    """those that its peers have shown; their texts are their names"""


class Counts(TypedDict):
    """The counts of one profile since the last time, as a message has them. Those that are 0 are left out."""

    profile: dict[str, str]
    """by the names of `Profile`, without its oddities"""
    oddities: list[str]
    sessions: NotRequired[int]
    """how many began; less than 0 if some were found to belong under another profile"""
    open: NotRequired[int]
    """how many more are open than before"""
    through: NotRequired[list[int]]
    """messages from clients, messages to clients, bytes from clients, bytes to clients"""
    refused: NotRequired[dict[str, int]]
    """clients that were refused, by reason"""


class Tallied:
    """The counts of one profile that wait for the supervisor."""

    __slots__ = ("open", "profile", "refused", "sessions", "through", "waits")

    def __init__(self, profile: tuple[object, ...]) -> None:
        self.profile = profile
        """a `Profile`, as a plain tuple, which is made faster"""
        self.waits = False
        """whether it is among those that wait"""
        self._clear()

    def _clear(self) -> None:
        self.sessions = 0
        self.open = 0
        self.through = NOTHING
        self.refused: dict[str, int] | None = None

    def add(self, figures: tuple[int, ...], before: tuple[int, ...]) -> None:
        """Add what has gone through a session, without what was added before."""
        if figures != before:
            self.through = tuple(map(add, self.through, map(sub, figures, before)))

    def take(self) -> Counts:
        """Return the counts, and begin again with 0."""
        self.waits = False
        *texts, oddities = self.profile
        counts: Counts = {
            "profile": dict(zip(Profile._fields, map(str, texts), strict=False)),
            "oddities": list(map(str, oddities)),  # type: ignore[call-overload]
        }
        if self.sessions:
            counts["sessions"] = self.sessions
        if self.open:
            counts["open"] = self.open
        if self.through != NOTHING:
            counts["through"] = list(self.through)
        if self.refused is not None:
            counts["refused"] = self.refused
        self._clear()
        return counts


class Counted(Protocol):
    """A session that is counted."""

    tallied: Tallied | None
    """where it is counted; None: it is not, or no more"""
    taken: tuple[int, ...]
    """its figures that were counted already; first `NOTHING`"""

    @property
    def profile(self) -> tuple[object, ...]:
        """What it is counted under: a `Profile`, as a plain tuple."""

    @property
    def shown(self) -> tuple[object, ...]:
        """The oddities that its peers have shown so far, the last member of its profile."""

    def figures(self) -> tuple[int, ...]:
        """Return messages in and out, and bytes in and out, so far."""


class Tally:
    """The counts of a process."""

    def __init__(self, pressing: Callable[[], object] = lambda: None) -> None:
        """Take a function that is called when so much waits that the supervisor should take it now."""
        self.pressing = pressing
        self._known: dict[tuple[object, ...], Tallied] = {}
        self._waiting: list[Tallied] = []

    def began(self, session: Counted) -> None:
        """Count a session that begins."""
        profile = session.profile
        tallied = session.tallied = self._known.get(profile) or self._new(profile)
        tallied.sessions += 1
        tallied.open += 1
        if not tallied.waits:
            self._wait(tallied)

    def came(self, session: Counted) -> None:
        """Count a session that has begun in another process, which has counted that, and its figures so far."""
        profile = session.profile
        tallied = session.tallied = self._known.get(profile) or self._new(profile)
        session.taken = session.figures()
        tallied.open += 1
        if not tallied.waits:
            self._wait(tallied)

    def ended(self, session: Counted, figures: tuple[int, ...]) -> None:
        """Count the end of a session, and its figures; also where it goes on in another process, by `came`."""
        tallied = self._settled(session)
        if tallied is not None:
            tallied.open -= 1
            tallied.add(figures, session.taken)
            session.tallied = None
            if not tallied.waits:
                self._wait(tallied)

    def refused(self, profile: tuple[object, ...], reason: str) -> None:
        """Count a refused client."""
        tallied = self._known.get(profile) or self._new(profile)
        if tallied.refused is None:
            tallied.refused = {}
        tallied.refused[reason] = tallied.refused.get(reason, 0) + 1
        if not tallied.waits:
            self._wait(tallied)

    def look(self, sessions: Iterable[Counted]) -> None:
        """Count what has gone through sessions that run; pass over those that have ended."""
        for session in sessions:
            tallied = self._settled(session)
            figures = session.figures()
            if tallied is not None and figures != session.taken:
                tallied.add(figures, session.taken)
                session.taken = figures
                if not tallied.waits:
                    self._wait(tallied)

    def take(self, most: int) -> list[Counts]:
        """Return so much of what waits, at most, which then waits no more."""
        taken = self._waiting[:most]
        del self._waiting[:most]
        return [each.take() for each in taken]

    def _settled(self, session: Counted) -> Tallied | None:
        """Return where a session is counted. Its peers may have shown an oddity since it began: then it moves."""
        before = session.tallied
        if before is None or (shown := session.shown) == before.profile[-1]:
            return before
        profile = (*before.profile[:-1], shown)
        after = session.tallied = self._known.get(profile) or self._new(profile)
        for each, step in ((before, -1), (after, 1)):
            each.sessions += step
            each.open += step
            if not each.waits:
                self._wait(each)
        return after

    def _new(self, profile: tuple[object, ...]) -> Tallied:
        if len(self._waiting) >= MOST_WAITING:
            profile = Profile(str(profile[0]), OTHER, OTHER, OTHER, OTHER, OTHER, OTHER, ())
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
            self.pressing()
        return self._known.setdefault(profile, Tallied(profile))

    def _wait(self, tallied: Tallied) -> None:
        tallied.waits = True
        self._waiting.append(tallied)
