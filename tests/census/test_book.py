"""The rows of the census: what is counted where, what is open, and what is bounded."""

from typing import Any

from wsgateway.census.agents import FAMILIES
from wsgateway.census.book import Book
from wsgateway.census.state import DAY, DIMENSIONS, HOUR, MINUTE, MOST_VALUES, Batch, Row, Run

from .counting import DIALECT, NOON, counts


def row(book: Book, dimension: str, value: str, dialect: str = DIALECT) -> Row:
    return book.rows[dialect, dimension, value]


def test_a_session_is_counted_in_each_dimension() -> None:
    book = Book()
    book.count("1", [counts(agent="curl/8.0", tls="TLSv1.0", host="A.example", oddities=("raw-target",))], NOON)
    assert list(book.rows) == [
        (DIALECT, "dialect", DIALECT),
        (DIALECT, "route", "chat"),
        (DIALECT, "listener", "public"),
        (DIALECT, "origin", "none"),
        (DIALECT, "tls", "TLSv1.0"),
        (DIALECT, "host", "a.example"),
        (DIALECT, "agent", "curl"),
        (DIALECT, "oddity", "raw-target"),
    ]
    expected = {"open": 1, "sessions": 1, "first_seen": NOON, "last_seen": NOON}
    for each in book.rows.values():
        assert {name: getattr(each, name) for name in expected} == expected


def test_what_goes_through_a_session_is_added_and_its_time_noted() -> None:
    book = Book()
    book.count("1", [counts()], NOON)
    book.count("1", [counts(through=[1, 2, 30, 40])], NOON + 5)
    book.count("1", [counts(open=-1, through=[1, 0, 5, 0])], NOON + 9)
    whole = row(book, "dialect", DIALECT)
    assert (whole.messages_in, whole.messages_out, whole.bytes_in, whole.bytes_out) == (2, 2, 35, 40)
    assert (whole.sessions, whole.open, whole.first_seen, whole.last_seen) == (1, 0, NOON, NOON + 9)


def test_refused_clients_are_counted_by_reason_and_are_not_seen() -> None:
    book = Book()
    book.count("1", [counts(refused={"origin-refused": 2, "of a newer version": 1})], NOON)
    whole = row(book, "dialect", DIALECT)
    assert whole.refused == {"origin-refused": 2, "other": 1}
    assert (whole.sessions, whole.first_seen, whole.last_seen, whole.last_refused) == (0, None, None, NOON)


def test_refused_clients_without_a_known_dialect_are_counted_as_unknown() -> None:
    book = Book()
    for dialect in ("", "hybi-99"):
        book.count("1", [counts(dialect=dialect, refused={"version-unknown": 1})], NOON)
    assert {dialect for dialect, _, _ in book.rows} == {"unknown"}


def test_a_process_that_ends_takes_its_sessions_back_and_no_others() -> None:
    book = Book()
    book.count("1", [counts(sessions=3, open=3)], NOON)
    book.count("2", [counts(sessions=2, open=2)], NOON)
    book.lose("1")
    book.lose("never counted")
    assert {each.open for each in book.rows.values()} == {2}
    assert {each.sessions for each in book.rows.values()} == {5}


def test_values_made_up_by_clients_are_bounded() -> None:
    book = Book()
    made_up = range(10_000)
    for number in made_up:
        texts = {"agent": f"agent {number}", "origin": f"http://{number}", "host": f"{number}.example"}
        book.count("1", [counts(**texts, sessions=1, open=1)], NOON)
    for dimension in ("origin", "host"):
        found = [each for each in book.rows.values() if each.dimension == dimension]
        assert len(found) == MOST_VALUES + 1
        assert sum(each.sessions for each in found) == len(made_up)
        assert row(book, dimension, "other").open == len(made_up) - MOST_VALUES
    assert {value for _, dimension, value in book.rows if dimension == "agent"} <= set(FAMILIES)


def test_a_session_that_began_as_other_ends_as_other() -> None:
    book = Book()
    book.count("1", [counts(host=f"{number}.example", sessions=1, open=1) for number in range(MOST_VALUES)], NOON)
    book.count("1", [counts(host="late.example", sessions=1, open=1)], NOON)
    assert row(book, "host", "other").open == 1
    # Room for it comes while it is open.
    book.count("1", [counts(host=f"{number}.example", open=-1) for number in range(MOST_VALUES)], NOON)
    book.forget(NOON + 1)
    book.count("1", [counts(host="late.example", sessions=1, open=1)], NOON + 2)
    assert (row(book, "host", "other").open, row(book, "host", "late.example").open) == (1, 1)
    for _ in range(2):
        book.count("1", [counts(host="late.example", open=-1)], NOON + 3)
    assert (row(book, "host", "other").open, row(book, "host", "late.example").open) == (0, 0)
    assert row(book, "dialect", DIALECT).open == 0


def test_days_and_minutes_say_how_many_began_and_were_open() -> None:
    book = Book()
    book.count("1", [counts(), counts()], NOON)
    book.count("1", [counts(open=-2)], NOON + 1)
    book.count("1", [counts(refused={"origin-refused": 3})], NOON + MINUTE)
    day = book.days[int(NOON // DAY), DIALECT]
    assert (day.sessions, day.most_open, day.refused) == (2, 2, 3)
    assert [(key[0] - NOON // MINUTE, each.sessions) for key, each in book.minutes.items()] == [(0, 2), (1, 0)]


def test_a_session_that_stays_open_is_seen_each_minute_and_each_day() -> None:
    book = Book()
    book.count("1", [counts()], NOON)
    for late in (DAY, DAY + 1, 2 * DAY):
        book.pass_time(NOON + late)
    assert row(book, "route", "chat").last_seen == NOON + 2 * DAY
    assert [(each.sessions, each.most_open) for each in book.days.values()] == [(1, 1), (0, 1), (0, 1)]
    # Minutes are kept for a day.
    assert [number - NOON // MINUTE for number, _ in book.minutes] == [2 * DAY // MINUTE]


def test_runs_of_the_census_are_joined_over_short_pauses() -> None:
    book = Book()
    for now in (0.0, 3.0, 6.0, 6.0 + HOUR - 1, 6.0 + 2 * HOUR, 9.0 + 2 * HOUR):
        book.pass_time(NOON + now)
    assert book.runs == [
        Run(NOON, NOON + 6.0 + HOUR - 1),
        Run(NOON + 6.0 + 2 * HOUR, NOON + 9.0 + 2 * HOUR),
    ]


def test_what_was_over_before_a_time_is_forgotten_and_what_is_open_is_not() -> None:
    book = Book()
    book.pass_time(NOON)
    book.count("1", [counts(route="old", sessions=1), counts(route="long", sessions=1, open=1)], NOON)
    book.pass_time(NOON + 2 * DAY)
    book.count("1", [counts(route="new", sessions=1)], NOON + 2 * DAY)
    book.forget(NOON + DAY)
    assert {value for _, dimension, value in book.rows if dimension == "route"} == {"long", "new"}
    assert {number for number, _ in book.days} == {NOON // DAY + 2}
    assert book.runs == [Run(NOON + 2 * DAY, NOON + 2 * DAY)]


def test_what_was_noted_in_the_future_can_be_brought_back() -> None:
    book = Book()
    book.count("1", [counts()], NOON)
    book.pass_time(NOON)
    late = NOON + 365 * DAY
    book.count("1", [counts(route="new", sessions=1), counts(refused={"origin-refused": 1})], late)
    book.pass_time(late)
    book.bring_back(NOON + DAY)
    assert {each.last_seen for each in book.rows.values() if each.sessions} == {NOON + DAY}
    assert {each.first_seen for each in book.rows.values() if each.sessions} == {NOON, NOON + DAY}
    assert book.runs == [Run(NOON, NOON)]
    today = book.days[int((NOON + DAY) // DAY), DIALECT]
    assert (today.sessions, today.most_open, today.refused) == (1, 1, 1)
    assert max(number for number, _ in book.days) == (NOON + DAY) // DAY
    assert book.latest == NOON + DAY


def test_a_book_goes_on_where_another_ended_without_its_open_sessions() -> None:
    first, second = Book(), Book()
    first.count("1", [counts(refused={"origin-refused": 1})], NOON - 1)
    first.count("1", [counts(sessions=1, open=1, through=[1, 2, 3, 4])], NOON)
    first.pass_time(NOON)
    # What was counted before the file could be read is kept.
    second.count("1", [counts()], NOON + 9)
    second.pass_time(NOON + 9)
    second.absorb(first.state())
    assert {each.open for each in second.rows.values()} == {1}
    assert row(second, "route", "chat") == Row(
        DIALECT, "route", "chat", 1, 2, NOON, NOON + 9, 1, 2, 3, 4, {"origin-refused": 1}, NOON - 1
    )
    assert [(each.sessions, each.most_open, each.refused) for each in second.days.values()] == [(2, 1, 1)]
    assert second.runs == [Run(NOON, NOON + 9)]
    assert second.latest == NOON + 9


def test_times_of_running_are_kept_apart_if_they_are_far_from_each_other() -> None:
    first, second = Book(), Book()
    first.pass_time(NOON)
    second.pass_time(NOON + HOUR)
    second.absorb(first.state())
    assert second.runs == [Run(NOON, NOON), Run(NOON + HOUR, NOON + HOUR)]


def test_sessions_that_were_open_elsewhere_are_taken_back_when_that_process_ends() -> None:
    first = Book()
    first.count("1", [counts(sessions=2, open=2)], NOON)
    opened = first.opened()
    second = Book()
    second.absorb(first.state())
    second.opened_elsewhere("old", opened["1"])
    assert {each.open for each in second.rows.values()} == {2}
    second.count("old", [counts(open=-1)], NOON)
    assert {each.open for each in second.rows.values()} == {1}
    second.lose("old")
    assert {each.open for each in second.rows.values()} == {0}


def keys(batch: Batch) -> tuple[set[Any], set[Any], set[Any], set[float]]:
    state = batch.state
    lines = (state.rows, state.days, state.minutes)
    rows, days, minutes = ({each.key for each in several} for several in lines)
    return rows, days, minutes, {run.began for run in state.runs}


def test_changes_are_told_once_and_again_if_they_could_not_be_written() -> None:
    book = Book()
    book.pass_time(NOON)
    book.count("1", [counts()], NOON)
    first = book.take_changes()
    assert keys(first) == (set(book.rows), set(book.days), set(book.minutes), {NOON})
    assert keys(book.take_changes()) == (set(), set(), set(), set())
    book.count("1", [counts(route="other route", sessions=1, open=1)], NOON + 2 * DAY)
    book.write_again(first)
    second = book.take_changes()
    assert not second.whole
    assert keys(second) == (set(book.rows), set(book.days), set(book.minutes), {NOON})


def test_all_is_told_after_something_is_gone() -> None:
    book = Book()
    book.count("1", [counts(sessions=1)], NOON)
    book.take_changes()
    book.forget(NOON + DAY)
    batch = book.take_changes()
    assert (batch.whole, batch.state.rows, batch.state.days) == (True, [], [])
    assert not book.take_changes().whole


def test_minutes_that_are_gone_are_told() -> None:
    book = Book()
    book.count("1", [counts()], NOON)
    book.pass_time(NOON + DAY)
    assert book.take_changes().oldest_minute == (NOON + MINUTE) // MINUTE


def test_what_a_thread_writes_does_not_change_meanwhile() -> None:
    book = Book()
    book.count("1", [counts()], NOON)
    batch = book.take_changes()
    book.count("1", [counts()], NOON)
    assert {each.sessions for each in batch.state.rows} == {1}


def test_there_are_rows_for_every_dimension() -> None:
    book = Book()
    book.count("1", [counts(oddities=("raw-target",), sessions=1)], NOON)
    assert {dimension for _, dimension, _ in book.rows} == set(DIMENSIONS)
