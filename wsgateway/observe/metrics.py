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
    """One number of the status, or several that differ by labels."""

    name: str
    """`wsgateway_` stands before it"""
    path: tuple[str, ...]
    """the keys that lead to it; one in braces stands for every key, which is the value of that label"""
    help: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels."""
        return tuple(step[1:-1] for step in self.path if step.startswith("{"))


GAUGES = (
    Series("sessions", ("sessions", "by_dialect", "{dialect}"), "Sessions that are open, by the client's dialect."),
    Series("route_sessions", ("sessions", "by_route", "{route}"), "Sessions that are open, by their route."),
    Series("connections", ("connections", "{listener}", "open"), "Connections of clients that are open."),
    Series("connections_limit", ("connections", "{listener}", "cap"), "How many of these there may be, in all."),
    Series("upstream_connections", ("pools", "{upstream}", "open"), "Connections to upstreams that are open."),
    Series("upstream_connections_limit", ("pools", "{upstream}", "cap"), "How many of these there may be, in all."),
)
# Which only rise, also when a worker is started anew. `_total` stands behind their names.
COUNTERS = (
    Series("sessions_opened", ("opened", "{dialect}"), "Sessions that have begun."),
    Series("sessions_ended", ("ended", "{dialect}"), "Sessions that are over."),
    Series("sessions_ended_by", ("ended_by", "{by}"), "Sessions that are over, by who has ended them."),
    Series("messages", ("messages", "{direction}"), "Messages of sessions; in is what came from clients."),
    Series("bytes", ("bytes", "{direction}"), "Bytes of sessions; in is what came from clients."),
    Series("refused", ("refused", "{status}", "{kind}"), "Clients that got no session, by the status of the answer."),
    Series("left", ("left", "{kind}"), "Clients that were gone before they had a session."),
    Series("turned_away", ("turned_away",), "Clients for whom a listener had no room."),
    Series("http_exchanges", ("http", "{status}"), "Exchanges of plain HTTP, by the class of the status."),
    Series("flash_policies", ("policies",), "Questions of Flash Player for a policy that were answered."),
)
RISING = frozenset(series.path[0] for series in COUNTERS)
"""the keys of the status whose numbers only rise"""


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
            yield _filled(counter, series, gateway)


def _workers(workers: list[Status]) -> Metric:
    family = GaugeMetricFamily("wsgateway_workers", "Worker processes, by what they are at.", labels=("state",))
    states = [worker["state"] for worker in workers]
    for state in sorted(set(states)):
        family.add_metric([state], states.count(state))
    return family


def _filled(family: Family, series: Series, status: Status) -> Metric:
    for labels, value in _numbers(status, series.path):
        family.add_metric(labels, value)
    return family


def _numbers(status: object, path: tuple[str, ...]) -> Iterator[tuple[list[str], float]]:
    """The numbers at the end of a path, with the keys that stand for labels."""
    if not path:
        if isinstance(status, int | float):  # a limit may be none
            yield [], status
    elif isinstance(status, dict):
        step, *rest = path
        for key in status if step.startswith("{") else status.keys() & {step}:
            label = [str(key)] if step.startswith("{") else []
            for labels, value in _numbers(status[key], tuple(rest)):
                yield [*label, *labels], value
