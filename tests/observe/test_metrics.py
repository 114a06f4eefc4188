"""The text of the metrics, read by Prometheus' own parser."""

from typing import Any, cast

from tests.exposition import families
from wsgateway.dialects import DIALECTS
from wsgateway.errors import Group, Reason
from wsgateway.observe.metrics import exposition, of_names
from wsgateway.observe.status import Status
from wsgateway.wire.oddities import Oddity

NAMES = {
    "listeners": ["public", "legacy"],
    "routes": ["chat", "rest"],
    "upstreams": {"one": ["ws://a", "ws://b"], "two": []},
}
NEW: dict[str, Any] = {"ready": False, "draining": False, "restarts": 0, "gateway": {}, "workers": [], "names": NAMES}


def samples(status: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """Return all samples by name and values of labels."""
    page = families(exposition(cast(Status, status)).decode())
    return {(each.name, *each.labels.values()): each.value for family in page.values() for each in family.samples}


def test_a_label_keeps_every_character_of_its_value() -> None:
    route = 'a"b\\c\nd{e="f"},\\n\u00e9'
    status = NEW | {"ready": True, "gateway": {"sessions": {"rfc6455": {route: 7}}}}
    found = samples(status)
    assert found["wsgateway_sessions", "rfc6455", route] == 7.0
    assert found["wsgateway_ready",] == 1.0
    assert found["wsgateway_draining",] == 0.0


def test_what_can_be_known_is_there_with_0_before_any_worker_has_said_something() -> None:
    found = samples(NEW)

    def there(name: str) -> set[tuple[str, ...]]:
        assert all(value == 0.0 for (each, *_), value in found.items() if each == name)
        return {tuple(labels) for each, *labels in found if each == name}

    dialects, ways = set(DIALECTS), ("in", "out")
    by_group = {group: {each.value for each in Reason if each.group is group} for group in Group}
    assert there("wsgateway_sessions") == {(name, route) for name in dialects for route in ("chat", "rest")}
    assert there("wsgateway_sessions_opened_total") == {(name,) for name in dialects}
    assert there("wsgateway_messages_total") == {(way, name) for way in ways for name in dialects}
    assert there("wsgateway_bytes_total") == {(way, name) for way in ways for name in dialects}
    assert there("wsgateway_connections") == {("public",), ("legacy",)}
    assert there("wsgateway_refused_by_listener_total") == {("public",), ("legacy",)}
    assert there("wsgateway_refused_by_route_total") == {("chat",), ("rest",), ("none",)}
    assert there("wsgateway_refused_by_dialect_total") == {(name,) for name in (*dialects, "none")}
    reasons = {reason for _, reason in there("wsgateway_refused_total")}
    assert reasons == by_group[Group.REFUSED] | by_group[Group.TARGET]
    assert {("403", "origin-refused"), ("none", "tls-failed")} <= there("wsgateway_refused_total")
    assert there("wsgateway_disconnected_total") == {(each,) for each in by_group[Group.DISCONNECTED]}
    ended_by = {(by, each) for by in ("client", "upstream", "gateway") for each in by_group[Group.ENDED]}
    assert ended_by < there("wsgateway_sessions_ended_by_total")
    assert there("wsgateway_oddities_total") == {(each.label,) for each in Oddity}
    assert there("wsgateway_upstream_connections") == there("wsgateway_upstream_waiting") == {("one",), ("two",)}
    states = ("up", "down", "ejected", "draining", "drained")
    assert there("wsgateway_upstream_addresses") == {(name, state) for name in ("one", "two") for state in states}
    assert there("wsgateway_workers") == {("starting",), ("serving",), ("leaving",), ("waiting",)}
    targets = {("one", "ws://a"), ("one", "ws://b")}
    assert there("wsgateway_target_served_total") == targets
    assert there("wsgateway_target_failures_total") == {
        (*each, why) for each in targets for why in by_group[Group.TARGET]
    }
    assert there("wsgateway_http_exchanges_total") == {("2xx",), ("3xx",), ("4xx",), ("5xx",), ("none",)}
    for name in ("passed_over_frames", "flash_policies", "worker_restarts", "log_lines_dropped"):
        assert there(f"wsgateway_{name}_total") == {()}
    for name in ("handshake_duration", "session_duration", "loop_lag"):
        assert there(f"wsgateway_{name}_seconds_count") == there(f"wsgateway_{name}_seconds_sum") == {()}
    for name in ("upstream_handshake_duration", "queue_duration"):
        assert there(f"wsgateway_{name}_seconds_count") == {("one",), ("two",)}


def test_a_histogram_has_each_bucket_with_all_below_it() -> None:
    waited = {"buckets": {"0.25": 2, "10": 3, "+Inf": 1}, "sum": 95.5}
    found = samples(NEW | {"gateway": {"pools": {"one": {"queued": waited}}}})
    name = "wsgateway_queue_duration_seconds"
    buckets = {
        labels[-1]: value for (each, *labels), value in found.items() if each == f"{name}_bucket" and "one" in labels
    }
    assert buckets == {
        **dict.fromkeys(("0.01", "0.05", "0.1"), 0),
        **dict.fromkeys(("0.25", "0.5", "1", "2.5", "5"), 2),
        **dict.fromkeys(("10", "30", "60"), 5),
        "+Inf": 6,
    }
    assert (found[f"{name}_sum", "one"], found[f"{name}_count", "one"]) == (95.5, 6)
    assert found[f"{name}_count", "two"] == 0


def test_the_census_says_when_a_dialect_was_seen_last_and_whether_it_is_written() -> None:
    seen = {"hixie-75": {"last_seen": 1_700_000_000.5}, "rfc6455": {"last_seen": None}}
    for problem, value in ((None, 0.0), ("No space left on device", 1.0)):
        found = samples(NEW | {"census": {"problem": problem, "since": 1_600_000_000.0, "dialects": seen}})
        assert found["wsgateway_census_problem",] == value
        assert found["wsgateway_census_start_timestamp_seconds",] == 1_600_000_000.0
        last_seen = {name: found["wsgateway_dialect_last_seen_timestamp_seconds", name] for name in DIALECTS}
        assert last_seen == dict.fromkeys(DIALECTS, 0.0) | {"hixie-75": 1_700_000_000.5}


def test_facts_are_labels_of_a_1() -> None:
    found = samples(NEW | {"build": {"version": "1.2.3", "python": "3.14.0", "relay": "C"}})
    assert found["wsgateway_build_info", "1.2.3", "3.14.0", "C"] == 1.0


def test_counts_of_ended_workers_have_no_names_that_the_gateway_does_not_know_any_more() -> None:
    waited = {"buckets": {"1": 1}, "sum": 0.75}
    past: Any = {
        "opened": {"rfc6455": 2},
        "refused_by": {
            "listener": {"old": 1, "new": 2},
            "route": {"old": 3, "new": 4, "none": 5},
            "dialect": {"hixie-75": 6},
        },
        "pools": {"a": {"served": {"ws://1": 3, "ws://2": 4}, "queued": waited}, "b": {"failures": {}}},
    }
    names: Any = {"listeners": ["new"], "routes": ["new"], "upstreams": {"a": ["ws://2"], "c": []}}
    assert of_names(past, names) == {
        "opened": {"rfc6455": 2},
        "refused_by": {"listener": {"new": 2}, "route": {"new": 4, "none": 5}, "dialect": {"hixie-75": 6}},
        "pools": {"a": {"served": {"ws://2": 4}, "queued": waited}},
    }
    assert of_names({}, names) == {"pools": {}, "refused_by": {"listener": {}, "route": {}}}
