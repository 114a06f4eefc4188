"""The status as a text for people: what it says, in which order, and in which colours."""

from typing import Any

import pytest

from wsgateway.observe.status_text import text_of

NOW = 1798761600.0  # 2027-01-01 00:00:00 UTC
DAY = 86400.0
TARGET = {
    "url": "ws://a", "address": "10.0.0.1:80", "state": "up", "weight": 1, "backup": False, "open": 2, "served": 10,
    "failures": 0, "last_failure": None, "last_reason": None,
}  # fmt: skip
BARE: dict[str, Any] = {
    "draining": False,
    "ready": True,
    "not_serving": None,
    "restarts": 0,
    "gateway": {},
    "workers": [],
    "configuration": {"file": "/etc/ws.yaml", "sha256": "5d41402abc4b2a76b9719d911017c592", "since": NOW - DAY},
    "reload": {"ok": True, "at": NOW - DAY, "reason": None, "why": None},
    "certificates": [],
}
HEAD = ["/etc/ws.yaml (sha256 5d41402abc4b), since 2026-12-31 00:00:00 UTC"]


def lines(coloured: bool = False, **more: Any) -> list[str]:
    return text_of(BARE | more, NOW, coloured).splitlines()  # type: ignore[typeddict-item]


def table(heading: str, **more: Any) -> list[str]:
    """Return the rows below the heading that begins so."""
    every = lines(**more)
    at = next(number for number, line in enumerate(every) if line.startswith(heading))
    return [line for line in every[at + 1 :] if line] if "" not in every[at:] else every[at + 1 : every.index("", at)]


def census(**dialects: dict[str, Any]) -> dict[str, Any]:
    nothing = {"open": 0, "sessions": 0, "first_seen": None, "last_seen": None, "refused": {}}
    named = {name.replace("_", "-"): nothing | each for name, each in dialects.items()}
    return {"file": None, "problem": None, "since": NOW - 60 * DAY, "dialects": named}


def test_a_gateway_that_has_done_nothing_has_two_lines() -> None:
    assert lines() == ["wsgateway: serving 0 sessions with 0 workers", *HEAD]


def test_the_version_and_the_age_come_first_where_they_are_known() -> None:
    processes = [{"process": "worker-1", "started": NOW}, {"process": "supervisor", "started": NOW - 3 * DAY - 7200}]
    first, *_ = lines(build={"version": "1.2"}, processes=processes)
    assert first == "wsgateway 1.2, up 3d 2h: serving 0 sessions with 0 workers"


def test_a_refused_reload_is_told_with_its_age_and_its_reason() -> None:
    reload = {"ok": False, "at": NOW - 130, "reason": "file-invalid", "why": "/etc/ws.yaml:1:1: \x1b[2J"}
    assert lines(reload=reload) == [
        "wsgateway: serving 0 sessions with 0 workers; the last reload was refused: file-invalid:"
        " /etc/ws.yaml:1:1: \\x1b[2J",
        *HEAD,
        "the last reload was refused 2m 10s ago",
    ]


def test_listeners_have_their_addresses_and_connections() -> None:
    connections = {"public": {"open": 3, "cap": 20000}, "old": {"open": 1, "cap": 5}}
    addresses = {"public": ["127.0.0.1:80", "unix:/run/a.sock"]}
    assert table("listener", gateway={"connections": connections}, addresses=addresses) == [
        "public    127.0.0.1:80 unix:/run/a.sock            3  20000",
        "old       -                                        1      5",
    ]


def test_dialects_are_those_that_are_spoken_or_were_or_are_refused() -> None:
    known = census(
        hixie_75={"sessions": 2, "last_seen": NOW - 41 * DAY},
        hixie_76={"sessions": 7, "last_seen": NOW},
        hybi_04={"refused": {"dialect-refused": 2}},
        hybi_08={},
        rfc6455={},
        unknown={},
    )
    sessions = {"hixie-76": {"chat": 1, "news": 4}, "rfc6455": {"chat": 1}}
    assert table("dialect", gateway={"sessions": sessions}, census=known) == [
        "hixie-75         0       2        0  41d 0h ago",
        "hixie-76         5       7        0  now         news 4, chat 1",
        "hybi-04          0       0        2",
        "rfc6455          1       0        0  now         chat 1",
    ]
    assert lines(census=known)[-1] == "no session since 2026-11-02 00:00:00 UTC: hybi-04, hybi-08, rfc6455"


def test_without_a_census_the_dialects_of_open_sessions_are_listed() -> None:
    assert table("dialect", gateway={"sessions": {"hixie-76": {"chat": 1}}}) == [
        "hixie-76         1                0  now        chat 1"
    ]


def test_targets_have_their_state_and_why() -> None:
    bad = TARGET | {
        "url": "ws://b",
        "state": "ejected",
        "failures": 4,
        "last_failure": "it is lost",
        "last_reason": "target-lost",
    }
    assert table("upstream", gateway={"pools": {"chat": {"targets": [TARGET, bad]}, "news": {}}}) == [
        "chat      ws://a  10.0.0.1:80  up          2      10         0",
        "chat      ws://b  10.0.0.1:80  ejected     2      10         4  target-lost: it is lost",
    ]


def test_refusals_stand_by_their_number_with_the_cause() -> None:
    refused = {"403": {"origin-refused": 2}, "none": {"proxy-header-missing": 9, "of-another-version": 1}}
    rows = table("refused", gateway={"refused": refused})
    assert rows[0].startswith(
        "proxy-header-missing                9  This listener requires a header of the PROXY protocol"
    )
    assert rows[1].startswith("origin-refused           403        2  ")
    assert rows[2] == "of-another-version                  1"


@pytest.mark.parametrize(
    ("expires", "said"),
    [
        (NOW + 90 * DAY, "2027-04-01 00:00  in 90d 0h"),
        (NOW + DAY, "2027-01-02 00:00  in 1d 0h!"),
        (NOW - DAY, "2026-12-31 00:00  expired 1d 0h ago!"),
    ],
)
def test_certificates_say_how_long_they_are_good(expires: float, said: str) -> None:
    row = {"used_by": "listener public", "file": "/etc/ws.pem", "begins": 0, "expires": expires, "hosts": ["a"]}
    assert table("certificate of", certificates=[row]) == [f"listener public  {said}  /etc/ws.pem"]


def test_workers_have_their_state_and_age() -> None:
    worker = {"worker": 1, "pid": None, "state": "waiting", "age_seconds": 62.5, "restarts": 2, "status": {}}
    assert table("worker", workers=[worker]) == ["1       -    waiting         0  1m 2s         2"]


def test_states_and_headings_have_colours_where_that_is_wanted() -> None:
    down = TARGET | {"url": "ws://down", "state": "down"}
    coloured = lines(True, gateway={"pools": {"chat": {"targets": [TARGET, down]}}})
    assert coloured[0] == "\x1b[1mwsgateway: serving 0 sessions with 0 workers\x1b[0m"
    assert coloured[3].startswith("\x1b[1mupstream  ")
    assert "  \x1b[32mup\x1b[0m  " in coloured[4]
    assert "  \x1b[31mdown\x1b[0m  " in coloured[5]
    assert "\x1b" not in "".join(lines(gateway={"pools": {"chat": {"targets": [TARGET, down]}}}))
