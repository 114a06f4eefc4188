"""The text of the metrics, read by Prometheus' own parser."""

from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families

from wsgateway.observe.metrics import exposition
from wsgateway.observe.status import Status


def test_a_label_keeps_every_character_of_its_value() -> None:
    route = 'a"b\\c\nd{e="f"},\\n\u00e9'
    status: Any = {"ready": True, "draining": False, "gateway": {"sessions": {"rfc6455": {route: 7}}}}
    text = exposition(cast(Status, status)).decode()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    found = {each.name: (each.labels, each.value) for each in samples}
    assert found["wsgateway_sessions"] == ({"dialect": "rfc6455", "route": route}, 7.0)
    assert found["wsgateway_ready"] == ({}, 1.0)
    assert found["wsgateway_draining"] == ({}, 0.0)
