"""What a worker counts: sessions under their profiles, until the counts are taken."""

from dataclasses import dataclass
from typing import Any

from wsgateway.census.tally import MOST_KNOWN, MOST_WAITING, NOTHING, Counts, Profile, Tallied, Tally


@dataclass(eq=False)
class Session:
    """A session as the tally sees it."""

    dialect: str = "hixie-76"
    agent: str = "Kiosk"
    through: tuple[int, ...] = NOTHING
    shown: tuple[object, ...] = ()
    tallied: Tallied | None = None
    taken: tuple[int, ...] = NOTHING

    @property
    def profile(self) -> tuple[object, ...]:
        return (self.dialect, "chat", "public", "a.example", "http://b.example", self.agent, "", self.shown)

    def figures(self) -> tuple[int, ...]:
        return self.through


def all_of(tally: Tally) -> list[Counts]:
    return tally.take(10**6)


def under(agent: str = "Kiosk", **more: Any) -> dict[str, Any]:
    """Return what is said of a session of this agent."""
    profile = {
        "dialect": "hixie-76",
        "route": "chat",
        "listener": "public",
        "host": "a.example",
        "origin": "http://b.example",
        "agent": agent,
        "tls": "",
    }
    return {"profile": profile, "oddities": [], **more}


def test_sessions_with_the_same_profile_are_counted_together() -> None:
    tally = Tally()
    for agent in ("Kiosk", "Kiosk", "Phone"):
        tally.began(Session(agent=agent))
    assert all_of(tally) == [under(sessions=2, open=2), under("Phone", sessions=1, open=1)]
    assert all_of(tally) == []


def test_a_part_of_what_waits_can_be_taken() -> None:
    tally = Tally()
    for agent in ("a", "b", "c"):
        tally.began(Session(agent=agent))
    assert tally.take(2) == [under("a", sessions=1, open=1), under("b", sessions=1, open=1)]
    assert tally.take(2) == [under("c", sessions=1, open=1)]


def test_figures_are_counted_once_while_a_session_runs_and_at_its_end() -> None:
    tally, session = Tally(), Session()
    tally.began(session)
    all_of(tally)
    session.through = (1, 2, 10, 20)
    tally.look([session])
    tally.look([session])
    assert all_of(tally) == [under(through=[1, 2, 10, 20])]
    session.through = (2, 2, 15, 20)
    tally.ended(session, session.through)
    assert all_of(tally) == [under(open=-1, through=[1, 0, 5, 0])]
    tally.look([session])
    tally.ended(session, session.through)  # a session that is cut has ended once
    assert all_of(tally) == []


def test_a_session_that_was_never_looked_at_brings_all_at_its_end() -> None:
    tally = Tally()
    for figures in ((1, 0, 5, 0), (2, 3, 10, 15)):
        session = Session()
        tally.began(session)
        tally.ended(session, figures)
    assert all_of(tally) == [under(sessions=2, through=[3, 3, 15, 15])]


def test_an_oddity_that_shows_later_moves_the_session() -> None:
    tally, session = Tally(), Session()
    tally.began(session)
    all_of(tally)
    session.shown, session.through = ("key-mask-04",), (1, 0, 5, 0)
    tally.look([session])
    moved = under(sessions=1, open=1, through=[1, 0, 5, 0]) | {"oddities": ["key-mask-04"]}
    assert all_of(tally) == [under(sessions=-1, open=-1), moved]
    tally.ended(session, session.through)
    assert all_of(tally) == [under(open=-1) | {"oddities": ["key-mask-04"]}]


def test_refusals_are_counted_by_reason() -> None:
    tally = Tally()
    for reason in ("origin-refused", "origin-refused", "route-missing"):
        tally.refused(Session().profile, reason)
    assert all_of(tally) == [under(refused={"origin-refused": 2, "route-missing": 1})]
    assert all_of(tally) == []


def test_made_up_agents_are_bounded_while_nobody_takes_the_counts() -> None:
    tally = Tally()
    sessions = [Session(agent=f"agent {number}") for number in range(10_000)]
    for session in sessions:
        tally.began(session)
    counts = all_of(tally)
    assert len(counts) == MOST_WAITING + 1
    assert counts[-1] == {
        "profile": dict.fromkeys(Profile._fields[:-1], "other") | {"dialect": "hixie-76"},
        "oddities": [],
        "sessions": 10_000 - MOST_WAITING,
        "open": 10_000 - MOST_WAITING,
    }
    # Each ends where it was counted.
    for session in sessions:
        tally.ended(session, session.through)
    assert sum(each["open"] for each in all_of(tally)) == -10_000


def test_many_profiles_make_it_press_to_be_taken() -> None:
    pressed = []
    tally = Tally(lambda: pressed.append(True))
    for number in range(MOST_KNOWN):
        tally.began(Session(agent=f"agent {number}"))
    assert not pressed
    tally.began(Session(agent="one more"))
    assert pressed


def test_sessions_end_where_they_began_after_profiles_were_forgotten() -> None:
    tally, first = Tally(), Session()
    tally.began(first)
    for number in range(MOST_KNOWN + 1):
        tally.began(Session(agent=f"agent {number}"))
    second = Session()
    tally.began(second)
    all_of(tally)
    for session in (first, second):
        tally.ended(session, session.through)
    assert all_of(tally) == [under(open=-1), under(open=-1)]
