"""The numbers of a gateway as Prometheus reads them."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from wsgateway.observe.status import Status

__all__ = ["CONTENT_TYPE", "exposition"]

Family = GaugeMetricFamily | CounterMetricFamily


@dataclass(frozen=True, slots=True)
class Series:
    """A number, or a mapping of mappings of numbers whose keys are the values of the labels."""

    name: str
    """as the status has it; `wsgateway_` stands before it in Prometheus"""
    help: str
    labels: tuple[str, ...] = ()


GAUGES = (
    Series("sessions", "Sessions that are open.", ("dialect", "route")),
    Series("connections", "Connections of clients that are open, with a session or without.", ("listener",)),
)
# Which only rise, also when a worker is started anew. `_total` stands behind their names.
COUNTERS = (
    Series("connections", "Connections of clients that were accepted.", ("listener",)),
    Series("sessions", "Sessions that were opened.", ("dialect", "route")),
    Series("refused", "Requests that were refused, by the status of the answer.", ("status",)),
)


def exposition(status: Status) -> bytes:
    """The text of `/metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(status))
    return generate_latest(registry)


class _Once(Collector):
    """Collects one status."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status, gateway = self._status, self._status["gateway"]
        yield GaugeMetricFamily("wsgateway_draining", "1 while the gateway drains.", int(status["draining"]))
        yield GaugeMetricFamily("wsgateway_ready", "1 while clients are welcome.", int(status["ready"]))
        yield _workers(status["workers"])
        restarts = "Processes that died and were started anew."
        yield CounterMetricFamily("wsgateway_worker_restarts", restarts, status["restarts"])
        for series in GAUGES:
            gauge = GaugeMetricFamily(f"wsgateway_{series.name}", series.help, labels=series.labels)
            yield _filled(gauge, series, gateway)
        for series in COUNTERS:
            counter = CounterMetricFamily(f"wsgateway_{series.name}", series.help, labels=series.labels)
            yield _filled(counter, series, gateway["totals"])


def _workers(workers: list[Status]) -> Metric:
    family = GaugeMetricFamily("wsgateway_workers", "Worker processes, by what they are at.", labels=("state",))
    states = [worker["state"] for worker in workers]
    for state in sorted(set(states)):
        family.add_metric([state], states.count(state))
    return family


def _filled(family: Family, series: Series, numbers: Status) -> Metric:
    for labels, value in _leaves(numbers.get(series.name, {}), len(series.labels)):
        family.add_metric(labels, value)
    return family


def _leaves(numbers: object, depth: int) -> Iterator[tuple[list[str], float]]:
    """The numbers so deep in mappings, with the keys that lead there."""
    if depth == 0:
        if isinstance(numbers, int | float):
            yield [], numbers
    elif isinstance(numbers, dict):
        for key, below in numbers.items():
            for labels, value in _leaves(below, depth - 1):
                yield [str(key), *labels], value
