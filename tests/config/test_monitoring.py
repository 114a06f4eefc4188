"""The rules for Prometheus and the board for Grafana ask only for what a gateway has, and alerts come when they should.

What promtool alone can try is tried where it is installed (`apt install prometheus`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.exposition import promtool
from tests.net.certificates import Authority

from .checkers import CONFIG
from .monitored import faults, samples_of_a_gateway
from .promql import Selector, grouped, selectors

RULES = CONFIG / "prometheus-rules.yml"
[GROUP] = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in GROUP["rules"]}
BOARD: dict[str, Any] = json.loads((CONFIG / "grafana.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def expressions_of_the_board() -> Iterator[str]:
    """Yield what the board asks Prometheus for, with the values that Grafana puts into it."""
    asked = [target["expr"] for panel in PANELS for target in panel["targets"]]
    variables = [each["query"]["query"] for each in BOARD["templating"]["list"] if each["type"] == "query"]
    for variable in variables:  # all values of a label
        series, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable).groups()  # type: ignore[union-attr]
        asked.append(f"sum by ({label}) ({series})")
    for expression in asked:
        yield expression.replace("$__rate_interval", "1m").replace("$instance", ".*")


async def test_alerts_and_panels_ask_only_for_series_and_labels_that_a_gateway_has(
    tmp_path: Path, authority: Authority
) -> None:
    known = await samples_of_a_gateway(tmp_path / "gateway.yaml", authority.issue("localhost"))
    asked = [*(rule["expr"] for rule in ALERTS.values()), *expressions_of_the_board()]
    found = [fault for expression in asked for fault in faults(expression, known)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("expression", "found", "by"),
    [
        ("a_total", {Selector("a_total", ())}, set()),
        (
            'sum by (x, le) (rate(a{b="}c",d!~"e|f"}[5m])) > 0.1',
            {Selector("a", (("b", "=", "}c"), ("d", "!~", "e|f")))},
            {"x", "le"},
        ),
        ("time() - a > 14 * 86400 and on (b) c", {Selector("a", ()), Selector("c", ())}, {"b"}),
    ],
    ids=["bare", "matchers", "joined"],
)  # fmt: skip
def test_what_an_expression_asks_for_is_found(expression: str, found: set[Selector], by: set[str]) -> None:
    assert set(selectors(expression)) == found
    assert grouped(expression) == by


@pytest.mark.parametrize(
    "expression", ["b", 'a{x="2"}', 'a{y="1"}', 'a{y!="1"}', "sum by (y) (a)", "rate(a[5m]) / on (y) a"]
)
def test_what_does_not_exist_is_noticed(expression: str) -> None:
    known = {"a": [{"x": "1"}]}
    assert list(faults('sum by (x) (a{x=~"1|2"})', known)) == []
    assert list(faults(expression, known)) != []


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len(ALERTS) >= 12
    assert len(ALERTS) == len(GROUP["rules"])
    for name, rule in ALERTS.items():
        assert re.fullmatch("Wsgateway([A-Z][a-z]+)+", name)
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
        assert 20 < len(summary) < 140, name
        assert description.endswith("."), name
        assert description.count(". ") >= 1, name
        # Prometheus fills in labels by which the expression still tells alerts apart.
        used = set(re.findall(r"\$labels\.(\w+)", summary + description))
        labels = grouped(rule["expr"])
        assert not labels or used <= labels, name


def test_panels_have_their_places_and_their_units() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        fields = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not fields & taken, panel["title"]
        assert max(x for x, _ in fields) < 24, panel["title"]
        taken |= fields
    identities = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(identities)) == len(identities)
    for panel in PANELS:
        # Whoever imports the board chooses a Prometheus, and no address of another machine is in it.
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"]


# -- with promtool, where it is installed --------------------------------------------------------------------------


def test_promtool_accepts_the_rules() -> None:
    assert promtool("check", "rules", RULES) == ""


@dataclass(frozen=True)
class Course:
    """What a gateway says minute by minute, or at other intervals, as promtool writes it."""

    ill: dict[str, str]
    """series and values for which the alert must come"""
    well: dict[str, str] = field(default_factory=dict)
    """and those for which it must not come, beside what `ill` has and this has not"""
    minutes: int = 1
    """between two values"""


SEEN = "wsgateway_dialect_last_seen_timestamp_seconds"
DAY = 86400
COURSES = {
    "WsgatewayNotServing": Course(
        {"wsgateway_ready": "0x60", "wsgateway_draining": "0x60"}, {"wsgateway_draining": "1x60"}
    ),
    "WsgatewayWorkersDie": Course(
        {"wsgateway_worker_restarts_total": "0+1x60"}, {"wsgateway_worker_restarts_total": "7x60"}
    ),
    "WsgatewayReloadRefused": Course(
        {"wsgateway_last_reload_successful": "0x60"}, {"wsgateway_last_reload_successful": "1x60"}
    ),
    "WsgatewayCertificateExpires": Course(
        {"wsgateway_certificate_expires_timestamp_seconds": f"{13 * DAY}x90"},
        {"wsgateway_certificate_expires_timestamp_seconds": f"{15 * DAY}x90"},
    ),
    "WsgatewayTargetDown": Course(
        {'wsgateway_target_state{state="up"}': "0x60", 'wsgateway_target_state{state="ejected"}': "1x60"},
        {'wsgateway_target_state{state="up"}': "1x60", 'wsgateway_target_state{state="ejected"}': "0x60"},
    ),
    "WsgatewayUpstreamDown": Course(
        {'wsgateway_upstream_addresses{state="up"}': "0x60", 'wsgateway_upstream_addresses{state="down"}': "2x60"},
        {'wsgateway_upstream_addresses{state="up"}': "1x60"},
    ),
    "WsgatewayRefusalsRise": Course(
        {'wsgateway_refused_total{reason="not-http"}': "0+20x60", "wsgateway_sessions_opened_total": "0+60x60"},
        {"wsgateway_sessions_opened_total": "0+100x60"},
    ),
    "WsgatewayNearConnectionsLimit": Course(
        {"wsgateway_connections": "81x60", "wsgateway_connections_limit": "100x60"}, {"wsgateway_connections": "80x60"}
    ),
    "WsgatewayNearDescriptorsLimit": Course(
        {'process_open_fds{process="worker-1"}': "81x60", 'process_max_fds{process="worker-1"}': "100x60"},
        {'process_open_fds{process="worker-1"}': "80x60"},
    ),
    "WsgatewayLoopLate": Course(
        {"wsgateway_worker_loop_lag_seconds": "0.3x60"}, {"wsgateway_worker_loop_lag_seconds": "0.2x60"}
    ),
    "WsgatewayLogLinesLost": Course(
        {"wsgateway_log_lines_dropped_total": "0+1x60"}, {"wsgateway_log_lines_dropped_total": "5x60"}
    ),
    "WsgatewayQueueLong": Course(
        {
            'wsgateway_queue_duration_seconds_bucket{le="1"}': "0+1x60",
            'wsgateway_queue_duration_seconds_bucket{le="5"}': "0+2x60",
            'wsgateway_queue_duration_seconds_bucket{le="+Inf"}': "0+2x60",
        },
        {'wsgateway_queue_duration_seconds_bucket{le="1"}': "0+2x60"},
    ),
    "WsgatewayCensusNotWritten": Course({"wsgateway_census_problem": "1x60"}, {"wsgateway_census_problem": "0x60"}),
    # The clock of a test begins at 0, which means that a dialect was never seen.
    "WsgatewayOldDialectUnused": Course(
        {f'{SEEN}{{dialect="hixie-75"}}': "1x800"}, {f'{SEEN}{{dialect="hixie-75"}}': "0x800"}, minutes=60
    ),
}


def test_each_alert_has_its_course() -> None:
    assert COURSES.keys() == ALERTS.keys()


@pytest.mark.parametrize("name", COURSES)
def test_an_alert_comes_when_it_should_and_not_otherwise(name: str, tmp_path: Path) -> None:
    course = COURSES[name]
    values = max(int(re.findall(r"x(\d+)$", text)[0]) for text in course.ill.values())
    end, interval = values * course.minutes, f"{course.minutes}m"
    alerts = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    tests = [
        {
            "interval": interval,
            "input_series": [{"series": series, "values": values} for series, values in said.items()],
            "promql_expr_test": [
                {"expr": alerts, "eval_time": f"{end}m", "exp_samples": [{"labels": "{}", "value": 1}] if comes else []}
            ],
        }
        for said, comes in ((course.ill, True), (course.ill | course.well, False))
    ]
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests}))
    assert promtool("test", "rules", file) == ""
