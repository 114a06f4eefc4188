"""The metrics of a gateway, made of its status, for Prometheus."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product
from typing import Any, cast

from wsgateway.observe.counters import NONE
from wsgateway.observe.histogram import cumulated
from wsgateway.observe.metric import EACH, Facts, IsThere, Kind, OneOf, PathStep, Series
from wsgateway.observe.series import COUNTERS, FAMILIES, HISTOGRAMS
from wsgateway.observe.status import HistogramStatus, Names, ProcessStatus, Status, merged

# Prometheus' text format.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What may not stand in the value of a label as it is.
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = tuple[str, ...]
"""the values of the labels of a series"""


def exposition(status: Status) -> bytes:
    """Return the text of `/metrics`."""
    lines: list[str] = []
    for kind, several in FAMILIES:
        for series in several:
            name = series.full(kind)
            lines += [f"# HELP {name} {series.help}", f"# TYPE {name} {kind}", *_samples(status, series, kind)]
    return "".join(f"{line}\n" for line in lines).encode()


def _samples(status: Status, series: Series, kind: Kind) -> Iterator[str]:
    name = series.full(kind)
    if kind != "histogram":
        for labels, value in numbers(status, series).items():
            yield f"{name}{_spelt(series.labels, labels)} {float(value)}"
        return
    for labels, histogram in histograms(status, series).items():
        buckets = cumulated(histogram, series.bounds)
        for bound, count in buckets:
            yield f"{name}_bucket{_spelt((*series.labels, 'le'), (*labels, bound))} {float(count)}"
        spelt = _spelt(series.labels, labels)
        yield f"{name}_sum{spelt} {float(histogram.get('sum', 0.0))}"
        yield f"{name}_count{spelt} {float(buckets[-1][1])}"


def _spelt(names: Sequence[str], values: Labels) -> str:
    pairs = zip(names, values, strict=True)
    labels = ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in pairs)
    return f"{{{labels}}}" if labels else ""


def rising(status: ProcessStatus) -> ProcessStatus:
    """Return the numbers in a worker's status that only rise: they still count when the worker has ended."""
    paths = [series.path[1:] for series in (*COUNTERS, *HISTOGRAMS) if series.path[0] == "gateway"]
    return cast(ProcessStatus, merged(_picked(status, path) for path in paths))


def counted(status: ProcessStatus) -> ProcessStatus:
    """Return what a gateway that takes the place of this one adds to its own: all counts, and what is still open."""
    listeners = status.get("connections", {}).items()
    open_now: ProcessStatus = {
        "sessions": status.get("sessions", {}),
        "connections": {name: {"open": each["open"], "cap": 0} for name, each in listeners if each["open"]},
    }
    return merged([rising(status), open_now])


def of_names(status: ProcessStatus, names: Names) -> ProcessStatus:
    """Return what `rising` has picked, without the figures of listeners, routes and targets that there are no more."""
    whole = cast(dict[str, Any], status)
    upstreams = names["upstreams"]
    pools = {
        name: _of_pool(pool, upstreams[name]) for name, pool in whole.get("pools", {}).items() if name in upstreams
    }
    refused_by = dict(whole.get("refused_by", {}))
    for what, now in (("listener", names["listeners"]), ("route", names["routes"])):
        staying = {*now, NONE}
        refused_by[what] = {name: count for name, count in refused_by.get(what, {}).items() if name in staying}
    return cast(ProcessStatus, {**whole, "pools": pools, "refused_by": refused_by})


def _of_pool(pool: Mapping[str, Any], urls: Sequence[str]) -> dict[str, Any]:
    by_url = {
        key: {url: count for url, count in pool[key].items() if url in urls}
        for key in ("served", "failures")
        if key in pool
    }
    return {**pool, **by_url}


def _picked(status: Mapping[str, Any], path: tuple[PathStep, ...]) -> dict[str, Any]:
    step, *rest = path
    keys = status if step == EACH else status.keys() & {step}
    return {key: _picked(status[key], tuple(rest)) if rest else status[key] for key in keys}


def numbers(status: Status, series: Series) -> dict[Labels, float]:
    """Return the numbers of a series, by the values of its labels."""
    found = dict.fromkeys(_known(status, series), 0.0)
    seen: set[Labels] = set()
    for labels, value in _followed(status, series.path):
        if isinstance(value, int | float):  # a time may be None
            found[labels] = series.together(found[labels], value) if labels in seen else value
            seen.add(labels)
    return found


def histograms(status: Status, series: Series) -> dict[Labels, HistogramStatus]:
    """Return the histograms of a series, by the values of its labels; those that are empty, too."""
    found: dict[Labels, HistogramStatus] = {labels: {} for labels in _known(status, series)}
    return found | {labels: cast(HistogramStatus, value) for labels, value in _followed(status, series.path)}


def _known(status: Status, series: Series) -> Iterator[Labels]:
    """Yield the values of labels for which there is something from the start."""
    if series.zeros or not series.labels:
        for values in product(*(known(status) for known in series.zeros)):
            yield tuple(chain.from_iterable(values))


def _followed(status: object, path: tuple[PathStep, ...]) -> Iterator[tuple[Labels, object]]:
    """Yield what is at the end of a path, with the values of the labels on the way."""
    if not path:
        yield (), status
        return
    step, *rest = path
    for labels, below in _stepped(status, step):
        for more, value in _followed(below, tuple(rest)):
            yield (*labels, *more), value


def _stepped(status: Any, step: PathStep) -> Iterator[tuple[Labels, object]]:
    match step:
        case OneOf(values):
            for value in values or (status,):
                yield (value,), value == status
        case Facts(keys):
            if all(key in status for key in keys):
                yield tuple(status[key] for key in keys), True
        case IsThere():
            yield (), status is not None
        case tuple(keys):
            for row in status:
                yield tuple(str(row[key]) for key in keys), row
        case str(key):
            for each in status if key == EACH else status.keys() & {key}:
                yield (each,) if key == EACH else (), status[each]
