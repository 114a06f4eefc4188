"""What a census says: sentences and tables for people, JSON and CSV for programs, and whether a dialect is unused."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest

from wsgateway.census.coverage import Coverage, Gap, as_of, coverage, together
from wsgateway.census.report import MOST_ROWS, as_csv, as_data, report, sentences
from wsgateway.census.state import DAY, HOUR, Period, Row, Run, State
from wsgateway.census.unused import MOST_NAMES, faults
from wsgateway.dialects import DIALECTS

from .counting import NOON

OLD = "hixie-75"
NOBODY = f"{', '.join(name for name in DIALECTS if name != OLD)}: never seen: "


def census(
    seen_days_ago: float = 41,
    runs: Iterable[tuple[float, float]] = ((200, 0),),
    is_open: int = 0,
    **texts: str,
) -> State:
    """Return a census of hixie-75 whose only session was so long ago; `runs` are days ago."""
    seen = NOON - seen_days_ago * DAY
    texts = {"route": "chat", "host": "a.example", "origin": "http://b.example", "agent": "Safari 5"} | texts
    rows = [
        Row(OLD, dimension, value, is_open, 1, seen, seen, 1, 2, 30, 40)
        for dimension, value in [("dialect", OLD), *texts.items()]
    ]
    return State(
        rows,
        [Period(int(seen // DAY), OLD, 1, 1)],
        runs=[Run(NOON - began * DAY, NOON - ended * DAY) for began, ended in runs],
    )


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (census(), "hixie-75: last seen 41 days ago, 0 sessions this month: nobody would miss it"),
        (
            census(runs=[(12, 0)]),
            "hixie-75: last seen 41 days ago, 0 sessions this month: too soon to say, the census covers 12 days",
        ),
        (
            census(runs=[(200, 20), (15, 0)]),
            "hixie-75: last seen 41 days ago, 0 sessions this month: nobody would miss it, as far as is known: the"
            " census was not running from 2026-02-10 to 2026-02-15 (5 days)",
        ),
        (
            census(2 / 24),
            "hixie-75: last seen 2 hours ago, 1 session this month: in use, by programs of the family Safari 5",
        ),
        (
            census(41, is_open=1),  # a kiosk that has been connected since
            "hixie-75: 1 open now, 0 sessions this month: in use, by programs of the family Safari 5",
        ),
    ],
)
def test_a_sentence_says_whether_a_dialect_is_missed(state: State, sentence: str) -> None:
    assert next(sentences(as_of(state, NOON), NOON)) == sentence


def test_dialects_that_nobody_has_spoken_share_a_sentence() -> None:
    assert list(sentences(census(), NOON))[1:] == [f"{NOBODY}nobody would miss it"]


def test_refused_clients_have_a_sentence() -> None:
    state = census()
    state.rows[0].refused, state.rows[0].last_refused = {"origin-refused": 2, "route-missing": 3}, NOON
    state.rows.append(Row("unknown", "dialect", "unknown", refused={"version-unknown": 1}, last_refused=NOON))
    first, *_, last = sentences(state, NOON)
    assert first.endswith("nobody would miss it (5 clients refused: route-missing 3, origin-refused 2 in all)")
    assert last == "clients without a known dialect: 1 client refused: version-unknown 1"


def test_the_report_has_the_span_the_sentences_and_a_table() -> None:
    assert report(census(), NOON).splitlines() == [
        "The census began 2025-08-14, 200 days ago.",
        "",
        "hixie-75: last seen 41 days ago, 0 sessions this month: nobody would miss it",
        f"{NOBODY}nobody would miss it",
        "",
        "dialect   dimension  value             now  in all  last seen    messages  bytes  refused",
        "hixie-75  all                          0    1       41 days ago  3         70 B   0",
        "hixie-75  route      chat              0    1       41 days ago  3         70 B   0",
        "hixie-75  host       a.example         0    1       41 days ago  3         70 B   0",
        "hixie-75  origin     http://b.example  0    1       41 days ago  3         70 B   0",
        "hixie-75  agent      Safari 5          0    1       41 days ago  3         70 B   0",
    ]


def test_the_table_has_the_values_that_were_seen_last() -> None:
    state = census()
    state.rows += [Row(OLD, "host", f"{number}.example", 0, 1, NOON, NOON - number) for number in range(50)]
    lines = [line for line in report(state, NOON).splitlines() if line.startswith("hixie-75  host")]
    assert [line.split()[2] for line in lines[:-1]] == [f"{number}.example" for number in range(MOST_ROWS)]
    assert lines[-1].split("  ")[-1].strip() == f"and {51 - MOST_ROWS} more"


def test_an_empty_census_says_so() -> None:
    assert report(State(), NOON) == "The census is empty: no gateway has written it yet."


def test_what_a_client_sends_does_nothing_to_a_terminal_or_a_spreadsheet() -> None:
    state = census(origin="http://\x1b]0;a\x07", host="=1+1")
    assert "http://\\x1b]0;a\\x07" in report(state, NOON)
    assert "\x1b" not in as_csv(state)
    assert [line["value"] for line in csv.DictReader(io.StringIO(as_csv(state)))] == [
        "Safari 5", OLD, "'=1+1", "http://\\x1b]0;a\\x07", "chat",
    ]  # fmt: skip


def test_csv_has_a_line_for_each_row() -> None:
    state = census()
    state.rows[0].refused = {"origin-refused": 2, "route-missing": 3}
    lines = list(csv.DictReader(io.StringIO(as_csv(state))))
    assert lines[1] == {
        "dialect": OLD,
        "dimension": "dialect",
        "value": OLD,
        "open": "0",
        "sessions": "1",
        "first_seen": "2026-01-20T12:00:00Z",
        "last_seen": "2026-01-20T12:00:00Z",
        "messages_in": "1",
        "messages_out": "2",
        "bytes_in": "30",
        "bytes_out": "40",
        "refused": "origin-refused=2 route-missing=3",
        "last_refused": "",
    }
    assert len(lines) == len(state.rows)


def test_json_has_all_of_it() -> None:
    found: Any = json.loads(json.dumps(as_data(census(runs=[(200, 20), (15, 0)]), NOON)))
    assert found["gaps"] == [{"begin": NOON - 20 * DAY, "end": NOON - 15 * DAY}]
    assert found["dialects"][OLD] == {
        "open": 0,
        "sessions": 1,
        "sessions_this_month": 0,
        "last_seen": NOON - 41 * DAY,
    }
    assert list(found["dialects"]) == list(DIALECTS)
    assert [row["value"] for row in found["rows"]][:2] == [OLD, "chat"]
    assert found["days"] == [{"number": 20473, "dialect": OLD, "sessions": 1, "most_open": 1, "refused": 0}]


# -- what is known -----------------------------------------------------------------------------------------------------


def test_gaps_of_more_than_a_day_are_named_and_shorter_ones_are_not() -> None:
    runs = [Run(NOON - 40 * DAY, NOON - 20 * DAY), Run(NOON - 19.5 * DAY, NOON - 5 * DAY), Run(NOON - 2 * DAY, NOON)]
    found = coverage(runs, NOON - 30 * DAY, NOON)
    assert found == Coverage(NOON - 30 * DAY, [Gap(NOON - 5 * DAY, NOON - 2 * DAY)], 0.0)
    assert not found.whole


def test_a_gateway_that_has_not_written_for_days_leaves_a_gap_up_to_now() -> None:
    found = coverage([Run(NOON - 40 * DAY, NOON - 3 * DAY)], NOON - 30 * DAY, NOON)
    assert found.gaps == [Gap(NOON - 3 * DAY, NOON)]
    assert coverage([Run(NOON - 40 * DAY, NOON - 20 * HOUR)], NOON - 30 * DAY, NOON).whole


def test_nothing_is_later_than_now() -> None:
    found = as_of(census(-365, runs=[(10, -365)]), NOON)
    assert {(row.first_seen, row.last_seen) for row in found.rows} == {(NOON, NOON)}
    assert found.runs == [Run(NOON - 10 * DAY, NOON)]
    assert [(day.number, day.sessions) for day in found.days] == [(NOON // DAY, 1)]


def test_sessions_are_open_as_long_as_their_gateway_writes() -> None:
    running, ended = census(1, runs=[(10, 0)], is_open=2), census(1, runs=[(10, 0.01)], is_open=2)
    assert {(row.last_seen, row.open) for row in as_of(running, NOON).rows} == {(NOON, 2)}
    assert {(row.last_seen, row.open) for row in as_of(ended, NOON).rows} == {(NOON - DAY, 0)}


def test_several_gateways_are_one() -> None:
    first, second = census(5, is_open=2), census(3, runs=[(20, 0)], is_open=1, host="c.example")
    found = together([as_of(first, NOON), as_of(second, NOON)])
    rows = {(row.dimension, row.value): (row.sessions, row.open, row.bytes_in) for row in found.rows}
    assert rows["dialect", OLD] == (2, 3, 60)
    assert (rows["host", "a.example"], rows["host", "c.example"]) == ((1, 2, 30), (1, 1, 30))


@pytest.mark.parametrize(
    ("runs", "span"),
    [
        ([(12, 0)], [Run(NOON - 12 * DAY, NOON)]),
        ([(90, 40), (35, 0)], [Run(NOON - 60 * DAY, NOON - 40 * DAY), Run(NOON - 35 * DAY, NOON)]),
        ([(90, 61)], []),
    ],
)
def test_several_gateways_know_what_each_of_them_knows(runs: list[tuple[float, float]], span: list[Run]) -> None:
    states = [as_of(census(runs=[(60, 0)]), NOON), as_of(census(runs=runs), NOON)]
    assert together(states).runs == together(states[::-1]).runs == span


def test_a_young_gateway_among_several_makes_it_too_soon_to_say() -> None:
    merged = together([as_of(census(), NOON), as_of(census(runs=[(12, 0)]), NOON)])
    assert next(sentences(merged, NOON)).endswith("too soon to say, the census covers 12 days")
    assert report(merged, NOON).startswith("The census began 2026-02-18, 12 days ago.\n")
    apart = together([as_of(census(runs=[(9, 5)]), NOON), as_of(census(runs=[(3, 0)]), NOON)])
    assert report(apart, NOON).startswith("These gateways have never run at the same time.\n")
    assert as_data(apart, NOON)["since"] == NOON


# -- whether a dialect may be switched off -----------------------------------------------------------------------------


def told(state: State, *dialects: str, span_days: int = 30) -> list[str]:
    return list(faults({"a": as_of(state, NOON)}, list(dialects or [OLD]), span_days, NOON))


def test_a_dialect_that_nobody_has_used_for_so_long_may_be_switched_off() -> None:
    assert told(census(31)) == []
    assert told(census(2), "hybi-04", "hixie-76") == []


def test_those_who_would_be_cut_are_named() -> None:
    state = census(29)
    state.rows.append(Row(OLD, "host", "old.example", 0, 1, NOON - 31 * DAY, NOON - 31 * DAY))
    assert told(state) == [
        "a: hixie-75 is in use: 1 session in the last 30 days, 0 now, last seen 29 days ago; these would be cut:",
        "a: hixie-75: route chat, last seen 29 days ago, 0 now",
        "a: hixie-75: host a.example, last seen 29 days ago, 0 now",
        "a: hixie-75: origin http://b.example, last seen 29 days ago, 0 now",
        "a: hixie-75: agent Safari 5, last seen 29 days ago, 0 now",
    ]


def test_of_many_who_would_be_cut_the_latest_are_named() -> None:
    state = census(1)
    state.rows += [Row(OLD, "host", f"{number}.example", 0, 1, NOON, NOON) for number in range(50)]
    lines = [line for line in told(state) if " host" in line]
    assert len(lines) == MOST_NAMES + 1
    assert lines[-1] == f"a: hixie-75: and {51 - MOST_NAMES} more of host"


def test_a_client_that_has_been_connected_for_weeks_is_one_who_would_be_cut() -> None:
    assert told(census(200, is_open=1))[0] == (
        "a: hixie-75 is in use: 0 sessions in the last 30 days, 1 now, last seen just now; these would be cut:"
    )


@pytest.mark.parametrize(
    ("runs", "lines"),
    [
        ([(12, 0)], ["a: the census covers 12 of the last 30 days, from 2026-02-18 on"]),
        ([], ["a: the census covers 0 of the last 30 days"]),
        ([(200, 20), (15, 0)], ["a: the census was not running from 2026-02-10 to 2026-02-15 (5 days)"]),
        ([(200, 3)], ["a: the census was not running from 2026-02-27 to 2026-03-02 (3 days)"]),
        ([(29.5, 0)], []),
    ],
)
def test_a_census_that_does_not_know_enough_says_so(runs: list[tuple[float, float]], lines: list[str]) -> None:
    assert told(census(41, runs)) == lines


def test_each_gateway_must_know_enough() -> None:
    states = {"a": as_of(census(), NOON), "b": as_of(census(41, [(2, 0)]), NOON)}
    assert list(faults(states, [OLD], 30, NOON)) == ["b: the census covers 2 of the last 30 days, from 2026-02-28 on"]


def test_a_clock_that_was_a_year_behind_covers_no_year() -> None:
    state = census(41, [(365.0, 364.9), (2, 0)])
    assert told(state) == [
        "a: the census covers 2 of the last 30 days, from 2026-02-28 on",
    ]
