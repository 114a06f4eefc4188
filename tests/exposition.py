"""A page of metrics, held against the conventions of Prometheus: by its own parser for Python, and by promtool if it is
installed."""

import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

# https://prometheus.io/docs/practices/naming and /docs/instrumenting/writing_exporters
NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
# A metric of time or size has its unit at the end of its name, and that is a base unit.
OTHER_UNITS = re.compile(".*_(milliseconds|ms|minutes|hours|days|kilobytes|kb|mb|percent)(_total)?")


def families(page: str) -> dict[str, Metric]:
    """Return all metrics of a page by their names. Raise AssertionError for whatever is against the conventions."""
    found = list(text_string_to_metric_families(page))
    faults = [fault for family in found for fault in _faults(family)]
    faults += [
        f"{name}: there are {count}" for name, count in Counter(each.name for each in found).items() if count > 1
    ]
    samples = Counter((each.name, *sorted(each.labels.items())) for family in found for each in family.samples)
    faults += [f"{sample}: there are {count}" for sample, count in samples.items() if count > 1]
    assert not faults, "\n".join(faults)
    assert promtool("check", "metrics", given=page) == ""
    return {family.name: family for family in found}


def _faults(family: Metric) -> Iterator[str]:
    name = family.name
    if not NAME.fullmatch(name) or OTHER_UNITS.fullmatch(name):
        yield f"{name}: this is no name"
    if family.type not in ("gauge", "counter", "histogram") or not family.documentation.endswith("."):
        yield f"{name}: it is {family.type}: {family.documentation}"
    if len({tuple(each.labels) for each in family.samples if "le" not in each.labels}) > 1:
        yield f"{name}: its labels are not always the same"
    allowed = {"gauge": {""}, "counter": {"_total"}, "histogram": {"_bucket", "_sum", "_count"}}
    ends = {each.name.removeprefix(name) for each in family.samples}
    if ends and ends != allowed.get(family.type):
        yield f"{name}: its samples end in {ends}"
    if family.type != "gauge":
        yield from (f"{each}: it is below 0" for each in family.samples if not each.value >= 0)
    if family.type == "histogram":
        yield from _faults_of_buckets(family)


def _faults_of_buckets(family: Metric) -> Iterator[str]:
    if not family.name.endswith("_seconds"):
        yield f"{family.name}: it has no unit"
    rows: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple((name, value) for name, value in sorted(sample.labels.items()) if name != "le")
        if sample.name.endswith("_bucket"):
            rows.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    for labels, buckets in rows.items():
        bounds, values = zip(*buckets, strict=True)
        if list(bounds) != sorted(set(bounds)) or bounds[-1] != math.inf:
            yield f"{family.name}{labels}: its bounds are {bounds}"
        if list(values) != sorted(values) or values[-1] != counts[labels]:
            yield f"{family.name}{labels}: its buckets have {values}, and the count is {counts[labels]}"


def promtool(*arguments: str | Path, given: str = "") -> str:
    """Return what promtool says of something that it finds wrong; nothing if all is well, or if it is not installed."""
    executable = shutil.which("promtool")
    if executable is None:
        return ""
    done = subprocess.run([executable, *arguments], input=given, capture_output=True, text=True, check=False)
    return f"promtool: {done.stdout}{done.stderr}" if done.returncode else ""
