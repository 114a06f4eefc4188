"""What the page shows of a status."""

from typing import Any

from tests.observe.nothing import NO_STATUS
from wsgateway.dialects import DIALECTS
from wsgateway.errors import Reason
from wsgateway.observe.refusals import MOST_REFUSALS
from wsgateway.page.view import MOST_ROWS, last_refusals, sections

TARGET = {
    "url": "ws://a", "address": "10.0.0.1:80", "state": "down", "weight": 1, "backup": False, "open": 2, "served": 5,
    "failures": 3, "last_failure": "refused", "last_reason": "connect-refused",
}  # fmt: skip


def status(**gateway: Any) -> Any:
    worker = {"worker": 1, "pid": 7, "state": "serving", "age_seconds": 60.25, "restarts": 2, "status": gateway}
    return {
        "draining": False,
        "ready": True,
        "not_serving": None,
        "restarts": 2,
        "gateway": gateway,
        "workers": [worker],
        "configuration": {"file": "/etc/ws.yaml", "sha256": "5d41", "since": 100.0},
        "reload": {"ok": False, "at": 200.0, "reason": "file-invalid", "why": "version: 2"},
        "build": {"version": "1.2"},
        "census": {"since": 1.0, "dialects": {"hixie-75": {"last_seen": None}, "hixie-76": {"last_seen": 959.0}}},
        "certificates": [{"used_by": "public", "file": "a.pem", "begins": 1.0, "expires": 2.0, "hosts": ["a"]}],
    }


def test_the_sections_have_all_that_the_page_shows() -> None:
    told = status(sessions={"hixie-76": {"chat": 2, "feed": 1}}, pools={"chat": {"targets": [TARGET]}})
    assert sections(told, [], now=1000.0) == {
        "summary": {
            "version": "1.2",
            "sentence": "serving 3 sessions with 1 worker; the last reload was refused: file-invalid: version: 2",
            "ready": True,
            "draining": False,
            "sessions": 3,
        },
        "dialects": list(DIALECTS),
        "census": {"hixie-76": {"last_seen": 900.0}},
        "sessions": {
            "rows": [
                {"dialect": "hixie-76", "route": "chat", "open": 2},
                {"dialect": "hixie-76", "route": "feed", "open": 1},
            ],
            "count": 2,
        },
        "targets": {"rows": [{"upstream": "chat", **TARGET}], "count": 1},
        "refusals": [],
        "certificates": {"rows": told["certificates"], "count": 1},
        "configuration": {"file": "/etc/ws.yaml", "sha256": "5d41", "since": 100.0, "reload": told["reload"]},
        "workers": {
            "rows": [{"worker": 1, "pid": 7, "state": "serving", "since": 940, "restarts": 2, "open": 3}],
            "count": 1,
        },
    }


def test_a_gateway_that_has_not_reported_yet_is_shown_empty() -> None:
    assert sections(status(), [], now=0.0)["targets"] == {"rows": [], "count": 0}
    assert sections(status(**NO_STATUS), [], now=0.0)["sessions"] == {"rows": [], "count": 0}


def test_no_table_has_more_rows_than_the_page_can_show() -> None:
    told = status(sessions={"rfc6455": {f"route {at}": 1 for at in range(10_000)}})
    shown: Any = sections(told, [], now=0.0)["sessions"]
    assert (len(shown["rows"]), shown["count"]) == (MOST_ROWS, 10_000)


def test_the_newest_refusals_of_all_workers_come_first_with_their_cures() -> None:
    of_one = [{"at": at, "reason": "route-missing"} for at in range(0, 400, 2)]
    of_two = [{"at": at, "reason": "made-later"} for at in range(1, 400, 2)]
    shown = last_refusals([*of_one, *of_two])
    assert [each["at"] for each in shown] == list(range(399, 399 - MOST_REFUSALS, -1))
    assert shown[0] == {"at": 399, "reason": "made-later"}, "of a worker that has another version"
    assert shown[1]["cure"] == Reason.ROUTE_MISSING.cure
    assert shown[1]["cause"] == Reason.ROUTE_MISSING.cause
